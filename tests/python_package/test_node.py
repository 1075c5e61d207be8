"""The DICOM node: what it takes and refuses, what survives a kill, titles, TLS, and DCMTK's programs as senders."""

import contextlib
import io
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path
from unittest import mock

from common import MODULE, SPACING, TINY, ggpfn, has, voxels
from ggpfn import _node_dicom, _node_store, node

if has("pynetdicom"):
    import pydicom
    import pynetdicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    # Of what the tests make wrong on purpose.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
NAME, NUMBER = "Mustermann^Erika", "PATIENT-4711"
# Seconds without an object; twenty times as many while an association is open, which a busy machine stays within.
QUIET = 1
# Seconds after which a test gives up.
LONG = 240

POSIX = unittest.skipIf(sys.platform == "win32", "not applicable: signals and scripts of POSIX")
NETWORK = unittest.skipUnless(has("pynetdicom"), "pynetdicom is not there")


def study(number):
    """The slices of a CT, one object each, the same for the same number."""

    def uid(name):
        return generate_uid(prefix="2.25.", entropy_srcs=["ggpfn", str(number), name])

    slices = []
    for k, plane in enumerate(voxels() + number):
        one = Dataset()
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.SOPClassUID, one.SOPInstanceUID = CT, uid(f"slice {k}")
        one.StudyInstanceUID, one.SeriesInstanceUID = uid("study"), uid("series")
        one.FrameOfReferenceUID, one.Modality = uid("frame"), "CT"
        one.PatientName, one.PatientID, one.PatientBirthDate, one.PatientSex = (NAME, NUMBER, "", "O")
        one.StudyDate, one.StudyTime, one.StudyID, one.AccessionNumber = ("20260101", "120000", "1", "")
        one.SeriesNumber, one.InstanceNumber, one.ReferringPhysicianName = 3, k + 1, ""
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.ImagePositionPatient, one.ImageOrientationPatient = ([0, 0, k * SPACING[2]], [1, 0, 0, 0, 1, 0])
        one.PixelSpacing, one.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        one.Rows, one.Columns = plane.shape
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = (16, 16, 15, 1)
        one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, 0, "HU"
        one.PixelData = plane.tobytes()
        slices.append(one)
    return slices


def until(found, what="it"):
    """Waits until something is true."""
    end = time.monotonic() + LONG
    while not found():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen")
        time.sleep(0.02)


@contextlib.contextmanager
def association(port, called="ANY", calling="SENDER", classes=(CT,), tls=None, patience=LONG):
    ae = pynetdicom.AE(ae_title=calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = patience
    for one in ("1.2.840.10008.1.1", *classes):
        ae.add_requested_context(one, ExplicitVRLittleEndian)
    opened = ae.associate("127.0.0.1", port, ae_title=called, tls_args=tls)
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def send(port, objects, **options):
    """The statuses of objects that are sent in one association."""
    with association(port, **options) as opened:
        assert opened.is_established
        return [opened.send_c_store(one).get("Status") for one in objects]


class Archive:
    """A destination, in this process."""

    def __init__(self, context=None):
        self.objects = []  # as they came, each time
        self.status = 0x0000
        self.asked = threading.Event()
        ae = pynetdicom.AE(ae_title="ARCHIVE")
        ae.require_called_aet = True
        for one in (_node_dicom.SEGMENTATION, _node_dicom.REPORT):
            ae.add_supported_context(one, ExplicitVRLittleEndian)
        handlers = [(pynetdicom.evt.EVT_C_STORE, self.take)]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=handlers)
        self.port = self.server.socket.getsockname()[1]
        self.close = ae.shutdown

    def take(self, event):
        self.asked.set()
        if self.status == 0x0000:
            one = event.dataset
            one.file_meta = event.file_meta
            self.objects.append(one)
        return self.status

    def of(self, slices):
        """Classes and UIDs of what came for a series, each once."""
        study_uid = slices[0].StudyInstanceUID
        return sorted(
            {(one.SOPClassUID, one.SOPInstanceUID) for one in self.objects if one.StudyInstanceUID == study_uid}
        )


