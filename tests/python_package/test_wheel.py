"""The wheel, made of the library and the program under test, installed into an empty environment and used there."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest
import zipfile
from pathlib import Path

from common import MODULE, ROOT, has

sys.path.insert(0, str(ROOT / "slicer_module" / "tools"))

import make_wheel

# What a notebook does, with torch imported first, last, or not at all; prints what it found.
USE = """
import json, sys
order = sys.argv[1]
if order == "first":
    import torch
import ggpfn
import numpy as np

assert "torch" in sys.modules if order == "first" else "torch" not in sys.modules
tiny = {"t": 2, "widths": [4] * 4, "global_widths": [4] * 5, "global_size": {view: [32, 32] for view in ggpfn.VIEWS}}
k, j, i = np.ogrid[:12, :20, :24]
image = ggpfn.Image(((i * 7 + j * 13 + k * 29) % 160).astype(np.int16), (2, 2.5, 3))
masks = []
for kind in ("auto", "child process"):
    with ggpfn.open_engine(kind) as engine:
        masks.append(engine.segment(image, engine.new_model(tiny, 1), precision="float32").mask)
        said = engine.runtime()
        print(json.dumps([engine.kind, said.library or said.program, said.libtorch]))
assert masks[0].any() and (masks[0] == masks[1]).all()
if order == "last":
    import torch
if order != "never":
    assert float(torch.ones(8, 8).sum()) == 64
    with ggpfn.open_engine() as engine:
        again = engine.segment(image, engine.new_model(tiny, 1), precision="float32").mask
    assert (again == masks[0]).all()
maps = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "libtorch_cpu.so" in line}
print(json.dumps(sorted(maps)))
"""


def torch_folder():
    """The folder of the torch that this Python has, without importing it."""
    found = importlib.util.find_spec("torch")
    return Path(found.origin).parent if found is not None else None


def torch_can_be_imported():
    command = [sys.executable, "-c", "import torch"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600).returncode == 0


def sources():
    """The files in the extension's folder; what Python keeps of any import is not a build's."""
    return sorted(str(path) for path in MODULE.parent.rglob("*") if "__pycache__" not in path.parts)


def binaries():
    return Path(os.environ["GGPFN_LIBRARY"]), Path(os.environ["GGPFN_PROGRAM"])


@unittest.skipUnless(sys.platform == "linux", "not applicable: wheels are for Linux")
@unittest.skipUnless(os.uname().machine == "x86_64", "not applicable: wheels are for x86-64")
class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if torch_folder() is None:
            raise unittest.SkipTest("this Python has no torch")
        folder = tempfile.TemporaryDirectory(prefix="größe (1) ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.before = sources()
        # Debug builds are large; how well they are compressed does not matter here.
        cls.wheel = make_wheel.make(cls.folder / "out", *binaries(), level=1)
        cls.python = cls.folder / "environment" / "bin" / "python"
        run(sys.executable, "-m", "venv", "--without-pip", cls.folder / "environment")
        run(sys.executable, "-m", "pip", "--python", cls.python, "install", "--no-deps", "--no-index", "-q", cls.wheel)
        # torch and numpy of this Python, as if they were installed there: torch alone has some gigabytes.
        site = run(cls.python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip()
        cls.site = Path(site)
        (cls.site / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")

    def use(self, order):
        lines = [json.loads(line) for line in run(self.python, "-c", USE, order).splitlines()]
        (kind, library, libtorch), (child, program, its_libtorch), maps = lines
        self.assertEqual((kind, child), ("in process", "child process"))
        self.assertTrue(Path(library).is_relative_to(self.site / "ggpfn" / "lib"), library)
        self.assertTrue(Path(program).is_relative_to(self.site / "ggpfn" / "bin"), program)
        # One libtorch, and it is torch's.
        expected = os.path.realpath(torch_folder() / "lib" / "libtorch_cpu.so")
        self.assertEqual({os.path.realpath(path) for path in (libtorch, its_libtorch, *maps)}, {expected})

    def test_without_an_import_of_torch(self):
        self.use("never")

    def test_torch_is_imported_first_and_last(self):
        if not torch_can_be_imported():
            self.skipTest("not applicable: the torch of the tests is libtorch alone, without CUDA's libraries")
        self.use("first")
        self.use("last")

    def test_torch_is_missing(self):
        (self.site / "others.pth").rename(self.site / "others")
        try:
            numpy = f"import sys; sys.path.append({str(self.folder / 'numpy')!r})"
            (self.folder / "numpy").mkdir()
            for name in os.listdir(sysconfig.get_paths()["purelib"]):
                if name.startswith("numpy"):
                    (self.folder / "numpy" / name).symlink_to(Path(sysconfig.get_paths()["purelib"]) / name)
            script = f"""{numpy}
import ggpfn
try:
    ggpfn.open_engine("in process")
