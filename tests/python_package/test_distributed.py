"""Training with several processes: the same bits for any number of them, whatever carries their bytes.

Most tests have threads in the place of processes, each with a training of its own; those of torchrun and MPI start real
ones.
"""

import glob
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path
from unittest import mock

import numpy as np
from common import MODULE, ROOT, SPACING, ggpfn, has
from ggpfn import distributed
from ggpfn.inprocess import InProcess
from ggpfn.peers import Peers

OPTIONS = """
views = [VIEWS]
t = 2
widths = [4, 4, 4, 4]
global_widths = [4, 4, 4, 4, 4]
spacing = [3.0, 2.5, 2.0]
threads = 1
loader_threads = 1
validate_every = 1
checkpoint_minutes = 0.0
mixed_precision = false
samples_per_volume = 3
[global_size]
axial = [32, 32]
sagittal = [32, 32]
coronal = [32, 32]
[patch]
axial = [16, 16]
sagittal = [16, 16]
coronal = [16, 16]
[global]
epochs = 1
batch = 2
[local]
epochs = LOCAL
batch = 1
[whole]
epochs = 1
batch = 1
"""


def options(accumulate=None, views='"axial"', local=2):
    text = OPTIONS.replace("VIEWS", views).replace("LOCAL", str(local))
    return text if accumulate is None else f"accumulate = {accumulate}\n{text}"


def case(number, role="train"):
    k, j, i = np.ogrid[:12, :20, :24]
    inside = (i > 6 + number) & (i < 14 + number) & (j > 5) & (j < 12) & (k > 2) & (k < 9)
    array = np.where(inside, 120, (i * 7 + j * 13 + k * 29) % 60 - 10 * number).astype(np.int16)
    array[:, :2] = -900
    image = ggpfn.Image(array, SPACING)
    return ggpfn.Case(f"case {number}", image, ggpfn.Image(inside.astype(np.uint8), SPACING), role)


CASES = [case(0), case(1), case(2), case(3, "validate"), case(4, "validate")]


class Room:
    """Where threads meet that stand for processes."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size)
        self.slots = [None] * size
        self.parts = {}


class Meeting(Peers):
    """One of several threads of this process, as a process among others."""

    def __init__(self, room, rank):
        super().__init__()
        self.room, self.rank, self.ranks = room, rank, room.size
        self.exchanges = 0

    def _meet(self, what):
        self.room.slots[self.rank] = what
        self.room.barrier.wait(120)
        found = list(self.room.slots)
        self.room.barrier.wait(120)
        return found

    def all_gather(self, send, receive):
        self.exchanges += 1
        receive[:] = np.concatenate(self._meet(send.copy()))

    def all_to_all(self, send, receive):
        self.exchanges += 1
        sent = self._meet(send.copy())
        receive[:] = np.concatenate([one.reshape(self.ranks, -1)[self.rank] for one in sent])

    def split(self, colour):
        colours = self._meet(colour)
        own = [rank for rank, other in enumerate(colours) if other == colour]
        rooms = self._meet(Room(len(own)) if own[0] == self.rank else None)
        return Meeting(rooms[own[0]], own.index(self.rank))


def together(ranks, work, kind=Meeting):
    """work(peers) on as many threads; what each gave, or raised."""
    room, found = Room(ranks), [None] * ranks

    def run(rank):
        try:
            found[rank] = work(kind(room, rank))
        except Exception as error:
            found[rank] = error
            room.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    return found


def weights(data):
    """Tensors of a safetensors file in float32, by name."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        found[name] = np.frombuffer(data[start:end], np.float32)
    return found


