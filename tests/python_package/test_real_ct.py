"""The mask of the real CT, read by nibabel and segmented through the package, is the program's, byte for byte."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import SHARED, ggpfn, has

CT = SHARED / "data" / "ct" / "example_ct.nii.gz"
PROGRAM = os.environ.get("GGPFN_PROGRAM")


class RealCt(unittest.TestCase):
    def test_mask_is_the_programs(self):
        # Not by a decorator: for Python 3.12.1 a file whose tests are all skipped that way has failed.
        for there, what in ((CT.exists(), CT), (PROGRAM, "GGPFN_PROGRAM"), (has("nibabel"), "nibabel")):
            if not there:
                self.skipTest(f"{what} is not there")
        import nibabel

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mask.nii"
            subprocess.run([PROGRAM, "segment", str(CT), str(path), "--views", "axial", "--quiet"], check=True)
            written = nibabel.load(path)
            expected = np.asarray(written.dataobj).T.copy()
        image = ggpfn.Image.from_nibabel(nibabel.load(CT))
        found = ggpfn.segment(image, views="axial")
        self.assertEqual(found.mask.shape, expected.shape)
        np.testing.assert_array_equal(found.mask, expected)
        # Where it is in the patient, too: the centroid in RAS by the program's own file.
        self.assertGreater(found.measurements.voxels, 1000)
        index = np.argwhere(expected.T).mean(axis=0)
        place = written.affine @ [*index, 1]
        np.testing.assert_allclose(found.measurements.centroid, place[:3], atol=1e-3)


if __name__ == "__main__":
    unittest.main()
