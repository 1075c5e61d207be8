"""Make the model that ships, from label maps and real images to the figures on its card.

    shipped.py prepare DATA GGPFN FOLDER [--cases N]
        Paint the CTs, turn real slices into small volumes, paste real crops. The real images need what real_images.py needs;
        where that is missing, painted CTs are all there is, and a line says so.
    shipped.py train GGPFN FOLDER [--from MODEL] [--minutes M] [--device cuda]
        Train the three views, each on a processor thread of its own, or one after the other on a GPU; combine them.
        Needs the standard library alone.
    shipped.py finish DATA GGPFN FOLDER
        Choose threshold and view weights on the validation patients, write FOLDER/pancreas.safetensors, measure it.
    shipped.py figures DATA GGPFN FOLDER MODEL
        Measure any model on the same images.

DATA is the folder that holds `labels`, `slices`, `crops` and `ct`; GGPFN is the program. Everything goes through the program, as a
user would do it. What is there already is not made again, so each step goes on where it was stopped. models/maps.txt and
models/real_images.txt say which patients are trained on, which choose threshold and weights, and which are held out.
"""

import argparse
import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "models"
# In the order in which the program takes their weights.
VIEWS = ["axial", "sagittal", "coronal"]

# Painted CTs: part of the label maps (none: made up), number, seed, spacing in mm (the network works at 2.5), style.
PAINTED = {
    "train": ("train", 120, 401, 2.5, "realistic"),
    "train-2": ("train", 120, 406, 2.5, "realistic"),
    "train-3": ("train", 120, 407, 2.5, "realistic"),
    "train-randomised": ("train", 40, 404, 2.5, "randomised"),
    "train-randomised-2": ("train", 40, 408, 2.5, "randomised"),
    "validation": ("validation", 6, 402, 2.0, "realistic"),
    "held-out": ("held-out", 13, 403, 2.0, "realistic"),
    "made-up": (None, 10, 405, 2.0, "realistic"),
}
# Crops of a part of the patients are set into painted CTs of these seeds: the same pixels among different neighbours.
CROPS = {"train": [411, 412, 413, 414, 415], "validation": [411], "held-out": [411]}

# The axial view trains on real slices too. All views are validated by `finish`: the learning rate falls to nearly nothing, and the last
# weights are the ones to take.
EPOCHS = {"axial": 15, "sagittal": 30, "coronal": 32}
SEEDS = {"axial": 513, "sagittal": 512, "coronal": 511}
OPTIONS = """\
preset = "small"
views = ["{view}"]
seed = {seed}
validate_every = 1000
{machine}
checkpoint_minutes = 3.0
[global]
epochs = 0
[local]
epochs = 0
[whole]
epochs = {epochs}
batch = 4
learning_rate = 1e-3
final_learning_rate = 1e-5
"""

THRESHOLDS = [0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55]
WEIGHTS = [(1, 1, 1), (3, 2, 2), (2, 1, 1), (3, 1, 1), (4, 1, 1)]


def run(*command):
    print("+", *map(str, command), flush=True)
    subprocess.run([str(part) for part in command], check=True)


def maps(data, part):
    """The label maps of one part of models/maps.txt, by their names."""
    lines = (MODELS / "maps.txt").read_text().splitlines()
    files = [data / "labels" / line.split(" ", 1)[1] for line in lines if line.startswith(f"{part} ")]
    return sorted(files, key=lambda file: file.name)


def paint(ggpfn, data, folder, name, cases=None):
    part, count, seed, spacing, style = PAINTED[name]
    count = min(count, cases or count)
    out = folder / name
    if (out / "synth.json").exists():
        return
    labels = ["--labels", *maps(data, part)] if part else []
    run(ggpfn, "synth", out, "-n", count, "--seed", seed, "--spacing", spacing, "--style", style, "--organs", *labels)


def gather(out, sources):
    """Link the cases of several sets into one, under names that begin with their set's."""
    for kind in ["images", "labels"]:
        (out / kind).mkdir(parents=True, exist_ok=True)
        for prefix, source in sources.items():
            for file in sorted((source / kind).iterdir()):
                target = out / kind / f"{prefix}_{file.name}"
                if not target.exists():
                    os.link(file, target)


