"""Thin stand-ins for the parts of 3D Slicer that the package slicer-core lacks, so that the module can be tested
without the application.

MRML itself, its logic and slicer.util are the real ones. What stands in: the module base classes, the parameter node
wrapper, the sample data, translation, and, with PySide6, the modules qt and ctk and the node widgets.

With GGPFN_SLICER_SOURCE, the folder of a checkout of Slicer's source, Slicer's own Python stands where the stand-ins
but the widgets do; that needs PySide6 everywhere.
"""

import os
import sys
import types
from pathlib import Path

from . import i18n

MODULE = Path(__file__).resolve().parents[2] / "PancreasSegmentation"
SOURCE = os.environ.get("GGPFN_SLICER_SOURCE")


def install(widgets=False):
    """Makes slicer-core look like Slicer in this process; the scene is empty afterwards.

    widgets: whether qt, ctk and the node widgets are wanted, which needs PySide6.
    """
    import slicer

    if str(MODULE) not in sys.path:
        sys.path.insert(0, str(MODULE))
    if (widgets or SOURCE) and "qt" not in sys.modules:
        from . import qt_widgets

        qt_widgets.install()
    if "slicer.i18n" not in sys.modules:
        if SOURCE:
            _use_source(slicer)
        else:
            from . import base_classes, parameter_node, sample_data

            sys.modules["slicer.i18n"] = slicer.i18n = i18n
            sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper = parameter_node
            sys.modules["slicer.ScriptedLoadableModule"] = slicer.ScriptedLoadableModule = base_classes
            sys.modules["SampleData"] = sample_data
    new_scene()


def _use_source(slicer):
    """Slicer's own Python in the place of stand-ins."""
    from . import qt_widgets

    slicer.__path__.append(os.path.join(SOURCE, "Base", "Python", "slicer"))
    sys.path.append(os.path.join(SOURCE, "Modules", "Scripted", "SampleData"))
    qt_widgets.look_like_pythonqt()
    slicer.__getattr__ = lambda name: qt_widgets.missing_widget(name, name.startswith(("qMRML", "qSlicer")))
    import slicer.i18n

    slicer.i18n.translate = i18n.translate
    # What the base classes ask of the application.
    slicer.util.delayDisplay = lambda _message, _milliseconds=0: None
    slicer.util.settingsValue = lambda _key, default, converter=None, settings=None: default
    slicer.util.modulePath = lambda name: str(MODULE / f"{name}.py")
    import slicer.ScriptedLoadableModule as base

    base.ScriptedLoadableModuleWidget._onModuleAboutToBeUnloaded = lambda self, name: None
    slicer_app = types.SimpleNamespace(
        moduleManager=lambda: types.SimpleNamespace(connect=lambda *_: None, disconnect=lambda *_: None)
    )
    base.slicer = _Overlay(slicer, app=slicer_app)


class _Overlay:
    """A module with other attributes for those who look at it through this: the rest of the process must not see an
    application that there is not."""

    def __init__(self, module, **own):
        self.__dict__.update(own)
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)


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
