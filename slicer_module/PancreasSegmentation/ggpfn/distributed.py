"""Trains with several processes, on one machine or many.

    torchrun --nproc-per-node 4 -m ggpfn.train DATA --out runs/mine --preset small
    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint host:29400 -m ggpfn.train DATA --out ...
    torchrun --nproc-per-node 3 -m ggpfn.train DATA --out runs/mine --split-views
    mpirun -n 4 python -m ggpfn.train DATA --out runs/mine --mpi
    python -m ggpfn.train DATA --out runs/mine                      # one process: the same result

Each step takes `accumulate` batches, which the processes share out among them; by default one each. A run keeps that
number, so that it goes on to the same bits with any other number of processes, and with `ggpfn train --resume`. The
run's folder is that of `ggpfn train`; process 0 alone writes it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Optional, Union

from . import _abi
from . import peers as peers_
from .engine import ROLES, Described, device_numbers
from .errors import Error, TrainingError
from .image import Case
from .inprocess import InProcess
from .model import Model, checked_path, checked_text
from .monitor import Monitor, MonitorLike, Progress, as_monitor
from .peers import Peers
from .results import VIEWS, TrainingResult

__all__ = ["main", "train"]

# As short as a training can be: what is there is put together, and nothing is trained.
NO_TIME = 1e-6


def train(
    data: Union[str, os.PathLike[str], Iterable[Case]],
    out: Union[str, os.PathLike[str], None] = None,
    *,
    peers: Optional[Peers] = None,
    split_views: bool = False,
    layout: str = "pairs",
    split: Union[str, os.PathLike[str], None] = None,
    validation: Union[str, os.PathLike[str], None] = None,
    cache: Union[str, os.PathLike[str], None] = None,
    options: str = "",
    model: Union[Model, str, os.PathLike[str], None] = None,
    all_stages: bool = False,
    resume: bool = False,
    device: str = "auto",
    minutes: float = 0,
    monitor: MonitorLike = None,
    engine: Optional[InProcess] = None,
) -> tuple[Model, TrainingResult]:
    """Trains with the processes of `peers`, all of which make this call with the same data, options and model.

    data: a data set's folder (layout, split, validation and cache as for `ggpfn train`), or Case objects. out: the
    run's folder, which all processes can read. options: TOML text; where it does not name `accumulate` and `threads`, a
    step has as many batches as there are processes, and each process an equal part of the machine's processors.
    split_views: the processes are divided among the views, one view each where there are as many.

    Returns the Model and the TrainingResult, the same in all processes; with split_views those of the process's own
    views; where there is a folder, process 0 has those of all. Raises TrainingError where another process is lost.
    """
    peers = Peers() if peers is None else peers
    engine = InProcess() if engine is None else engine
    call = engine.library.call
    if resume and out is None:
        raise Error("To resume a training its folder is needed.")
    folder = None if out is None else os.path.abspath(os.fspath(out))
    if model is not None and not isinstance(model, Model):
        model = engine.load_model(model)
    cases = [] if isinstance(data, (str, os.PathLike)) else data
    device = _device(engine, device)

    # What the options train, as the library reads them.
    described = Described.checked(cases, options, model, all_stages, device)
    views = _views(engine, described)
    groups = min(peers.ranks, len(views)) if split_views else 1
    text = _completed(options, max(1, peers.ranks // groups))
    described = Described.checked(described.cases, text, model, all_stages, device)

    def described_training() -> Any:
        training = engine._training(described)
        if isinstance(data, (str, os.PathLike)):
            for where, role, its_split in ((data, "train", split), (validation, "validate", None)):
                if where is not None:
                    paths = [None if path is None else checked_path(path) for path in (its_split, cache)]
                    arguments = (checked_path(where), checked_text(layout, "layout"), *paths, ROLES[role])
                    engine._follow(
                        Monitor(),
                        lambda handle, a=arguments: call("ggpfn_training_add_folder", training.number, *a, handle),
                    )
        return training

    def run(training: Any, resume: bool, minutes: float, monitor: MonitorLike) -> tuple[Model, TrainingResult]:
        if folder is not None:
            call("ggpfn_training_set_folder", training.number, checked_path(folder), int(resume))
        call("ggpfn_training_set_minutes", training.number, minutes)
        result = _abi.ggpfn_training_result(struct_size=ctypes.sizeof(_abi.ggpfn_training_result))

        def go(place: Any) -> None:
            arguments = (place, ctypes.byref(result))
            engine._follow(monitor, lambda handle: call("ggpfn_training_run", training.number, handle, *arguments))

        trained = engine._model(go)
        return trained, TrainingResult.from_struct(result)

    def assemble(training: Any, resume: bool) -> tuple[Model, TrainingResult]:
        with Peers().serving(engine.library, training.number, 0):
            return run(training, resume, NO_TIME, None)

    # One process of a machine prepares the cases, and the others find them in the cache.
    first = peers_.local_rank() == 0
    training = described_training() if first or cache is None else None
    resume = bool(peers.gather(int(bool(resume)))[0])
    if training is None:
        training = described_training()
    own = [view for index, view in enumerate(views) if index % groups == peers.rank % groups]
    group = peers.split(peers.rank % groups) if groups > 1 else peers
    bits = sum(1 << VIEWS.index(view) for view in own) if groups > 1 else 0
    whole = groups > 1 and folder is not None
    if whole:
        # The folder and its first checkpoints, so that nobody finds it half made.
        if peers.rank == 0:
            assemble(training, resume)
        peers.gather(0)
    with group.serving(engine.library, training.number, bits):
        found = run(training, resume or whole, minutes, monitor)
    if group is not peers:
        peers.sent += group.sent
    if whole:
        peers.gather(0)
        if peers.rank == 0:
            # All views' checkpoints are there, and become one model.
            found = assemble(training, True)
    training.close()
    return found


def _views(engine: InProcess, described: Described) -> tuple[str, ...]:
    """The views that options train, after those of the model to start from."""
    bare = Described([], described.options, described.model, described.all_stages, described.device)
    training = engine._training(bare)
    text = engine.library.text("ggpfn_training_options", training.number)
    training.close()
    found = re.search(r"^views = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    return tuple(re.findall(r'"(\w+)"', found[1])) if found else VIEWS


def _completed(options: str, accumulate: int) -> str:
    """Options with what follows from the number of processes, where they do not say it."""
    lines = []
    if not _names("accumulate", options):
        lines.append(f"accumulate = {accumulate}\n")
    if not _names("threads", options):
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        lines.append(f"threads = {max(1, processors // peers_.local_ranks())}\n")
    # Before the first table.
    return "".join(lines) + options


def _names(key: str, options: str) -> bool:
    top = re.split(r"^\s*\[", options, maxsplit=1, flags=re.MULTILINE)[0]
    return re.search(rf"^\s*{key}\s*=", top, re.MULTILINE) is not None


def _device(engine: InProcess, device: str) -> str:
    """The process's own GPU, where there are any and none was named."""
    device_numbers(device)
    if device == "cpu" or ":" in device:
        return device
    gpus = engine.runtime(gpus=True).gpus or 0
    if gpus:
        return f"cuda:{peers_.local_rank() % gpus}"
    return device


