"""The program ggpfn: where it is, and one of it under way as a worker.

Lines go out on any thread; a thread of its own hears the answers and hands them to whoever waits.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from typing import Any, Callable, Optional

from . import _library, _torch
from .errors import Cancelled, ChildDied, Error, LibraryMissing, WrongLibrary, from_status
from .monitor import MonitorLike, Progress, as_monitor

NAME = "ggpfn.exe" if sys.platform == "win32" else "ggpfn"
PROTOCOL = 1

# Seconds between two looks for Ctrl-C; Windows does not wake a waiting thread for it.
TICK = 0.1
# Seconds that a child gets to say its first word; virus scanners may read hundreds of MB first.
START = 120
# Seconds that a child gets to end by itself.
PATIENCE = 15

# What Slicer's launcher sets for Slicer's own libraries and its own Python, and no other program should see.
LIBRARY_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE")
# What a program may set while it runs, and wants a child to see.
WANTED_VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


# Those that this process, or one from which it was forked, has started.
_under_way: weakref.WeakSet[Process] = weakref.WeakSet()


def _leave_to_owners() -> None:
    for process in list(_under_way):
        process.leave_to_owner()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_owners)


class Process:
    """A child under way: lines go out on any thread, and a thread of its own hands the answers to who waits."""

    def __init__(self, program: Any) -> None:
        """Raises WrongLibrary, which names the program and says why, if it does not start."""
        hidden: dict[str, Any] = (
            {"creationflags": 0x08000000} if sys.platform == "win32" else {"start_new_session": True}
        )
        try:
            self._popen: Any = subprocess.Popen(
                [program, "worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_torch.environment(program, environment()),
                **hidden,
            )
        except OSError as error:
            raise WrongLibrary(f"{program} could not be started: {error}.") from error
        self.program = program
        self._owner = os.getpid()
        _under_way.add(self)
        self.died: Optional[str] = None  # a sentence, once it has
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._waiting: dict[Any, _Call] = {}
        self._forgotten: collections.deque[int] = collections.deque()
        self._complaints: collections.deque[str] = collections.deque(maxlen=20)
        self._hello: queue.SimpleQueue[Optional[dict[str, Any]]] = queue.SimpleQueue()
        self._complaining = _thread(self._hear_complaints)
        _thread(self._hear)
        self._greet()

    def is_own(self) -> bool:
        """Whether this process started it, and not one from which this one was forked."""
        return self._owner == os.getpid()

    def leave_to_owner(self) -> None:
        """Lets go of the pipes, in a process that was just forked: whoever holds them keeps the child alive."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            # Not by the objects: a thread that is not here may hold their locks.
            try:
                os.dup2(nothing, pipe.fileno())
            except (OSError, ValueError):
                pass
        os.close(nothing)

    @property
    def pid(self) -> int:
        return int(self._popen.pid)

    def _greet(self) -> None:
        try:
            hello = self._hello.get(timeout=START)
        except queue.Empty:
            hello = None
            self._popen.kill()
        if hello is None:
            said = f": {self._complaints[-1]}" if self._complaints else ""
            raise WrongLibrary(f"{self.program} did not start as a worker{said}. Install ggpfn anew.")
        if hello.get("protocol") != PROTOCOL:
            self.close_soon()
            raise WrongLibrary(
                f"{self.program} is version {hello.get('version')} and speaks another protocol than this package; "
                "install the program and the package of the same version."
            )

    def ask(
        self, do: str, fields: dict[str, Any], monitor: MonitorLike = None, sent: Optional[Callable[[], None]] = None
    ) -> Any:
        """Asks for something and waits for the result. Raises what the answer says, or ChildDied.

        monitor: Monitor, or None. sent: called when the child has begun.
        """
        monitor = as_monitor(monitor)
        self.send_forgotten()
        call = _Call(self, next(self._numbers), monitor.callback is not None)
        with monitor.watch(call.cancel) as watch:
            call.note = watch.note
            try:
                call.send({"id": call.number, "do": do, **fields})
                return call.wait(watch.tell, sent)
            except BaseException as error:
                if not isinstance(error, Error):
                    # Ctrl-C: the work has to stop first, unless there is a second one.
                    watch.stop()
                    call.wait_for_end()
                raise
            finally:
                # The watch refers to the call.
                call.note = None

    def send(self, message: dict[str, Any], call: Optional[_Call] = None) -> None:
        line = json.dumps(message).encode("utf-8") + b"\n"
        with self._lock:
            if call is not None:
                if self.died is not None:
                    raise ChildDied(self.died)
                self._waiting[call.number] = call
            try:
                self._popen.stdin.write(line)
                self._popen.stdin.flush()
            except (OSError, ValueError):
                # It is dying; the thread that hears it will tell whoever waits.
                pass

    def forget(self, model: int) -> None:
        """Notes that nobody needs a model any more; does nothing else, since garbage may be being collected."""
        self._forgotten.append(model)

    def send_forgotten(self) -> None:
        while self._forgotten:
            try:
                model = self._forgotten.popleft()
            except IndexError:
                return
            self.send({"id": next(self._numbers), "do": "free_model", "model": model})

    def close_soon(self) -> None:
        """Ends the child without waiting for it."""
        try:
            self._popen.stdin.close()
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        self.close_soon()
        try:
            self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _hear(self) -> None:
        """On a thread of its own, as long as the child lives."""
        for line in self._popen.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                self._complaints.append(line.decode("utf-8", "replace").strip())
                continue
            if "hello" in message:
                self._hello.put(message["hello"])
                continue
            with self._lock:
                call = self._waiting.get(message.get("id"))
                if call is not None and "progress" not in message:
                    del self._waiting[call.number]
            if call is not None:
                call.hear(message)
        status = self._popen.wait()
        self._popen.stdout.close()
        self._complaining.join(1)
        self._hello.put(None)
        with self._lock:
            self.died = (
                f"The program ggpfn ended before it had answered: {self._why(status)}. The next call starts it anew."
            )
            waiting, self._waiting = list(self._waiting.values()), {}
            self.close_soon()
        for call in waiting:
            call.hear({})

    def _hear_complaints(self) -> None:
        for line in self._popen.stderr:
            self._complaints.append(line.decode("utf-8", "replace").strip())
        self._popen.stderr.close()

    def _why(self, status: int) -> str:
        if self._complaints:
            return self._complaints[-1]
        if status >= 0:
            return f"its exit code was {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        if name == "SIGKILL":
            return "it was killed, as the system does when memory runs out"
        return f"it was stopped by {name}"


