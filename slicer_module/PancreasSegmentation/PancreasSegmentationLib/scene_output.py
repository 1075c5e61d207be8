"""From arrays to the scene: segmentation nodes with a terminology, volumes of numbers, their place among the others.

What comes out belongs to the CT that it came from: the same parent transform, the same folder or patient in the
subject hierarchy. Masks come as a box within the volume, so that a large scan costs no more than its pancreas.
"""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from .written import LABEL_PREFIX, SEGMENT_ID, note

SURFACE = "Closed surface"
# SNOMED CT; the colour is the one of Slicer's General Anatomy list.
TERMINOLOGY = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^15776009^Pancreas~^^~Anatomic codes - DICOM master list~^^~^^"
)
COLOR = (249 / 255, 180 / 255, 111 / 255)


def save_undo_state():
    """Lets one Undo take back all that follows, where the scene's undo is switched on."""
    if slicer.mrmlScene.GetUndoFlag():
        slicer.mrmlScene.SaveStateForUndo()


def show_mask(volume, mask, start, segmentation=None, show_3d=True, surface=None):
    """Puts a mask into a segmentation node, as its segment Pancreas, and returns the node.

    volume: the node of the CT. mask: uint8 [k, j, i], a box of the volume whose first voxel is `start`, (i, j, k).
    segmentation: the node to use; None: a new one. Its other segments stay as they are. surface: of the mask,
    vtkPolyData in the volume's frame; None: Slicer makes it, if it is wanted, which takes longer than all else.
    """
    if segmentation is None:
        segmentation = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSegmentationNode",
            slicer.mrmlScene.GenerateUniqueName(_("{name} pancreas").format(name=volume.GetName())),
        )
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    belong_to(segmentation, volume)
    segments = segmentation.GetSegmentation()
    if segments.GetSegment(SEGMENT_ID) is None:
        segments.AddEmptySegment(SEGMENT_ID, _("pancreas"), COLOR)
    segment = segments.GetSegment(SEGMENT_ID)
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), TERMINOLOGY)
    update_mask(volume, mask, start, segmentation, surface if show_3d else None)
    if show_3d:
        # Of all segments that have none yet.
        segmentation.CreateClosedSurfaceRepresentation()
    display = segmentation.GetDisplayNode()
    display.SetVisibility(True)
    display.SetVisibility2D(True)
    display.SetVisibility3D(show_3d)
    return segmentation


def show_labels(volume, label_map, labels, segmentation):
    """Puts the labels of a model beside the pancreas into a segmentation, a segment for each.

    label_map: uint8 [k, j, i] of the whole volume, each label's value. labels: all of ggpfn.Label that the model has;
    the first is the segment Pancreas and stays as it is. They can be moved no more by the threshold.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    segments = segmentation.GetSegmentation()
    for label in labels[1:]:
        name = f"{LABEL_PREFIX}{label.value}"
        if segments.GetSegment(name) is None:
            segments.AddEmptySegment(name, label.name, [part / 255 for part in label.colour])
        segment = segments.GetSegment(name)
        value, scheme, meaning = label.code or ("85756007", "SCT", "Tissue")
        segment.SetTag(
            slicer.vtkSegment.GetTerminologyEntryTagName(),
            TERMINOLOGY.replace("SCT^15776009^Pancreas", f"{scheme}^{value}^{meaning}"),
        )
        mask = label_map == label.value
        where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(int(part[0]), int(part[-1]) + 1) if len(part) else slice(0, 1) for part in where)
        start = tuple(part.start for part in box[::-1])
        set_voxels(segmentation, oriented_image(mask[box], start, matrix), segment_id=name)
        note(segmentation, name)


def update_mask(volume, mask, start, segmentation, surface=None):
    """Replaces the voxels of the segment Pancreas; `surface` is as in `set_voxels`. Returns its fingerprint."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    set_voxels(segmentation, oriented_image(mask, start, matrix), surface)
    return note(segmentation)


def set_voxels(segmentation, labels, surface=None, segment_id=SEGMENT_ID):
    """Replaces the voxels of a segment by those of a vtkOrientedImageData.

    surface: vtkPolyData that the segment gets with them; None: Slicer makes one where the segmentation has surfaces.
    """
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    modified = segmentation.StartModify()
    if surface is not None:
        # Slicer makes a surface anew where there is one.
        segment.RemoveRepresentation(SURFACE)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        labels,
        segmentation,
        segment_id,
        slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE,
        labels.GetExtent(),
    )
    if surface is not None:
        segment.AddRepresentation(SURFACE, surface)
    segmentation.EndModify(modified)


def surface_that_is_shown(segmentation):
    """The surface of the segment Pancreas as it is, whatever its voxels are by now; None if it has none."""
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    return None if segment is None else segment.GetRepresentation(SURFACE)


def set_surface(segmentation, surface):
    """Replaces the surface of the segment Pancreas."""
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    modified = segmentation.StartModify()
    segment.RemoveRepresentation(SURFACE)
    segment.AddRepresentation(SURFACE, surface)
    segmentation.EndModify(modified)


def oriented_image(mask, start, matrix):
    """A vtkOrientedImageData of a box of voxels, with a copy of them; matrix: vtkMatrix4x4, (i, j, k) to RAS."""
    image = slicer.vtkOrientedImageData()
    extent = [edge for first, count in zip(start, mask.shape[::-1]) for edge in (first, first + count - 1)]
    image.SetExtent(extent)
    voxels = numpy_to_vtk(np.ascontiguousarray(mask, np.uint8).ravel(), deep=True)
    image.GetPointData().SetScalars(voxels)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def show_numbers(volume, array, name, node=None, highest=1.0):
    """Puts float32 numbers [k, j, i] on the volume's grid into a scalar volume node, and returns it.

    The node shares the array's memory, which nobody may change afterwards. highest: the number shown brightest.
    """
    if node is None or node is volume:
        name = slicer.mrmlScene.GenerateUniqueName(name)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    # Before there are voxels: otherwise Slicer would look at all of them for a window, and then at ours.
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display:
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileViridis.txt")
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, max(float(highest), 1e-3))
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel()))
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    belong_to(node, volume)
    return node


def belong_to(node, volume):
    """Gives a node the volume's parent transform and its place in the subject hierarchy."""
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    lie_beside(node, volume)


def lie_beside(node, other):
    """Puts a node into the folder, patient or study of the subject hierarchy that has another one."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None or not hierarchy.GetItemByDataNode(other):
        return
    parent, own = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(other)), hierarchy.GetItemByDataNode(node)
    if own:
        hierarchy.SetItemParent(own, parent)
    else:
        hierarchy.CreateItem(parent, node)
