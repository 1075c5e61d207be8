"""Turn the real images in the shared data folder into training data and into measurements.

Whole CTs with a manual pancreas label are not at hand. Two kinds of real images are:

- axial slices of NIH Pancreas-CT, 8 bits, with the pancreas drawn by hand (`slices/nih`);
- crops around the pancreas in HU, some of which belong to a label map (`crops`).

Every subcommand takes DATA, the folder that holds `slices`, `crops` and `labels`:

    real_images.py split DATA models/maps.txt models/real_images.txt
        Assign patients to parts. All other subcommands read the result (option --split).
    real_images.py calibrate DATA
        Report how grey values of the slices relate to HU, and how well values below the window are restored.
    real_images.py slices DATA OUT --part train --variants 2
        Write slices as small volumes, in the layout `pairs`.
    real_images.py paint DATA GGPFN PAINTED --part train
        Paint undeformed CTs from the label maps that have crops.
    real_images.py crops DATA PAINTED OUT --part train
        Paste crops into painted CTs, those of `paint` or of any `ggpfn synth PAINTED --labels MAP... --deformation 0`.
    real_images.py score-slices DATA GGPFN MODEL --part validation
        Dice of the axial view on single real slices.
    real_images.py score-crops DATA CROPS GGPFN MODEL
        Dice within the pasted crops that `crops` wrote to the folder CROPS, each view alone and fused.
    real_images.py score-opinion CT OPINION GGPFN MODEL
        Dice and volumes of a CT against TotalSegmentator's pancreas.

Needs numpy, scipy, nibabel and pillow.
"""

import argparse
import csv
import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

# The network's window in HU, and what it is trained on: nothing outside is visible to it.
WINDOW = (-100.0, 240.0)
AIR = -1000.0
PANCREAS = 8
SPLIT = Path(__file__).resolve().parent.parent / "models" / "real_images.txt"


# ---------------------------------------------------------------- patients


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def nih(number):
    return f"nih{int(number):04d}"


def slice_table(data):
    """The NIH slices, each with `who`, its patient as the split names it."""
    rows = read_csv(data / "slices" / "nih" / "index.csv")
    return [dict(row, who=nih(row["patient"])) for row in rows]


def crop_table(data):
    """The crops, each with `who`, its patient as the split names it."""
    rows = read_csv(data / "crops" / "index.csv")
    return [dict(row, who=f"{row['source']}{int(row['patient']):0{4 if row['source'] == 'nih' else 3}d}") for row in rows]


def read_split(path):
    """Patient -> part."""
    pairs = (line.split() for line in Path(path).read_text().splitlines() if line and not line.startswith("#"))
    return {who: part for part, who in pairs}


# Of the NIH patients without a label map this share goes to validation. With those of the label maps, that makes a third of all.
VALIDATION_SHARE = 0.4


def split(arguments):
    """Assign each patient to the part of its label map; those without a map by a hash of their name."""
    maps = {}
    for line in arguments.maps.read_text().splitlines():
        part, path = line.split()
        maps[Path(path).name] = part
    parts, without_map = {}, set()
    for row in slice_table(arguments.data) + crop_table(arguments.data):
        if not row["label_map"]:
            without_map.add(row["who"])
        elif row["label_map"] in maps:
            parts[row["who"]] = maps[row["label_map"]]
        else:
            parts[row["who"]] = None  # a map that no part names, such as msdpanc_415
    of_slices = {row["who"] for row in slice_table(arguments.data)}
    for who in of_slices & without_map - parts.keys():
        share = int(hashlib.sha256(who.encode()).hexdigest()[:8], 16) / 2**32
        parts[who] = "validation" if share < VALIDATION_SHARE else "train"
    order = ["train", "validation", "held-out"]
    lines = sorted((order.index(part), who) for who, part in parts.items() if part)
    arguments.out.write_text("".join(f"{order[part]} {who}\n" for part, who in lines))
    for part in order:
        chosen = {who for who, its in parts.items() if its == part}
        print(f"{part}: {len(chosen)} patients, {len(chosen & of_slices)} of them with slices")


# ---------------------------------------------------------------- grey values


def read_grey(path):
    return np.asarray(Image.open(path).convert("L"))


def read_slice(data, name):
    """Grey values and drawn mask of an NIH slice, [y, x] with the spine at the top."""
    folder = data / "slices" / "nih"
    return read_grey(folder / "images" / f"{name}.jpg"), read_grey(folder / "masks" / f"{name}.png") > 127


def read_crop(data, row):
    """A crop in HU on the axes of its label map, [i, j], clipped to -150..250."""
    image = read_grey(data / "crops" / f"{row['crop']}.png") * (400.0 / 255.0) - 150.0
    turned = image[::-1, ::-1] if row["source"] == "msd" else image[::-1]
    return turned.T


def body(grey):
    """Where the patient is in a slice of grey values, without the couch: the convex hull of trunk and skin, widened by a margin for what it misses."""
    tissue = ndimage.gaussian_filter(grey.astype(np.float32), 1.0) > 6
    parts, count = ndimage.label(tissue)
    sizes = ndimage.sum_labels(tissue, parts, range(1, count + 1))
    closed, _ = ndimage.label(ndimage.binary_opening(ndimage.gaussian_filter(grey.astype(np.float32), 2.0) > 25, iterations=4))
    trunk = closed == 1 + np.argmax(ndimage.sum_labels(closed > 0, closed, range(1, closed.max() + 1)))
    top = np.nonzero(trunk.any(1))[0][0]
    # The couch lies behind the back; whatever reaches that far is not skin.
    BEHIND = 30
    boxes = ndimage.find_objects(parts)
    skin = [n for n, box in enumerate(boxes) if sizes[n] >= 15 and box[0].start > top - BEHIND]
    return convex_hull(trunk | np.isin(parts, [n + 1 for n in skin]), 25.0)


def convex_hull(mask, margin):
    """The convex hull of a mask, widened by `margin` pixels."""
    points = np.argwhere(mask)
    equations = ConvexHull(points).equations
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    inside = np.ones(mask.shape, bool)
    for a, b, c in equations:
        inside &= a * y + b * x + c <= margin
    return inside


# Mean of fat within the network's window, whose lower end cuts its distribution.
FAT = -94.0


def restore(grey, inside):
    """HU of a slice whose window is 0 to 255 HU: a grey value is a density, and black is anything below.

    Black outside the body is air. Within, it is a value between fat and water that its neighbours tell: a single black pixel within
    an organ is noise, one at its edge is partly fat, one among black ones is fat. Gas in the bowel comes out as fat; the network's
    window does not tell them apart.
    """
    black = grey < 2
    hu = np.where(black, FAT, grey.astype(np.float32))
    near = ndimage.gaussian_filter(hu, 1.0)
    hu[black] = np.clip(near[black], FAT, -8.0)
    hu[black & ~inside] = AIR
    return hu


def overlap(data, row, crops):
    """Grey values of a slice and the HU of the crop at the same place, [y, x], where there is such a crop."""
    crop = crops.get((row["who"], int(row["instance"]) - 1001))
    if crop is None:
        return None
    grey, mask = read_slice(data, row["slice"])
    hu = read_crop(data, crop).T
    y, x = np.nonzero(mask)
    # A crop lacks the last row and column of the label's box; NIH crops are cut after a flip of the rows.
    box = (slice(y.max() - hu.shape[0] + 1, y.max() + 1), slice(x.min(), x.min() + hu.shape[1]))
    return grey, hu, box


