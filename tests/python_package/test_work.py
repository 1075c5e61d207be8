"""Progress, cancel, exceptions in callbacks, Ctrl-C."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

import numpy as np
from common import MODULE, SPACING, TINY, ggpfn, python, tiny, voxels

# Long enough to be cancelled: seconds of work in small layers.
LARGE = (96, 96, 96)


def large():
    return ggpfn.Image((np.arange(np.prod(LARGE)).reshape(LARGE) % 119).astype(np.int16))


class Work(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = ggpfn.open_engine("in process")
        cls.model = tiny(cls.engine)
        cls.image = ggpfn.Image(voxels(), SPACING)
        cls.expected = cls.engine.segment(cls.image, cls.model).mask

    def segment(self, monitor, image=None):
        return self.engine.segment(image or self.image, self.model, monitor=monitor)

    def assert_works(self, monitor):
        np.testing.assert_array_equal(self.segment(monitor).mask, self.expected)

    def test_progress(self):
        seen, threads = [], set()

        def hear(progress):
            seen.append(progress)
            threads.add(threading.current_thread())

        monitor = ggpfn.Monitor(hear)
        self.assertEqual(monitor.progress, ggpfn.Progress())
        self.assert_works(monitor)
        fractions = [progress.fraction for progress in seen]
        self.assertGreater(len(seen), 5)
        self.assertEqual(fractions, sorted(fractions))
        self.assertEqual((fractions[0], fractions[-1]), (0, 1))
        self.assertEqual({progress.view for progress in seen} - {None}, set(ggpfn.VIEWS))
        self.assertIn("axial view", {progress.phase for progress in seen})
        self.assertTrue(all(progress.epoch is None and progress.loss is None for progress in seen))
        self.assertTrue(any(progress.seconds_left is not None for progress in seen))
        self.assertEqual(threads, {threading.main_thread()})
        self.assertEqual(monitor.progress, seen[-1])
        monitor.reset()
        self.assertEqual(monitor.progress.fraction, 0)

    def test_cancel_from_another_thread_is_prompt(self):
        monitor, at = ggpfn.Monitor(), []

        def cancel():
            while monitor.progress.fraction == 0:
                time.sleep(0.01)
            at.append(time.monotonic())
            monitor.cancel()

        threading.Thread(target=cancel).start()
        with self.assertRaises(ggpfn.Cancelled) as raised:
            self.segment(monitor, large())
        self.assertLess(time.monotonic() - at[0], 2, "half a second when nothing else runs")
        self.assertEqual(raised.exception.status, 9)
        self.assertTrue(monitor.cancelled)
        # It holds for what comes later, until it is taken back.
        with self.assertRaises(ggpfn.Cancelled):
            self.segment(monitor)
        monitor.reset()
        self.assertFalse(monitor.cancelled)
        self.assert_works(monitor)

    def test_one_monitor_cancels_several_calls(self):
        monitor, ended = ggpfn.Monitor(), []

        def work():
            try:
                self.segment(monitor, large())
            except ggpfn.Cancelled:
                ended.append(True)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        monitor.cancel()
        for thread in threads:
            thread.join(10)
        self.assertEqual(ended, [True] * 3)

    def test_a_callback_that_returns_false_cancels(self):
        calls = []
        monitor = ggpfn.Monitor(lambda progress: calls.append(progress) or len(calls) < 2)
        with self.assertRaises(ggpfn.Cancelled):
            self.segment(monitor, large())
        self.assertTrue(monitor.cancelled)
        monitor.reset()
        monitor.callback = lambda progress: None
        self.assert_works(monitor)

    def test_a_callback_that_raises(self):
        for error in (ArithmeticError, SystemExit, KeyboardInterrupt):
            calls = []

            def hear(progress, error=error, calls=calls):
                calls.append(progress)
                raise error("from the callback")

            monitor = ggpfn.Monitor(hear)
            start = time.monotonic()
            with self.assertRaises(error) as raised:
                self.segment(monitor, large())
            self.assertEqual(raised.exception.args, ("from the callback",))
            self.assertEqual(len(calls), 1, "it is not called again")
            self.assertLess(time.monotonic() - start, 3, "the work was cancelled")
            # The call was stopped, not the monitor.
            self.assertFalse(monitor.cancelled)
            monitor.callback = None
            self.assert_works(monitor)

    def test_on_a_thread_with_its_own_callback(self):
        seen = []

        def work():
            monitor = ggpfn.Monitor(lambda progress: seen.append(threading.current_thread()))
            self.segment(monitor)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(set(seen), {thread})

    def test_other_threads_run_meanwhile(self):
        ticks, done = [], threading.Event()

        def tick():
            while not done.wait(0.01):
                ticks.append(time.monotonic())

        thread = threading.Thread(target=tick)
        thread.start()
        self.segment(None, large())
        done.set()
        thread.join()
        # The machine may be busy, but nobody may hold Python for the length of the work.
        self.assertGreater(len(ticks), 20)
        self.assertLess(np.diff(ticks).max(), 1)

    @unittest.skipIf(sys.platform == "win32", "not applicable: signals of POSIX")
    def test_ctrl_c_in_a_plain_script(self):
        # Tests that run in a shell's background inherit that Ctrl-C is ignored; a script in a terminal does not.
        script = f"""
