"""Arrays in a file that this process and a child both have open.

The file lies in memory, in /dev/shm, where that exists and has room, otherwise in the temporary folder. Python writes
and reads it and does not map it: a full disk is an exception then, and not a crash.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any, Optional

import numpy as np

from .errors import ChildDied, OutOfMemory
from .image import Image

# Arrays begin at multiples of this many bytes.
ALIGNMENT = 64
# The most bytes for one call of the system's, which takes no more than 2 GB at a time.
CHUNK = 1 << 28


class Shared:
    """A file of arrays that the child opens too.

    First everything gets its place, then `write` makes the file; results are read from it when the child has answered.
    """

    def __init__(self) -> None:
        self._size = 0
        self._inputs: list[tuple[int, Any]] = []
        self._file: Any = None
        self.path: Optional[str] = None

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Removes the file; twice is no fault."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        path, self.path = self.path, None
        if path is not None:
            try:
                os.remove(path)
            except OSError:
                pass  # the child has removed it

    def image(self, image: Image) -> Any:
        """The request's part for an Image."""
        return {"grid": grid(image), "voxels": self.array(image.array)}

    def array(self, array: Any) -> Any:
        """The request's part for an array that the child reads."""
        offset = self._take(array.nbytes)
        self._inputs.append((offset, array))
        return {"offset": offset, "dtype": array.dtype.name}

    def result(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A place for an array that the child writes."""
        dtype = np.dtype(dtype)
        return self._take(int(np.prod(shape)) * dtype.itemsize), shape, dtype

    def _take(self, count: int) -> Any:
        offset = self._size
        self._size += -(-count // ALIGNMENT) * ALIGNMENT
        return offset

    def write(self) -> Any:
        """Makes the file with the arrays that the child is to read; the request's part for it."""
        self._create(max(self._size, 1))
        try:
            for offset, array in self._inputs:
                self._file.seek(offset)
                # Slice by slice where memory is in another order, so that no second copy of it all is made.
                parts = [array] if array.flags.c_contiguous or array.ndim < 2 else array
                for part in parts:
                    self._write(np.ascontiguousarray(part))
        except OSError as error:
            raise OutOfMemory(f"The image could not be handed to the child process: {error}.") from error
        return {"file": self.path, "remove": True}

    def _create(self, size: int) -> None:
        refused = None
        folders = [folder for folder in ("/dev/shm",) if os.path.isdir(folder)]
        for folder in [*folders, tempfile.gettempdir()]:
            try:
                handle, self.path = tempfile.mkstemp(prefix="ggpfn-", dir=folder)
                self._file = os.fdopen(handle, "r+b", buffering=0)
                # With its memory: a file that only claims its length would end the child where none is left.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(handle, 0, size)
                else:
                    self._file.truncate(size)
                return
            except OSError as error:
                refused = error
                self.close()
        raise OutOfMemory(
            f"{size / 1e9:.1f} GB are needed to hand the image to the child process, and there is no room for them: "
            f"{refused}."
        ) from refused

    def _write(self, array: np.ndarray[Any, Any]) -> None:
        rest = memoryview(array.reshape(-1).view(np.uint8).data)
        while len(rest):
            rest = rest[self._file.write(rest[:CHUNK]) :]

    def read(self, place: Any) -> np.ndarray[Any, Any]:
        """The array of a place that the child has written."""
        offset, shape, dtype = place
        array = np.empty(shape, dtype)
        rest = memoryview(array.reshape(-1).view(np.uint8).data)
        self._file.seek(offset)
        while len(rest):
            count = self._file.readinto(rest[:CHUNK])
            if not count:
                raise ChildDied("The child process gave less than it had said.")
            rest = rest[count:]
        return array


def grid(image: Image) -> Any:
    """The request's part for where an Image's voxels lie."""
    return {
        "size": image.size,
        "spacing": image.spacing.tolist(),
        "origin": image.origin.tolist(),
        "direction": image.direction.tolist(),
        "frame": image.frame,
    }


def place_of(result: Any) -> Any:
    """The request's part for a result."""
    return {"offset": result[0]}