def calibrate(arguments):
    """Fit HU = a * grey + b for each slice that has a crop in HU, and measure what is restored below the window."""
    data = arguments.data
    crops = {(row["who"], int(row["slice"])): row for row in crop_table(data) if row["source"] == "nih"}
    fits, errors, below = [], [], []
    for row in slice_table(data):
        found = overlap(data, row, crops)
        if found is None:
            continue
        grey, hu, box = found
        smooth = [ndimage.gaussian_filter(image.astype(float), 1.5) for image in (grey[box], hu)]
        clipped = ndimage.minimum_filter(grey[box], 7) < 6
        clipped |= (ndimage.maximum_filter(grey[box], 7) > 249) | (ndimage.maximum_filter(hu, 7) > 245)
        x, y = (image[~clipped] for image in smooth)
        a = y.std() / x.std()
        b = y.mean() - a * x.mean()
        fits.append((a, b))
        restored = np.clip(restore(grey, body(grey))[box], *WINDOW)
        truth = np.clip(hu, *WINDOW)
        black = grey[box] < 2
        errors.append(np.abs(restored - truth).mean())
        below.append((restored - truth)[black])
        print(f"{row['slice']}  HU = {a:.3f} grey {b:+.1f}, residual {np.std(y - a * x - b):.2f}; restored: mean error "
              f"{(restored - truth)[black].mean():+5.1f} in black ({black.mean():.2f}), absolute {errors[-1]:.1f}")
    fits, below = np.array(fits), np.concatenate(below)
    print(f"{len(fits)} slices: gain {fits[:, 0].min():.3f} to {fits[:, 0].max():.3f}, offset {fits[:, 1].min():.1f} to {fits[:, 1].max():.1f}")
    print(f"black pixels: error {below.mean():+.1f} +- {below.std():.1f} HU within the window")
    print("median of the pancreas and mode of all soft tissue, by patient (a check for those without crops):")
    by_patient = {}
    for row in slice_table(data):
        grey, mask = read_slice(data, row["slice"])
        counts = np.bincount(grey[body(grey)].ravel(), minlength=256)[20:90]
        muscle = 20 + np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 3))
        by_patient.setdefault(row["who"], []).append((np.median(grey[mask]), muscle))
    print("  ".join(f"{who} {np.mean([v[0] for v in values]):.0f}/{np.mean([v[1] for v in values]):.0f}" for who, values in by_patient.items()))


# ---------------------------------------------------------------- slices as volumes

PIXEL = 1.25  # mm, in plane
STEP = 2.5  # mm, from slice to slice


def smooth_field(shape, pixel, correlation, rms, random):
    """A random field [2, y, x] in mm that is smooth over `correlation` mm."""
    COARSE = 8.0  # mm
    coarse = [int(np.ceil(n * pixel / COARSE)) + 2 for n in shape]
    field = ndimage.gaussian_filter(random.standard_normal([2, *coarse]), [0, *[correlation / 2 / COARSE] * 2], mode="wrap")
    field *= rms / field.std()
    at = np.meshgrid(*[np.arange(n) * pixel / COARSE for n in shape], indexing="ij")
    return np.stack([ndimage.map_coordinates(component, at, order=1) for component in field])


def drift(shape, depth, correlation, random):
    """Displacement fields [2, y, x] in mm of consecutive layers.

    Structures of a body run obliquely: from layer to layer they go on in about the same direction. So each place swings on a slow wave
    along z, with a smooth field for its cosine and another for its sine. Neighbours at 2.5 to 10 mm then differ nearly as in real CTs (a
    random walk that strays no further makes them much too alike), and no layer is deformed beyond what anatomies differ by.
    """
    RMS, WAVE = 5.0, (13.0, 19.0)  # mm, layers
    phase = 2 * np.pi * np.arange(depth) / random.uniform(*WAVE)
    cosine, sine = (smooth_field(shape, PIXEL, correlation, RMS, random) for _ in range(2))
    return [np.cos(at) * cosine + np.sin(at) * sine for at in phase]


def volume_of_slice(hu, mask, spacing, depth, random=None):
    """A slice as a volume [x, y, z] of `depth` layers, and its mask.

    With `random`, each layer is the slice deformed a little further than the one before, with noise of its own, as neighbours in a CT
    differ; density is scaled and shifted. Without, all layers are alike, and a network that was trained on CTs finds nothing in them.
    """
    inside = hu > AIR
    rows, columns = (np.nonzero(inside.any(axis))[0][[0, -1]] for axis in (1, 0))
    MARGIN = 20.0  # mm
    low = [max(0, int(n[0] - MARGIN / spacing)) for n in (rows, columns)]
    high = [min(size, int(n[1] + MARGIN / spacing)) for n, size in zip((rows, columns), hu.shape)]
    shape = [int((b - a) * spacing / PIXEL) for a, b in zip(low, high)]
    # Gaussian that leaves what a pixel of the target size can hold.
    sigma = 0.4 * PIXEL / spacing
    image, share = (ndimage.gaussian_filter(a.astype(np.float32), sigma) for a in (hu, mask))
    centre = np.stack(np.meshgrid(*[a + (np.arange(n) + 0.5) * PIXEL / spacing - 0.5 for a, n in zip(low, shape)], indexing="ij"))
    if random is None:
        layer = ndimage.map_coordinates(image, centre, order=1, mode="nearest")
        truth = ndimage.map_coordinates(share, centre, order=1) > 0.5
        layers, truths = [layer] * depth, [truth] * depth
    else:
        gain, offset = random.uniform(0.93, 1.07), random.uniform(-10, 10)
        correlation = random.uniform(30, 40)
        layers, truths = [], []
        for moved in drift(shape, depth, correlation, random):
            at = centre + moved / spacing
            layer = ndimage.map_coordinates(image, at, order=1, mode="nearest") * gain + offset
            noise = ndimage.gaussian_filter(random.standard_normal(shape), 0.6)
            layers.append(layer + noise * (8.0 / noise.std()))
            truths.append(ndimage.map_coordinates(share, at, order=1) > 0.5)
    return [np.stack(stack, -1).swapaxes(0, 1) for stack in (layers, truths)]  # [x, y, z]


