"""Measures how real painted CTs look beside real images of the pancreas, and what gives them away.

`ggpfn synth` paints CTs from label maps. A network that learns from them learns their habits too: fat all around the pancreas, organs
without texture, edges that are too sharp. This script puts numbers on those habits, so that the painter knows what to paint next.

    python realism.py quantiles DATA PAINTED [--json F]   shares of fat, of contrast medium and densities, quantile by quantile
    python realism.py texture DATA PAINTED [--json F]     noise, grain and edge width of tissues, in HU and mm
    python realism.py classify DATA PAINTED [--json F]    a classifier that tells real patches from painted ones, and by what

DATA is the folder of real data: `crops/` (8-bit crops of -150..250 HU around the pancreas, with `index.csv`), `labels/` (the label maps
of some of their patients) and `slices/nih_hu` (whole slices in HU). PAINTED is a folder that this made:

    ggpfn synth PAINTED --labels DATA/labels/organs DATA/labels/pancreas -n 24 --seed 5 --organs --spacing 2

Painted slices go through what happened to the crops: cut to the box of the pancreas without its last row and column, clipped to
-150..250 HU, rounded to 8 bits. Real crops are averaged to the painted pixel size before their texture is looked at, and neighbouring
slices of 1 mm are averaged to 2 mm, as `ggpfn` resamples a CT for a network.

Needs numpy, scipy, nibabel, Pillow; `classify` needs scikit-learn. Licences of the real data forbid copying it into the repository: the
script only prints numbers.
"""

import argparse
import csv
import json
import pathlib
import warnings
from dataclasses import dataclass, replace

import nibabel
import numpy as np
from PIL import Image
from scipy import ndimage

# Numbers of organs in a painted map: see src/synthesis/labels.rs.
SPLEEN, RIGHT_KIDNEY, LEFT_KIDNEY, GALLBLADDER, LIVER, STOMACH, AORTA, PANCREAS, OESOPHAGUS, DUODENUM = range(1, 11)
VENA_CAVA, PORTAL_VEIN, MESENTERIC_VESSELS, SMALL_BOWEL, COLON, ADRENALS = range(11, 17)
MUSCLE, FAT, SUBCUTANEOUS_FAT = 20, 21, 22
GAS, CONTENT = 24, 25

FAT_BELOW = -30.0  # HU
BRIGHT_ABOVE = 180.0  # HU
RIM = 5.0  # mm

QUANTILES = [5, 10, 25, 50, 75, 90, 95]
AIM_SHARE, AIM_HU = 0.1, 15.0

# What REAL_CT.md states ("The share of fat", "Densities in those 30 CTs") for 30 real CTs with manual labels, by quantile in per cent;
# 0 and 100 are the extremes.
REAL_CTS = {
    "fat within 5 mm": {0: 0.02, 10: 0.05, 25: 0.21, 50: 0.31, 75: 0.46, 90: 0.68, 100: 0.75},
    "above 180 HU within 5 mm": {70: 0.05},
    "pancreas, median HU": {5: 14, 50: 70, 95: 124, 100: 171},
    "pancreas, spread of own voxels": {50: 25},
    "fat inside the pancreas": {0: 0.0, 50: 0.013, 100: 0.14},
    "pancreas minus liver": {5: -45, 50: -21, 95: 17},
    "pancreas minus portal vein": {5: -112, 50: -60, 95: -29},
    "liver": {5: 42, 50: 93, 95: 139},
    "liver, spread of own voxels": {50: 16},
    "spleen": {5: 48, 50: 103, 95: 171},
    "spleen, spread of own voxels": {50: 18},
    "kidneys": {5: 40, 50: 120, 95: 207},
    "kidneys, spread of own voxels": {50: 35},
    "aorta": {5: 61, 50: 138, 95: 223, 100: 261},
    "aorta, spread of own voxels": {50: 29},
    "vena cava": {5: 49, 50: 105, 95: 153},
    "vena cava, spread of own voxels": {50: 26},
    "portal and splenic vein": {5: 53, 50: 129, 95: 230},
    "portal and splenic vein, spread of own voxels": {50: 32},
    "stomach": {5: -5, 50: 58, 95: 200},
    "stomach, spread of own voxels": {50: 68},
    "oesophagus": {5: -6, 50: 24, 95: 66},
    "oesophagus, spread of own voxels": {50: 42},
    "adrenals": {5: -2, 50: 37, 95: 94},
    "adrenals, spread of own voxels": {50: 34},
    "gallbladder": {5: 5, 50: 24, 95: 61},
    "gallbladder, spread of own voxels": {50: 20},
    "gas in the stomach": {0: 0.05, 50: 0.10, 100: 0.29},
    "above 150 HU in the stomach": {66: 0.10, 73: 0.20},
    "pancreas, mL": {0: 41, 50: 82, 100: 135},
}
# REAL_CT.md, "The same, on images that you have": each slice counts once.
REAL_CROPS = {
    ("msd", "fat outside"): {5: 0.03, 25: 0.12, 50: 0.26, 75: 0.37, 95: 0.59},
    ("nih", "fat outside"): {5: 0.04, 25: 0.22, 50: 0.30, 75: 0.42, 95: 0.54},
    ("msd", "pancreas, median HU"): {5: 35, 25: 70, 50: 90, 75: 109, 95: 140},
    ("nih", "pancreas, median HU"): {5: 48, 25: 62, 50: 90, 75: 103, 95: 112},
    ("msd", "pancreas, deviation HU"): {5: 23, 50: 42, 95: 65},
    ("nih", "pancreas, deviation HU"): {5: 22, 50: 31, 95: 47},
    ("msd", "above 180 HU outside"): {50: 0.05, 90: 0.26, 97: 0.34},
    ("nih", "above 180 HU outside"): {50: 0.05, 90: 0.15, 97: 0.26},
}
ORGANS = {
    "liver": [LIVER],
    "spleen": [SPLEEN],
    "kidneys": [RIGHT_KIDNEY, LEFT_KIDNEY],
    "aorta": [AORTA],
    "vena cava": [VENA_CAVA],
    "portal and splenic vein": [PORTAL_VEIN],
    "oesophagus": [OESOPHAGUS],
    "adrenals": [ADRENALS],
    "gallbladder": [GALLBLADDER],
}


