"""Files that appear whole or not at all."""

import contextlib
import os
import tempfile


def unused(path):
    """The path, or the first one with a number that no file has yet: model.safetensors, model_2.safetensors."""
    root, ending = os.path.splitext(path)
    number = 1
    while os.path.exists(path):
        number += 1
        path = f"{root}_{number}{ending}"
    return path


@contextlib.contextmanager
def whole(path):
    """In a with statement: the name to write a file to; at its end the file gets the name `path`, in one step.

    The temporary name ends like `path`, since writers go by the ending.
    """
    folder, name = os.path.split(os.path.abspath(path))
    ending = name[name.index(".") :] if "." in name else ""
    handle, temporary = tempfile.mkstemp(suffix=ending, prefix=".writing-", dir=folder)
    os.close(handle)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        # mkstemp lets nobody else read it.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise
