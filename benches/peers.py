#!/usr/bin/env python3
"""What a segmentation costs here and elsewhere, on one CT in one run: `peers.py CT [--threads 1 2] [--repeats 5] [--ggpfn FILE]`.

Beside `ggpfn segment` with the shipped model, from file to mask, stand

- the same model's three networks in onnxruntime and OpenVINO (`python -m ggpfn.onnx`), slices read and resampled before;
- the paper's network, untrained, in three views, by `ggpfn segment`;
- the architecture of TotalSegmentator's 3 mm plan (one patch of 128 x 128 x 128, 118 classes) and of nnU-Net's 3d_fullres
  plan for the Decathlon's pancreas (patch 40 x 224 x 224, step one half, no mirroring), with random weights, forward
  passes alone, in PyTorch. Of the latter one patch is timed, and multiplied by the patches that this CT takes.

Each runs in a process of its own, all in turns; told are medians of wall and CPU seconds of the computing alone (for
ggpfn: of the whole program), and the process's peak memory. It needs torch, dynamic-network-architectures, onnx,
onnxruntime, openvino and nibabel, and a release build of ggpfn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "slicer_module" / "PancreasSegmentation"
VIEWS = ("axial", "sagittal", "coronal")
# Slices that enter a runtime at a time.
CHUNK = 16
# Decathlon, Task07: the plan's spacing in mm and patch, z, y, x.
FULL_SPACING, FULL_PATCH = (2.5, 0.802734, 0.802734), (40, 224, 224)
SMALL_SPACING, SMALL_PATCH = (3.0, 3.0, 3.0), (128, 128, 128)


def patches(extent, spacing, patch):
    """How many patches a volume of that extent in mm takes, a step of half a patch apart."""
    count = 1
    for mm, step, size in zip(extent, spacing, patch):
        count *= max(0, -(-(round(mm / step) - size) // (size // 2))) + 1
    return count


def load(path):
    """The CT [z, y, x] in LPS, in HU, and its spacing."""
    import nibabel
    import numpy as np

    image = nibabel.load(path)
    wanted = nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    own = nibabel.io_orientation(image.affine)
    image = image.as_reoriented(nibabel.orientations.ornt_transform(own, wanted))
    return np.asarray(image.dataobj, np.float32).T, image.header.get_zooms()[:3][::-1]


def timed(work):
    """Wall and CPU seconds of the second of two runs, in this process."""
    for _ in range(2):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            peak = int(line.split()[1]) * 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak}))


def peer(which, threads):
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from torch import nn

    torch.set_num_threads(threads)
    if which == "small":
        patch, classes = SMALL_PATCH, 118
        kernels, strides = [[3, 3, 3]] * 6, [[1, 1, 1]] + [[2, 2, 2]] * 5
    else:
        patch, classes = FULL_PATCH, 3
        kernels = [[1, 3, 3]] + [[3, 3, 3]] * 5
        strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]]
    net = PlainConvUNet(
        1, 6, [32, 64, 128, 256, 320, 320], nn.Conv3d, kernels, strides, 2, classes, 2, conv_bias=True,
        norm_op=nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True}, deep_supervision=False,
    ).eval()  # fmt: skip
    x = torch.randn(1, 1, *patch)
    with torch.inference_mode():
        timed(lambda: net(x))


def stacks(folder, ct):
    """For each view its file and its slices with the neighbours beyond the ends, on the model's grid."""
    import numpy as np
    import torch

    volume, spacing = load(ct)
    for view in VIEWS:
        path = Path(folder) / f"{view}.onnx"
        metadata = json.loads((Path(folder) / f"{view}.json").read_text())
        size = [round(n * own / new) for n, own, new in zip(volume.shape, spacing, metadata["spacing_mm_zyx"])]
        # Some resampling will do for the time that a network takes.
        grid = torch.nn.functional.interpolate(torch.from_numpy(volume.copy())[None, None], size, mode="trilinear")
        axes = {"axial": (0, 1, 2), "sagittal": (2, 0, 1), "coronal": (1, 0, 2)}[view]
        stack = grid[0, 0].numpy().transpose(axes)
        t = metadata["t"]
        yield path, t, np.ascontiguousarray(np.concatenate([stack[:1]] * t + [stack] + [stack[-1:]] * t))


