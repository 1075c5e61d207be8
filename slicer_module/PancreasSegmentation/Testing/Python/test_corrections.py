"""Corrections by hand: never replaced unasked, measured when asked for, brought back when they were replaced."""

import os
import threading
import unittest
from unittest import mock

import ggpfn
import numpy as np
import slicer
import vtk
from pancreas_testing import SceneTest, add_volume, ball, draw, erase_half, load_scene, rotation, save_scene
from PancreasSegmentationLib import surface
from PancreasSegmentationLib.batch import FileItem, is_own_file
from PancreasSegmentationLib.components import largest_component
from PancreasSegmentationLib.kept import Agreement, Peaks, around, dice
from PancreasSegmentationLib.scene_input import mask_of, scan_of
from PancreasSegmentationLib.scene_output import show_mask
from PancreasSegmentationLib.segmenting import MeasureTask
from PancreasSegmentationLib.tasks import State
from PancreasSegmentationLib.written import fingerprint, is_edited, is_written
from vtk.util.numpy_support import vtk_to_numpy


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
        # Without the spot, the box is the organ's again.
        mask, start = kept.mask_at(0.02, True)
        whole = np.zeros(probability.shape, np.uint8)
        whole[tuple(slice(a, a + n) for a, n in zip(start[::-1], mask.shape))] = mask
        np.testing.assert_array_equal(whole, (probability >= np.float32(0.02)) & (probability != np.float32(0.05)))
        self.assertLess(mask.size, seen[1] / 5)

    def result(self):
        """(probability, parameters, segmentation) of a pretended run, of two parts that are not connected."""
        probability = ball((20, 30, 40))
        probability[1:4, 1:4, 1:4] = 0.9
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.diag([-1, -1.2, 2, 1])))
        return probability, p, self.pretend(p, probability)

    def test_the_largest_component_is_the_library_s(self):
        engine, random = self.logic.segmentation.engines.engine(), np.random.default_rng(7)
        for number in range(60):
            shape = tuple(random.integers(1, 13, 3))
            mask = (random.random(shape) < random.choice([0, 0.02, 0.05, 0.1, 0.2, 0.4, 1])).astype(np.uint8)
            before = mask.copy()
            expected, _found = engine.threshold(
                ggpfn.Image(np.zeros(shape, np.int16)), mask.astype(np.float32), 0.5, True
            )
            found, box = largest_component(mask)
            np.testing.assert_array_equal(found, expected, f"{number}: {shape}")
            cut = found[box]
            self.assertEqual(cut.sum(), expected.sum())
            for axes in ((1, 2), (0, 2), (0, 1)):
                self.assertTrue(not cut.size or cut.any(axis=axes)[[0, -1]].all(), f"{number}: {box}")
            np.testing.assert_array_equal(mask, before)

    def test_the_slider_moves_without_the_library(self):
        _probability, p, segmentation = self.result()
        logic = self.logic.segmentation
        for largest in (False, True):
            p.threshold, p.largestComponent = 0.6, largest
            with mock.patch.object(logic.engines, "engine", side_effect=AssertionError("that takes too long")):
                volume_ml = logic.preview_threshold(p)
            shown = mask_of(segmentation, p.inputVolume)
            found, _agreement = logic.try_threshold(p)
            np.testing.assert_array_equal(mask_of(segmentation, p.inputVolume), shown)
            self.assertAlmostEqual(volume_ml, found.volume_ml)
            self.assertEqual(found.components, 1 if largest else 2)

    def points(self, segmentation):
        return segmentation.GetSegmentation().GetSegment("Pancreas").GetRepresentation("Closed surface").GetPoints()

    def test_surface_and_numbers_follow_when_the_slider_rests(self):
        probability, p, segmentation = self.result()
        logic = self.logic.segmentation
        before, table = self.points(segmentation).GetNumberOfPoints(), p.measurementsTable.GetTable()
        volume = table.GetValue(0, 1).ToString()
        p.threshold = 0.7
        self.assertAlmostEqual(logic.preview_threshold(p), (probability >= 0.7).sum() * 2.4 / 1000)
        self.assertEqual(self.points(segmentation).GetNumberOfPoints(), before)
        np.testing.assert_array_equal(mask_of(segmentation, p.inputVolume), probability >= np.float32(0.7))
        self.assertFalse(is_edited(segmentation))
        threads = []

        def surface_of(*arguments):
            threads.append(threading.current_thread())
            return surface.surface_of(*arguments)

        with mock.patch("PancreasSegmentationLib.rest.surface_of", surface_of):
            task = logic.rest_task(p).start().wait(30)
        self.assertEqual(task.state, State.DONE, task.message)
        self.assertNotIn(threading.main_thread(), threads)
        found, _agreement = logic.rested(task)
        self.assertEqual(found.voxels, (probability >= np.float32(0.7)).sum())
        self.assertEqual(p.measurementsTable.GetTable().GetValue(0, 1).ToString(), f"{found.volume_ml:.1f}")
        self.assertNotEqual(f"{found.volume_ml:.1f}", volume)
        self.assertLess(self.points(segmentation).GetNumberOfPoints(), before)
        self.assertFalse(is_edited(segmentation))

    def test_what_the_slider_has_left_behind_is_dropped(self):
        _probability, p, segmentation = self.result()
        logic = self.logic.segmentation
        p.threshold = 0.7
        logic.preview_threshold(p)
        late = logic.rest_task(p).start().wait(30)
        before = self.points(segmentation).GetNumberOfPoints()
        p.threshold = 0.5
        logic.preview_threshold(p)
        self.assertIsNone(logic.rested(late))
        now = logic.rest_task(p).start().wait(30)
        edited = logic.rest_task(p).start().wait(30)
        self.assertEqual(self.points(segmentation).GetNumberOfPoints(), before)
        self.assertIsNotNone(logic.rested(now))
        erase_half(segmentation)
        self.assertIsNone(logic.rested(edited))
        self.assertIsNone(logic.rest_task(p))

    def test_a_surface_that_is_switched_off_meanwhile_stays_off(self):
        _probability, p, segmentation = self.result()
        logic = self.logic.segmentation
        p.threshold = 0.7
        logic.preview_threshold(p)
        task = logic.rest_task(p).start().wait(30)
        segmentation.RemoveClosedSurfaceRepresentation()
        self.assertIsNotNone(logic.rested(task))
        self.assertFalse(segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))

    def test_a_run_makes_the_surface_beside_the_window(self):
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        made = []

        def surface_of(*arguments):
            made.append((surface.surface_of(*arguments), threading.current_thread()))
            return made[-1][0]

        for _n in range(2):
            with mock.patch("PancreasSegmentationLib.segmenting.surface_of", surface_of):
                segmentation = self.pretend(p, probability)
            segment = segmentation.GetSegmentation().GetSegment("Pancreas")
            self.assertIs(segment.GetRepresentation("Closed surface"), made[-1][0])
            self.assertIsNot(made[-1][1], threading.main_thread())
            self.assertFalse(is_edited(segmentation))
        self.assertEqual(len(made), 2)

    def test_a_surface_that_was_switched_off_stays_off(self):
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        segmentation = self.pretend(p, probability)
        segmentation.RemoveClosedSurfaceRepresentation()
        self.assertIs(self.pretend(p, probability), segmentation)
        self.assertFalse(segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))


