"""What the tests share. In Slicer they run in the application; elsewhere on the package slicer-core with stand-ins
from the folder `tests` of the extension's source."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

HERE = Path(__file__).resolve().parent
MODULE = HERE.parents[1]
REPOSITORY = HERE.parents[3]
SHARED = Path(os.environ.get("GGPFN_SHARED") or REPOSITORY.parent / "shared")
REAL_CT = SHARED / "data" / "ct" / "example_ct.nii.gz"
IN_SLICER = hasattr(slicer, "app")

if not IN_SLICER:
    sys.path.insert(0, str(MODULE.parent / "tests"))
    import standins

    standins.install()

import ggpfn  # noqa: E402
from PancreasSegmentationLib import sample_data  # noqa: E402
from PancreasSegmentationLib.parameters import Region  # noqa: E402
from PancreasSegmentationLib.scene_output import oriented_image  # noqa: E402
from PancreasSegmentationLib.self_test import roi_around  # noqa: E402

from PancreasSegmentation import PancreasSegmentationLogic  # noqa: E402


class SceneTest(unittest.TestCase):
    """A test with an empty scene and a folder that is removed afterwards."""

    # One logic for all tests, so that the library and its model are loaded once.
    logic = PancreasSegmentationLogic()

    def setUp(self):
        if IN_SLICER:
            slicer.mrmlScene.Clear(0)
        else:
            standins.new_scene()
        folder = tempfile.TemporaryDirectory(prefix="pancreas ünïcode ")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def parameters(self, volume, axial_only=True):
        """The parameter node for a volume; the axial view alone is the fastest."""
        parameters = self.logic.getParameterNode()
        parameters.inputVolume = volume
        if axial_only:
            parameters.useSagittal = parameters.useCoronal = False
        return parameters

    def sample(self):
        """(parameters, volume, truth) for the synthetic CT, with a region around its pancreas: seconds."""
        volume, truth = sample_data.load(), sample_data.truth()
        parameters = self.parameters(volume)
        parameters.region, parameters.roi = Region.ROI, roi_around(volume, truth)
        return parameters, volume, truth

    def pretend(self, parameters, probability):
        """Segments as if the network had found a probability [k, j, i]; returns the segmentation node."""
        with self.pretended(parameters, probability):
            return self.logic.process(parameters)

    def pretended(self, parameters, probability, doubtful=False):
        """In a with statement: what is segmented has a probability [k, j, i], without a network."""
        _mask, nothing = self.logic.segmentation.engines.engine().threshold(
            ggpfn.Image(np.zeros((3, 3, 3), np.int16)), np.zeros((3, 3, 3), np.float32), 0.5
        )
        found = ggpfn.Segmentation(
            mask=(probability >= np.float32(parameters.threshold)).astype(np.uint8),
            measurements=nothing,
            quality=ggpfn.Quality(0.2 if doubtful else 0.6, doubtful),
            probability=probability.astype(np.float32),
        )
        return mock.patch("PancreasSegmentationLib.segmenting.segment", return_value=found)

    def segments_of(self, segmentation):
        segments = segmentation.GetSegmentation()
        return [segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())]


def add_volume(array, matrix, name="CT", transform=None):
    """Adds a scalar volume node: array [k, j, i]; matrix 4 x 4, IJK to RAS."""
    volume = slicer.util.addVolumeFromArray(array, np.asarray(matrix, float), name)
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform.GetID())
    return volume


def ball(shape, radius=0.8):
    """A probability, float32 [k, j, i]: 1 in the middle, falling to 0 at a radius, in parts of half the array."""
    axes = np.meshgrid(*(np.linspace(-1, 1, count) for count in shape), indexing="ij")
    return np.clip(1 - np.sqrt(sum(axis**2 for axis in axes)) / radius, 0, 1).astype(np.float32)


def erase_half(segmentation, segment_id="Pancreas"):
    """Takes the upper half of a segment away, as an eraser does: in the label map itself."""
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    labels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    value = segmentation.GetSegmentation().GetSegment(segment_id).GetLabelValue()
    where = np.argwhere(labels == value)
    half = (where[0, 0] + where[-1, 0]) // 2
    labels[half:][labels[half:] == value] = 0
    image.GetPointData().GetScalars().Modified()
    image.Modified()


def draw(segmentation, mask, volume, segment_id="Pancreas"):
    """Replaces the voxels of a segment by a mask [k, j, i] of the whole volume, as the Segment Editor does."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    labels = oriented_image(mask, (0, 0, 0), matrix)
    assert logic.SetBinaryLabelmapToSegment(labels, segmentation, segment_id, logic.MODE_REPLACE, labels.GetExtent())


def add_transform(matrix, name="moved"):
    """Adds a linear transform node of a 4 x 4 matrix to the parent's RAS."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(matrix, float)))
    return node


def rotation(degrees, axis=2):
    """4 x 4 rotation about a RAS axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    a, b = [n for n in range(3) if n != axis]
    matrix = np.eye(4)
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    return matrix


def translation(*mm):
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix


def world_points(node, mask, matrix):
    """World RAS coordinates, n x 3, of the voxels of a mask [k, j, i] whose node has the given IJK to RAS matrix."""
    ijk = np.argwhere(mask)[:, ::-1]
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    ras = np.c_[ijk, np.ones(len(ijk))] @ np.asarray(matrix).T
    return np.array([transform.TransformPoint(point) for point in ras[:, :3]])


def surface_points(segmentation, segment="Pancreas"):
    """World RAS coordinates, n x 3, of a segment's surface."""
    surface = vtk.vtkPolyData()
    segmentation.GetClosedSurfaceRepresentation(segment, surface)
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(segmentation.GetParentTransformNode(), None, transform)
    return np.array([transform.TransformPoint(surface.GetPoint(n)) for n in range(surface.GetNumberOfPoints())])


def save_scene(folder):
    """Writes the scene with all its data; returns the path of the .mrml file."""
    scene = slicer.mrmlScene
    scene.SetRootDirectory(folder)
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLStorableNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLStorableNode")
        if node.GetSaveWithScene():
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        if storage is not None:
            ending = storage.GetDefaultWriteFileExtension()
            storage.SetFileName(os.path.join(folder, f"{node.GetID()}.{ending}"))
            assert storage.WriteData(node), node.GetName()
    path = os.path.join(folder, "scene.mrml")
    scene.SetURL(path)
    assert scene.Commit(path)
    return path


def load_scene(path):
    """A new scene from a .mrml file."""
    if IN_SLICER:
        slicer.util.loadScene(path)
        return
    scene = standins.new_scene()
    scene.SetURL(path)
    assert scene.Connect()
