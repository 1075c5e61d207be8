"""Sentences for people: what went wrong, and what to do about it."""

import logging

import ggpfn
from slicer.i18n import tr as _


class InputError(Exception):
    """The user's choice cannot be worked on; the text is a sentence that says what to do."""


def sentence(error):
    """What to show for an exception. Faults that nobody foresaw go to the log with their trace."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ggpfn.LibraryMissing):
        return _(
            "The library of ggpfn was not found. Install the extension again, or name the folder that has it under "
            "Advanced, Library.\n\n{reason}"
        ).format(reason=error.message)
    if isinstance(error, ggpfn.WrongLibrary):
        return _(
            "The library of ggpfn cannot be used here. Install the version that belongs to this extension, and the "
            "program ggpfn beside it, which works in a process of its own.\n\n{reason}"
        ).format(reason=error.message)
    if isinstance(error, ggpfn.ModelError):
        return _("The model cannot be used. Choose another file, or the model that is shipped.\n\n{reason}").format(
            reason=error.message
        )
    if isinstance(error, (ggpfn.OutOfMemory, MemoryError)):
        return _(
            "There is not enough memory. Choose a region of interest, crop to the body, use fewer views, or tick "
            "patches under Advanced.\n\n{reason}"
        ).format(reason=getattr(error, "message", ""))
    if isinstance(error, ggpfn.ImageError):
        return _("The volume cannot be segmented.\n\n{reason}").format(reason=error.message)
    if isinstance(error, ggpfn.ChildDied):
        return _(
            "The program ggpfn ended before its work was done; the system may have stopped it for lack of memory. "
            "Press Apply to start it again, with a smaller region if this comes back.\n\n{reason}"
        ).format(reason=error.message)
    if isinstance(error, ggpfn.Error):
        return error.message
    if isinstance(error, OSError):
        return _("A file cannot be read or written: {reason}").format(reason=error)
    logging.error("Pancreas Segmentation", exc_info=error)
    return _("The module has a fault: {reason}. Please report it with the lines of the error log.").format(
        reason=f"{type(error).__name__}: {error}"
    )
