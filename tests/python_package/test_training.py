"""Training, fine-tuning, and training step by step, with a network and cases so small that it takes seconds."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import SPACING, ggpfn, has, tiny, voxels

SCHEDULE = """
views = ["axial"]
t = 2
widths = [4, 4, 4, 4]
global_widths = [4, 4, 4, 4, 4]
global_size = {axial = [32, 32]}
patch = {axial = [16, 16]}
view_weights = {axial = 1.0}
spacing = [3.0, 2.5, 2.0]
threads = 1
loader_threads = 1
validate_every = 1
[global]
epochs = 1
batch = 1
[local]
epochs = 2
batch = 1
[whole]
epochs = 1
batch = 1
"""

# A model to start from settles the rest.
FINE_TUNING = """
patch = {axial = [16, 16]}
threads = 1
[whole]
epochs = 1
batch = 1
"""


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = ggpfn.open_engine("in process")
        array = voxels()
        cls.image = ggpfn.Image(array, SPACING)
        cls.mask = ggpfn.Image(array == 120, SPACING)
        cls.cases = [
            ggpfn.Case("first", cls.image, cls.mask),
            ggpfn.Case("second", cls.image, cls.mask),
            ggpfn.Case("third", cls.image, cls.mask, "validate"),
        ]

    def train(self, cases=None, options=SCHEDULE, **more):
        cases = self.cases if cases is None else cases
        return self.engine.train(cases, options=options, device="cpu", **more)

    def test_train_and_fine_tune(self):
        seen = []
        model, result = self.train(monitor=ggpfn.Monitor(seen.append))
        self.assertEqual((result.end, result.cases), ("done", 2))
        self.assertTrue(0 <= result.dice["axial"] <= 1)
        self.assertEqual((result.dice["sagittal"], result.dice["coronal"]), (None, None))
        steps = [progress for progress in seen if progress.loss is not None]
        self.assertGreaterEqual(len(steps), 12)
        self.assertTrue(all(step.view == "axial" and step.epoch >= 1 and step.loss > 0 for step in steps))
        self.assertEqual(list(dict.fromkeys(step.stage for step in steps)), ["global", "local", "whole"])
        self.assertTrue(any(progress.dice is not None for progress in seen))
        self.assertEqual(model.info.views, ("axial",))
        again, _ = self.train()
        self.assertEqual(model.info.sha256, again.info.sha256)
        self.assertEqual(self.engine.segment(self.image, model).mask.shape, self.image.array.shape)

        seen = []
        tuned, result = self.train(self.cases[:1], FINE_TUNING, model=model, monitor=ggpfn.Monitor(seen.append))
        self.assertEqual((result.end, result.cases), ("done", 1))
        self.assertEqual({progress.stage for progress in seen} - {None}, {"whole"})
        self.assertNotEqual(tuned.info.sha256, model.info.sha256)

    def test_cancelled_keeps_what_there_is_and_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder) / "a läuf"
            model, result = self.train(folder=folder, monitor=ggpfn.Monitor(lambda progress: progress.stage != "local"))
            self.assertEqual(result.end, "cancelled")
            model.close()
            self.assertTrue(any(folder.iterdir()))
            _, result = self.train(folder=folder, resume=True)
            self.assertEqual(result.end, "done")
            self.tensorboard_reads(folder)

    def tensorboard_reads(self, folder):
        """What TensorBoard shows of a run is its log, also of one that was taken up again."""
        if not has("tensorboard"):
            self.skipTest("tensorboard is not installed")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        lines = [json.loads(line) for line in (folder / "axial" / "log.jsonl").read_text().splitlines()]
        self.assertEqual({line["stage"] for line in lines}, {"global", "local", "whole"})
        events = EventAccumulator(str(folder / "axial")).Reload()
        for tag, key in [("loss/total", "loss"), ("learning_rate", "learning_rate"), ("validation/dice", "dice")]:
            expected = [(step, line[key]) for step, line in enumerate(lines, 1) if line[key] is not None]
            found = events.Scalars(tag)
            self.assertEqual([scalar.step for scalar in found], [step for step, _ in expected])
            for scalar, (_, value) in zip(found, expected):
                self.assertAlmostEqual(scalar.value, value, delta=1e-6 * max(1, abs(value)))
            times = [scalar.wall_time for scalar in found]
            self.assertEqual(times, sorted(times))

    def test_a_callback_that_raises(self):
        def hear(progress):
            raise ZeroDivisionError("from the callback")

        with self.assertRaises(ZeroDivisionError):
            self.train(monitor=ggpfn.Monitor(hear))

    def test_what_is_refused(self):
        case = self.cases[0]
        elsewhere = ggpfn.Image(self.mask.array, SPACING, origin=(5, 0, 0))
        wrong = [
            (([],), {}, ""),
            ((["case"],), {}, "ggpfn.Case"),
            (([ggpfn.Case("x", self.image, self.mask, "test")],), {}, "'test'"),
            (([ggpfn.Case("elsewhere", self.image, elsewhere)],), {}, "elsewhere"),
            (([ggpfn.Case("bare", self.image, self.mask.array)],), {}, "ggpfn.Image"),
            (([case],), {"options": "bananas = 3"}, "bananas"),
            (([case],), {"options": {"t": 2}}, "TOML"),
            (([case],), {"device": "tpu"}, "tpu"),
            (([case],), {"resume": True}, "folder"),
            (([case],), {"minutes": -1}, ""),
            (([case],), {"model": "m"}, "load_model"),
            (([case],), {"model": tiny(self.engine), "options": "t = 9"}, "t is 9"),
        ]
        for arguments, options, word in wrong:
            with self.subTest(word), self.assertRaises(ggpfn.Error) as raised:
                self.engine.train(*arguments, **options)
            self.assertIn(word, raised.exception.message)

    def trainer(self, **options):
        return self.engine.trainer(self.cases, options=SCHEDULE, device="cpu", **options)

    def test_steps_by_hand(self):
        left, right = self.trainer(stage="local"), self.trainer(stage="local")
        length = left.length("parameters")
        self.assertEqual(left.length("gradients"), length)
        self.assertNotIn(left.length("statistics"), (0, length))
        start = left.read("parameters")
        for step in range(3):
            losses = left.gradients()
            self.assertEqual((losses.batch, losses.global_, losses.global_finer), (step, None, None))
            self.assertGreater(losses.total, 0)
            right.gradients()
            gradients = right.read("gradients")
            self.assertEqual((gradients.dtype, gradients.shape), (np.float32, (length,)))
            self.assertTrue(gradients.any())
            # As float64 and every second of a longer array: what comes back is the same.
            right.write("gradients", np.repeat(gradients.astype(float), 2)[::2])
            left.update(1e-3)
            right.update(1e-3)
        np.testing.assert_array_equal(left.read("parameters"), right.read("parameters"))
        self.assertFalse(np.array_equal(left.read("parameters"), start))
        with left.model() as model:
            self.assertEqual(model.info.parameters, length)
        for wrong in (
            lambda: left.write("gradients", np.zeros(length - 1)),
            lambda: left.update(-1),
            lambda: left.read("weights"),
            lambda: self.trainer(view="sagittal"),
            lambda: self.trainer(stage="last"),
            lambda: self.trainer(rank=1, ranks=1),
        ):
            with self.assertRaises(ggpfn.Error):
                wrong()
        left.close()
        with self.assertRaises(ggpfn.Error) as raised:
            left.gradients()
        self.assertIn("closed", str(raised.exception))

    def test_on_the_packages_own_engine(self):
        with ggpfn.Trainer(self.cases, options=SCHEDULE, stage="global") as trainer:
            self.assertGreater(trainer.gradients().global_, 0)

    def test_the_second_of_two_processes(self):
        with self.trainer(rank=1, ranks=2) as second:
            self.assertEqual([second.gradients().batch for _ in range(2)], [1, 3])

    def test_another_models_views(self):
        with self.assertRaises(ggpfn.Error):
            ggpfn.train(self.cases, model=tiny(self.engine), options='views = ["front"]')


if __name__ == "__main__":
    unittest.main()
