"""The segmentation as a DICOM Segmentation that refers to its CT, by the program's command dicom-seg.

The CT's files are found by Slicer's DICOM database, which knows them by their UIDs.
"""

import os
import shutil
import tempfile

import ggpfn
import slicer
from ggpfn import _process
from slicer.i18n import tr as _

from .errors import InputError
from .files import whole
from .scene_input import mask_of, scan_of
from .tasks import Task
from .written import TAG, is_edited

# The attribute that Slicer's DICOM module gives to the volumes that it loads.
INSTANCES = "DICOM.instanceUIDs"


class ExportTask(Task):
    """Writes the output segmentation of a parameter node as a DICOM file."""

    def __init__(self, engines, parameters, path):
        """Looks at the scene; raises InputError if there is nothing to write or to refer to."""
        segmentation = parameters.outputSegmentation
        if segmentation is None:
            raise InputError(_("Choose the segmentation that is to be exported under Result."))
        volume = ct_of(segmentation, parameters)
        self.files = files_of(volume)
        self.scan = scan_of(volume)
        self.mask = mask_of(segmentation, volume)
        self.made_by = who_made(segmentation)
        self.path = path if path.lower().endswith(".dcm") else path + ".dcm"
        self.program = engines.program()
        self.names = volume.GetName(), segmentation.GetName()
        super().__init__(engines, _("Writing {path}").format(path=self.path), [volume, segmentation])

    def work(self):
        with tempfile.TemporaryDirectory(prefix="ggpfn-") as folder, whole(self.path) as result:
            mask, series = os.path.join(folder, "mask.nrrd"), os.path.join(folder, "series")
            write_nrrd(mask, self.mask, self.scan.matrix)
            # A folder of the database may have other series in it, and one series may lie in several folders.
            os.mkdir(series)
            for number, file in enumerate(self.files):
                bring(file, os.path.join(series, f"{number:05}.dcm"))
            arguments = ["dicom-seg", mask, series, result, "--made-by", self.made_by, "--quiet"]
            try:
                _process.run(self.program, arguments, lambda: self.monitor.cancelled)
            except ggpfn.Error as error:
                # By names that the user knows.
                for place, name in ((mask, self.names[1]), (series, self.names[0])):
                    error.message = error.message.replace(place, name)
                raise

    def finish(self, _result):
        slices = int(self.mask.any(axis=(1, 2)).sum())
        return _("{path} was written: the pancreas on {slices} of {count} slices.").format(
            path=self.path, slices=slices, count=len(self.mask)
        )

    def gone_message(self):
        return _("The volume or the segmentation was deleted while it was written.")


def ct_of(segmentation, parameters):
    """The CT on whose grid a segmentation lies: its reference, else the input volume. Raises InputError."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    volume = segmentation.GetNodeReference(role) or parameters.inputVolume
    if volume is None:
        raise InputError(_("Choose the CT of the segmentation as the input volume."))
    return volume


def files_of(volume):
    """The DICOM files that a volume node was loaded from, by Slicer's DICOM database. Raises InputError."""
    instances = (volume.GetAttribute(INSTANCES) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not instances or database is None:
        raise InputError(
            _(
                "{name} was not loaded by the module DICOM, so there is no series that a DICOM segmentation could "
                "refer to. Load the CT from Slicer's DICOM database and segment it, or save the segmentation as an "
                "image."
            ).format(name=volume.GetName())
        )
    files = [database.fileForInstance(instance) for instance in instances]
    missing = sum(not (file and os.path.isfile(file)) for file in files)
    if missing:
        raise InputError(
            _(
                "{missing} of the {count} DICOM files of {name} are no longer where Slicer's DICOM database says. "
                "Import the series again."
            ).format(missing=missing, count=len(files), name=volume.GetName())
        )
    return files


def who_made(segmentation):
    """Who drew the segment Pancreas, in the words of the program: automatic, semiautomatic or manual."""
    segment = segmentation.GetSegmentation().GetSegment("Pancreas")
    if segment is None or not segment.HasTag(TAG):
        return "manual"
    return "semiautomatic" if is_edited(segmentation) else "automatic"


def write_nrrd(path, mask, matrix):
    """Writes a mask uint8 [k, j, i] as NRRD; matrix: 4 x 4, voxel (i, j, k) to RAS."""

    def vector(numbers):
        return "(" + ",".join(repr(float(number)) for number in numbers) + ")"

    header = [
        "NRRD0004",
        "type: uint8",
        "dimension: 3",
        "space: right-anterior-superior",
        "sizes: " + " ".join(str(count) for count in mask.shape[::-1]),
        "space directions: " + " ".join(vector(matrix[:3, axis]) for axis in range(3)),
        "space origin: " + vector(matrix[:3, 3]),
        "encoding: raw",
    ]
    with open(path, "wb") as file:
        file.write("\n".join([*header, "", ""]).encode("ascii"))
        file.write(mask.tobytes())


def bring(file, place):
    """Puts a file at another place too, without a copy of it where the system allows that."""
    try:
        os.symlink(os.path.abspath(file), place)
    except (OSError, NotImplementedError):
        # Windows asks for rights.
        shutil.copyfile(file, place)
