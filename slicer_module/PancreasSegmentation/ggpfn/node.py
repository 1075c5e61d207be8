"""A DICOM node: receives CT series, segments them, and sends segmentation (SEG) and report (SR) to where they belong.

    python -m ggpfn.node FOLDER --port 11112 --send-to ARCHIVE@10.0.0.5:104
    python -m ggpfn.node FOLDER --host 0.0.0.0 --called GGPFN --allow SCANNER --allow PACS --out results

Networking is pynetdicom's (`pip install ggpfn[node]`). A series is complete when nothing was added to it for some time;
it is then segmented by the program ggpfn, one series after the other, and its results are sent until they are taken.

The state is in FOLDER alone. A node that was ended or killed at any moment goes on from there, and sends the files that
it has made before, under the same UIDs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from . import _abi, _node_dicom, _node_store, _process, _torch
from ._node_dicom import Connection, Destination, Door, Receiver, Tls
from ._node_store import FAILED, MADE, QUEUED, RECEIVING, Attempt, Limits, Series, Store
from .errors import Error

__all__ = ["main"]

RESULTS = ("segmentation.dcm", "report.dcm")
# The program's exit codes: the series cannot be segmented; something is wrong here, and the series may be good.
SERIES_FAULTS, HOUSE_FAULTS = (2, 3), (4, 7)
# Seconds between two attempts, the first and the longest.
PAUSE, LONGEST = 2.0, 300.0
TICK = 0.1
# Seconds that each thread gets to end.
PATIENCE = 5


@dataclass(frozen=True)
class Work:
    """How series are segmented, and where results go."""

    options: tuple[str, ...]  # for `ggpfn segment`
    attempts: int
    quiet: float
    out: Optional[str]
    destination: Optional[Destination]


class Log:
    """Lines on stderr, with names of patients where that is asked for."""

    def __init__(self, names: bool) -> None:
        self.names = names
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def of(self, series: Series, text: str) -> None:
        """About a series, by the name of its folder."""
        who = f" ({series.who or 'series ' + series.uid})" if self.names else ""
        self(f"series {series.key[:12]}{who}: {text}")


class Pauses:
    """When what has failed may be tried again: twice the time after each failure."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def failed(self, key: str) -> float:
        """Notes a failure; the seconds until the next attempt."""
        self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(LONGEST, PAUSE * 2.0 ** min(self._failures[key] - 1, 20))
        self._until[key] = time.monotonic() + seconds
        return seconds

    def good(self, key: str) -> None:
        self._failures.pop(key, None)
        self._until.pop(key, None)

    def left(self, *keys: str) -> float:
        return max(self._until.get(key, 0.0) for key in keys) - time.monotonic()


