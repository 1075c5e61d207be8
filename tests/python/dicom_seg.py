"""DICOM Segmentations and reports by highdicom, for comparison with ggpfn's.

    python dicom_seg.py check FOLDER    reads what FOLDER/written.json lists and compares
    python dicom_seg.py write FOLDER    writes segmentations of FOLDER/series, listed in FOLDER/manifest.json
    python dicom_seg.py probe           says whether highdicom is there

Raw files hold float32, [k, j, i] on the grid of the series, slices from the lowest position along their normal.
"""

import json
import pathlib
import sys

try:
    import highdicom as hd
    import pydicom
except ImportError:
    print("no highdicom")
    sys.exit(0)
import numpy as np
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RLELossless


def slices(folder):
    """The data sets of a series, in ascending position along the normal of its slices."""
    found = [pydicom.dcmread(path) for path in sorted(pathlib.Path(folder).iterdir())]
    cosines = np.array(found[0].ImageOrientationPatient, float)
    normal = np.cross(cosines[:3], cosines[3:])
    return sorted(found, key=lambda slice: float(np.dot(normal, np.array(slice.ImagePositionPatient, float))))


def raw(path, shape):
    return np.fromfile(path, np.float32).reshape(shape)


def check(folder):
    for entry in json.loads((folder / "written.json").read_text()):
        source = slices(folder / entry["series"])
        found = hd.seg.segread(folder / entry["path"])
        expected = raw(folder / entry["raw"], (-1, source[0].Rows, source[0].Columns))
        first = source[0]
        for name in ["PatientName", "PatientID", "StudyInstanceUID", "FrameOfReferenceUID", "SpecificCharacterSet"]:
            assert found.get(name) == first.get(name), (name, found.get(name), first.get(name))
        segment = found.get_segment_description(1)
        assert segment.segment_label == "Pancreas"
        assert segment.segmented_property_type == codes.SCT.Pancreas
        assert segment.segmented_property_category == codes.SCT.AnatomicalStructure
        numbers = list(range(1, found.number_of_segments + 1))
        instances = [slice.SOPInstanceUID for slice in source]
        pixels = found.get_pixels_by_source_instance(instances, segment_numbers=numbers, rescale_fractional=True)
        labels = pixels[..., 0] if entry["fractional"] else (pixels * np.array(numbers)).max(axis=-1)
        worst = np.abs(labels.astype(np.float32) - expected).max()
        assert worst <= entry["tolerance"], (entry["path"], worst)
        # The same by place alone, without the references.
        volume = found.get_volume(segment_numbers=[1], rescale_fractional=True)
        ours = volume.affine @ [0, 0, 0, 1]
        places = np.array([slice.ImagePositionPatient for slice in source], float)
        assert np.abs(places - ours[:3]).max(axis=1).min() < 1e-4, ours
        if "report" in entry:
            check_report(folder, entry, found)


def check_report(folder, entry, segmentation):
    report = hd.sr.srread(folder / entry["report"])
    assert isinstance(report, hd.sr.Comprehensive3DSR)
    assert report.StudyInstanceUID == segmentation.StudyInstanceUID
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.tracking_uid == segmentation.get_segment_description(1).tracking_uid
    assert group.finding_type == codes.SCT.Pancreas
    item = group.referenced_segment[0].ReferencedSOPSequence[0]
    assert item.ReferencedSOPInstanceUID == segmentation.SOPInstanceUID
    assert item.ReferencedSegmentNumber == 1
    (volume,) = group.get_measurements(name=codes.SCT.Volume)
    assert abs(volume.value - entry["volume_ml"]) < 1e-5, volume.value
    assert volume.unit.value == "mL"


def describe(number, label):
    algorithm = hd.AlgorithmIdentificationSequence("oracle", codes.DCM.ArtificialIntelligence, "1")
    return hd.seg.SegmentDescription(
        number, label, codes.SCT.Tissue, codes.SCT.Pancreas, "AUTOMATIC", algorithm_identification=algorithm
    )


def write(folder):
    source = slices(folder / "series")
    shape = (len(source), source[0].Rows, source[0].Columns)
    random = np.random.default_rng(20)
    manifest = []

    def add(name, pixels, expected, kind, labels=("Pancreas",), syntax=ExplicitVRLittleEndian, **more):
        found = hd.seg.Segmentation(
            source, pixels, kind, [describe(n + 1, label) for n, label in enumerate(labels)],
            hd.UID(), 7, hd.UID(), 1, "maker", "model", "1", "1", transfer_syntax_uid=syntax, **more,
        )  # fmt: skip
        found.save_as(folder / f"{name}.dcm")
        expected.astype(np.float32).tofile(folder / f"{name}.raw")
        manifest.append({"path": f"{name}.dcm", "raw": f"{name}.raw", "fractional": name.startswith("fraction")})

    mask = np.zeros(shape, np.uint8)
    mask[1:-2] = random.random((shape[0] - 3, *shape[1:])) < 0.3
    mask[2] = 0
    add("binary", mask, mask, "BINARY")
    add("binary_all", mask, mask, "BINARY", omit_empty_frames=False)
    labels = random.integers(0, 4, shape).astype(np.uint8)
    add("several", labels, labels, "BINARY", ("a", "b", "c"))
    fraction = np.where(mask, random.random(shape), 0)
    stored = np.round(fraction * 255) / 255
    more = {"fractional_type": "PROBABILITY", "max_fractional_value": 255}
    add("fraction", fraction, stored, "FRACTIONAL", **more)
    add("fraction_rle", fraction, stored, "FRACTIONAL", syntax=RLELossless, **more)
    # Whole or not at all, as some write masks.
    occupied = {"fractional_type": "OCCUPANCY", "max_fractional_value": 100}
    add("occupied", mask.astype(float), mask, "FRACTIONAL", **occupied)
    add("label_map", labels, labels, "LABELMAP", ("a", "b", "c"))
    (folder / "manifest.json").write_text(json.dumps(manifest))


if sys.argv[1] == "probe":
    print("highdicom")
else:
    {"check": check, "write": write}[sys.argv[1]](pathlib.Path(sys.argv[2]))
