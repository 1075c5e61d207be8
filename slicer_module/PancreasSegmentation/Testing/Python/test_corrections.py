"""Corrections by hand: never replaced unasked, measured when asked for, brought back when they were replaced."""

import os
import unittest

import numpy as np
import slicer
from pancreas_testing import SceneTest, add_volume, ball, draw, erase_half, load_scene, save_scene
from PancreasSegmentationLib.batch import FileItem, is_own_file
from PancreasSegmentationLib.kept import Agreement, Peaks, around, dice
from PancreasSegmentationLib.scene_input import mask_of
from PancreasSegmentationLib.scene_output import show_mask
from PancreasSegmentationLib.segmenting import MeasureTask
from PancreasSegmentationLib.tasks import State
from PancreasSegmentationLib.written import fingerprint, is_edited, is_written


class Corrections(SceneTest):
    def setUp(self):
        super().setUp()
        self.probability = ball((20, 30, 40))
        hu = np.random.default_rng(3).integers(-1000, 200, self.probability.shape).astype(np.int16)
        self.volume = add_volume(hu, np.diag([-1, -1.2, 2, 1]))
        self.p = self.parameters(self.volume)
        self.segmentation = self.pretend(self.p, self.probability)

    def mask(self, segmentation=None):
        return mask_of(segmentation or self.segmentation, self.volume)

    def edit(self):
        """Corrects the result; returns the mask as it is then."""
        before = self.mask().sum()
        erase_half(self.segmentation)
        self.assertTrue(0 < self.mask().sum() < before)
        return self.mask()

    def test_a_result_is_not_edited_until_somebody_does(self):
        self.assertFalse(is_edited(self.segmentation))
        self.p.threshold = 0.6
        self.logic.segmentation.try_threshold(self.p)
        self.assertFalse(is_edited(self.segmentation))
        self.assertTrue(is_written(self.segmentation))
        self.edit()
        self.assertTrue(is_edited(self.segmentation))

    def test_work_on_another_segment_is_no_edit(self):
        segments = self.segmentation.GetSegmentation()
        other = segments.AddEmptySegment("Liver", "liver")
        labels = self.mask() * 0
        labels[2:9, 3:20, 1:30] = 1
        draw(self.segmentation, labels, self.volume, other)
        self.assertFalse(is_edited(self.segmentation))
        self.edit()
        self.assertTrue(is_edited(self.segmentation))

    def test_the_threshold_leaves_an_edited_segment_alone(self):
        edited = self.edit()
        self.p.threshold, self.p.largestComponent = 0.2, True
        self.assertIsNone(self.logic.segmentation.try_threshold(self.p))
        np.testing.assert_array_equal(self.mask(), edited)

    def test_apply_leaves_an_edited_segment_alone(self):
        edited, table = self.edit(), self.p.measurementsTable
        new = self.pretend(self.p, self.probability)
        self.assertIsNot(new, self.segmentation)
        self.assertIs(self.p.outputSegmentation, new)
        self.assertIsNot(self.p.measurementsTable, table)
        np.testing.assert_array_equal(self.mask(), edited)
        self.assertGreater(self.mask(new).sum(), edited.sum())

    def test_a_segment_drawn_by_hand_is_left_alone(self):
        drawn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
        drawn.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        drawn.GetSegmentation().AddEmptySegment("Pancreas", "pancreas")
        self.assertFalse(is_edited(drawn))
        labels = np.zeros_like(self.mask())
        labels[4:9, 4:9, 4:9] = 1
        draw(drawn, labels, self.volume)
        self.p.outputSegmentation = drawn
        self.assertIsNot(self.pretend(self.p, self.probability), drawn)
        np.testing.assert_array_equal(self.mask(drawn), labels)

    def test_what_is_replaced_on_request_can_be_brought_back(self):
        logic, edited = self.logic.segmentation, self.edit()
        self.p.threshold = 0.2
        self.assertFalse(logic.can_restore)
        self.assertIsNotNone(logic.try_threshold(self.p, replace_edited=True))
        np.testing.assert_array_equal(self.mask(), self.probability >= np.float32(0.2))
        self.assertTrue(logic.can_restore)
        logic.restore()
        np.testing.assert_array_equal(self.mask(), edited)
        self.assertTrue(is_edited(self.segmentation))
        self.assertFalse(logic.can_restore)

    def test_a_saved_scene_knows_what_was_edited(self):
        load_scene(save_scene(self.folder))
        segmentation = self.logic.getParameterNode().outputSegmentation
        self.assertTrue(is_written(segmentation), fingerprint(segmentation))
        erase_half(segmentation)
        folder = os.path.join(self.folder, "again")
        os.mkdir(folder)
        load_scene(save_scene(folder))
        self.assertTrue(is_edited(self.logic.getParameterNode().outputSegmentation))

    def test_measure_again_measures_the_edited_segment(self):
        logic, edited = self.logic.segmentation, self.edit()
        self.assertTrue(logic.outdated(self.p))
        task = MeasureTask(logic.engines, self.p).start().wait(30)
        self.assertEqual(task.state, State.DONE, task.message)
        logic.measured(task)
        self.assertFalse(logic.outdated(self.p))
        found = task.measurements
        self.assertEqual(found.voxels, edited.sum())
        self.assertAlmostEqual(found.volume_ml, edited.sum() * 2.4 / 1000)
        hu = slicer.util.arrayFromVolume(self.volume)[edited.astype(bool)]
        self.assertAlmostEqual(found.mean_hu, hu.mean(), places=3)
        self.assertEqual(found.box_start, tuple(np.argwhere(edited).min(axis=0)[::-1]))
        table = self.p.measurementsTable.GetTable()
        self.assertEqual(table.GetColumn(1).GetValue(0), f"{found.volume_ml:.1f}")

    def test_an_emptied_segment_can_be_measured(self):
        draw(self.segmentation, np.zeros_like(self.mask()), self.volume)
        self.assertTrue(is_edited(self.segmentation))
        task = MeasureTask(self.logic.segmentation.engines, self.p).start().wait(30)
        self.assertEqual(task.state, State.DONE, task.message)
        self.assertEqual(task.measurements.voxels, 0)

    def test_a_batch_leaves_an_edited_file_alone(self):
        def store():
            item = FileItem("ct.nrrd", "ct.nrrd", os.path.join(self.folder, "ct_pancreas.seg.nrrd"))
            copy = slicer.vtkMRMLScalarVolumeNode()
            copy.CopyContent(self.volume)
            item.volume = copy
            item.store((self.probability >= 0.3).astype(np.uint8), (0, 0, 0))
            return item.warning

        path = os.path.join(self.folder, "ct_pancreas.seg.nrrd")
        self.assertEqual([store(), store()], ["", ""])
        self.assertTrue(is_own_file(path))
        self.assertEqual(os.listdir(self.folder), ["ct_pancreas.seg.nrrd"])
        self.edit()
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(path)
        self.assertTrue(storage.WriteData(self.segmentation))
        with open(path, "rb") as file:
            before = file.read()
        self.assertIn("ct_pancreas_2.seg.nrrd", store())
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(sorted(os.listdir(self.folder)), ["ct_pancreas.seg.nrrd", "ct_pancreas_2.seg.nrrd"])