# Reading. Every slice is brought to one orientation: rows grow to the back, columns to the patient's left.


@dataclass
class Box:
    """The box of the pancreas in an axial slice."""

    source: str  # msd, nih or painted
    patient: str  # the label map that the pancreas is from
    name: str
    slice: int
    hu: np.ndarray  # clipped and rounded as the crops are
    mask: np.ndarray  # the pancreas
    pixel: tuple  # mm along rows and columns
    thickness: float  # mm between slices
    corner: tuple  # first row and column in the whole slice

    @property
    def scan(self):
        """The patient, or the painted CT: what counts once."""
        return self.name.rsplit("_", 1)[0] if self.source == "painted" else self.patient


def as_crop(hu):
    """HU as the crops keep them: 8 bits of -150..250."""
    return np.round(np.clip((np.asarray(hu, np.float32) + 150) * 255 / 400, 0, 255)) * np.float32(400 / 255) - 150


def real_boxes(data):
    """The crops that belong to a label map, with their exact masks."""
    rows = [row for row in csv.DictReader((data / "crops" / "index.csv").open()) if row["label_map"]]
    by_map = {}
    for row in rows:
        by_map.setdefault(row["label_map"], []).append(row)
    boxes = []
    for name, rows in sorted(by_map.items()):
        path = next(data.glob(f"labels/*/{name}"))
        labels = np.asarray(nibabel.load(path).dataobj)
        for row in rows:
            k = int(row["slice"])
            mask = labels[:, :, k].T == PANCREAS
            mask = mask[::-1, ::-1] if row["source"] == "msd" else mask[::-1, :]
            y, x = np.argwhere(mask).min(axis=0)
            mask = mask[y : y + int(row["rows"]), x : x + int(row["columns"])]
            grey = np.asarray(Image.open(data / "crops" / f"{row['crop']}.png").convert("L"), np.float32)
            pixel = (float(row["spacing_y"]), float(row["spacing_x"]))
            boxes.append(
                Box(row["source"], name.split(".")[0], row["crop"], k, grey * 400 / 255 - 150, mask, pixel, float(row["spacing_z"]), (y, x))
            )
    return boxes


@dataclass
class Painted:
    """A painted CT, [z, y, x] in the LPS frame."""

    name: str
    patient: str
    hu: np.ndarray
    mask: np.ndarray
    organs: np.ndarray
    spacing: tuple


def painted_cts(folder, count=None):
    """Reads the CTs that `ggpfn synth` wrote to a folder, one after the other."""
    cases = json.loads((folder / "synth.json").read_text())["cases"][:count]
    for case in cases:
        name = case["name"]
        image = nibabel.load(folder / "images" / f"{name}.nii.gz")
        if not np.all(np.diag(image.affine)[:3] * [-1, -1, 1] > 0):
            raise SystemExit(f"{name}: not in the LPS frame")
        organs = np.asarray(nibabel.load(folder / f"{name}_organs.nii.gz").dataobj).T
        mask = np.asarray(nibabel.load(folder / "labels" / f"{name}.nii.gz").dataobj).T > 0
        hu = np.asarray(image.dataobj).T.astype(np.float32)
        spacing = tuple(float(s) for s in image.header.get_zooms()[:3][::-1])
        yield Painted(name, case["maps"][0], hu, mask, organs, spacing)


def boxes_of(ct, smallest):
    """The boxes of a painted CT, cut and rounded as the crops are; those below the size of the smallest crops are left out."""
    for k in np.nonzero(ct.mask.any(axis=(1, 2)))[0]:
        (y0, x0), (y1, x1) = np.argwhere(ct.mask[k]).min(axis=0), np.argwhere(ct.mask[k]).max(axis=0)
        if (y1 - y0) * ct.spacing[1] < smallest[0] or (x1 - x0) * ct.spacing[2] < smallest[1]:
            continue
        cut = (k, slice(y0, y1), slice(x0, x1))
        yield Box("painted", ct.patient, f"{ct.name}_{k}", int(k), as_crop(ct.hu[cut]), ct.mask[cut], ct.spacing[1:], ct.spacing[0], (y0, x0))


def smallest_size(boxes):
    """Rows and columns, in mm, that nearly all of the crops pass."""
    sizes = np.array([[box.hu.shape[0] * box.pixel[0], box.hu.shape[1] * box.pixel[1]] for box in boxes])
    return np.percentile(sizes, 1, axis=0)


def resampled(array, pixel, target):
    """A slice at another pixel size, as `src/volume/resample.rs` does it: linear, the kernel widened when pixels get larger."""
    array = np.asarray(array, np.float32)
    for axis in (0, 1):
        source = array.shape[axis]
        size = max(int(round(source * pixel[axis] / target)), 1)
        if size == source:
            continue
        ratio = source / size
        centre = (np.arange(size) + 0.5) * ratio - 0.5
        if ratio <= 1:
            centre = np.clip(centre, 0, source - 1)
        weights = np.maximum(0, 1 - np.abs(np.arange(source)[None, :] - centre[:, None]) / max(ratio, 1.0))
        weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        array = np.moveaxis(np.tensordot(weights, array, axes=(1, axis)), 0, axis)
    return array


def thickened(boxes):
    """Crops of thin slices, averaged with their neighbours (1/4, 1/2, 1/4) as resampling to 2 mm would; those without any are left out."""
    by_place = {(box.source, box.patient, box.slice): box for box in boxes}
    result = []
    for box in boxes:
        if box.thickness > 1.5:
            result.append(box)
            continue
        around = [by_place.get((box.source, box.patient, box.slice + step)) for step in (-1, 1)]
        around = [other for other in around if other]
        if not around:
            continue
        # The part that all of them show.
        group = [box] + around
        low = np.max([b.corner for b in group], axis=0)
        high = np.min([np.add(b.corner, b.hu.shape) for b in group], axis=0)
        if np.any(high - low < 8):
            continue
        cuts = [tuple(slice(a - c, b - c) for a, b, c in zip(low, high, other.corner)) for other in group]
        parts = [other.hu[cut] for other, cut in zip(group, cuts)]
        mean = 0.5 * parts[0] + 0.5 * np.mean(parts[1:], axis=0)
        result.append(replace(box, hu=mean, mask=box.mask[cuts[0]], thickness=2 * box.thickness, corner=tuple(low)))
    return result


