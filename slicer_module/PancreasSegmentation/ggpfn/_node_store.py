"""What a DICOM node keeps on disk: the objects of each series, what has become of it, and its results.

Each series has a folder that never moves. `state.json` in it says what has to be done next, and is replaced whole:

    receiving -> queued -> made -> done
                        -> failed

An object is there before its sender gets an answer, and results appear, as a folder, by one rename. So a node that is
killed at any moment goes on from the files: it makes what was not made, and sends what was not sent, the same files as
before. A new object of a series that was closed opens it again; an object that is known already is answered and left.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from . import _files
from .errors import Error

RECEIVING, QUEUED, MADE, DONE, FAILED = "receiving", "queued", "made", "done", "failed"

# Statuses of DICOM for what is refused (PS3.4 B.2.3, PS3.7 C).
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900
NOT_UNDERSTOOD = 0xC000

# A series waits for so many quiet periods at most for an association that stays open, or for a sender whose association
# broke off, or was cut by the end of the node, and who is expected to begin again.
PATIENCE = 20


class Refused(Exception):
    """An object is not taken; status: what its sender is told."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What a series and the disk may grow to."""

    objects: int  # of a series
    bytes: int  # of a series
    free: int  # bytes that stay free on the disk
    keep: float  # seconds that the objects of a series stay after it is done


@dataclass
class Series:
    """A series, and what has become of it."""

    key: str
    folder: str
    study: str  # StudyInstanceUID
    uid: str  # SeriesInstanceUID
    state: str = RECEIVING
    revision: int = 0  # of the latest results; 0: none were made yet
    made_of: str = ""  # the objects that those were made of, as a hash
    sent: list[str] = field(default_factory=list)  # which of those results have arrived, and where
    attempts: int = 0  # that have failed
    error: str = ""
    over: bool = False  # whether objects were refused because of a limit
    since: float = 0.0  # when the state began
    known: Optional[dict[str, str]] = None  # hashes of the objects, once these are removed
    # Of this process alone:
    objects: dict[str, int] = field(default_factory=dict)  # bytes by file name
    who: str = ""  # for a log with names
    last: float = 0.0  # when the latest object came, by the monotonic clock
    open: set[int] = field(default_factory=set)  # associations that brought objects and were not released

    KEPT = ("study", "uid", "state", "revision", "made_of", "sent", "attempts", "error", "over", "since", "known")

    @property
    def place(self) -> str:
        """The folder of its objects."""
        return os.path.join(self.folder, "objects")

    def results(self, revision: Optional[int] = None) -> str:
        """The folder of its results."""
        return os.path.join(self.folder, f"results-{self.revision if revision is None else revision}")

    def content(self) -> str:
        """A hash of what its objects are. An object never changes, so that its name stands for it."""
        return _hash("\n".join(sorted(self.objects)))

    def write(self) -> None:
        text = json.dumps({name: getattr(self, name) for name in self.KEPT}, indent=1)
        _files.write(os.path.join(self.folder, "state.json"), text.encode("utf-8"))


