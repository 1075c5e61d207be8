"""Segments a cohort of CTs: each case once, on any number of workers, resumed after whatever happens.

    python -m ggpfn.cohort scans/ --out results
    python -m ggpfn.cohort "study/*/ct.nii.gz" list.csv --out results --workers 4 --model own.safetensors
    python -m ggpfn.cohort scans/ --out results --scheduler tcp://host:8786
    python -m ggpfn.cohort scans/ --out results --shard 3/20

Scheduling is left to Dask (`pip install ggpfn[cohort]`): a cluster on this machine, or the one that --scheduler names.
--workers 0 and --shard K/N need no Dask. The folder of the results, and the inputs, have to be reachable by all
workers under the same path.

The state is in files alone: a case is done when its mask and its row are there, for the same input, model and
settings. So the same command, given again, does what is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import queue
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from . import _abi, _cohort_case, _cohort_files, _cohort_report, _cohort_table, _files
from ._cohort_case import Row, Settings
from ._cohort_files import Input
from .errors import Error
from .results import VIEWS

__all__ = ["main", "run"]

FOLDERS = ("cases", "masks", "pictures")
# Seconds between two tables while the work goes on.
TABLE = 60.0
# Seconds between two looks at the number of workers.
WATCH = 3.0


@dataclass
class Cohort:
    """The cases of a run, and what has become of them. All of them, though this process may do a part."""

    settings: Settings
    cases: list[Input]
    quiet: bool = False
    pictures: int = 60
    earlier: int = 0  # cases that were done before
    finished: dict[str, Row] = field(default_factory=dict)
    _table: float = field(default_factory=time.monotonic)

    def open(self) -> list[Input]:
        """The cases that have to be done."""
        rest = []
        for one in self.cases:
            row = _cohort_case.done(self.settings, one)
            if row is None:
                rest.append(one)
            else:
                self.finished[one.name] = row
        self.earlier = len(self.finished)
        return rest

    def note(self, row: Row) -> None:
        """Takes a row that is written."""
        self.finished[row["name"]] = row
        if not self.quiet:
            _say(f"[{len(self.finished):{len(str(len(self.cases)))}}/{len(self.cases)}] {_line(row)}")
        if time.monotonic() - self._table > TABLE:
            self.write()
            self._table = time.monotonic()

    def rows(self) -> list[Row]:
        """The rows of all cases that have one, in the order of the cases."""
        found = ((one.key, _cohort_case.read_row(self.settings, one.name)) for one in self.cases)
        return [row for key, row in found if row is not None and (row["input"], row["series"] or "") == key]

    def write(self) -> list[Row]:
        """Writes table and report."""
        rows = _cohort_table.write(self.settings.out, self.rows)
        page = _cohort_report.make(self.settings, rows, len(self.cases) - len(rows), self.pictures)
        _files.write(os.path.join(self.settings.out, "report.html"), page.encode("utf-8"))
        return rows


def run(
    inputs: Sequence[str],
    out: str,
    *,
    model: Optional[str] = None,
    views: Optional[Sequence[str]] = None,
    threshold: Optional[float] = None,
    largest_component: bool = False,
    device: str = "auto",
    precision: str = "float32",
    threads: int = 0,
    workers: Optional[int] = None,
    scheduler: Optional[str] = None,
    shard: Optional[tuple[int, int]] = None,
    retries: int = 2,
    verify: bool = False,
    pictures: int = 60,
    quiet: bool = True,
) -> list[Row]:
    """Segments a cohort, and gives the rows of its table; the arguments are those of the command line.

    shard: (k, n): every n-th case alone, beginning with the k-th. Raises Error for inputs and options that cannot be
    used, and KeyboardInterrupt when it is interrupted, with table and report of what is there.
    """
    out = os.path.abspath(out)
    if workers is None and shard is not None and scheduler is None:
        workers = 0
    local = scheduler is None and workers == 0
    distributed = None if local else _distributed()
    workers = workers if workers is not None else max(1, (os.cpu_count() or 1) // 4)
    if not threads and scheduler is None and workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
    settings = Settings(
        out=out,
        model=None if model is None else os.path.abspath(model),
        views=None if views is None else tuple(views),
        threshold=threshold,
        largest_component=largest_component,
        device=device,
        precision=precision,
        threads=threads,
        retries=retries,
        verify=verify,
    )
    try:
        # Looked at here first: what is wrong with the model is no fault of a case.
        settings = dataclasses.replace(settings, model_sha256=_cohort_case.worker(settings).sha256)
        return _work(settings, inputs, shard, pictures, quiet, distributed, scheduler, workers)
    finally:
        _cohort_case.close_workers()


def _work(
    settings: Settings,
    inputs: Sequence[str],
    shard: Optional[tuple[int, int]],
    pictures: int,
    quiet: bool,
    distributed: Any,
    scheduler: Optional[str],
    workers: int,
) -> list[Row]:
    """What `run` does when it knows how; distributed: Dask's package, None for a run in this process."""
    out = settings.out
    found = _cohort_files.find(inputs, out)
    for folder in FOLDERS:
        os.makedirs(os.path.join(out, folder), exist_ok=True)
    cases = _cohort_files.named(found, _taken(settings))
    cohort = Cohort(settings, cases, quiet, pictures)
    rest = cohort.open()
    if shard is not None:
        mine = {one.name for one in cases[shard[0] - 1 :: shard[1]]}
        rest = [one for one in rest if one.name in mine]
    if not quiet:
        before = f", {cohort.earlier} done before" if cohort.earlier else ""
        part = f", {len(rest)} for part {shard[0]} of {shard[1]}" if shard is not None else ""
        _say(f"{len(cases)} cases{before}{part}")
    with _terminable():
        try:
            if distributed is None:
                _alone(cohort, rest)
            elif rest:
                # The model is in the workers from here on.
                _cohort_case.close_workers()
                _dask(distributed, cohort, rest, scheduler, workers)
        finally:
            rows = cohort.write()
    if shard is None:
        whole = [row["name"] for row in rows if row["status"] == "done"]
        for folder in FOLDERS:
            _cohort_files.tidy(os.path.join(out, folder), whole)
    return rows


