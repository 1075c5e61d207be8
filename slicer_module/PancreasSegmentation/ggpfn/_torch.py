"""The libtorch of the environment's own PyTorch, for a package that brings library and program but no libtorch.

PyTorch is looked up and not imported, which takes seconds. Its libtorch is loaded by its path before libggpfn is: the
system's loader then takes that one for libggpfn, and an `import torch` before or after finds the same. So the process
holds one libtorch.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from typing import Optional

PACKAGE = os.path.dirname(os.path.abspath(__file__))
# What a wheel has beside a library that is to use PyTorch's libtorch. Where it is missing, as in 3D
# Slicer's extension, a PyTorch of any version may be in the environment, and must not be touched.
MARK = os.path.join(PACKAGE, "lib", "uses-torch.txt")
# In the order in which they need one another.
LIBRARIES = ("libc10.so", "libtorch_cpu.so")


def folder() -> Optional[str]:
    """The folder with libtorch's libraries of the environment's PyTorch; None without one."""
    module = sys.modules.get("torch")
    place = getattr(module, "__file__", None)
    if place is None:
        try:
            found = importlib.util.find_spec("torch")
        except (ImportError, ValueError):
            found = None
        place = found.origin if found is not None else None
    libraries = os.path.join(os.path.dirname(os.path.abspath(place)), "lib") if place else ""
    return libraries if os.path.isfile(os.path.join(libraries, LIBRARIES[-1])) else None


def is_for(path: str) -> bool:
    """Whether a library or program is to use PyTorch's libtorch: a wheel's, where PyTorch is there."""
    above = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    return above == os.path.realpath(PACKAGE) and os.path.isfile(MARK) and folder() is not None


def load() -> None:
    """Loads libtorch into this process; once it is there, this finds it. Raises OSError."""
    libraries = folder()
    if libraries is not None:
        for name in LIBRARIES:
            ctypes.CDLL(os.path.join(libraries, name))


def environment(program: str, variables: dict[str, str]) -> dict[str, str]:
    """The variables for a program: where it is to use PyTorch's libtorch, with the loader's path to that."""
    libraries = folder() if is_for(program) else None
    if libraries is None:
        return variables
    before = variables.get("LD_LIBRARY_PATH")
    return {**variables, "LD_LIBRARY_PATH": f"{libraries}{os.pathsep}{before}" if before else libraries}


def main() -> None:
    """The console script `ggpfn`: becomes the package's program."""
    from . import _process

    program = os.path.join(PACKAGE, "bin", _process.NAME)
    if not os.access(program, os.X_OK):
        sys.exit(f"ggpfn: {program} is not there; this package was installed without its program.")
    os.execve(program, [program, *sys.argv[1:]], environment(program, dict(os.environ)))