# The label maps' own convention: the first axis leads to the left, the second to the front.
SLICE_AFFINE = np.diag([-PIXEL, PIXEL, -STEP, 1.0])


def write_volume(path, voxels, affine, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.clip(np.round(voxels), -1024, 3000) if kind == np.int16 else voxels
    nibabel.save(nibabel.Nifti1Image(voxels.astype(kind), affine), path)


def couch_radius(grey):
    """The radius in pixels of the couch's upper arc, or None where it is not a circle's."""
    x = np.arange(200, 312, 4)
    bright = grey[:, x] > 40
    if not bright.any(0).all():
        return None
    y = bright.argmax(0)
    parabola = np.polyfit(x - 256, y, 2)
    residual = np.std(y - np.polyval(parabola, x - 256))
    return 0.5 / parabola[0] if residual < 0.5 and parabola[0] > 0 else None


def spacings(data):
    """Patient -> pixel spacing in mm of the NIH slices.

    Known for patients with a label map. Most others lie on a couch that curves with the same radius in all known patients (380 mm,
    within 4 % but for one of 423 mm), so the radius in pixels tells the spacing; the rest get what is typical.
    """
    RADIUS, TYPICAL = 380.0, 0.75
    radii, known = {}, {}
    for row in slice_table(data):
        if row["spacing_x"]:
            known[row["who"]] = float(row["spacing_x"])
        radius = couch_radius(read_slice(data, row["slice"])[0])
        radii.setdefault(row["who"], []).extend([radius] if radius else [])
    result = {}
    for who, of_patient in radii.items():
        spacing = RADIUS / np.median(of_patient) if of_patient else TYPICAL
        result[who] = known.get(who, spacing if 0.65 < spacing < 1.0 else TYPICAL)
    return result


def rows_of_part(rows, arguments):
    parts = read_split(arguments.split)
    return [row for row in rows if parts.get(row["who"]) == arguments.part]


def slices(arguments):
    """Write each slice as volumes, in the layout `pairs`."""
    rows = rows_of_part(slice_table(arguments.data), arguments)
    spacing = spacings(arguments.data)
    for number, row in enumerate(rows):
        grey, mask = read_slice(arguments.data, row["slice"])
        hu = restore(grey, body(grey))
        for variant in range(arguments.variants):
            random = None if arguments.identical else np.random.default_rng([arguments.seed, number, variant])
            image, truth = volume_of_slice(hu, mask, spacing[row["who"]], arguments.depth, random)
            name = f"{row['slice']}_{variant}.nii.gz"
            write_volume(arguments.out / "images" / name, image, SLICE_AFFINE, np.int16)
            write_volume(arguments.out / "labels" / name, truth, SLICE_AFFINE, np.uint8)
    print(f"{len(rows)} slices of {len({row['who'] for row in rows})} patients, {arguments.variants} volumes each, in {arguments.out}")


# ---------------------------------------------------------------- crops in painted CTs


def lps_flips(image):
    """Which axes of a NIfTI image turn to lead to the left, the back and up."""
    codes = nibabel.aff2axcodes(image.affine)
    assert [code in pair for code, pair in zip(codes, ("LR", "PA", "SI"))] == [True] * 3, codes
    return [code != wanted for code, wanted in zip(codes, "LPS")]


class MapGrid:
    """Where the voxels of a painted CT lie in the label map that it was painted from.

    `ggpfn synth` turns the map to LPS, resamples it to a cubic grid, and cuts or extends it; a pancreas may lie in another map's
    organs. So the map's pancreas is resampled by the same rule and laid on the truth of the painted CT.
    """

    def __init__(self, path, truth, spacing):
        image = nibabel.load(path)
        self.flips = lps_flips(image)
        pancreas = np.asanyarray(image.dataobj) == PANCREAS
        self.shape = pancreas.shape
        self.spacing = np.array(image.header.get_zooms()[:3], float)
        size = np.maximum(np.floor(np.array(self.shape) * self.spacing / spacing + 0.5), 1).astype(int)
        self.ratio = np.array(self.shape) / size
        turned = pancreas[tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flips)]
        # Only the pancreas' box is resampled.
        box = ndimage.find_objects(turned.astype(np.uint8))[0]
        start = np.array([int((side.start + 0.5) / r) - 2 for side, r in zip(box, self.ratio)]).clip(0)
        stop = np.minimum([int((side.stop + 0.5) / r) + 3 for side, r in zip(box, self.ratio)], size)
        # Where two organs have the same share, `ggpfn synth` takes that of the lower neighbour.
        TIE = 1e-4
        at = [(np.arange(a, b) + 0.5) * r - 0.5 - TIE for a, b, r in zip(start, stop, self.ratio)]
        share = ndimage.map_coordinates(turned.astype(np.float32), np.meshgrid(*at, indexing="ij"), order=1, mode="nearest")
        mask = share > 0.5
        # As in `ggpfn synth`: small parts that are apart are slips of the hand.
        parts, count = ndimage.label(mask, np.ones((3, 3, 3)))
        sizes = ndimage.sum_labels(mask, parts, range(1, count + 1))
        largest = parts == 1 + np.argmax(sizes)
        if (mask.sum() - largest.sum()) * 20 < mask.sum():
            mask = largest
        self.offset, self.dice = lay_on(mask, truth)
        self.offset = self.offset - start

    def planes(self, shape):
        """For each axis of a painted CT, [x, y, z] in LPS, its voxels' places on the map's own axis."""
        for axis in range(3):
            at = (np.arange(shape[axis]) - self.offset[axis] + 0.5) * self.ratio[axis] - 0.5
            yield self.shape[axis] - 1 - at if self.flips[axis] else at