# Quantiles.


def weighted_quantiles(values, weights, quantiles):
    """Quantiles in per cent of values that count by their weights."""
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    good = np.isfinite(values)
    values, weights = values[good], weights[good]
    if len(values) == 0:
        return [float("nan")] * len(quantiles)
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    at = np.cumsum(weights) - 0.5 * weights
    return [float(np.interp(q / 100 * weights.sum(), at, values)) for q in quantiles]


def equal_patients(patients):
    """Weights by which each patient counts once."""
    patients = np.asarray(patients)
    names, index, counts = np.unique(patients, return_inverse=True, return_counts=True)
    return 1 / counts[index]


BOX_MEASURES = ["fat outside", "above 180 HU outside", "pancreas, median HU", "pancreas, deviation HU"]


def box_measures(box):
    outside, inside = box.hu[~box.mask], box.hu[box.mask]
    if outside.size == 0 or inside.size == 0:
        return dict.fromkeys(BOX_MEASURES, np.nan)
    values = (outside < FAT_BELOW).mean(), (outside > BRIGHT_ABOVE).mean(), np.median(inside), inside.std()
    return dict(zip(BOX_MEASURES, map(float, values)))


def half_width(values):
    """Half of what the middle 68 % of the values span."""
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


def stomach_of(organs, spacing):
    """The stomach with what it holds: contents and gas belong to the nearest hollow organ."""
    stomach = organs == STOMACH
    loose = (organs == GAS) | (organs == CONTENT)
    if loose.any() and stomach.any():
        hollow = np.isin(organs, [STOMACH, DUODENUM, SMALL_BOWEL, COLON])
        nearest = ndimage.distance_transform_edt(~hollow, sampling=spacing, return_distances=False, return_indices=True)
        stomach |= loose & (organs[tuple(nearest)] == STOMACH)
    return stomach


def ct_measures(ct):
    """What REAL_CT.md measured of each real CT."""
    held = np.nonzero(ct.mask.any(axis=(1, 2)))[0]
    part = ndimage.find_objects(ct.mask.astype(np.uint8))[0]
    wider = tuple(slice(max(s.start - 6, 0), s.stop + 6) for s in part)
    wider = (slice(held[0], held[-1] + 1),) + wider[1:]
    mask, hu = ct.mask[wider], ct.hu[wider]
    distance = ndimage.distance_transform_edt(~mask, sampling=ct.spacing)
    rim = hu[(distance > 0) & (distance <= RIM)]
    inside = ct.hu[ct.mask]
    result = {
        "fat within 5 mm": float((rim < FAT_BELOW).mean()),
        "above 180 HU within 5 mm": float((rim > BRIGHT_ABOVE).mean()),
        "pancreas, median HU": float(np.median(inside)),
        "pancreas, spread of own voxels": half_width(inside),
        "fat inside the pancreas": float((inside < FAT_BELOW).mean()),
        "pancreas, mL": float(inside.size * np.prod(ct.spacing) / 1000),
    }
    for name, numbers in ORGANS.items():
        values = ct.hu[np.isin(ct.organs, numbers)]
        if values.size > 20:
            result[name] = float(np.median(values))
            result[f"{name}, spread of own voxels"] = half_width(values)
    stomach = ct.hu[stomach_of(ct.organs, ct.spacing)]
    if stomach.size > 20:
        result["stomach"] = float(np.median(stomach))
        result["stomach, spread of own voxels"] = half_width(stomach)
        result["gas in the stomach"] = float((stomach < -300).mean())
        result["above 150 HU in the stomach"] = float((stomach > 150).mean())
    for other, name in (("liver", "liver"), ("portal and splenic vein", "portal vein")):
        if other in result:
            result[f"pancreas minus {name}"] = result["pancreas, median HU"] - result[other]
    return result


def is_share(name):
    return any(word in name for word in ("fat", "above", "gas"))


def cells(name, values):
    return " | ".join("nan" if not np.isfinite(v) else f"{v:.2f}" if is_share(name) else f"{v:.0f}" for v in values)


def verdict(name, gaps, quantiles):
    """The largest gap, and whether it passes the aim."""
    worst = int(np.nanargmax(np.abs(gaps)))
    if "mL" in name:
        return ""
    aim = AIM_SHARE if is_share(name) else AIM_HU
    text = f"{gaps[worst]:+.2f}" if is_share(name) else f"{gaps[worst]:+.0f}"
    return f"{text} at {quantiles[worst]} % ({'ok' if abs(gaps[worst]) <= aim else '**too far**'})"