def prepare(arguments):
    """Paint CTs and prepare real images."""
    data, ggpfn, folder = arguments.data, arguments.ggpfn, arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in PAINTED:
        paint(ggpfn, data, folder, name, arguments.cases)
    if has_image_tools() and not arguments.cases:
        real_images(data, ggpfn, folder)
    sides = {name.replace("train", "painted"): folder / name for name in PAINTED if name.startswith("train")}
    for seed in CROPS["train"]:
        if (folder / f"crops-train-{seed}").exists():
            sides[f"crops{seed}"] = folder / f"crops-train-{seed}"
    gather(folder / "sides", sides)
    slices = folder / "slices-train"
    # Twice, so that half of what the axial view sees is real.
    gather(folder / "front", sides | ({"slices": slices, "slices-again": slices} if slices.exists() else {}))


def has_image_tools():
    """Whether the packages that real_images.py needs are there."""
    wanted = ["numpy", "scipy", "nibabel", "PIL"]
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        print(f"painted CTs alone, since Python has no {', '.join(missing)}", flush=True)
    return not missing


def real_images(data, ggpfn, folder):
    """Real crops within painted CTs, and real slices as small volumes."""
    tool = [sys.executable, HERE / "real_images.py"]
    for part, seed in [(part, seed) for part, seeds in CROPS.items() for seed in seeds]:
        painted, pasted = folder / f"painted-for-crops-{part}-{seed}", folder / f"crops-{part}-{seed}"
        if not (painted / "synth.json").exists():
            spacing = 2.5 if part == "train" else 2.0
            run(*tool, "paint", data, ggpfn, painted, "--part", part, "--spacing", spacing, "--seed", seed)
        if not (pasted / "crops.json").exists():
            run(*tool, "crops", data, painted, pasted, "--part", part)
    slices = folder / "slices-train"
    if not slices.exists():
        run(*tool, "slices", data, slices, "--part", "train", "--variants", 2, "--depth", 16)


def train(arguments):
    """Train the views for as many minutes as there are, and combine them. A second call goes on."""
    ggpfn, folder = arguments.ggpfn, arguments.folder
    gpu = arguments.device != "cpu"
    end = time.monotonic() + 60 * arguments.minutes if arguments.minutes else None
    waiting = [view for view in VIEWS if not (folder / view / "done").exists()]
    # On processors two views at a time with a thread each: nobody waits for the other's half of an operation.
    at_a_time = 1 if gpu else max(1, min(len(waiting), os.cpu_count() or 1))
    running = {}
    while waiting or running:
        while waiting and len(running) < at_a_time:
            view = waiting.pop(0)
            running[view] = start(ggpfn, folder, view, gpu, end, len(waiting) if gpu else 0, arguments)
        time.sleep(0.5)
        for view, process in list(running.items()):
            if process.poll() is None:
                continue
            del running[view]
            if process.returncode != 0:
                sys.exit(f"the {view} view's training ended with code {process.returncode}; see {folder / view}.log")
            if is_trained(folder / view):
                (folder / view / "done").touch()
    trained = [folder / view / "model.safetensors" for view in VIEWS]
    if all(path.exists() for path in trained):
        out = folder / "trained.safetensors"
        out.unlink(missing_ok=True)
        run(ggpfn, "combine", *trained, out)


def is_trained(run_folder):
    """Whether the last epoch's line is in the log."""
    view = run_folder.name
    lines = (run_folder / view / "log.jsonl").read_text().splitlines()
    return bool(lines) and json.loads(lines[-1])["epoch"] >= EPOCHS[view]


def start(ggpfn, folder, view, gpu, end, after, arguments):
    """Begin or go on with one view's training."""
    out, config = folder / view, folder / f"{view}.toml"
    # On processors the preset knows whether bfloat16 is fast.
    machine = "mixed_precision = true" if gpu else "threads = 1\nloader_threads = 1"
    config.write_text(OPTIONS.format(view=view, seed=SEEDS[view], machine=machine, epochs=EPOCHS[view]))
    cases = folder / ("front" if view == "axial" else "sides")
    command = [ggpfn, "train", cases, "--layout", "pairs", "--validation", folder / "validation", "--out", out]
    command += ["--cache", folder / f"cache-{cases.name}", "--device", arguments.device]
    if end:
        # What is left is shared by the views that have not had their turn.
        command += ["--max-minutes", f"{max(0.2, (end - time.monotonic()) / 60 / (after + 1)):.2f}"]
    if (out / "options.toml").exists():
        command += ["--resume"]
    else:
        command += ["--config", config, "--views", view, "--init", arguments.start or MODELS / "pancreas.safetensors"]
    print("+", *map(str, command), flush=True)
    with open(folder / f"{view}.log", "a") as log:
        return subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)