def lay_on(mask, truth):
    """The whole-voxel shift that lays one mask on another, and the Dice then."""
    centre = [np.array(ndimage.center_of_mass(m)) for m in (mask, truth)]
    guess = np.round(centre[1] - centre[0]).astype(int)
    places = np.argwhere(mask)
    best = (-1.0, guess)
    for step in np.ndindex(5, 5, 5):
        shift = guess + np.array(step) - 2
        at = places + shift
        inside = ((at >= 0) & (at < truth.shape)).all(1)
        common = truth[tuple(at[inside].T)].sum()
        best = max(best, (2.0 * common / (len(places) + truth.sum()), tuple(shift)), key=lambda found: found[0])
    return np.array(best[1]), best[0]


def paste(ct, truth, grid, crops, data, spacing, random):
    """Paste real crops into a painted CT, [x, y, z] in LPS. Returns the CT and the weight of what was pasted."""
    FEATHER = 4.0  # mm
    BETWEEN = 6.0  # mm; further apart than that, neighbours are not interpolated
    across, down, along = grid.planes(ct.shape)
    reach = max(grid.spacing[2], spacing) / 2
    numbers = sorted((int(row["slice"]), row) for row in crops)
    weight, real = np.zeros(ct.shape, np.float32), np.zeros(ct.shape, np.float32)
    on_grid = {number: crop_on_grid(read_crop(data, row), row, across, down, grid.spacing[:2], spacing, FEATHER) for number, row in numbers}
    for z, place in enumerate(along):
        shares = {}
        below = [n for n, _ in numbers if n <= place]
        above = [n for n, _ in numbers if n > place]
        if below and above and (above[0] - below[-1]) * grid.spacing[2] <= BETWEEN:
            t = (place - below[-1]) / (above[0] - below[-1])
            shares = {below[-1]: 1 - t, above[0]: t}
        else:
            near = min((abs(n - place) * grid.spacing[2], n) for n, _ in numbers)
            if near[0] <= reach + 1e-6:
                shares = {near[1]: 1.0}
        for number, share in shares.items():
            hu, inside = on_grid[number]
            real[:, :, z] += share * inside * hu
            weight[:, :, z] += share * inside
    real /= np.maximum(weight, 1e-6)
    noise = ndimage.gaussian_filter(random.standard_normal(ct.shape), 0.5)
    real += missing_noise(ct, real, truth, weight) * noise / noise.std()
    return ct + weight * (real - ct), weight


