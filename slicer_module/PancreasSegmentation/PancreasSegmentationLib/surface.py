"""The closed surface of a mask, made on a thread beside a living window.

Slicer makes surfaces on the main thread, and that of a pancreas blocks the window for a tenth of a second. So the same
filters run here, with the settings that the segmentation has for its surfaces, and the scene gets the finished surface.
VTK releases Python's lock while a filter runs, or, as in Slicer 5.8, between two filters.
"""

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk


@dataclass(frozen=True)
class Settings:
    """How surfaces are made: Slicer's conversion parameters."""

    smoothing: float
    decimation: float
    normals: bool

    @classmethod
    def of(cls, segmentation=None):
        """Those of a segmentation node, or of a new one; None if they ask for what only Slicer itself can do."""
        if segmentation is None:
            segmentation = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentationNode")
            segmentation.UnRegister(None)
        read = segmentation.GetSegmentation().GetConversionParameter
        # Not every Slicer has every parameter; one that is not there is off.
        if any(float(read(name) or 0) for name in ("Conversion method", "Joint smoothing")):
            return None
        return cls(
            smoothing=float(read("Smoothing factor") or 0),
            decimation=float(read("Decimation factor") or 0),
            normals=bool(float(read("Compute surface normals") or 0)),
        )


def surface_of(mask, start, matrix, settings):
    """vtkPolyData around the voxels of a mask, in RAS. On any thread.

    mask: uint8 [k, j, i], a box whose first voxel is `start`, (i, j, k). matrix: 4 x 4, voxel (i, j, k) to RAS.
    """
    # A surface is closed where there is something around it.
    padded = np.pad(mask, 1)
    image = vtk.vtkImageData()
    image.SetDimensions(padded.shape[::-1])
    image.SetOrigin(*(first - 1 for first in start))
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel()))
    edges = vtk.vtkDiscreteFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 1)
    edges.ComputeGradientsOff()
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    last = _updated(edges)
    if not last.GetOutput().GetNumberOfPolys():
        return vtk.vtkPolyData()
    if settings.decimation > 0:
        last = _updated(_decimation(settings.decimation), last)
    if settings.smoothing > 0:
        last = _updated(_smoothing(settings.smoothing), last)
    place = vtk.vtkTransform()
    place.SetMatrix(np.asarray(matrix, float).ravel())
    transform = vtk.vtkTransformPolyDataFilter()
    transform.SetTransform(place)
    last = _updated(transform, last)
    if settings.normals:
        normals = vtk.vtkPolyDataNormals()
        normals.SplittingOff()
        last = _updated(normals, last)
    surface = vtk.vtkPolyData()
    surface.ShallowCopy(last.GetOutput())
    return surface


def _updated(filter_, source=None):
    """One filter at a time, so that a VTK that keeps Python's lock gives it back in between."""
    if source is not None:
        filter_.SetInputConnection(source.GetOutputPort())
    filter_.Update()
    return filter_


def _decimation(factor):
    decimation = vtk.vtkDecimatePro()
    decimation.SetFeatureAngle(60)
    decimation.SplittingOff()
    decimation.PreserveTopologyOn()
    decimation.SetMaximumError(1)
    decimation.SetTargetReduction(factor)
    return decimation


def _smoothing(factor):
    """From 0 to 1, as in Slicer: 0.5 takes the steps between voxels away, and hardly shrinks."""
    smoothing = vtk.vtkWindowedSincPolyDataFilter()
    smoothing.SetNumberOfIterations(int(20 + 40 * factor))
    smoothing.SetPassBand(10 ** (-4 * factor))
    smoothing.BoundarySmoothingOff()
    smoothing.FeatureEdgeSmoothingOff()
    smoothing.NonManifoldSmoothingOn()
    smoothing.NormalizeCoordinatesOn()
    return smoothing