def segment_and_evaluate(ggpfn, cases, model, out, *more):
    """Dice by case of a set in the layout `pairs`."""
    masks, report = out / "masks", out / "figures.json"
    masks.mkdir(parents=True, exist_ok=True)
    images = sorted((cases / "images").iterdir())
    run(ggpfn, "--quiet", "segment", *images, f"{masks}/", "--model", model, *more)
    run(ggpfn, "evaluate", masks, cases / "labels", "--json", report)
    return {case["case"]: case["measures"]["dice"] for case in json.loads(report.read_text())["cases"]}


def choices(ggpfn, cases, model, out):
    """Mean Dice of a set by view weights and threshold, from one segmentation of each view."""
    import nibabel
    import numpy as np

    images = sorted((cases / "images").iterdir())
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for image in images:
        stem = image.name.removesuffix(".nii.gz")
        views = out / f"{stem}"
        views.mkdir(exist_ok=True)
        run(ggpfn, "--quiet", "segment", image, views / "mask.nii.gz", "--model", model, "--view-probabilities", views / "part.nii.gz")
        read = lambda path: np.asanyarray(nibabel.load(path).dataobj)
        truth = read(cases / "labels" / image.name) > 0
        maps = [read(next(path for path in views.iterdir() if view in path.name)) for view in VIEWS]
        for weights in WEIGHTS:
            fused = sum(weight * part for weight, part in zip(weights, maps)) / sum(weights)
            for threshold in THRESHOLDS:
                mask = fused >= threshold
                dice = 2.0 * (mask & truth).sum() / max(1, mask.sum() + truth.sum())
                found.setdefault((weights, threshold), []).append(float(dice))
    return {choice: statistics.mean(values) for choice, values in found.items()}


def finish(arguments):
    """Choose weights and threshold on the validation patients, write the model, measure it."""
    ggpfn, folder = arguments.ggpfn, arguments.folder
    model = folder / "trained.safetensors"
    sets = [choices(ggpfn, folder / name, model, folder / "choice" / name) for name in CHOICE]
    means = {choice: statistics.mean(of_set[choice] for of_set in sets) for choice in sets[0]}
    for (weights, threshold), mean in means.items():
        each = "  ".join(f"{of_set[weights, threshold]:.3f}" for of_set in sets)
        print(f"weights {weights} at {threshold}: {mean:.4f}  ({each})")
    weights, threshold = max(means, key=means.get)
    print(f"chosen: weights {weights}, threshold {threshold}")
    out = folder / "pancreas.safetensors"
    out.unlink(missing_ok=True)
    weights = ",".join(map(str, weights))
    run(ggpfn, "combine", model, out, "--store", "f16", "--threshold", threshold, "--view-weights", weights)
    arguments.model = out
    figures(arguments)


# What threshold and weights are chosen on: painted CTs, and real crops in painted CTs, of validation patients.
CHOICE = ["validation", "crops-validation-411"]


def figures(arguments):
    """Measure a model on held-out, validation and made-up CTs, on real slices and crops, and on the real CT."""
    data, ggpfn, folder, model = arguments.data, arguments.ggpfn, arguments.folder, arguments.model
    for name, views in itertools.product(["validation", "held-out", "made-up"], ["axial,sagittal,coronal", "axial"]):
        dice = segment_and_evaluate(ggpfn, folder / name, model, folder / "figures" / model.stem / f"{name}-{views}", "--views", views)
        values = sorted(dice.values())
        spread = statistics.pstdev(values)
        print(f"{name}, {views}: {statistics.mean(values):.3f} +- {spread:.3f} ({values[0]:.3f} to {values[-1]:.3f})", flush=True)
    tool = [sys.executable, HERE / "real_images.py"]
    run(*tool, "score-slices", data, ggpfn, model, "--part", "validation")
    run(*tool, "score-crops", data, folder / "crops-validation-411", ggpfn, model)
    ct = data / "ct"
    run(*tool, "score-opinion", ct / "example_ct.nii.gz", ct / "example_ct_totalsegmentator_fast.nii.gz", ggpfn, model)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(function, *paths):
        sub = commands.add_parser(function.__name__, help=function.__doc__.splitlines()[0])
        for path in paths:
            sub.add_argument(path, type=Path)
        sub.set_defaults(function=function)
        return sub

    sub = command(prepare, "data", "ggpfn", "folder")
    sub.add_argument("--cases", type=int, help="paint no more than so many CTs of each kind, and nothing else: for a trial")
    sub = command(train, "ggpfn", "folder")
    sub.add_argument("--from", dest="start", type=Path, help="the model to go on from; the shipped one if none is named")
    sub.add_argument("--minutes", type=float, help="stop after so long; call again to go on")
    sub.add_argument("--device", default="cpu")
    command(finish, "data", "ggpfn", "folder")
    command(figures, "data", "ggpfn", "folder", "model")
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
