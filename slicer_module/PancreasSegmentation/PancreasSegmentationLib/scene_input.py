"""From the scene to arrays: the CT of a volume node, the region to look at, the mask of a segment.

Voxels are not copied. An array that numpy got from VTK holds on to VTK's memory, so that it outlives its node.
"""

import os
from dataclasses import dataclass

import ggpfn
import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from .errors import InputError

# Skin against air. Lungs and bowel gas lie inside of the body's box anyway.
BODY_HU = -300
# The part of the fullest slice's body voxels that a slice needs in order to count; tables and blankets have less.
BODY_PART = 0.05

# The cosine between two axes from which the engine calls a grid sheared.
PERPENDICULAR = 1.7e-3

IMAGE_ENDINGS = (".nii", ".nii.gz", ".hdr", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass
class Scan:
    """A CT as the engine takes it.

    name: of the volume. array: Hounsfield units [k, j, i]. matrix: 4 x 4, voxel (i, j, k) to RAS in mm, without parent
    transforms. warning: a sentence, or empty.
    """

    name: str
    array: np.ndarray
    matrix: np.ndarray
    warning: str = ""

    def cut(self, box):
        """The Scan of a box, slices along k, j, i; a view of the same voxels."""
        matrix = self.matrix.copy()
        matrix[:, 3] = self.matrix @ [*(part.start for part in box[::-1]), 1]
        return Scan(self.name, self.array[box], matrix, self.warning)

    def image(self):
        """ggpfn.Image, in RAS."""
        return ggpfn.Image.from_ijk_to_ras(self.array, self.matrix)


def volumes_of_scene():
    """The volume nodes that may be CTs: scalar volumes that are shown in lists, and nothing that derives from them,
    such as label maps and colour images."""
    kind = "vtkMRMLScalarVolumeNode"
    return [
        node
        for node in slicer.util.getNodesByClass(kind)
        if node.GetClassName() == kind and not node.GetHideFromEditors()
    ]


def scan_of(volume):
    """The Scan of a volume node; raises InputError with what to do."""
    if volume is None:
        raise InputError(_("Choose a CT volume first."))
    name = volume.GetName()
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(_("{name} is a label map; choose the CT itself.").format(name=name))
    data = volume.GetImageData()
    if data is None or not data.GetNumberOfPoints() or data.GetPointData().GetScalars() is None:
        raise InputError(_("{name} has no voxels; load it again.").format(name=name))
    components = data.GetNumberOfScalarComponents()
    if components != 1:
        raise InputError(
            _(
                "{name} has {count} numbers at each voxel: a colour image, or a 4D scan that was loaded as one volume. "
                "Load it as a volume sequence, and choose one of its volumes here, or all under Batch."
            ).format(name=name, count=components)
        )
    array = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])
    matrix = ijk_to_ras(volume)
    _check_axes(name, matrix)
    return Scan(name, array, matrix, _warning(name, array))


def _check_axes(name, matrix):
    """Raises InputError for a grid that the engine cannot work on, with what Slicer has against it."""
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (np.isfinite(matrix).all() and (spacing > 0).all()):
        raise InputError(
            _("{name} has a spacing of {spacing} mm; set it in the module Volumes, under Volume Information.").format(
                name=name, spacing=" x ".join(f"{edge:g}" for edge in spacing)
            )
        )
    axes = matrix[:3, :3] / spacing
    if np.abs(axes.T @ axes - np.eye(3)).max() > PERPENDICULAR:
        raise InputError(
            _(
                "The axes of {name} are not perpendicular, as with a tilted gantry. Resample it by the module Crop "
                "Volume, with interpolation, and choose the volume that it makes."
            ).format(name=name)
        )


