"""One case of a cohort: the pure function that an engine calls on its workers, and what a worker keeps.

`work` reads a CT, segments it and writes mask, picture and row, each of which appears whole or not at all, and the row
last. It may be called any number of times, by several workers at once and after any interruption: a case is done when
its row is there. Reading and computing are done in a child process (see child.py), so that a worker holds no libtorch,
and whatever ends a segmentation does not end the worker.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import struct
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from . import _abi, _cohort_files, _cohort_picture, _files
from .child import Child
from .errors import Error, ImageError, ModelError, WrongLibrary
from .image import Grid, Image
from .model import Model
from .results import Segmentation

Row = dict[str, Any]

# Between the sentences of warnings, which may have semicolons of their own.
SEPARATOR = " | "
# Seconds between two tries of a case.
PAUSE = 1.0
# What another try does not change.
FINAL = (ImageError, ModelError, WrongLibrary, FileNotFoundError, PermissionError)


@dataclass(frozen=True)
class Settings:
    """How all cases of a cohort are done."""

    out: str  # the folder of the results, absolute
    model: Optional[str] = None  # the file, absolute; None: the shipped one
    model_sha256: str = ""  # what every worker's model has to be
    views: Optional[tuple[str, ...]] = None
    threshold: Optional[float] = None
    largest_component: bool = False
    device: str = "auto"
    precision: str = "float32"
    threads: int = 0
    retries: int = 2
    verify: bool = False  # whether to hash files whose size and time are as they were

    @property
    def fingerprint(self) -> str:
        """What has to be the same for a result to be the same."""
        chosen = [self.model_sha256, self.views, self.threshold, self.largest_component, self.precision]
        return json.dumps([_abi.VERSION, *chosen])

    def place(self, kind: str, name: str, ending: str) -> str:
        return os.path.join(self.out, kind, name + ending)

    def mask(self, name: str) -> str:
        return self.place("masks", name, ".nii.gz")

    def row(self, name: str) -> str:
        return self.place("cases", name, ".json")

    def picture(self, name: str) -> str:
        return self.place("pictures", name, ".png")


class Worker:
    """What a process keeps between cases: a child with the model in it."""

    def __init__(self, model: Optional[str]) -> None:
        self.child = Child()
        try:
            self.model: Model = self.child.load_model(model)
            self.sha256 = self.model.info.sha256
        except BaseException:
            self.child.close()
            raise

    def check(self, sha256: str) -> None:
        """Refuses another model than the one of the cohort."""
        if self.sha256 != sha256:
            raise ModelError(
                f"The model on {socket.gethostname()} is another one than where the cohort was started (SHA-256 "
                f"{self.sha256[:12]} and {sha256[:12]}); give all machines the same file."
            )

    def read(self, one: _cohort_files.Input) -> Image:
        """The CT, read by the child into memory that no killed worker leaves behind."""
        request = {"path": one.path}
        if one.series:
            request["series"] = one.series
        if sys.platform == "linux":
            handle = os.memfd_create("ggpfn-cohort")
            path = f"/proc/{os.getpid()}/fd/{handle}"
        else:
            handle, path = tempfile.mkstemp(prefix="ggpfn-")
        try:
            with open(handle, "rb") as file:
                found = self.child._running().ask("read_image", {**request, "file": path})["grid"]
                file.seek(0)
                array = np.fromfile(file, np.float32).reshape(found["size"][::-1])
        finally:
            if sys.platform != "linux":
                os.remove(path)
        return Image(array, found["spacing"], found["origin"], found["direction"], found["frame"])


_workers: dict[tuple[int, Optional[str]], Worker] = {}
_lock = threading.Lock()


def worker(settings: Settings) -> Worker:
    """This process's Worker for such settings, its model checked."""
    key = (os.getpid(), settings.model)
    with _lock:
        if key not in _workers:
            _workers[key] = Worker(settings.model)
        found = _workers[key]
    if settings.model_sha256:
        found.check(settings.model_sha256)
    return found


def close_workers() -> None:
    """Ends the children of this process."""
    with _lock:
        found = list(_workers.values())
        _workers.clear()
    for one in found:
        one.child.close()


def read_row(settings: Settings, name: str) -> Optional[Row]:
    """The row of a case that has one."""
    try:
        with open(settings.row(name), encoding="utf-8") as file:
            row = json.load(file)
    except (OSError, ValueError):
        return None
    return row if isinstance(row, dict) and row.get("name") == name else None


def done(settings: Settings, one: _cohort_files.Input) -> Optional[Row]:
    """The row of a case that does not have to be done again: result and row are there, input and settings the same."""
    row = read_row(settings, one.name)
    if row is None or row["status"] != "done" or row["fingerprint"] != settings.fingerprint:
        return None
    if (row["input"], row["series"] or "") != one.key:
        return None
    try:
        files = _cohort_files.parts(one.path)
        if settings.verify or _cohort_files.stamp(files) != row["input_stamp"]:
            if _files.digest(files) != row["input_sha256"]:
                return None
        mask = settings.mask(one.name)
        if os.path.getsize(mask) != row["mask_bytes"]:
            return None
        if settings.verify and _files.digest([mask]) != row["mask_sha256"]:
            return None
    except OSError:
        return None
    return row


