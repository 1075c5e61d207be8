"""Cohorts: inputs and names, shards, resuming, failures, tables and the report, Ctrl-C, and workers that are killed."""

import base64
import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
from common import MODULE, ROOT, SPACING, TINY, ggpfn, has, voxels
from ggpfn import _cohort_case, _cohort_files, _cohort_picture, _cohort_report, _cohort_table, _files, cohort

CASES = 10
BROKEN = 7  # is no image

# A turn about k, and a mirrored axis.
OBLIQUE = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])


def write_ct(path, number=0, direction=None):
    image = ggpfn.Image(voxels() + number, SPACING, (10, -20, 30), direction)
    Path(path).write_bytes(_cohort_case.nifti(image.array, image.grid))
    return image


def rows_of(out):
    with open(Path(out) / "cases.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def same(one, other):
    """Whether two tables say the same, beside what differs from run to run."""
    passing = _cohort_table.OF_THE_RUN
    return [{k: v for k, v in row.items() if k not in passing} for row in one] == [
        {k: v for k, v in row.items() if k not in passing} for row in other
    ]


class Inputs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ggpfn ü ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(os.path.realpath(folder.name))
        self.out = str(self.folder / "out")

    def put(self, name, data=b"-"):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def found(self, *inputs):
        return [os.path.relpath(one.path, self.folder) for one in _cohort_files.find(inputs, self.out)]

    def test_folders_patterns_and_files(self):
        for name in ("a/ct.nii.gz", "b/ct.nrrd", "b/notes.txt", "b/.hidden.nii", "out/masks/ct.nii.gz", "odd.bin"):
            self.put(name)
        self.put("dicom/one/0001", bytes(128) + b"DICM")
        self.put("dicom/two/a.dcm")
        self.put("dicom/text/readme")
        folder = str(self.folder)
        images, series = ["a/ct.nii.gz", "b/ct.nrrd"], ["dicom/one", "dicom/two"]
        self.assertEqual(self.found(folder), images + series)
        self.assertEqual(self.found(os.path.join(folder, "**", "ct.*")), [*images, "out/masks/ct.nii.gz"])
        # Twice is once; a file that is named may be called anything.
        odd = os.path.join(folder, "odd.bin")
        self.assertEqual(self.found(folder, os.path.join(folder, "a"), odd, odd), [*images, *series, "odd.bin"])
        os.symlink(os.path.join(folder, "a"), os.path.join(folder, "link"))
        self.assertEqual(self.found(os.path.join(folder, "a"), os.path.join(folder, "link")), images[:1])
        for wrong, said in (("missing", "is not there"), ("*.nothing", "Nothing matches"), ("dicom/text", "no image")):
            with self.assertRaisesRegex(ggpfn.Error, said):
                self.found(os.path.join(folder, wrong))

    def test_a_list(self):
        text = "Name, Input ,series\nfirst,a.nii,\n,sub/b.nii,1.2.3\n,sub/b.nii,1.2.4\n,missing.nii,\n"
        path = self.put("list.csv", b"\xef\xbb\xbf" + text.encode())
        found = _cohort_files.named(_cohort_files.find([path], self.out), {})
        self.assertEqual([one.series for one in found], [None, None, "1.2.3", "1.2.4"])
        self.assertEqual([one.name for one in found][:2], ["first", "missing"])
        self.assertEqual(len({one.name for one in found}), 4)
        with self.assertRaisesRegex(ggpfn.Error, "no column input"):
            self.found(self.put("wrong.csv", b"x,y\n1,2\n"))

    def test_names(self):
        paths = [self.put(name) for name in ("a/ct.nii.gz", "b/CT.nrrd", "c/other 1.mha", "d/.._..nii")]
        found = _cohort_files.find(paths, self.out)
        names = [one.name for one in _cohort_files.named(found, {})]
        self.assertRegex(names[0], r"^ct-[0-9a-f]{8}$")
        self.assertRegex(names[1], r"^CT-[0-9a-f]{8}$")
        self.assertEqual(names[2:], ["other_1", "case"])
        # What a case is called depends neither on the order, nor on which of the others are done; and it stays.
        self.assertEqual([one.name for one in _cohort_files.named(found[::-1], {})], names[::-1])
        taken = {names[0]: found[0].key}
        self.assertEqual([one.name for one in _cohort_files.named(found, taken)], names)
        alone = [one.name for one in _cohort_files.named(found[:1], {})]
        self.assertEqual(alone, ["ct"])
        later = [one.name for one in _cohort_files.named(found[:2], {"ct": found[0].key})]
        self.assertEqual(later, ["ct", names[1]])
        self.assertEqual(_cohort_files.named(found[1:2], {"ct": found[0].key})[0].name, names[1])

    def test_hashes_follow_the_voxels(self):
        header, data = self.put("a.mhd", b"ElementDataFile = a.raw"), self.put("a.raw", b"1")
        self.put("ab.raw", b"other")
        self.assertEqual(_cohort_files.parts(header), [header, data])
        before = _files.digest(_cohort_files.parts(header))
        Path(data).write_bytes(b"2")
        self.assertNotEqual(_files.digest(_cohort_files.parts(header)), before)


class Pictures(unittest.TestCase):
    def test_a_montage_lies_as_the_patient_does(self):
        # A bright left half, an anterior corner in the mask; then the same on turned axes.
        array = np.zeros((10, 20, 30), np.int16)
        array[:, :, 15:] = 200
        mask = np.zeros(array.shape, np.uint8)
        mask[7:9, 2:5, 20:26] = 1
        straight = ggpfn.Image(array, (1, 1.5, 2))
        picture = _cohort_picture.montage(straight, mask)
        direction = np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]], float)
        turned = ggpfn.Image(array.transpose(2, 0, 1)[::-1], (1.5, 2, 1), (29, 0, 0), direction)
        self.assertEqual(_cohort_picture.montage(turned, mask.transpose(2, 0, 1)[::-1]), picture)
        pixels = decoded(picture)
        axial = pixels[:, : _cohort_picture.SIDE]
        self.assertGreater(axial[:, -20:].mean(), axial[:, :20].mean() + 50)
        marked = np.argwhere((axial == _cohort_picture.OUTLINE).all(axis=2))
        # Anterior is up, and left is on the right.
        self.assertLess(marked[:, 0].mean(), pixels.shape[0] / 2)
        self.assertGreater(marked[:, 1].mean(), _cohort_picture.SIDE / 2)

    def test_voxels_that_are_no_numbers_and_an_empty_mask(self):
        array = np.full((4, 5, 6), np.nan, np.float32)
        decoded(_cohort_picture.montage(ggpfn.Image(array), np.zeros(array.shape, np.uint8)))


