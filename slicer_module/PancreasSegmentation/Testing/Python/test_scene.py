"""The way from nodes of the scene to a segmentation and back, on real MRML classes and with the real network."""

import hashlib
import os
import unittest
import urllib.request

import ggpfn
import numpy as np
import slicer
import vtk
from pancreas_testing import (
    SceneTest,
    add_transform,
    add_volume,
    load_scene,
    rotation,
    sample_data,
    save_scene,
    surface_points,
    translation,
    world_points,
)
from PancreasSegmentationLib.errors import InputError
from PancreasSegmentationLib.kept import Kept, dice
from PancreasSegmentationLib.parameters import Region
from PancreasSegmentationLib.scene_input import body_region, fit_roi, mask_of, region_of, roi_region, scan_of
from PancreasSegmentationLib.scene_output import SEGMENT_ID, oriented_image, set_voxels, show_labels, show_mask
from PancreasSegmentationLib.written import box_of, others_edited

from PancreasSegmentation import register_sample_data


class Orientation(SceneTest):
    """The same patient, stored in different ways, has the pancreas in the same place of the world."""

    def check(self, array, matrix, truth, transform=None, region=Region.BODY):
        volume = add_volume(array, matrix, transform=transform)
        parameters = self.parameters(volume, axial_only=False)
        parameters.region, parameters.largestComponent = region, True
        segmentation = self.logic.process(parameters)
        mask = mask_of(segmentation, volume).astype(bool)
        self.assertGreater(dice(mask, truth), 0.6)
        # The surface is where the mask is, to a voxel.
        expected, found = world_points(volume, mask, matrix), surface_points(segmentation)
        edge = np.linalg.norm(matrix[:3, :3], axis=0).max()
        np.testing.assert_allclose(found.min(axis=0), expected.min(axis=0), atol=edge)
        np.testing.assert_allclose(found.max(axis=0), expected.max(axis=0), atol=edge)
        return volume, segmentation

    def setUp(self):
        super().setUp()
        volume = sample_data.load()
        scan = scan_of(volume)
        self.array, self.matrix, self.truth = scan.array.copy(), scan.matrix, sample_data.truth()
        slicer.mrmlScene.RemoveNode(volume)

    def test_permuted_and_flipped_axes_of_int16(self):
        # i runs to the head, j to the front, k to the left: array [k, j, i] is [x, y, z] of the first one.
        order = (2, 1, 0)
        array = np.ascontiguousarray(self.array.transpose(order)[:, ::-1]).astype(np.int16)
        truth = np.ascontiguousarray(self.truth.transpose(order)[:, ::-1])
        last = self.array.shape[1] - 1
        # Columns: where a step along the new i, j, k leads in the old (i, j, k).
        steps = np.array([[0, 0, 1, 0], [0, -1, 0, last], [1, 0, 0, 0], [0, 0, 0, 1]])
        self.check(array, self.matrix @ steps, truth)

    def test_oblique_and_moved_volume_of_float32(self):
        moved = add_transform(translation(30, -70, 200) @ rotation(90, 0))
        oblique = rotation(12, 2) @ rotation(8, 0) @ self.matrix
        volume, segmentation = self.check(self.array.astype(np.float32), oblique, self.truth, moved)
        self.assertEqual(segmentation.GetTransformNodeID(), volume.GetTransformNodeID())

    def test_anisotropic_spacing(self):
        thick = self.matrix @ np.diag([1, 1, 2, 1])
        self.check(np.ascontiguousarray(self.array[::2]), thick, np.ascontiguousarray(self.truth[::2]))