def ijk_to_ras(volume):
    """4 x 4 numbers: voxel (i, j, k, 1) of a volume node to RAS in mm, without its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _warning(name, array):
    """Something that is no fault and that a person should know; empty if all seems well."""
    if min(array.shape) < 8:
        return _("{name} is only {count} slices thick; the result will be poor.").format(
            name=name, count=min(array.shape)
        )
    # A part of the voxels is enough, and large volumes are common.
    sample = array[:: max(1, array.shape[0] // 32), ::4, ::4]
    if sample.min() >= -200:
        return _("{name} has no value below -200, as air has in Hounsfield units. Is it a CT?").format(name=name)
    return ""


def region_of(scan, volume, choice, roi=None):
    """The region to look at: ((i, j, k), (ni, nj, nk)) in voxels, or None for all of the scan.

    choice: parameters.Region. Raises InputError.
    """
    from .parameters import Region

    if choice is Region.BODY:
        return body_region(scan.array)
    if choice is Region.ROI:
        return roi_region(scan, volume, roi)
    return None


def body_region(array):
    """The box of the body in an array [k, j, i] of Hounsfield units, as `region_of` gives it."""
    # A coarse look is enough, and takes milliseconds; the box grows by a step.
    steps = [max(1, count // 100) for count in array.shape]
    body = array[tuple(slice(None, None, step) for step in steps)] > BODY_HU
    region = []
    for axis in (2, 1, 0):
        others = tuple(other for other in (0, 1, 2) if other != axis)
        counts = body.sum(axis=others)
        inside = np.flatnonzero(counts > BODY_PART * counts.max())
        if not len(inside):
            raise InputError(_("No body was found: nothing in the volume is denser than air. Use the whole volume."))
        first, last = int(inside[0]) - 1, int(inside[-1]) + 1
        region.append((max(first * steps[axis], 0), min(last * steps[axis] + 1, array.shape[axis])))
    return tuple(first for first, _end in region), tuple(end - first for first, end in region)


def roi_region(scan, volume, roi):
    """The voxels whose centres may lie in a region of interest, as `region_of` gives them; transforms of both count."""
    if roi is None or not roi.GetNumberOfControlPoints() or not all(edge > 0 for edge in roi.GetSize()):
        raise InputError(_("Choose a region of interest, or place one around the upper abdomen."))
    to_volume = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        roi.GetParentTransformNode(), volume.GetParentTransformNode(), to_volume
    )
    to_ijk = np.linalg.inv(scan.matrix)
    corners = []
    for signs in np.ndindex(2, 2, 2):
        corner = [(sign - 0.5) * edge for sign, edge in zip(signs, roi.GetSize())]
        ras = to_volume.TransformPoint(roi.GetObjectToNodeMatrix().MultiplyPoint([*corner, 1.0])[:3])
        corners.append((to_ijk @ [*ras, 1.0])[:3])
    # A voxel's centre on the box's face is inside, in spite of rounding.
    first = np.maximum(np.ceil(np.min(corners, axis=0) - 1e-6), 0).astype(int)
    last = np.minimum(np.floor(np.max(corners, axis=0) + 1e-6), np.array(scan.array.shape[::-1]) - 1).astype(int)
    if (last < first).any():
        raise InputError(_("The region of interest lies outside of the volume; move it onto the upper abdomen."))
    return tuple(int(n) for n in first), tuple(int(n) for n in last - first + 1)


def fit_roi(roi, volume):
    """Lays a region of interest around the body of a volume, or around the whole volume if nothing in it is denser than
    air: along the volume's axes and under its transform, with handles to drag. Raises InputError."""
    scan = scan_of(volume)
    try:
        start, size = body_region(scan.array)
    except InputError:
        start, size = (0, 0, 0), scan.array.shape[::-1]
    spacing = np.linalg.norm(scan.matrix[:3, :3], axis=0)
    axes = scan.matrix[:3, :3] / spacing
    # The box is the same the other way round; its own frame has to be a right-handed one.
    axes[:, 0] *= np.sign(np.linalg.det(axes))
    middle = (scan.matrix @ [*(first + (count - 1) / 2 for first, count in zip(start, size)), 1])[:3]
    modified = roi.StartModify()
    roi.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    to_node = np.eye(4)
    to_node[:3, :3] = axes
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(to_node))
    roi.SetSize(*(count * edge for count, edge in zip(size, spacing)))
    roi.SetCenter(*middle)
    roi.EndModify(modified)
    roi.CreateDefaultDisplayNodes()
    display = roi.GetDisplayNode()
    if display is not None:
        display.SetVisibility(True)
        display.SetHandlesInteractive(True)


def mask_of(segmentation, volume, segment_id=None):
    """uint8 [k, j, i] on a volume's grid, 1 inside the segment; transforms of both nodes count.

    segment_id: None for the pancreas, or the only segment. Raises InputError.
    """
    segment_id = segment_id or pancreas_segment(segmentation)
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment_id)
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "__pancreas__")
    labels.HideFromEditorsOn()
    try:
        # With the volume's transform, the export brings the segment into the volume's own frame.
        labels.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        logic = slicer.modules.segmentations.logic()
        if not logic.ExportSegmentsToLabelmapNode(segmentation, ids, labels, volume):
            raise InputError(
                _("{name} cannot be brought onto the grid of {volume}; do they belong together?").format(
                    name=segmentation.GetName(), volume=volume.GetName()
                )
            )
        data = labels.GetImageData()
        array = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])
        return (array != 0).astype(np.uint8)
    finally:
        display = labels.GetDisplayNode()
        if display and display.GetColorNode():
            slicer.mrmlScene.RemoveNode(display.GetColorNode())
        slicer.mrmlScene.RemoveNode(labels)


def pancreas_segment(segmentation):
    """The ID of the pancreas in a segmentation: by terminology, by name, or because it is the only segment."""
    segments = segmentation.GetSegmentation()
    ids = [segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())]
    if not ids:
        raise InputError(_("{name} has no segments.").format(name=segmentation.GetName()))
    tag = slicer.vtkSegment.GetTerminologyEntryTagName()
    for one in ids:
        value = vtk.reference("")
        if segments.GetSegment(one).GetTag(tag, value) and "^15776009^" in str(value):
            return one
    for one in ids:
        # A segment may have no name at all.
        if "pancreas" in (segments.GetSegment(one).GetName() or "").lower():
            return one
    if len(ids) == 1:
        return ids[0]
    raise InputError(
        _("{name} has {count} segments, and none is called pancreas; rename the one that is meant.").format(
            name=segmentation.GetName(), count=len(ids)
        )
    )


def read_volume(path, name=None):
    """A scalar volume node of an image file, not in the scene yet. Raises InputError."""
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name or os.path.basename(path))
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(path)
    if not os.path.isfile(path) or not storage.ReadData(volume):
        raise InputError(_("{path} is missing or is no image that Slicer can read.").format(path=path))
    return volume
