"""What the module last wrote into a segment, so that corrections by hand are seen and never replaced unasked.

A fingerprint of the voxels is a tag of the segment. It is saved with the segmentation, and it does not matter who
changes the segment, or how.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

SEGMENT_ID = "Pancreas"
# Of segments for other labels, with the label's value behind it.
LABEL_PREFIX = "Label_"
TAG = "PancreasSegmentation.Written"

# In mm: how far a mask may have moved and still be the same; files round.
ROUNDING = 0.05


@dataclass
class Box:
    """The voxels of a segment: mask uint8 [k, j, i], cut to what is not 0, and the 4 x 4 matrix from the box's own
    (i, j, k) to RAS in the segmentation's frame."""

    mask: np.ndarray
    matrix: np.ndarray


def box_of(segmentation, segment_id=SEGMENT_ID):
    """The Box of a segment; None if it has no voxels, or there is no such segment."""
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id) if segment is not None else None
    if image is None or not image.GetNumberOfPoints() or image.GetPointData().GetScalars() is None:
        return None
    # Segments may share a label map, and are told apart by their values.
    mask = (
        vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]) == segment.GetLabelValue()
    )
    where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(where[0]):
        return None
    cut = tuple(slice(int(part[0]), int(part[-1]) + 1) for part in where)
    to_ras = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_ras)
    matrix = slicer.util.arrayFromVTKMatrix(to_ras)
    extent = image.GetExtent()
    matrix[:, 3] = matrix @ [*(extent[2 * axis] + cut[2 - axis].start for axis in range(3)), 1]
    return Box(mask[cut].astype(np.uint8), matrix)


def fingerprint(segmentation, segment_id=SEGMENT_ID):
    """A text that tells the voxels of a segment and their place."""
    box = box_of(segmentation, segment_id)
    if box is None:
        return "empty"
    digest = hashlib.sha256(np.packbits(box.mask)).hexdigest()[:32]
    place = " ".join(f"{x:.3f}" for x in box.matrix[:3, 3])
    return f"{digest} {'x'.join(map(str, box.mask.shape))} {place}"


def note(segmentation, segment_id=SEGMENT_ID):
    """Remembers a segment as it is now as what the module wrote; returns its fingerprint."""
    found = fingerprint(segmentation, segment_id)
    segmentation.GetSegmentation().GetSegment(segment_id).SetTag(TAG, found)
    return found


def others_edited(segmentation):
    """Whether a segment of another label than the pancreas, which the module wrote, was changed since."""
    segments = segmentation.GetSegmentation()
    for number in range(segments.GetNumberOfSegments()):
        name, written = segments.GetNthSegmentID(number), vtk.reference("")
        if not name.startswith(LABEL_PREFIX) or not segments.GetSegment(name).GetTag(TAG, written):
            continue
        if not same(str(written), fingerprint(segmentation, name)):
            return True
    return False


def is_edited(segmentation):
    """Whether the segment Pancreas holds something that the module did not write."""
    segments = segmentation.GetSegmentation()
    segment = segments.GetSegment(SEGMENT_ID)
    if segment is None:
        return False
    written = vtk.reference("")
    if not segment.GetTag(TAG, written):
        # A segment of somebody else's; an empty one has nothing to lose.
        drawn = segments.GetSourceRepresentationName() != "Binary labelmap"
        return drawn or box_of(segmentation) is not None
    return not same(str(written), fingerprint(segmentation))


def is_written(segmentation):
    """Whether the module wrote the segment Pancreas, and nobody has changed it since."""
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    return segment is not None and segment.HasTag(TAG) and not is_edited(segmentation)


def same(one, other):
    """Whether two fingerprints are of one mask."""
    one, other = one.split(), other.split()
    if one[:2] != other[:2]:
        return False
    return bool(np.allclose(np.array(one[2:], float), np.array(other[2:], float), atol=ROUNDING))