class Output(SceneTest):
    """What a mask becomes in the scene; no network is needed."""

    def setUp(self):
        super().setUp()
        self.matrix = rotation(20, 1) @ np.array([[-0.7, 0, 0, 90], [0, 0.8, 0, -60], [0, 0, 2.5, 10], [0, 0, 0, 1]])
        self.volume = add_volume(np.zeros((20, 30, 40), np.int16), self.matrix, "CT")
        self.mask = np.zeros((20, 30, 40), np.uint8)
        self.mask[5:12, 10:20, 8:24] = 1

    def show(self, **options):
        return show_mask(self.volume, self.mask[4:14, 9:22, 6:30], (6, 9, 4), **options)

    def test_a_voxel_lies_where_the_volume_has_it(self):
        one = np.ones((1, 1, 1), np.uint8)
        image = oriented_image(one, (7, 11, 3), slicer.util.vtkMatrixFromArray(self.matrix))
        to_world = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(to_world)
        self.assertEqual(image.GetExtent(), (7, 7, 11, 11, 3, 3))
        np.testing.assert_allclose(to_world.MultiplyPoint((7, 11, 3, 1)), self.matrix @ [7, 11, 3, 1], atol=1e-9)

    def test_box_becomes_the_whole_mask(self):
        segmentation = self.show()
        np.testing.assert_array_equal(mask_of(segmentation, self.volume), self.mask)
        expected = world_points(self.volume, self.mask, self.matrix)
        points = surface_points(segmentation)
        # The surface of a box goes through voxels' corners, half a voxel beyond their centres.
        np.testing.assert_allclose(points.min(axis=0), expected.min(axis=0), atol=2.5)
        np.testing.assert_allclose(points.max(axis=0), expected.max(axis=0), atol=2.5)

    def test_terminology_and_color(self):
        segment = self.show().GetSegmentation().GetSegment(SEGMENT_ID)
        tag = vtk.reference("")
        self.assertTrue(segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag))
        entry = slicer.vtkSlicerTerminologyEntry()
        logic = slicer.vtkSlicerTerminologiesModuleLogic()
        self.assertTrue(logic.DeserializeTerminologyEntry(str(tag), entry))
        self.assertEqual(entry.GetTypeObject().GetCodeValue(), "15776009")
        self.assertEqual(entry.GetCategoryObject().GetCodeValue(), "123037004")
        self.assertEqual(entry.GetTypeObject().GetCodingSchemeDesignator(), "SCT")
        np.testing.assert_allclose(np.array(segment.GetColor()) * 255, (249, 180, 111), atol=0.01)

    def test_other_labels_are_segments_of_their_own(self):
        labels = (
            ggpfn.Label(1, "pancreas", (249, 180, 111), 0.5, ("15776009", "SCT", "Pancreas")),
            ggpfn.Label(2, "tumour", (144, 238, 144), 0.5, ("108369006", "SCT", "Neoplasm")),
            ggpfn.Label(3, "something", (1, 2, 3), 0.5),
        )
        segmentation = self.show()
        label_map = self.mask.copy()
        label_map[6:8, 11:14, 9:13] = 2
        show_labels(self.volume, label_map, labels, segmentation)
        segments = segmentation.GetSegmentation()
        self.assertEqual(segments.GetNumberOfSegments(), 3)
        tumour = segments.GetSegment("Label_2")
        self.assertEqual(tumour.GetName(), "tumour")
        np.testing.assert_allclose(np.array(tumour.GetColor()) * 255, (144, 238, 144), atol=0.01)
        tag = vtk.reference("")
        self.assertTrue(tumour.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag))
        self.assertIn("SCT^108369006^Neoplasm", str(tag))
        box = box_of(segmentation, "Label_2")
        self.assertEqual(box.mask.shape, (2, 3, 4))
        np.testing.assert_allclose(box.matrix[:3, 3], (self.matrix @ [9, 11, 6, 1])[:3], atol=1e-6)
        self.assertIsNone(box_of(segmentation, "Label_3"))
        # The pancreas is as it was, and a correction of the tumour is seen.
        np.testing.assert_array_equal(mask_of(segmentation, self.volume), self.mask)
        self.assertFalse(others_edited(segmentation))
        show_labels(self.volume, label_map, labels, segmentation)
        self.assertFalse(others_edited(segmentation))
        matrix = slicer.util.vtkMatrixFromArray(self.matrix)
        corrected = oriented_image(np.ones((2, 2, 2), np.uint8), (9, 11, 6), matrix)
        set_voxels(segmentation, corrected, segment_id="Label_2")
        self.assertTrue(others_edited(segmentation))

    def test_folder_and_transform_are_the_volumes(self):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
        item = hierarchy.GetItemByDataNode(self.volume) or hierarchy.CreateItem(patient, self.volume)
        hierarchy.SetItemParent(item, patient)
        moved = add_transform(translation(1, 2, 3))
        self.volume.SetAndObserveTransformNodeID(moved.GetID())
        segmentation = self.show()
        self.assertEqual(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)), patient)
        self.assertEqual(segmentation.GetTransformNodeID(), moved.GetID())
        np.testing.assert_array_equal(mask_of(segmentation, self.volume), self.mask)

    def test_a_segmentation_elsewhere_is_brought_onto_the_volume(self):
        segmentation = self.show()
        step = self.matrix[:3, 0]
        # Moved by three voxels along i in the world, its mask is three voxels further.
        segmentation.SetAndObserveTransformNodeID(add_transform(translation(*(3 * step))).GetID())
        np.testing.assert_array_equal(mask_of(segmentation, self.volume), np.roll(self.mask, 3, axis=2))

    def test_other_segments_stay(self):
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
        segmentation.GetSegmentation().AddEmptySegment("Liver", "liver")
        self.assertIs(self.show(segmentation=segmentation), segmentation)
        self.show(segmentation=segmentation)
        self.assertEqual(self.segments_of(segmentation), ["Liver", SEGMENT_ID])

    def test_two_and_three_dimensions_are_shown(self):
        segmentation = self.show()
        display = segmentation.GetDisplayNode()
        self.assertTrue(display.GetVisibility2D() and display.GetVisibility3D())
        self.assertTrue(segmentation.GetSegmentation().ContainsRepresentation("Closed surface"))
        flat = self.show(show_3d=False)
        self.assertFalse(flat.GetSegmentation().ContainsRepresentation("Closed surface"))


