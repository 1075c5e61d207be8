#!/usr/bin/env python3
"""Draws the extension's icons: `make_icon.py`, with numpy alone.

A pancreas, thick at its head and thin at its tail, in the colour that Slicer gives it, before a CT's grey. Writes
PancreasSegmentation.png (the extension), the module's icon, and the thumbnail of the sample CT.
"""

import struct
import zlib
from pathlib import Path

import numpy as np

EXTENSION = Path(__file__).resolve().parents[1]
ICONS = EXTENSION / "PancreasSegmentation" / "Resources" / "Icons"
PANCREAS = np.array([249, 180, 111]) / 255
BACKGROUND = np.array([38, 44, 54]) / 255
# Centres x, y and radii of the organ from its head to its tail, in parts of the picture.
ORGAN = [(0.26, 0.60, 0.135), (0.36, 0.50, 0.105), (0.48, 0.48, 0.085), (0.62, 0.46, 0.085), (0.78, 0.37, 0.062)]


def icon(size, over=4):
    """RGBA [rows, columns, 4], 0 to 1, drawn `over` times finer and averaged."""
    fine = size * over
    y, x = (np.mgrid[:fine, :fine] + 0.5) / fine
    picture = np.zeros((fine, fine, 4))
    corner = np.hypot(np.maximum(abs(x - 0.5) - 0.36, 0), np.maximum(abs(y - 0.5) - 0.36, 0))
    plate = corner < 0.12
    picture[plate] = [*BACKGROUND, 1]
    # The body in a slice, and the spine in it.
    body = ((x - 0.5) / 0.42) ** 2 + ((y - 0.53) / 0.33) ** 2 < 1
    picture[body] = [0.36, 0.39, 0.44, 1]
    spine = (np.hypot((x - 0.5) / 0.075, (y - 0.73) / 0.065)) < 1
    picture[spine] = [0.80, 0.82, 0.84, 1]
    organ = distance(x, y)
    picture[organ < 0.018] = [0.16, 0.18, 0.22, 1]
    # Lighter along its middle, which lets it look round.
    light = np.clip(-organ / 0.11, 0, 1)[..., None]
    colour = np.concatenate([PANCREAS * (0.86 + 0.14 * light) + 0.06 * light, np.ones((fine, fine, 1))], axis=-1)
    picture[organ < 0] = np.clip(colour, 0, 1)[organ < 0]
    alpha = picture[..., 3:]
    parts = (picture[..., :3] * alpha).reshape(size, over, size, over, 3).mean(axis=(1, 3))
    cover = alpha.reshape(size, over, size, over, 1).mean(axis=(1, 3))
    return np.concatenate([parts / np.maximum(cover, 1e-9), cover], axis=-1)


def distance(x, y):
    """Signed distance to the organ, negative inside: the hull of circles that follow each other."""
    found = np.full(x.shape, np.inf)
    for (ax, ay, ar), (bx, by, br) in zip(ORGAN, ORGAN[1:]):
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2), 0, 1)
        near = np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) - ar - t * (br - ar)
        found = np.minimum(found, near)
    return found


def write_png(path, picture):
    """Writes RGBA, 0 to 1, as a PNG of 8 bits."""
    rows = (picture * 255 + 0.5).astype(np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    height, width = rows.shape[:2]
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in chunks:
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


if __name__ == "__main__":
    write_png(EXTENSION / "PancreasSegmentation.png", icon(128))
    write_png(ICONS / "PancreasSegmentation.png", icon(128))
    write_png(ICONS / "SyntheticAbdomenCT.png", icon(96))
