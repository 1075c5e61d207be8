"""The library that is missing, wrong or refused; which engine is opened. Each in a Python of its own."""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from common import ggpfn, python
from ggpfn.errors import from_status

OPEN = """
import sys, ggpfn
try:
    engine = ggpfn.open_engine("in process")
    print("opened", engine.library.path)
except ggpfn.Error as error:
    print(type(error).__name__, "|", error, "|", getattr(error, "searched", ""))
"""

# A Child that says how it was made, in the place of the package's own.
CHILD = """
import sys, types, ggpfn
from ggpfn import errors
class Child:
    kind = "child process"
    def __init__(self, program=None, library=None):
        if program == "missing":
            raise errors.LibraryMissing("The program ggpfn was not found.", ["/somewhere/ggpfn"])
        self.program = program
sys.modules["ggpfn.child"] = types.ModuleType("ggpfn.child")
sys.modules["ggpfn.child"].Child = Child
"""


def loaded_library():
    return ggpfn.open_engine("in process").library.path


class Library(unittest.TestCase):
    def opened(self, script=OPEN, **variables):
        text, status = python(script, **variables)
        self.assertEqual(status, 0, text)
        return text

    def test_missing(self):
        text = self.opened(GGPFN_LIBRARY="/nowhere/libggpfn.so")
        self.assertTrue(text.startswith("LibraryMissing"), text)
        self.assertIn("['/nowhere/libggpfn.so']", text)
        self.assertIn("GGPFN_LIBRARY", text)
        with tempfile.TemporaryDirectory() as folder:
            text = self.opened(GGPFN_LIBRARY=folder)
            self.assertTrue(text.startswith("LibraryMissing"), text)
            self.assertIn(os.path.join(folder, "lib"), text)
        # Without a variable: Slicer's folders, the package's own, the system's loader.
        slicer = """
import sys, types
slicer = sys.modules["slicer"] = types.ModuleType("slicer")
slicer.modules = types.SimpleNamespace(pancreassegmentation=types.SimpleNamespace(path="/ext/lib/Slicer/scripted/P.py"))
"""
        text = self.opened(slicer + OPEN, GGPFN_LIBRARY=None)
        self.assertTrue(text.startswith("LibraryMissing"), text)
        places = ["/ext/lib/Slicer/scripted/lib/", "/ext/lib/Slicer/lib/", "/ext/lib/", "ggpfn/lib/", "'libggpfn.so'"]
        at = [text.rindex(place) for place in places]
        self.assertEqual(at, sorted(at))

    @unittest.skipUnless(sys.platform.startswith("linux"), "not applicable: ELF files")
    def test_wrong_files(self):
        with tempfile.TemporaryDirectory() as folder:
            wrong = Path(folder) / "libggpfn.so"
            wrong.write_bytes(b"not a library")
            text = self.opened(GGPFN_LIBRARY=folder)
            self.assertTrue(text.startswith("WrongLibrary"), text)
            self.assertIn(str(wrong), text)
            self.assertNotIn("libtorch", text)

    @unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
    def test_another_abi_and_an_older_version(self):
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "stub.c", Path(folder) / "libggpfn.so"

            def build(text):
                source.write_text(text)
                subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
                return self.opened(GGPFN_LIBRARY=library)

            text = build("unsigned ggpfn_abi_version(void) { return 7; }")
            self.assertIn("interface number 7", text)
            self.assertIn(str(library), text)
            # Nothing but the number is asked for.
            text = build(
                "#include <stdlib.h>\nunsigned ggpfn_abi_version(void) { return 7; }"
                "const char *ggpfn_version(void) { abort(); }"
            )
            self.assertTrue(text.startswith("WrongLibrary"), text)
            text = build(
                'unsigned ggpfn_abi_version(void) { return 0; }const char *ggpfn_version(void) { return "0.0.1"; }'
            )
            self.assertTrue(text.startswith("WrongLibrary"), text)
            self.assertIn("0.0.1", text)
            self.assertIn("ggpfn_runtime_query", text)
            text = build("int other(void) { return 0; }")
            self.assertIn("ggpfn_abi_version", text)

    def test_found_as_file_and_as_folder(self):
        path = loaded_library()
        self.assertEqual(self.opened(GGPFN_LIBRARY=path), f"opened {path}\n")
        text = self.opened(GGPFN_LIBRARY=os.path.dirname(path))
        self.assertTrue(text.startswith("opened " + os.path.dirname(path)), text)
        explicit = OPEN.replace('"in process"', '"in process", library=sys.argv[1]')
        text, _ = python(explicit, path, GGPFN_LIBRARY="/nowhere")
        self.assertEqual(text, f"opened {path}\n")

    @unittest.skipIf(sys.platform == "win32", "not applicable: a link")
    def test_a_folder_with_odd_characters(self):
        with tempfile.TemporaryDirectory() as folder:
            odd = Path(folder) / "Bücher 胰 'x'"
            (odd / "lib").mkdir(parents=True)
            (odd / "lib" / "libggpfn.so").symlink_to(loaded_library())
            self.assertIn("opened", self.opened(GGPFN_LIBRARY=odd))

    def test_auto_takes_this_process_if_nothing_is_against_it(self):
        script = CHILD + 'engine = ggpfn.open_engine(); print(engine.kind, "|", engine.reason)'
        self.assertIn("in process | ", self.opened(script))

    def test_auto_takes_a_child_beside_another_torch(self):
        # Not even a look at the library: its libtorch would come with it.
        script = (
            CHILD
            + """
sys.modules["torch"] = types.ModuleType("torch")
engine = ggpfn.open_engine(program="p")
from ggpfn import _library
print(engine.kind, engine.program, _library.is_loaded(), "|", engine.reason)
"""
        )
        text = self.opened(script)
        self.assertTrue(text.startswith("child process p False | "), text)
        self.assertIn("torch", text)

    @unittest.skipUnless(sys.platform.startswith("linux"), "not applicable: ELF files")
    @unittest.skipUnless(shutil.which("cc"), "there is no C compiler")
    def test_auto_takes_a_child_beside_another_mapped_libtorch(self):
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "torch.c", Path(folder) / "libtorch_cpu.so"
            source.write_text("int at(void) { return 0; }")
            subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
            hold = f"import ctypes; ctypes.CDLL({str(library)!r})\n"
            script = CHILD + hold + 'engine = ggpfn.open_engine(); print(engine.kind, "|", engine.reason)'
            text = self.opened(script)
            self.assertTrue(text.startswith("child process | "), text)
            self.assertIn(str(library), text)

    def test_auto_takes_a_child_where_the_library_is_missing(self):
        script = CHILD + 'engine = ggpfn.open_engine(); print(engine.kind, "|", engine.reason)'
        text = self.opened(script, GGPFN_LIBRARY="/nowhere/libggpfn.so")
        self.assertTrue(text.startswith("child process | "), text)
        self.assertIn("/nowhere/libggpfn.so", text)

    def test_auto_says_what_both_lack(self):
        script = CHILD + OPEN.replace('"in process"', 'program="missing"')
        text = self.opened(script, GGPFN_LIBRARY="/nowhere/libggpfn.so")
        self.assertTrue(text.startswith("LibraryMissing"), text)
        self.assertIn("['/nowhere/libggpfn.so', '/somewhere/ggpfn']", text)

    def test_kinds(self):
        self.assertEqual(ggpfn.open_engine("in-process").kind, "in process")
        with self.assertRaises(ggpfn.Error) as raised:
            ggpfn.open_engine("remote")
        self.assertIn("child process", str(raised.exception))

    def test_exceptions_travel(self):
        for error in (ggpfn.OutOfMemory("much", 6), ggpfn.LibraryMissing("none", ["/a", "/b"])):
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), str(again), again.__dict__), (type(error), str(error), error.__dict__))

    def test_classes_of_statuses(self):
        classes = {2: "ImageError", 3: "ModelError", 6: "OutOfMemory", 8: "TrainingError", 9: "Cancelled"}
        classes.update({10: "WrongLibrary", 12: "Busy", 14: "Forked"})
        for status in range(1, 20):
            error = from_status(status, "a sentence")
            self.assertEqual(type(error).__name__, classes.get(status, "Error"))
            self.assertEqual((error.status, str(error)), (status, "a sentence"))

    def test_runtime(self):
        with ggpfn.open_engine("in process") as engine:
            runtime = engine.runtime(gpus=True)
        self.assertEqual(runtime.built_for, runtime.loaded)
        self.assertFalse(runtime.wrong_libtorch)
        self.assertEqual(len(runtime.gpu_names), runtime.gpus)
        self.assertIn("torch", runtime.libtorch)
        self.assertIsNone(runtime.program)


if __name__ == "__main__":
    unittest.main()