class Regions(SceneTest):
    def test_region_of_interest_through_transforms(self):
        matrix = np.array([[-2.0, 0, 0, 50], [0, -2, 0, 60], [0, 0, 4, -30], [0, 0, 0, 1]])
        volume = add_volume(np.zeros((20, 30, 40), np.int16), matrix, transform=add_transform(rotation(90, 2)))
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
        # The centres of voxels (10, 5, 3) to (14, 11, 6), in the volume's frame.
        low, high = (matrix @ [14, 11, 3, 1])[:3], (matrix @ [10, 5, 6, 1])[:3]
        roi.SetCenter(*((low + high) / 2))
        roi.SetSize(*(high - low))
        roi.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        scan = scan_of(volume)
        self.assertEqual(roi_region(scan, volume, roi), ((10, 5, 3), (5, 7, 4)))
        # Without the transform of the volume the box lies elsewhere in the world.
        roi.SetAndObserveTransformNodeID(None)
        with self.assertRaisesRegex(InputError, "outside of the volume"):
            roi_region(scan, volume, roi)

    def test_a_region_that_is_fitted_is_the_body(self):
        array = np.full((30, 100, 120), -1000, np.int16)
        array[2:28, 30:71, 20:101] = 40
        left_handed = rotation(25, 1) @ rotation(10, 2) @ np.diag([-0.7, 0.8, 2.5, 1])
        for matrix in (left_handed, left_handed @ np.diag([-1, 1, 1, 1]), np.eye(4)):
            volume = add_volume(array, matrix, transform=add_transform(translation(5, -9, 30) @ rotation(40, 0)))
            roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
            fit_roi(roi, volume)
            self.assertEqual(roi_region(scan_of(volume), volume, roi), body_region(array))
            self.assertTrue(roi.GetDisplayNode().GetHandlesInteractive())
            self.assertGreater(np.linalg.det(slicer.util.arrayFromVTKMatrix(roi.GetObjectToNodeMatrix())), 0)

    def test_a_region_without_a_body_is_the_volume(self):
        volume = add_volume(np.full((4, 5, 6), -1000, np.int16), np.diag([1, 2, 3, 1]))
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
        fit_roi(roi, volume)
        self.assertEqual(roi_region(scan_of(volume), volume, roi), ((0, 0, 0), (6, 5, 4)))

    def test_body(self):
        array = np.full((30, 200, 250), -1000, np.int16)
        array[2:28, 50:151, 40:211] = 40
        array[10:20, 90:100, 100:120] = -1000
        (i, j, k), (ni, nj, nk) = body_region(array)
        self.assertTrue(36 <= i <= 40 and 46 <= j <= 50 and 1 <= k <= 2)
        self.assertTrue(211 <= i + ni <= 215 and 151 <= j + nj <= 155 and 28 <= k + nk <= 29)

    def test_whole(self):
        volume = add_volume(np.zeros((4, 5, 6), np.int16), np.eye(4))
        self.assertIsNone(region_of(scan_of(volume), volume, Region.WHOLE))