def _options(given: argparse.Namespace, resume: bool) -> str:
    """The text of the options: those of the run that goes on, or of --config under what the command line says."""
    saved = os.path.join(given.out, "options.toml")
    path = given.config or (saved if resume and os.path.isfile(saved) else None)
    text = ""
    if path is not None:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    lines = []
    if given.preset is not None:
        lines.append(f'preset = "{given.preset}"\n')
    elif path is None and given.init is None:
        lines.append('preset = "nihc"\n')
    for name in ("accumulate", "threads"):
        if getattr(given, name) is not None:
            if _names(name, text):
                raise Error(f"--{name} is given, and {path} has {name} as well; leave one of them out.")
            lines.append(f"{name} = {getattr(given, name)}\n")
    return "".join(lines) + text


def _run(given: argparse.Namespace, peers: Peers, monitor: Monitor) -> TrainingResult:
    exists = os.path.isfile(os.path.join(given.out, "options.toml"))
    # torchrun starts all processes anew when one has failed; then the run goes on.
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT") or 0) > 0
    resume = given.resume or (restarted and exists)
    if exists and not resume:
        raise Error(f"{given.out} holds a run already; --resume goes on with it.")
    # Nobody writes before all have looked.
    peers.gather(0)
    cache = given.cache or os.path.join(given.out, "cache")
    found, result = train(
        given.data,
        given.out,
        peers=peers,
        split_views=given.split_views,
        layout=given.layout,
        split=given.split,
        validation=given.validation,
        cache=cache,
        options=_options(given, resume),
        model=given.init,
        resume=resume,
        device=given.device,
        minutes=given.max_minutes,
        monitor=monitor,
    )
    found.close()
    return result


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class _Lines:
    """Prints a line for each validation, and one every half minute."""

    def __init__(self) -> None:
        self.last = time.monotonic()
        self.steps = 0
        self.step: Any = None

    def __call__(self, progress: Progress) -> None:
        # A validation comes under the number of the step before it.
        step = progress.view, progress.stage, progress.epoch, progress.batch
        self.steps += progress.loss is not None and step != self.step
        self.step = step
        now = time.monotonic()
        if progress.stage is None or (progress.dice is None and now - self.last < 30):
            return
        self.last = now
        text = f"{progress}, epoch {progress.epoch} of {progress.epochs}, loss {progress.loss:.4f}"
        _say(text if progress.dice is None else f"{text}, Dice {progress.dice:.3f}")


