"""The engine in a child process: the same results as in process, and a child that is stopped, killed and missing."""

import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np
from common import SPACING, TINY, ggpfn, python, voxels

SHARED_FOLDERS = [folder for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())) if folder.is_dir()]
EVERYTHING = {
    "probability": True,
    "view_probabilities": True,
    "uncertainty": True,
    "precision": "float32",
    "threads": 1,
}


def left_behind():
    return {path for folder in SHARED_FOLDERS for path in folder.glob("ggpfn-*")}


def long_work(engine):
    """An image and a model that take minutes."""
    k, j, i = np.ogrid[:100, :256, :256]
    return ggpfn.Image(((i + 3 * j + 5 * k) % 100).astype(np.int16), (0.8, 0.8, 1.0)), engine.new_model({}, 1)


class InAChild(unittest.TestCase):
    def setUp(self):
        self.before = left_behind()
        self.engine = ggpfn.open_engine("child process")
        self.addCleanup(self.engine.close)
        self.model = self.engine.new_model(TINY, 1)
        self.image = ggpfn.Image(voxels()[::-1, :, ::2], SPACING, (1, 2, 3), frame="RAS")

    def tearDown(self):
        self.assertEqual(left_behind() - self.before, set())

    def kill(self):
        os.kill(self.engine._process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def test_results_are_those_in_process(self):
        own = ggpfn.open_engine("in process")
        model = own.load_model(self.model.to_bytes("float32"))
        self.assertEqual((model.info, model.configuration), (self.model.info, self.model.configuration))
        found, expected = (
            engine.segment(self.image, model, threshold=0.45, view_weights={"axial": 2, "coronal": 1}, **EVERYTHING)
            for engine, model in ((self.engine, self.model), (own, model))
        )
        for name in ("mask", "probability", "uncertainty"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        for view in ggpfn.VIEWS:
            np.testing.assert_array_equal(found.view_probabilities[view], expected.view_probabilities[view])
        without_time = [{**vars(one.measurements), "seconds": None} for one in (found, expected)]
        self.assertEqual(*without_time)
        kept = found.probability
        for one, other in zip(*(engine.threshold(self.image, kept, 0.48, True) for engine in (self.engine, own))):
            np.testing.assert_array_equal(one, other)
        for weights in (None, {"axial": 1, "sagittal": 3}):
            pairs = (engine.fuse(found.view_probabilities, weights, 0.4) for engine in (self.engine, own))
            for one, other in zip(*pairs):
                np.testing.assert_array_equal(one, other)
        truth = ggpfn.Image(self.image.array > 50, SPACING, (1, 2, 3), frame="RAS")
        mask = ggpfn.Image(found.mask, SPACING, (1, 2, 3), frame="RAS")
        self.assertEqual(self.engine.evaluate(mask, truth), own.evaluate(mask, truth))
        estimates = (
            engine.estimate_memory(self.image, m, uncertainty=True)
            for engine, m in ((self.engine, self.model), (own, model))
        )
        self.assertEqual(*(estimate.host_bytes for estimate in estimates))

    def test_a_child_that_is_killed_is_started_again(self):
        image, model = long_work(self.engine)
        monitor = ggpfn.Monitor(lambda progress: self.kill())
        with self.assertRaisesRegex(ggpfn.ChildDied, "killed|exit code"):
            self.engine.segment(image, model, monitor=monitor)
        first = self.engine.segment(self.image, self.model).mask
        self.kill()
        time.sleep(0.5)
        np.testing.assert_array_equal(self.engine.segment(self.image, self.model).mask, first)

    def test_cancel(self):
        image, model = long_work(self.engine)
        started, stopped = threading.Event(), []
        monitor = ggpfn.Monitor(lambda progress: started.set())

        def cancel():
            started.wait()
            stopped.append(time.monotonic())
            monitor.cancel()

        thread = threading.Thread(target=cancel)
        thread.start()
        with self.assertRaises(ggpfn.Cancelled):
            self.engine.segment(image, model, monitor=monitor)
        self.assertLess(time.monotonic() - stopped[0], 2)
        thread.join()
        with self.assertRaises(ggpfn.Cancelled):
            self.engine.segment(image, model, monitor=monitor)
        with self.assertRaises(ZeroDivisionError):
            self.engine.segment(image, model, monitor=ggpfn.Monitor(lambda progress: 1 / 0))
        self.assertEqual(self.engine.segment(self.image, self.model).mask.shape, self.image.array.shape)

    def test_a_trained_model_outlives_the_child(self):
        inside = ggpfn.Image((self.image.array > 90).astype(np.uint8), SPACING, (1, 2, 3), frame="RAS")
        seen = []
        model, result = self.engine.train(
            [ggpfn.Case("one", self.image, inside)],
            model=self.model,
            device="cpu",
            monitor=ggpfn.Monitor(lambda progress: seen.append(progress) or len(seen) < 3),
        )
        self.assertEqual((result.end, result.cases, seen[0].stage), ("cancelled", 1, "whole"))
        mask = self.engine.segment(self.image, model, precision="float32").mask
        self.kill()
        time.sleep(0.5)
        np.testing.assert_array_equal(self.engine.segment(self.image, model, precision="float32").mask, mask)

    def test_many_threads_at_once(self):
        expected = self.engine.segment(self.image, self.model, precision="float32", threads=1).mask
        found = [None] * 6

        def work(number):
            found[number] = self.engine.segment(self.image, self.model, precision="float32", threads=1).mask

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for mask in found:
            np.testing.assert_array_equal(mask, expected)

    def test_a_closed_engine_says_so(self):
        process = self.engine._process
        self.engine.close()
        self.assertEqual(process._popen.returncode, 0)
        with self.assertRaisesRegex(ggpfn.Error, "closed"):
            self.engine.segment(self.image, self.model)

    @unittest.skipUnless(hasattr(signal, "SIGKILL"), "not applicable: there is no SIGKILL here")
    def test_nothing_is_left_when_python_is_killed(self):
        script = """
import os, signal, sys
import numpy as np, ggpfn
engine = ggpfn.open_engine("child process")
print(engine._process.pid, flush=True)
image = ggpfn.Image(np.zeros((60, 256, 256), np.int16))
engine.segment(image, monitor=ggpfn.Monitor(lambda progress: os.kill(os.getpid(), signal.SIGKILL)))
"""
        text, status = python(script)
        self.assertEqual(status, -signal.SIGKILL)
        for _ in range(100):
            try:
                os.kill(int(text), 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
        self.fail("the child lives on")


class AProgram(unittest.TestCase):
    def test_that_is_missing_or_another_one(self):
        with self.assertRaises(ggpfn.LibraryMissing) as caught:
            ggpfn.open_engine("child process", program="/no/such/ggpfn")
        self.assertEqual(caught.exception.searched, [os.path.abspath("/no/such/ggpfn")])
        with self.assertRaisesRegex(ggpfn.WrongLibrary, "did not start as a worker"):
            ggpfn.open_engine("child process", program=sys.executable)

    def test_sees_nothing_of_slicers_launcher(self):
        script = "from ggpfn import _process; e = _process.environment(); print([e.get(n) for n in {names!r}])"
        names = ["LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"]
        text, status = python(script.format(names=names), SLICER_HOME="/slicer", LD_LIBRARY_PATH="/slicer/lib")
        self.assertEqual((text.strip(), status), ("[None, None, None]", 0))
        text, _ = python(
            script.format(names=names[:1]), APPLAUNCHER_0_LD_LIBRARY_PATH="/own", LD_LIBRARY_PATH="/slicer/lib"
        )
        self.assertEqual(text.strip(), "['/own']")


if __name__ == "__main__":
    unittest.main()
