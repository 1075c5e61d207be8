"""Many scans, one after the other: volumes of the scene, the volumes of a sequence, files and DICOM series in a folder.

A scan that fails is a line in the table, and the next one follows. Only one scan of a folder is in memory at a time.
"""

import contextlib
import os
from collections import Counter

import ggpfn
import slicer
from slicer.i18n import tr as _

from .dicom_input import has_dicom, is_dicom, read_series
from .errors import InputError, sentence
from .files import whole
from .kept import Kept
from .measurements import show_table, write_csv
from .parameters import VIEWS, BatchSource, Region, batch_volumes, engine_options, model_path
from .scene_input import IMAGE_ENDINGS, read_volume, region_of, scan_of
from .scene_output import save_undo_state, show_mask
from .segmenting import segment
from .tasks import PHASES, State, Task
from .written import is_written

SEGMENTATION_ENDING = ".seg.nrrd"
# Of the file, which other programs read, and of the table in the scene.
HEADER = ("Scan", "Volume (mL)", "Mean (HU)", "Components", "Expected Dice", "Doubtful", "Seconds", "Remark")
TITLES = (
    _("Scan"),
    _("Volume (mL)"),
    _("Mean (HU)"),
    _("Components"),
    _("Expected Dice"),
    _("Doubtful"),
    _("Seconds"),
    _("Remark"),
)


class VolumeItem:
    """A volume of the scene."""

    # What is odd about how it was read; a sentence.
    warning = ""

    def __init__(self, volume):
        self.volume = volume
        self.name = volume.GetName()

    def load(self):
        """The volume node, on the main thread."""
        if not slicer.mrmlScene.IsNodePresent(self.volume):
            raise InputError(_("The volume was deleted."))
        return self.volume

    def store(self, mask, start):
        """Brings a mask where it belongs, on the main thread."""
        show_mask(self.load(), mask, start, show_3d=False)

    def close(self):
        """Lets go of the scan."""


class FrameItem(VolumeItem):
    """A volume of a sequence; masks go into a sequence of segmentations."""

    def __init__(self, source, output, number):
        self.source, self.output, self.number = source, output, number
        self.value = source.GetNthIndexValue(number)
        self.name = f"{source.GetName()} {self.value}"
        self.volume = None

    def load(self):
        if not all(slicer.mrmlScene.IsNodePresent(node) for node in (self.source, self.output)):
            raise InputError(_("The sequence was deleted."))
        return self.source.GetNthDataNode(self.number)

    def store(self, mask, start):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", self.name)
        segmentation = None
        try:
            volume.CopyContent(self.load(), False)
            segmentation = show_mask(volume, mask, start, show_3d=False)
            self.output.SetDataNodeAtValue(segmentation, self.value)
        finally:
            _remove(segmentation, volume)


class FileItem(VolumeItem):
    """An image file; masks go into a folder as .seg.nrrd."""

    def __init__(self, path, name, result):
        """name: for the table. result: the file that the mask goes to."""
        self.path, self.name, self.result = path, name, result
        self.volume = None

    def load(self):
        if self.volume is None:
            self.volume = read_volume(self.path)
        return self.volume

    def store(self, mask, start):
        volume = slicer.mrmlScene.AddNode(self.load())
        segmentation = None
        try:
            segmentation = show_mask(volume, mask, start, show_3d=False)
            result = self._free_result()
            with whole(result) as path:
                storage = slicer.vtkMRMLSegmentationStorageNode()
                storage.SetFileName(path)
                if not storage.WriteData(segmentation):
                    raise InputError(_("{path} cannot be written.").format(path=result))
        finally:
            _remove(segmentation, volume)
            self.volume = None

    def close(self):
        self.volume = None

    def _free_result(self):
        """The file for the mask: another one where this one is there already and has corrections by hand in it."""
        result, number = self.result, 1
        while os.path.exists(result) and not is_own_file(result):
            number += 1
            result = f"{self.result[: -len(SEGMENTATION_ENDING)]}_{number}{SEGMENTATION_ENDING}"
        if number > 1:
            kept = _("{old} was edited by hand and stays as it is; the result is in {new}.").format(
                old=os.path.basename(self.result), new=os.path.basename(result)
            )
            self.warning = f"{self.warning} {kept}".strip()
        return result


class SeriesItem(FileItem):
    """A folder with DICOM files in it."""

    def load(self):
        if self.volume is None:
            self.volume, self.warning = read_series(self.path, self.name)
        return self.volume


