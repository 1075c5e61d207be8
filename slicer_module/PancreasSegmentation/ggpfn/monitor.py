"""Progress and cancel of long work, for any engine and any thread.

A Monitor is what a program holds on to; an engine that begins a piece of work asks it for a Watch, tells the Watch how
far it is, and is told to stop. One monitor may be given to several calls, also at the same time; each has its own
Watch.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

from .errors import Error


@dataclass(frozen=True)
class Progress:
    """How far long work is. What does not apply is None."""

    fraction: float = 0.0  # the part of the work that is done, 0 to 1; never falls within one piece of work
    seconds_left: Optional[float] = None  # an estimate
    phase: str = ""  # what is being done, in English: "axial view"
    view: Optional[str] = None  # "axial", "sagittal" or "coronal"
    stage: Optional[str] = None  # training: "global", "local" or "whole"
    epoch: Optional[int] = None  # training: the epoch of the stage, from 1
    epochs: Optional[int] = None
    batch: Optional[int] = None  # training: batches of the epoch that are done
    batches: Optional[int] = None
    loss: Optional[float] = None  # training: the step's loss
    dice: Optional[float] = None  # training: the view's validation Dice, where this report is a validation's

    def __str__(self) -> str:
        parts = [f"{100 * self.fraction:3.0f} %", self.phase]
        if self.seconds_left is not None:
            parts.append(f"{self.seconds_left:.0f} s left")
        return ", ".join(part for part in parts if part)


class Monitor:
    """Hears how far work is, and stops it.

    callback: called with a Progress on the thread that made the call, while it waits. When it returns False the work is
    cancelled. When it raises, the work is cancelled, and the call raises the same exception when it has stopped. Set it
    before the work begins. Without one no Python runs while the work goes on: `progress` asks the engine, which is what
    a program wants whose event loop holds Python's lock.
    """

    def __init__(self, callback: Optional[Callable[[Progress], Any]] = None) -> None:
        self.callback = callback
        self._lock = threading.RLock()
        self._watches: list[Watch] = []
        self._cancelled = False
        self._progress = Progress()

    def cancel(self) -> None:
        """Stops the work that this monitor was given to, now or later, until reset."""
        with self._lock:
            self._cancelled = True
            watches = list(self._watches)
        for watch in watches:
            watch.stop()

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to stop."""
        return self._cancelled

    @property
    def progress(self) -> Progress:
        """The latest Progress, for programs that would rather ask than be called."""
        with self._lock:
            watch = self._watches[-1] if self._watches else None
        if watch is not None:
            watch.look()
        return self._progress

    def reset(self) -> None:
        """Takes a request to stop back, for work that is started from now on, and forgets the latest report."""
        with self._lock:
            self._cancelled = False
            self._progress = Progress()

    def watch(self, stop: Callable[[], None], ask: Optional[Callable[[], Progress]] = None) -> Watch:
        """For engines: a Watch, to be used in a with statement around a piece of work.

        stop() must end that work soon; it may be called more than once, on any thread, and is called at once if the
        work was cancelled before it began. ask() gives the latest Progress, on any thread; None: the engine notes it.
        """
        return Watch(self, stop, ask)


# What may be given as a monitor: a Monitor, a function of a Progress, a bar of tqdm's or its class, or None.
MonitorLike = Union[None, Monitor, Callable[[Progress], Any], Any]


def as_monitor(given: MonitorLike) -> Monitor:
    """The Monitor of what a program gave as one: a Monitor, a function such as print, a bar of tqdm's, or None."""
    if given is None:
        return Monitor()
    if isinstance(given, Monitor):
        return given
    if isinstance(given, type) and hasattr(given, "set_description"):
        given = given(total=100, bar_format="{l_bar}{bar}| {elapsed}<{remaining}")
    if hasattr(given, "set_description") and hasattr(given, "refresh"):
        return Monitor(_Bar(given))
    if callable(given):
        return Monitor(given)
    raise Error(
        f"The monitor is a {type(given).__name__}; a ggpfn.Monitor, a function that takes a ggpfn.Progress, or a bar "
        "of tqdm's was expected."
    )


class _Bar:
    """Shows progress by a bar of tqdm's."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        if bar.total is None:
            bar.total = 100

    def __call__(self, progress: Progress) -> None:
        bar = self._bar
        bar.set_description(progress.phase, refresh=False)
        bar.n = round(progress.fraction * bar.total, 2)
        bar.refresh()
        if progress.fraction >= 1:
            bar.close()


class Watch:
    """One piece of work under a monitor.

    On leaving the with statement, an exception that the callback raised is raised again, in place of the Cancelled that
    followed from it.
    """

    def __init__(
        self, monitor: Monitor, stop: Callable[[], None], ask: Optional[Callable[[], Progress]] = None
    ) -> None:
        self._monitor = monitor
        self._stop = stop
        self._ask = ask
        self._lock = threading.RLock()
        self._ended = False
        self._error: Optional[BaseException] = None

    def __enter__(self) -> Watch:
        with self._monitor._lock:
            self._monitor._watches.append(self)
            cancelled = self._monitor._cancelled
        if cancelled:
            self.stop()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.look()
        with self._monitor._lock:
            self._monitor._watches.remove(self)
        with self._lock:
            self._ended = True
        raised, self._error = self._error, None
        try:
            if raised is not None:
                raise raised from None
        finally:
            # Its traceback refers to this frame; without this they would wait for the collector of garbage together.
            del raised

    def stop(self) -> None:
        """Stops this piece of work alone."""
        with self._lock:
            if not self._ended:
                self._stop()

    def look(self) -> None:
        """Asks the engine how far the work is, if it is one to be asked."""
        with self._lock:
            if self._ask is not None and not self._ended:
                self.note(self._ask())

    def note(self, progress: Progress) -> None:
        """Remembers a report as the latest, on any thread; does not call back."""
        self._monitor._progress = progress

    def tell(self, progress: Progress) -> None:
        """Hands a report to the callback. To be called on the thread that made the call; raises nothing."""
        callback = self._monitor.callback
        if callback is None or self._error is not None:
            return
        try:
            answer = callback(progress)
        except BaseException as error:  # KeyboardInterrupt too: it has to wait until the work has stopped
            self._error = error
            self.stop()
            return
        if answer is False:
            self._monitor.cancel()
