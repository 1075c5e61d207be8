"""Work on a thread of its own, beside a window that stays alive.

A Task is prepared on the main thread, works on another one, and is finished on the main thread again; a timer of the
panel calls `poll`. The thread sees arrays and numbers, never the scene. A volume that is deleted or a scene that is
closed meanwhile ends the task with a sentence; its arrays live until the thread has ended.
"""

import threading
import time
from enum import Enum

import ggpfn
import slicer
from slicer.i18n import tr as _

from .errors import sentence


class State(Enum):
    """How far a task is."""

    RUNNING = 1
    DONE = 2
    CANCELLED = 3
    FAILED = 4


class Task:
    """One piece of work. What derives from it has `work` and `finish`."""

    # The thread of the last task that was cancelled and may still be letting go of its memory.
    _previous = None

    def __init__(self, engines, title, nodes=()):
        """title: what is done, for the panel. nodes: those that must stay in the scene until the task has ended."""
        self.engines = engines
        self.title = title
        self.nodes = list(nodes)
        self.monitor = ggpfn.Monitor()
        self.state = State.RUNNING
        self.message = ""
        self.seconds = None
        self._result = None
        self._error = None
        self._ended = threading.Event()
        self._started = time.monotonic()
        self._thread = None

    def work(self):
        """The work; runs on the task's thread and returns its result."""
        raise NotImplementedError

    def finish(self, result):
        """Brings the result into the scene; runs on the main thread. Returns a line for the panel."""
        raise NotImplementedError

    @property
    def error(self):
        """The exception that the work raised; None: it raised none."""
        return self._error

    @property
    def progress(self):
        """ggpfn.Progress of the whole task."""
        return self.monitor.progress

    @property
    def running(self):
        return self.state is State.RUNNING

    def start(self):
        """Starts the thread; returns the task."""
        previous = Task._previous
        # Daemon: a thread that is stuck must not keep Slicer from quitting.
        self._thread = threading.Thread(target=self._run, args=(previous,), name=self.title, daemon=True)
        self._thread.start()
        return self

    def _run(self, previous):
        try:
            if previous is not None:
                previous.join()
            self._result = self.work()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def poll(self):
        """Looks at the thread, and ends the task if there is reason to; to be called on the main thread, again and
        again. Returns whether the task still runs."""
        # Slicer's window holds Python's lock while it waits for events; this hands it over to the task for a moment.
        time.sleep(0.001)
        if not self.running:
            return False
        if self._nodes_are_gone():
            self._stop(State.FAILED, self.gone_message())
        elif self._ended.is_set():
            self._thread.join()
            self._conclude()
        else:
            self.beat()
        return self.running

    def beat(self):
        """What is to be done on the main thread while the work goes on."""

    def wait(self, timeout=None):
        """Polls until the task has ended: for scripts and tests. Raises TimeoutError."""
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll():
            if end is not None and time.monotonic() > end:
                raise TimeoutError(self.title)
            time.sleep(0.01)
        return self

    def cancel(self):
        """Stops the work. The panel is free at once; the thread ends when the engine has noticed."""
        if self.running:
            self._stop(State.CANCELLED, _("Cancelled."))

    def scene_closed(self):
        """The scene is being closed."""
        if self.running:
            self._stop(State.CANCELLED, _("Cancelled, since the scene was closed."))

    def ended(self, timeout=None):
        """Waits until the thread has ended too; returns whether it has."""
        return self._ended.wait(timeout)

    def gone_message(self):
        return _("The volume was deleted during the work, so the result was dropped. Choose another volume.")

    def _nodes_are_gone(self):
        return any(not slicer.mrmlScene.IsNodePresent(node) for node in self.nodes)

    def _conclude(self):
        if self._error is not None:
            self._fail(self._error)
            return
        self.seconds = time.monotonic() - self._started
        try:
            self.message = self.finish(self._result)
            self.state = State.DONE
        except Exception as error:
            self._fail(error)
        self._let_go()

    def _fail(self, error):
        if isinstance(error, ggpfn.Cancelled):
            self.state, self.message = State.CANCELLED, _("Cancelled.")
        else:
            self.engines.drop(error)
            self.state, self.message = State.FAILED, sentence(error)
        self._let_go()

    def _stop(self, state, message):
        Task._previous = self._thread
        self.state, self.message = state, message
        self.monitor.cancel()
        self._let_go()

    def _let_go(self):
        self.nodes, self._result = [], None


PHASES = {
    "read": _("Reading"),
    "resample": _("Resampling"),
    "axial view": _("Axial view"),
    "sagittal view": _("Sagittal view"),
    "coronal view": _("Coronal view"),
    "result": _("Result"),
}


def progress_text(progress):
    """Stage, percent and time left, in a line."""
    phase = PHASES.get(progress.phase, progress.phase) or _("Starting")
    text = _("{phase}: {percent:.0f} %").format(phase=phase, percent=100 * progress.fraction)
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        text += ", " + _("{minutes}:{seconds:02} left").format(minutes=minutes, seconds=seconds)
    return text