class _Call:
    """A request under way."""

    def __init__(self, process: Process, number: int, heard: bool) -> None:
        """heard: whether somebody is called with each report; else the first one alone wakes the thread that waits."""
        self.process = process
        self.number = number
        self._heard = heard
        self._begun = False
        self.note: Optional[Callable[[Progress], None]] = None
        self._lock = threading.Lock()
        self._sent = self._cancelled = False
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ended = False

    def send(self, message: dict[str, Any]) -> None:
        self.process.send(message, self)
        with self._lock:
            self._sent = True
            cancelled = self._cancelled
        if cancelled:
            self._send_cancel()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            sent = self._sent
        if sent:
            self._send_cancel()

    def _send_cancel(self) -> None:
        self.process.send({"id": self.number, "do": "cancel"})

    def hear(self, message: dict[str, Any]) -> None:
        """Takes a line; one without anything means that the child has died."""
        if "progress" in message:
            progress, note = Progress(**message["progress"]), self.note
            if note is not None:
                note(progress)
            begun, self._begun = self._begun, True
            if self._heard or not begun:
                self._answers.put(progress)
            return
        self._answers.put(message)

    def wait(self, tell: Callable[[Progress], None], sent: Optional[Callable[[], None]] = None) -> Any:
        while True:
            try:
                answer = self._answers.get(timeout=TICK)
            except queue.Empty:
                continue
            if isinstance(answer, Progress):
                if sent is not None:
                    sent()
                    sent = None
                tell(answer)
                continue
            self._ended = True
            if "result" in answer:
                return answer["result"]
            if "error" in answer:
                raise from_status(answer["error"]["status"], answer["error"]["message"])
            raise ChildDied(self.process.died or "The program ggpfn ended before it had answered.")

    def wait_for_end(self) -> None:
        if self._sent and not self._ended:
            try:
                self.wait(lambda progress: None)
            except Error:
                pass


