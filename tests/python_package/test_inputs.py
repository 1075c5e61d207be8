"""Files and images of other packages lie where the library's own readers put the same file, and results go back."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import SPACING, ggpfn, has, tiny, voxels
from ggpfn.transforms import SegmentPancreasd

# i, j, k run along y, z, x, turned about two axes: a mistake of frame, order or sign moves some corner by centimetres.
ORIGIN = (10.0, -20.0, 30.0)
C, S = np.cos(0.2), np.sin(0.2)
DIRECTION = np.array([[C, -S, 0], [S, C, 0], [0, 0, 1]]) @ [[1, 0, 0], [0, C, -S], [0, S, C]] @ np.eye(3)[[2, 0, 1]]


def sitk_image():
    import SimpleITK

    image = SimpleITK.GetImageFromArray(voxels())
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(DIRECTION.ravel().tolist())
    return image


def itk_without_broken_torch():
    """ITK imports torch where it is installed, and fails where that cannot be imported, as in the tests' environment."""
    import itk
    import itk.support.helpers

    try:
        import torch  # noqa: F401
    except (ImportError, OSError):
        itk.support.helpers._HAVE_TORCH = False
    return itk


def write_dicom(folder):
    """A series of the same voxels, its files in no order."""
    import SimpleITK

    array, step = voxels(), DIRECTION[:, 2] * SPACING[2]
    turned = [f"{n:.9f}" for n in [*DIRECTION[:, 0], *DIRECTION[:, 1]]]
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for k in range(len(array)):
        image = SimpleITK.GetImageFromArray(array[k])
        image.SetSpacing(SPACING[:2])
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"1.2.3.4.{k + 1}",
            "0008|0060": "CT",
            "0020|000d": "1.2.3",
            "0020|000e": "1.2.3.4",
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{n:.6f}" for n in np.add(ORIGIN, step * k)),
            "0020|0037": "\\".join(turned),
            "0028|1052": "0",
            "0028|1053": "1",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(os.path.join(folder, f"{(k * 5) % len(array):02}.dcm"))
        writer.Execute(image)


