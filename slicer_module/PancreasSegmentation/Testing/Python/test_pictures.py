"""Slices and 3D view, rendered by Slicer's own view classes: the pancreas is drawn, and drawn in its place.

Needs the packages trame-slicer and slicer-layer-dm; without them this test skips.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import vtk
from pancreas_testing import REAL_CT
from vtk.util.numpy_support import vtk_to_numpy

EXTENSION = Path(__file__).resolve().parents[3]
HAS_VIEWS = all(importlib.util.find_spec(name) for name in ("trame_slicer", "LayerDMLib"))


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
    def setUp(self):
        # Not the class as a whole: to the first Pythons 3.12, a file of which nothing ran has failed.
        if not HAS_VIEWS:
            self.skipTest("trame-slicer and slicer-layer-dm are not there")

    def render(self, ct):
        """The three slices by their names, the 3D view, and where the slices should show the mask."""
        script = EXTENSION / "tools" / "make_screenshots.py"
        with tempfile.TemporaryDirectory() as folder:
            # A process of its own: the views bring a scene of theirs.
            command = [sys.executable, str(script), "views", str(ct), folder]
            run = subprocess.run(command, capture_output=True, text=True, errors="replace")
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            slices, threed = read_png(Path(folder) / "slices.png"), read_png(Path(folder) / "threed.png")
            places = json.loads((Path(folder) / "views.json").read_text(encoding="utf-8"))
        return dict(zip(("axial", "coronal", "sagittal"), np.split(slices, 3, axis=1))), threed, places

    def check(self, tiles, places):
        """What is coloured in a slice lies where the mask does, and is as large."""
        for name, tile in tiles.items():
            where, place = np.argwhere(coloured(tile)), places[name]
            with self.subTest(name):
                self.assertGreater(place["pixels"], 100)
                self.assertAlmostEqual(len(where) / place["pixels"], 1, delta=0.5)
                row, column = where.mean(axis=0)
                self.assertAlmostEqual(row, place["row"], delta=6)
                self.assertAlmostEqual(column, place["column"], delta=6)

    def test_the_pancreas_of_the_sample_is_drawn_in_its_place(self):
        tiles, threed, places = self.render("sample")
        self.check(tiles, places)
        for name, tile in tiles.items():
            self.assertTrue(300 < coloured(tile).sum() < 20000, name)
        # Right of the picture's middle is the patient's left, and that is where the organ's tail lies.
        rows, columns = tiles["axial"].shape[:2]
        where = np.argwhere(coloured(tiles["axial"]))
        self.assertGreater(where[:, 1].mean(), columns / 2)
        # In front of the spine, in the upper half of the picture.
        self.assertLess(where[:, 0].mean(), rows / 2 + 20)
        self.assertGreater(coloured(threed).sum(), 10000)

    @unittest.skipUnless(REAL_CT.is_file(), f"{REAL_CT} is not there")
    def test_the_mask_of_a_real_ct_is_drawn_in_its_place(self):
        tiles, threed, places = self.render(REAL_CT)
        self.check(tiles, places)
        self.assertGreater(coloured(threed).sum(), 1000)


if __name__ == "__main__":
    unittest.main()
