"""DICOM series in folders, for batches: pydicom, which comes with Slicer, looks at the headers, Slicer's reader reads
the voxels.

What is no regular grid of slices is refused. The reader would make a volume of it all the same, in the wrong place.
"""

import os

import numpy as np
import slicer
from slicer.i18n import tr as _

from .errors import InputError

# In parts of the distance between slices: how far a slice may lie from its place.
JITTER = 0.1
# In degrees: how far the line of slices may lean. Over 10 cm it shifts slices by less than a millimetre.
TILT = 0.5
TAGS = [
    "SOPClassUID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "Modality",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Rows",
    "Columns",
    "PixelSpacing",
    "NumberOfFrames",
    "ImageType",
]


def has_dicom(folder):
    """Whether a folder itself has DICOM files in it, by a look at its first files."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith("."))
    return any(is_dicom(os.path.join(folder, name)) for name in names[:20])


def is_dicom(path):
    """Whether a file begins as the DICOM standard says."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_series(folder, name):
    """(volume node, warning): the CT series of a folder, not in the scene yet. Of several the one with the most slices
    is taken, and the warning says so. Raises InputError."""
    series = {}
    for path in sorted(entry.path for entry in os.scandir(folder) if entry.is_file()):
        header = _header(path)
        if header is not None and _is_slice(header):
            series.setdefault(str(header.SeriesInstanceUID), []).append((path, header))
    if not series:
        raise InputError(_("{folder} has no CT series in it that Slicer's batch can read.").format(folder=folder))
    chosen = max(series.values(), key=len)
    warning = ""
    if len(series) > 1:
        warning = _("The folder has {count} CT series; the one of the most slices was taken, {slices}: {name}.").format(
            count=len(series), slices=len(chosen), name=chosen[0][1].get("SeriesDescription") or "?"
        )
    return _read(in_order(chosen, folder), name), warning


def _header(path):
    """The header of a DICOM file without its pixels; None for another file."""
    if not is_dicom(path):
        return None
    import pydicom

    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
    except Exception:
        # pydicom raises whatever it stumbles over; a file that it cannot read is no slice.
        return None


def _is_slice(header):
    return (
        header.get("Modality") == "CT"
        and "ImagePositionPatient" in header
        and "LOCALIZER" not in (header.get("ImageType") or ())
    )


def in_order(slices, folder):
    """The paths of [(path, header)] from the first slice to the last. Raises InputError if they are no regular grid."""
    headers = [header for _path, header in slices]

    def refuse(text, **found):
        raise InputError(text.format(folder=folder, **found))

    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers):
        refuse(_("{folder} has a series of several slices in one file; load it by the module DICOM."))
    for tag in ("Rows", "Columns", "ImageOrientationPatient", "PixelSpacing"):
        values = [np.atleast_1d(np.array(header.get(tag, np.nan), float)) for header in headers]
        if not all(value.shape == values[0].shape and np.allclose(value, values[0], atol=1e-3) for value in values):
            refuse(_("The slices in {folder} differ in {tag}; one value was expected."), tag=tag)
    rows, columns = np.array(headers[0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(rows, columns)
    places = np.array([header.ImagePositionPatient for header in headers], float)
    order = np.argsort(places @ normal, kind="stable")
    places = places[order]
    paths = [slices[number][0] for number in order]
    if len(paths) < 3:
        refuse(_("{folder} has {count} slices; at least 3 were expected."), count=len(paths))
    along = places @ normal
    steps = np.diff(along)
    step = float(np.median(steps))
    # Slices that are missing or there twice would shift all that follow.
    even = along[0] + (along[-1] - along[0]) * np.linspace(0, 1, len(along))
    if step <= 0 or np.abs(steps - step).max() > 0.5 * step or np.abs(along - even).max() > JITTER * step:
        refuse(
            _(
                "The slices in {folder} do not follow each other evenly: {low:.2f} to {high:.2f} mm lie between them. "
                "Slices are missing, or there are several scans in one series."
            ),
            low=float(steps.min()),
            high=float(steps.max()),
        )
    way = places[-1] - places[0]
    tilt = np.degrees(np.arccos(np.clip(abs(way @ normal) / np.linalg.norm(way), 0, 1)))
    if tilt > TILT:
        refuse(
            _(
                "The gantry was tilted by {tilt:.1f} degrees in {folder}. Load it by the module DICOM, resample it by "
                "the module Crop Volume, and segment that volume."
            ),
            tilt=float(tilt),
        )
    return paths


def _read(paths, name):
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(name)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetSingleFile(0)
    storage.SetFileName(paths[0])
    storage.ResetFileNameList()
    for path in paths:
        storage.AddFileName(path)
    if not storage.ReadData(volume) or volume.GetImageData() is None:
        raise InputError(_("{folder} cannot be read by Slicer.").format(folder=os.path.dirname(paths[0])))
    if volume.GetImageData().GetDimensions()[2] != len(paths):
        raise InputError(
            _("Slicer read {found} of the {count} slices in {folder}; load it by the module DICOM.").format(
                found=volume.GetImageData().GetDimensions()[2], count=len(paths), folder=os.path.dirname(paths[0])
            )
        )
    return volume
