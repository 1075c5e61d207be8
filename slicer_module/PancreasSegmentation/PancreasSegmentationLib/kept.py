"""Probabilities that are kept after a run, so that the threshold can be tried live, without the network.

Only the box is kept where any view's probability reaches the smallest threshold of the slider; a pancreas fills a
hundredth of a scan, which makes a step of the slider a matter of milliseconds.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from .parameters import SMALLEST_THRESHOLD
from .scene_input import Scan


@dataclass
class Kept:
    """What a run found, cut out.

    scan: the CT's box, a view of its array. start: the box's first voxel (i, j, k) in the whole scan. probability:
    float32 [k, j, i]. views: probabilities by view, empty if they were not asked for. settings: what tells how the
    network ran, from the run's measurements.
    """

    scan: Scan
    start: tuple
    probability: np.ndarray
    views: dict
    settings: object

    @classmethod
    def of(cls, scan, found):
        """What is to be kept of a ggpfn.Segmentation of a Scan."""
        views = found.view_probabilities or {}
        first, end = _box([found.probability, *views.values()], SMALLEST_THRESHOLD)
        cut = tuple(slice(a, b) for a, b in zip(first[::-1], end[::-1]))
        matrix = scan.matrix.copy()
        matrix[:, 3] = scan.matrix @ [*first, 1]
        return cls(
            scan=Scan(scan.name, scan.array[cut], matrix),
            start=first,
            probability=found.probability[cut].copy(),
            views={view: array[cut].copy() for view, array in views.items()},
            settings=found.measurements,
        )

    def at(self, engine, threshold, largest_component=False):
        """(mask, ggpfn.Measurements, agreement) for a threshold.

        mask: uint8 [k, j, i] of the box. Measurements count voxels in the whole scan. agreement: the Dice between each
        pair of views at this threshold, by "axial, sagittal" and so on.
        """
        mask, found = engine.threshold(self.scan.image(), self.probability, threshold, largest_component)
        ran = self.settings
        found = replace(
            found,
            box_start=found.box_start and tuple(a + b for a, b in zip(found.box_start, self.start)),
            weights=ran.weights,
            device=ran.device,
            precision=ran.precision,
            seconds=ran.seconds,
        )
        masks = {view: array >= np.float32(threshold) for view, array in self.views.items()}
        agreement = {f"{a}, {b}": dice(masks[a], masks[b]) for a, b in combinations(masks, 2)}
        return mask, found, agreement


def dice(first, second):
    """Dice of two boolean arrays; 1 if both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def _box(arrays, level):
    """First voxel and end, (i, j, k) each, of the box of all voxels that reach a level in any array.

    At least three voxels along each axis, if there are as many: a surface cannot be made of a sheet.
    """
    shape = arrays[0].shape
    first, end = [0, 0, 0], [0, 0, 0]
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        inside = np.zeros(shape[axis], bool)
        for array in arrays:
            inside |= array.max(axis=others) >= level
        where = np.flatnonzero(inside)
        if len(where):
            # Indices are [k, j, i] in arrays, and (i, j, k) everywhere else.
            first[2 - axis], end[2 - axis] = int(where[0]), int(where[-1]) + 1
        first[2 - axis] = max(0, min(first[2 - axis], shape[axis] - 3))
        end[2 - axis] = min(shape[axis], max(end[2 - axis], first[2 - axis] + 3))
    return tuple(first), tuple(end)
