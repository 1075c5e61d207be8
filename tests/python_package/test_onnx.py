"""ONNX files: onnxruntime gives from them what the library gives."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
from common import ROOT, SPACING, TINY, ggpfn, has, voxels
from ggpfn import onnx as export

# The axes of [z, y, x] that are a view's slices, rows and columns.
AXES = {"axial": (0, 1, 2), "sagittal": (2, 0, 1), "coronal": (1, 0, 2)}


@unittest.skipUnless(has("onnx") and has("onnxruntime"), "onnx and onnxruntime are not installed")
class Export(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ggpfn ü ")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_onnx(self, path, stack, t):
        """Probabilities [labels, slices, rows, columns] of a view's slices."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        padded = np.concatenate([stack[:1]] * t + [stack] + [stack[-1:]] * t).astype(np.float32)
        self.assertEqual(json.loads(session.get_modelmeta().custom_metadata_map["ggpfn"])["t"], t)
        return session.run(["probability"], {"slices": padded})[0]

    def check(self, configuration, labels=1):
        engine = ggpfn.shared()
        array = voxels()
        with engine.new_model(configuration, 3) as model:
            found = ggpfn.segment(
                ggpfn.Image(array, SPACING), model, view_probabilities=True, precision="float32", device="cpu"
            )
            for view, axes in AXES.items():
                path = self.folder / f"{view}.onnx"
                size = export.size_for(ggpfn.Image(array, SPACING), model, view=view)
                stack = array.transpose(axes)
                self.assertEqual(size, stack.shape[1:])
                metadata = export.export(path, model, view=view, size=size)
                self.assertEqual(metadata["model_sha256"], model.info.sha256)
                given = self.run_onnx(path, stack, configuration["t"])
                self.assertEqual(given.shape, (labels, *stack.shape))
                expected = found.view_probabilities[view].transpose(axes)
                self.assertGreater(np.ptp(expected), 1e-3)
                self.assertLess(np.abs(given[0] - expected).max(), 1e-5, view)

    def test_a_progressive_network(self):
        self.check(TINY)

    def test_a_deep_one(self):
        self.check({**TINY, "t": 7, "widths": [4, 6, 8, 10]})

    def test_a_one_off_network(self):
        self.check({**TINY, "t": 3, "fusion": "one-off"})

    def test_a_network_without_global_guidance(self):
        self.check({**TINY, "global_widths": None})

    def test_the_snippet_of_onnx_md(self):
        text = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
        snippet = text.split("```python", 1)[1].split("\n", 1)[1].split("```", 1)[0]
        volume = voxels()
        with ggpfn.shared().new_model(TINY, 3) as model:
            export.export(self.folder / "axial.onnx", model, view="axial", size=volume.shape[1:])
        names, before = {"volume": volume}, os.getcwd()
        os.chdir(self.folder)
        try:
            exec(snippet, names)
        finally:
            os.chdir(before)
        self.assertEqual(names["probability"].shape, (1, *volume.shape))

    def test_the_command_and_what_it_refuses(self):
        def run(*arguments):
            with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
                return export.main([str(argument) for argument in arguments]), errors.getvalue()

        model = self.folder / "tiny.safetensors"
        with ggpfn.shared().new_model({**TINY, "views": ["axial", "coronal"]}, 1) as tiny:
            tiny.save(model)
        other = self.folder / "other.safetensors"
        fcn8s = {"baseline": "fcn8s", "width": 1, "scratch": True, "views": ["axial"]}
        with ggpfn.shared().new_model(fcn8s, 1) as fcn:
            self.assertFalse(fcn.info.progressive or fcn.info.global_guidance)
            fcn.save(other)
        out = self.folder / "net.onnx"
        self.assertEqual(run(out, "--view", "coronal", "--size", 20, 24, "--model", model), (0, ""))
        written = out.read_bytes()
        for arguments, said in [
            ((out, "--view", "sagittal", "--size", 20, 24, "--model", model), "no view 'sagittal'"),
            ((out, "--size", 20, 24, "--model", other), "network is fcn8s"),
            ((out, "--size", 0, 24, "--model", model), "0 x 24"),
            ((out, "--size", 20, 24, "--model", self.folder / "none"), "none"),
            ((self.folder / "no" / "net.onnx", "--size", 20, 24, "--model", model), "net.onnx"),
        ]:
            code, errors = run(*arguments)
            self.assertEqual(code, 2, errors)
            self.assertIn(said, errors)
        self.assertEqual(out.read_bytes(), written)
        left = sorted(path.name for path in self.folder.iterdir())
        self.assertEqual(left, ["net.onnx", "other.safetensors", "tiny.safetensors"])


if __name__ == "__main__":
    unittest.main()