except ggpfn.WrongLibrary as error:
    print(error)
"""
            self.assertIn("install torch", run(self.python, "-c", script))
        finally:
            (self.site / "others").rename(self.site / "others.pth")

    def test_the_console_script(self):
        script = self.python.parent / "ggpfn"
        self.assertIn("Nothing is wrong", run(script, "doctor"))
        version = make_wheel.version()
        self.assertIn(version, run(script, "--version"))
        done = subprocess.run([script, "segment"], capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 2)

    def test_what_it_says_of_itself(self):
        text = run(self.python, "-c", "import importlib.metadata as m; print(m.metadata('ggpfn'))")
        self.assertIn("Requires-Dist: torch==2.11.*", text)
        self.assertIn('Requires-Dist: distributed>=2024.1; extra == "cohort"', text)
        self.assertIn('Requires-Dist: pynetdicom>=3.0; extra == "node"', text)
        self.assertIn("License-Expression: MIT OR Apache-2.0", text)
        self.assertIn("# ggpfn", text)
        extension = (ROOT / "slicer_module" / "CMakeLists.txt").read_text(encoding="utf-8")
        owner = extension.split('ACCOUNT "')[1].split('"')[0]
        self.assertIn(f"https://github.com/{owner}/", text)
        self.assertRegex(self.wheel.name, r"^ggpfn-[\d.]+-py3-none-manylinux_2_\d\d_x86_64.whl$")

    def test_no_run_path_leads_elsewhere(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            for name in wheel.namelist():
                data = wheel.read(name)
                if data[:4] == b"\x7fELF":
                    paths = [path for _, path in make_wheel.run_paths(data)]
                    self.assertEqual(paths, ["$ORIGIN:$ORIGIN/../lib"], name)

    def test_the_glibc_is_what_the_loader_says(self):
        """Against objdump's reading of the same files."""
        if shutil.which("objdump") is None:
            self.skipTest("there is no objdump")
        for path in binaries():
            libraries, versions = make_wheel.needed_by(path)
            said = run("objdump", "-p", path)
            self.assertEqual(libraries, [line.split()[1] for line in said.splitlines() if "NEEDED" in line])
            glibc = [line.split("GLIBC_")[1].split()[0] for line in said.splitlines() if " GLIBC_" in line]
            numbers = [tuple(map(int, one.split("."))) for one in glibc if one[0].isdigit()]
            self.assertEqual(versions["GLIBC"], max(numbers))

    def test_nothing_is_left_in_the_sources(self):
        made = self.folder / "pure"
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation",
            "-w", made, MODULE.parent)  # fmt: skip
        (pure,) = made.iterdir()
        self.assertTrue(pure.name.endswith("-py3-none-any.whl"))
        with zipfile.ZipFile(pure) as wheel:
            names = wheel.namelist()
        self.assertIn("ggpfn/py.typed", names)
        self.assertFalse([name for name in names if "/lib/" in name or "/bin/" in name])
        self.assertEqual(sources(), self.before)

    def test_what_cannot_be_in_a_wheel(self):
        with self.assertRaisesRegex(make_wheel.Unfit, "no ELF file"):
            make_wheel.platform_of([Path(__file__)])


class Types(unittest.TestCase):
    @unittest.skipUnless(has("mypy"), "mypy is not there")
    def test_hints_are_complete(self):
        """mypy --strict over the package and over an example."""
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--ignore-missing-imports"]
                + ["--cache-dir", cache, "-p", "ggpfn", "-m", "notebook_example"],
                env={**os.environ, "MYPYPATH": f"{MODULE}{os.pathsep}{ROOT / 'examples'}"},
                cwd=cache,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=600,
            )
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_signatures_name_every_option(self):
        import inspect

        import ggpfn

        for name in ggpfn.__all__:
            one = getattr(ggpfn, name)
            if inspect.isfunction(one):
                kinds = [parameter.kind for parameter in inspect.signature(one).parameters.values()]
                self.assertNotIn(inspect.Parameter.VAR_KEYWORD, kinds, name)
        # The function, the method and the checks know the same options.
        options = set(ggpfn.Options.__dataclass_fields__)
        for function in (ggpfn.segment, ggpfn.estimate_memory, type(ggpfn.open_engine("in process")).segment):
            self.assertLessEqual(options, set(inspect.signature(function).parameters))
        for option in options:
            self.assertIn(option, ggpfn.segment.__doc__)


def run(*command):
    """What a command prints; the test fails with it where the command does."""
    ours = ("GGPFN_", "PYTHON", "LD_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment.update(PYTHONIOENCODING="utf-8", PYTHONDONTWRITEBYTECODE="1")
    command = [str(part) for part in command]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=600)
    if done.returncode:
        raise AssertionError(f"{command[:4]}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode("utf-8")


if __name__ == "__main__":
    unittest.main()