class Node:
    """The work behind the door, on threads of its own."""

    def __init__(self, store: Store, work: Work, log: Log) -> None:
        self.store, self.work, self.log = store, work, log
        self.program = _process.find()
        self.over = threading.Event()
        self.broken = False
        self._making, self._sending = Pauses(), Pauses()
        self._connection: Optional[Connection] = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"ggpfn-{name}", daemon=True)
            for name, work in (("settle", self._settle), ("segment", self._segment), ("send", self._send))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the work; what is under way is done again by the next node."""
        self.over.set()
        with self.store.changed:
            self.store.changed.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(PATIENCE)
        # A destination that does not answer is not waited for.
        connection = self._connection
        if connection is not None:
            connection.abort()

    def _guarded(self, work: Callable[[], None]) -> None:
        while not self.over.is_set():
            try:
                work()
            except OSError as error:
                # A full disk, or one that is away for a moment.
                self.log(f"error: {error}; trying again")
                self.over.wait(PAUSE)
            except BaseException:
                self.log(f"internal error\n{traceback.format_exc()}")
                self.broken = True
                self.over.set()

    def _settle(self) -> None:
        while not self.over.wait(min(1.0, self.work.quiet / 4)):
            for series in self.store.settle(self.work.quiet):
                self.log.of(series, f"complete, {len(series.objects)} objects")
            self.store.tidy()

    def _segment(self) -> None:
        for series in _node_store.each(self.store, QUEUED, self.over, lambda one: self._making.left(one.key, "")):
            attempt = self.store.begin(series)
            try:
                self._attempt(attempt)
            finally:
                attempt.close()

    def _attempt(self, attempt: Attempt) -> None:
        series, start = attempt.series, time.monotonic()
        code, said = self._run(attempt)
        if self.over.is_set():
            return
        if code == 0:
            if not self.store.publish(attempt):
                self.log.of(series, "another object came meanwhile; it is done again with all of them")
                return
            self._making.good(series.key)
            self._making.good("")
            with open(os.path.join(series.results(), "report.json"), encoding="utf-8") as file:
                doubtful = json.load(file).get("quality", {}).get("doubtful")
            text = ", doubtful" if doubtful else ""
            self.log.of(series, f"segmented in {time.monotonic() - start:.1f} s{text}")
        elif code in HOUSE_FAULTS:
            seconds = self._making.failed("")
            self.log(f"error: {said} Nothing can be segmented; the next attempt is in {seconds:.0f} s")
        elif self.store.failed_once(series, said, 1 if code in SERIES_FAULTS else self.work.attempts):
            self.log.of(series, f"failed: {said}")
        else:
            seconds = self._making.failed(series.key)
            self.log.of(series, f"failed, the next attempt is in {seconds:.0f} s: {said}")

    def _run(self, attempt: Attempt) -> tuple[int, str]:
        """The program's exit code and its last words."""
        seg, sr = (os.path.join(attempt.folder, name) for name in RESULTS)
        report = os.path.join(attempt.folder, "report.json")
        command = [self.program, "segment", attempt.series.place, seg, "--dicom-report", sr, "--report", report, "-q"]
        inherited: dict[str, Any] = (
            {"creationflags": 0x08000000}
            if sys.platform == "win32"
            # In a session of its own: Ctrl-C is this process's to act on.
            else {"pass_fds": attempt.inherited, "start_new_session": True}
        )
        try:
            popen = subprocess.Popen(
                [*command, *self.work.options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_torch.environment(self.program, _process.environment()),
                **inherited,
            )
        except OSError as error:
            return HOUSE_FAULTS[0], f"{self.program} could not be started: {error}."
        attempt.started(popen.pid)
        said = b""
        while popen.returncode is None:
            try:
                said = popen.communicate(timeout=TICK)[1]
            except subprocess.TimeoutExpired:
                if self.over.is_set():
                    popen.kill()
                    popen.communicate()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"the program ended with {popen.returncode}"
        last = last.removeprefix("error: ").replace(attempt.series.place, "the series")
        return popen.returncode, last if self.log.names else _anonymous(last)

    def _send(self) -> None:
        try:
            for series in _node_store.each(self.store, MADE, self.over, lambda one: self._sending.left(one.key, "")):
                self._send_one(series, series.revision)
                if not self.store.waiting(MADE):
                    self._hang_up()
        finally:
            self._hang_up()

    def _send_one(self, series: Series, revision: int) -> None:
        try:
            if self.work.out is not None and "folder" not in series.sent:
                _node_dicom.write_results(series, self.work.out, RESULTS)
                self.store.arrived(series, revision, "folder")
            if self.work.destination is not None:
                # One association for all that is waiting.
                self._connection = self._connection or self.work.destination.open()
                self._send_results(self._connection, series, revision)
        except (Error, OSError) as error:
            # Of this series alone, or of all.
            alone = self._connection is not None and not isinstance(error, OSError)
            seconds = self._sending.failed(series.key if alone else "")
            self.log.of(series, f"not sent, the next attempt is in {seconds:.0f} s: {error}")
            self._hang_up()
            return
        self._sending.good(series.key)
        self._sending.good("")
        if self.store.finish(series, revision):
            where = filter(None, (self.work.out, self.work.destination))
            self.log.of(series, f"done, results are at {' and '.join(map(str, where))}")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send_results(self, connection: Connection, series: Series, revision: int) -> None:
        for name in RESULTS:
            what = f"{name} to {connection.destination}"
            if what not in series.sent:
                connection.send(os.path.join(series.results(revision), name))
                self.store.arrived(series, revision, what)


def _anonymous(text: str) -> str:
    """A sentence of the program without what it quotes from files, and without UIDs."""
    text = re.sub(r'"[^"]*"', '"..."', text)
    return re.sub(r"\d+(\.\d+){4,}", "[UID]", text)


def run(door: Door, work: Work, folder: str, limits: Limits, names: bool, retry_failed: bool) -> int:
    """Runs a node until Ctrl-C or SIGTERM; the exit code. Raises Error where it cannot begin."""
    _node_dicom.pynetdicom()
    log, over = Log(names), threading.Event()
    if work.destination is not None:
        work.destination.check()
    store = Store(folder, limits)
    node: Optional[Node] = None
    receiver: Optional[Receiver] = None
    before = {one: signal.signal(one, lambda *_: over.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        node = Node(store, work, log)
        again = store.again() if retry_failed else 0
        receiver = Receiver(door, store, log, names)
        counts = store.counts()
        left = ", ".join(f"{counts[state]} {state}" for state in (RECEIVING, QUEUED, MADE, FAILED) if counts[state])
        log(f"ggpfn {_abi.VERSION} listens on {door.host}:{receiver.port} as {door.called or door.title}")
        if left:
            log(f"from before: {left}{f'; {again} that had failed are tried again' if again else ''}")
        node.start()
        # In steps: Windows does not wake a waiting thread for Ctrl-C.
        while not over.wait(TICK) and not node.over.is_set():
            pass
        log("ending")
    finally:
        if receiver is not None:
            receiver.close()
        if node is not None:
            node.stop()
        store.close()
        for one, handler in before.items():
            signal.signal(one, handler)
    log("ended")
    return 1 if node.broken else 0


def _address(text: str) -> tuple[str, str, int]:
    found = re.fullmatch(r"([^@]+)@(\[[^\]]+\]|[^:@]+):(\d+)", text)
    if not found or not 0 < int(found[3]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not AET@host:port")
    return _title(found[1]), found[2].strip("[]"), int(found[3])


def _title(text: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= 16 or not text.isascii() or not text.isprintable() or "\\" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no AE title: 1 to 16 ASCII characters, and no backslash")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("0 to 65535 was expected")
    return int(text)


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("auto, cpu, cuda or cuda:N was expected")
    return text


def _root(text: str) -> str:
    if len(text) > 40 or not re.fullmatch(r"[0-2](\.(0|[1-9]\d*))+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no root of UIDs: numbers and dots, at most 40 characters")
    return text


def _at_least(least: float, kind: Any = int) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        value = kind(text)
        if not least <= value < 1e12:
            raise argparse.ArgumentTypeError(f"{least} or more was expected")
        return value

    number.__name__ = "number"
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ggpfn.node",
        description="A DICOM node that receives CT series (C-STORE), segments the pancreas, and sends a segmentation "
        "(SEG) and a report of its measurements (SR) to another node, or writes them to a folder.",
        epilog="Ctrl-C and SIGTERM end it; the same command goes on where it was, after a crash too. Exit codes: 0 it "
        "was ended; 1 an internal error; 2 options, files or the port cannot be used. For research, not for clinical "
        "use.",
    )

    def add(group: Any, name: str, text: str, **options: Any) -> None:
        group.add_argument(name, help=text, **options)

    add(parser, "folder", "where it keeps what it receives and makes; one node to a folder", metavar="FOLDER")
    parser.add_argument("--version", action="version", version=f"ggpfn {_abi.VERSION}")

    door = parser.add_argument_group("who may send")
    text = "the address to listen on; 0.0.0.0 for all of this machine (default: 127.0.0.1, this machine alone)"
    add(door, "--host", text, default="127.0.0.1", metavar="ADDRESS")
    text = "the port to listen on; 0 for any that is free (default: 11112)"
    add(door, "--port", text, type=_port, default=11112, metavar="N")
    add(door, "--aet", "its own AE title (default: GGPFN)", type=_title, default="GGPFN", metavar="AET")
    text = "refuse who calls another title than this; without it any is good"
    add(door, "--called", text, type=_title, metavar="AET")
    text = "take associations from this AE title alone; give it several times for several"
    add(door, "--allow", text, type=_title, action="append", default=[], metavar="AET")
    text = "associations at once; more are refused for the moment (default: 10)"
    add(door, "--associations", text, type=_at_least(1), default=10, metavar="N")

    series = parser.add_argument_group("series")
    text = "a series is complete when no object was added for so long (default: 30)"
    add(series, "--quiet-seconds", text, type=_at_least(0.1, float), default=30.0, metavar="S")
    add(series, "--max-objects", "of a series (default: 5000)", type=_at_least(1), default=5000, metavar="N")
    add(series, "--max-mb", "of a series (default: 4000)", type=_at_least(1), default=4000, metavar="MB")
    text = "of one object; a longer one ends its association (default: 2000)"
    add(series, "--max-object-mb", text, type=_at_least(1), default=2000, metavar="MB")
    text = "refuse objects when less than this would stay free on the disk (default: 2000)"
    add(series, "--keep-free-mb", text, type=_at_least(0), default=2000, metavar="MB")
    text = "remove the objects and results of a series so long after it is done (default: 24)"
    add(series, "--keep-hours", text, type=_at_least(0, float), default=24.0, metavar="H")

    how = parser.add_argument_group("segmentation")
    model = os.environ.get("GGPFN_MODEL") or None
    add(how, "--model", "the model; the shipped one if left out", default=model, metavar="FILE")
    add(how, "--device", "auto, cpu, cuda or cuda:N (default: auto)", type=_device, default="auto")
    add(how, "--threads", "processor threads; all if left out", type=_at_least(1), metavar="N")
    add(
        how,
        "--uid-root",
        "the root of UIDs that your institution owns; random UIDs if left out",
        type=_root,
        metavar="ROOT",
    )
    text = "attempts at a series before it counts as failed (default: 3)"
    add(how, "--attempts", text, type=_at_least(1), default=3, metavar="N")
    text = "try what has failed again, now"
    add(how, "--retry-failed", text, action="store_true")

    where = parser.add_argument_group("results, at least one of these")
    text = "send them here by C-STORE, and try until they are taken"
    add(where, "--send-to", text, type=_address, metavar="AET@HOST:PORT")
    text = "write them to DIR/STUDY/SERIES, which are UIDs"
    add(where, "--out", text, metavar="DIR")

    tls = parser.add_argument_group("TLS")
    add(tls, "--tls-cert", "certificate (PEM); with it senders have to speak TLS", metavar="FILE")
    add(tls, "--tls-key", "its key (PEM), if it is not in the same file", metavar="FILE")
    text = "certificates (PEM) that have signed those of senders, which then need one, and of the destination"
    add(tls, "--tls-ca", text, metavar="FILE")
    add(tls, "--send-tls", "speak TLS with the destination, with the same files", action="store_true")

    text = "write names and ids of patients, and UIDs, into the log"
    add(parser, "--log-names", text, action="store_true")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line; the exit code."""
    # Python's warnings quote values of the objects.
    warnings.simplefilter("ignore")
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.send_to is None and given.out is None:
        parser.error("where do results go? Give --send-to, --out or both")
    if given.tls_key and not given.tls_cert:
        parser.error("--tls-key goes with --tls-cert")
    if given.tls_ca and not (given.tls_cert or given.send_tls):
        parser.error("--tls-ca goes with --tls-cert or --send-tls")
    tls = Tls(given.tls_cert, given.tls_key, given.tls_ca)
    if given.send_tls and given.send_to is None:
        parser.error("--send-tls goes with --send-to")
    options = ["--device", given.device]
    for name in ("model", "threads", "uid_root"):
        if getattr(given, name) is not None:
            options += [f"--{name.replace('_', '-')}", str(getattr(given, name))]
    destination = None
    if given.send_to is not None:
        title, host, port = given.send_to
        sending = tls if given.send_tls else None
        destination = Destination(title, host, port, given.called or given.aet, sending, given.log_names)
    door = Door(
        host=given.host,
        port=given.port,
        title=given.aet,
        called=given.called,
        allowed=tuple(given.allow),
        associations=given.associations,
        largest=given.max_object_mb * 1_000_000,
        tls=tls if given.tls_cert else None,
    )
    out = None if given.out is None else os.path.abspath(given.out)
    work = Work(tuple(options), given.attempts, given.quiet_seconds, out, destination)
    limits = Limits(
        objects=given.max_objects,
        bytes=given.max_mb * 1_000_000,
        free=given.keep_free_mb * 1_000_000,
        keep=given.keep_hours * 3600,
    )
    try:
        return run(door, work, given.folder, limits, given.log_names, given.retry_failed)
    except (Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Python would wait for the threads of associations that came in the last moment.
    os._exit(code)
