"""Faults, as tasks meet them: a sentence that says what to do, and a module that still works afterwards."""

import ctypes
import logging
import os
import sys
import time
import unittest
from unittest import mock

import ggpfn
import numpy as np
import slicer
from pancreas_testing import SceneTest, add_volume
from PancreasSegmentationLib.engines import Engines, device_sentence
from PancreasSegmentationLib.errors import InputError, sentence
from PancreasSegmentationLib.scene_input import Scan, fit_roi, mask_of, pancreas_segment, scan_of
from PancreasSegmentationLib.segmenting import SegmentTask
from PancreasSegmentationLib.tasks import State, Task

from PancreasSegmentation import PancreasSegmentationLogic


class Volumes(SceneTest):
    def refused(self, volume, *words):
        with self.assertRaises(InputError) as caught:
            scan_of(volume)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_none(self):
        self.refused(None, "Choose a CT volume")

    def test_empty(self):
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
        self.refused(empty, "nothing", "no voxels", "load it again")

    def test_four_dimensions(self):
        import vtk

        image = vtk.vtkImageData()
        image.SetDimensions(4, 5, 6)
        image.AllocateScalars(vtk.VTK_SHORT, 3)
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "perfusion")
        volume.SetAndObserveImageData(image)
        self.refused(volume, "perfusion", "4D", "sequence")

    def test_label_map(self):
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        self.refused(labels, "label map")

    def test_not_hounsfield_units(self):
        volume = add_volume(np.full((10, 12, 14), 300, np.int16), np.eye(4))
        self.assertIn("Is it a CT?", scan_of(volume).warning)

    def test_voxels_that_are_no_numbers(self):
        array = np.full((16, 16, 16), -50, np.float32)
        array[:4] = np.nan
        p = self.parameters(add_volume(array, np.diag([3, 3, 3, 1]), "broken"))
        task = SegmentTask(self.logic.segmentation.engines, p).start().wait(60)
        self.assertEqual(task.state, State.DONE, task.message)
        self.assertTrue(any("not numbers" in warning.text for warning in task.quality.warnings))

    def test_no_spacing(self):
        self.refused(
            add_volume(np.zeros((9, 9, 9), np.int16), np.diag([0, 1, 1, 1]), "flat"),
            "flat",
            "spacing",
            "module Volumes",
        )

    def test_a_tilted_gantry(self):
        sheared = np.eye(4)
        sheared[1, 2] = 0.2
        self.refused(add_volume(np.zeros((9, 9, 9), np.int16), sheared, "tilted"), "tilted", "Crop Volume")

    def test_one_slice(self):
        volume = add_volume(np.full((1, 40, 40), -50, np.int16), np.diag([3, 3, 3, 1]), "slice")
        self.assertIn("only 1 slices", scan_of(volume).warning)
        p = self.parameters(volume)
        probability = np.zeros((1, 40, 40), np.float32)
        probability[:, 10:20, 10:20] = 1
        segmentation = self.pretend(p, probability)
        np.testing.assert_array_equal(mask_of(segmentation, volume), probability)
        fit_roi(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode"), volume)

    def test_a_segment_without_a_name(self):
        volume = add_volume(np.zeros((9, 9, 9), np.int16), np.eye(4))
        segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        segment_id = segmentation.GetSegmentation().AddEmptySegment("", "x")
        segmentation.GetSegmentation().GetSegment(segment_id).SetName(None)
        self.assertEqual(pancreas_segment(segmentation), segment_id)

    def test_array_outlives_its_node(self):
        volume = add_volume(np.arange(1000, dtype=np.int16).reshape(10, 10, 10), np.eye(4))
        scan = scan_of(volume)
        self.assertTrue(np.shares_memory(scan.array, slicer.util.arrayFromVolume(volume)))
        slicer.mrmlScene.RemoveNode(volume)
        del volume
        np.testing.assert_array_equal(scan.array.ravel(), np.arange(1000))


class Library(SceneTest):
    """Tasks with engines of their own, which find nothing good."""

    def fails(self, engines, *words):
        p = self.parameters(add_volume(np.full((16, 16, 16), -50, np.int16), np.diag([3, 3, 3, 1])))
        task = SegmentTask(engines, p).start().wait(60)
        self.assertEqual(task.state, State.FAILED)
        for word in words:
            self.assertIn(word, task.message)
        return p

    def test_missing_library_and_then_a_good_one(self):
        engines = Engines("in process", self.folder)
        p = self.fails(engines, "was not found", "Library")
        engines.configure("in process", os.environ.get("GGPFN_LIBRARY"))
        logic = PancreasSegmentationLogic(engines)
        self.assertIsNotNone(logic.process(p))

    def test_a_file_that_is_no_library(self):
        name = {"win32": "ggpfn.dll", "darwin": "libggpfn.dylib"}.get(sys.platform, "libggpfn.so")
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(b"no library")
        self.fails(Engines("in process", os.path.join(self.folder, name)), "library")

    def test_a_library_of_another_version(self):
        engines = Engines("in process")
        wrong = ggpfn.WrongLibrary("libggpfn has ABI 7, and this package needs 0.")
        with mock.patch.object(ggpfn, "open_engine", side_effect=wrong):
            self.fails(engines, "Install the version that belongs to this extension", "ABI 7")

    def test_no_memory(self):
        engines = self.logic.segmentation.engines
        full = ggpfn.OutOfMemory("90 GB would be needed, 8 GB are free.")
        with mock.patch.object(type(engines.engine()), "segment", side_effect=full):
            p = self.fails(engines, "not enough memory", "region of interest", "90 GB")
        self.assertIsNotNone(self.logic.process(p))

    def test_one_model_of_ones_own_is_kept(self):
        engines = Engines()
        path = os.path.join(self.folder, "mödel.safetensors")
        engines.model().save(path)
        first = engines.model(path)
        self.assertIs(engines.model(path), first)
        self.assertIs(engines.model(), engines.model())
        time.sleep(0.01)
        engines.model().save(path, "float32")
        self.assertIsNot(engines.model(path), first)


class Sentences(unittest.TestCase):
    def test_all_faults_have_one(self):
        for kind in (
            ggpfn.Error,
            ggpfn.LibraryMissing,
            ggpfn.WrongLibrary,
            ggpfn.OutOfMemory,
            ggpfn.ModelError,
            ggpfn.ImageError,
            ggpfn.ChildDied,
            ggpfn.Busy,
            ggpfn.TrainingError,
        ):
            self.assertIn("because of this.", sentence(kind("It is so because of this.")))

    def test_faults_that_nobody_foresaw_are_logged(self):
        with self.assertLogs(level=logging.ERROR):
            self.assertIn("ZeroDivisionError", sentence(ZeroDivisionError("by zero")))

    def test_why_no_gpu(self):
        runtime = dict(
            version="0.1.0", library="", program=None, built_for="2.11.0", loaded="2.11.0", wrong_libtorch=False
        )
        runtime.update(cpu_bfloat16=True, gpu_driver=False, gpus=0)
        self.assertIn("no NVIDIA driver", device_sentence(ggpfn.Runtime(**runtime)))
        runtime.update(gpu_driver=True, problems="The driver is too old.")
        self.assertIn("No GPU is used: The driver is too old.", device_sentence(ggpfn.Runtime(**runtime)))
        runtime.update(gpus=1, gpu_names=("cuda:0, Big One",))
        self.assertIn("Big One", device_sentence(ggpfn.Runtime(**runtime)))


class Lock(SceneTest):
    def test_a_window_that_holds_pythons_lock(self):
        """Slicer's event loop may keep Python's lock while it waits; poll gives the task its moments."""
        sleep = ctypes.PyDLL(None).usleep
        steps = 20

        class Steps(Task):
            def work(self):
                for _step in range(steps):
                    time.sleep(0)
                return "done"

            def finish(self, result):
                return result

        task = Steps(self.logic.segmentation.engines, "steps").start()
        started = time.monotonic()
        while task.poll():
            sleep(20000)
            self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(task.message, "done")

    def test_a_real_run_under_the_same_lock(self):
        sleep = ctypes.PyDLL(None).usleep
        volume = add_volume(np.full((40, 40, 40), -50, np.int16), np.diag([3, 3, 3, 1]))
        p = self.parameters(volume)
        task = SegmentTask(self.logic.segmentation.engines, p).start()
        started = time.monotonic()
        while task.poll():
            sleep(20000)
            self.assertLess(time.monotonic() - started, 60)
        self.assertEqual(task.state, State.DONE, task.message)

    def test_progress_does_not_wait_for_the_lock(self):
        """While a run goes on no Python is called, and asking how far it is gives an answer at once."""
        volume = add_volume(np.full((40, 60, 60), -50, np.int16), np.diag([3, 3, 3, 1]))
        engine = self.logic.segmentation.engines.engine()
        self.logic.segmentation.engines.model()
        with mock.patch.object(engine.library, "call", wraps=engine.library.call) as called:
            task = SegmentTask(self.logic.segmentation.engines, self.parameters(volume)).start()
            fractions = []
            while task.poll():
                fractions.append(task.progress.fraction)
                time.sleep(0.002)
        self.assertEqual(task.state, State.DONE, task.message)
        self.assertNotIn("ggpfn_monitor_set_callback", [call.args[0] for call in called.call_args_list])
        self.assertEqual(fractions, sorted(fractions))
        self.assertGreater(len(set(fractions)), 3)
        self.assertEqual(task.progress.fraction, 1)


class Unforeseen(SceneTest):
    def test_a_fault_in_a_task_reaches_the_user(self):
        class Broken(Task):
            def work(self):
                raise RuntimeError("something odd")

        with self.assertLogs(level=logging.ERROR):
            task = Broken(self.logic.segmentation.engines, "broken").start().wait(10)
        self.assertEqual(task.state, State.FAILED)
        self.assertIn("something odd", task.message)
        self.assertIn("report it", task.message)

    def test_scan_names_may_have_any_characters(self):
        scan = Scan("Bauch µ 腹部", np.zeros((8, 8, 8), np.int16), np.eye(4))
        self.assertEqual(scan.image().size, (8, 8, 8))


if __name__ == "__main__":
    unittest.main()