class Live(SceneTest):
    """The slider touches what it has to, and gives just what the whole arrays give."""

    def test_the_box_at_a_threshold_is_the_masks(self):
        array = np.random.default_rng(5).random((9, 11, 13), np.float32) ** 6
        for level in (0.05, 0.5, 0.9, float(array.max())):
            where = np.argwhere(array >= np.float32(level))
            expected = tuple(slice(a, b + 1) for a, b in zip(where.min(axis=0), where.max(axis=0)))
            self.assertEqual(Peaks.of(array).box(level), expected)
        self.assertEqual(Peaks.of(array).box(1.0), (slice(0, 0),) * 3)
        self.assertEqual(around(Peaks.of(array).box(1.0), array.shape), (slice(0, 3),) * 3)

    def test_agreement_is_the_dice_of_the_views_masks(self):
        random = np.random.default_rng(6)
        views = {name: random.random((7, 8, 9), np.float32) for name in ("axial", "sagittal", "coronal")}
        agreement = Agreement.of(views)
        for threshold in (0.01, 0.3, float(views["axial"][3, 3, 3]), 0.999):
            masks = {name: array >= np.float32(threshold) for name, array in views.items()}
            self.assertEqual(
                agreement.at(threshold),
                {
                    f"{a}, {b}": dice(masks[a], masks[b])
                    for a, b in (("axial", "sagittal"), ("axial", "coronal"), ("sagittal", "coronal"))
                },
            )

    def test_only_the_box_around_the_organ_is_touched(self):
        probability = np.zeros((40, 60, 80), np.float32)
        probability[10:20, 20:35, 30:50] = ball((10, 15, 20), 1.5)
        # A spot far away that only a low threshold reaches.
        probability[38:40, 58:60, 78:80] = 0.05
        volume = add_volume(np.full(probability.shape, -50, np.int16), np.eye(4))
        p = self.parameters(volume)
        segmentation = self.pretend(p, probability)
        kept = self.logic.segmentation._kept
        engine = self.logic.segmentation.engines.engine()
        seen = []

        class Spy:
            def threshold(self, image, *arguments):
                seen.append(image.array.size)
                return engine.threshold(image, *arguments)

        for threshold in (0.3, 0.02):
            result = kept.at(Spy(), threshold)
            whole = np.zeros(probability.shape, np.uint8)
            box = tuple(slice(a, a + n) for a, n in zip(result.start[::-1], result.mask.shape))
            whole[box] = result.mask
            np.testing.assert_array_equal(whole, probability >= np.float32(threshold))
        self.assertLess(seen[0], 10 * 15 * 20 + 1)
        self.assertLess(seen[0], seen[1] / 5)
        np.testing.assert_array_equal(mask_of(segmentation, volume), probability >= np.float32(0.3))

    def test_the_surface_waits_until_the_slider_rests(self):
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        segmentation = self.pretend(p, probability)
        logic, segment = self.logic.segmentation, segmentation.GetSegmentation().GetSegment("Pancreas")

        def points():
            return segment.GetRepresentation("Closed surface").GetNumberOfPoints()

        before = points()
        p.threshold = 0.7
        self.assertAlmostEqual(logic.preview_threshold(p), (probability >= 0.7).sum() / 1000)
        self.assertEqual(points(), before)
        np.testing.assert_array_equal(mask_of(segmentation, p.inputVolume), probability >= np.float32(0.7))
        self.assertFalse(is_edited(segmentation))
        logic.try_threshold(p)
        self.assertLess(points(), before)

    def test_a_run_may_leave_the_surface_to_an_event_of_its_own(self):
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        logic = self.logic.segmentation
        for number in range(2):
            with self.pretended(p, probability):
                task = logic.task(p)
                task.surface = False
                logic.done(task.start().wait(30))
            segments = p.outputSegmentation.GetSegmentation()
            self.assertEqual(segments.ContainsRepresentation("Closed surface"), number > 0)
            logic.refresh_surface()
            self.assertGreater(
                segments.GetSegment("Pancreas").GetRepresentation("Closed surface").GetNumberOfPoints(), 50
            )

    def test_a_surface_that_was_switched_off_stays_off(self):
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        segmentation = self.pretend(p, probability)
        segmentation.RemoveClosedSurfaceRepresentation()
        self.assertIs(self.pretend(p, probability), segmentation)
        self.assertFalse(segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))


class Foreign(SceneTest):
    def test_a_mask_moved_in_space_counts_as_edited(self):
        volume = add_volume(np.zeros((9, 9, 9), np.int16), np.eye(4))
        segmentation = show_mask(volume, np.ones((3, 3, 3), np.uint8), (2, 2, 2), show_3d=False)
        self.assertTrue(is_written(segmentation))
        image = segmentation.GetBinaryLabelmapInternalRepresentation("Pancreas")
        image.SetOrigin(1.0, 0.0, 0.0)
        self.assertTrue(is_edited(segmentation))


if __name__ == "__main__":
    unittest.main()