def crop_on_grid(hu, row, across, down, from_spacing, spacing, feather):
    """A crop, [i, j], on the plane of a painted CT, [x, y], and its weight, which falls to 0 over `feather` mm at its edges."""
    start = [int(row["i_min"]), int(row["j_max"]) - hu.shape[1] + 1]
    if row["source"] == "msd":
        start[0] = int(row["i_max"]) - hu.shape[0] + 1
    smooth = ndimage.gaussian_filter(hu.astype(np.float32), [0.4 * spacing / s for s in from_spacing], mode="nearest")
    local = [across - start[0], down - start[1]]
    placed = ndimage.map_coordinates(smooth, np.meshgrid(*local, indexing="ij"), order=1, mode="nearest")
    edges = [np.clip((0.5 + np.minimum(at, n - 1 - at)) * s / feather, 0, 1) for at, n, s in zip(local, hu.shape, from_spacing)]
    return placed, np.minimum.outer(*edges)


def fine_texture(ct, where):
    """The standard deviation, robustly, of what is finer than about a voxel."""
    fine = ct - ndimage.gaussian_filter(ct, [1.0, 1.0, 0.0])
    return 1.48 * np.median(np.abs(fine[where]))


def missing_noise(ct, real, truth, weight):
    """The standard deviation of the noise that a pasted pancreas lacks beside the painted one."""
    core = ndimage.binary_erosion(truth, np.ones((3, 3, 1)))
    inside = core & (weight > 0.9)
    if inside.sum() < 50:
        return 0.0
    painted, pasted = fine_texture(ct, core), fine_texture(real, inside)
    # Taking the smooth part away takes some of the noise as well: about an eighth.
    return 1.15 * np.sqrt(max(painted**2 - pasted**2, 0.0))


def crop_maps(arguments):
    """Label map -> its crops, of one part."""
    maps = {}
    for row in rows_of_part(crop_table(arguments.data), arguments):
        if row["label_map"]:
            maps.setdefault(row["label_map"].split(".")[0], []).append(row)
    return maps


def map_path(data, name):
    return next((data / "labels").glob(f"*/{name}.nii.gz"))


def paint(arguments):
    """Paint CTs from the label maps of one part that have crops, with `ggpfn synth`."""
    maps = [map_path(arguments.data, name) for name in crop_maps(arguments)]
    organs = [path for path in maps if path.parent.name == "organs"]
    command = [arguments.ggpfn, "synth", arguments.out, "--labels", *maps, "-n", len(maps) * arguments.rounds, "--deformation", 0]
    command += ["--spacing", arguments.spacing, "--seed", arguments.seed]
    print(f"{len(maps)} maps, {len(organs)} of them with organs")
    run(command)


def crops(arguments):
    """Paste real crops into the painted CTs of the same label maps."""
    maps = crop_maps(arguments)
    cases = json.loads((arguments.painted / "synth.json").read_text())["cases"]
    report = []
    for number, case in enumerate(cases):
        name, source = case["name"], case["maps"][0]
        if source not in maps:
            continue
        image = nibabel.load(arguments.painted / "images" / f"{name}.nii.gz")
        label = nibabel.load(arguments.painted / "labels" / f"{name}.nii.gz")
        turn = tuple(slice(None, None, -1) if flip else slice(None) for flip in lps_flips(image))
        ct, truth = (np.asanyarray(i.dataobj)[turn] for i in (image, label))
        ct, truth = ct.astype(np.float32), truth > 0
        spacing = float(image.header.get_zooms()[0])
        grid = MapGrid(map_path(arguments.data, source), truth, spacing)
        if grid.dice < 0.95:
            print(f"{name}: left out, {source} does not lie on it (Dice {grid.dice:.3f}); was it painted with --deformation 0?")
            continue
        random = np.random.default_rng([arguments.seed, number])
        pasted, weight = paste(ct, truth, grid, maps[source], arguments.data, spacing, random)
        file = f"{source}_{name}.nii.gz"
        write_volume(arguments.out / "images" / file, pasted[turn], image.affine, np.int16)
        write_volume(arguments.out / "labels" / file, truth[turn], image.affine, np.uint8)
        write_volume(arguments.out / "pasted" / file, weight[turn] > 0.5, image.affine, np.uint8)
        real = (truth & (weight > 0.5)).sum() / truth.sum()
        before, after = (np.median(volume[truth & (weight > 0.5)]) for volume in (ct, pasted))
        report.append({"name": file, "map": source, "crops": len(maps[source]), "dice": grid.dice, "real share": float(real)})
        print(f"{file}: {len(maps[source])} crops, registration Dice {grid.dice:.4f}, {real:.2f} of the pancreas is real, "
              f"its median {before:.0f} -> {after:.0f} HU")
    (arguments.out / "crops.json").write_text(json.dumps(report, indent=1))
    print(f"{len(report)} CTs in {arguments.out}")


