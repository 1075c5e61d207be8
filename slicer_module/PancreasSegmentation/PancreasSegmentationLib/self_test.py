"""The module's self-test: the whole way from a volume of the scene to a segmentation, with the shipped model."""

import time

import numpy as np
import slicer
import vtk

from . import sample_data
from .kept import dice
from .parameters import Region
from .scene_input import mask_of, scan_of

# All three views, as a user has them: 0.69 in this region, 0.86 on the whole sample. A region hides what tells where
# one is, so it leaves 50 mm around the organ.
GOOD_ENOUGH = 0.65


def run(logic, test):
    """Runs it with a PancreasSegmentationLogic and a unittest.TestCase; returns (Dice, seconds)."""
    volume = sample_data.load()
    truth = sample_data.truth()
    parameters = logic.getParameterNode()
    parameters.inputVolume = volume
    parameters.region = Region.ROI
    parameters.roi = roi_around(volume, truth, margin=50.0)
    parameters.useSagittal = parameters.useCoronal = True
    parameters.outputSegmentation = None
    started = time.monotonic()
    segmentation = logic.process(parameters)
    seconds = time.monotonic() - started
    found = mask_of(segmentation, volume).astype(bool)
    score = dice(found, truth)
    test.assertGreater(score, GOOD_ENOUGH)
    _check_place(test, segmentation, volume, truth)

    parameters.threshold = 0.9
    logic.segmentation.try_threshold(parameters)
    test.assertLess(mask_of(segmentation, volume).sum(), found.sum())
    return score, seconds


def roi_around(volume, mask, margin=20.0):
    """A region of interest around a mask [k, j, i] of a volume whose axes are the world's; margin in mm."""
    where = np.argwhere(mask)[:, ::-1]
    matrix = scan_of(volume).matrix
    ends = [(matrix @ [*corner, 1])[:3] for corner in (where.min(axis=0), where.max(axis=0))]
    low, high = np.min(ends, axis=0) - margin, np.max(ends, axis=0) + margin
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Around the pancreas")
    roi.SetCenter(*((low + high) / 2))
    roi.SetSize(*(high - low))
    return roi


def _check_place(test, segmentation, volume, truth):
    """The surface lies around the truth in the patient, not only in the array."""
    surface = vtk.vtkPolyData()
    segmentation.GetClosedSurfaceRepresentation("Pancreas", surface)
    test.assertGreater(surface.GetNumberOfPoints(), 100)
    centre = (scan_of(volume).matrix @ [*np.argwhere(truth).mean(axis=0)[::-1], 1])[:3]
    bounds = surface.GetBounds()
    for axis in range(3):
        test.assertLess(bounds[2 * axis], centre[axis])
        test.assertGreater(bounds[2 * axis + 1], centre[axis])
