"""What the tests of the Python package share: the package itself, a tiny network, a tiny image, other processes.

Run by tests/python_package.rs, or by hand:

    GGPFN_LIBRARY=target/release GGPFN_PROGRAM=target/release/ggpfn python3 -m unittest discover -s tests/python_package

The tests need numpy alone; where nibabel, SimpleITK or a C compiler is missing, those that want it skip. A reason that begins with
"not applicable: " is one that nothing to be installed would change.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "slicer_module" / "PancreasSegmentation"
SHARED = Path(os.environ.get("GGPFN_SHARED") or ROOT.parent / "shared")

sys.path.insert(0, str(MODULE))

import ggpfn  # noqa: E402

# A network of three views that computes in no time.
TINY = {
    "t": 2,
    "widths": [4, 4, 4, 4],
    "global_widths": [4, 4, 4, 4, 4],
    "global_size": {view: [32, 32] for view in ggpfn.VIEWS},
}

SPACING = (2.0, 2.5, 3.0)


def voxels():
    """[k, j, i] int16 of 12 x 20 x 24, numbers that fit into every type: a pattern with a bright box in it."""
    k, j, i = np.ogrid[:12, :20, :24]
    inside = (i > 6) & (i < 14) & (j > 5) & (j < 12) & (k > 2) & (k < 9)
    return np.where(inside, 120, (i * 7 + j * 13 + k * 29) % 60).astype(np.int16)


def tiny(engine):
    return engine.new_model(TINY, 1)


def has(module):
    return importlib.util.find_spec(module) is not None


def python(script, *arguments, **variables):
    """Runs a script in a Python of its own, with the package on its path; what it printed, and its status."""
    environment = {**os.environ, "PYTHONPATH": str(MODULE), "PYTHONIOENCODING": "utf-8"}
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = str(value)
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    return done.stdout.decode("utf-8"), done.returncode