class ScanTask(Task):
    """One scan of a batch."""

    def __init__(self, engines, item, path, options, choice, roi):
        self.item = item
        volume = item.load()
        self.scan = scan_of(volume)
        self.region = region_of(self.scan, volume, choice, roi)
        self.path, self.options = path, options
        super().__init__(engines, item.name)

    def work(self):
        engine = self.engines.engine()
        found = segment(engine, self.engines.model(self.path), self.scan, self.options, self.region, self.monitor)
        kept = Kept.of(self.scan, found)
        self.quality = found.quality
        return kept.at(engine, self.options["threshold"], self.options["largest_component"])

    def finish(self, result):
        self.measurements = result.measurements
        self.item.store(result.mask, result.start)
        return ""


class BatchTask(Task):
    """A batch: ScanTasks one after the other, and a table."""

    def __init__(self, engines, parameters):
        self.parameters = parameters
        self.path = model_path(parameters)
        self.options = {**engine_options(parameters, VIEWS), "view_probabilities": False, "uncertainty": False}
        self.choice, self.roi = parameters.region, parameters.roi
        if self.path == "":
            raise InputError(_("Choose a model file, or the model that is shipped."))
        if not self.options["views"]:
            raise InputError(_("Tick at least one view under Advanced."))
        if self.choice is Region.ROI and parameters.batchSource is BatchSource.FOLDER:
            raise InputError(_("Files of a folder lie in places of their own; crop to the body instead of a region."))
        self.folder = None
        self.items = self._items()
        self.rows = []
        self.failed = self.doubtful = 0
        self.part = None
        super().__init__(engines, _("Segmenting {count} scans").format(count=len(self.items)))

    def _items(self):
        parameters = self.parameters
        if parameters.batchSource is BatchSource.VOLUMES:
            items = [VolumeItem(volume) for volume in batch_volumes(parameters)]
            if not items:
                raise InputError(_("Tick at least one volume."))
            return items
        if parameters.batchSource is BatchSource.SEQUENCE:
            return self._frames(parameters.batchSequence)
        self.folder = parameters.batchOutputFolder.strip() or parameters.batchFolder.strip()
        os.makedirs(self.folder, exist_ok=True)
        return items_in(parameters.batchFolder.strip(), self.folder)

    def _frames(self, source):
        if source is None or not source.GetNumberOfDataNodes():
            raise InputError(_("Choose a sequence that has volumes in it."))
        if not source.GetNthDataNode(0).IsA("vtkMRMLScalarVolumeNode"):
            raise InputError(_("{name} is no sequence of volumes.").format(name=source.GetName()))
        output = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLSequenceNode", _("{name} pancreas").format(name=source.GetName())
        )
        output.SetIndexName(source.GetIndexName())
        output.SetIndexUnit(source.GetIndexUnit())
        output.SetIndexType(source.GetIndexType())
        self.output = output
        return [FrameItem(source, output, number) for number in range(source.GetNumberOfDataNodes())]

    def start(self):
        save_undo_state()
        return self

    def poll(self):
        if not self.running:
            return False
        if self.part is None:
            if len(self.rows) == len(self.items):
                self._end(State.DONE)
            else:
                self._begin(self.items[len(self.rows)])
        elif not self.part.poll():
            self._record(self.part)
        return self.running

    def _begin(self, item):
        try:
            self.part = ScanTask(self.engines, item, self.path, self.options, self.choice, self.roi).start()
        except Exception as error:
            self._failed(item, sentence(error))

    def _record(self, part):
        if part.state is State.DONE:
            found, quality = part.measurements, part.quality
            hu = "" if found.mean_hu is None else f"{found.mean_hu:.0f}"
            warnings = [part.item.warning, part.scan.warning, *(warning.text for warning in quality.warnings)]
            self._row(
                part.item,
                " ".join(warning for warning in warnings if warning),
                f"{found.volume_ml:.1f}",
                hu,
                found.components,
                f"{quality.expected_dice:.2f}",
                _("yes") if quality.doubtful else _("no"),
                f"{part.seconds:.1f}",
            )
            self.doubtful += quality.doubtful
        else:
            self._failed(part.item, part.message)
        part.item.close()
        self.part = None

    def _failed(self, item, why):
        self.failed += 1
        self._row(item, why)

    def _row(self, item, remark, *numbers):
        numbers = numbers or [""] * (len(HEADER) - 2)
        self.rows.append((item.name, *numbers, remark.replace("\n", " ")))
        # After each scan: what is done is on disk, whatever comes. What keeps it from being written is told at the end.
        with contextlib.suppress(OSError):
            self._write()

    def _write(self):
        if self.folder:
            write_csv(os.path.join(self.folder, "pancreas.csv"), self.rows, HEADER)

    def _end(self, state):
        self.message = _("{done} of {count} scans are segmented.").format(
            done=len(self.rows) - self.failed, count=len(self.items)
        )
        if self.failed:
            self.message += " " + _("The table says what became of the others.")
        if self.doubtful:
            self.message += " " + _("{count} results are doubtful: look at them before you use them.").format(
                count=self.doubtful
            )
        try:
            self._keep()
        except Exception as error:
            self.message, state = f"{self.message} {sentence(error)}", State.FAILED
        self.state = state

    def _keep(self):
        parameters = self.parameters
        parameters.batchTable = show_table(self.rows, TITLES, _("Pancreas of many scans"), parameters.batchTable)
        if parameters.batchSource is BatchSource.SEQUENCE:
            browse(parameters.batchSequence, self.output)

    def cancel(self):
        """Stops; what is done so far stays, with its table."""
        if not self.running:
            return
        if self.part is not None:
            self.part.cancel()
        self._end(State.CANCELLED)

    def scene_closed(self):
        if self.part is not None:
            self.part.cancel()
        if self.running:
            self.state, self.message = State.CANCELLED, _("Cancelled, since the scene was closed.")

    @property
    def progress(self):
        done, count = len(self.rows), max(len(self.items), 1)
        part = self.part.progress if self.part is not None else ggpfn.Progress()
        number = min(done + 1, count)
        phase = PHASES.get(part.phase, part.phase)
        phase = _("Scan {number} of {count}, {phase}").format(number=number, count=count, phase=phase)
        return ggpfn.Progress(fraction=min((done + part.fraction) / count, 1.0), phase=phase)


