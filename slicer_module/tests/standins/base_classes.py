"""Stands in for slicer.ScriptedLoadableModule: the four base classes, as far as the module uses them."""

import os
import sys
import unittest

import slicer


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        self.parent = parent
        self.layout = parent.layout() if parent is not None else None
        self.moduleName = type(self).__name__[: -len("Widget")]

    def setup(self):
        pass

    def resourcePath(self, name):
        folder = os.path.dirname(os.path.abspath(sys.modules[type(self).__module__].__file__))
        return os.path.join(folder, "Resources", name)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__[: -len("Logic")]

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, *_):
        pass

    def runTest(self):
        pass