# ---------------------------------------------------------------- scores


def run(command, quiet=False):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL if quiet else None)


def dice(a, b):
    return 2.0 * (a & b).sum() / max(a.sum() + b.sum(), 1)


def read(path):
    return np.asanyarray(nibabel.load(path).dataobj)


def threshold_of(arguments):
    """The threshold from the command line, else the model's own."""
    if arguments.threshold is not None:
        return arguments.threshold
    out = subprocess.run([arguments.ggpfn, "info", "--json", arguments.model], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["threshold"]


def segment(arguments, inputs, out, *options):
    """Segment files to the folder `out`; returns the threshold."""
    threshold = threshold_of(arguments)
    out.mkdir(parents=True, exist_ok=True)
    run([arguments.ggpfn, "segment", *inputs, f"{out}/", "--model", arguments.model, "--threshold", threshold, "--quiet", *options], quiet=True)
    return threshold


def write_report(arguments, report):
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))


def score_slices(arguments):
    """Score the axial view on single real slices, each as volumes that `slices` would write."""
    rows = rows_of_part(slice_table(arguments.data), arguments)[:: arguments.every]
    spacing = spacings(arguments.data)
    middle = arguments.depth // 2
    by_patient = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        truths = {}
        for number, row in enumerate(rows):
            grey, mask = read_slice(arguments.data, row["slice"])
            hu = restore(grey, body(grey))
            for variant in range(arguments.variants):
                random = None if arguments.identical else np.random.default_rng([arguments.seed, number, variant])
                image, truth = volume_of_slice(hu, mask, spacing[row["who"]], arguments.depth, random)
                name = f"{row['slice']}_{variant}"
                write_volume(folder / "in" / f"{name}.nii.gz", image, SLICE_AFFINE, np.int16)
                truths[name] = (row["who"], truth[:, :, middle])
        threshold = segment(arguments, sorted((folder / "in").iterdir()), folder / "out", "--views", "axial")
        for name, (who, truth) in truths.items():
            found = read(result_of(folder / "out", f"{name}_"))[:, :, middle] > 0
            by_patient.setdefault(who, {})[name] = float(dice(found, truth))
    means = {who: float(np.mean(list(of_slices.values()))) for who, of_slices in by_patient.items()}
    for who, mean in means.items():
        print(f"{who}  {mean:.3f}  " + " ".join(f"{d:.2f}" for d in by_patient[who].values()))
    overall = float(np.mean(list(means.values())))
    print(f"mean over {len(means)} patients {overall:.3f}, axial view, threshold {threshold:g}")
    write_report(arguments, {"mean": overall, "threshold": threshold, "patients": means, "slices": by_patient})


def result_of(folder, name):
    """The mask that `ggpfn segment` wrote for an input of this name."""
    found = [path for path in folder.iterdir() if path.name.startswith(name)]
    assert len(found) == 1, (name, found)
    return found[0]


VIEWS = ["axial", "sagittal", "coronal"]