@unittest.skipUnless(has("SimpleITK"), "SimpleITK is not there")
class Inputs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import SimpleITK

        cls.folder = tempfile.TemporaryDirectory(prefix="größe (1) ")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.files = {}
        for ending in ("nii.gz", "nrrd", "mha"):
            cls.files[ending] = Path(cls.folder.name) / f"scan.{ending}"
            SimpleITK.WriteImage(sitk_image(), str(cls.files[ending]))
        cls.files["dicom"] = Path(cls.folder.name) / "series"
        cls.files["dicom"].mkdir()
        write_dicom(cls.files["dicom"])
        cls.read = ggpfn.Image.read(cls.files["nii.gz"])

    def same_place(self, image, within=1e-3):
        """Every voxel is where the library reads it."""
        np.testing.assert_array_equal(image.array, self.read.array)
        corners = np.array([[i, j, k, 1] for i in (0, 24) for j in (0, 20) for k in (0, 12)]).T
        found, expected = (one.grid.affine("LPS") @ corners for one in (image, self.read))
        np.testing.assert_allclose(found, expected, atol=within)

    def test_the_librarys_own_reading(self):
        np.testing.assert_array_equal(self.read.array, voxels())
        np.testing.assert_allclose(self.read.direction, DIRECTION, atol=1e-5)
        for kind, path in self.files.items():
            with self.subTest(kind):
                self.same_place(ggpfn.Image.of(path))
                self.same_place(ggpfn.Image.of(os.fspath(path)))
        with self.assertRaisesRegex(ggpfn.Error, "nowhere.nii"):
            ggpfn.Image.of("nowhere.nii")
        noise = Path(self.folder.name) / "noise.nii"
        noise.write_bytes(b"nothing that is known")
        with self.assertRaisesRegex(ggpfn.ImageError, "noise.nii"):
            ggpfn.Image.of(noise)

    def test_simpleitk(self):
        import SimpleITK

        for kind in ("nii.gz", "nrrd", "mha"):
            self.same_place(ggpfn.Image.of(SimpleITK.ReadImage(str(self.files[kind]))))

    @unittest.skipUnless(has("nibabel"), "nibabel is not there")
    def test_nibabel(self):
        import nibabel

        self.same_place(ggpfn.Image.of(nibabel.load(self.files["nii.gz"])))

    @unittest.skipUnless(has("itk"), "ITK is not there")
    def test_itk(self):
        itk = itk_without_broken_torch()
        image = itk.image_from_array(voxels())
        image.SetSpacing(SPACING)
        image.SetOrigin(ORIGIN)
        image.SetDirection(itk.matrix_from_array(DIRECTION))
        self.same_place(ggpfn.Image.of(image))
        if has("xarray"):
            self.same_place(ggpfn.Image.of(itk.xarray_from_image(image)))

    @unittest.skipUnless(has("xarray"), "xarray is not there")
    def test_xarray(self):
        import xarray

        array = voxels()
        places = {name: 5 + step * np.arange(n) for name, step, n in zip("xyz", SPACING, array.shape[::-1])}
        straight = xarray.DataArray(array, dims=("z", "y", "x"), coords=places)
        expected = ggpfn.Image(array, SPACING, (5, 5, 5))
        # Any order of dimensions is the same image; coordinates that fall are an axis that points the other way.
        for image in (straight, straight.transpose("x", "z", "y")):
            found = ggpfn.Image.of(image)
            np.testing.assert_array_equal(found.array, array)
            np.testing.assert_allclose(found.grid.affine("LPS"), expected.grid.affine("LPS"))
        flipped = ggpfn.Image.of(straight[:, ::-1])
        np.testing.assert_array_equal(flipped.array, array[:, ::-1])
        last = expected.grid.affine("LPS") @ (0, 19, 0, 1)
        np.testing.assert_allclose(flipped.grid.affine("LPS") @ (0, 0, 0, 1), last)
        uneven = straight.assign_coords(z=np.arange(12.0) ** 2)
        for wrong, word in ((uneven, "along z are not evenly"), (straight.rename(z="t"), "x, y and z")):
            with self.assertRaisesRegex(ggpfn.ImageError, word):
                ggpfn.Image.of(wrong)

    def test_tensors_with_an_affine(self):
        """MONAI's and TorchIO's images are [1, i, j, k] with an affine to RAS."""

        class MetaTensor(np.ndarray):
            pass

        tensor = voxels().T[None].view(MetaTensor)
        tensor.affine, tensor.meta = self.read.grid.affine("RAS"), {}
        self.same_place(ggpfn.Image.of(tensor))

    def test_what_is_refused(self):
        array = voxels()
        wrong = [
            ((array,), {}, "spacing"),
            ((self.read,), {"spacing": (1, 1, 1)}, "spacing cannot be given"),
            ((self.files["nrrd"],), {"origin": (1, 1, 1)}, "origin cannot be given"),
            ((3,), {}, "int"),
            ((None,), {}, "NoneType"),
        ]
        for arguments, geometry, word in wrong:
            with self.subTest(word), self.assertRaisesRegex(ggpfn.ImageError, word):
                ggpfn.Image.of(*arguments, **geometry)