class Store:
    """The folder of a node. Its methods may be called by any thread."""

    def __init__(self, folder: str, limits: Limits) -> None:
        """Raises Error where another node works on the folder."""
        self.folder = os.path.abspath(folder)
        self.limits = limits
        self.changed = threading.Condition(threading.RLock())
        self._of: dict[str, Series] = {}
        self._alive: set[int] = set()  # associations
        # What is in there is about patients.
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for name in ("series", "incoming"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        self._lock = _locked(os.path.join(self.folder, "node.lock"))
        if self._lock is None:
            raise Error(f"Another node works on {self.folder}; each needs a folder of its own.")
        # Nothing in there was answered.
        _emptied(os.path.join(self.folder, "incoming"))
        with self.changed, os.scandir(os.path.join(self.folder, "series")) as entries:
            for entry in entries:
                series = self._load(entry.path)
                if series is not None:
                    self._of[series.key] = series

    def close(self) -> None:
        """Lets another node work on the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _load(self, folder: str) -> Optional[Series]:
        """A series as it was left."""
        try:
            with open(os.path.join(folder, "state.json"), encoding="utf-8") as file:
                found = json.load(file)
        except FileNotFoundError:
            # It was begun, and no object had arrived.
            shutil.rmtree(folder, ignore_errors=True)
            return None
        except ValueError as error:
            raise Error(f"{folder} cannot be read ({error}); move it away, and have the series sent again.") from error
        series = Series(os.path.basename(folder), folder, **{name: found[name] for name in Series.KEPT})
        series.last = time.monotonic()
        series.open = {0}  # cut, whichever it was
        _end_left_over(folder)
        for name in os.listdir(folder):
            if name.startswith("."):
                _removed(os.path.join(folder, name))
        if series.known is not None:
            self._drop(series)
            return series
        with os.scandir(series.place) as entries:
            series.objects = {entry.name: entry.stat().st_size for entry in entries}
        if not series.objects and series.state == RECEIVING:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        following = series.results(series.revision + 1)
        if os.path.isdir(following):
            # They appeared, and the state did not follow.
            try:
                with open(os.path.join(following, "made-of"), encoding="ascii") as file:
                    same = file.read() == series.content()
            except OSError:
                same = False
            if same and series.state == QUEUED:
                self._made(series)
            else:
                shutil.rmtree(following)
        return series

    def add(self, study: str, uid: str, instance: str, data: bytes, association: int, who: str = "") -> Series:
        """Takes an object of a series, which is on the disk when this returns. Raises Refused."""
        # Names are hashes: no UID, whatever is in it, is part of a path.
        key, name = _hash(f"{study}\n{uid}")[:24], f"{_hash(instance)[:32]}.dcm"
        with self.changed:
            self._check_disk(len(data))
            series = self._of.get(key) or self._begin(key, study, uid)
            series.who = series.who or who
            if self._is_there(series, name, data, association):
                return series
            self._check(series, len(data))
        unfinished = os.path.join(self.folder, "incoming", uuid.uuid4().hex)
        try:
            with open(unfinished, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with self.changed:
                # Others may have come meanwhile.
                if self._is_there(series, name, data, association):
                    return series
                self._check(series, len(data))
                self._heard_of(series, association)
                if series.state != RECEIVING:
                    # Before the object: it must not lie in a series that counts as done.
                    self._turn(series, RECEIVING)
                os.replace(unfinished, os.path.join(series.place, name))
                series.objects[name] = len(data)
        finally:
            with contextlib.suppress(OSError):
                os.remove(unfinished)
        _files.sync(series.place)
        return series

    def _begin(self, key: str, study: str, uid: str) -> Series:
        folder = os.path.join(self.folder, "series", key)
        series = Series(key, folder, study, uid, since=time.time(), last=time.monotonic())
        os.makedirs(series.place, exist_ok=True)
        series.write()
        _files.sync(os.path.dirname(folder))
        self._of[key] = series
        return series

    def _is_there(self, series: Series, name: str, data: bytes, association: int) -> bool:
        """Whether this object was taken before. Raises Refused where it was another one of the same UID."""
        if series.known is not None:
            before = series.known.get(name)
            if before is None:
                raise Refused(NOT_UNDERSTOOD, "the series is done, and its other objects are removed")
            same = before == hashlib.sha256(data).hexdigest()
        elif name in series.objects:
            with open(os.path.join(series.place, name), "rb") as file:
                same = file.read() == data
        else:
            return False
        if not same:
            raise Refused(DUPLICATE, "another object with the same SOPInstanceUID was received")
        if series.state == RECEIVING:
            # Its sender begins anew, and the rest is to come.
            self._heard_of(series, association)
        return True

    def _heard_of(self, series: Series, association: int) -> None:
        series.last = time.monotonic()
        # Who had broken off has begun again.
        series.open = (series.open & self._alive) | {association}

    def _check_disk(self, size: int) -> None:
        free = shutil.disk_usage(self.folder).free - size
        if free < self.limits.free:
            raise Refused(OUT_OF_RESOURCES, f"only {max(free, 0) // 1_000_000} MB would be free on the disk")

    def _check(self, series: Series, size: int) -> None:
        """Raises Refused where an object would pass a limit; its series fails then, since it will never be whole."""
        over = ""
        if len(series.objects) + 1 > self.limits.objects:
            over = f"the series has more than {self.limits.objects} objects"
        elif sum(series.objects.values()) + size > self.limits.bytes:
            over = f"the series has more than {self.limits.bytes // 1_000_000} MB"
        if over:
            if not series.over:
                series.over = True
                self._turn(series, FAILED, f"{over}, the limit")
            raise Refused(OUT_OF_RESOURCES, over)

    def _turn(self, series: Series, state: str, error: str = "") -> None:
        if state == RECEIVING:
            series.attempts = 0
        series.state, series.error, series.since = state, error, time.time()
        series.write()
        self.changed.notify_all()

    def opened(self, association: int) -> None:
        """An association has begun; any number but 0."""
        with self.changed:
            self._alive.add(association)

    def closed(self, association: int) -> None:
        """An association has ended, in whatever way."""
        with self.changed:
            self._alive.discard(association)

    def released(self, association: int) -> None:
        """An association has ended as it should: its sender has sent what it wanted to."""
        with self.changed:
            for series in self._of.values():
                series.open.discard(association)

    def settle(self, quiet: float) -> list[Series]:
        """Queues the series to which nothing was added for some time, and gives them."""
        now, found = time.monotonic(), []
        with self.changed:
            for series in self._of.values():
                since = now - series.last
                if series.state != RECEIVING or since < quiet or (series.open and since < PATIENCE * quiet):
                    continue
                if not series.objects:
                    # The first object could not be written.
                    continue
                if series.revision and series.made_of == series.content():
                    # It was opened, and the node died before the new object was there.
                    self._turn(series, MADE)
                else:
                    self._turn(series, QUEUED)
                    found.append(series)
        return found

    def waiting(self, state: str) -> list[Series]:
        """The series in a state, those first that have been in it for longest."""
        with self.changed:
            found = [series for series in self._of.values() if series.state == state]
        return sorted(found, key=lambda series: (series.since, series.key))

    def counts(self) -> dict[str, int]:
        """How many series there are in each state."""
        with self.changed:
            states = [series.state for series in self._of.values()]
        return {state: states.count(state) for state in (RECEIVING, QUEUED, MADE, DONE, FAILED)}

    def begin(self, series: Series) -> Attempt:
        """A folder in which results can be made."""
        with self.changed:
            return Attempt(series, series.content())

    def publish(self, attempt: Attempt) -> bool:
        """Takes what was made; False where the series has changed meanwhile, and it is for nothing."""
        series = attempt.series
        with open(os.path.join(attempt.folder, "made-of"), "w", encoding="ascii") as file:
            file.write(attempt.content)
        for name in os.listdir(attempt.folder):
            _files.sync(os.path.join(attempt.folder, name))
        _files.sync(attempt.folder)
        with self.changed:
            if series.state != QUEUED or series.content() != attempt.content:
                return False
            os.replace(attempt.folder, series.results(series.revision + 1))
            _files.sync(series.folder)
            self._made(series)
            return True

    def _made(self, series: Series) -> None:
        series.revision += 1
        series.made_of, series.sent = series.content(), []
        self._turn(series, MADE)

    def failed_once(self, series: Series, error: str, most: int) -> bool:
        """Notes a failed attempt; whether it was the last one."""
        with self.changed:
            if series.state != QUEUED:
                return False
            series.attempts += 1
            if series.attempts >= most:
                self._turn(series, FAILED, error)
                return True
            series.error = error
            series.write()
            return False

    def arrived(self, series: Series, revision: int, what: str) -> None:
        """Notes that one of the results has arrived."""
        with self.changed:
            if series.revision == revision and what not in series.sent:
                series.sent.append(what)
                series.write()

    def finish(self, series: Series, revision: int) -> bool:
        """All results have arrived; False where the series was opened again meanwhile."""
        with self.changed:
            if series.state != MADE or series.revision != revision:
                return False
            self._turn(series, DONE)
            return True

    def again(self) -> int:
        """Queues what has failed, unless it was for a limit; how many series."""
        with self.changed:
            found = [series for series in self._of.values() if series.state == FAILED and not series.over]
            for series in found:
                series.attempts = 0
                self._turn(series, QUEUED)
        return len(found)

    def tidy(self) -> None:
        """Removes the objects and results of what has been done for long enough. What was received stays known."""
        with self.changed:
            old = time.time() - self.limits.keep
            for series in self._of.values():
                if series.state == DONE and series.known is None and series.since <= old:
                    names = sorted(series.objects)
                    series.known = {name: _files.digest([os.path.join(series.place, name)]) for name in names}
                    series.write()
                    self._drop(series)

    def _drop(self, series: Series) -> None:
        series.objects = {}
        for name in os.listdir(series.folder):
            if name != "state.json":
                _removed(os.path.join(series.folder, name))


class Attempt:
    """A folder in which results are made, and the program that makes them.

    The program inherits a lock. A node that finds it held knows that the program outlived the node that started it.
    """

    def __init__(self, series: Series, content: str) -> None:
        self.series, self.content = series, content
        _end_left_over(series.folder)
        self.folder = os.path.join(series.folder, f".making-{uuid.uuid4().hex[:8]}")
        os.mkdir(self.folder)
        self._lock = _locked(os.path.join(series.folder, "program.lock"))

    @property
    def inherited(self) -> tuple[int, ...]:
        """What the program has to inherit."""
        return () if self._lock is None or sys.platform == "win32" else (self._lock.fileno(),)

    def started(self, pid: int) -> None:
        if self._lock is not None and sys.platform != "win32":
            self._lock.seek(0)
            self._lock.truncate()
            self._lock.write(str(pid).encode())
            self._lock.flush()

    def close(self) -> None:
        """Removes what was not published."""
        if self._lock is not None:
            self._lock.close()
        _removed(self.folder)


def _end_left_over(folder: str) -> None:
    """Ends a program that a killed node has left at work."""
    path = os.path.join(folder, "program.lock")
    if sys.platform == "win32" or not os.path.exists(path):
        return
    lock = _locked(path)
    if lock is not None:
        lock.close()
        return
    import signal

    with open(path, "rb") as file:
        said = file.read()
    # It holds the lock, and so the number is still its own.
    if said.isdigit():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(said), signal.SIGKILL)


def _locked(path: str) -> Optional[Any]:
    """The file, locked as long as it is open; None where another process has it. Nobody has to remove it."""
    file = open(path, "a+b", buffering=0)
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _removed(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(path)


def _emptied(folder: str) -> None:
    for name in os.listdir(folder):
        _removed(os.path.join(folder, name))


def each(store: Store, state: str, over: threading.Event, ready: Callable[[Series], float]) -> Iterator[Series]:
    """Series in a state, one after the other and as they come, until `over` is set.

    ready: how many seconds a series has to wait yet.
    """
    while not over.is_set():
        waiting = [(ready(series), series) for series in store.waiting(state)]
        due = next((series for seconds, series in waiting if seconds <= 0), None)
        if due is not None:
            yield due
            continue
        with store.changed:
            store.changed.wait(max(0.01, min([0.5, *(seconds for seconds, _ in waiting)])))
