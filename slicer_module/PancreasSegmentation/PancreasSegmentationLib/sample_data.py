"""The synthetic CT that comes with the extension, and its exact truth.

`ggpfn synth --count 1 --seed 4 --spacing 4` made them: an abdomen that is made up whole. No patient was scanned for it.
"""

import os

import slicer
from vtk.util.numpy_support import vtk_to_numpy

from .scene_input import read_volume

NAME = "SyntheticAbdomenCT"
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "SampleData")


def load():
    """Adds the CT to the scene; returns its volume node."""
    volume = slicer.mrmlScene.AddNode(read_volume(os.path.join(FOLDER, "SyntheticAbdomenCT.nii.gz"), NAME))
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    if display:
        display.AutoWindowLevelOff()
        display.SetWindowLevel(400, 40)
    return volume


def truth():
    """Where its pancreas is: bool [k, j, i] on its grid."""
    volume = read_volume(os.path.join(FOLDER, "SyntheticAbdomenTruth.nii.gz"))
    data = volume.GetImageData()
    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1]) != 0
