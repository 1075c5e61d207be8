"""An independent implementation of the network in PyTorch, for comparing probabilities.

Usage: reference.py MODEL.safetensors CT.nii.gz VIEW OUT.npy [FIRST LAST]

Follows the network's published definition on its own: reads the model file with nothing but json and struct, computes
Algorithm 1 slice by slice, and writes the probabilities of one view as [slice, row, column] of the LPS frame.
"""
import json
import struct
import sys

import nibabel
import numpy as np
import torch
import torch.nn.functional as F


def load(path):
    data = open(path, "rb").read()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    config = json.loads(header.pop("__metadata__")["ggpfn"])
    kinds = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    tensors = {}
    for name, entry in header.items():
        a, b = entry["data_offsets"]
        raw = torch.frombuffer(bytearray(data[8 + n + a : 8 + n + b]), dtype=kinds[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"]).float()
    return config, tensors


class Reference:
    def __init__(self, config, tensors, view):
        self.c, self.t, self.view = config, {k[len(view) + 1 :]: v for k, v in tensors.items() if k.startswith(view + ".")}, view

    def bn(self, x, p):
        g = lambda n: self.t[f"{p}.bn.{n}"]
        return F.batch_norm(x, g("running_mean"), g("running_var"), g("weight"), g("bias"), False, 0.0, 1e-5)

    def conv(self, x, p, stride=1):
        w = self.t[p + ".conv.weight"]
        x = F.conv3d(x, w, padding=(0, 1, 1)) if w.dim() == 5 else F.conv2d(x, w, padding=1, stride=stride)
        return self.bn(x, p)

    def block(self, x, p):
        y = self.conv(F.relu(self.conv(x, p + ".conv0")), p + ".conv1")
        lost = (x.shape[2] - y.shape[2]) // 2
        return F.relu(x[:, :, lost : x.shape[2] - lost] + y)

    def encode(self, window):
        one_off = self.c["fusion"] == "one-off"
        x = window[None] if one_off else window[None, None]
        features = []
        for g, (plain, blocks) in enumerate([(2, 0), (1, 1), (1, 2), (1, 2)]):
            if g:
                x = F.max_pool3d(x, (1, 2, 2))
            for i in range(plain):
                x = F.relu(self.conv(x, f"local.enc.{g}.plain.{i}"))
                if x.dim() == 4:
                    x = x[:, :, None]
            for i in range(blocks):
                x = self.block(x, f"local.enc.{g}.res.{i}")
            features.append(x[:, :, x.shape[2] // 2])
        assert x.shape[2] == 1
        return features

    def slice(self, stack, i):
        h, w = stack.shape[1:]
        t = self.c["t"]
        index = np.clip(np.arange(i - t, i + t + 1), 0, len(stack) - 1)
        window = F.pad(stack[index][None], (0, -w % 8, 0, -h % 8), mode="replicate")[0]
        features = self.encode(window)
        x = features[3]
        if self.c["global_widths"]:
            size = self.c["global_size"][self.view]
            f = F.interpolate(stack[i][None, None], size=size, mode="bilinear", antialias=True, align_corners=False)
            for k, n in enumerate([2, 2, 3, 3, 3]):
                if k:
                    f = F.max_pool2d(f, 2)
                for j in range(n):
                    f = F.relu(self.conv(f, f"global.g.{k}.{j}", 2 if k == j == 0 else 1))
            rows = (8 * (torch.arange(x.shape[2], dtype=torch.float64) + 0.5)) / h * 2 - 1
            cols = (8 * (torch.arange(x.shape[3], dtype=torch.float64) + 0.5)) / w * 2 - 1
            grid = torch.stack(torch.meshgrid(rows, cols, indexing="ij")[::-1], -1)[None]
            sampled = F.grid_sample(f.double(), grid, mode="bilinear", padding_mode="border", align_corners=False)
            x = torch.cat([x, sampled.float()], 1)
        x = F.relu(self.conv(x, "local.d4"))
        for j in (2, 1, 0):
            up = F.conv_transpose2d(x, self.t[f"local.up.{j}.weight"], self.t[f"local.up.{j}.bias"], stride=2)
            x = F.relu(self.conv(torch.cat([up, features[j]], 1), f"local.dec.{j}.0"))
            x = F.relu(self.conv(x, f"local.dec.{j}.1"))
        x = F.conv2d(x, self.t["local.head.weight"], self.t["local.head.bias"])
        return torch.sigmoid(x)[0, 0, :h, :w]


def main(model, image, view, out, first=None, last=None):
    torch.set_grad_enabled(False)
    config, tensors = load(model)
    ct = nibabel.load(image)
    lps = nibabel.orientations.axcodes2ornt(("L", "P", "S"))
    ct = ct.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(ct.affine), lps))
    volume = np.ascontiguousarray(np.asarray(ct.dataobj, dtype=np.float32).T)  # [z, y, x]
    stack = volume.transpose({"axial": (0, 1, 2), "sagittal": (2, 0, 1), "coronal": (1, 0, 2)}[view])
    low, high = config["window"]
    stack = (torch.from_numpy(np.ascontiguousarray(stack)).clamp(low, high) - low) / (high - low)
    network = Reference(config, tensors, view)
    wanted = range(int(first or 0), int(last or len(stack)))
    np.save(out, np.stack([network.slice(stack, i).numpy() for i in wanted]))


if __name__ == "__main__":
    main(*sys.argv[1:])