def decoded(png):
    """[row, column, RGB] of a PNG as the package writes it, its checksums checked."""
    at, chunks = 8, {}
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        data = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + data) == int.from_bytes(png[at + 8 + length : at + 12 + length], "big")
        chunks[kind] = data
        at += 12 + length
    width, height = (int.from_bytes(chunks[b"IHDR"][place : place + 4], "big") for place in (0, 4))
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


class Cohorts(unittest.TestCase):
    """One cohort in two parts, without Dask, and what can be asked of it."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ggpfn ü ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.scans, cls.model = cls.folder / "scans", str(cls.folder / "tiny.safetensors")
        cls.scans.mkdir()
        with ggpfn.open_engine("child process") as engine:
            engine.new_model(TINY, 1).save(cls.model, "float32")
        for number in range(CASES):
            path = cls.scans / f"case-{number}.nii.gz"
            write_ct(path, number, OBLIQUE if number == 1 else None)
        (cls.scans / f"case-{BROKEN}.nii.gz").write_bytes(b"no image")
        # One child for all runs in this process: it takes longer to start than all ten cases.
        cls.addClassCleanup(_cohort_case.close_workers)
        kept = mock.patch.object(_cohort_case, "close_workers", lambda: None)
        kept.start()
        cls.addClassCleanup(kept.stop)
        cls.out = str(cls.folder / "results")
        cls.parts = [cls.run_cohort(cls.out, shard=part) for part in ((1, 2), (2, 2))]

    @classmethod
    def run_cohort(cls, out, inputs=None, **options):
        inputs = [str(cls.scans)] if inputs is None else inputs
        return cohort.run(inputs, out, **{"model": cls.model, "threads": 1, "workers": 0, **options})

    def changed(self, out):
        return {path.name: path.stat().st_mtime_ns for path in (Path(out) / "masks").iterdir()}

    def copy(self):
        """Another folder of results, by a run in which nothing but the first three cases is done."""
        folder = tempfile.TemporaryDirectory(dir=self.folder)
        self.addCleanup(folder.cleanup)
        inputs = []
        for number in range(3):
            path = os.path.join(folder.name, f"case-{number}.nii.gz")
            inputs.append(path)
            write_ct(path, number)
        return os.path.join(folder.name, "results"), inputs

    def test_each_case_is_a_row_and_a_mask(self):
        rows = rows_of(self.out)
        self.assertEqual([row["name"] for row in rows], [f"case-{number}" for number in range(CASES)])
        self.assertEqual([len(part) for part in self.parts], [CASES // 2, CASES])
        (broken,) = [row for row in rows if row["status"] != "done"]
        self.assertEqual((broken["name"], broken["attempts"]), (f"case-{BROKEN}", "1"))
        self.assertIn(f"case-{BROKEN}.nii.gz", broken["error"])
        self.assertEqual(broken["mask"], "")
        masks = sorted(path.name for path in (Path(self.out) / "masks").iterdir())
        self.assertEqual(masks, [f"{row['name']}.nii.gz" for row in rows if row is not broken])
        for row in rows:
            if row is not broken:
                self.assertEqual(row["input_sha256"], _files.digest([row["input"]]))
                self.assertEqual(row["mask_sha256"], _files.digest([os.path.join(self.out, row["mask"])]))

    def test_a_mask_is_the_engines_and_lies_on_the_ct(self):
        ready = _cohort_case.worker(_cohort_case.Settings(self.out, self.model))
        for number in (0, 1):
            image = ready.read(_cohort_files.Input(str(self.scans / f"case-{number}.nii.gz")))
            np.testing.assert_array_equal(image.array, voxels() + number)
            found = ready.child.segment(image, ready.model, threads=1, precision="float32")
            mask = ready.read(_cohort_files.Input(os.path.join(self.out, "masks", f"case-{number}.nii.gz")))
            np.testing.assert_array_equal(mask.array, found.mask)
            self.assertTrue(found.mask.any())
            np.testing.assert_allclose(mask.grid.affine("LPS"), image.grid.affine("LPS"), atol=1e-4)
            row = rows_of(self.out)[number]
            self.assertEqual(float(row["volume_ml"]), found.measurements.volume_ml)
            self.assertEqual(float(row["expected_dice"]), found.quality.expected_dice)
            self.assertEqual(row["warnings"], "; ".join(warning.kind for warning in found.quality.warnings))
            self.assertEqual(row["model_sha256"], ready.model.info.sha256)

    @unittest.skipUnless(has("nibabel"), "nibabel is not there")
    def test_nibabel_reads_the_same_place_by_both_forms(self):
        import nibabel

        for number in (0, 1):
            ct, mask = (
                nibabel.load(path)
                for path in (
                    self.scans / f"case-{number}.nii.gz",
                    Path(self.out) / "masks" / f"case-{number}.nii.gz",
                )
            )
            np.testing.assert_allclose(mask.affine, ct.affine, atol=1e-5)
            np.testing.assert_allclose(mask.get_qform(), mask.get_sform(), atol=1e-4)
            self.assertEqual(mask.header.get_xyzt_units()[0], "mm")

    def test_what_is_done_is_left_alone(self):
        before = self.changed(self.out)
        rows = self.run_cohort(self.out)
        self.assertEqual(self.changed(self.out), before)
        self.assertEqual(len(rows), CASES)

    def test_a_run_goes_on_with_what_is_missing(self):
        out, inputs = self.copy()
        self.run_cohort(out, inputs)
        whole, masks = rows_of(out), Path(out) / "masks"
        bytes_before = {path.name: path.read_bytes() for path in masks.iterdir()}
        before = self.changed(out)
        # A mask that is lost, a row that is torn, and what a killed worker leaves.
        (masks / "case-0.nii.gz").unlink()
        (Path(out) / "cases" / "case-1.json").write_bytes(b'{"name": "ca')
        (masks / ".case-2.nii.gz.host-1-0.tmp").write_bytes(b"half")
        self.run_cohort(out, inputs)
        after = self.changed(out)
        self.assertEqual([before[name] != after[name] for name in sorted(before)], [True, True, False])
        self.assertEqual({path.name: path.read_bytes() for path in masks.iterdir()}, bytes_before)
        self.assertTrue(same(rows_of(out), whole))
        # Another time is not another input, another content is.
        os.utime(inputs[0], ns=(1, 1))
        before = self.changed(out)
        self.run_cohort(out, inputs)
        self.assertEqual(self.changed(out), before)
        write_ct(inputs[0], 50)
        self.run_cohort(out, inputs)
        after = self.changed(out)
        self.assertEqual([before[name] != after[name] for name in sorted(before)], [True, False, False])
        # A mask that was changed in its place is found where that is asked for.
        (masks / "case-1.nii.gz").write_bytes(bytes(len(bytes_before["case-1.nii.gz"])))
        self.run_cohort(out, inputs, verify=True)
        self.assertEqual((masks / "case-1.nii.gz").read_bytes(), bytes_before["case-1.nii.gz"])
        # Another threshold is another result.
        rows = self.run_cohort(out, inputs, threshold=0.9)
        self.assertEqual([row["threshold"] for row in rows], [0.9] * 3)

    def test_inputs_of_one_name(self):
        out, inputs = self.copy()
        twin = os.path.join(os.path.dirname(out), "twin", "case-0.nii.gz")
        os.mkdir(os.path.dirname(twin))
        write_ct(twin, 20)
        rows = self.run_cohort(out, [inputs[0], twin])
        self.assertEqual(len({row["name"] for row in rows}), 2)
        self.assertEqual({row["input"] for row in rows}, {os.path.abspath(inputs[0]), os.path.abspath(twin)})
        self.assertEqual(len(self.changed(out)), 2)

    def test_attempts_have_a_limit(self):
        out, inputs = self.copy()
        really, calls = _cohort_case._segment, []

        def fails(times):
            def segment(settings, one, attempts):
                calls.append(attempts)
                if attempts <= times:
                    raise ggpfn.ChildDied("The child has died.")
                return really(settings, one, attempts)

            return mock.patch.object(_cohort_case, "_segment", segment)

        with mock.patch.object(_cohort_case, "PAUSE", 0):
            with fails(2):
                (row,) = self.run_cohort(out, inputs[:1])
            self.assertEqual((row["status"], row["attempts"], calls), ("done", 3, [1, 2, 3]))
            calls.clear()
            with fails(9):
                (row,) = self.run_cohort(out, inputs[1:2], retries=1)
        self.assertEqual((row["status"], row["attempts"], calls), ("failed", 2, [1, 2]))
        self.assertEqual((row["error"], row["error_kind"]), ("The child has died.", "ChildDied"))
        # A failed case is tried again by the next run.
        (row,) = self.run_cohort(out, inputs[1:2])
        self.assertEqual(row["status"], "done")

    def test_a_child_that_is_killed_is_no_failure(self):
        out, inputs = self.copy()
        really = _cohort_case.Worker.read

        def read(self, one):
            image = really(self, one)
            if not killed:
                killed.append(self.child._running().pid)
                os.kill(killed[0], signal.SIGKILL)
            return image

        killed = []
        with mock.patch.object(_cohort_case, "PAUSE", 0), mock.patch.object(_cohort_case.Worker, "read", read):
            rows = self.run_cohort(out, inputs)
        self.assertEqual([row["status"] for row in rows], ["done"] * 3)
        self.assertEqual(len(killed), 1)

    def test_the_report_needs_nothing_else(self):
        text = (Path(self.out) / "report.html").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r'(?:src|href)=(?!"data:)', text), [])
        self.assertNotIn("http", text)
        doubtful = [row for row in rows_of(self.out) if row["doubtful"] == "true"]
        pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
        self.assertGreaterEqual(len(pictures), len(doubtful))
        self.assertGreater(len(pictures), 0, "masks of an untrained network are doubtful")
        for picture in pictures:
            decoded(base64.b64decode(picture))
        self.assertIn(f"case-{BROKEN}", text)

    def test_outliers(self):
        rows = [
            {"name": str(n), "volume_ml": 80.0 + n, "mean_hu": 60.0, "std_hu": None, "expected_dice": 0.7}
            for n in range(20)
        ]
        self.assertEqual(_cohort_report.outliers(rows), [])
        rows[3]["volume_ml"] = 400.0
        ((row, reasons),) = _cohort_report.outliers(rows)
        self.assertEqual(row["name"], "3")
        self.assertIn("400", reasons[0])

    @unittest.skipUnless(has("pyarrow"), "pyarrow is not there")
    def test_parquet_has_the_same_rows(self):
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(os.path.join(self.out, "cases.parquet"))
        rows = rows_of(self.out)
        self.assertEqual(table.column_names, list(rows[0]))
        self.assertEqual(table["name"].to_pylist(), [row["name"] for row in rows])
        volumes = [row["volume_ml"] for row in rows]
        self.assertEqual(["" if one is None else str(one) for one in table["volume_ml"].to_pylist()], volumes)

    def test_a_table_that_others_add_to_has_all_rows(self):
        out = tempfile.mkdtemp(dir=self.folder)
        states = [[{"name": "a"}], [{"name": "a"}, {"name": "b"}], [{"name": "a"}, {"name": "b"}]]
        rows = _cohort_table.write(out, lambda: states.pop(0))
        self.assertEqual(([row["name"] for row in rows_of(out)], len(rows), states), (["a", "b"], 2, []))

    def command(self, *arguments):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                code = cohort.main([*arguments])
            except SystemExit as exit:
                code = exit.code
        return code, said.getvalue()

    def test_the_command(self):
        code, said = self.command(str(self.scans), "--out", self.out, "--model", self.model, "--shard", "1/1")
        self.assertEqual(code, 1, said)
        self.assertIn(f"{CASES} rows", said)
        self.assertIn("1 failed", said)
        self.assertEqual(self.command("missing", "--out", self.out, "--workers", "0")[0], 2)
        self.assertEqual(self.command(str(self.scans), "--out", self.out, "--shard", "3/2")[0], 2)
        code, said = self.command(str(self.scans), "--out", self.out, "--workers", "0", "--model", __file__)
        self.assertEqual(code, 2, said)

    def test_without_dask_the_message_says_what_to_install(self):
        with mock.patch.dict(sys.modules, {"distributed": None}):
            code, said = self.command(str(self.scans), "--out", self.out, "--workers", "2")
        self.assertEqual(code, 2)
        self.assertIn("pip install ggpfn[cohort]", said)

    def begin(self, out, *arguments, scans=None):
        """The command in a process of its own."""
        scans = str(scans or self.scans)
        # What a shell starts in the background ignores Ctrl-C, and so would its children.
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [sys.executable, "-m", "ggpfn.cohort", scans, "--out", out, "--model", self.model]
        return subprocess.Popen(
            [*command, "--threads", "1", *arguments],
            env={**os.environ, "PYTHONPATH": str(MODULE), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def check_an_interrupted_run(self, send, *arguments):
        # A fast run may be over before the signal is there; then one of more cases is not.
        for count in (30, 100, 300):
            scans = Path(tempfile.mkdtemp(dir=self.folder))
            for number in range(count):
                shutil.copy(self.scans / "case-0.nii.gz", scans / f"case-{number}.nii.gz")
            out = tempfile.mkdtemp(dir=self.folder)
            process = self.begin(out, *arguments, scans=scans)
            said = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("["):
                    break
            send(process)
            said += process.stderr.readlines()
            process.stderr.close()
            if process.wait() != 0:
                break
        self.assertEqual(process.returncode, 130, "".join(said))
        self.assertIn("goes on from here", said[-1])
        there = rows_of(out)
        self.assertTrue(1 <= len(there) <= count)
        self.assertEqual(len(there), len(list((Path(out) / "cases").glob("*.json"))))
        self.run_cohort(out, [str(scans)])
        self.assertEqual([row["status"] for row in rows_of(out)], ["done"] * count)
        mask = (Path(self.out) / "masks" / "case-0.nii.gz").read_bytes()
        for number in range(count):
            self.assertEqual((Path(out) / "masks" / f"case-{number}.nii.gz").read_bytes(), mask)
        self.assertEqual(list(Path(out).rglob(".*.tmp")), [])

    @unittest.skipIf(sys.platform == "win32", "not applicable: signals of POSIX")
    def test_terminated(self):
        self.check_an_interrupted_run(lambda process: process.send_signal(signal.SIGTERM), "--workers", "0")

    @unittest.skipIf(sys.platform == "win32", "not applicable: signals of POSIX")
    @unittest.skipUnless(has("distributed"), "distributed is not there")
    def test_ctrl_c_with_dask(self):
        # To all processes in the foreground, as a terminal does.
        self.check_an_interrupted_run(lambda process: os.killpg(process.pid, signal.SIGINT), "--workers", "2")

    @unittest.skipIf(sys.platform == "win32", "not applicable: signals of POSIX")
    @unittest.skipUnless(has("distributed"), "distributed is not there")
    def test_dask_gives_the_same_though_a_worker_is_killed(self):
        out = tempfile.mkdtemp(dir=self.folder)
        process = self.begin(out, "--workers", "2")
        killed = []
        for line in process.stderr:
            if line.startswith("[") and not killed:
                row = json.loads(next((Path(out) / "cases").glob("*.json")).read_text(encoding="utf-8"))
                killed.append(int(row["worker"].rpartition(":")[2]))
                self.assertNotEqual(killed[0], process.pid)
                os.kill(killed[0], signal.SIGKILL)
        process.stderr.close()
        self.assertEqual(process.wait(), 1, "a case is broken")
        self.assertEqual(len(killed), 1)
        self.assertTrue(same(rows_of(out), rows_of(self.out)))
        for mask in (Path(self.out) / "masks").iterdir():
            self.assertEqual((Path(out) / "masks" / mask.name).read_bytes(), mask.read_bytes())

    @unittest.skipUnless(has("distributed"), "distributed is not there")
    def test_a_worker_that_is_not_replaced_is(self):
        # Dask forgets a worker that dies while it starts; without any the cohort would wait for ever.
        import distributed

        options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
        quick = mock.patch.object(cohort, "WATCH", 0.1)
        with quick, distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
            (before,) = client.scheduler_info()["workers"]
            client.retire_workers([before], close_workers=True)
            # Dask itself stumbles over a worker that is wanted while another one is still going.
            for _ in range(600):
                if not cluster.scheduler_info["workers"]:
                    break
                time.sleep(0.1)
            with cohort._kept_at(cluster, 1):
                client.wait_for_workers(1, timeout=60)
                (after,) = client.scheduler_info()["workers"]
        self.assertNotEqual(before, after)

    @unittest.skipUnless(has("distributed"), "distributed is not there")
    def test_a_cluster_that_is_running(self):
        import distributed

        out = tempfile.mkdtemp(dir=self.folder)
        options = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": "127.0.0.1:0"}
        with distributed.LocalCluster(**options) as cluster:
            self.run_cohort(out, workers=None, scheduler=cluster.scheduler_address)
        self.assertTrue(same(rows_of(out), rows_of(self.out)))

    def test_the_job_array_is_a_script(self):
        script = ROOT / "examples" / "cohort.sbatch"
        subprocess.run(["bash", "-n", str(script)], check=True)
        self.assertIn("--shard", script.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