def log(folder, view="axial"):
    lines = [json.loads(line) for line in (Path(folder) / view / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


class Together(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = InProcess()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def train(self, ranks, text, name, kind=Meeting, **more):
        def work(peers):
            model, result = distributed.train(
                CASES, self.folder / name, peers=peers, options=text, device="cpu", engine=self.engine, **more
            )
            with model:
                return model.to_bytes("float32"), result, peers

        found = together(ranks, work, kind)
        errors = [one for one in found if isinstance(one, Exception)]
        # Of those that waited in vain the message says nothing.
        for error in sorted(
            errors, key=lambda error: "BrokenBarrier" in repr(error) or "lost the others" in str(error)
        ):
            raise error
        return found

    def same(self, left, right, *views):
        for view in views or ("axial",):
            left_file, right_file = (
                (self.folder / name / view / "checkpoint.safetensors").read_bytes() for name in (left, right)
            )
            self.assertEqual(left_file, right_file)
            self.assertEqual(log(self.folder / left, view), log(self.folder / right, view))

    def test_any_number_of_processes_gives_the_same_bits(self):
        # 9 batches of an epoch in steps of 4, 4 and 1.
        text = options(4)
        model, result = ggpfn.train(CASES, options=text, folder=self.folder / "alone", device="cpu")
        expected = model.to_bytes("float32")
        model.close()
        self.assertEqual((result.end, result.cases), ("done", 3))
        self.assertEqual(len(log(self.folder / "alone")), 4)
        for ranks in (1, 2, 3, 4, 6):
            with self.subTest(ranks):
                found = self.train(ranks, text, f"by {ranks}")
                for data, result, _ in found:
                    self.assertEqual((data, result.end), (expected, "done"))
                    self.assertEqual(result.dice, found[0][1].dice)
                self.same("alone", f"by {ranks}")
        # Another number of batches in a step is another training.
        other, _ = ggpfn.train(CASES, options=options(2), device="cpu")
        self.assertNotEqual(other.to_bytes("float32"), expected)

    def test_a_step_takes_the_mean_of_the_gradients(self):
        text = "\n".join(
            line for line in options(3).replace("[local]\nepochs = 2", "[local]\nepochs = 0").splitlines()
        ).replace("[global]\nepochs = 1", "[global]\nepochs = 0")
        # One step of three batches of three samples, and no validation: the last weights are the result.
        text = text.replace("[whole]\nepochs = 1\nbatch = 1", "[whole]\nepochs = 1\nbatch = 3\nlearning_rate = 0.01")
        cases = CASES[:3]

        def work(peers):
            return distributed.train(cases, peers=peers, options=text, device="cpu", engine=self.engine)[0]

        models = together(2, work)
        found = weights(models[0].to_bytes("float32"))
        parts = [
            self.engine.trainer(cases, options=text, stage="whole", device="cpu", rank=rank, ranks=3)
            for rank in range(3)
        ]
        first = parts[0]
        for part in parts:
            self.assertEqual(part.gradients().batch, parts.index(part))
        for buffer in ("gradients", "statistics"):
            first.write(buffer, np.mean([part.read(buffer).astype(np.float64) for part in parts], axis=0))
        before = first.read("parameters")
        first.update(0.01)
        self.assertGreater(np.abs(first.read("parameters") - before).max(), 0.005)
        with first.model() as by_hand:
            expected = weights(by_hand.to_bytes("float32"))
        self.assertEqual(set(found), set(expected))
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
        for one in (*models, *parts):
            one.close()

    def test_a_step_sends_as_little_as_a_ring(self):
        with self.engine.trainer(CASES, options=options(4), stage="local", device="cpu") as trainer:
            numbers = trainer.length("parameters") + trainer.length("statistics")
        steps = 2 + 3 * 3  # 5 batches of the global stage in steps of 4, and 9 in three epochs
        for ranks in (2, 4):
            *_, peers = self.train(ranks, options(4), f"sent by {ranks}")[0]
            ring = 4 * numbers * 2 * (ranks - 1) / ranks * steps
            self.assertTrue(ring <= peers.sent < 1.1 * ring, (ranks, peers.sent, ring))

    def test_goes_on_with_another_number_of_processes(self):
        text = options(4)
        self.train(1, text, "whole")

        def hear(progress):
            if progress.stage == "local" and progress.epoch == 2:
                return False
            return None

        for ranks, monitor, end in ((2, hear, "cancelled"), (3, None, "done")):

            def work(peers, monitor=monitor):
                given = dict(resume=monitor is None, monitor=monitor if peers.rank == 1 else None)
                return distributed.train(
                    CASES, self.folder / "parts", peers=peers, options=text, device="cpu", engine=self.engine, **given
                )[1]

            # One process is told to stop, and all do, after the same step.
            self.assertEqual([getattr(one, "end", one) for one in together(ranks, work)], [end] * ranks)
        self.same("whole", "parts")

    def test_one_view_per_process(self):
        text = options(2, '"axial", "sagittal", "coronal"', local=1)
        ((expected, result, _),) = self.train(1, text, "one")
        for ranks in (2, 3, 4):
            found = self.train(ranks, text, f"views {ranks}", split_views=True)
            self.assertEqual(found[0][0], expected)
            self.assertEqual((found[0][1].end, found[0][1].dice), ("done", result.dice))
            self.same("one", f"views {ranks}", *ggpfn.VIEWS)
            models = [(self.folder / name / "model.safetensors").read_bytes() for name in ("one", f"views {ranks}")]
            self.assertEqual(models[0], models[1])
            if ranks == 3:
                # They have nothing to say to each other but that they are there.
                self.assertLess(found[0][2].sent, 200)

    def test_without_numbers_a_step_has_a_batch_for_each_process(self):
        bare = options().replace("threads = 1\n", "", 1)
        self.train(2, bare, "two")
        saved = (self.folder / "two" / "options.toml").read_text()
        self.assertIn("accumulate = 2\n", saved)
        self.assertRegex(saved, r"(?m)^threads = \d+$")
        # In a table it is another option's.
        self.assertFalse(distributed._names("threads", "[more]\nthreads = 3\n"))
        self.assertTrue(distributed._names("threads", "seed = 1\nthreads = 3\n[more]\n"))

    def test_different_trainings_are_refused(self):
        def work(peers):
            text = options(2).replace("samples_per_volume = 3", f"samples_per_volume = {3 + peers.rank}")
            return distributed.train(CASES, peers=peers, options=text, device="cpu", engine=self.engine)

        for error in together(2, work):
            self.assertIsInstance(error, ggpfn.TrainingError)
            self.assertIn("starts from other options", error.message)

    def test_a_lost_process_ends_the_training_of_all(self):
        class Lost(Meeting):
            def all_to_all(self, send, receive):
                if self.exchanges > 12 and self.rank == 1:
                    self.room.barrier.abort()
                    raise ConnectionError("the cable was pulled")
                super().all_to_all(send, receive)

        def work(peers):
            return distributed.train(CASES, peers=peers, options=options(2), device="cpu", engine=self.engine)

        first, second = together(2, work, Lost)
        self.assertIsInstance(first, ggpfn.TrainingError)
        self.assertIn("Process 0 of 2 lost the others", first.message)
        self.assertIn("the cable was pulled", second.message)
        self.assertIsInstance(second.__cause__, ConnectionError)

    def test_what_the_library_refuses(self):
        training = self.engine._training(ggpfn.engine.Described.checked([], options(), None, False, "cpu"))
        self.addCleanup(training.close)
        nothing = ggpfn._abi.ggpfn_exchange_callback(lambda *_: 0)
        for rank, ranks, views, callback, word in [
            (2, 2, 0, nothing, "rank"),
            (-1, 2, 0, nothing, "rank"),
            (0, 0, 0, nothing, "rank"),
            (0, 1, 8, nothing, "views"),
            (0, 1, 2, nothing, "sagittal"),
            (0, 1, 0, None, "NULL"),
        ]:
            with self.subTest(word), self.assertRaises(ggpfn.Error) as raised:
                callback = callback or ctypes_null()
                self.engine.library.call(
                    "ggpfn_training_set_peers", training.number, rank, ranks, views, callback, nothing, None
                )
            self.assertIn(word, raised.exception.message)

    def test_what_the_document_shows(self):
        text = (ROOT / "docs" / "distributed.md").read_text(encoding="utf-8")
        shown = re.search(r"```python by=\S+\n(.*?)```", text, re.DOTALL)[1]
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        found = {"cases": CASES[:2], "options": options(2)}
        with mock.patch("ggpfn.peers.TorchPeers", lambda backend: Peers()):
            exec(shown, found)
        self.assertEqual(found["result"].end, "done")
        self.assertTrue((self.folder / "runs" / "mine" / "model.safetensors").exists())

    def test_the_command_is_no_module(self):
        with self.assertRaises(ImportError):
            importlib.import_module("ggpfn.train")
        self.assertTrue(callable(ggpfn.train))


def ctypes_null():
    return ggpfn._abi.ggpfn_exchange_callback()


def torch_can_be_imported():
    if not has("torch"):
        return False
    command = [sys.executable, "-c", "import torch.distributed as d; assert d.is_gloo_available()"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600).returncode == 0


def write_cases(folder):
    """A data set of the layout `pairs`, as raw NIfTI without another package."""
    for one in CASES[:3]:
        for name, image in (("images", one.image), ("labels", one.mask)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / f"{one.name.replace(' ', '')}.nii").write_bytes(nifti(image.array))


def nifti(array):
    header = np.zeros(1, NIFTI)
    header["sizeof_hdr"], header["magic"], header["vox_offset"] = 348, b"n+1\0", 352
    header["dim"] = [3, *array.shape[::-1], 1, 1, 1, 1]
    code = {"int16": (4, 16), "uint8": (2, 8)}[array.dtype.name]
    header["datatype"], header["bitpix"] = code
    header["pixdim"] = [1, *SPACING, 1, 0, 0, 0]
    header["scl_slope"], header["sform_code"] = 1, 1
    header["srow"] = np.diag([*SPACING, 1])[:3]
    return header.tobytes() + bytes(4) + array.tobytes()


NIFTI = np.dtype(
    {
        "names": [
            "sizeof_hdr",
            "dim",
            "datatype",
            "bitpix",
            "pixdim",
            "vox_offset",
            "scl_slope",
            "sform_code",
            "srow",
            "magic",
        ],
        "formats": ["<i4", "8<i2", "<i2", "<i2", "8<f4", "<f4", "<f4", "<i2", "(3,4)<f4", "S4"],
        "offsets": [0, 40, 70, 72, 76, 108, 112, 254, 280, 344],
        "itemsize": 348,
    }
)


class Processes(unittest.TestCase):
    """Real processes, on a data set of files."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="größe ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        write_cases(cls.folder / "data")
        (cls.folder / "options.toml").write_text('preset = "small"\n' + options(2, local=6))
        cls.run_command(sys.executable, "-m", "ggpfn.train", *cls.arguments("one"))

    @classmethod
    def arguments(cls, name, *more):
        given = ("--config", cls.folder / "options.toml", "--cache", cls.folder / "cache", "--device", "cpu")
        return [str(one) for one in (cls.folder / "data", "--out", cls.folder / name, *given, *more)]

    @classmethod
    def environment(cls):
        # Without what a torchrun around the tests has set.
        foreign = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT")
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        return {**kept, "PYTHONPATH": str(MODULE), "OMP_NUM_THREADS": "1"}

    @classmethod
    def run_command(cls, *command):
        done = subprocess.run(
            command, env=cls.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300
        )
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{text}")
        return text

    def same(self, name):
        for file in ("axial/checkpoint.safetensors", "model.safetensors", "options.toml"):
            one, other = ((self.folder / run / file).read_bytes() for run in ("one", name))
            self.assertEqual(one, other, file)
        self.assertEqual(log(self.folder / "one"), log(self.folder / name))

    def test_a_run_is_not_overwritten(self):
        with self.assertRaises(AssertionError) as raised:
            self.run_command(sys.executable, "-m", "ggpfn.train", *self.arguments("one"))
        self.assertIn("--resume goes on with it", str(raised.exception))

    def test_mpi(self):
        mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable)) or shutil.which("mpiexec")
        if mpiexec is None or not has("mpi4py"):
            self.skipTest("there is no mpiexec" if mpiexec is None else "mpi4py is not there")
        # Open MPI wants to be told that root may do this, and that there are fewer processors.
        extra = []
        if "Open MPI" in self.run_command(mpiexec, "--version") or "OpenRTE" in self.run_command(mpiexec, "--version"):
            extra = ["--allow-run-as-root", "--oversubscribe"]
        command = [sys.executable, "-m", "ggpfn.train", *self.arguments("mpi", "--mpi")]
        text = self.run_command(mpiexec, *extra, "-n", "2", *command)
        self.assertIn("2 processes", text)
        self.same("mpi")
        # The example, by two processes and by one.
        example = [sys.executable, str(ROOT / "examples" / "train_mpi.py")]
        said = [self.run_command(mpiexec, *extra, "-n", "2", *example), self.run_command(*example)]
        models = [re.search(r"(\d) process.* 3 cases: done, model ([0-9a-f]{16})", text) for text in said]
        self.assertEqual([found[1] for found in models], ["2", "1"])
        self.assertEqual(models[0][2], models[1][2])


@unittest.skipIf(sys.platform == "win32", "not applicable: the processes are those of POSIX")
class Torchrun(Processes):
    @classmethod
    def setUpClass(cls):
        if not torch_can_be_imported():
            raise unittest.SkipTest(
                "not applicable: the torch of the tests is libtorch alone, without CUDA's libraries"
            )
        super().setUpClass()

    test_a_run_is_not_overwritten = None
    test_mpi = None

    def torchrun(self, *arguments):
        return [sys.executable, "-m", "torch.distributed.run", *map(str, arguments), "-m", "ggpfn.train"]

    def test_two_processes(self):
        text = self.run_command(*self.torchrun("--nproc-per-node", 2), *self.arguments("two"))
        self.assertRegex(text, r"2 processes, \d+ steps; process 0 sent \d+ bytes")
        self.same("two")

    def test_a_killed_process(self):
        """Twice, so that the second start meets what the first one left in torchrun's store."""
        command = [*self.torchrun("--nproc-per-node", 2, "--max-restarts", 5), *self.arguments("killed")]
        output = self.folder / "output.txt"
        with open(output, "wb") as file:
            process = subprocess.Popen(command, env=self.environment(), stdout=file, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        lines = self.folder / "killed" / "axial" / "log.jsonl"
        killed = []
        for wanted in (1, 3):
            self.wait(lambda n=wanted: lines.exists() and len(lines.read_bytes().splitlines()) >= n, process, output)
            self.wait(lambda: self.worker(process.pid, "1", killed), process, output)
            killed.append(self.worker(process.pid, "1", killed))
            os.kill(killed[-1], signal.SIGKILL)
        self.assertEqual(process.wait(240), 0, output.read_text())
        text = output.read_text()
        self.assertEqual(len(re.findall(r"failed \(exitcode: -9\)", text)), 2, text)
        self.same("killed")

    def wait(self, what, process, output):
        deadline = time.monotonic() + 120
        while not what():
            self.assertIsNone(process.poll(), output.read_text())
            self.assertLess(time.monotonic(), deadline, output.read_text())
            time.sleep(0.02)

    def worker(self, parent, rank, killed):
        """The process of a rank that torchrun has started and that is no longer the one that was killed."""
        for path in glob.glob(f"/proc/{parent}/task/*/children"):
            for child in Path(path).read_text().split():
                try:
                    variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
                    state = Path(f"/proc/{child}/stat").read_text().rsplit(") ", 1)[1][0]
                except OSError:
                    continue
                if f"RANK={rank}".encode() in variables and int(child) not in killed and state != "Z":
                    return int(child)
        return None

    def test_machines_with_addresses_of_their_own(self):
        """Two network namespaces, joined by a cable."""
        tag = uuid.uuid4().hex[:6]
        names = [f"gg{tag}{side}" for side in "ab"]
        cables = [f"gv{tag}{side}" for side in "ab"]
        if shutil.which("ip") is None:
            self.skipTest("there is no ip (iproute2)")
        if subprocess.run(["ip", "netns", "add", names[0]], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("not applicable: network namespaces cannot be made here")
        self.addCleanup(subprocess.run, ["ip", "netns", "del", names[0]])
        self.run_command("ip", "netns", "add", names[1])
        self.addCleanup(subprocess.run, ["ip", "netns", "del", names[1]])
        pair = ["link", "add", cables[0], "netns", names[0], "type", "veth", "peer", "name", cables[1]]
        self.run_command("ip", *pair, "netns", names[1])
        for side in range(2):
            inside = ["ip", "-n", names[side]]
            self.run_command(*inside, "addr", "add", f"10.77.0.{side + 1}/24", "dev", cables[side])
            for link in ("lo", cables[side]):
                self.run_command(*inside, "link", "set", link, "up")
        where = ("--nnodes", 2, "--nproc-per-node", 1, "--master-addr", "10.77.0.1", "--master-port", 29511)
        started = []
        for side in range(2):
            command = ["ip", "netns", "exec", names[side], *self.torchrun(*where, "--node-rank", side)]
            variables = {**self.environment(), "GLOO_SOCKET_IFNAME": cables[side]}
            started.append(
                subprocess.Popen(
                    [*command, *self.arguments("apart")],
                    env=variables,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
        for process in started:
            self.addCleanup(process.kill)
        for process in started:
            text = process.communicate(timeout=240)[0].decode("utf-8", "replace")
            self.assertEqual(process.returncode, 0, text)
        self.same("apart")


if __name__ == "__main__":
    unittest.main()