def quantiles(arguments):
    real = real_boxes(arguments.data)
    smallest = smallest_size(real)
    painted, per_ct = [], []
    for ct in painted_cts(arguments.painted, arguments.count):
        painted.extend(boxes_of(ct, smallest))
        per_ct.append(ct_measures(ct))
    report = {"painted CTs": len(per_ct), "boxes": {}, "cts": {}}

    print(f"## The boxes of the pancreas in axial slices\n\n{len(real)} real crops, {len(painted)} painted slices of {len(per_ct)} CTs.\n")
    print("Check of the conventions: real crops, each slice counted once, beside what REAL_CT.md states.\n")
    print("| measure | source | measured here | REAL_CT.md |\n| --- | --- | --- | --- |")
    table = {source: [box for box in real if box.source == source] for source in ("msd", "nih")}
    table["real"], table["painted"] = real, painted
    measured = {source: [box_measures(box) for box in boxes] for source, boxes in table.items()}
    for (source, name), stated in REAL_CROPS.items():
        found = np.nanpercentile([m[name] for m in measured[source]], list(stated))
        print(f"| {name} | {source} | {cells(name, found).replace(' |', '')} | {cells(name, stated.values()).replace(' |', '')} |")

    for weighting in ("patients", "slices"):
        print(f"\nEach of the {weighting} counts once" + (" (aims are judged by this table):\n" if weighting == "patients" else ":\n"))
        print(f"| measure | source | {' | '.join(f'{q} %' for q in QUANTILES)} | painted - real, largest |")
        print("| --- | --- |" + " --- |" * (len(QUANTILES) + 1))
        for name in BOX_MEASURES:
            rows = {}
            for source in ("msd", "nih", "real", "painted"):
                names = [box.scan for box in table[source]]
                weights = equal_patients(names) if weighting == "patients" else np.ones(len(names))
                rows[source] = weighted_quantiles([m[name] for m in measured[source]], weights, QUANTILES)
                gap = verdict(name, np.subtract(rows["painted"], rows["real"]), QUANTILES) if source == "painted" else ""
                print(f"| {name} | {source} | {cells(name, rows[source])} | {gap} |")
            report["boxes"][f"{name}, {weighting}"] = rows

    print("\n## Whole CTs, beside the 30 real ones of REAL_CT.md\n")
    print("| measure | | quantiles | | | | | | | painted - real, largest |\n| --- | --- |" + " --- |" * 8)
    for name, stated in REAL_CTS.items():
        values = [m[name] for m in per_ct if name in m]
        if not values:
            continue
        wanted = sorted(stated)
        found = list(np.percentile(values, wanted))
        pad = " |" * (7 - len(wanted))
        print(f"| {name} | at | {' | '.join(f'{q} %' for q in wanted)} |{pad} |")
        print(f"| | real | {cells(name, [stated[q] for q in wanted])} |{pad} |")
        gaps = np.subtract(found, [stated[q] for q in wanted])
        print(f"| | painted | {cells(name, found)} |{pad} {verdict(name, gaps, wanted)} |")
        report["cts"][name] = {"quantiles": wanted, "real": [stated[q] for q in wanted], "painted": found, "values": values}
    print(
        "\nLimits: painted pixels are as large as the painted CT's spacing, the crops' are 0.6 to 1 mm, so that thin strands of fat and"
        "\nnoise count more in the crops. Crops are clipped to -150..250 HU (painted boxes too; whole CTs are not). 'from .. to' in"
        "\nREAL_CT.md is taken for 5 and 95 %, or for the extremes where it says so."
    )
    return report


# Texture.


def band(values, low, high):
    return (values >= low) & (values <= high)


# HU of what surely is fat and what surely is soft tissue.
FAT_BAND, SOFT_BAND = (-140.0, -60.0), (20.0, 170.0)