class Live(SceneTest):
    """Results of one run with everything that can be asked for."""

    def setUp(self):
        super().setUp()
        self.p, self.volume, self.truth = self.sample()
        self.p.useCoronal = True
        self.p.wantProbability = self.p.wantUncertainty = True
        self.segmentation = self.logic.process(self.p)

    def test_threshold_live_is_what_the_probability_says(self):
        probability = slicer.util.arrayFromVolume(self.p.probabilityVolume)
        for threshold in (0.3, 0.05, 0.77):
            self.p.threshold = threshold
            found, _agreement = self.logic.segmentation.try_threshold(self.p)
            expected = probability >= np.float32(threshold)
            np.testing.assert_array_equal(mask_of(self.segmentation, self.volume).astype(bool), expected)
            self.assertEqual(found.voxels, expected.sum())
            first = np.argwhere(expected).min(axis=0)[::-1]
            self.assertEqual(found.box_start, tuple(first))
            centre = (scan_of(self.volume).matrix @ [*np.argwhere(expected).mean(axis=0)[::-1], 1])[:3]
            np.testing.assert_allclose(found.centroid, centre, atol=0.01)
            hu = slicer.util.arrayFromVolume(self.volume)[expected]
            self.assertAlmostEqual(found.mean_hu, hu.mean(), places=2)

    def test_surface_follows_the_threshold(self):
        before = len(surface_points(self.segmentation))
        self.p.threshold = 0.9
        self.logic.segmentation.try_threshold(self.p)
        self.assertLess(len(surface_points(self.segmentation)), before)

    def test_largest_part(self):
        self.p.threshold, self.p.largestComponent = 0.05, True
        found, _agreement = self.logic.segmentation.try_threshold(self.p)
        self.assertEqual(found.components, 1)

    def test_agreement_and_table(self):
        found, agreement = self.logic.segmentation.try_threshold(self.p)
        self.assertEqual(list(agreement), ["axial, coronal"])
        self.assertTrue(0.3 < agreement["axial, coronal"] < 1)
        table = self.p.measurementsTable.GetTable()
        self.assertEqual(table.GetColumn(1).GetValue(0), f"{found.volume_ml:.1f}")

    def test_uncertainty_and_probability(self):
        uncertainty = slicer.util.arrayFromVolume(self.p.uncertaintyVolume)
        self.assertTrue(0.05 < uncertainty.max() <= 0.5)
        np.testing.assert_allclose(scan_of(self.p.probabilityVolume).matrix, scan_of(self.volume).matrix)

    def test_deleted_result_ends_the_live_threshold(self):
        slicer.mrmlScene.RemoveNode(self.segmentation)
        self.assertIsNone(self.logic.segmentation.try_threshold(self.p))

    def test_kept_box_has_all_that_counts(self):
        probability = slicer.util.arrayFromVolume(self.p.probabilityVolume)
        kept = self.logic.segmentation._kept
        self.assertIsInstance(kept, Kept)
        self.assertLess(kept.probability.size, probability.size / 3)
        i, j, k = kept.start
        outside = probability.copy()
        nk, nj, ni = kept.probability.shape
        outside[k : k + nk, j : j + nj, i : i + ni] = 0
        self.assertLess(outside.max(), 0.01)


class SavedScene(SceneTest):
    def test_parameters_and_result_come_back(self):
        p, volume, _truth = self.sample()
        p.threshold, p.largestComponent = 0.42, True
        segmentation = self.logic.process(p)
        mask = mask_of(segmentation, volume)
        path = save_scene(self.folder)
        load_scene(path)
        p = self.logic.getParameterNode()
        self.assertEqual((p.threshold, p.largestComponent, p.useCoronal), (0.42, True, False))
        self.assertEqual(p.region, Region.ROI)
        self.assertEqual(p.roi.GetName(), "Around the pancreas")
        self.assertIsNotNone(p.inputVolume)
        np.testing.assert_array_equal(mask_of(p.outputSegmentation, p.inputVolume), mask)
        # Nothing is kept of the other scene, and a new run goes into the loaded node.
        self.assertIsNone(self.logic.segmentation.try_threshold(p))
        self.assertIs(self.logic.process(p), p.outputSegmentation)
        self.assertTrue(os.path.getsize(path))


class SampleData(SceneTest):
    """What Slicer's module Sample Data is told when the application has started."""

    def test_the_sample_is_registered_and_can_be_loaded(self):
        register_sample_data()
        (source,) = slicer.modules.sampleDataSources["PancreasSegmentation"]
        self.assertTrue(os.path.isfile(source.thumbnailFileName))
        (volume,) = source.customDownloader(source)
        self.assertEqual(volume.GetName(), sample_data.NAME)
        self.assertTrue(slicer.mrmlScene.IsNodePresent(volume))

    def test_a_script_can_download_it(self):
        register_sample_data()
        (source,) = slicer.modules.sampleDataSources["PancreasSegmentation"]
        self.assertTrue(source.fileNames[0].endswith(".nii.gz"))
        path, _headers = urllib.request.urlretrieve(source.uris[0], os.path.join(self.folder, source.fileNames[0]))
        with open(path, "rb") as file:
            self.assertEqual(source.checksums[0], f"SHA256:{hashlib.sha256(file.read()).hexdigest()}")


class Undo(SceneTest):
    def test_undo_takes_the_result_back_and_the_module_goes_on(self):
        p, volume, _truth = self.sample()
        for name in ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationDisplayNode", "vtkMRMLTableNode"):
            default = slicer.mrmlScene.CreateNodeByClass(name)
            default.UnRegister(None)
            default.SetUndoEnabled(True)
            slicer.mrmlScene.AddDefaultNode(default)
        slicer.mrmlScene.SetUndoOn()
        self.logic.process(p)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 1)
        slicer.mrmlScene.Undo()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)
        self.assertTrue(slicer.mrmlScene.IsNodePresent(volume))
        self.assertIsNone(self.logic.segmentation.try_threshold(p))
        self.assertTrue(slicer.mrmlScene.IsNodePresent(self.logic.process(p)))
        slicer.mrmlScene.SetUndoOff()


if __name__ == "__main__":
    unittest.main()
