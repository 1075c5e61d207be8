"""Arrays of all types, orders and strides give the mask of the dense one, without a copy; frames; what is refused."""

import unittest

import numpy as np
from common import SPACING, ggpfn, has, tiny, voxels


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = ggpfn.open_engine("in process")
        cls.model = tiny(cls.engine)
        cls.array = voxels()
        cls.expected = cls.segment(ggpfn.Image(cls.array, SPACING)).mask
        assert 50 < cls.expected.sum() < cls.expected.size - 50

    @classmethod
    def segment(cls, image):
        return cls.engine.segment(image, cls.model)

    def same(self, array, copied=False, **geometry):
        image = ggpfn.Image(array, geometry.pop("spacing", SPACING), **geometry)
        self.assertEqual(np.shares_memory(image.array, array), not copied)
        if not copied:
            self.assertEqual(image.struct().data, array[:1, :1, :1].__array_interface__["data"][0])
        found = self.segment(image)
        np.testing.assert_array_equal(found.mask, self.expected)
        self.assertEqual(found.mask.dtype, np.uint8)

    def test_every_type(self):
        for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
            with self.subTest(kind):
                self.same(self.array.astype(kind))
        for kind in (">i2", ">u4", ">f4", ">f8", "f2"):
            with self.subTest(kind):
                self.same(self.array.astype(kind), copied=True)
        # The same size under another name: C's long and long long.
        self.same(self.array.astype(np.longlong))

    def test_every_stride(self):
        array = self.array
        wide = np.zeros((24, 23, 75), np.int16)
        wide[::2, 2:22, 1:73:3] = array
        within = {
            "i slowest": np.asfortranarray(array),
            "another order": np.ascontiguousarray(array.transpose(1, 2, 0)).transpose(2, 0, 1),
            "i backwards": np.ascontiguousarray(array[:, :, ::-1])[:, :, ::-1],
            "all backwards": np.ascontiguousarray(array[::-1, ::-1, ::-1])[::-1, ::-1, ::-1],
            "j and k backwards, i slowest": np.asfortranarray(array[::-1, ::-1])[::-1, ::-1],
            "steps and margins": wide[::2, 2:22, 1:73:3],
        }
        for name, view in within.items():
            with self.subTest(name):
                np.testing.assert_array_equal(view, array)
                self.same(view)

    def test_unaligned_read_only_and_field(self):
        raw = np.zeros(self.array.nbytes + 1, np.uint8)
        odd = raw[1:].view(np.int16).reshape(self.array.shape)
        odd[...] = self.array
        self.assertFalse(odd.flags.aligned)
        self.same(odd)
        fixed = self.array.copy()
        fixed.flags.writeable = False
        self.same(fixed)
        records = np.zeros(self.array.shape, [("a", "u1"), ("hu", "i2")])
        records["hu"] = self.array
        self.same(records["hu"])

    def test_the_voxels_are_not_written(self):
        before = self.array.copy()
        self.segment(ggpfn.Image(self.array, SPACING))
        np.testing.assert_array_equal(self.array, before)

    def test_a_broadcast_number(self):
        empty = ggpfn.Image(np.broadcast_to(np.float32(1), (9, 10, 11)))
        half = ggpfn.Image(np.broadcast_to(np.arange(11, dtype=np.int8) > 4, (9, 10, 11)))
        found = self.engine.evaluate(empty, half)
        self.assertEqual(found.recall, 1)
        self.assertAlmostEqual(found.precision, 6 / 11)

    def test_dlpack_alone(self):
        class Tensor:
            """What another package gives: no array interface, but DLPack."""

            def __init__(self, array, device=None):
                self._array, self._device = array, device

            def __dlpack__(self, **options):
                if self._device is not None:
                    raise BufferError("the data is on another device")
                return self._array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self._device or self._array.__dlpack_device__()

        image = ggpfn.Image(Tensor(self.array), SPACING)
        self.assertTrue(np.shares_memory(image.array, self.array))
        np.testing.assert_array_equal(self.segment(image).mask, self.expected)
        with self.assertRaisesRegex(ggpfn.ImageError, "processor's memory"):
            ggpfn.Image(Tensor(self.array, (2, 0)), SPACING)

    def test_bool_is_a_view(self):
        mask = self.array > 100
        image = ggpfn.Image(mask, SPACING)
        self.assertTrue(np.shares_memory(image.array, mask))
        self.assertEqual(self.engine.evaluate(image, ggpfn.Image(mask.astype(float), SPACING)).dice, 1)

    def test_ras_and_lps_are_one_place(self):
        turn = np.diag([-1.0, -1.0, 1.0])
        lps = ggpfn.Image(self.array, SPACING, origin=(10, -20, 30))
        ras = ggpfn.Image(self.array, SPACING, origin=(-10, 20, 30), direction=turn, frame="RAS")
        one, two = self.segment(lps), self.segment(ras)
        np.testing.assert_array_equal(one.mask, self.expected)
        np.testing.assert_array_equal(two.mask, self.expected)
        np.testing.assert_allclose(turn @ one.measurements.centroid, two.measurements.centroid)
        matrix = np.eye(4)
        matrix[:3, :3] = turn * SPACING
        matrix[:3, 3] = (-10, 20, 30)
        three = self.segment(ggpfn.Image.from_ijk_to_ras(self.array, matrix))
        np.testing.assert_array_equal(three.mask, self.expected)
        self.assertEqual(three.measurements, _but_time(two.measurements, three.measurements))
        # Another orientation is another image for a network that knows where the spine is.
        other = self.segment(ggpfn.Image(self.array, SPACING, direction=turn))
        self.assertFalse(np.array_equal(other.mask, self.expected))

    def test_an_oblique_matrix_gives_spacing_and_direction(self):
        c, s = np.cos(0.3), np.sin(0.3)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ np.diag(SPACING)
        matrix[:3, 3] = (1, 2, 3)

        class Vtk:
            def GetElement(self, row, column):
                return matrix[row, column]

        for given in (matrix, matrix.tolist(), Vtk()):
            image = ggpfn.Image.from_ijk_to_ras(self.array, given)
            np.testing.assert_allclose(image.spacing, SPACING)
            np.testing.assert_allclose(image.direction, turn)
            np.testing.assert_allclose(image.origin, (1, 2, 3))
            self.assertEqual((image.frame, image.size), ("RAS", (24, 20, 12)))

    def test_what_is_refused(self):
        array = self.array
        cases = [
            (np.ma.masked_less(array, 3), "masked"),
            (array[None], "4 dimensions, 1 x 12 x 20 x 24"),
            (array[0], "2 dimensions"),
            (array[:0], "empty"),
            (array.astype(complex), "complex128"),
            (array.astype(object), "object"),
            (array.astype("M8[s]"), "float32 or float64"),
        ]
        if np.dtype(np.longdouble).itemsize > 8:
            cases.append((array.astype(np.longdouble), "float32 or float64"))
        for wrong, word in cases:
            with self.assertRaises(ggpfn.ImageError) as raised:
                ggpfn.Image(wrong)
            self.assertIn(word, str(raised.exception))
            self.assertTrue(str(raised.exception).endswith("."))
        geometries = [
            {"spacing": (1, 2)},
            {"spacing": (1, float("nan"), 1)},
            {"spacing": "thick"},
            {"origin": (0, 0, 0, 0)},
            {"direction": np.eye(2)},
            {"frame": "ras"},
        ]
        for wrong in geometries:
            with self.assertRaises(ggpfn.ImageError) as raised:
                ggpfn.Image(array, **wrong)
            self.assertIn(next(iter(wrong)), str(raised.exception))
        with self.assertRaises(ggpfn.ImageError):
            ggpfn.Image.from_ijk_to_ras(array, np.diag([1, 0, 1, 1]))

    def test_what_the_library_refuses(self):
        hole = self.array.astype(np.float32)
        hole[3, 4, 5] = np.nan
        shear = np.eye(3)
        shear[0, 1] = 0.5
        wrong = [
            ggpfn.Image(hole, SPACING),
            ggpfn.Image(self.array, (1, 0, 1)),
            ggpfn.Image(self.array, SPACING, direction=shear),
        ]
        for image in wrong:
            with self.assertRaises(ggpfn.ImageError) as raised:
                self.segment(image)
            self.assertEqual(raised.exception.status, 2)
            self.assertGreater(len(raised.exception.message), 10)
        with self.assertRaises(ggpfn.Error) as raised:
            self.engine.segment(self.array, self.model)
        self.assertIn("ggpfn.Image", str(raised.exception))

    @unittest.skipUnless(has("SimpleITK"), "SimpleITK is not there")
    def test_simpleitk(self):
        import SimpleITK

        source = SimpleITK.GetImageFromArray(self.array)
        source.SetSpacing(SPACING)
        source.SetOrigin((10, -20, 30))
        image = ggpfn.Image.from_sitk(source)
        self.assertEqual(image.frame, "LPS")
        self.assertEqual(image.struct().data, int(_address(SimpleITK.GetArrayViewFromImage(source))))
        # The image's memory stays, though nothing else refers to it any more.
        array = image.array
        found = self.segment(image)
        del source, image
        np.testing.assert_array_equal(array, self.array)
        np.testing.assert_array_equal(found.mask, self.expected)
        four = SimpleITK.JoinSeries([SimpleITK.Image([3, 3, 3], SimpleITK.sitkInt16)] * 2)
        colour = SimpleITK.Image([3, 3, 3], SimpleITK.sitkVectorUInt8, 3)
        for wrong in (four, colour):
            with self.assertRaises(ggpfn.ImageError):
                ggpfn.Image.from_sitk(wrong)

    @unittest.skipUnless(has("nibabel"), "nibabel is not there")
    def test_nibabel_as_the_program_reads_it(self):
        """Units, headers that say nothing of how the image lies, series of one volume: nibabel leaves them to its caller."""
        import nibabel

        affine = np.array([[-2, 0, 0, 40], [0, -2, 0, 36], [0, 0, 3, -100], [0, 0, 0, 1.0]])
        expected = ggpfn.Image.from_ijk_to_ras(np.zeros((6, 5, 4), np.int16), affine)
        for unit, factor in (("mm", 1), ("meter", 1e-3), ("micron", 1e3), (None, 1)):
            image = nibabel.Nifti1Image(np.zeros((4, 5, 6, 1), np.int16), np.diag([factor] * 3 + [1]) @ affine)
            image.header.set_xyzt_units(unit)
            found = ggpfn.Image.from_nibabel(image)
            self.assertEqual(found.size, (4, 5, 6))
            np.testing.assert_allclose(found.spacing, expected.spacing, rtol=1e-6)
            np.testing.assert_allclose(found.origin, expected.origin, rtol=1e-6)
        image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
        image.header.set_zooms((2, 2, 3))
        image = nibabel.Nifti1Image.from_bytes(image.to_bytes())
        self.assertEqual((int(image.header["qform_code"]), int(image.header["sform_code"])), (0, 0))
        found = ggpfn.Image.from_nibabel(image)
        expected = ggpfn.Image.from_ijk_to_ras(np.zeros((6, 5, 4), np.int16), np.diag([2, 2, 3, 1.0]))
        np.testing.assert_allclose(found.origin, expected.origin)
        np.testing.assert_allclose(found.direction, expected.direction)

    @unittest.skipUnless(has("nibabel"), "nibabel is not there")
    def test_nibabel(self):
        import nibabel

        affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1])
        held = self.array.T.copy()
        image = ggpfn.Image.from_nibabel(nibabel.Nifti1Image(held, affine))
        self.assertTrue(np.shares_memory(image.array, held))
        self.assertEqual((image.frame, image.size), ("RAS", (24, 20, 12)))
        np.testing.assert_array_equal(self.segment(image).mask, self.expected)
        with self.assertRaises(ggpfn.ImageError) as raised:
            ggpfn.Image.from_nibabel(nibabel.Nifti1Image(np.stack([held, held], axis=-1), affine))
        self.assertIn("image.slicer", str(raised.exception))


def _address(array):
    return array.__array_interface__["data"][0]


def _but_time(measurements, other):
    import dataclasses

    return dataclasses.replace(measurements, seconds=other.seconds)


if __name__ == "__main__":
    unittest.main()
