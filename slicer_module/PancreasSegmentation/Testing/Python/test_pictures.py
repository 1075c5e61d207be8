"""Slices and 3D view, rendered by Slicer's own view classes: the pancreas is drawn, and drawn in its place.

GGPFN_TEST_TRAME_PYTHON names an interpreter with trame-slicer and slicer-layer-dm; without it this test skips.
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

EXTENSION = Path(__file__).resolve().parents[3]
PYTHON = os.environ.get("GGPFN_TEST_TRAME_PYTHON")


def read_png(path):
    """uint8 [rows, columns, channels], from the top."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    columns, rows, _one = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)[::-1]


def coloured(picture):
    """Where a picture has the colour of the pancreas, in any brightness, rather than grey or the blue background."""
    red, _green, blue = (picture[..., n].astype(int) for n in range(3))
    return red - blue > 30


class Pictures(unittest.TestCase):
    @unittest.skipUnless(PYTHON, "GGPFN_TEST_TRAME_PYTHON is not set")
    def test_the_pancreas_is_drawn_in_its_place(self):
        with tempfile.TemporaryDirectory() as folder:
            script = EXTENSION / "tools" / "make_screenshots.py"
            run = subprocess.run(
                [PYTHON, str(script), "views", "sample", folder], capture_output=True, text=True, errors="replace"
            )
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            slices, threed = read_png(Path(folder) / "slices.png"), read_png(Path(folder) / "threed.png")
        axial, coronal, sagittal = np.split(slices, 3, axis=1)
        for name, tile in (("axial", axial), ("coronal", coronal), ("sagittal", sagittal)):
            self.assertTrue(300 < coloured(tile).sum() < 20000, name)
        # Right of the picture's middle is the patient's left, and that is where the organ's tail lies.
        where = np.argwhere(coloured(axial))
        self.assertGreater(where[:, 1].mean(), axial.shape[1] / 2)
        # In front of the spine, in the upper half of the picture.
        self.assertLess(where[:, 0].mean(), axial.shape[0] / 2 + 20)
        self.assertGreater(coloured(threed).sum(), 10000)


if __name__ == "__main__":
    unittest.main()
