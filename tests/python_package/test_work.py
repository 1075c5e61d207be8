"""Progress, cancel, exceptions in callbacks, Ctrl-C."""

import signal
import subprocess
import sys
import threading
import time
import unittest

import numpy as np
from common import MODULE, SPACING, TINY, ggpfn, tiny, voxels

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


if __name__ == "__main__":
    unittest.main()