def work(settings: Settings, one: _cohort_files.Input, earlier: int = 0) -> Row:
    """Does a case and gives its row, which is written too; whatever goes wrong with the case is a row as well.

    earlier: attempts that ended with their worker.
    """
    found = done(settings, one)
    if found is not None:
        return found
    attempts = earlier
    while True:
        attempts += 1
        try:
            row = _segment(settings, one, attempts)
            break
        except (Error, OSError, MemoryError) as error:
            if isinstance(error, FINAL) or attempts > settings.retries:
                row = failed(settings, one, error, attempts)
                break
            time.sleep(PAUSE)
    keep(settings, row)
    return row


def keep(settings: Settings, row: Row) -> None:
    """Writes a row."""
    text = json.dumps(row, indent=1, ensure_ascii=False) + "\n"
    _files.write(settings.row(row["name"]), text.encode("utf-8"))


def failed(settings: Settings, one: _cohort_files.Input, error: BaseException, attempts: int) -> Row:
    """The row of a case that cannot be done."""
    text = " ".join(str(error).split()) or type(error).__name__
    return {
        **_head(settings, one, "failed", attempts),
        "error": text,
        "error_kind": type(error).__name__,
    }


def _head(settings: Settings, one: _cohort_files.Input, status: str, attempts: int) -> Row:
    return {
        "name": one.name,
        "status": status,
        "input": one.path,
        "series": one.series,
        "attempts": attempts,
        "worker": f"{socket.gethostname()}:{os.getpid()}",
        "version": _abi.VERSION,
        "model_sha256": settings.model_sha256,
        "fingerprint": settings.fingerprint,
    }


def _segment(settings: Settings, one: _cohort_files.Input, attempts: int) -> Row:
    start = time.perf_counter()
    files = _cohort_files.parts(one.path)
    # Before the hash: a file that changes under way is another one to the next run.
    stamp = _cohort_files.stamp(files)
    sha256 = _files.digest(files)
    hashed = time.perf_counter()
    ready = worker(settings)
    started = time.perf_counter()
    image = ready.read(one)
    read = time.perf_counter()
    found = ready.child.segment(
        image,
        ready.model,
        views=settings.views,
        threshold=settings.threshold,
        largest_component=settings.largest_component,
        device=settings.device,
        precision=settings.precision,
        threads=settings.threads,
    )
    segmented = time.perf_counter()
    mask = nifti(found.mask if found.label_map is None else found.label_map, image.grid)
    _files.write(settings.mask(one.name), mask)
    _files.write(settings.picture(one.name), _cohort_picture.montage(image, found.mask))
    written = time.perf_counter()
    return {
        **_head(settings, one, "done", attempts),
        "mask": os.path.relpath(settings.mask(one.name), settings.out).replace(os.sep, "/"),
        **_measured(found),
        **{f"size_{axis}": n for axis, n in zip("ijk", image.size)},
        **{f"spacing_{axis}": float(n) for axis, n in zip("ijk", image.spacing)},
        "input_stamp": stamp,
        "input_sha256": sha256,
        "mask_bytes": len(mask),
        "mask_sha256": hashlib.sha256(mask).hexdigest(),
        "hash_seconds": hashed - start,
        "start_seconds": started - hashed,
        "read_seconds": read - started,
        "segment_seconds": segmented - read,
        "write_seconds": written - segmented,
        "total_seconds": written - start,
    }


def _measured(found: Segmentation) -> Row:
    row = found.row()
    row["network_seconds"] = row.pop("seconds")
    row["warning_texts"] = SEPARATOR.join(warning.text for warning in found.quality.warnings)
    if len(found.labels) > 1:
        row.update({f"{name}_ml": one.volume_ml for name, one in found.labels.items()})
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in row.items()}


def nifti(array: np.ndarray[Any, Any], grid: Grid) -> bytes:
    """A .nii.gz of uint8 voxels [k, j, i] on a grid; the same voxels give the same bytes."""
    affine = grid.affine("RAS")
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *grid.size, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)  # uint8
    quaternion, handedness = _quaternion(affine[:3, :3] / np.asarray(grid.spacing))
    struct.pack_into("<8f", header, 76, handedness, *grid.spacing, 0, 0, 0, 0)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<f", header, 112, 1)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 1, 1)
    struct.pack_into("<6f", header, 256, *quaternion, *affine[:3, 3])
    struct.pack_into("<12f", header, 280, *affine[:3].ravel())
    header[344:348] = b"n+1\0"
    packed = io.BytesIO()
    # Without a name and a time: the same voxels, the same bytes.
    with gzip.GzipFile("", "wb", 6, packed, mtime=0) as file:
        file.write(bytes(header))
        file.write(np.ascontiguousarray(array, np.uint8).tobytes())
    return packed.getvalue()


def _quaternion(rotation: np.ndarray[Any, Any]) -> tuple[tuple[float, float, float], float]:
    """b, c, d of the unit quaternion of a rotation, as NIfTI's qform has it, and -1 for a mirrored one."""
    handedness = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    r = rotation * np.array([1, 1, handedness])
    # The eigenvector to the largest eigenvalue of Bar-Itzhack's matrix: good for every rotation, half turns included.
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]],
            [r[0, 1] + r[1, 0], r[1, 1] - r[0, 0] - r[2, 2], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]],
            [r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r[0, 0] + r[1, 1] + r[2, 2]],
        ]
    )
    b, c, d, a = (float(n) for n in np.linalg.eigh(k)[1][:, -1])
    sign = -1.0 if a < 0 else 1.0
    return (sign * b, sign * c, sign * d), handedness
