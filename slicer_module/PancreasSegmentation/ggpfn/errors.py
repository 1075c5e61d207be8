"""What can go wrong, as exceptions. Each carries one sentence that can be shown to a user as it is.

The classes are what a caller can act on differently: ask for a smaller region after OutOfMemory, for another file after
ModelError. Whatever has no class of its own, an option that cannot be used for example, is a plain Error.
"""

from __future__ import annotations

from typing import Any

from . import _abi


class Error(Exception):
    """The work failed.

    message (str): a sentence for a user. status (int): a GGPFN_ERROR number of the library, 0 for a fault that Python
    found before it asked the library.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message


class Cancelled(Error):
    """The work was cancelled, by Monitor.cancel or by a callback that returned False."""


class LibraryMissing(Error):
    """libggpfn, or the program ggpfn, was not found.

    searched (list of str): the places that were looked at.
    """

    def __init__(self, message: str, searched: Any = ()) -> None:
        super().__init__(message)
        # What pickle gives back to __init__.
        self.args = (message, list(searched))
        self.searched = list(searched)


class WrongLibrary(Error):
    """A library was found and cannot be used: its version, its ABI, or the libtorch that the process holds."""


class OutOfMemory(Error):
    """More memory is needed than there is. The message says how much, and what needs less."""


class ModelError(Error):
    """The model file is broken, or is not a model file."""


class ImageError(Error):
    """The image cannot be segmented: its grid, its type of voxels or its voxels."""


class ChildDied(Error):
    """The child process ended before it had answered."""


class Busy(Error):
    """Another thread is using a training or trainer, which one thread at a time may use."""


class Forked(Error):
    """This process was forked from one in which ggpfn had worked already, and whose threads are not here.

    Start processes with `multiprocessing.get_context("spawn")`, or use ggpfn for the first time after the fork.
    """


class TrainingError(Error):
    """The training cannot go on."""


_CLASSES = {
    _abi.GGPFN_ERROR_IMAGE: ImageError,
    _abi.GGPFN_ERROR_MODEL: ModelError,
    _abi.GGPFN_ERROR_MEMORY: OutOfMemory,
    _abi.GGPFN_ERROR_TRAINING: TrainingError,
    _abi.GGPFN_ERROR_CANCELLED: Cancelled,
    _abi.GGPFN_ERROR_RUNTIME: WrongLibrary,
    _abi.GGPFN_ERROR_BUSY: Busy,
    _abi.GGPFN_ERROR_FORK: Forked,
}


def from_status(status: int, message: str) -> Error:
    """The exception for a GGPFN_ERROR number and the library's message; a number that is not known gives an Error."""
    return _CLASSES.get(status, Error)(message, status)