@contextlib.contextmanager
def _stopped_by_signals(monitor: Monitor) -> Iterator[None]:
    """SIGTERM and the first SIGINT finish the step and save."""

    def stop(number: int, _: Any) -> None:
        signal.signal(number, before[signal.Signals(number)])
        monitor.cancel()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="torchrun [...] -m ggpfn.train",
        description="Train with several processes. All of them run this command; torchrun or mpirun starts them.",
        epilog="Exit codes: 0 done, or stopped and saved; 1 the training failed; "
        "2 arguments, data or files cannot be used.",
    )

    def add(name: str, text: str, **options: Any) -> None:
        parser.add_argument(name, help=text, **options)

    add("data", "the data set's folder", metavar="DATA")
    add("--out", "the run's folder, the same for all processes", required=True, metavar="FOLDER")
    add("--layout", "msd, nihc or pairs (default: pairs)", default="pairs", choices=("msd", "nihc", "pairs"))
    add("--split", "which cases to train and to validate on (ggpfn dataset split)", metavar="FILE")
    add("--validation", "a data set of its own, of the same layout, to validate on", metavar="FOLDER")
    add("--resume", "go on with the run in --out, if there is one", action="store_true")
    add("--config", "options of the training (TOML); what it leaves out comes from the preset", metavar="FILE")
    add("--preset", "msd, nihc or small (default: nihc)", choices=("msd", "nihc", "small"))
    add("--init", "fine-tune this model", metavar="FILE")
    text = "batches whose gradients are averaged for a step; as many as there are processes if left out"
    add("--accumulate", text, type=int, metavar="N")
    text = "processor threads of a process; an equal part of the machine's processors if left out"
    add("--threads", text, type=int, metavar="N")
    add("--split-views", "divide the processes among the views", action="store_true")
    add("--max-minutes", "stop after so many minutes, saved", type=float, default=0, metavar="MINUTES")
    add("--cache", "where prepared volumes are kept; by default in the run's folder", metavar="FOLDER")
    add("--device", "auto, cpu, cuda or cuda:N; each process takes its own GPU (default: auto)", default="auto")
    add("--backend", "of torch.distributed: gloo or nccl (default: gloo)", default="gloo", choices=("gloo", "nccl"))
    add("--mpi", "the processes are those of mpirun, through mpi4py", action="store_true")
    parser.add_argument("--version", action="version", version=f"ggpfn {_abi.VERSION}")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line; the exit code."""
    given = _parser().parse_args(arguments)
    peers: Optional[Peers] = None
    lines = _Lines()
    try:
        peers = peers_.MpiPeers() if given.mpi else peers_.started(given.backend)
        monitor = as_monitor(lines if peers.rank == 0 else None)
        with _stopped_by_signals(monitor):
            result = _run(given, peers, monitor)
    except TrainingError as error:
        _say(f"error: {error}")
        return 1
    except (Error, OSError) as error:
        _say(f"error: {error}")
        return 2
    finally:
        if peers is not None:
            peers.close()
    if peers.rank == 0:
        for view, dice in result.dice.items():
            if dice is not None:
                _say(f"{view}: validation Dice {dice:.4f}")
        if peers.ranks > 1:
            _say(f"{peers.ranks} processes, {lines.steps} steps; process 0 sent {peers.sent} bytes")
        model = os.path.join(given.out, "model.safetensors")
        ends = {"done": "done", "out of time": "time is up: saved", "cancelled": "stopped: saved"}
        _say(f"{ends.get(result.end, result.end)}: {model}")
    return 0
