"""The module Pancreas Segmentation of 3D Slicer: the four classes that Slicer looks for.

Everything else is in the package PancreasSegmentationLib, and the library's face for Python in the package ggpfn; both
lie beside this file.
"""

import os

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class PancreasSegmentation(ScriptedLoadableModule):
    """What Slicer shows about the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Pancreas Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The developers of GGPFN"]
        parent.helpText = _(
            "Finds the pancreas in CT with the Globally Guided Progressive Fusion Network (GGPFN). Choose a volume and "
            "press Apply; then move the threshold. For research, not for clinical use. See the tutorial in the "
            "extension's folder Docs."
        )
        parent.acknowledgementText = _(
            "After Chaowei Fang and others: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, "
            "MICCAI 2019. The data that the shipped model was trained on is listed on its model card."
        )
        if hasattr(slicer, "app") and hasattr(slicer.app, "connect"):
            slicer.app.connect("startupCompleted()", register_sample_data)


def register_sample_data():
    """Adds the synthetic CT of the extension to the module Sample Data."""
    import SampleData
    from PancreasSegmentationLib.sample_data import CHECKSUM, NAME, PATH, load

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="PancreasSegmentation",
        sampleName=NAME,
        # A script's downloadSample copies the file from here; the module's button calls customDownloader.
        uris=PATH.as_uri(),
        fileNames=PATH.name,
        nodeNames=NAME,
        checksums=CHECKSUM,
        thumbnailFileName=os.path.join(os.path.dirname(__file__), "Resources", "Icons", "SyntheticAbdomenCT.png"),
        customDownloader=lambda _source: [load()],
    )


class PancreasSegmentationLogic(ScriptedLoadableModuleLogic):
    """What scripts use:

    logic = PancreasSegmentationLogic()
    parameters = logic.getParameterNode()
    parameters.inputVolume = volume
    segmentation = logic.process(parameters)
    """

    def __init__(self, engines=None):
        from PancreasSegmentationLib.segmenting import SegmentationLogic

        ScriptedLoadableModuleLogic.__init__(self)
        self.segmentation = SegmentationLogic(engines)
        self._parameters = None

    def getParameterNode(self):
        """The typed parameters, which are saved with the scene."""
        from PancreasSegmentationLib.parameters import PancreasSegmentationParameterNode

        node = super().getParameterNode()
        # One wrapper for a node: each has dozens of observers.
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = PancreasSegmentationParameterNode(node)
        return self._parameters

    def process(self, parameters):
        """Segments the input volume and waits; returns the segmentation node. Raises InputError with a sentence."""
        return self.segmentation.segment(parameters)


class PancreasSegmentationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's place in the window; PancreasSegmentationLib.panel drives it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = self.panel = None

    def setup(self):
        from PancreasSegmentationLib.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/PancreasSegmentation.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self.logic = PancreasSegmentationLogic()
        self.panel = Panel(self.ui, self.logic.segmentation)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEnd)
        self.connectParameters()

    def enter(self):
        self.connectParameters()

    def exit(self):
        """A run goes on while the user looks at other modules."""

    def cleanup(self):
        if self.panel is not None:
            self.panel.close()
        self.removeObservers()

    def onSceneStartClose(self, _caller=None, _event=None):
        self.panel.scene_closing()

    def onSceneEnd(self, _caller=None, _event=None):
        if self.parent is None or getattr(self.parent, "isEntered", True):
            self.connectParameters()

    def connectParameters(self):
        """Ties the panel to the scene's parameter node; a new scene gets one with its first volume as the input."""
        from PancreasSegmentationLib.scene_input import volumes_of_scene

        parameters = self.logic.getParameterNode()
        if parameters.inputVolume is None:
            for volume in volumes_of_scene()[:1]:
                parameters.inputVolume = volume
        self.panel.connect(parameters)


class PancreasSegmentationTest(ScriptedLoadableModuleTest):
    """The self-test: a real inference on the synthetic CT, in seconds. Reload and Test runs it in Slicer."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)

    def runTest(self):
        self.setUp()
        self.test_inference()

    def test_inference(self):
        from PancreasSegmentationLib.self_test import run

        self.delayDisplay("Segmenting a synthetic CT")
        dice, seconds = run(PancreasSegmentationLogic(), self)
        self.delayDisplay(f"Test passed: Dice {dice:.2f} in {seconds:.0f} s")
