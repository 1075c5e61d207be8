"""Work in a child process beside Slicer: the same results, progress, cancel, and a child that is killed."""

import os
import signal
import time
import unittest

import ggpfn
import numpy as np
import slicer
from pancreas_testing import SceneTest
from PancreasSegmentationLib.engines import Engines, device_sentence
from PancreasSegmentationLib.parameters import Region
from PancreasSegmentationLib.scene_input import mask_of
from PancreasSegmentationLib.tasks import State

from PancreasSegmentation import PancreasSegmentationLogic


class Child(SceneTest):
    @classmethod
    def setUpClass(cls):
        cls.engines = Engines("child process")
        try:
            cls.engines.engine().runtime()
        except (ImportError, ggpfn.Error) as error:
            raise unittest.SkipTest(f"no child process: {error}") from error

    @classmethod
    def tearDownClass(cls):
        cls.engines.drop()

    def setUp(self):
        super().setUp()
        self.beside = PancreasSegmentationLogic(self.engines)
        self.p, self.volume, _truth = self.sample()

    def test_same_mask_and_live_threshold_as_in_process(self):
        masks = []
        for logic in (self.logic, self.beside):
            self.p.threshold, self.p.outputSegmentation = 0.3, None
            segmentation = logic.process(self.p)
            masks.append(mask_of(segmentation, self.volume))
            self.p.threshold = 0.6
            found, _agreement = logic.segmentation.try_threshold(self.p)
            masks.append(mask_of(segmentation, self.volume))
            self.assertEqual(found.voxels, masks[-1].sum())
        np.testing.assert_array_equal(masks[0], masks[2])
        np.testing.assert_array_equal(masks[1], masks[3])

    def test_progress_and_cancel(self):
        self.p.region = Region.WHOLE
        task = self.beside.segmentation.task(self.p).start()
        seen = set()
        while task.progress.fraction < 0.2 and task.poll():
            seen.add(task.progress.phase)
            time.sleep(0.005)
        self.assertIn("axial view", seen)
        started = time.monotonic()
        task.cancel()
        self.assertEqual(task.state, State.CANCELLED)
        self.assertTrue(task.ended(10))
        print(f"\nchild: cancelled, thread ended after {time.monotonic() - started:.2f} s")

    def test_killed_child(self):
        self.p.region = Region.WHOLE
        task = self.beside.segmentation.task(self.p).start()
        while task.progress.fraction < 0.05 and task.poll():
            time.sleep(0.005)
        os.kill(self.engines.engine()._process.pid, signal.SIGKILL)
        task.wait(20)
        self.assertEqual(task.state, State.FAILED)
        self.assertIn("Press Apply", task.message)
        self.p.region = Region.ROI
        self.assertTrue(slicer.mrmlScene.IsNodePresent(self.beside.process(self.p)))

    def test_the_panel_says_where_the_work_is_done(self):
        engine = self.engines.engine()
        self.assertIn("separate process", device_sentence(engine.runtime(gpus=True), engine))


if __name__ == "__main__":
    unittest.main()