class Running:
    """A node in a process of its own."""

    def __init__(self, folder, *arguments, program=None, quiet=QUIET):
        command = [sys.executable, "-m", "ggpfn.node", str(folder), "--port", "0", "--quiet-seconds", str(quiet)]
        environment = {**os.environ, "PYTHONPATH": str(MODULE), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
        if program is not None:
            environment["GGPFN_PROGRAM"] = str(program)
        self.process = subprocess.Popen(
            [*command, "--threads", "1", "--keep-free-mb", "0", *map(str, arguments)],
            env=environment,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.lines = []
        self.thread = threading.Thread(target=self._hear)
        self.thread.start()

    def _hear(self):
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def log(self):
        return "".join(self.lines)

    @property
    def port(self):
        pattern = re.compile(r"listens on 127\.0\.0\.1:(\d+)")
        until(lambda: pattern.search(self.log) or self.process.poll() is not None, "listening")
        found = pattern.search(self.log)
        assert found, self.log
        return int(found[1])

    def said(self, text, times=1):
        until(lambda: self.log.count(text) >= times or self.process.poll() is not None, text)
        assert self.log.count(text) >= times, self.log

    def end(self, number=signal.SIGTERM):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(LONG)
        self.thread.join()
        self.process.stderr.close()
        return code


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ggpfn ü ")
        cls.addClassCleanup(folder.cleanup)
        cls.place = Path(os.path.realpath(folder.name))

    def folder(self):
        return Path(tempfile.mkdtemp(dir=self.place))


class Stored(Case):
    """The files of a node, without network and program."""

    LIMITS = _node_store.Limits(objects=3, bytes=1000, free=0, keep=0)

    def setUp(self):
        self.there = str(self.folder())
        self.store = _node_store.Store(self.there, self.LIMITS)
        self.addCleanup(lambda: self.store.close())

    def add(self, instance, data=b"data", series="1.3", association=1):
        self.store.opened(association)
        one = self.store.add("1.2", series, instance, data, association)
        self.store.released(association)
        self.store.closed(association)
        return one

    def again(self):
        """The folder, as the next node finds it."""
        self.store.close()
        self.store = _node_store.Store(self.there, self.LIMITS)
        return next(iter(self.store._of.values()), None)

    def make(self, series):
        attempt = self.store.begin(series)
        try:
            (Path(attempt.folder) / "segmentation.dcm").write_bytes(b"result")
            return self.store.publish(attempt)
        finally:
            attempt.close()

    def states(self):
        return {state: number for state, number in self.store.counts().items() if number}

    def finish(self, series):
        self.assertTrue(self.store.finish(series, series.revision))

    def refused(self, status, *arguments, **options):
        with self.assertRaises(_node_store.Refused) as caught:
            self.add(*arguments, **options)
        self.assertEqual(caught.exception.status, status)

    def test_a_series_from_its_first_object_to_the_end(self):
        series = self.add("1.4")
        self.add("1.5")
        self.assertEqual(len(os.listdir(series.place)), 2)
        self.assertEqual(self.store.settle(60), [])
        self.assertEqual(self.store.settle(0), [series])
        self.assertTrue(self.make(series))
        self.finish(self.again())
        self.assertEqual(self.states(), {"done": 1})
        # What was received stays known when it is removed, and comes to nothing.
        self.store.tidy()
        series = self.again()
        self.assertEqual(os.listdir(series.folder), ["state.json"])
        self.add("1.4")
        self.refused(_node_store.DUPLICATE, "1.5", b"else")
        self.refused(_node_store.NOT_UNDERSTOOD, "1.6")
        self.assertEqual(self.states(), {"done": 1})

    def test_no_uid_is_a_path(self):
        for trick in ("../../up", "/etc/up", "a/b", "x" * 3000, "NUL", "ü\0"):
            series = self.add(trick, series=trick)
            self.assertRegex(series.key, r"^[0-9a-f]{24}$")
            self.assertRegex(os.listdir(series.place)[0], r"^[0-9a-f]{32}\.dcm$")
        self.assertEqual(sorted(os.listdir(self.there)), ["incoming", "node.lock", "series"])

    def test_a_series_waits_for_who_may_send_more(self):
        def old(series):
            series.last -= 5
            return series

        enough = 5 / (_node_store.PATIENCE + 1)
        self.store.opened(7)
        series = old(self.store.add("1.2", "1.3", "1.4", b"data", 7))
        self.assertEqual(self.store.settle(4), [], "its association is open")
        self.assertEqual(self.store.settle(enough), [series], "but not for ever")
        series = old(self.store.add("1.2", "1.8", "1.4", b"data", 7))
        self.store.closed(7)
        self.assertEqual(self.store.settle(4), [], "its association broke off")
        # Who sends again is who is waited for.
        old(self.add("1.5", series="1.8", association=8))
        self.assertEqual(self.store.settle(4), [series])
        self.add("1.6", series="1.8")
        series = old(self.again())
        self.store.settle(4)
        self.assertEqual(self.states(), {"queued": 1, "receiving": 1}, "the node ended meanwhile")

    def test_the_same_object_twice_and_another_one_of_its_name(self):
        self.add("1.4")
        series = self.add("1.4")
        self.assertEqual(len(series.objects), 1)
        self.refused(_node_store.DUPLICATE, "1.4", b"else")
        self.assertEqual((Path(series.place) / next(iter(series.objects))).read_bytes(), b"data")

    def test_a_late_object_opens_a_series_again(self):
        series = self.add("1.4")
        self.store.settle(0)
        attempt = self.store.begin(series)
        self.add("1.5")
        self.assertFalse(self.store.publish(attempt), "it was made of fewer objects")
        attempt.close()
        self.store.settle(0)
        self.assertTrue(self.make(series))
        self.finish(series)
        self.add("1.6")
        self.store.settle(0)
        self.assertEqual(self.states(), {"queued": 1})
        self.assertTrue(self.make(series))
        self.assertEqual((series.revision, series.sent), (2, []))

    def test_killed_between_opening_and_the_object(self):
        series = self.add("1.4")
        self.store.settle(0)
        self.make(series)
        self.finish(series)
        with mock.patch.object(_node_store.os, "replace", side_effect=self.failing(os.replace, "objects")):
            with self.assertRaises(OSError):
                self.add("1.5")
        series = self.again()
        self.assertEqual(series.state, "receiving")
        self.assertEqual(self.store.settle(0), [], "nothing to be made a second time")
        self.assertEqual((series.state, series.revision), ("made", 1))

    def failing(self, really, part):
        def replace(source, target):
            if part in str(target):
                raise OSError("killed")
            return really(source, target)

        return replace

    def test_killed_between_results_and_the_state(self):
        series = self.add("1.4")
        self.store.settle(0)
        with mock.patch.object(self.store, "_made", side_effect=OSError("killed")):
            with self.assertRaises(OSError):
                self.make(series)
        series = self.again()
        self.assertEqual((series.state, series.revision), ("made", 1))
        self.assertEqual((Path(series.results()) / "segmentation.dcm").read_bytes(), b"result")

    def test_killed_while_results_are_made_or_an_object_comes(self):
        series = self.add("1.4")
        self.store.settle(0)
        self.store.begin(series)._lock.close()
        (Path(self.there) / "incoming" / "half").write_bytes(b"da")
        (Path(self.there) / "series" / "empty" / "objects").mkdir(parents=True)
        series = self.again()
        self.assertEqual(sorted(os.listdir(series.folder)), ["objects", "program.lock", "state.json"])
        self.assertEqual(os.listdir(os.path.join(self.there, "incoming")), [])
        self.assertEqual(self.states(), {"queued": 1})

    def test_killed_at_every_step(self):
        """A kill at each operation on files in turn: the next node always ends with one result, which is the same."""
        for step in range(1000):
            arrived, made = [], []
            with tempfile.TemporaryDirectory(dir=self.place) as folder:
                killed = Kill(step)
                with contextlib.suppress(Killed), killed:
                    self.whole_life(folder, arrived, made)
                # Some are killed twice.
                if step % 3 == 0:
                    with contextlib.suppress(Killed), Kill(step // 2):
                        self.whole_life(folder, arrived, made)
                self.whole_life(folder, arrived, made)
            self.assertEqual(len(set(arrived)), 1, f"killed at step {step}: {killed.at}")
            if not killed.at:
                break
        self.assertGreater(step, 20)

    def whole_life(self, folder, arrived, made):
        """A series by a node that may be killed: each begins with its sender, who sends all of it."""
        store = None
        try:
            store = _node_store.Store(folder, self.LIMITS)
            for instance in ("1.4", "1.5"):
                store.opened(1)
                store.add("1.2", "1.3", instance, b"data", 1)
            store.released(1)
            store.settle(0)
            for series in store.waiting("queued"):
                attempt = store.begin(series)
                made.append(len(made))
                (Path(attempt.folder) / "segmentation.dcm").write_text(str(made[-1]), encoding="ascii")
                self.assertTrue(store.publish(attempt))
                attempt.close()
            for series in store.waiting("made"):
                if "archive" not in series.sent:
                    arrived.append((Path(series.results()) / "segmentation.dcm").read_text(encoding="ascii"))
                store.arrived(series, series.revision, "archive")
                store.finish(series, series.revision)
            store.tidy()
            self.assertEqual(store.counts()["done"], 1)
        finally:
            if store is not None:
                # The system takes the locks of a process that is gone.
                store._lock.close()

    def test_limits(self):
        for instance in ("1.4", "1.5", "1.6"):
            series = self.add(instance)
        self.refused(_node_store.OUT_OF_RESOURCES, "1.7")
        # A part of a series is no series.
        self.assertEqual((series.state, self.store.settle(0), self.store.again()), ("failed", [], 0))
        self.assertIn("3 objects", self.again().error)
        self.refused(_node_store.OUT_OF_RESOURCES, "1.4", bytes(1001), series="1.9")
        full = mock.Mock(free=10)
        with mock.patch.object(_node_store.shutil, "disk_usage", return_value=full):
            self.store.limits = _node_store.Limits(3, 1000, 10, 0)
            self.refused(_node_store.OUT_OF_RESOURCES, "1.4", series="1.10")
        self.assertEqual(self.states(), {"failed": 2})

    def test_attempts(self):
        series = self.add("1.4")
        self.store.settle(0)
        self.assertFalse(self.store.failed_once(series, "why", 2))
        self.assertTrue(self.store.failed_once(self.again(), "why", 2))
        self.assertEqual(self.states(), {"failed": 1})
        self.assertEqual(self.store.again(), 1)
        self.assertEqual(self.states(), {"queued": 1})

    def test_two_nodes_on_one_folder(self):
        with self.assertRaisesRegex(ggpfn.Error, "Another node"):
            _node_store.Store(self.there, self.LIMITS)
        self.assertIsNone(self.again())

    def test_a_broken_state_is_named(self):
        series = self.add("1.4")
        Path(series.folder, "state.json").write_bytes(b'{"uid": ')
        self.store.close()
        with self.assertRaisesRegex(ggpfn.Error, series.key):
            _node_store.Store(self.there, self.LIMITS)


class Killed(BaseException):
    """No error that anybody handles."""


class Kill:
    """Ends all operations on files from some step on, as the death of the process does."""

    NAMES = ("replace", "fsync", "mkdir", "remove", "rmdir", "unlink")

    def __init__(self, step):
        self.left, self.at = step, ""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for name in self.NAMES:
            self.stack.enter_context(mock.patch.object(os, name, self.counted(name, getattr(os, name))))

    def __exit__(self, *_):
        self.stack.close()

    def counted(self, name, really):
        def operation(*arguments, **options):
            if self.left == 0:
                self.at = self.at or f"{name} {arguments}"
                raise Killed
            self.left -= 1
            return really(*arguments, **options)

        return operation


class Commands(unittest.TestCase):
    def refused(self, *arguments):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as caught:
            node.main(["folder", *arguments])
        self.assertEqual(caught.exception.code, 2)
        return said.getvalue()

    def test_options(self):
        self.assertIn("--send-to, --out", self.refused())
        for wrong in ("archive", "A@h", "A@h:0", "A@h:70000", "@h:1", "SEVENTEENLETTERS_@h:1"):
            self.refused("--send-to", wrong)
        self.assertEqual(node._address("A B@[::1]:104"), ("A B", "::1", 104))
        for wrong in (["--port", "65536"], ["--device", "gpu"], ["--uid-root", "1.02"], ["--associations", "0"]):
            self.refused("--out", "out", *wrong)
        self.refused("--out", "out", "--tls-key", "key.pem")
        self.refused("--out", "out", "--send-tls")

    def test_without_pynetdicom_the_message_says_what_to_install(self):
        said = io.StringIO()
        with mock.patch.dict(sys.modules, {"pynetdicom": None}), contextlib.redirect_stderr(said):
            self.assertEqual(node.main(["folder", "--out", "out"]), 2)
        self.assertIn("pip install ggpfn[node]", said.getvalue())

    def test_sentences_without_names(self):
        said = 'Series 1.2.840.10008.5 has PatientName "Mustermann^Erika"; 2.5 mm and version 1.2.3'
        self.assertEqual(node._anonymous(said), 'Series [UID] has PatientName "..."; 2.5 mm and version 1.2.3')


@NETWORK
class LookedAt(unittest.TestCase):
    """What counts as a CT image."""

    def check(self, change, sop_class=CT, status=None, text=""):
        one = study(1)[0]
        instance = str(one.SOPInstanceUID)
        change(one)
        data = io.BytesIO()
        (one.file_meta.MediaStorageSOPClassUID, one.file_meta.MediaStorageSOPInstanceUID) = sop_class, instance
        pydicom.dcmwrite(data, one, enforce_file_format=True)
        if status is None:
            return _node_dicom.look_at(data.getvalue(), sop_class, instance)
        with self.assertRaisesRegex(_node_store.Refused, text) as caught:
            _node_dicom.look_at(data.getvalue(), sop_class, instance)
        self.assertEqual(caught.exception.status, status)

    def test_a_slice(self):
        found = self.check(lambda one: None)
        self.assertEqual(found.series, study(1)[0].SeriesInstanceUID)

    def test_what_is_refused(self):
        def put(**values):
            def change(one):
                for name, value in values.items():
                    if value is None:
                        delattr(one, name)
                    else:
                        setattr(one, name, value)

            return change

        match, sense = _node_store.DOES_NOT_MATCH, _node_store.NOT_UNDERSTOOD
        self.check(put(SOPClassUID=MR), status=match, text="SOPClassUID")
        self.check(put(SOPClassUID=MR), MR, match, "no CT")
        self.check(put(Modality="MR"), status=match, text="no CT")
        self.check(put(SOPInstanceUID="1.2.3"), status=match, text="SOPInstanceUID")
        self.check(put(SeriesInstanceUID=None), status=match, text="no SeriesInstanceUID")
        self.check(put(StudyInstanceUID=""), status=match, text="no StudyInstanceUID")
        self.check(put(PixelData=None), status=match, text="no PixelData")
        self.check(put(Rows=None), status=match, text="no Rows")
        self.check(put(PixelData=b"12"), status=sense, text="2 bytes")
        self.check(put(Columns=60000), status=sense, text="bytes")
        for trick in ("../../etc", "1.2/3", "1..2", ".1", "1" * 70):
            self.check(put(SeriesInstanceUID=trick), status=match, text="no UID")

    def test_compressed_pixels(self):
        def compressed(*fragments):
            def change(one):
                one.PixelData = pydicom.encaps.encapsulate(list(fragments))
                one["PixelData"].VR = "OB"
                one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"

            return change

        self.check(compressed(b"codestream"))
        self.check(compressed(), status=_node_store.NOT_UNDERSTOOD, text="frames")

    def test_bytes_that_are_no_data_set(self):
        for data in (b"", b"\xff" * 400, bytes(200)):
            with self.assertRaises(_node_store.Refused):
                _node_dicom.look_at(data, CT, "1.2")


@NETWORK
class Nodes(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = str(cls.place / "tiny.safetensors")
        with ggpfn.open_engine("child process") as engine:
            engine.new_model(TINY, 1).save(cls.model, "float32")

    def archive(self, context=None):
        archive = Archive(context)
        self.addCleanup(archive.close)
        return archive

    def node(self, folder, *arguments, **options):
        running = Running(folder, "--model", self.model, *arguments, **options)
        self.addCleanup(lambda: running.end(signal.SIGKILL) if running.process.returncode is None else None)
        return running

    def check_results(self, archive, slices, results=1):
        """That a series has its results at the destination, and that they are of this series."""
        found = archive.of(slices)
        classes = [_node_dicom.SEGMENTATION] * results + [_node_dicom.REPORT] * results
        self.assertEqual([one for one, _ in found], classes)
        segmentation = next(one for one in archive.objects if one.SOPInstanceUID == found[0][1])
        (source,) = segmentation.ReferencedSeriesSequence
        self.assertEqual(source.SeriesInstanceUID, slices[0].SeriesInstanceUID)
        self.assertEqual(segmentation.PatientName, NAME)

    def test_from_sender_to_archive(self):
        archive, folder, out = self.archive(), self.folder(), self.folder()
        running = self.node(folder, "--send-to", f"ARCHIVE@127.0.0.1:{archive.port}", "--out", out)
        slices = study(1)
        with association(running.port) as opened:
            self.assertEqual(opened.send_c_echo().Status, 0x0000)
        self.assertEqual(send(running.port, slices), [0x0000] * len(slices))
        running.said("done, results")
        self.check_results(archive, slices)
        written = out / slices[0].StudyInstanceUID / slices[0].SeriesInstanceUID
        self.assertEqual(sorted(os.listdir(written)), ["report.dcm", "segmentation.dcm"])
        uids = {pydicom.dcmread(path).SOPInstanceUID for path in written.iterdir()}
        self.assertEqual(uids, {uid for _, uid in archive.of(slices)})
        # The same objects again come to nothing.
        self.assertEqual(send(running.port, slices[:3]), [0x0000] * 3)

        # Foreign objects: refused, and the next ones in the same association are taken.
        with association(running.port, classes=(CT, MR)) as opened:
            self.assertEqual([one.abstract_syntax for one in opened.rejected_contexts], [MR])
        running.said("refused to take MR Image Storage")
        other = study(2)
        foreign = [study(3)[k] for k in range(4)]
        del foreign[0].SeriesInstanceUID
        foreign[1].SeriesInstanceUID = "../../../up"
        foreign[2].PixelData = foreign[2].PixelData[:100]
        foreign[3].Modality = "MR"
        answers = send(running.port, [*foreign, *other[:-1]])
        self.assertEqual(answers[:4], [0xA900, 0xA900, 0xC000, 0xA900])
        self.assertEqual(set(answers[4:]), {0x0000})
        running.said("object refused (0x", 4)
        running.said("done, results", 2)
        self.check_results(archive, other)
        # A late slice makes it another series.
        self.assertEqual(send(running.port, other[-1:]), [0x0000])
        running.said("done, results", 3)
        self.check_results(archive, other, 2)
        written = out / other[0].StudyInstanceUID / other[0].SeriesInstanceUID
        self.assertEqual(len(list(written.glob("*-2.dcm"))), 2)
        # What cannot be segmented is no end of the node, and a late slice makes it good.
        holed = study(4)
        send(running.port, holed[:3] + holed[6:])
        running.said("failed:")
        send(running.port, holed[3:6])
        running.said("done, results", 4)
        self.check_results(archive, holed)

        self.assertEqual(len(archive.objects), 8)
        self.assertEqual(running.end(), 0)
        self.assertEqual(len(archive.objects), 8)
        self.assertIn("ended", running.lines[-1])
        for secret in (NAME, NUMBER, "Mustermann", str(slices[0].SeriesInstanceUID)):
            self.assertNotIn(secret, running.log)

    @POSIX
    def test_killed_and_started_again(self):
        archive, folder = self.archive(), self.folder()
        to = ("--send-to", f"ARCHIVE@127.0.0.1:{archive.port}")
        studies = [study(number) for number in range(3)]
        # A program that never ends, to be killed at work.
        hanging = self.folder() / "ggpfn"
        hanging.write_text('#!/bin/sh\necho $$ > "${0%/*}/pid"\nexec sleep 600\n', encoding="utf-8")
        hanging.chmod(0o755)
        running = self.node(folder, *to, program=hanging)
        send(running.port, studies[0])
        until(lambda: (hanging.parent / "pid").exists() and (hanging.parent / "pid").read_text().strip(), "the program")
        program = int((hanging.parent / "pid").read_text(encoding="utf-8"))
        send(running.port, studies[1][:5])
        running.end(signal.SIGKILL)
        os.kill(program, 0)  # it lives

        # The next one ends it. Its archive takes the segmentation, and not the report.
        really, refuse = archive.take, threading.Event()
        refuse.set()

        def half(event):
            if refuse.is_set() and event.request.AffectedSOPClassUID == _node_dicom.REPORT:
                archive.asked.set()
                return 0xA700
            return really(event)

        archive.asked.clear()
        archive.server.unbind(pynetdicom.evt.EVT_C_STORE, archive.take)
        archive.server.bind(pynetdicom.evt.EVT_C_STORE, half)
        running = self.node(folder, *to)
        send(running.port, studies[1])
        running.said("not sent")
        self.assertFalse(alive(program))
        send(running.port, studies[2])
        running.said("complete", 2)
        running.end(signal.SIGKILL)
        first = archive.of(studies[0])
        self.assertEqual([one for one, _ in first], [_node_dicom.SEGMENTATION])

        refuse.clear()
        running = self.node(folder, *to)
        running.said("from before: ")
        running.said("done, results", 3)
        self.assertEqual(running.end(signal.SIGINT), 0)
        for slices in studies:
            self.check_results(archive, slices)
        self.assertIn(first[0], archive.of(studies[0]))
        # A fourth finds nothing to do.
        count = len(archive.objects)
        running = self.node(folder, *to, quiet=0.2)
        self.assertTrue(running.port)
        time.sleep(1)
        self.assertEqual(running.end(), 0)
        self.assertEqual(len(archive.objects), count)

    @POSIX
    def test_an_archive_that_does_not_answer(self):
        archive, folder, answer = self.archive(), self.folder(), threading.Event()
        self.addCleanup(answer.set)
        to = ("--send-to", f"ARCHIVE@127.0.0.1:{archive.port}")

        def late(event):
            archive.asked.set()
            answer.wait(LONG)
            return archive.take(event)

        archive.server.unbind(pynetdicom.evt.EVT_C_STORE, archive.take)
        archive.server.bind(pynetdicom.evt.EVT_C_STORE, late)
        running = self.node(folder, *to)
        send(running.port, study(1))
        self.assertTrue(archive.asked.wait(LONG))
        self.assertEqual(running.end(), 0)
        answer.set()
        running = self.node(folder, *to)
        running.said("done, results")
        self.assertEqual(running.end(), 0)
        # What it took, though nobody heard of it, is what it was sent again.
        until(lambda: [one.SOPClassUID for one in archive.objects].count(_node_dicom.SEGMENTATION) == 2, "both")
        self.check_results(archive, study(1))

    def test_titles_associations_and_a_second_node(self):
        folder, out = self.folder(), self.folder()
        options = ("--out", out, "--called", "GGPFN", "--allow", "CT1", "--allow", "CT2", "--associations", "2")
        running = self.node(folder, *options, "--max-object-mb", "1")
        for called, calling, let_in in (
            ("GGPFN", "CT1", True),
            ("GGPFN", "CT2", True),
            ("GGPFN", "CT3", False),
            ("OTHER", "CT1", False),
        ):
            with association(running.port, called, calling) as opened:
                self.assertEqual(opened.is_established, let_in)
        running.said("it called OTHER")
        running.said("its title is not allowed")
        titles = {"called": "GGPFN", "calling": "CT1"}
        with association(running.port, **titles) as one, association(running.port, **titles) as two:
            self.assertTrue(one.is_established and two.is_established)
            with association(running.port, **titles) as three:
                self.assertTrue(three.is_rejected)
        running.said("too many associations")
        # The limit is of each object, and not of all in an association.
        large = study(1)[0]
        large.PixelData = bytes(600_000)
        self.assertEqual(send(running.port, [large] * 3, **titles), [0xC000] * 3)
        # An object without end is not waited for.
        large = study(1)[0]
        large.PixelData = bytes(3_000_000)
        with association(running.port, **titles) as opened:
            with contextlib.suppress(RuntimeError):
                self.assertNotIn("Status", opened.send_c_store(large))
        running.said("more than 1 MB")
        # Nor is a message without end, nor one that never ends.
        with socket.create_connection(("127.0.0.1", running.port)) as huge:
            huge.sendall(b"\x01\x00\xff\xff\xff\xff")
            running.said("a message of 4294967295 bytes")
            self.assertEqual(huge.recv(1), b"")
        half = socket.create_connection(("127.0.0.1", running.port))
        self.addCleanup(half.close)
        half.sendall(b"\x01\x00\x00")
        second = self.node(folder, *options)
        self.assertEqual(second.process.wait(LONG), 2)
        second.end()
        self.assertIn("Another node", second.log)
        self.assertEqual(running.end(), 0)

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not there")
    def test_tls(self):
        keys = self.folder()
        for name in ("own", "foreign"):
            files = ["-keyout", keys / f"{name}.key", "-out", keys / f"{name}.pem"]
            subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            subprocess.run([*command, *files, *subject, "-days", "2"], check=True, capture_output=True)

        def context(purpose, name):
            made = ssl.create_default_context(purpose, cafile=keys / "own.pem")
            if name:
                made.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
            made.verify_mode = ssl.CERT_REQUIRED
            return made

        archive = self.archive(context(ssl.Purpose.CLIENT_AUTH, "own"))
        files = ("--tls-cert", keys / "own.pem", "--tls-key", keys / "own.key", "--tls-ca", keys / "own.pem")
        to = ("--send-to", f"ARCHIVE@127.0.0.1:{archive.port}", "--send-tls")
        running = self.node(self.folder(), *files, *to)
        # One that says nothing does not keep others out.
        silent = socket.create_connection(("127.0.0.1", running.port))
        self.addCleanup(silent.close)
        for tls in (None, "foreign", ""):
            tls = None if tls is None else (context(ssl.Purpose.SERVER_AUTH, tls), "127.0.0.1")
            with association(running.port, tls=tls) as opened:
                self.assertFalse(opened.is_established)
        slices = study(1)
        send(running.port, slices, tls=(context(ssl.Purpose.SERVER_AUTH, "own"), "127.0.0.1"))
        running.said("done, results")
        self.check_results(archive, slices)
        self.assertEqual(running.end(), 0)
        broken = self.node(self.folder(), "--tls-cert", self.model, *to)
        self.assertEqual(broken.process.wait(LONG), 2)
        broken.end()
        self.assertIn("cannot be used for TLS", broken.log)

    @unittest.skipUnless(shutil.which("storescu") and shutil.which("echoscu"), "DCMTK's programs are not there")
    def test_dcmtk_sends(self):
        out, files = self.folder(), self.folder()
        for k, one in enumerate(study(1)):
            (one.file_meta.MediaStorageSOPClassUID, one.file_meta.MediaStorageSOPInstanceUID) = CT, one.SOPInstanceUID
            pydicom.dcmwrite(files / f"{k}.dcm", one, enforce_file_format=True)
        running = self.node(self.folder(), "--out", out, "--called", "GGPFN", "--log-names")
        there = ["-aec", "GGPFN", "127.0.0.1", str(running.port)]
        subprocess.run(["echoscu", *there], check=True, timeout=LONG)
        subprocess.run(["storescu", *there, "+sd", files], check=True, timeout=LONG)
        running.said("done, results")
        self.assertEqual(len(list(out.glob("*/*/*.dcm"))), 2)
        self.assertEqual(running.end(), 0)
        self.assertIn(NAME, running.log)


def alive(pid):
    """Whether a process is at work; one that has ended and that nobody has waited for is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if sys.platform == "linux":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    unittest.main()
