"""The extension as a package: lists of files, the index entry, the .ui file, sizes, what is imported when."""

import ast
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2]
EXTENSION = MODULE.parent


class Files(unittest.TestCase):
    def test_all_files_are_installed(self):
        text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8").replace("${MODULE_NAME}", "PancreasSegmentation")
        for name, files in (
            (
                "SCRIPTS",
                [
                    MODULE / "PancreasSegmentation.py",
                    *MODULE.glob("PancreasSegmentationLib/*.py"),
                    *MODULE.glob("ggpfn/*.py"),
                ],
            ),
            ("RESOURCES", [path for path in MODULE.glob("Resources/**/*") if path.is_file()]),
        ):
            listed = re.search(rf"set\(MODULE_PYTHON_{name}\n(.*?)\)", text, re.S).group(1).split()
            self.assertEqual(sorted(listed), sorted(path.relative_to(MODULE).as_posix() for path in files))

    def published(self, account):
        """The index entry that tools/publish.py writes for a copy of the extension."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            for name in ("CMakeLists.txt", "tools/publish.py"):
                (copy / name).parent.mkdir(exist_ok=True)
                shutil.copy(EXTENSION / name, copy / name)
            script = str(copy / "tools" / "publish.py")
            run = subprocess.run([sys.executable, script, account], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn(f'EXTENSION_ACCOUNT "{account}"', (copy / "CMakeLists.txt").read_text(encoding="utf-8"))
            self.assertNotEqual(subprocess.run([sys.executable, script, "no/body"], capture_output=True).returncode, 0)
            return json.loads((copy / "PancreasSegmentation.json").read_text(encoding="utf-8"))

    def test_the_account_stands_in_one_file(self):
        kinds = (".txt", ".md", ".json", ".py", ".ui", ".toml")
        placeholder = "OW" + "NER"
        for path in EXTENSION.rglob("*"):
            if path.suffix in kinds and path != EXTENSION / "tools" / "publish.py":
                count = path.read_text(encoding="utf-8").count(placeholder)
                self.assertLessEqual(count, int(path == EXTENSION / "CMakeLists.txt"), path)

    def test_what_the_index_asks_of_the_licence_and_the_page(self):
        licence = (EXTENSION / "LICENSE.txt").read_text(encoding="utf-8")
        self.assertIn("Patents:", licence)
        page = (EXTENSION / "README.md").read_text(encoding="utf-8")
        heads = ["# Pancreas Segmentation", "![", "## Modules", "## Tutorial", "## Publication", "## License"]
        places = [page.find(head) for head in heads]
        self.assertNotIn(-1, places)
        self.assertEqual(places, sorted(places))

    def test_index_entry(self):
        entry = self.published("some-body")
        # Slicer's schema 1.0.1, which allows nothing else.
        kinds = {
            "$schema": str,
            "build_dependencies": list,
            "build_subdirectory": str,
            "category": str,
            "enabled": bool,
            "scm_revision": str,
            "scm_type": str,
            "scm_url": str,
            "tier": int,
        }
        self.assertLessEqual({"$schema", "category", "scm_url"}, set(entry))
        for key, value in entry.items():
            self.assertIsInstance(value, kinds[key], key)
        self.assertIn(entry["tier"], (1, 3, 5))
        self.assertIn(entry["scm_type"], ("git", "local"))
        cmake = (EXTENSION / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertIn(f'set(EXTENSION_CATEGORY "{entry["category"]}")', cmake)
        self.assertEqual(entry["scm_url"], "https://github.com/some-body/SlicerPancreasSegmentation.git")

    def test_pictures_that_are_named_are_there(self):
        cmake = (EXTENSION / "CMakeLists.txt").read_text(encoding="utf-8")
        named = re.findall(r"\{EXTENSION_RAW\}/([\w/.]+\.png)", cmake)
        self.assertGreaterEqual(len(named), 3)
        pages = [EXTENSION / "README.md", *sorted((EXTENSION / "Docs").glob("*.md"))]
        for page in pages:
            links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
            named += [os.path.relpath(page.parent / link, EXTENSION) for link in links]
        for path in named:
            self.assertTrue((EXTENSION / path).exists(), path)
        with open(EXTENSION / "PancreasSegmentation.png", "rb") as file:
            self.assertEqual(struct.unpack(">II", file.read(24)[16:]), (128, 128))

    def test_files_are_short_and_data_is_small(self):
        for path in [*MODULE.glob("*.py"), *MODULE.glob("PancreasSegmentationLib/*.py")]:
            self.assertLess(len(path.read_text(encoding="utf-8").splitlines()), 420, path.name)
        self.assertLess(sum(path.stat().st_size for path in MODULE.glob("Resources/**/*")), 1_000_000)


class Widgets(unittest.TestCase):
    def setUp(self):
        self.root = xml.parse(MODULE / "Resources" / "UI" / "PancreasSegmentation.ui").getroot()

    def test_names_in_the_code_are_widgets(self):
        names = {widget.get("name") for widget in self.root.iter("widget")}
        used = set()
        for path in MODULE.glob("PancreasSegmentationLib/panel*.py"):
            used |= set(re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8")))
        self.assertGreater(len(used), 30)
        self.assertEqual(used - names, set())

    def test_parameters_of_widgets_are_fields(self):
        tree = ast.parse((MODULE / "PancreasSegmentationLib" / "parameters.py").read_text(encoding="utf-8"))
        node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name.endswith("ParameterNode"))
        fields = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)}
        tied = {
            prop.find("string").text
            for widget in self.root.iter("widget")
            for prop in widget.findall("property")
            if prop.get("name") == "SlicerParameterName"
        }
        self.assertGreater(len(tied), 25)
        self.assertEqual(tied - fields, set())

    def test_what_can_be_pressed_has_a_tip(self):
        for widget in self.root.iter("widget"):
            if widget.get("class") in ("QPushButton", "QToolButton", "QCheckBox", "QComboBox", "qMRMLNodeComboBox"):
                tips = [p for p in widget.findall("property") if p.get("name") == "toolTip"]
                self.assertTrue(tips, widget.get("name"))


class Words(unittest.TestCase):
    @unittest.skipUnless((EXTENSION.parent / "models" / "MODEL_CARD.md").is_file(), "the card is in the repository")
    def test_what_the_panel_says_of_the_shipped_model_is_on_its_card(self):
        engines = (MODULE / "PancreasSegmentationLib" / "engines.py").read_text(encoding="utf-8")
        reached = re.search(r'^REACHED = "([\d.]+)"$', engines, re.M).group(1)
        card = (EXTENSION.parent / "models" / "MODEL_CARD.md").read_text(encoding="utf-8")
        self.assertIn(f"mean Dice of {reached}", card)


class Imports(unittest.TestCase):
    def test_the_modules_file_is_quick_to_read(self):
        """Slicer reads it at each start: nothing of numpy, the library or the panel may come with it."""
        tree = ast.parse((MODULE / "PancreasSegmentation.py").read_text(encoding="utf-8"))
        names = set()
        for node in tree.body:
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module)
        self.assertLessEqual({name.split(".")[0] for name in names}, {"os", "slicer"})

    def test_nothing_installs_packages(self):
        for path in [*MODULE.glob("*.py"), *MODULE.glob("PancreasSegmentationLib/*.py")]:
            self.assertNotRegex(path.read_text(encoding="utf-8"), r"pip_install|\bpip\b.*install|ensurepip")
        # The package says to whom works in a terminal what he can install; it installs nothing either.
        for path in MODULE.glob("ggpfn/*.py"):
            self.assertNotRegex(path.read_text(encoding="utf-8"), r"pip_install|[\"']pip[\"']|-m pip|ensurepip")

    def test_texts_are_translatable(self):
        """What a user reads goes through _(); f-strings there would never be found by a translator."""
        for path in MODULE.glob("PancreasSegmentationLib/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                    self.assertIsInstance(node.args[0], ast.Constant, f"{path.name}:{node.lineno}")


class Icons(unittest.TestCase):
    def test_icons_are_what_the_script_draws(self):
        sys.path.insert(0, str(EXTENSION / "tools"))
        self.addCleanup(sys.path.remove, str(EXTENSION / "tools"))
        import make_icon

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "icon.png"
            make_icon.write_png(path, make_icon.icon(128))
            drawn = path.read_bytes()
        self.assertEqual(drawn[:24], (EXTENSION / "PancreasSegmentation.png").read_bytes()[:24])
        self.assertEqual(len(drawn), len((EXTENSION / "PancreasSegmentation.png").read_bytes()))


class CMake(unittest.TestCase):
    def test_configures_with_a_stand_in_for_slicer(self):
        """The lists are read by CMake itself; Slicer's macros are stood in for by ones that check that files exist."""
        from shutil import which

        if which("cmake") is None:
            self.skipTest("cmake is not there")
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "SlicerConfig.cmake"
            config.write_text(STAND_IN, encoding="utf-8")
            empty = Path(folder) / "empty.cmake"
            empty.write_text("", encoding="utf-8")
            run = subprocess.run(
                [
                    "cmake",
                    "-S",
                    str(EXTENSION),
                    "-B",
                    str(Path(folder) / "build"),
                    f"-DSlicer_DIR={folder}",
                    f"-DSTAND_IN={empty}",
                    "-DBUILD_TESTING=ON",
                ],
                capture_output=True,
                text=True,
            )
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertIn("module PancreasSegmentation", run.stdout)
            self.assertIn("test test_scene.py", run.stdout)


STAND_IN = """
set(Slicer_FOUND TRUE)
set(Slicer_USE_FILE "${STAND_IN}")
set(Slicer_EXTENSION_GENERATE_CONFIG "${STAND_IN}")
set(Slicer_EXTENSION_CPACK "${STAND_IN}")
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(ARG "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file ${ARG_SCRIPTS} ${ARG_RESOURCES})
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "${file} is not there")
    endif()
  endforeach()
  message(STATUS "module ${ARG_NAME}")
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(ARG "" "SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT}")
    message(FATAL_ERROR "${ARG_SCRIPT} is not there")
  endif()
  message(STATUS "test ${ARG_SCRIPT}")
endfunction()
"""


if __name__ == "__main__":
    unittest.main()
