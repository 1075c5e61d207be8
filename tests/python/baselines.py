"""An independent implementation of the four baseline networks in numpy, for comparing logits.

    python baselines.py MODEL.safetensors INPUT.npy OUTPUT.npy [VIEW]
    python baselines.py count CONFIG

The first form computes one forward pass with the tensors of one view, axial by default. In and out:

    unet-patch    [N, 1, Z, Y, X]    [N, 2, Z - 88, Y - 88, X - 88]    every tile normalised by its own statistics
    unet-full     [N, 1, Z, Y, X]    [N, 1, Z, Y, X]                   sizes are multiples of 8
    fcn8s         [N, 3, H, W]       [N, 1, H, W]
    rstn          [1, 3, H, W]       [2, 3, H, W]                      coarse; fine, -1e7 outside of the crop

The second form prints how many trained parameters a network has, given its configuration as JSON. Running statistics do
not count, nor do the bilinear kernels, which no file holds.

All sums are in float64, so that a difference is the other side's. A model file must hold every tensor of its network,
of the right shape, and no other.
"""

import json
import math
import os
import struct
import sys

# Beside other work on the same cores, threads that wait for each other make these small products many times slower.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

EPSILON = 1e-5
MARGIN = 20
OUTSIDE = -1e7
# Pixels per matrix product, so that what each sees of its neighbours is never all in memory.
BLOCK = 2048


# Layers. Images are [N, C, ...] with two or three axes behind.


def convolution(x, weight, pad=0):
    """Correlates with a kernel of any rank at stride 1: one matrix product over all channels and offsets in the kernel.

    In a flattened image an offset is one distance for all pixels, so the pixels that it leads to are a plain slice.
    The results at the ends of rows, where the kernel would reach into the next row, are cut off.
    """
    x = np.pad(x, [(0, 0), (0, 0)] + [(pad, pad)] * (x.ndim - 2))
    size, kernel = x.shape[2:], weight.shape[2:]
    valid = [s - k + 1 for s, k in zip(size, kernel)]
    if min(valid) < 1:
        raise ValueError(f"a kernel of {kernel} does not fit into an image of {size}")
    steps = [math.prod(size[axis + 1 :]) for axis in range(len(size))]
    offsets = [sum(i * step for i, step in zip(index, steps)) for index in np.ndindex(*kernel)]
    matrix = weight.reshape(len(weight), -1)
    flat = x.reshape(*x.shape[:2], -1)
    ends = flat.shape[2] - offsets[-1]
    out = np.zeros((len(x), len(weight), flat.shape[2]))
    for image, result in zip(flat, out):
        for start in range(0, ends, BLOCK):
            end = min(start + BLOCK, ends)
            near = np.stack([image[:, start + offset : end + offset] for offset in offsets], 1)
            result[:, start:end] = matrix @ near.reshape(matrix.shape[1], -1)
    out = out.reshape(len(x), len(weight), *size)
    return out[(..., *(slice(v) for v in valid))]


def doubled(x, weight):
    """A transposed convolution with a kernel of 2 at stride 2, weight [in, out, 2, 2, 2]: no two results overlap."""
    out = np.empty((len(x), weight.shape[1], *(2 * s for s in x.shape[2:])))
    flat = x.reshape(*x.shape[:2], -1)
    for index in np.ndindex(*weight.shape[2:]):
        part = weight[(..., *index)].T @ flat
        out[(..., *(slice(i, None, 2) for i in index))] = part.reshape(*part.shape[:2], *x.shape[2:])
    return out


def bilinear(x, stride):
    """A transposed convolution of each map with the bilinear kernel of twice the stride, one axis after the other."""
    kernel = 1 - np.abs(np.arange(2 * stride) - (stride - 0.5)) / stride
    for axis in (2, 3):
        x = np.moveaxis(x, axis, -1)
        out = np.zeros((*x.shape[:-1], (x.shape[-1] + 1) * stride))
        for i, value in enumerate(kernel):
            out[..., i : i + x.shape[-1] * stride : stride] += value * x
        x = np.moveaxis(out, -1, axis)
    return x


def max_pool(x, ceil=False):
    """The largest of each 2 x 2 (x 2), where `ceil` lets the last window of an odd axis hold one pixel less."""
    for axis in range(2, x.ndim):
        x = np.moveaxis(x, axis, -1)
        if x.shape[-1] % 2:
            if not ceil:
                raise ValueError(f"an axis of {x.shape[-1]} pixels cannot be halved")
            x = np.concatenate([x, np.full_like(x[..., :1], -np.inf)], -1)
        x = np.moveaxis(np.maximum(x[..., 0::2], x[..., 1::2]), -1, axis)
    return x


def relu(x):
    return np.maximum(x, 0)


