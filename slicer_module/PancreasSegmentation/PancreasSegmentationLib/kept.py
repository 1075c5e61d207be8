"""Probabilities that are kept after a run, so that the threshold can be tried live, without the network.

Only the box is kept where the probability reaches the smallest threshold of the slider. Of that a threshold touches the
voxels alone that lie in the box of what reaches it: how high the slices along each axis go is known, so that the box is
found without a look at a voxel. Of the views their values are kept in order, without their places: their Dice at a
threshold is a matter of counting. So a step of the slider takes milliseconds.
"""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from .components import largest_component
from .parameters import SMALLEST_THRESHOLD
from .scene_input import Scan


class Peaks:
    """How high the slices of an array [k, j, i] go: the maximum of each slice along k, j and i."""

    def __init__(self, along):
        self.along = along

    @classmethod
    def of(cls, array):
        plane = np.array(array[0])
        k = np.empty(len(array), array.dtype)
        for number, one in enumerate(array):
            k[number] = one.max()
            np.maximum(plane, one, out=plane)
        return cls((k, plane.max(axis=1), plane.max(axis=0)))

    def cut(self, box):
        return Peaks(tuple(peaks[part] for peaks, part in zip(self.along, box)))

    def box(self, level):
        """Slices along k, j, i of the box of all voxels that reach a level; empty ones if none does."""
        found = [np.flatnonzero(peaks >= np.float32(level)) for peaks in self.along]
        if not all(map(len, found)):
            return (slice(0, 0),) * 3
        return tuple(slice(int(where[0]), int(where[-1]) + 1) for where in found)


class Agreement:
    """The Dice between each pair of views, at any threshold."""

    def __init__(self, values, common):
        """values: for each view its values that a threshold may reach, in order; common: by pair of views, those of the
        smaller one of both."""
        self._values, self._common = values, common

    @classmethod
    def of(cls, views):
        """views: probabilities [k, j, i] by view."""
        pairs = list(combinations(views, 2))
        return cls(
            {view: _in_order(array) for view, array in views.items()},
            {pair: _in_order(*(views[view] for view in pair)) for pair in pairs},
        )

    def at(self, threshold):
        """By "axial, sagittal" and so on."""

        def count(values):
            return len(values) - int(np.searchsorted(values, np.float32(threshold)))

        agreement = {}
        for pair, common in self._common.items():
            total = sum(count(self._values[view]) for view in pair)
            agreement[", ".join(pair)] = 2 * count(common) / total if total else 1.0
        return agreement


def _in_order(array, *others):
    """The values of an array from the smallest threshold on, sorted; of several arrays, those of their minimum."""
    found = []
    for planes in zip(array, *others):
        plane = planes[0]
        for other in planes[1:]:
            plane = np.minimum(plane, other)
        found.append(plane[plane >= np.float32(SMALLEST_THRESHOLD)])
    return np.sort(np.concatenate(found))


@dataclass
class Kept:
    """What a run found, cut out.

    scan: the CT's box, a view of its array. start: the box's first voxel (i, j, k) in the whole scan. probability:
    float32 [k, j, i]; peaks: its Peaks. agreement: of the views. settings: what tells how the network ran, from the
    run's measurements.
    """

    scan: Scan
    start: tuple
    probability: np.ndarray
    peaks: Peaks
    agreement: Agreement
    settings: object

    @classmethod
    def of(cls, scan, found):
        """What is to be kept of a ggpfn.Segmentation of a Scan."""
        peaks = Peaks.of(found.probability)
        box = around(peaks.box(SMALLEST_THRESHOLD), scan.array.shape)
        return cls(
            scan=scan.cut(box),
            start=first_of(box),
            probability=found.probability[box].copy(),
            peaks=peaks.cut(box),
            agreement=Agreement.of(found.view_probabilities or {}),
            settings=found.measurements,
        )

    def mask_at(self, threshold, only_largest=False):
        """(mask uint8 [k, j, i], first voxel (i, j, k)) at a threshold: the mask of `at`, in milliseconds."""
        box = around(self.peaks.box(threshold), self.probability.shape)
        mask = (self.probability[box] >= np.float32(threshold)).view(np.uint8)
        start = moved_by(self.start, box)
        if only_largest:
            # Specks that are left out may lie far away: what is written is the part's own box.
            mask, part = largest_component(mask)
            part = around(part, mask.shape)
            mask, start = mask[part], moved_by(start, part)
        return mask, start

    def at(self, engine, threshold, largest_component=False):
        """The Result at a threshold, cut to its own box: specks that are left out may lie far away."""
        box = around(self.peaks.box(threshold), self.probability.shape)
        scan, probability = self.scan.cut(box), self.probability[box]
        mask, found = engine.threshold(scan.image(), probability, threshold, largest_component)
        start, ran = moved_by(self.start, box), self.settings
        part = tuple(slice(first, first + count) for first, count in zip(found.box_start or (0, 0, 0), found.box_size))
        part = around(part[::-1], mask.shape)
        found = replace(
            moved(found, start),
            weights=ran.weights,
            device=ran.device,
            precision=ran.precision,
            seconds=ran.seconds,
        )
        return Result(mask[part], moved_by(start, part), found, self.agreement.at(threshold))


@dataclass
class Result:
    """A mask and its numbers.

    mask: uint8 [k, j, i], a box; start: its first voxel (i, j, k) in the whole scan. measurements: ggpfn.Measurements,
    whose voxels count in the whole scan. agreement: the Dice of each pair of views, by "axial, sagittal" and so on.
    """

    mask: np.ndarray
    start: tuple
    measurements: object
    agreement: dict


def moved(found, start):
    """Measurements of a box as those of the whole scan; start: the box's first voxel (i, j, k)."""
    return replace(found, box_start=found.box_start and tuple(a + b for a, b in zip(found.box_start, start)))


def dice(first, second):
    """Dice of two boolean arrays; 1 if both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def around(box, shape):
    """A box, slices along k, j, i, that is not empty: at least three voxels along each axis of an array of a shape, if
    it has as many; a surface cannot be made of a sheet."""
    found = []
    for part, count in zip(box, shape):
        first = max(0, min(part.start, count - 3))
        found.append(slice(first, min(count, max(part.stop, first + 3))))
    return tuple(found)


def first_of(box):
    """The first voxel (i, j, k) of a box, which is [k, j, i]."""
    return tuple(part.start for part in box[::-1])


def moved_by(start, box):
    """The voxel (i, j, k) at which a box begins that is cut out of something which begins at `start`."""
    return tuple(a + b for a, b in zip(start, first_of(box)))
