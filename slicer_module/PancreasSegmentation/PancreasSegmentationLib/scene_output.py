"""From arrays to the scene: segmentation nodes with a terminology, volumes of numbers, their place among the others.

What comes out belongs to the CT that it came from: the same parent transform, the same folder or patient in the
subject hierarchy. Masks come as a box within the volume, so that a large scan costs no more than its pancreas.
"""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from .written import SEGMENT_ID, note

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


def show_mask(volume, mask, start, segmentation=None, show_3d=True, surface=True):
    """Puts a mask into a segmentation node, as its segment Pancreas, and returns the node.

    volume: the node of the CT. mask: uint8 [k, j, i], a box of the volume whose first voxel is `start`, (i, j, k).
    segmentation: the node to use; None: a new one. Its other segments stay as they are. surface: False leaves the
    surface, which takes longer than all else, to `update_surface`.
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
    update_mask(volume, mask, start, segmentation, surface)
    if show_3d and surface:
        segmentation.CreateClosedSurfaceRepresentation()
    display = segmentation.GetDisplayNode()
    display.SetVisibility(True)
    display.SetVisibility2D(True)
    display.SetVisibility3D(show_3d)
    return segmentation


def update_mask(volume, mask, start, segmentation, surface=True):
    """Replaces the voxels of the segment Pancreas; a surface that is shown follows.

    surface: False leaves the surface as it is until `update_surface`. Returns the segment's fingerprint.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    set_voxels(segmentation, oriented_image(mask, start, matrix), surface)
    return note(segmentation)


def set_voxels(segmentation, labels, surface=True):
    """Replaces the voxels of the segment Pancreas by those of a vtkOrientedImageData."""
    segment = segmentation.GetSegmentation().GetSegment(SEGMENT_ID)
    held = None if surface else segment.GetRepresentation(SURFACE)
    modified = segmentation.StartModify()
    if held is not None:
        segment.RemoveRepresentation(SURFACE)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        labels,
        segmentation,
        SEGMENT_ID,
        slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE,
        labels.GetExtent(),
    )
    if held is not None:
        segment.AddRepresentation(SURFACE, held)
    segmentation.EndModify(modified)


def update_surface(volume, mask, start, segmentation):
    """Makes the surface of the segment Pancreas, whose voxels are these, follow them."""
    if segmentation.GetSegmentation().ContainsRepresentation(SURFACE):
        update_mask(volume, mask, start, segmentation)
    else:
        segmentation.CreateClosedSurfaceRepresentation()


def oriented_image(mask, start, matrix):
    """A vtkOrientedImageData of a box of voxels, with a copy of them; matrix: vtkMatrix4x4, (i, j, k) to RAS."""
    image = slicer.vtkOrientedImageData()
    extent = [edge for first, count in zip(start, mask.shape[::-1]) for edge in (first, first + count - 1)]
    image.SetExtent(extent)
    voxels = numpy_to_vtk(np.ascontiguousarray(mask, np.uint8).ravel(), deep=True)
    image.GetPointData().SetScalars(voxels)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def show_numbers(volume, array, name, node=None):
    """Puts float32 numbers [k, j, i] on the volume's grid into a scalar volume node, and returns it."""
    if node is None or node is volume:
        name = slicer.mrmlScene.GenerateUniqueName(name)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display:
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileViridis.txt")
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, max(float(array.max()), 1e-3))
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
