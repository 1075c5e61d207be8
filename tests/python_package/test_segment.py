"""Options, results, models, fusion, thresholds and comparisons."""

import dataclasses
import gc
import os
import pickle
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np
from common import SPACING, TINY, ggpfn, has, tiny, voxels


class Segment(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = ggpfn.open_engine("in process")
        cls.model = tiny(cls.engine)
        cls.image = ggpfn.Image(voxels(), SPACING, frame="RAS")
        everything = {"probability": True, "view_probabilities": True, "uncertainty": True}
        cls.all = cls.engine.segment(cls.image, cls.model, precision="float32", **everything)

    def test_all_results(self):
        found, measured = self.all, self.all.measurements
        views = np.stack([found.view_probabilities[view] for view in ggpfn.VIEWS])
        np.testing.assert_array_equal(found.mask, found.probability >= np.float32(0.5))
        np.testing.assert_allclose(found.probability, views.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(found.uncertainty, views.std(axis=0), atol=1e-5)
        k, j, i = np.nonzero(found.mask)
        self.assertEqual(measured.voxels, len(i))
        self.assertAlmostEqual(measured.volume_ml, len(i) * 15 / 1000)
        self.assertEqual(measured.box_start, (i.min(), j.min(), k.min()))
        self.assertEqual(measured.box_size, (np.ptp(i) + 1, np.ptp(j) + 1, np.ptp(k) + 1))
        np.testing.assert_allclose(measured.box_mm, np.multiply(measured.box_size, SPACING))
        np.testing.assert_allclose(measured.centroid, np.array([i.mean(), j.mean(), k.mean()]) * SPACING)
        inside = self.image.array[found.mask == 1]
        self.assertAlmostEqual(measured.mean_hu, inside.mean())
        self.assertAlmostEqual(measured.std_hu, inside.std(), delta=1e-3 * inside.std() + 0.1)
        self.assertEqual((measured.device, measured.precision, measured.threshold), ("cpu", "float32", 0.5))
        self.assertGreater(measured.seconds, 0)
        for view in ggpfn.VIEWS:
            self.assertAlmostEqual(measured.weights[view], 1 / 3)

    def test_a_list_of_models_is_their_mean(self):
        everything = {"probability": True, "view_probabilities": True, "uncertainty": True, "precision": "float32"}
        for kind in ("in process", "child process"):
            with self.subTest(kind), ggpfn.open_engine(kind) as engine:
                first = tiny(engine)
                other = engine.new_model({**TINY, "views": ["axial"], "threshold": 0.3}, 9)
                one, two = (engine.segment(self.image, model, **everything | unless) for model, unless in (
                    (first, {}), (other, {"uncertainty": False}),
                ))
                found = engine.segment(self.image, [first, other], **everything)
                np.testing.assert_allclose(found.probability, (one.probability + two.probability) / 2, atol=1e-6)
                self.assertGreater(np.abs(one.probability - two.probability).max(), 0.01)
                self.assertAlmostEqual(found.measurements.threshold, 0.4)
                np.testing.assert_array_equal(found.mask, found.probability >= 0.4)
                self.assertEqual(sorted(found.view_probabilities), sorted(ggpfn.VIEWS))
                axial = [each.view_probabilities["axial"] for each in (one, two)]
                np.testing.assert_allclose(found.view_probabilities["axial"], np.mean(axial, axis=0), atol=1e-6)
                maps = [*one.view_probabilities.values(), axial[1]]
                np.testing.assert_allclose(found.uncertainty, np.std(maps, axis=0), atol=1e-5)
                memory = engine.estimate_memory(self.image, [first, other]).host_bytes
                self.assertEqual(memory, engine.estimate_memory(self.image, first).host_bytes + 4 * found.mask.size)
                # A list of one is that one, to the bit.
                same = engine.segment(self.image, [first], **everything)
                np.testing.assert_array_equal(same.probability, one.probability)
                two_labels = engine.new_model({**TINY, "labels": ["pancreas", "tumour"]}, 1)
                with self.assertRaisesRegex(ggpfn.Error, "number 2 segments pancreas .1. and tumour .2."):
                    engine.segment(self.image, [first, two_labels])
                for wrong in ([], [first, None], "no model"):
                    with self.assertRaises(ggpfn.Error):
                        engine.segment(self.image, wrong)

    def test_paths_and_models_may_be_mixed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a model.safetensors")
            self.model.save(path, "float32")
            found = ggpfn.segment(self.image, [self.model, path], precision="float32", probability=True)
            np.testing.assert_array_equal(found.probability, self.all.probability)

    def test_labels_of_a_model_with_two(self):
        for kind in ("in process", "child process"):
            with self.subTest(kind):
                engine = ggpfn.open_engine(kind)
                model = engine.new_model({**TINY, "labels": ["pancreas", "tumour"]}, 1)
                pancreas, tumour = model.info.labels
                self.assertEqual((pancreas.value, pancreas.code[0], tumour.value), (1, "15776009", 2))
                self.assertEqual((tumour.name, tumour.colour), ("tumour", (144, 238, 144)))
                options = {"precision": "float32", "probability": True}
                middle = float(np.median(engine.segment(self.image, model, **options).probability))
                found = engine.segment(self.image, model, threshold=middle, **options)
                self.assertEqual(list(found.labels), ["pancreas", "tumour"])
                self.assertEqual(found.labels["pancreas"].voxels, found.measurements.voxels)
                self.assertEqual(found.labels["tumour"].voxels, np.count_nonzero(found.label_map == 2))
                covered = found.label_map != 2
                np.testing.assert_array_equal(found.label_map[covered], found.mask[covered])
                if has("SimpleITK"):
                    self.assertEqual(found.to_sitk("label_map").GetSize(), found.to_sitk().GetSize())
                one = engine.segment(self.image, tiny(engine))
                self.assertEqual((one.label_map, list(one.labels)), (None, ["pancreas"]))
                with self.assertRaisesRegex(ggpfn.Error, "one label alone"):
                    one.to_nibabel("label_map")

    def test_only_what_was_asked_for(self):
        found = self.engine.segment(self.image, self.model)
        self.assertIsNone(found.probability)
        self.assertIsNone(found.view_probabilities)
        self.assertIsNone(found.uncertainty)

    def test_views_and_weights(self):
        options = {"precision": "float32", "probability": True}
        one = self.engine.segment(self.image, self.model, views="coronal", view_probabilities=True, **options)
        self.assertEqual(list(one.view_probabilities), ["coronal"])
        np.testing.assert_allclose(one.probability, self.all.view_probabilities["coronal"], atol=1e-6)
        self.assertEqual(one.measurements.weights, {"coronal": 1.0})
        weights = {"axial": 3, "sagittal": 1}
        two = self.engine.segment(self.image, self.model, views=["sagittal", "axial"], view_weights=weights, **options)
        expected = 0.75 * self.all.view_probabilities["axial"] + 0.25 * self.all.view_probabilities["sagittal"]
        np.testing.assert_allclose(two.probability, expected, atol=1e-6)
        fused, mask = self.engine.fuse(self.all.view_probabilities, weights, 0.4)
        np.testing.assert_allclose(fused, expected, atol=1e-6)
        np.testing.assert_array_equal(mask, fused >= 0.4)

    def test_fuse(self):
        views = self.all.view_probabilities
        probability, mask = self.engine.fuse(views)
        np.testing.assert_array_equal(probability, self.all.probability)
        np.testing.assert_array_equal(mask, self.all.mask)
        # Any order and type of arrays, of any shape.
        other = {view: np.asfortranarray(array, np.float64) for view, array in views.items()}
        np.testing.assert_array_equal(self.engine.fuse(other)[0], probability)
        found, _ = self.engine.fuse({"axial": [0.25, 1.0], "coronal": [0.75, 0.0]}, {"axial": 3, "coronal": 1})
        np.testing.assert_allclose(found, [0.375, 0.75])
        wrong = [
            ({}, None, "views"),
            ({"axial": [0.1], "coronal": [0.1, 0.2]}, None, "shapes"),
            ({"axial": [0.1], "front": [0.1]}, None, "front"),
            ({"axial": [1j]}, None, "complex"),
            ({"axial": [0.1]}, {"axial": -1}, "-1"),
        ]
        for given, weights, word in wrong:
            with self.assertRaises(ggpfn.Error) as raised:
                self.engine.fuse(given, weights)
            self.assertIn(word, str(raised.exception))

    def test_quality(self):
        quality = self.all.quality
        self.assertTrue(0.0 <= quality.expected_dice <= 1.0)
        # So small an image is no scan of an abdomen.
        self.assertTrue(quality.doubtful)
        self.assertIn("voxel-size", [warning.kind for warning in quality.warnings])
        self.assertTrue(all(len(warning.text) > 20 for warning in quality.warnings))
        empty = self.engine.segment(self.image, self.model, threshold=1.0).quality
        self.assertEqual(empty.expected_dice, 0.0)
        self.assertIn("nothing-found", [warning.kind for warning in empty.warnings])

    def test_region(self):
        found = self.engine.segment(self.image, self.model, region=((4, 0, 2), (10, 9, 8)), probability=True)
        inside = np.zeros(found.mask.shape, bool)
        inside[2:10, 0:9, 4:14] = True
        self.assertFalse(found.mask[~inside].any() or found.probability[~inside].any())
        self.assertTrue(found.probability[inside].any())
        with self.assertRaises(ggpfn.Error) as raised:
            self.engine.segment(self.image, self.model, region=((20, 0, 0), (8, 8, 8)))
        self.assertEqual(raised.exception.status, 1)

    def test_what_lies_outside_of_a_region_does_not_count(self):
        region = ((4, 0, 2), (10, 9, 8))
        holes = np.full(self.image.array.shape, np.nan, np.float32)
        inside = (slice(2, 10), slice(0, 9), slice(4, 14))
        holes[inside] = self.image.array[inside]
        image = self.image
        holes = ggpfn.Image(holes, image.spacing, image.origin, image.direction, image.frame)
        found = self.engine.segment(self.image, self.model, region=region, probability=True)
        same = self.engine.segment(holes, self.model, region=region, probability=True)
        self.assertTrue(np.array_equal(found.probability, same.probability))
        self.assertEqual(found.quality, same.quality)
        # Amid the body, and outside of the region.
        lost = image.array.astype(np.float32)
        lost[1, 4, 6] = np.nan
        lost = ggpfn.Image(lost, image.spacing, image.origin, image.direction, image.frame)
        with self.assertRaises(ggpfn.ImageError):
            self.engine.segment(lost, self.model)
        self.assertTrue(self.engine.segment(lost, self.model, region=region).mask.shape == found.mask.shape)

    def test_a_threshold_tried_is_the_one_segmented(self):
        for threshold in (0.3, 0.5, 0.51):
            for largest in (False, True):
                options = {"threshold": threshold, "largest_component": largest, "precision": "float32"}
                expected = self.engine.segment(self.image, self.model, **options)
                mask, measured = self.engine.threshold(self.image, self.all.probability, threshold, largest)
                np.testing.assert_array_equal(mask, expected.mask)
                without = {"weights": {}, "device": None, "precision": None, "seconds": None}
                self.assertEqual(measured, dataclasses.replace(expected.measurements, **without))
        empty, measured = self.engine.threshold(self.image, np.zeros(self.image.array.shape), 0.5)
        self.assertFalse(empty.any())
        nothing = (measured.box_start, measured.box_mm, measured.centroid, measured.mean_hu, measured.std_hu)
        self.assertEqual(nothing, (None,) * 5)
        with self.assertRaises(ggpfn.Error):
            self.engine.threshold(self.image, self.all.probability[1:], 0.5)

    def test_evaluate(self):
        truth, prediction = np.zeros((2, 12, 20, 24), np.uint8)
        truth[0, 5, 2:12] = 1
        prediction[0, 5, 7:17] = 255
        images = ggpfn.Image(prediction, SPACING), ggpfn.Image(truth.astype(np.float32), SPACING)
        found = self.engine.evaluate(*images)
        self.assertEqual((found.dice, found.precision, found.recall, found.volume_error_percent), (0.5, 0.5, 0.5, 0))
        self.assertAlmostEqual(found.jaccard, 1 / 3)
        self.assertAlmostEqual(found.truth_ml, 0.15)
        self.assertGreater(found.hausdorff95_mm, found.mean_surface_mm)
        prediction[...] = 0
        found = self.engine.evaluate(*images)
        self.assertEqual((found.dice, found.precision, found.hausdorff95_mm), (0, None, None))
        with self.assertRaises(ggpfn.Error):
            self.engine.evaluate(images[0], ggpfn.Image(truth, SPACING, origin=(1, 0, 0)))

    def test_memory(self):
        little = self.engine.estimate_memory(self.image, self.model)
        large = ggpfn.Image(np.broadcast_to(np.int16(0), (12, 20, 24)).repeat(8, 0).repeat(8, 1).repeat(8, 2), SPACING)
        much = self.engine.estimate_memory(large, self.model)
        more = self.engine.estimate_memory(large, self.model, probability=True, view_probabilities=True)
        self.assertLess(0, little.host_bytes)
        self.assertLess(little.host_bytes, much.host_bytes)
        self.assertLess(much.host_bytes, more.host_bytes)
        self.assertEqual(much.device_bytes, 0)

    def test_options_that_cannot_be_meant(self):
        wrong = [
            ({"views": ["axial", "oblique"]}, "oblique"),
            ({"views": []}, "at least one"),
            ({"view_weights": {"axial": -1}}, "-1"),
            ({"view_weights": {"axial": 0}}, "at least one above 0"),
            ({"view_weights": [1, 1, 1]}, "a dict by view"),
            ({"view_weights": {"x": 1}}, "'x'"),
            ({"threshold": 1.5}, "1.5"),
            ({"threshold": 0}, "above 0"),
            ({"threshold": -0.1}, "-0.1"),
            ({"threshold": float("nan")}, "nan"),
            ({"threshold": "half"}, "half"),
            ({"region": (1, 2, 3)}, "((i, j, k), (ni, nj, nk))"),
            ({"region": ((0, 0, 0), (4, 0, 4))}, "empty"),
            ({"region": ((-1, 0, 0), (4, 4, 4))}, "-1"),
            ({"device": "gpu"}, "cuda:1"),
            ({"device": "cpu:1"}, "cpu:1"),
            ({"device": 0}, "auto"),
            ({"precision": "float16"}, "bfloat16"),
            ({"threads": -2}, "-2"),
            ({"threads": 1.5}, "1.5"),
            ({"block": 2**40}, str(2**40)),
            ({"patch": (64,)}, "(rows, columns)"),
            ({"monitor": 3}, "Monitor"),
        ]
        for options, word in wrong:
            with self.subTest(options), self.assertRaises(ggpfn.Error) as raised:
                self.engine.segment(self.image, self.model, **options)
            self.assertIn(word, raised.exception.message)
            self.assertEqual(raised.exception.status, 0)
        with self.assertRaisesRegex(TypeError, "treshold"):
            self.engine.segment(self.image, self.model, treshold=0.4)
        # What the library finds comes with its number and its sentence.
        with self.assertRaises(ggpfn.Error) as raised:
            self.engine.segment(self.image, self.model, patch=12)
        self.assertEqual(raised.exception.status, 1)
        self.assertIn("12", raised.exception.message)

    def test_models(self):
        info = self.model.info
        self.assertEqual((info.views, info.t, info.spacing, info.threshold), (ggpfn.VIEWS, 2, None, 0.5))
        self.assertTrue(info.progressive and info.global_guidance)
        self.assertEqual(self.model.configuration["widths"], TINY["widths"])
        data = self.model.to_bytes("float32")
        self.assertEqual(self.engine.load_model(data).info.sha256, info.sha256)
        with tempfile.TemporaryDirectory() as folder:
            # Umlauts, a space, CJK, an emoji, a quote.
            path = Path(folder) / "Wörk 胰腺 \N{BROKEN HEART}' " / "m%20.safetensors"
            path.parent.mkdir()
            self.model.save(path, "float32")
            self.assertEqual(path.read_bytes(), data)
            with self.engine.load_model(path) as again:
                self.assertEqual(again.info, info)
                mask = self.engine.segment(self.image, again, precision="float32").mask
            np.testing.assert_array_equal(mask, self.all.mask)
            with self.assertRaises(ggpfn.Error) as raised:
                self.engine.segment(self.image, again)
            self.assertIn("closed", str(raised.exception))
            self.assertEqual(ggpfn.Model.load(os.fspath(path)).info, info)
        half = self.engine.load_model(self.model.to_bytes())
        self.assertLess(len(half.to_bytes()), len(data))
        shipped = self.engine.load_model()
        self.assertEqual(shipped.info.spacing, (2.5, 2.5, 2.5))
        self.assertGreater(shipped.info.parameters, 1_000_000)
        shipped.close()
        shipped.close()

    def test_models_that_are_none(self):
        data = self.model.to_bytes()
        for wrong in (b"", data[: len(data) // 2], b"\xff" * 1000):
            with self.assertRaises(ggpfn.ModelError) as raised:
                self.engine.load_model(wrong)
            self.assertEqual(raised.exception.status, 3)
            self.assertGreater(len(raised.exception.message), 10)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "no such file.safetensors"
            with self.assertRaises(ggpfn.Error) as raised:
                self.engine.load_model(path)
            self.assertEqual(raised.exception.status, 4)
            self.assertIn("no such file.safetensors", str(raised.exception))
            path.write_bytes(data[:-9])
            with self.assertRaises(ggpfn.ModelError) as raised:
                self.engine.load_model(path)
            self.assertIn("no such file.safetensors", str(raised.exception))
        for wrong in ("a\0b", "\udcff", 3):
            with self.assertRaises(ggpfn.Error):
                self.engine.load_model(wrong)
        with self.assertRaises(ggpfn.Error):
            self.model.save("m.safetensors", "float8")
        with self.assertRaises(ggpfn.Error):
            self.engine.new_model({"widths": 3})
        with self.assertRaises(ggpfn.Error):
            self.engine.segment(self.image, "pancreas.safetensors")

    def test_several_threads_on_one_model(self):
        masks, errors = [], []

        def work():
            try:
                for _ in range(3):
                    masks.append(self.engine.segment(self.image, self.model, precision="float32").mask)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((errors, len(masks)), ([], 12))
        for mask in masks:
            np.testing.assert_array_equal(mask, self.all.mask)

    def test_a_model_closed_during_work(self):
        model = tiny(self.engine)
        monitor = ggpfn.Monitor(lambda progress: model.close())
        mask = self.engine.segment(self.image, model, monitor=monitor, precision="float32").mask
        np.testing.assert_array_equal(mask, self.all.mask)

    def test_a_model_can_be_pickled(self):
        copied = pickle.loads(pickle.dumps(self.model))
        self.assertEqual(copied.configuration, self.model.configuration)
        found = ggpfn.segment(self.image, copied, precision="float32")
        np.testing.assert_array_equal(found.mask, self.all.mask)

    def test_the_functions_of_the_package(self):
        image = self.image
        np.testing.assert_array_equal(ggpfn.segment(image, self.model, precision="float32").mask, self.all.mask)
        mask, _ = ggpfn.threshold(image, self.all.probability, 0.5)
        np.testing.assert_array_equal(mask, self.all.mask)
        np.testing.assert_array_equal(ggpfn.fuse(self.all.view_probabilities)[1], mask)
        self.assertEqual(ggpfn.evaluate(ggpfn.Image(mask), ggpfn.Image(mask)).dice, 1)
        self.assertGreater(ggpfn.estimate_memory(image).host_bytes, 0)
        self.assertEqual(ggpfn.runtime().gpus, None)
        self.assertEqual(ggpfn.Model.shipped().info.t, 5)

    def test_handles_are_freed_with_the_last_reference(self):
        library = self.engine.library
        model = tiny(self.engine)
        number = model.backing.number.value
        library.text("ggpfn_model_configuration", number)
        del model
        with self.assertRaises(ggpfn.Error) as raised:
            library.text("ggpfn_model_configuration", number)
        self.assertIn("freed", str(raised.exception))

    def test_nothing_leaks(self):
        """200 calls of each kind, good and bad: no object of the package is left, and no array."""
        small = ggpfn.Image(voxels()[:4, :8, :8], SPACING)
        data = self.model.to_bytes()

        def raises(progress):
            raise ZeroDivisionError

        gc.collect()
        gc.disable()
        try:
            for number in range(210):
                if number == 10:
                    before = _alive()
                model = self.engine.load_model(data)
                self.engine.segment(small, model, views=["axial"], monitor=ggpfn.Monitor(lambda progress: None))
                self.engine.evaluate(small, small)
                for wrong in ({"patch": 12}, {"threshold": 2}, {"monitor": ggpfn.Monitor(raises)}):
                    # Not assertRaises, which would break the circles that are looked for here.
                    try:
                        self.engine.segment(small, model, **wrong)
                        self.fail(wrong)
                    except (ggpfn.Error, ZeroDivisionError):
                        pass
            after = _alive()
        finally:
            gc.enable()
        gc.collect()
        self.assertEqual(_alive()["Handle"], before["Handle"])
        self.assertLess(after["all"] - before["all"], 200, "objects that only the collector frees")
        self.assertEqual(threading.active_count(), 1)


def _alive():
    """How many objects there are: handles of the package's, and all."""
    objects = gc.get_objects()
    return {"Handle": sum(type(one).__name__ == "Handle" for one in objects), "all": len(objects)}


if __name__ == "__main__":
    unittest.main()