def along_channels(values, x):
    return values.reshape(-1, *[1] * (x.ndim - 2))


def central(x, size):
    """The middle of an image."""
    margins = [have - want for have, want in zip(x.shape[2:], size)]
    if any(m < 0 or m % 2 for m in margins):
        raise ValueError(f"{size} does not lie in the middle of {x.shape[2:]}")
    return x[(..., *(slice(m // 2, m // 2 + s) for m, s in zip(margins, size)))]


class Tensors:
    """The tensors below one name, and the layers that are made of them."""

    def __init__(self, tensors, prefix="", own_statistics=False):
        self.tensors, self.prefix, self.own_statistics = tensors, prefix, own_statistics

    def below(self, name):
        return Tensors(self.tensors, f"{self.prefix}{name}.", self.own_statistics)

    def __contains__(self, name):
        return self.prefix + name in self.tensors

    def __getitem__(self, name):
        return self.tensors[self.prefix + name].astype(np.float64)

    def finished(self, x, name):
        """Adds the bias and normalises, each where the layer has it."""
        if f"{name}.bias" in self:
            x = x + along_channels(self[f"{name}.bias"], x)
        if f"{name}.bn.weight" not in self:
            return x
        if self.own_statistics:
            axes = tuple(range(2, x.ndim))
            mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        else:
            mean, variance = (along_channels(self[f"{name}.bn.running_{what}"], x) for what in ("mean", "var"))
        scale, shift = (along_channels(self[f"{name}.bn.{what}"], x) for what in ("weight", "bias"))
        return (x - mean) / np.sqrt(variance + EPSILON) * scale + shift

    def conv(self, x, name, pad=0):
        return self.finished(convolution(x, self[f"{name}.weight"], pad), name)

    def up(self, x, name):
        return self.finished(doubled(x, self[f"{name}.weight"]), name)


# Networks.


def unet_patch(t, x):
    skips = []
    for level in range(4):
        if level:
            skips.append(x)
            x = max_pool(x)
        for layer in "bc":
            x = relu(t.conv(x, f"d{level}{layer}"))
    for level in (2, 1, 0):
        x = relu(t.up(x, f"u{level}a"))
        x = np.concatenate([x, central(skips[level], x.shape[2:])], 1)
        for layer in "cd":
            x = relu(t.conv(x, f"u{level}{layer}"))
    return t.conv(x, "score")


def unet_full(t, x):
    def pair(x, name):
        for i in range(2):
            x = relu(t.conv(x, f"{name}.{i}", pad=1))
        return x

    skips = []
    for level in range(4):
        if level:
            skips.append(x)
            x = max_pool(x)
        x = pair(x, f"e{level}")
    for level in (2, 1, 0):
        x = pair(t.up(x, f"up{level}") + skips[level], f"d{level}")
    return t.conv(x, "score")


def fcn8s(t, x):
    height, width = x.shape[2:]
    pools = {}
    for group, layers in enumerate([2, 2, 3, 3, 3], 1):
        for layer in range(1, layers + 1):
            x = relu(t.conv(x, f"conv{group}_{layer}", pad=100 if group == layer == 1 else 1))
        x = pools[group] = max_pool(x, ceil=True)
    for name in ("fc6", "fc7"):
        x = relu(t.conv(x, name))
    x = bilinear(t.conv(x, "score_fr"), 2)
    for group, crop, stride in ((4, 5, 2), (3, 9, 8)):
        score = t.conv(pools[group], f"score_pool{group}")
        x = bilinear(x + score[:, :, crop : crop + x.shape[2], crop : crop + x.shape[3]], stride)
    return x[:, :, 31 : 31 + height, 31 : 31 + width]


def rstn(t, x):
    if len(x) != 1:
        raise ValueError(f"rstn takes one slice at a time, not {len(x)}")
    coarse = fcn8s(t.below("coarse"), x)
    probability = 1 / (1 + np.exp(-coarse))
    saliency = t.conv(relu(t.conv(probability, "saliency1", pad=1)), "saliency2", pad=2)
    fine = np.full_like(coarse, OUTSIDE)
    _, _, *inside = np.nonzero(probability >= 0.5)
    if len(inside[0]):
        # Negative ends would count from the other side; ends beyond the slice are cut by the slicing itself.
        box = (..., *(slice(max(at.min() - MARGIN, 0), at.max() + MARGIN + 1) for at in inside))
        fine[box] = fcn8s(t.below("fine"), (x * saliency)[box])
    return np.concatenate([coarse, fine])


NETWORKS = {"unet-patch": unet_patch, "unet-full": unet_full, "fcn8s": fcn8s, "rstn": rstn}


# What the networks are made of.


def shapes(config):
    """The shape of every tensor of a network, by name."""
    tensors = {}

    def layer(name, shape, *, bias, channels=None, normalised=False):
        channels = channels or shape[0]
        tensors[f"{name}.weight"] = shape
        if bias:
            tensors[f"{name}.bias"] = (channels,)
        if normalised:
            for what in ("weight", "bias", "running_mean", "running_var"):
                tensors[f"{name}.bn.{what}"] = (channels,)

    def fcn(prefix, maps):
        normal = {"bias": not config["scratch"], "normalised": config["scratch"]}
        before = 3
        for group, (count, factor) in enumerate([(2, 1), (2, 2), (3, 4), (3, 8), (3, 8)], 1):
            for i in range(1, count + 1):
                layer(f"{prefix}conv{group}_{i}", (factor * width, before, 3, 3), **normal)
                before = factor * width
        layer(f"{prefix}fc6", (64 * width, 8 * width, 7, 7), **normal)
        layer(f"{prefix}fc7", (64 * width, 64 * width, 1, 1), **normal)
        for name, factor in (("score_fr", 64), ("score_pool4", 8), ("score_pool3", 4)):
            layer(prefix + name, (maps, factor * width, 1, 1), bias=True)

    baseline, width = config["baseline"], config["width"]
    if baseline == "unet-patch":
        for level in range(4):
            narrow, wide = width << level, width << level + 1
            layer(f"d{level}b", (narrow, narrow if level else 1, 3, 3, 3), bias=not level, normalised=True)
            layer(f"d{level}c", (wide, narrow, 3, 3, 3), bias=False, normalised=True)
        for level in (2, 1, 0):
            narrow, wide = 2 * width << level, 4 * width << level
            layer(f"u{level}a", (wide, wide, 2, 2, 2), bias=False, normalised=True)
            layer(f"u{level}c", (narrow, wide + narrow, 3, 3, 3), bias=False, normalised=True)
            layer(f"u{level}d", (narrow, narrow, 3, 3, 3), bias=False, normalised=True)
        layer("score", (2, 2 * width, 1, 1, 1), bias=True)
    elif baseline == "unet-full":
        for level in range(4):
            narrow, wide = width << level, width << level + 1
            layer(f"e{level}.0", (narrow, narrow if level else 1, 3, 3, 3), bias=True, normalised=True)
            layer(f"e{level}.1", (wide, narrow, 3, 3, 3), bias=True, normalised=True)
        for level in (2, 1, 0):
            narrow, wide = 2 * width << level, 4 * width << level
            layer(f"up{level}", (wide, narrow, 2, 2, 2), channels=narrow, bias=True)
            for i in range(2):
                layer(f"d{level}.{i}", (narrow, narrow, 3, 3, 3), bias=True, normalised=True)
        layer("score", (1, 2 * width, 1, 1, 1), bias=True)
    elif baseline == "fcn8s":
        fcn("", 1)
    elif baseline == "rstn":
        fcn("coarse.", 3)
        layer("saliency1", (3, 3, 3, 3), bias=True)
        layer("saliency2", (3, 3, 5, 5), bias=True)
        fcn("fine.", 3)
    else:
        raise ValueError(f"{baseline!r} is none of {', '.join(NETWORKS)}")
    return tensors


def parameters(config):
    return sum(math.prod(shape) for name, shape in shapes(config).items() if ".running_" not in name)


def load(path, view):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    config = json.loads(header.pop("__metadata__")["ggpfn"])
    tensors = {}
    for name, entry in header.items():
        if name.startswith(f"{view}."):
            if entry["dtype"] != "F32":
                raise ValueError(f"{name} is {entry['dtype']}, not F32")
            start, end = entry["data_offsets"]
            tensors[name[len(view) + 1 :]] = np.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    expected = shapes(config)
    for name in sorted(expected.keys() | tensors.keys()):
        have, want = tensors[name].shape if name in tensors else None, expected.get(name)
        if have != want:
            raise ValueError(f"{path}: {view}.{name} has the shape {have}, expected {want}")
    return config, tensors


def main(model, image, out, view="axial"):
    config, tensors = load(model, view)
    baseline = config["baseline"]
    x = np.load(image).astype(np.float64)
    axes, channels = (5, 1) if baseline.startswith("unet") else (4, 3)
    if x.ndim != axes or x.shape[1] != channels:
        raise ValueError(f"{baseline} takes {axes} axes with {channels} channels, not {x.shape}")
    own_statistics = baseline == "unet-patch"
    result = NETWORKS[baseline](Tensors(tensors, own_statistics=own_statistics), x)
    np.save(out, result.astype(np.float32))


if __name__ == "__main__":
    if sys.argv[1] == "count":
        print(parameters(json.loads(sys.argv[2])))
    else:
        main(*sys.argv[1:])