def find(program: Any = None, library: Any = None) -> str:
    """The file of the program ggpfn: as given, else what GGPFN_PROGRAM names, else beside the library, in the
    extension's and this package's folders bin, and on the system's PATH. Raises LibraryMissing."""
    chosen = os.fspath(program) if program is not None else os.environ.get("GGPFN_PROGRAM")
    if chosen:
        # Who names a program gets that one or an error, not another one from somewhere else.
        chosen = os.path.abspath(os.path.expanduser(chosen))
        places = [os.path.join(chosen, NAME)] if os.path.isdir(chosen) else [chosen]
    else:
        folders = []
        for place in _library.places(library):
            if os.path.isfile(place):
                folder = os.path.dirname(os.path.abspath(place))
                folders += [os.path.join(folder, "..", "bin"), folder]
        for start in _library._extension_folders():
            folders += [os.path.join(start, up, "bin") for up in ("", "..", "../..", "../../..")]
        folders.append(os.path.join(_library.PACKAGE, "bin"))
        folders += [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
        places = [os.path.normpath(os.path.join(folder, NAME)) for folder in folders]
    places = list(dict.fromkeys(places))
    for place in places:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    raise LibraryMissing(
        f"The program ggpfn was not found. Looked at: {'; '.join(places)}. Set the environment variable GGPFN_PROGRAM "
        f"to the file {NAME}, or put it in {os.path.join(_library.PACKAGE, 'bin')}.",
        places,
    )


def run(program: str, arguments: list[str], cancelled: Callable[[], bool]) -> None:
    """Runs a command of the program and waits, on any thread. Raises Error with the program's own sentence, or
    Cancelled, once `cancelled` gives True."""
    try:
        popen = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_torch.environment(program, environment()),
            creationflags=0x08000000 if sys.platform == "win32" else 0,
        )
    except OSError as error:
        raise WrongLibrary(f"{program} could not be started: {error}.") from error
    said = b""
    while popen.returncode is None:
        try:
            said = popen.communicate(timeout=TICK)[1]
        except subprocess.TimeoutExpired:
            if cancelled():
                popen.kill()
                popen.communicate()
                raise Cancelled("Cancelled.") from None
    if popen.returncode != 0:
        # The program says in the last line what went wrong.
        lines = said.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else f"{program} ended with the code {popen.returncode}"
        raise Error(last.removeprefix("error: ").removeprefix("ggpfn: "))


def environment() -> dict[str, str]:
    """The environment for a child: as it was before Slicer's launcher put Slicer's libraries and Python into it."""
    found = None
    util: Any = getattr(sys.modules.get("slicer"), "util", None)
    try:
        found = dict(util.startupEnvironment())
    except Exception:  # not in Slicer, or in one without an application
        pass
    if found is None:
        found = dict(os.environ)
        if "SLICER_HOME" in found or any(name.startswith("APPLAUNCHER_") for name in found):
            for name in LIBRARY_VARIABLES:
                before = found.get(f"APPLAUNCHER_0_{name}")
                found.pop(name, None)
                if before:
                    found[name] = before
    for name in PYTHON_VARIABLES:
        found.pop(name, None)
    for name, value in os.environ.items():
        if name in WANTED_VARIABLES or name.startswith("GGPFN_"):
            found[name] = value
    return found


def _thread(work: Callable[..., None]) -> threading.Thread:
    thread = threading.Thread(target=work, name="ggpfn-child", daemon=True)
    thread.start()
    return thread
