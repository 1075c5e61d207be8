"""The largest connected component of a mask, quickly enough for a slider that moves.

A mask is taken as its runs: voxels in a row along i. A mask of millions of voxels has some ten thousand of them, so
which runs touch, and which are connected, is a matter of milliseconds in numpy.
"""

import numpy as np


def largest_component(mask):
    """The largest connected component of a mask, uint8 [k, j, i] of 0 and 1, and its box, slices along k, j, i.

    The component is an array of the mask's shape, or the mask itself if there is nothing to take away. The box of
    nothing is empty.

    As in the library, voxels that touch by a corner are connected, and of two components of one size the first in
    memory stays.
    """
    # One more column and row of zeros: no run reaches into the next row, and the rows beside a plane are empty.
    planes, rows, columns = (count + extra for count, extra in zip(mask.shape, (0, 1, 1)))
    padded = np.zeros((planes, rows, columns), np.uint8)
    padded[:, :-1, :-1] = mask
    starts, ends = _runs(padded.ravel())
    pairs = [_touching(starts, ends, columns * (planes_on * rows + rows_on)) for planes_on, rows_on in NEIGHBOURS]
    roots = _roots(len(starts), *(np.concatenate(side) for side in zip(*pairs)))
    lengths = ends - starts
    sizes = np.bincount(roots, lengths)
    if np.count_nonzero(sizes) < 2:
        return mask, _box(starts, ends, padded.shape)
    stay = roots == sizes.argmax()
    # Whichever is less to write.
    if 2 * sizes.max() > lengths.sum():
        padded.ravel()[_voxels(starts[~stay], lengths[~stay])] = 0
    else:
        padded.fill(0)
        padded.ravel()[_voxels(starts[stay], lengths[stay])] = 1
    return padded[:, :-1, :-1], _box(starts[stay], ends[stay], padded.shape)


def _box(starts, ends, shape):
    """What runs of a flat array of a shape [k, j, i] lie in, as slices along k, j, i."""
    if not len(starts):
        return (slice(0, 0),) * 3
    # A run is within a row.
    first, last = np.unravel_index(starts, shape), np.unravel_index(ends - 1, shape)
    return tuple(slice(int(low.min()), int(high.max()) + 1) for low, high in zip(first, last))


# Rows that come after a row and touch it, as planes and rows from there; those before it look at it themselves.
NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))


def _runs(flat):
    """First voxels of all runs in a flat array that ends in 0, and the voxels after their last ones."""
    steps = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if len(flat) and flat[0]:
        steps = np.insert(steps, 0, 0)
    return steps[::2], steps[1::2]


def _touching(starts, ends, shift):
    """Runs, and the runs that each of them touches, by a corner too, in the row that lies a shift further on."""
    first = np.searchsorted(ends, starts + shift)
    count = np.maximum(np.searchsorted(starts, ends + shift, "right") - first, 0)
    return np.repeat(np.arange(len(starts)), count), _voxels(first, count)


def _voxels(starts, lengths):
    """All numbers of all runs."""
    return np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)


def _roots(count, one, other):
    """For each of `count` runs the first run of its component, where runs `one` and `other` touch in pairs."""
    roots = np.arange(count)
    while len(one):
        low, high = np.minimum(roots[one], roots[other]), np.maximum(roots[one], roots[other])
        apart = low < high
        one, other = one[apart], other[apart]
        # Of several that a root is tied to, it gets one; the others follow in the next rounds.
        roots[high[apart]] = low[apart]
        while True:
            further = roots[roots]
            if np.array_equal(further, roots):
                break
            roots = further
    return roots
