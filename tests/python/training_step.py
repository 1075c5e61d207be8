"""One training step in Python PyTorch, data included, as a careful user would write it.

Usage: training_step.py MODEL.safetensors FOLDER STEPS THREADS [DEVICE PATCH BATCH]

FOLDER holds image.npy (windowed, float32, [z, y, x]) and truth.npy (uint8). The steps are those of `cargo bench --bench training`: batches
of axial patches (two of 96 x 96 if not said otherwise) with all neighbouring slices, rotated and deformed, and the whole slice downsampled; forward, the loss of
equation (2), backward, Adam. A worker process makes batches ahead. Prints the seconds of each step as JSON.
"""

import importlib.util
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

spec = importlib.util.spec_from_file_location("reference", pathlib.Path(__file__).resolve().parent / "reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

DEVICE, PATCH, BATCH = "cpu", 96, 2
if len(sys.argv) > 5:
    DEVICE, PATCH, BATCH = sys.argv[5], int(sys.argv[6]), int(sys.argv[7])


class Patches(torch.utils.data.Dataset):
    """Random patches, rotated and elastically deformed by one sampling grid for image, truth and whole slice."""

    def __init__(self, folder, config, steps):
        self.image = torch.from_numpy(np.load(pathlib.Path(folder) / "image.npy"))
        self.truth = torch.from_numpy(np.load(pathlib.Path(folder) / "truth.npy")).float()
        self.t, self.size, self.steps = config["t"], config["global_size"]["axial"], steps

    def __len__(self):
        return BATCH * self.steps

    def __getitem__(self, index):
        random = np.random.default_rng(index)
        slices, h, w = self.image.shape
        i = int(random.integers(slices))
        top, left = int(random.integers(h - PATCH + 1)), int(random.integers(w - PATCH + 1))
        angle = random.uniform(-0.26, 0.26)
        coarse = torch.from_numpy(random.normal(0, 3, (1, 2, h // 16 + 2, w // 16 + 2))).float()
        shift = F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=True)[0]
        rows, columns = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float(), indexing="ij")
        r, c = rows - (top + PATCH / 2), columns - (left + PATCH / 2)
        r, c = np.cos(angle) * r - np.sin(angle) * c + top + PATCH / 2, np.sin(angle) * r + np.cos(angle) * c + left + PATCH / 2
        grid = torch.stack([(c + shift[1]) / (w - 1) * 2 - 1, (r + shift[0]) / (h - 1) * 2 - 1], -1)[None]
        patch = grid[:, top : top + PATCH, left : left + PATCH]
        around = self.image[np.clip(np.arange(i - self.t, i + self.t + 1), 0, slices - 1)]
        warp = lambda x, g: F.grid_sample(x[None], g, padding_mode="border", align_corners=True)[0]
        window = warp(around, patch)
        whole = warp(self.image[i][None], grid)
        truth = (warp(self.truth[i][None], grid) >= 0.5).float()
        small = F.interpolate(whole[None], size=self.size, mode="bilinear", antialias=True)[0]
        coarse_truth = F.adaptive_avg_pool2d(truth, [n // 32 for n in self.size])
        return window, truth[:, top : top + PATCH, left : left + PATCH], small, coarse_truth, torch.tensor([top, left])


class Network(reference.Reference):
    """The reference's layers, many samples at a time and with the batch's own statistics."""

    def bn(self, x, p):
        g = lambda n: self.t[f"{p}.bn.{n}"]
        return F.batch_norm(x, g("running_mean"), g("running_var"), g("weight"), g("bias"), True, 0.1, 1e-5)

    def loss(self, windows, truth, small, coarse_truth, places, slice_size):
        x = windows[:, None]
        features, side = [], []
        for g, (plain, blocks) in enumerate([(2, 0), (1, 1), (1, 2), (1, 2)]):
            if g:
                x = F.max_pool3d(x, (1, 2, 2))
            for i in range(plain):
                x = F.relu(self.conv(x, f"local.enc.{g}.plain.{i}"))
            for i in range(blocks):
                x = self.block(x, f"local.enc.{g}.res.{i}")
            features.append(x[:, :, x.shape[2] // 2])
            side.append(F.conv2d(features[g], self.t[f"local.aux.{g}.weight"], self.t[f"local.aux.{g}.bias"]))
        f = small
        for k, n in enumerate([2, 2, 3, 3, 3]):
            if k:
                f = F.max_pool2d(f, 2)
            for j in range(n):
                f = F.relu(self.conv(f, f"global.g.{k}.{j}", 2 if k == j == 0 else 1))
        coarse = F.conv2d(f, self.t["global.aux_f.weight"], self.t["global.aux_f.bias"])
        steps = 8 * (torch.arange(PATCH // 8, device=places.device) + 0.5)
        rows, columns = [(places[:, a, None] + steps) / slice_size[a] * 2 - 1 for a in (0, 1)]
        n = PATCH // 8
        grid = torch.stack([columns[:, None, :].expand(-1, n, -1), rows[:, :, None].expand(-1, -1, n)], -1)
        sampled = F.grid_sample(f, grid, padding_mode="border", align_corners=False)
        x = F.relu(self.conv(torch.cat([features[3], sampled], 1), "local.d4"))
        for j in (2, 1, 0):
            up = F.conv_transpose2d(x, self.t[f"local.up.{j}.weight"], self.t[f"local.up.{j}.bias"], stride=2)
            x = F.relu(self.conv(torch.cat([up, features[j]], 1), f"local.dec.{j}.0"))
            x = F.relu(self.conv(x, f"local.dec.{j}.1"))
        x = F.conv2d(x, self.t["local.head.weight"], self.t["local.head.bias"])
        entropy = F.binary_cross_entropy_with_logits
        total = entropy(x, truth) + 0.01 * entropy(coarse, coarse_truth)
        return total + sum(entropy(s, F.avg_pool2d(truth, 2**j)) for j, s in enumerate(side)) / 4


def main(model, folder, steps, threads, *_):
    torch.set_num_threads(int(threads))
    config, tensors = reference.load(model)
    network = Network(config, {k: v.to(DEVICE) for k, v in tensors.items()}, "axial")
    parameters = [v for k, v in network.t.items() if "running" not in k and "aux_fp" not in k]
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.Adam(parameters, lr=1e-4)
    data = Patches(folder, config, int(steps))
    loader = torch.utils.data.DataLoader(data, BATCH, num_workers=1, prefetch_factor=2)
    size, seconds, start = data.image.shape[1:], [], time.time()
    for batch in loader:
        loss = network.loss(*[part.to(DEVICE) for part in batch], size)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
        seconds.append(time.time() - start)
        start = time.time()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