def texture_of(hu, core, pixel, high_pass=6.0):
    """Deviation and correlation of the voxels of a core about their local mean (within `high_pass` mm): HU, [correlation at lags of 1 to
    4 voxels], mm at which correlation passes one half; None if the core is small."""
    if core.sum() < 40:
        return None
    sigma = [high_pass / p for p in pixel]
    weight = ndimage.gaussian_filter(core.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(core, hu, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-6)
    rest = np.where(core, hu - mean, 0)
    variance = float((rest[core] ** 2).mean())
    correlations = []
    for lag in range(1, 5):
        products, count = 0.0, 0
        for axis in (0, 1):
            a, b = [slice(None)] * 2, [slice(None)] * 2
            a[axis], b[axis] = slice(lag, None), slice(None, -lag)
            a, b = tuple(a), tuple(b)
            both = core[a] & core[b]
            products += float((rest[a] * rest[b])[both].sum())
            count += int(both.sum())
        correlations.append(products / count / max(variance, 1e-6) if count > 20 else np.nan)
    curve = [1.0] + correlations
    half = np.nan
    for lag in range(4):
        if curve[lag] >= 0.5 > curve[lag + 1]:
            half = (lag + (curve[lag] - 0.5) / (curve[lag] - curve[lag + 1])) * float(np.mean(pixel))
            break
    return float(np.sqrt(variance)), correlations, half


def edge_widths(hu, pixel, low=-60.0, high=20.0, reach=5.0):
    """Widths in mm of the borders between fat and tissue: contrast within `reach` mm over the steepest slope there."""
    size = [2 * int(round(reach / p)) + 1 for p in pixel]
    # Means of the two sides, not their extremes, or noise would make edges wide.
    smooth = ndimage.gaussian_filter(hu, [1.0 / p for p in pixel])
    top, bottom = ndimage.maximum_filter(smooth, size), ndimage.minimum_filter(smooth, size)
    gy, gx = np.gradient(hu, *pixel)
    slope = np.hypot(gy, gx)
    crest = (slope == ndimage.maximum_filter(slope, [max(int(round(2 / p)) | 1, 3) for p in pixel])) & (bottom < low) & (top > high)
    crest &= (slope > 8) & band(hu, -90, 60)
    return ((top - bottom) / np.maximum(slope, 1e-3))[crest]


def inner(mask, pixel, mm):
    """What lies deeper than `mm` inside a mask."""
    return ndimage.distance_transform_edt(np.pad(mask, 1), sampling=pixel)[1:-1, 1:-1] > mm


def even_core(hu, pixel, low, high, smooth=2.0, depth=2.0):
    """Where the tissue, smoothed by `smooth` mm, is within low..high HU and has been so for `depth` mm around."""
    smoothed = ndimage.gaussian_filter(hu, [smooth / p for p in pixel])
    return inner(band(smoothed, low, high), pixel, depth)


def at_pixel(box, pixel):
    """HU and mask of a box at a pixel size in mm; untouched if it is there already."""
    if all(abs(p - pixel) < 0.02 for p in box.pixel):
        return box.hu, box.mask
    return resampled(box.hu, box.pixel, pixel), resampled(box.mask, box.pixel, pixel) > 0.5


def texture_table(boxes, pixel):
    """Texture of the tissues around the pancreas, each patient counted once."""
    collected = {}

    def put(name, patient, value):
        if value is not None and np.isfinite(value):
            collected.setdefault(name, {}).setdefault(patient, []).append(float(value))

    for box in boxes:
        hu, mask = at_pixel(box, pixel) if pixel else (box.hu, box.mask)
        size = (pixel, pixel) if pixel else box.pixel
        patient = box.scan
        cores = {
            "pancreas": inner(mask, size, 2.5) & (ndimage.gaussian_filter(hu, [2.0 / p for p in size]) > 0),
            "fat": even_core(hu, size, -125, -75) & ~mask,
            "other soft tissue": even_core(hu, size, 20, 150) & ~mask,
        }
        for tissue, core in cores.items():
            found = texture_of(hu, core, size)
            if found is None:
                continue
            deviation, correlations, half = found
            put(f"{tissue}: deviation, HU", patient, deviation)
            put(f"{tissue}: median, HU", patient, np.median(hu[core]))
            put(f"{tissue}: half correlation at, mm", patient, half)
            put(f"{tissue}: correlation at 1 pixel", patient, correlations[0])
            put(f"{tissue}: correlation at 2 pixels", patient, correlations[1])
        widths = edge_widths(hu, size)
        if widths.size >= 5:
            put("border of fat and tissue: width, mm", patient, np.median(widths))
        put("between fat and tissue (-70 to 10 HU), share of box", patient, band(hu, -70, 10).mean())
        put("soft and dark (10 to 50 HU), share of box", patient, band(hu, 10, 50).mean())
        put("soft and bright (130 to 180 HU), share of box", patient, band(hu, 130, 180).mean())
        # From the border, not from the middle of the voxel beyond it.
        outward, inward = (ndimage.distance_transform_edt(part, sampling=size) for part in (~mask, mask))
        distance = np.where(mask, 0.5 * size[0] - inward, outward - 0.5 * size[0])
        for low, high in ((-4, -2), (-2, 0), (0, 2), (2, 4), (4, 6)):
            ring = hu[(distance > low) & (distance <= high)]
            if ring.size > 10:
                put(f"mean HU {low} to {high} mm outside of the mask", patient, ring.mean())
                put(f"deviation of HU {low} to {high} mm outside of the mask", patient, ring.std())
    return {name: [float(np.mean(values)) for values in patients.values()] for name, patients in collected.items()}


def whole_slices(data, thick):
    """The slices in HU: three patients, five neighbours each. The first patient's pixels are known from its label map, the others' are
    taken for 0.8 mm. `thick`: averaged with their neighbours, as `thickened` does it."""
    folder = data / "slices" / "nih_hu"
    hu = [np.asarray(Image.open(folder / f"image_{index:03d}.png")).astype(np.float32)[::-1] - 1024 for index in range(15)]
    for index in range(15):
        if index % 5 in (0, 4):
            continue
        pixel = 0.859 if index < 5 else 0.8
        image = 0.25 * hu[index - 1] + 0.5 * hu[index] + 0.25 * hu[index + 1] if thick else hu[index]
        yield f"nih_hu {index // 5}", image, (pixel, pixel)


def whole_texture(slices, pixel):
    """Texture of large even regions in whole slices: what is fat, and what is soft."""
    collected = {}
    for patient, hu, size in slices:
        if pixel:
            hu, size = resampled(hu, size, pixel) if abs(size[0] - pixel) > 0.02 else hu, (pixel, pixel)
        steep = ndimage.gaussian_gradient_magnitude(hu, 3.0 / size[0]) / size[0]
        cores = {
            "large fat": even_core(hu, size, -125, -80, 3.0, 3.0),
            "muscle-like (40 to 75 HU)": even_core(hu, size, 40, 75, 3.0, 2.0) & (steep < 2),
            "organ-like (80 to 160 HU)": even_core(hu, size, 80, 160, 3.0, 4.0) & (steep < 2),
        }
        for tissue, core in cores.items():
            found = texture_of(hu, core, size)
            if found is None:
                continue
            for name, value in (("deviation, HU", found[0]), ("half correlation at, mm", found[2]), ("correlation at 1 pixel", found[1][0])):
                collected.setdefault(f"{tissue}: {name}", {}).setdefault(patient, []).append(value)
    return {name: [float(np.nanmean(values)) for values in patients.values()] for name, patients in collected.items()}


# Organs in TotalSegmentator's maps, by the numbers of painted ones.
MACHINE = {1: SPLEEN, 2: RIGHT_KIDNEY, 3: LEFT_KIDNEY, 5: LIVER, 52: AORTA, 86: MUSCLE, 87: MUSCLE, 88: MUSCLE, 89: MUSCLE}
LABELLED = {"liver": [LIVER], "spleen": [SPLEEN], "kidneys": [RIGHT_KIDNEY, LEFT_KIDNEY], "aorta": [AORTA], "muscle": [MUSCLE]}


def labelled_abdomen(data):
    """Slices of the one contrast-enhanced CT that has organs labelled, by a machine: name, HU, organs, pixel. None without pydicom."""
    try:
        import pydicom
    except ImportError:
        return
    files = [pydicom.dcmread(path) for path in (data / "dicom" / "contrast_abdomen").iterdir()]
    files.sort(key=lambda file: float(file.ImagePositionPatient[2]))
    labels = np.asarray(nibabel.load(data / "dicom" / "contrast_abdomen_totalsegmentator.nii.gz").dataobj)
    organs = np.zeros(labels.shape, np.uint8)
    for theirs, ours in MACHINE.items():
        organs[labels == theirs] = ours
    for k, file in enumerate(files):
        hu = file.pixel_array.astype(np.float32) * float(file.RescaleSlope) + float(file.RescaleIntercept)
        # The map's second axis grows to the front, the rows of the slice to the back.
        yield "contrast_abdomen", hu, organs[:, ::-1, k].T, tuple(map(float, file.PixelSpacing))


def organ_texture(slices, pixel):
    """Texture 3 mm inside of labelled organs."""
    collected = {}
    for patient, hu, organs, size in slices:
        for name, numbers in LABELLED.items():
            core = inner(np.isin(organs, numbers), size, 3.0)
            image, at = hu, size
            if pixel and abs(size[0] - pixel) > 0.02:
                image, core, at = resampled(hu, size, pixel), resampled(core, size, pixel) > 0.9, (pixel, pixel)
            found = texture_of(image, core, at) if core.sum() >= 40 else None
            if found:
                for measure, value in zip(("median, HU", "deviation, HU", "half correlation at, mm"), (np.median(image[core]), found[0], found[2])):
                    collected.setdefault(f"{name}: {measure}", {}).setdefault(patient, []).append(float(value))
    return {name: [float(np.nanmean(values)) for values in patients.values()] for name, patients in collected.items()}


def texture(arguments):
    real = real_boxes(arguments.data)
    smallest = smallest_size(real)
    painted, slices, labelled = [], [], []
    pixel = arguments.pixel
    for ct in painted_cts(arguments.painted, arguments.count):
        pixel = pixel or ct.spacing[1]
        painted.extend(boxes_of(ct, smallest))
        held = np.nonzero(ct.mask.any(axis=(1, 2)))[0]
        for k in held[np.linspace(0, len(held) - 1, 5).astype(int)]:
            slices.append((ct.name, ct.hu[k], ct.spacing[1:]))
            labelled.append((ct.name, ct.hu[k], ct.organs[k], ct.spacing[1:]))
    thick = thickened(real)
    columns = {
        f"MSD at {pixel:g} mm": texture_table([b for b in thick if b.source == "msd"], pixel),
        f"NIH at {pixel:g} mm": texture_table([b for b in thick if b.source == "nih"], pixel),
        "painted": texture_table(painted, pixel),
        "MSD, own pixels": texture_table([b for b in real if b.source == "msd"], None),
        "NIH, own pixels": texture_table([b for b in real if b.source == "nih"], None),
    }
    print("## Texture around the pancreas\n\nOver patients, each counted once: 10, 50 and 90 %.\n")
    show_columns(columns)
    whole = {
        f"nih_hu at {pixel:g} mm": whole_texture(whole_slices(arguments.data, True), pixel),
        "painted": whole_texture(slices, pixel),
        "nih_hu, own pixels": whole_texture(whole_slices(arguments.data, False), None),
    }
    print("\n## Large even regions in whole slices (three real patients)\n")
    show_columns(whole)
    organs = {
        f"contrast_abdomen at {pixel:g} mm": organ_texture(labelled_abdomen(arguments.data), pixel),
        "painted": organ_texture(labelled, pixel),
        "contrast_abdomen, own pixels": organ_texture(labelled_abdomen(arguments.data), None),
    }
    print("\n## Inside of organs (one real CT, labelled by a machine; left out without pydicom)\n")
    show_columns(organs)
    return {"boxes": columns, "slices": whole, "organs": organs}


def show_columns(columns):
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    print(f"| | {' | '.join(columns)} |\n| --- |" + " --- |" * len(columns))
    for name in names:
        row = []
        for column in columns.values():
            values = column.get(name)
            digits = 2 if "correlation" in name or "share" in name or "mm" == name[-2:] and "width" in name else 0
            row.append(" ".join(f"{v:.{digits}f}" for v in np.nanpercentile(values, [10, 50, 90])) if values else "")
        print(f"| {name} | {' | '.join(row)} |")


# The classifier.

WINDOW = (-100.0, 240.0)
HISTOGRAM = [-100, -90, -60, -20, 10, 40, 60, 80, 100, 120, 150, 180, 240]


def patches(box, pixel, side, count, random):
    """Square patches of `side` mm in a box, where at least a twentieth is pancreas: windowed and rounded alike."""
    hu, mask = at_pixel(box, pixel)
    n = int(round(side / pixel))
    room = [hu.shape[a] - n for a in (0, 1)]
    if min(room) < 0:
        return
    for _ in range(count):
        y, x = (int(random.integers(0, r + 1)) for r in room)
        cut = (slice(y, y + n), slice(x, x + n))
        if 0.05 < mask[cut].mean() < 0.95:
            patch = np.clip(hu[cut], *WINDOW)
            grey = np.round((patch - WINDOW[0]) * 255 / (WINDOW[1] - WINDOW[0]))
            yield (grey * (WINDOW[1] - WINDOW[0]) / 255 + WINDOW[0]).astype(np.float32)


def describe(patch, pixel):
    """Features of a patch by name; a name begins with its group."""
    features = {}
    for low, high in zip(HISTOGRAM, HISTOGRAM[1:]):
        features[f"shares: voxels of {low} to {high} HU"] = float(((patch >= low) & (patch < high)).mean())
    features["shares: voxels above 240 HU"] = float((patch >= 239).mean())
    soft = patch[band(patch, 0, 180)]
    features["shares: mean HU of soft tissue"] = float(soft.mean()) if soft.size > 10 else np.nan
    features["spread: deviation HU of soft tissue"] = float(soft.std()) if soft.size > 10 else np.nan
    fat = patch[patch < -50]
    features["spread: mean HU of fat (windowed)"] = float(fat.mean()) if fat.size > 10 else np.nan
    features["spread: deviation HU of fat (windowed)"] = float(fat.std()) if fat.size > 10 else np.nan
    histogram = np.histogram(patch, bins=34, range=WINDOW)[0] / patch.size
    features["spread: entropy of the histogram"] = float(-(histogram[histogram > 0] * np.log(histogram[histogram > 0])).sum())

    for sigma in (0.7, 1.5, 3.0):
        slope = ndimage.gaussian_gradient_magnitude(patch, sigma) / pixel
        for q in (25, 50, 75, 95):
            features[f"edges: {q} % of slopes at {sigma * pixel:.1f} mm, HU per mm"] = float(np.percentile(slope, q))
    gy, gx = np.gradient(patch, pixel)
    slope = np.hypot(gy, gx)
    features["edges: share of slopes above 30 HU per mm"] = float((slope > 30).mean())
    features["edges: slopes along rows over slopes along columns"] = float(np.abs(gx).mean() / max(np.abs(gy).mean(), 1e-3))
    widths = edge_widths(patch, (pixel, pixel))
    features["edges: width of borders of fat and tissue, mm"] = float(np.median(widths)) if widths.size >= 3 else np.nan
    features["edges: share of crests between fat and tissue"] = float(widths.size / patch.size)

    mean = ndimage.uniform_filter(patch, 3)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(patch**2, 3) - mean**2, 0))
    low, high = ndimage.minimum_filter(patch, 3), ndimage.maximum_filter(patch, 3)
    places = {"soft": (low > 0) & (high < 200), "fat": (high < -30), "all": np.ones_like(patch, bool)}
    for name, where in places.items():
        for q in (10, 50, 90):
            value = np.percentile(deviation[where], q) if where.sum() >= 8 else np.nan
            features[f"texture in {name}: {q} % of local deviations (3 x 3), HU"] = float(value)
    features["shape: share of 3 x 3 soft tissue"] = float(places["soft"].mean())
    rough = patch - ndimage.gaussian_filter(patch, 1.5)
    for lag in (1, 2, 3):
        for name, where in (("soft", places["soft"]), ("all", places["all"])):
            both = [where[lag:] & where[:-lag], where[:, lag:] & where[:, :-lag]]
            products = np.concatenate([(rough[lag:] * rough[:-lag])[both[0]], (rough[:, lag:] * rough[:, :-lag])[both[1]]])
            power = (rough[where] ** 2).mean() if where.sum() >= 8 else 0
            features[f"texture in {name}: correlation of roughness at {lag} pixels"] = (
                float(products.mean() / power) if products.size >= 8 and power > 0 else np.nan
            )
    laplacian = ndimage.laplace(patch)
    spread = laplacian.std()
    features["texture in all: deviation of the Laplacian, HU"] = float(spread)
    features["texture in all: kurtosis of the Laplacian"] = float(((laplacian - laplacian.mean()) ** 4).mean() / max(spread, 1e-3) ** 4)

    area = patch.size * pixel**2 / 100
    smooth = ndimage.gaussian_filter(patch, 0.7)
    for name, where in (("fat", smooth < FAT_BELOW), ("soft", smooth > 0), ("bright", smooth > 140)):
        parts, count = ndimage.label(where)
        sizes = np.bincount(parts.ravel())[1:] if count else np.array([0])
        features[f"shape: pieces of {name} per cm2"] = float((sizes >= 3).sum() / area)
        features[f"shape: largest piece of {name}, share"] = float(sizes.max() / patch.size)
        border = (where[1:] != where[:-1]).sum() + (where[:, 1:] != where[:, :-1]).sum()
        features[f"shape: outline of {name}, mm per cm2"] = float(border * pixel / area)
    thin = ndimage.distance_transform_edt(smooth > 0) * pixel
    features["shape: greatest depth of soft tissue, mm"] = float(thin.max())
    fat_depth = ndimage.distance_transform_edt(smooth < FAT_BELOW) * pixel
    features["shape: greatest depth of fat, mm"] = float(fat_depth.max())
    features["shape: share of fat within 2 mm of soft tissue"] = (
        float((fat_depth[smooth < FAT_BELOW] <= 2).mean()) if (smooth < FAT_BELOW).sum() > 5 else np.nan
    )
    return features