def score_crops(arguments):
    """Score the fused views, and each alone, within the pasted crops."""
    names = sorted(path.name for path in (arguments.crops / "images").iterdir())
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        inputs = [arguments.crops / "images" / name for name in names]
        threshold = segment(arguments, inputs, folder / "out", "--view-probabilities", f"{folder / 'views'}/")
        for name in names:
            stem = name.removesuffix(".nii.gz")
            pasted = read(arguments.crops / "pasted" / name) > 0
            truth = read(arguments.crops / "labels" / name) > 0
            found = {"fused": read(result_of(folder / "out", stem)) > 0}
            for view in VIEWS:
                path = next(p for p in (folder / "views").iterdir() if p.name.startswith(stem) and view in p.name)
                found[view] = read(path) >= threshold
            scores[stem] = {view: float(dice(mask & pasted, truth & pasted)) for view, mask in found.items()}
            scores[stem]["whole"] = float(dice(found["fused"], truth))
    for stem, of_case in scores.items():
        print(f"{stem:40s} " + "  ".join(f"{view} {value:.3f}" for view, value in of_case.items()))
    means = {view: float(np.mean([of_case[view] for of_case in scores.values()])) for view in ["fused", *VIEWS, "whole"]}
    print(f"mean of {len(scores)} CTs, threshold {threshold:g}: " + "  ".join(f"{view} {value:.3f}" for view, value in means.items()))
    write_report(arguments, {"mean": means, "threshold": threshold, "cases": scores})


def score_opinion(arguments):
    """Compare a CT's segmentation with TotalSegmentator's pancreas (number 7)."""
    opinion = nibabel.load(arguments.opinion)
    theirs = np.asanyarray(opinion.dataobj) == 7
    ml = float(np.prod(opinion.header.get_zooms()[:3])) / 1000.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.nii.gz"
        threshold = threshold_of(arguments)
        run([arguments.ggpfn, "segment", arguments.ct, path, "--model", arguments.model, "--threshold", threshold, "--quiet"], quiet=True)
        found = nibabel.load(path)
        # Both in the same orientation: a mask has its CT's, the opinion may have another.
        orient = nibabel.orientations
        turn = orient.ornt_transform(orient.io_orientation(found.affine), orient.io_orientation(opinion.affine))
        ours = orient.apply_orientation(np.asanyarray(found.dataobj), turn) > 0
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    report = {"dice": float(dice(ours, theirs)), "ours_ml": ours.sum() * ml, "theirs_ml": theirs.sum() * ml, "threshold": threshold}
    print("  ".join(f"{key} {value:.3f}" for key, value in report.items()))
    write_report(arguments, report)


# ---------------------------------------------------------------- command line


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name, function, paths):
        sub = commands.add_parser(name, help=function.__doc__.splitlines()[0])
        for path in paths:
            sub.add_argument(path, type=Path)
        sub.set_defaults(function=function)
        return sub

    def with_part(sub, default=None):
        sub.add_argument("--part", choices=["train", "validation", "held-out"], default=default, required=default is None)
        sub.add_argument("--split", type=Path, default=SPLIT)

    command("split", split, ["data", "maps", "out"])
    command("calibrate", calibrate, ["data"])
    sub = command("slices", slices, ["data", "out"])
    with_part(sub)
    sub.add_argument("--depth", type=int, default=16, help="layers of a volume")
    sub.add_argument("--variants", type=int, default=1, help="random volumes of each slice")
    sub.add_argument("--identical", action="store_true", help="repeat the slice as it is")
    sub.add_argument("--seed", type=int, default=0)

    sub = command("paint", paint, ["data", "ggpfn", "out"])
    with_part(sub)
    sub.add_argument("--spacing", type=float, default=2.0, help="mm")
    sub.add_argument("--rounds", type=int, default=1, help="CTs of each map")
    sub.add_argument("--seed", type=int, default=0)
    sub = command("crops", crops, ["data", "painted", "out"])
    with_part(sub)
    sub.add_argument("--seed", type=int, default=0)

    def with_model(sub):
        sub.add_argument("ggpfn", type=Path, help="the program")
        sub.add_argument("model", type=Path)
        sub.add_argument("--threshold", type=float, help="the model's own if left out")
        sub.add_argument("--json", type=Path, help="write the scores here too")

    sub = command("score-slices", score_slices, ["data"])
    with_model(sub)
    with_part(sub, "validation")
    sub.add_argument("--depth", type=int, default=13)
    sub.add_argument("--variants", type=int, default=1, help="random volumes of each slice")
    sub.add_argument("--every", type=int, default=1, metavar="N", help="every Nth slice only")
    sub.add_argument("--identical", action="store_true", help="repeat the slice as it is")
    sub.add_argument("--seed", type=int, default=0)
    with_model(command("score-crops", score_crops, ["data", "crops"]))
    with_model(command("score-opinion", score_opinion, ["ct", "opinion"]))

    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
