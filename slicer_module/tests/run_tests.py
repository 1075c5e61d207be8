#!/usr/bin/env python3
"""Runs the tests of the 3D Slicer module without Slicer: `run_tests.py [PYTHON ...]`.

Each PYTHON is an interpreter that has slicer-core, numpy and PySide6-Essentials; without one, this interpreter is
used. Every Python file of the extension is compiled by each of them too. GGPFN_LIBRARY names the library or its folder
and GGPFN_PROGRAM the program; without them they are searched as the package ggpfn does.

    python3.11 -m venv slicer
    slicer/bin/pip install slicer-core==5.11.0.6 numpy "PySide6-Essentials<6.9" trame-slicer slicer-layer-dm
    slicer_module/tests/run_tests.py slicer/bin/python

(PySide6 6.12 counts references to None wrongly under Python 3.11. trame-slicer and slicer-layer-dm render slices and
surfaces; without them those tests skip.) With GGPFN_SLICER_SOURCE, the folder of a checkout of Slicer's source,
Slicer's own Python is used in the place of stand-ins for it: 5.8.1 and main were. With SLICER_EXECUTABLE set, the
tests that need no stand-ins run inside that Slicer as well. What skips is recorded as recorded.py says.
"""

import os
import subprocess
import sys
from pathlib import Path

import recorded

EXTENSION = Path(__file__).resolve().parents[1]
TESTS = EXTENSION / "PancreasSegmentation" / "Testing" / "Python"

COMPILE = "import sys; [compile(open(p, encoding='utf-8').read(), p, 'exec') for p in sys.argv[1:]]"


def main(interpreters):
    failed = []
    for python in interpreters or [sys.executable]:
        for title, command in commands(python):
            print(f"== {title} ({python})", flush=True)
            if subprocess.run(command, cwd=TESTS, env=environment()).returncode:
                failed.append(f"{title} ({python})")
    slicer = os.environ.get("SLICER_EXECUTABLE")
    if slicer:
        print(f"== in Slicer ({slicer})", flush=True)
        if subprocess.run(in_slicer(slicer)).returncode:
            failed.append(f"in Slicer ({slicer})")
    else:
        recorded.record("run_tests: in Slicer", "not applicable: SLICER_EXECUTABLE is not set")
    if "GGPFN_SLICER_SOURCE" not in os.environ:
        recorded.record("run_tests: with Slicer's own Python", "not applicable: GGPFN_SLICER_SOURCE is not set")
    for title in failed:
        print(f"FAILED: {title}")
    return 1 if failed else 0


def commands(python):
    files = sorted(str(path) for path in EXTENSION.rglob("*.py"))
    yield "compiling", [python, "-c", COMPILE, *files]
    # A process for each file: what one leaves behind must not help another.
    for path in sorted(TESTS.glob("test_*.py")):
        yield path.stem, [python, "-W", "error::SyntaxWarning", recorded.__file__, path.stem]


def environment():
    paths = [str(TESTS), str(EXTENSION / "PancreasSegmentation"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QT_QPA_PLATFORM": "offscreen",
    }


def in_slicer(slicer):
    module = EXTENSION / "PancreasSegmentation"
    code = (
        f"import sys, unittest; sys.path[:0] = {[str(TESTS), str(module), str(EXTENSION / 'tests')]!r}; "
        "from recorded import Runner; "
        f"suite = unittest.defaultTestLoader.discover({str(TESTS)!r}, 'test_*.py'); "
        "slicer.util.exit(0 if Runner().run(suite).wasSuccessful() else 1)"
    )
    return [slicer, "--no-splash", "--no-main-window", "--additional-module-paths", str(module), "--python-code", code]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