def _taken(settings: Settings) -> dict[str, tuple[str, str]]:
    """The names that earlier runs have given, and the case of each."""
    taken = {}
    for entry in sorted(os.listdir(os.path.join(settings.out, "cases"))):
        if entry.endswith(".json") and not entry.startswith("."):
            row = _cohort_case.read_row(settings, entry[: -len(".json")])
            if row is not None:
                taken[row["name"]] = (row["input"], row["series"] or "")
    return taken


def _alone(cohort: Cohort, cases: list[Input]) -> None:
    """The cases one after the other in this process; Ctrl-C lets the one under way end.

    On a thread of their own: an interrupt in the middle of a child's answer would lose it, and wait for it for ever.
    """
    over = threading.Event()
    rows: queue.SimpleQueue[Union[Row, BaseException, None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            for one in cases:
                if over.is_set():
                    return
                rows.put(_cohort_case.work(cohort.settings, one))
        except BaseException as error:
            rows.put(error)
        finally:
            rows.put(None)

    thread = threading.Thread(target=work, name="ggpfn-cases")
    thread.start()
    try:
        while True:
            row = rows.get()
            if row is None:
                break
            if isinstance(row, BaseException):
                raise row
            cohort.note(row)
    finally:
        over.set()
        thread.join()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise Error(
            "Dask is not installed. For a cohort on several workers: pip install ggpfn[cohort]. "
            "Without Dask: --workers 0, or --shard K/N in each of N processes."
        ) from error
    return distributed


def _dask(distributed: Any, cohort: Cohort, cases: list[Input], scheduler: Optional[str], workers: int) -> None:
    """The cases on Dask's workers."""
    with contextlib.ExitStack() as stack:
        if scheduler is None:
            import dask

            stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": "60s"}))
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                # Masks and rows go to files, and next to nothing through memory; the children's is not the workers'.
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            )
            stack.callback(cluster.close, timeout=30)
            stack.enter_context(_kept_at(cluster, workers))
            client = distributed.Client(cluster)
        else:
            client = distributed.Client(scheduler, timeout=60)
        stack.callback(client.close, timeout=30)
        _submit(distributed, client, cohort, cases)


@contextlib.contextmanager
def _kept_at(cluster: Any, workers: int) -> Iterator[None]:
    """Sees to the number of workers meanwhile: Dask replaces one that dies, but not one that dies while it starts."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH):
            cluster.scale(workers)

    thread = threading.Thread(target=watch, name="ggpfn-workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _submit(distributed: Any, client: Any, cohort: Cohort, cases: list[Input]) -> None:
    run_name, tries = uuid.uuid4().hex[:8], {one.name: 1 for one in cases}

    def submit(one: Input) -> Any:
        key = f"ggpfn-{run_name}-{one.name}-{tries[one.name]}"
        arguments = (cohort.settings, one, tries[one.name] - 1)
        return client.submit(_cohort_case.work, *arguments, key=key, pure=False)

    under_way = {submit(one): one for one in cases}
    finished = distributed.as_completed(list(under_way))
    try:
        for future in finished:
            one = under_way.pop(future)
            error = future.exception() if future.status != "finished" else None
            if error is None:
                cohort.note(future.result())
                continue
            # The case itself is a row whatever happens to it; this is a worker that was lost, or is not fit.
            if tries[one.name] > cohort.settings.retries:
                row = _cohort_case.failed(cohort.settings, one, error, tries[one.name])
                _cohort_case.keep(cohort.settings, row)
                cohort.note(row)
                continue
            tries[one.name] += 1
            again = submit(one)
            under_way[again] = one
            finished.add(again)
    except BaseException:
        client.cancel(list(under_way), force=True)
        raise


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM, by which batch systems end jobs, is Ctrl-C meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _line(row: Row) -> str:
    if row["status"] != "done":
        return f"{row['name']}: failed: {row['error']}"
    doubt = f", doubtful ({row['warnings']})" if row["doubtful"] else ""
    return f"{row['name']}: {row['volume_ml']:.1f} mL, expected Dice {row['expected_dice']:.2f}{doubt}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _shard(text: str) -> tuple[int, int]:
    try:
        part, parts = (int(number) for number in text.split("/"))
        if not 1 <= part <= parts:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no K/N with K from 1 to N") from None
    return part, parts


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("0 or more was expected")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ggpfn.cohort",
        description="Segment the pancreas in a cohort of CTs: a mask for each, a table and a report over all.",
        epilog="The same command, given again, does what is missing: after Ctrl-C, a crash, a failed case. Exit codes: "
        "0 all cases are done; 1 some have failed, and their rows say why; 2 inputs, options or files cannot be used; "
        "130 interrupted. For research, not for clinical use.",
    )

    def add(name: str, text: str, group: Any = parser, **options: Any) -> None:
        group.add_argument(name, help=text, **options)

    what = 'image; folder of images at any depth; DICOM folder; pattern in quotes ("scans/**/ct.nii.gz"); CSV list'
    add("inputs", f"{what} with a column input and, if you like, name and series", nargs="+", metavar="INPUT")
    add("--out", "folder of the results", required=True, metavar="DIR")
    model = os.environ.get("GGPFN_MODEL") or None
    add("--model", "the model; the shipped one if left out", metavar="FILE", default=model)
    add("--views", f"of {', '.join(VIEWS)}; all that the model has if left out", metavar="VIEW,...")
    add("--threshold", "probabilities from here on are pancreas; the model's if left out", type=float, metavar="P")
    add("--largest-component", "keep the largest connected part only", action="store_true")
    add("--device", "auto, cpu, cuda or cuda:N, on each worker (default: auto)", default="auto")
    precisions = ("float32", "bfloat16", "auto")
    text = "auto may differ between machines, and with it a voxel here and there (default: float32)"
    add("--precision", text, default="float32", choices=precisions)
    text = "processor threads of a case; what the machine has, shared among its workers, if left out"
    add("--threads", text, type=_count, default=0, metavar="N")
    text = "further attempts at a case that fails for a reason that may pass (default: 2)"
    add("--retries", text, type=_count, default=2, metavar="N")
    text = "of cases that are done, compare the hashes of input and mask, and not only size and time"
    add("--verify", text, action="store_true")
    text = "show at most so many doubtful cases in the report (default: 60)"
    add("--pictures", text, type=_count, default=60, metavar="N")
    add("--quiet", "print no line for each case", action="store_true")
    parser.add_argument("--version", action="version", version=f"ggpfn {_abi.VERSION}")
    where = parser.add_argument_group("where the work is done")
    text = "Dask workers on this machine; a quarter of its processors if left out; 0: this process, without Dask"
    add("--workers", text, where, type=_count, metavar="N")
    add("--scheduler", "address of a Dask cluster that is running, tcp://host:8786", where, metavar="ADDRESS")
    text = "part K of N of the cases, in this process, without Dask: for job arrays"
    add("--shard", text, where, type=_shard, metavar="K/N")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line; the exit code."""
    given = vars(_parser().parse_args(arguments))
    if given["views"] is not None:
        given["views"] = tuple(view.strip() for view in given["views"].split(","))
    out = given["out"]
    try:
        rows = run(given.pop("inputs"), **given)
    except (Error, OSError) as error:
        _say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        _say("Interrupted. The same command goes on from here.")
        return 130
    broken = sum(row["status"] != "done" for row in rows)
    doubtful = sum(bool(row.get("doubtful")) for row in rows)
    _say(
        f"{len(rows)} rows in {os.path.join(out, 'cases.csv')}: {len(rows) - broken} done, {broken} failed, "
        f"{doubtful} doubtful. Look at {os.path.join(out, 'report.html')}"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
