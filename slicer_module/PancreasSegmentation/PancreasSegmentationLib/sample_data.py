"""The synthetic CT that comes with the extension, and its exact truth.

`ggpfn synth --count 1 --seed 4 --spacing 4` made them: an abdomen that is made up whole. No patient was scanned for it.
"""

from pathlib import Path

import slicer
from vtk.util.numpy_support import vtk_to_numpy

from .scene_input import read_volume

NAME = "SyntheticAbdomenCT"
FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "SampleData"
PATH = FOLDER / "SyntheticAbdomenCT.nii.gz"
CHECKSUM = "SHA256:b8ed4a461b52200c5d858fe3e4c8350d9b243c49084217d9fbc338380365c335"


def load():
    """Adds the CT to the scene; returns its volume node."""
    volume = slicer.mrmlScene.AddNode(read_volume(str(PATH), NAME))
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    if display:
        display.AutoWindowLevelOff()
        display.SetWindowLevel(400, 40)
    return volume


def truth():
    """Where its pancreas is: bool [k, j, i] on its grid."""
    volume = read_volume(str(FOLDER / "SyntheticAbdomenTruth.nii.gz"))
    data = volume.GetImageData()
    return vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1]) != 0
