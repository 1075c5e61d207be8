"""Stands in for slicer.parameterNodeWrapper: typed fields over a real vtkMRMLScriptedModuleNode, and their widgets.

It knows what the module uses: bool, int, float, str, Enum and node classes, WithinRange, connectGui.
"""

import typing
from dataclasses import dataclass
from enum import Enum

import slicer


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float


def parameterNodeWrapper(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {}
    for name, hint in hints.items():
        kind, ranges = hint, ()
        if typing.get_origin(hint) is typing.Annotated:
            kind, *ranges = typing.get_args(hint)
        fields[name] = (kind, getattr(cls, name, None), ranges[0] if ranges else None)
        setattr(cls, name, property(*_accessors(name, *fields[name])))

    def __init__(self, parameterNode, prefix=None):
        self.parameterNode = parameterNode
        self._guis = []
        self._updating = False
        for name, (kind, default, _range) in fields.items():
            if not _is_node(kind) and not parameterNode.GetParameter(name):
                setattr(self, name, default)

    def connectGui(self, gui):
        from .qt_widgets import connectors

        found = dict(connectors(gui, fields))
        for name, connector in found.items():
            connector.write(getattr(self, name))
            connector.on_change(lambda name=name, connector=connector: _from_gui(self, name, connector))
        self._guis.append(found)
        tag = self.parameterNode.AddObserver("ModifiedEvent", lambda *_: _to_gui(self, found))
        found["__tag__"] = tag
        return len(self._guis) - 1

    def disconnectGui(self, tag):
        found = self._guis[tag]
        self.parameterNode.RemoveObserver(found.pop("__tag__"))
        for connector in found.values():
            connector.on_change(None)

    cls.__init__ = __init__
    cls.connectGui = connectGui
    cls.disconnectGui = disconnectGui
    cls.AddObserver = lambda self, event, callback: self.parameterNode.AddObserver(event, callback)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _from_gui(self, name, connector):
    if not self._updating:
        setattr(self, name, connector.read())


def _to_gui(self, found):
    if self._updating:
        return
    self._updating = True
    try:
        for name, connector in found.items():
            if name != "__tag__":
                connector.write(getattr(self, name))
    finally:
        self._updating = False


def _is_node(kind):
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _accessors(name, kind, default, limits):
    def read(self):
        node = self.parameterNode
        if _is_node(kind):
            return node.GetNodeReference(name)
        text = node.GetParameter(name)
        if kind is bool:
            return text == "True"
        if issubclass(kind, Enum):
            return kind[text]
        if kind is str:
            return text[1:]
        return kind(text)

    def write(self, value):
        node = self.parameterNode
        if _is_node(kind):
            if value is not None and not isinstance(value, kind):
                raise ValueError(f"{name} is a {kind.__name__}, and not {value!r}")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, (kind, int) if kind is float else kind):
            raise ValueError(f"{name} is a {kind.__name__}, and not {value!r}")
        if limits is not None and not limits.minimum <= value <= limits.maximum:
            raise ValueError(f"{name} is {value}, and not within {limits.minimum} to {limits.maximum}")
        # A mark before text lets an empty one be told from none.
        node.SetParameter(name, value.name if isinstance(value, Enum) else f"={value}" if kind is str else repr(value))

    return read, write
