"""_abi.py against the header, the C compiler and the library."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from common import ROOT, ggpfn, has
from ggpfn import _abi

MAKE = ROOT / "slicer_module" / "tools" / "make_abi.py"
HEADER = ROOT / "include" / "ggpfn.h"


def check(header):
    command = [sys.executable, str(MAKE), "--check", "--header", str(header)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Abi(unittest.TestCase):
    def test_is_what_the_header_gives(self):
        done = check(HEADER)
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_a_change_of_the_header_is_noticed(self):
        text = HEADER.read_text(encoding="utf-8")
        changes = [
            ("#define GGPFN_ERROR_BUSY 12", "#define GGPFN_ERROR_BUSY 15"),
            ("int32_t largest_component;", "int64_t largest_component;"),
            ("double direction[9];", "double direction[12];"),
            ("ggpfn_status ggpfn_evaluate(", "ggpfn_status ggpfn_compare("),
            ("typedef int32_t ggpfn_status;", "typedef enum ggpfn_status { A } ggpfn_status;"),
        ]
        for old, new in changes:
            self.assertIn(old, text)
            with tempfile.TemporaryDirectory() as folder:
                header = Path(folder) / "ggpfn.h"
                header.write_text(text.replace(old, new), encoding="utf-8")
                self.assertEqual(check(header).returncode, 1, f"{old} -> {new}")

    @unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
    def test_structs_lie_as_the_c_compiler_lays_them(self):
        structs = {
            name: value
            for name, value in vars(_abi).items()
            if isinstance(value, type) and issubclass(value, ctypes.Structure) and value is not ctypes.Structure
        }
        self.assertGreater(len(structs), 10)
        lines, expected = [], []
        for name, struct in structs.items():
            lines.append(f'printf("%zu\\n", sizeof({name}));')
            expected.append(ctypes.sizeof(struct))
            for field, *_ in struct._fields_:
                lines.append(f'printf("%zu\\n", offsetof({name}, {field}));')
                expected.append(getattr(struct, field).offset)
        with tempfile.TemporaryDirectory() as folder:
            source, program = Path(folder) / "layout.c", Path(folder) / "layout"
            source.write_text("#include <ggpfn.h>\n#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "}\n")
            subprocess.run(["cc", "-I", str(HEADER.parent), str(source), "-o", str(program)], check=True)
            found = subprocess.run([str(program)], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual([int(line) for line in found.split()], expected)

    @unittest.skipUnless(has("cffi") and shutil.which("cc"), "there is no cffi or no C compiler")
    def test_cffi_reads_the_header(self):
        import cffi

        command = ["cc", "-E", "-P", "-DGGPFN_NO_INCLUDES", str(HEADER)]
        declarations = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
        ffi = cffi.FFI()
        ffi.cdef(declarations)
        for name in vars(_abi):
            struct = getattr(_abi, name)
            if isinstance(struct, type) and issubclass(struct, ctypes.Structure) and name.startswith("ggpfn_"):
                self.assertEqual(ffi.sizeof(name), ctypes.sizeof(struct), name)
        library = ffi.dlopen(ggpfn.open_engine("in process").library.path)
        self.assertEqual(library.ggpfn_abi_version(), _abi.GGPFN_ABI_VERSION)
        image = ffi.new("ggpfn_image *")
        self.assertEqual(library.ggpfn_image_init(image, ffi.sizeof("ggpfn_image")), _abi.GGPFN_OK)
        self.assertEqual(image.direction[4], 1.0)

    def test_the_library_has_every_function_and_the_version(self):
        engine = ggpfn.open_engine("in process")
        for name in _abi.PROTOTYPES:
            self.assertTrue(callable(engine.library.function(name)), name)
        self.assertEqual(engine.runtime().version, ggpfn.__version__)

    def test_importing_the_package_loads_no_library(self):
        script = "import sys, ggpfn; from ggpfn import _library; sys.exit(_library.is_loaded())"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "slicer_module" / "PancreasSegmentation")}
        environment["GGPFN_LIBRARY"] = "/nowhere"
        self.assertEqual(subprocess.run([sys.executable, "-c", script], env=environment).returncode, 0)


if __name__ == "__main__":
    unittest.main()