@unittest.skipUnless(has("SimpleITK"), "SimpleITK is not there")
class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = ggpfn.open_engine("in process")
        cls.model = tiny(cls.engine)
        cls.found = cls.engine.segment(sitk_image(), cls.model, probability=True, view_probabilities=True)
        cls.image = ggpfn.Image.from_sitk(sitk_image())

    def same_place(self, image, array):
        np.testing.assert_array_equal(image.array, array)
        np.testing.assert_allclose(image.grid.affine("LPS"), self.image.grid.affine("LPS"), atol=1e-5)

    def test_they_go_back(self):
        found = self.found
        self.same_place(ggpfn.Image.of(found.to_sitk()), found.mask)
        self.same_place(ggpfn.Image.of(found.to_sitk("probability")), found.probability)
        self.same_place(ggpfn.Image.of(found.to_sitk("coronal")), found.view_probabilities["coronal"])
        # From an image in RAS, too.
        ras = ggpfn.Image.from_ijk_to_ras(self.image.array, self.image.grid.affine("RAS"))
        again = self.engine.segment(ras, self.model)
        np.testing.assert_array_equal(again.mask, found.mask)
        self.same_place(ggpfn.Image.of(again.to_sitk()), found.mask)
        with self.assertRaisesRegex(ggpfn.Error, "uncertainty=True"):
            found.to_sitk("uncertainty")
        with self.assertRaisesRegex(ggpfn.Error, "mask, label_map, probability"):
            found.to_sitk("maks")

    @unittest.skipUnless(has("nibabel"), "nibabel is not there")
    def test_to_nibabel(self):
        self.same_place(ggpfn.Image.of(self.found.to_nibabel()), self.found.mask)

    @unittest.skipUnless(has("itk"), "ITK is not there")
    def test_to_itk(self):
        itk_without_broken_torch()
        self.same_place(ggpfn.Image.of(self.found.to_itk()), self.found.mask)

    def test_an_array_with_its_place(self):
        found = self.engine.segment(
            voxels(), self.model, spacing=SPACING, origin=ORIGIN, direction=DIRECTION, view_probabilities=True
        )
        np.testing.assert_array_equal(found.mask, self.found.mask)
        self.same_place(ggpfn.Image.of(found.to_sitk()), found.mask)
        memory = self.engine.estimate_memory(voxels(), self.model, spacing=SPACING)
        self.assertGreater(memory.host_bytes, 0)

    def test_a_row(self):
        row = self.found.row()
        self.assertEqual(row["volume_ml"], self.found.measurements.volume_ml)
        self.assertEqual((row["centroid_x"], row["centroid_y"], row["centroid_z"]), self.found.measurements.centroid)
        self.assertEqual(row["box_start_k"], self.found.measurements.box_start[2])
        self.assertEqual(row["doubtful"], self.found.quality.doubtful)
        for key, value in row.items():
            self.assertIsInstance(value, (int, float, str, type(None)), key)
        # An empty mask has the same columns.
        empty = self.engine.segment(voxels(), self.model, spacing=SPACING, threshold=1)
        self.assertEqual(empty.measurements.voxels, 0)
        self.assertEqual(list(empty.row()), list(row))
        self.assertIsNone(empty.row()["centroid_x"])

    def test_print_is_a_monitor(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.engine.segment(self.image, self.model, monitor=print)
        self.assertIn("100 %", said.getvalue())
        with self.assertRaises(ggpfn.Cancelled):
            self.engine.segment(self.image, self.model, monitor=lambda progress: False)
        with self.assertRaisesRegex(ggpfn.Error, "tqdm"):
            self.engine.segment(self.image, self.model, monitor=3)

    @unittest.skipUnless(has("tqdm"), "tqdm is not there")
    def test_a_bar_of_tqdm(self):
        import tqdm

        said = io.StringIO()
        bar = tqdm.tqdm(total=50, file=said)
        self.engine.segment(self.image, self.model, monitor=bar)
        self.assertEqual(bar.n, 50)
        self.assertIn("100%", said.getvalue())
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            self.engine.segment(self.image, self.model, monitor=tqdm.tqdm)
        self.assertIn("100%", said.getvalue())

    def test_the_transform(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tiny.safetensors")
            self.model.save(path, "float32")
            model = ggpfn.Model.load(path)
        ras = ggpfn.Image.from_ijk_to_ras(self.image.array, np.diag([*SPACING, 1.0]))
        expected = ggpfn.segment(ras, model).mask
        given = {"ct": voxels().T[None], "name": "one"}
        done = SegmentPancreasd("ct", "mask", model=model, spacing=SPACING, row="row")(given)
        self.assertEqual(list(given), ["ct", "name"])
        self.assertEqual((done["mask"].shape, done["name"]), ((1, 24, 20, 12), "one"))
        np.testing.assert_array_equal(done["mask"][0].T, expected)
        self.assertEqual(done["row"]["voxels"], expected.sum())
        done = SegmentPancreasd(["a", "b"], model=model)({"a": ras, "b": self.image})
        np.testing.assert_array_equal(done["a_pancreas"].mask, expected)
        np.testing.assert_array_equal(done["b_pancreas"].mask, self.found.mask)
        with self.assertRaises(ValueError):
            SegmentPancreasd(["a", "b"], "mask")


if __name__ == "__main__":
    unittest.main()
