"""The notebook in examples, run as a person would: every cell works, and its pictures show something."""

import base64
import os
import struct
import tempfile
import unittest
from pathlib import Path

from common import MODULE, ROOT, has, python

PACKAGES = ("nbclient", "ipykernel", "matplotlib", "tqdm")

# In a Python of its own: the client sets the event loop's policy, and the kernel's variables.
RUN = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=500, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


class Notebook(unittest.TestCase):
    def test_it_runs_and_shows_pictures(self):
        missing = [name for name in PACKAGES if not has(name)]
        if missing:
            self.skipTest(f"{', '.join(missing)} is not there")
        import nbformat

        with tempfile.TemporaryDirectory() as folder:
            source, done = ROOT / "examples" / "pancreas.ipynb", Path(folder) / "done.ipynb"
            text, status = python(
                RUN,
                source,
                folder,
                done,
                PYTHONPATH=f"{MODULE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
                # Not the settings of whoever runs the tests; fonts are looked for in the folder, too.
                IPYTHONDIR=Path(folder) / "ipython",
                JUPYTER_CONFIG_DIR=Path(folder) / "jupyter",
                JUPYTER_RUNTIME_DIR=Path(folder) / "runtime",
                MPLCONFIGDIR=Path(folder) / "matplotlib",
            )
            self.assertEqual(status, 0, text[-3000:])
            notebook = nbformat.read(done, 4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        shown = [output.data for output in outputs if "image/png" in output.get("data", {})]
        pictures = [base64.b64decode(data["image/png"]) for data in shown]
        self.assertEqual(len(pictures), 2)
        for picture in pictures:
            width, height = struct.unpack(">II", picture[16:24])
            self.assertGreater(min(width, height), 200)
            # One colour alone packs to next to nothing.
            self.assertGreater(len(picture), 8000)
        said = "".join(output.get("text", "") for output in outputs if output.output_type == "stream")
        self.assertIn("expected Dice", said)
        keep = os.environ.get("GGPFN_KEEP_PICTURES")
        for number, picture in enumerate(pictures if keep else ()):
            Path(keep, f"notebook_{number}.png").write_bytes(picture)

    def test_it_is_committed_without_outputs(self):
        import json

        notebook = json.loads((ROOT / "examples" / "pancreas.ipynb").read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            self.assertFalse(cell.get("outputs"))
            self.assertIsNone(cell.get("execution_count"))


if __name__ == "__main__":
    unittest.main()
