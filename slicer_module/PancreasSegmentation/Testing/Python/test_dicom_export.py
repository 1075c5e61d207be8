"""Export as DICOM SEG without Quantitative Reporting: the file refers to the CT's own slices and has its mask."""

import importlib.util
import os
import unittest
from unittest import mock

import ggpfn
import numpy as np
import slicer
from pancreas_testing import SceneTest, add_volume, ball, draw, erase_half, translation
from PancreasSegmentationLib.dicom_export import ExportTask, files_of
from PancreasSegmentationLib.dicom_input import read_series
from PancreasSegmentationLib.errors import InputError
from PancreasSegmentationLib.scene_input import mask_of
from PancreasSegmentationLib.tasks import State
from test_many import write_series

HAS_PYDICOM = importlib.util.find_spec("pydicom") is not None


class Database:
    """Slicer's DICOM database, as far as it says where the file of an instance is."""

    def __init__(self, *folders):
        import pydicom

        paths = [os.path.join(folder, name) for folder in folders for name in os.listdir(folder)]
        self.files = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in paths}

    def fileForInstance(self, instance):
        return self.files.get(instance, "")


class Export(SceneTest):
    def setUp(self):
        super().setUp()
        if not HAS_PYDICOM:
            self.skipTest("pydicom is not there")
        import pydicom

        self.series = os.path.join(self.folder, "series")
        self.probability = ball((12, 20, 24))
        random = np.random.default_rng(2)
        array = random.integers(-1000, 200, self.probability.shape).astype(np.int16)
        write_series(self.series, array, (0.7, 0.9, 2.5), (10, -20, 33), (0, 1, 0, 0, 0, -1))
        volume, _warning = read_series(self.series, "CT")
        self.volume = slicer.mrmlScene.AddNode(volume)
        self.database = Database(self.series)
        headers = {path: pydicom.dcmread(path) for path in self.database.files.values()}
        slices = sorted(headers.values(), key=lambda header: -header.ImagePositionPatient[0])
        self.instances = [str(header.SOPInstanceUID) for header in slices]
        self.volume.SetAttribute("DICOM.instanceUIDs", " ".join(self.instances))
        patch = mock.patch.object(slicer, "dicomDatabase", self.database, create=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.p = self.parameters(self.volume)
        self.segmentation = self.pretend(self.p, self.probability)

    def export(self, name="out.dcm"):
        """The file that is written, as pydicom reads it."""
        import pydicom

        task = ExportTask(self.logic.segmentation.engines, self.p, os.path.join(self.folder, name)).start().wait(60)
        self.assertEqual(task.state, State.DONE, task.message)
        self.assertIn(task.path, task.message)
        return pydicom.dcmread(task.path)

    def check(self, found, made_by):
        """Every slice with something on it is there, refers to its slice of the CT, and has its mask."""
        mask = mask_of(self.segmentation, self.volume)
        self.assertEqual(found.Modality, "SEG")
        self.assertEqual(found.SegmentSequence[0].SegmentAlgorithmType, made_by)
        frames = np.atleast_3d(found.pixel_array).reshape(-1, found.Rows, found.Columns)
        seen = {}
        for frame, group in zip(frames, found.PerFrameFunctionalGroupsSequence):
            source = group.DerivationImageSequence[0].SourceImageSequence[0]
            seen[str(source.ReferencedSOPInstanceUID)] = frame
        expected = {instance: plane for instance, plane in zip(self.in_order(), mask) if plane.any()}
        self.assertEqual(set(seen), set(expected))
        for instance, plane in expected.items():
            np.testing.assert_array_equal(seen[instance], plane)

    def in_order(self):
        """The instances of the volume's slices, by place."""
        import pydicom

        to_ras = slicer.util.arrayFromVTKMatrix(self._matrix())
        places = {}
        for instance, path in self.database.files.items():
            position = pydicom.dcmread(path).ImagePositionPatient
            places[instance] = np.array([-position[0], -position[1], position[2]], float)
        found = []
        for k in range(len(self.probability)):
            corner = (to_ras @ [0, 0, k, 1])[:3]
            found.append(min(places, key=lambda one, corner=corner: np.linalg.norm(places[one] - corner)))
        return found

    def _matrix(self):
        import vtk

        matrix = vtk.vtkMatrix4x4()
        self.volume.GetIJKToRASMatrix(matrix)
        return matrix

    def test_the_file_has_the_mask_on_the_ct_s_slices(self):
        self.check(self.export(), "AUTOMATIC")
        erase_half(self.segmentation)
        # Without its ending the file gets one.
        self.check(self.export("corrected"), "SEMIAUTOMATIC")
        self.assertEqual(sorted(os.listdir(self.folder)), ["corrected.dcm", "out.dcm", "series"])

    def test_a_segment_drawn_by_hand_says_so(self):
        drawn = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
        drawn.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        drawn.GetSegmentation().AddEmptySegment("Pancreas", "pancreas")
        mask = np.zeros(self.probability.shape, np.uint8)
        mask[3:5, 4:9, 4:9] = 1
        draw(drawn, mask, self.volume)
        self.segmentation = self.p.outputSegmentation = drawn
        self.check(self.export(), "MANUAL")

    def test_other_series_in_the_same_folder_do_no_harm(self):
        other = os.path.join(self.folder, "other")
        write_series(other, np.zeros((5, 8, 8), np.int16), (1, 1, 1))
        for name in os.listdir(other):
            os.rename(os.path.join(other, name), os.path.join(self.series, "other " + name))
        os.rmdir(other)
        self.check(self.export(), "AUTOMATIC")

    def test_a_transform_over_the_ct_changes_nothing(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(translation(30, 20, 10)))
        for one in (self.volume, self.segmentation):
            one.SetAndObserveTransformNodeID(node.GetID())
        self.check(self.export(), "AUTOMATIC")

    def test_a_volume_that_is_no_dicom_is_refused_by_a_sentence(self):
        plain = add_volume(np.zeros((3, 3, 3), np.int16), np.eye(4), "plain")
        with self.assertRaisesRegex(InputError, "plain was not loaded by the module DICOM"):
            files_of(plain)
        with mock.patch.object(slicer, "dicomDatabase", None):
            with self.assertRaisesRegex(InputError, "not loaded by the module DICOM"):
                files_of(self.volume)

    def test_files_that_are_gone_are_counted(self):
        os.remove(self.database.files[self.instances[0]])
        del self.database.files[self.instances[1]]
        with self.assertRaisesRegex(InputError, "2 of the 12 DICOM files"):
            ExportTask(self.logic.segmentation.engines, self.p, "out.dcm")

    def test_what_the_program_refuses_is_told_in_its_words(self):
        # Another place than the series says: somebody has hardened a transform.
        self.volume.SetOrigin(0, 0, 0)
        self.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        path = os.path.join(self.folder, "out.dcm")
        task = ExportTask(self.logic.segmentation.engines, self.p, path).start().wait(60)
        self.assertEqual(task.state, State.FAILED)
        self.assertIn("mm", task.message)
        print(f"\n{task.message}")
        self.assertNotIn("error:", task.message)
        self.assertIn(f"{self.segmentation.GetName()}: its grid is not that of the series CT (", task.message)
        self.assertIsInstance(task.error, ggpfn.Error)
        self.assertEqual(os.listdir(self.folder), ["series"])

    def test_cancel_leaves_no_file(self):
        task = ExportTask(self.logic.segmentation.engines, self.p, os.path.join(self.folder, "out.dcm"))
        task.monitor.cancel()

        class Popen:
            returncode = None

            def communicate(self, timeout=None):
                if self.returncode is None:
                    raise ggpfn._process.subprocess.TimeoutExpired("ggpfn", timeout)
                return b"", b""

            def kill(self):
                self.returncode = -9

        with mock.patch.object(ggpfn._process.subprocess, "Popen", lambda *_args, **_named: Popen()):
            task.start().wait(30)
        self.assertEqual(task.state, State.CANCELLED, task.message)
        self.assertEqual(os.listdir(self.folder), ["series"])


if __name__ == "__main__":
    unittest.main()
