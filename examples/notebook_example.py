"""Segment a CT, look at the result, and keep its numbers: `python notebook_example.py scan.nii.gz pancreas.nii.gz`.

The steps of pancreas.ipynb as a script with types.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import ggpfn


def told(progress: ggpfn.Progress) -> bool:
    """Prints how far the work is; returning False would cancel it."""
    print(progress, end="\r", file=sys.stderr)
    return True


def segment(scan: Path, mask: Path) -> ggpfn.Segmentation:
    """Segments a scan, writes the mask beside it, and a table of one row."""
    found = ggpfn.segment(scan, largest_component=True, probability=True, monitor=told)
    found.to_nibabel().to_filename(mask)
    row = found.row()
    with open(mask.with_suffix(".csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    return found


def main() -> None:
    scan, mask = map(Path, sys.argv[1:3])
    found = segment(scan, mask)
    volume = found.measurements.volume_ml
    print(f"{volume:.1f} ml, expected Dice {found.quality.expected_dice:.2f}, doubtful: {found.quality.doubtful}")
    for warning in found.quality.warnings:
        print(warning.text)


if __name__ == "__main__":
    main()