def auc(negative, positive, negative_weights, positive_weights):
    """How often a value of `positive` is above one of `negative`."""
    values = np.concatenate([negative, positive])
    weights = np.concatenate([negative_weights, np.zeros(len(positive))])
    other = np.concatenate([np.zeros(len(negative)), positive_weights])
    good = np.isfinite(values)
    values, weights, other = values[good], weights[good], other[good]
    if weights.sum() == 0 or other.sum() == 0:
        return 0.5
    levels, index = np.unique(values, return_inverse=True)
    below, at = np.bincount(index, weights, len(levels)), np.bincount(index, other, len(levels))
    return float((at * (np.cumsum(below) - 0.5 * below)).sum() / below.sum() / at.sum())


def in_words(name, real, painted):
    short = name.split(": ", 1)[1]
    if ("share" in name and "mean HU" not in name) or "per cm2" in name:
        if real <= 1e-4 or painted <= 1e-4:
            return f"{short}: painted {painted:.3f}, real {real:.3f}"
        ratio = painted / real
        return f"{short}: painted has {ratio:.1f} times" + f" ({painted:.3f} against {real:.3f})"
    word = "higher" if painted > real else "lower"
    return f"{short}: painted {word}, {painted:.2f} against {real:.2f}"


def evaluate(features, truth, groups, weights, splits, seed):
    """Balanced accuracy on held-out patients over several splits, and the held-out scores."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import GroupShuffleSplit
    from threadpoolctl import threadpool_limits

    # More threads than free cores make boosting wait for itself.
    accuracies, scores, counts = [], np.zeros(len(truth)), np.zeros(len(truth))
    for train, test in GroupShuffleSplit(splits, test_size=0.3, random_state=seed).split(features, truth, groups):
        if min(len(np.unique(truth[train])), len(np.unique(truth[test]))) < 2:
            continue
        model = HistGradientBoostingClassifier(max_iter=80, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=15, l2_regularization=1.0)
        with threadpool_limits(1):
            model.fit(features[train], truth[train], sample_weight=weights[train])
            probability = model.predict_proba(features[test])[:, 1]
        right = (probability > 0.5) == truth[test]
        accuracies.append(np.mean([np.average(right[truth[test] == c], weights=weights[test][truth[test] == c]) for c in (0, 1)]))
        scores[test] += probability
        counts[test] += 1
    scores = np.where(counts > 0, scores / np.maximum(counts, 1), np.nan)
    return float(np.mean(accuracies)), float(np.std(accuracies)), scores


def class_weights(truth, patients):
    """Both classes weigh the same, and the patients within each."""
    weights = np.zeros(len(truth))
    for c in (0, 1):
        own = equal_patients(patients[truth == c])
        weights[truth == c] = own / own.sum() * len(truth) / 2
    return weights


def classify(arguments):
    random = np.random.default_rng(arguments.seed)
    real = real_boxes(arguments.data)
    smallest = smallest_size(real)
    painted, pixel = [], arguments.pixel
    for ct in painted_cts(arguments.painted, arguments.count):
        pixel = pixel or ct.spacing[1]
        painted.extend(boxes_of(ct, smallest))
    boxes = thickened(real) + painted
    by_scan = {}
    for box in boxes:
        for patch in patches(box, pixel, arguments.side, arguments.patches, random):
            if arguments.fat[0] <= (patch < FAT_BELOW).mean() <= arguments.fat[1]:
                by_scan.setdefault(box.scan, []).append((box, patch))
    # Neighbouring slices are alike: so many patches of a scan say all.
    chosen = [found[i] for found in by_scan.values() for i in random.permutation(len(found))[: arguments.most]]
    rows = [describe(patch, pixel) for _, patch in chosen]
    truth = [box.source == "painted" for box, _ in chosen]
    groups = [box.patient for box, _ in chosen]
    patients = [box.scan for box, _ in chosen]
    sources = [box.source for box, _ in chosen]
    names = list(rows[0])
    features = np.array([[row[name] for name in names] for row in rows], np.float32)
    truth, groups, patients, sources = np.array(truth, int), np.array(groups), np.array(patients), np.array(sources)
    weights = class_weights(truth, patients)
    number = lambda c: f"{(truth == c).sum()} patches of {len(set(patients[truth == c]))} patients"
    print(f"## Real or painted\n\nPatches of {arguments.side:g} x {arguments.side:g} mm at {pixel:g} mm, {WINDOW[0]:g} to {WINDOW[1]:g} HU: ", end="")
    print(f"real {number(0)}, painted {number(1)}. Splits by label map, classes and patients weighted equally.\n")
    print("| features | balanced accuracy on held-out patients |\n| --- | --- |")
    report = {"accuracy": {}, "features": []}
    kinds = ["all"] + list(dict.fromkeys(name.split(":")[0] for name in names))
    for kind in kinds:
        columns = [i for i, name in enumerate(names) if kind == "all" or name.startswith(kind + ":")]
        mean, deviation, found = evaluate(features[:, columns], truth, groups, weights, arguments.splits, arguments.seed)
        if kind == "all":
            scores = found
        print(f"| {kind} | {mean:.3f} +- {deviation:.3f} |", flush=True)
        report["accuracy"][kind] = [mean, deviation]
    other = sources != "painted"
    if len(set(sources[other])) == 2:
        of_nih = (sources[other] == "nih").astype(int)
        mean, deviation, _ = evaluate(
            features[other], of_nih, groups[other], class_weights(of_nih, patients[other]), arguments.splits, arguments.seed
        )
        print(f"| for comparison: MSD or NIH, all features | {mean:.3f} +- {deviation:.3f} |")
        report["accuracy"]["msd or nih"] = [mean, deviation]

    print("\nShares of voxels by density, mean over patients:\n")
    ranges = [i for i, name in enumerate(names) if name.startswith("shares: voxels")]
    print("| HU | " + " | ".join(names[i].split("voxels ", 1)[1].replace("of ", "").replace(" HU", "") for i in ranges) + " |")
    print("| --- |" + " --- |" * len(ranges))
    for c, source in ((0, "real"), (1, "painted")):
        print(f"| {source} | " + " | ".join(f"{np.average(features[truth == c, i], weights=weights[truth == c]):.3f}" for i in ranges) + " |")
    print("\nWhat tells them apart, one feature at a time (AUC: 0.5 says nothing, 1 all):\n")
    print("| AUC | feature | in words, means over patients | real MSD | real NIH | painted |\n| --- | --- | --- | --- | --- | --- |")
    single = []
    for i, name in enumerate(names):
        value = auc(features[truth == 0, i], features[truth == 1, i], weights[truth == 0], weights[truth == 1])

        def mean_of(where):
            good = where & np.isfinite(features[:, i])
            return float(np.average(features[good, i], weights=weights[good])) if good.any() else float("nan")

        means = [mean_of(truth == 0), mean_of(sources == "msd"), mean_of(sources == "nih"), mean_of(truth == 1)]
        single.append((max(value, 1 - value), name, means))
        report["features"].append({"name": name, "auc": value, "real": means[0], "msd": means[1], "nih": means[2], "painted": means[3]})
    for value, name, means in sorted(single, reverse=True)[: arguments.top]:
        print(f"| {value:.2f} | {name.split(':')[0]} | {in_words(name, means[0], means[3])} | {means[1]:.3g} | {means[2]:.3g} | {means[3]:.3g} |")
    print("\nPainted CTs that pass best and worst for real (mean probability of being painted): ", end="")
    by_ct = {p: float(np.nanmean(scores[(patients == p) & (truth == 1)])) for p in set(patients[truth == 1])}
    ordered = sorted((p for p in by_ct if np.isfinite(by_ct[p])), key=by_ct.get)
    print(", ".join(f"{p} {by_ct[p]:.2f}" for p in ordered[:3] + ordered[-3:]))
    by_real = {p: float(np.nanmean(scores[(patients == p) & (truth == 0)])) for p in set(patients[truth == 0])}
    ordered = sorted((p for p in by_real if np.isfinite(by_real[p])), key=by_real.get)
    print("Real patients taken for painted most: " + ", ".join(f"{p} {by_real[p]:.2f}" for p in ordered[-3:]))
    report["painted CTs"] = by_ct
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function, text in (
        ("quantiles", quantiles, "shares and densities, quantile by quantile"),
        ("texture", texture, "noise, grain and edge width of tissues"),
        ("classify", classify, "a classifier of real and painted patches"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("data", type=pathlib.Path, help="the folder of real data")
        command.add_argument("painted", type=pathlib.Path, help="a folder that `ggpfn synth --organs` wrote")
        command.add_argument("--json", type=pathlib.Path, metavar="F", help="write the numbers to a JSON file too")
        command.add_argument("--count", type=int, metavar="N", help="take the first N painted CTs alone")
        command.set_defaults(function=function)
        if name != "quantiles":
            command.add_argument("--pixel", type=float, metavar="MM", help="pixel size to compare at; the painted one by default")
        if name == "classify":
            command.add_argument("--side", type=float, default=40, metavar="MM", help="side of a patch (default 40)")
            command.add_argument("--patches", type=int, default=4, metavar="N", help="patches to try in a slice (default 4)")
            command.add_argument("--most", type=int, default=30, metavar="N", help="patches of one scan at most (default 30)")
            command.add_argument("--fat", type=float, nargs=2, default=(0, 1), metavar=("LOW", "HIGH"), help="patches with such a share of fat alone")
            command.add_argument("--splits", type=int, default=6, metavar="N", help="splits of the patients (default 6)")
            command.add_argument("--top", type=int, default=25, metavar="N", help="features to show (default 25)")
            command.add_argument("--seed", type=int, default=0, metavar="N", help="what patches and splits are drawn from (default 0)")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        report = arguments.function(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