def is_own_file(path):
    """Whether a .seg.nrrd holds a pancreas just as the module wrote it."""
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "__earlier__")
    try:
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(path)
        segments = segmentation.GetSegmentation()
        return bool(storage.ReadData(segmentation)) and segments.GetNumberOfSegments() == 1 and is_written(segmentation)
    finally:
        _remove(segmentation)


def items_in(folder, output):
    """The images and the DICOM series of a folder, in order, each with a result file of its own in the folder `output`.

    Masks that were written before are left out. DICOM series may lie at any depth; images, in the folder itself. Raises
    InputError.
    """
    if not os.path.isdir(folder):
        raise InputError(_("Choose the folder that has the scans."))
    found = [
        (FileItem, os.path.join(folder, name), name)
        for name in sorted(os.listdir(folder))
        if name.lower().endswith(IMAGE_ENDINGS)
        and not name.lower().endswith(SEGMENTATION_ENDING)
        and not is_dicom(os.path.join(folder, name))
    ]
    for inner, folders, _files in os.walk(folder):
        folders.sort()
        if has_dicom(inner):
            name = os.path.relpath(inner, folder)
            found.append((SeriesItem, inner, os.path.basename(os.path.abspath(inner)) if name == "." else name))
    if not found:
        raise InputError(
            _("There is no image in {folder}; {endings} and DICOM series are looked for.").format(
                folder=folder, endings=", ".join(IMAGE_ENDINGS)
            )
        )
    results = result_names([name for _kind, _path, name in found])
    return [
        kind(path, name, os.path.join(output, result + "_pancreas" + SEGMENTATION_ENDING))
        for (kind, path, name), result in zip(found, results)
    ]


def result_names(names):
    """A name without its ending for each of several names of scans, no two alike on any file system: the whole name
    where two would be, with a number where that does not help."""
    stems = [_stem(name).replace(os.sep, "_") for name in names]
    often = Counter(stem.lower() for stem in stems)
    taken, results = set(), []
    for name, stem in zip(names, stems):
        first = stem if often[stem.lower()] == 1 else name.replace(os.sep, "_")
        result, number = first, 1
        while result.lower() in taken:
            number += 1
            result = f"{first}_{number}"
        taken.add(result.lower())
        results.append(result)
    return results


def browse(source, output):
    """Lets the masks of a sequence be played together with its volumes."""
    browser = None
    for node in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if node.IsSynchronizedSequenceNode(source, True):
            browser = node
    if browser is None:
        browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", source.GetName())
        browser.SetAndObserveMasterSequenceNodeID(source.GetID())
    browser.AddSynchronizedSequenceNode(output)
    return browser


def _stem(name):
    for ending in sorted(IMAGE_ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _remove(*nodes):
    """Takes nodes with their displays out of the scene."""
    for node in nodes:
        if node is None:
            continue
        for number in reversed(range(node.GetNumberOfDisplayNodes())):
            slicer.mrmlScene.RemoveNode(node.GetNthDisplayNode(number))
        slicer.mrmlScene.RemoveNode(node)
