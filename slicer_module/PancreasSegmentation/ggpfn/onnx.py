"""Writes one view's network as an ONNX file, for onnxruntime, OpenVINO, TensorRT and whatever else reads it.

    python -m ggpfn.onnx axial.onnx --view axial --like ct.nii.gz
    python -m ggpfn.onnx coronal.onnx --view coronal --size 160 176 --model own.safetensors

The network takes S slices and gives the probabilities of S - 2T of them, the first and last T being neighbours alone:

    input   slices       float32 [S, rows, columns]: Hounsfield units, in the patient's frame, at the model's spacing
    output  probability  float32 [labels, S - 2T, rows, columns], 0 to 1

Before the first and behind the last slice of a volume that slice is repeated T times. S is free; rows and columns are
fixed when the file is written. Batch normalisation is folded into the convolutions; window, padding and the global
branch's downsampling are part of the graph. The file's metadata has all that is to be done before and after it
(`ggpfn`, a JSON object). It needs `pip install ggpfn[onnx]`.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np

from . import _abi, _files
from .errors import Error
from .image import Image
from .model import Model
from .results import VIEWS

__all__ = ["export", "main", "size_for"]

OPSET = 18
IR_VERSION = 10
EPSILON = 1e-5
# The last index of a slice that goes on to the end.
END = 2**31 - 1
# Plain convolutions and residual blocks of the encoder's groups, and convolutions of the global branch's.
ENCODER = ((2, 0), (1, 1), (1, 2), (1, 2))
GLOBAL = (2, 2, 3, 3, 3)
# The axes of [z, y, x] that are a view's slices, rows and columns.
AXES = {"axial": (0, 1, 2), "sagittal": (2, 0, 1), "coronal": (1, 0, 2)}


def export(
    path: Any, model: Optional[Model] = None, *, view: str = "axial", size: Sequence[int] = (160, 160)
) -> dict[str, Any]:
    """Writes one view of a model (the shipped one if left out) as an ONNX file, and gives its metadata.

    size: rows and columns of the slices on the grid that the network works on; size_for computes them for an image.
    Raises Error where the model is no GGPFN or lacks the view, the size is not positive or the package onnx is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise Error("The package onnx is not installed: pip install ggpfn[onnx].") from error
    own = model is None
    model = model or Model.shipped()
    try:
        config, weights = _read(model.to_bytes("float32"))
        sha256 = model.info.sha256
    finally:
        if own:
            model.close()
    if "baseline" in config:
        raise Error(f"The model's network is {config['baseline']}; an ONNX file can be made of a GGPFN alone.")
    if view not in config["views"]:
        raise Error(f"The model has no view {view!r}; one of {', '.join(config['views'])} was expected.")
    rows, columns = (int(n) for n in size)
    if rows < 1 or columns < 1:
        raise Error(f"The size is {rows} x {columns}; two positive numbers, rows and columns, were expected.")
    prefix = view + "."
    own_weights = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
    graph = _Graph(config, own_weights, view, (rows, columns))
    probability = graph.network()
    metadata = _metadata(config, view, (rows, columns), sha256)
    labels = len(metadata["labels"])
    make = onnx.helper
    shapes: dict[str, list[Union[str, int]]] = {
        "slices": ["slices", rows, columns],
        "probability": [labels, "segmented_slices", rows, columns],
    }
    info = {name: make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    graph.node("Identity", [probability], output="probability")
    made = make.make_model(
        make.make_graph(graph.nodes, f"ggpfn {view}", [info["slices"]], [info["probability"]], graph.constants),
        opset_imports=[make.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="ggpfn",
        producer_version=_abi.VERSION,
        doc_string="For research, not for clinical use.",
    )
    make.set_model_props(made, {"ggpfn": json.dumps(metadata)})
    onnx.checker.check_model(made, full_check=True)
    _files.write(os.path.abspath(os.fspath(path)), made.SerializeToString())
    return metadata


def size_for(image: Any, model: Optional[Model] = None, *, view: str = "axial") -> tuple[int, int]:
    """Rows and columns of a view's slices of an image (whatever `ggpfn.segment` takes) on the model's grid."""
    own = model is None
    model = model or Model.shipped()
    try:
        spacing = model.configuration["spacing"]
    finally:
        if own:
            model.close()
    grid = Image.of(image).grid
    # The patient's axis, x, y or z, that each of i, j, k is nearest to; the library orders them alike.
    nearest = np.abs(np.asarray(grid.direction)).argmax(axis=0)
    if sorted(nearest) != [0, 1, 2]:
        raise Error("The image lies at 45 degrees to the patient's axes; give rows and columns.")
    extent = [0.0, 0.0, 0.0]
    count = [0, 0, 0]
    for axis in range(3):
        extent[2 - nearest[axis]] = grid.size[axis] * grid.spacing[axis]
        count[2 - nearest[axis]] = grid.size[axis]
    if spacing is not None:
        count = [max(1, int(np.floor(mm / step + 0.5))) for mm, step in zip(extent, spacing)]
    _, rows, columns = (count[axis] for axis in AXES[view])
    return rows, columns


def _read(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Configuration and float32 tensors of a model file."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    config = json.loads(header.pop("__metadata__")["ggpfn"])
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        array = np.frombuffer(data[8 + length + first : 8 + length + last], "<f4")
        tensors[name] = array.reshape(entry["shape"])
    return config, tensors


def _metadata(config: dict[str, Any], view: str, size: tuple[int, int], sha256: str) -> dict[str, Any]:
    """What has to be known to use the file."""
    t = config["t"]
    labels = config.get("labels") or {"labels": [{"value": 1, "name": "pancreas"}], "exclusive": False}
    total = sum(config["view_weights"][name] for name in config["views"])
    return {
        "ggpfn": _abi.VERSION,
        "model_sha256": sha256,
        "view": view,
        "t": t,
        "size": list(size),
        "spacing_mm_zyx": config["spacing"],
        "window_hu": config["window"],
        "labels": labels["labels"],
        "exclusive_labels": labels["exclusive"],
        "view_weight": config["view_weights"][view] / total,
        "threshold": config["threshold"],
        "before": [
            "permute and flip the CT to the LPS frame, [z, y, x] in Hounsfield units; never interpolate for that",
            "resample to spacing_mm_zyx where that is given: round(size * spacing / working spacing) voxels over the "
            "same extent, linear, with a kernel that is widened where voxels get fewer",
            {
                "axial": "slices are V[i, :, :]",
                "sagittal": "slices are V[:, :, i]",
                "coronal": "slices are V[:, i, :]",
            }[view],
            f"repeat the first and the last slice {t} times",
        ],
        "after": [
            "sum the views' probabilities by view_weight, resample linearly to the CT's own grid, undo the permutation",
            "a voxel belongs to the mask from the threshold on",
        ],
    }


class _Graph:
    """The nodes of a graph as they come."""

    def __init__(
        self, config: dict[str, Any], weights: dict[str, np.ndarray[Any, Any]], view: str, size: tuple[int, int]
    ) -> None:
        import onnx

        self.onnx = onnx
        self.config, self.weights, self.view, self.size = config, weights, view, size
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], output: Optional[str] = None, **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, value: Any, kind: Any = np.int64) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(value, kind), name))
        return name

    def floats(self, value: Any) -> str:
        return self.constant(value, np.float32)

    def part(self, x: str, axis: int, start: int, end: int) -> str:
        """x[start:end] along an axis; an end of 0 is the last one."""
        ends = [END if end == 0 else end]
        return self.node("Slice", [x, self.constant([start]), self.constant(ends), self.constant([axis])])

    def convolution(self, x: str, name: str, stride: int = 1, relu: bool = True) -> str:
        """Convolution and batch normalisation as one, computed in float64."""
        weight = self.weights[f"{name}.conv.weight"].astype(np.float64)
        mean, variance, gain, shift = (
            self.weights[f"{name}.bn.{part}"].astype(np.float64)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        scale = gain / np.sqrt(variance + EPSILON)
        weight *= scale.reshape([-1] + [1] * (weight.ndim - 1))
        # Nothing is padded along z.
        pads = [0, 1, 1, 0, 1, 1] if weight.ndim == 5 else [1, 1, 1, 1]
        strides = [stride] * (weight.ndim - 2)
        inputs = [x, self.floats(weight), self.floats(shift - mean * scale)]
        y = self.node("Conv", inputs, pads=pads, strides=strides, kernel_shape=weight.shape[2:])
        return self.node("Relu", [y]) if relu else y

    def network(self) -> str:
        """The whole of it, from `slices` to probabilities."""
        t = self.config["t"]
        low, high = self.config["window"]
        clipped = self.node("Clip", ["slices", self.floats(low), self.floats(high)])
        moved = self.node("Sub", [clipped, self.floats(low)])
        x = self.node("Div", [moved, self.floats(high - low)])
        own = self.part(x, 0, t, -t)
        rows, columns = self.size
        missing = [-rows % 8, -columns % 8]
        if any(missing):
            x = self.node("Pad", [x, self.constant([0, 0, 0, 0, *missing])], mode="edge")
        features = self.encoder(x)
        x = features[3]
        if self.config["global_widths"]:
            x = self.node("Concat", [x, self.guidance(own)], axis=1)
        x = self.convolution(x, "local.d4")
        for scale in (2, 1, 0):
            inputs = [x, self.floats(self.weights[f"local.up.{scale}.weight"])]
            inputs.append(self.floats(self.weights[f"local.up.{scale}.bias"]))
            up = self.node("ConvTranspose", inputs, strides=[2, 2], kernel_shape=[2, 2])
            x = self.convolution(self.node("Concat", [up, features[scale]], axis=1), f"local.dec.{scale}.0")
            x = self.convolution(x, f"local.dec.{scale}.1")
        head = [self.floats(self.weights["local.head.weight"]), self.floats(self.weights["local.head.bias"])]
        x = self.node("Sigmoid", [self.node("Conv", [x, *head], kernel_shape=[1, 1])])
        if any(missing):
            x = self.part(self.part(x, 2, 0, rows), 3, 0, columns)
        return self.node("Transpose", [x], perm=[1, 0, 2, 3])

    def encoder(self, x: str) -> list[str]:
        """The features of the slices to segment, [N, C, H, W], of each group."""
        t = self.config["t"]
        one_off = self.config["fusion"] == "one-off"
        if one_off:
            neighbours = [self.part(x, 0, k, k - 2 * t) for k in range(2 * t + 1)]
            planes = [self.node("Unsqueeze", [one, self.constant([1])]) for one in neighbours]
            # [N, 2T + 1, H, W]; behind the first layer [1, C, N, H, W] as in a progressive network.
            x = self.node("Concat", planes, axis=1)
        else:
            x = self.node("Unsqueeze", [x, self.constant([0, 1])])
        layer, deep = 0, 0 if one_off else t

        def convolution(x: str, name: str, relu: bool = True) -> str:
            nonlocal layer
            first, layer = layer == 0, layer + 1
            x = self.convolution(x, name, relu=relu)
            if one_off and first:
                x = self.node("Unsqueeze", [self.node("Transpose", [x], perm=[1, 0, 2, 3]), self.constant([0])])
            return x

        features = []
        for group, (plain, blocks) in enumerate(ENCODER):
            if group:
                x = self.node("MaxPool", [x], kernel_shape=[1, 2, 2], strides=[1, 2, 2])
            for number in range(plain):
                x = convolution(x, f"local.enc.{group}.plain.{number}")
            for number in range(blocks):
                before = layer
                name = f"local.enc.{group}.res.{number}"
                y = convolution(convolution(x, f"{name}.conv0"), f"{name}.conv1", relu=False)
                # Each convolution along z takes a slice at both ends.
                lost = min(layer, deep) - min(before, deep)
                skip = self.part(x, 2, lost, -lost) if lost else x
                x = self.node("Relu", [self.node("Add", [skip, y])])
            rest = deep - min(layer, deep)
            middle = self.part(x, 2, rest, -rest) if rest else x
            squeezed = self.node("Squeeze", [middle, self.constant([0])])
            features.append(self.node("Transpose", [squeezed], perm=[1, 0, 2, 3]))
        return features

    def guidance(self, slices: str) -> str:
        """The global branch's features at the pixels of the encoder's last group."""
        size = self.config["global_size"][self.view]
        x = self.node("Unsqueeze", [slices, self.constant([1])])
        # Runtimes differ in the last pixels of an antialiased Resize; a product with its weights is alike everywhere.
        rows, columns = (_downsampling(own, wanted) for own, wanted in zip(self.size, size))
        x = self.node("MatMul", [self.floats(rows), self.node("MatMul", [x, self.floats(columns.T)])])
        for group, count in enumerate(GLOBAL):
            if group:
                x = self.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
            for number in range(count):
                x = self.convolution(x, f"global.g.{group}.{number}", stride=2 if group == number == 0 else 1)
        rows, columns = (_sampling(-(-own // 8), own, whole // 32) for own, whole in zip(self.size, size))
        across = self.node("MatMul", [x, self.floats(columns.T)])
        return self.node("MatMul", [self.floats(rows), across])


def _sampling(pixels: int, own: int, coarse: int) -> np.ndarray[Any, Any]:
    """[pixels, coarse]: the weights by which pixels as large as 8 of a slice of `own` read its features."""
    centre = 8 * (np.arange(pixels) + 0.5) - 0.5
    place = np.clip((centre + 0.5) * coarse / own - 0.5, 0, coarse - 1)
    first = np.minimum(place.astype(int), coarse - 1)
    second = np.minimum(first + 1, coarse - 1)
    weights = np.zeros((pixels, coarse))
    weights[np.arange(pixels), first] += 1 - (place - first)
    weights[np.arange(pixels), second] += place - first
    return weights


def _downsampling(own: int, wanted: int) -> np.ndarray[Any, Any]:
    """[wanted, own]: the weights of bilinear resampling with half-pixel centres, antialiased where pixels get fewer."""
    scale = own / wanted
    support = max(scale, 1.0)
    weights = np.zeros((wanted, own))
    for pixel in range(wanted):
        centre = scale * (pixel + 0.5)
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), own)
        triangle = np.maximum(0, 1 - np.abs((np.arange(first, last) + 0.5 - centre) / support))
        weights[pixel, first:last] = triangle / triangle.sum()
    return weights


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ggpfn.onnx",
        description="Write one view's network as an ONNX file; its metadata say what to do before and after it.",
        epilog="Exit codes: 0 written; 2 model, image, options or file cannot be used. "
        "For research, not for clinical use.",
    )
    parser.add_argument("out", help="file to write", metavar="OUT.onnx")
    parser.add_argument("--view", help="axial, sagittal or coronal (default: axial)", default="axial", choices=VIEWS)
    size = parser.add_mutually_exclusive_group(required=True)
    text = "rows and columns of the slices on the model's grid"
    size.add_argument("--size", help=text, nargs=2, type=int, metavar=("ROWS", "COLUMNS"))
    size.add_argument("--like", help="take rows and columns from this CT", metavar="IMAGE")
    model = os.environ.get("GGPFN_MODEL") or None
    parser.add_argument("--model", help="the model; the shipped one if left out", metavar="FILE", default=model)
    parser.add_argument("--version", action="version", version=f"ggpfn {_abi.VERSION}")
    given = parser.parse_args(arguments)
    try:
        with Model.load(given.model) if given.model else Model.shipped() as network:
            rows, columns = given.size or size_for(given.like, network, view=given.view)
            export(given.out, network, view=given.view, size=(rows, columns))
    except (Error, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{given.out}: {given.view}, slices of {rows} x {columns}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