import signal, sys, time, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = [{str(MODULE)!r}]
import ggpfn, numpy as np
engine = ggpfn.open_engine("in process")
model = engine.new_model({TINY!r}, 1)
image = ggpfn.Image(np.zeros((160, 160, 160), np.int16))
monitor = ggpfn.Monitor()
def announce():
    while monitor.progress.fraction == 0:
        time.sleep(0.01)
    print("at work", flush=True)
threading.Thread(target=announce, daemon=True).start()
try:
    engine.segment(image, model, monitor=monitor)
except KeyboardInterrupt:
    print("interrupted", monitor.cancelled, flush=True)
    small = ggpfn.Image(np.zeros((8, 8, 8), np.int16))
    print(engine.segment(small, model, monitor=monitor).mask.shape, flush=True)
"""
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(process.stdout.readline(), b"at work\n")
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.stdout.readline(), b"interrupted False\n")
        self.assertLess(time.monotonic() - start, 3)
        rest, _ = process.communicate(timeout=60)
        self.assertEqual((rest, process.returncode), (b"(8, 8, 8)\n", 0))



def segment_there(engine=None):
    """The mask of the tiny image, made in another process."""
    engine = engine or ggpfn.open_engine("in process")
    return engine.segment(ggpfn.Image(voxels(), SPACING), tiny(engine)).mask


@unittest.skipUnless(hasattr(os, "fork"), "this system does not fork")
class Forks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.expected = segment_there()

    def test_a_fork_after_the_first_work_raises_and_spawn_works(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            with self.assertRaises(ggpfn.Forked) as raised:
                pool.apply_async(segment_there).get(timeout=120)
        self.assertIn('get_context("spawn")', str(raised.exception))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            np.testing.assert_array_equal(pool.apply_async(segment_there).get(timeout=120), self.expected)

    def test_a_fork_before_the_first_work_works(self):
        said, status = python(
            """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
from common import SPACING, ggpfn, tiny, voxels
engine = ggpfn.open_engine("in process")
model = tiny(engine)
def segment(number):
    return engine.segment(ggpfn.Image(voxels(), SPACING), model).measurements.voxels
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(set(pool.map_async(segment, range(4)).get(timeout=120)))
    print({segment(0)})
""",
            os.path.dirname(os.path.abspath(__file__)),
        )
        expected = int(self.expected.sum())
        self.assertEqual((said.split(), status), ([f"{{{expected}}}"] * 2, 0))

    def test_a_child_process_stays_its_owners(self):
        with ggpfn.open_engine("child process") as engine:
            np.testing.assert_array_equal(segment_there(engine), self.expected)
            before = engine._running().pid
            reading, writing = os.pipe()
            forked = os.fork()
            if forked == 0:
                # Another child for this process; the first one is left alone.
                same = np.array_equal(segment_there(engine), self.expected)
                os.write(writing, b"%d" % (same and engine._running().pid != before))
                engine.close()
                os._exit(0)
            os.close(writing)
            self.assertEqual(os.read(reading, 1), b"1")
            os.close(reading)
            os.waitpid(forked, 0)
            self.assertEqual(engine._running().pid, before)
            np.testing.assert_array_equal(segment_there(engine), self.expected)


if __name__ == "__main__":
    unittest.main()
