"""Pictures of a result, with numpy alone: three slices through the mask, its outline on them, as a PNG."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from .image import Image

Array = np.ndarray[Any, Any]

SIDE = 200  # pixels of each slice's longer edge, and of the picture's height
WINDOW = (-100.0, 240.0)  # Hounsfield units that are black and white
OUTLINE = (255, 140, 0)
GAP = 4


def montage(image: Image, mask: Array) -> bytes:
    """PNG of the axial, coronal and sagittal slice where the mask is largest; anterior and superior are up."""
    voxels, inside, spacing = _straight(image, mask)
    where = [int(np.argmax(counts)) if inside.any() else n // 2 for counts, n in zip(_counts(inside), inside.shape)]
    z, y, x = where
    dz, dy, dx = spacing
    # Rows go down: to posterior in the axial slice, to inferior in the others.
    slices = [
        _panel(voxels[z], inside[z], dy, dx),
        _panel(voxels[::-1, y], inside[::-1, y], dz, dx),
        _panel(voxels[::-1, :, x], inside[::-1, :, x], dz, dy),
    ]
    height = max(part.shape[0] for part in slices)
    canvas = np.zeros((height, sum(part.shape[1] for part in slices) + GAP * (len(slices) - 1), 3), np.uint8)
    left = 0
    for part in slices:
        top = (height - part.shape[0]) // 2
        canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + GAP
    return png(canvas)


def _counts(inside: Array) -> list[Array]:
    return [inside.sum(axis=tuple(other for other in range(3) if other != axis)) for axis in range(3)]


def _straight(image: Image, mask: Array) -> tuple[Array, Array, tuple[float, float, float]]:
    """Voxels and mask as [z, y, x] of LPS, to the nearest axes, and the spacing along z, y, x."""
    direction = image.grid.affine("LPS")[:3, :3] / np.asarray(image.spacing)
    # Which of i, j, k runs along each of x, y, z; each once, the clearest first.
    axes: dict[int, int] = {}
    for place in np.argsort(-np.abs(direction), axis=None):
        world, index = divmod(int(place), 3)
        if world not in axes and index not in axes.values():
            axes[world] = index
    order = [axes[world] for world in (2, 1, 0)]
    flips = tuple(slice(None, None, -1 if direction[world, axes[world]] < 0 else 1) for world in (2, 1, 0))
    voxels, inside = (array.transpose([2 - index for index in order])[flips] for array in (image.array, mask != 0))
    z, y, x = (float(image.spacing[index]) for index in order)
    return voxels, inside, (z, y, x)


def _panel(voxels: Array, inside: Array, down: float, across: float) -> Array:
    """[row, column, RGB] of one slice, square pixels, SIDE along its longer edge."""
    height, width = voxels.shape[0] * down, voxels.shape[1] * across
    scale = SIDE / max(height, width)
    grid = np.ix_(_nearest(voxels.shape[0], scale * down), _nearest(voxels.shape[1], scale * across))
    low, high = WINDOW
    shown = np.nan_to_num(voxels[grid].astype(np.float32), nan=low, posinf=high, neginf=low)
    grey = (np.clip((shown - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    there = inside[grid]
    padded = np.pad(there, 1)
    within = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    picture[there & ~within] = OUTLINE
    return picture


def _nearest(count: int, pixels: float) -> Array:
    """The voxel, of so many in a line, under each pixel; pixels: of a voxel."""
    places = (np.arange(max(1, round(count * pixels))) + 0.5) / pixels
    nearest: Array = np.minimum(places, count - 1).astype(int)
    return nearest


def png(picture: Array) -> bytes:
    """The PNG of [row, column, RGB], 8 bits."""
    height, width = picture.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = picture.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