def runtime(which, threads, folder, ct):
    work = []
    for path, t, stack in stacks(folder, ct):
        if which == "onnxruntime":
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            infer = lambda x, session=session: session.run(None, {"slices": x})
        else:
            import openvino

            settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
            network = openvino.Core().compile_model(str(path), "CPU", settings)
            infer = lambda x, network=network: network([x])
        work.append((infer, t, stack))

    def run():
        for infer, t, stack in work:
            for start in range(0, len(stack) - 2 * t, CHUNK):
                infer(stack[start : start + CHUNK + 2 * t])

    timed(run)


def program(ggpfn, arguments, threads, precision):
    """The program from start to end; wall, CPU and peak memory of its process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [ggpfn, "--quiet", "segment", *arguments[:1], str(Path(folder) / "mask.nii.gz"), *arguments[1:]]
        command += ["--threads", str(threads), "--precision", precision]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if status:
            sys.exit(f"{' '.join(command)} ended with {status}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}


def main():
    if len(sys.argv) > 2 and sys.argv[1] == "--child":
        which, threads, *rest = sys.argv[2:]
        (runtime if rest else peer)(which, int(threads), *rest)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct")
    parser.add_argument("--threads", type=int, nargs="+", default=[os.cpu_count()])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ggpfn", default=str(ROOT / "target" / "release" / "ggpfn"))
    given = parser.parse_args()
    os.environ.setdefault("GGPFN_PROGRAM", given.ggpfn)
    os.environ.setdefault("GGPFN_LIBRARY", str(Path(given.ggpfn).parent))
    sys.path.insert(0, str(PACKAGE))
    import ggpfn
    from ggpfn import onnx

    volume, spacing = load(given.ct)
    extent = [n * mm for n, mm in zip(volume.shape, spacing)]
    full = patches(extent, FULL_SPACING, FULL_PATCH)
    small = patches(extent, SMALL_SPACING, SMALL_PATCH)
    print(f"{given.ct}: {' x '.join(map(str, volume.shape[::-1]))} voxels, {[float(mm) for mm in spacing[::-1]]} mm")
    with tempfile.TemporaryDirectory() as folder:
        paper = str(Path(folder) / "paper.safetensors")
        subprocess.run([given.ggpfn, "new-model", paper], check=True, stdout=subprocess.DEVNULL)
        with ggpfn.Model.shipped() as model:
            for view in VIEWS:
                size = onnx.size_for(ggpfn.Image.read(given.ct), model, view=view)
                metadata = onnx.export(Path(folder) / f"{view}.onnx", model, view=view, size=size)
                (Path(folder) / f"{view}.json").write_text(json.dumps(metadata))
        for threads in given.threads:

            def child(*arguments, threads=threads):
                command = [sys.executable, __file__, "--child", arguments[0], str(threads), *arguments[1:]]
                return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

            def ours(*arguments, precision, threads=threads):
                return program(given.ggpfn, [given.ct, *arguments], threads, precision)

            rows = {
                "ggpfn, shipped model, three views": (lambda: ours(precision="auto"), 1),
                "ggpfn, shipped model, float32": (lambda: ours(precision="f32"), 1),
                "its networks in onnxruntime, float32": (lambda: child("onnxruntime", folder, given.ct), 1),
                "its networks in OpenVINO, float32": (lambda: child("openvino", folder, given.ct), 1),
                "ggpfn, the paper's network, three views": (lambda: ours("--model", paper, precision="auto"), 1),
                f"TotalSegmentator 3 mm, {small} patch": (lambda: child("small"), small),
                f"nnU-Net 3d_fullres, {full} patches (one timed)": (lambda: child("full"), full),
            }
            found = {name: [] for name in rows}
            for _ in range(given.repeats):
                for name, (measure, _) in rows.items():
                    found[name].append(measure())
            print(f"\n| {threads} threads | seconds | CPU seconds | peak MB |\n| --- | --- | --- | --- |")
            for name, (_, times) in rows.items():
                middle = {key: statistics.median(one[key] for one in found[name]) for key in ("wall", "cpu", "peak")}
                wall, cpu = (times * middle[key] for key in ("wall", "cpu"))
                print(f"| {name} | {wall:.1f} | {cpu:.1f} | {middle['peak'] / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main()