class Surfaces(SceneTest):
    """The surfaces that are made beside the window are Slicer's own."""

    def setUp(self):
        super().setUp()
        self.mask = (ball((20, 30, 40), 1.2) > 0.3).astype(np.uint8)
        # Up to the edge of the box, where a surface has to be closed, and on an oblique grid.
        self.mask[0, 10:20, 10:20] = 1
        matrix = rotation(20) @ np.diag([-0.7, -0.8, 2.5, 1])
        matrix[:3, 3] = 10, -40, 90
        self.volume = add_volume(np.zeros((60, 60, 60), np.int16), matrix)

    def check(self, **parameters):
        segmentation = show_mask(self.volume, self.mask, (6, 9, 4), show_3d=False)
        for name, value in parameters.items():
            segmentation.GetSegmentation().SetConversionParameter(name.replace("_", " "), value)
        made = surface.surface_of(self.mask, (6, 9, 4), scan_of(self.volume).matrix, surface.Settings.of(segmentation))
        segmentation.CreateClosedSurfaceRepresentation()
        slicers = segmentation.GetSegmentation().GetSegment("Pancreas").GetRepresentation("Closed surface")
        self.assertGreater(made.GetNumberOfPolys(), 100)
        self.assertEqual(made.GetNumberOfPolys(), slicers.GetNumberOfPolys())
        for of in (lambda s: s.GetPoints().GetData(), lambda s: s.GetPointData().GetNormals()):
            self.assertEqual(of(made) is None, of(slicers) is None)
            if of(made) is not None:
                np.testing.assert_allclose(vtk_to_numpy(of(made)), vtk_to_numpy(of(slicers)), atol=1e-3)
        return made

    def test_as_slicer_makes_them(self):
        plain = self.check()
        self.assertIsNotNone(plain.GetPointData().GetNormals())
        coarse = self.check(Decimation_factor="0.6")
        self.assertLess(coarse.GetNumberOfPolys(), 0.7 * plain.GetNumberOfPolys())
        self.check(Smoothing_factor="0.0")
        self.check(Smoothing_factor="0.9", Compute_surface_normals="0")

    def test_what_only_slicer_can_make_is_left_to_slicer(self):
        p = self.parameters(self.volume)
        p.outputSegmentation = show_mask(self.volume, self.mask, (6, 9, 4))
        p.outputSegmentation.GetSegmentation().SetConversionParameter("Conversion method", "1")
        self.assertIsNone(surface.Settings.of(p.outputSegmentation))
        probability = ball((60, 60, 60), 0.3)
        segmentation = self.pretend(p, probability)
        shown = vtk.vtkPolyData()
        segmentation.GetClosedSurfaceRepresentation("Pancreas", shown)
        before = shown.GetNumberOfPoints()
        self.assertGreater(before, 100)
        logic = self.logic.segmentation
        p.threshold = 0.8
        logic.preview_threshold(p)
        self.assertIsNotNone(logic.rested(logic.rest_task(p).start().wait(30)))
        segmentation.GetClosedSurfaceRepresentation("Pancreas", shown)
        self.assertTrue(0 < shown.GetNumberOfPoints() < before)

    def test_of_nothing_there_is_none(self):
        made = surface.surface_of(np.zeros((3, 3, 3), np.uint8), (0, 0, 0), np.eye(4), surface.Settings.of())
        self.assertEqual(made.GetNumberOfPoints(), 0)

    def test_other_segments_get_theirs_too(self):
        segmentation = show_mask(self.volume, self.mask, (6, 9, 4), show_3d=False)
        segments = segmentation.GetSegmentation()
        liver = segments.AddEmptySegment("Liver", "liver")
        labels = np.zeros((60, 60, 60), np.uint8)
        labels[40:50, 40:50, 40:50] = 1
        draw(segmentation, labels, self.volume, liver)
        made = surface.surface_of(self.mask, (6, 9, 4), scan_of(self.volume).matrix, surface.Settings.of())
        show_mask(self.volume, self.mask, (6, 9, 4), segmentation, surface=made)
        self.assertIs(segments.GetSegment("Pancreas").GetRepresentation("Closed surface"), made)
        self.assertGreater(segments.GetSegment(liver).GetRepresentation("Closed surface").GetNumberOfPoints(), 50)


class Maps(SceneTest):
    def test_large_maps_are_handed_over_as_they_are(self):
        """A copy of them, and a look at all their voxels, would hold the window up for a second."""
        probability = ball((20, 30, 40))
        p = self.parameters(add_volume(np.full(probability.shape, -50, np.int16), np.eye(4)))
        p.wantProbability = True
        with self.pretended(p, probability) as segment:
            self.logic.process(p)
            found = segment.return_value.probability
        shown = slicer.util.arrayFromVolume(p.probabilityVolume)
        np.testing.assert_array_equal(shown, probability)
        self.assertTrue(np.shares_memory(shown, found))
        display = p.probabilityVolume.GetDisplayNode()
        self.assertEqual(display.GetAutoWindowLevel(), 0)
        self.assertAlmostEqual(display.GetWindow(), probability.max(), places=5)


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
