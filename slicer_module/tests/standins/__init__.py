"""Thin stand-ins for the parts of 3D Slicer that the package slicer-core lacks, so that the module can be tested
without the application.

MRML itself, its logic and slicer.util are the real ones. What stands in: the module base classes, the parameter node
wrapper, translation (none), and, with PySide6, the modules qt and ctk and the node widgets.
"""

import sys
import types
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "PancreasSegmentation"


def install(widgets=False):
    """Makes slicer-core look like Slicer in this process; the scene is empty afterwards.

    widgets: whether qt, ctk and the node widgets are wanted, which needs PySide6.
    """
    import slicer

    if str(MODULE) not in sys.path:
        sys.path.insert(0, str(MODULE))
    if "slicer.i18n" not in sys.modules:
        from . import base_classes, parameter_node

        i18n = types.ModuleType("slicer.i18n")
        i18n.tr = lambda text: text
        i18n.translate = lambda _context, text: text
        sys.modules["slicer.i18n"] = slicer.i18n = i18n
        sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper = parameter_node
        sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = base_classes
    if widgets:
        from . import qt_widgets

        qt_widgets.install()
    new_scene()


def new_scene():
    """An empty scene with the logics that register node classes, as the application has it."""
    import slicer

    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    # The application registers it with the logic of markups, which needs more of the application than there is here.
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsROIJsonStorageNode())
    modules = types.SimpleNamespace()
    for name, kind in (
        ("segmentations", slicer.vtkSlicerSegmentationsModuleLogic),
        ("sequences", slicer.vtkSlicerSequencesLogic),
        ("subjecthierarchy", slicer.vtkSlicerSubjectHierarchyModuleLogic),
    ):
        logic = kind()
        logic.SetMRMLScene(scene)
        setattr(modules, name, types.SimpleNamespace(logic=lambda logic=logic: logic))
    slicer.modules = modules
    return scene
