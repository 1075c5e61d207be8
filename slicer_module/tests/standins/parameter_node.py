"""Stands in for slicer.parameterNodeWrapper: typed fields over a real vtkMRMLScriptedModuleNode, and their widgets.

It knows what the module uses: bool, int, float, str, Enum and node classes, WithinRange, connectGui. Like the real one
it keeps values and reads them anew only when the node says that it was modified: a change that goes unsaid, such as
that of a node which leaves the scene, would be missed here as well.
"""

import typing
import weakref
from dataclasses import dataclass
from enum import Enum

import slicer

# Whether connectGui and disconnectGui have the faults of Slicer 5.8: the one gives no tag, the other leaves its
# observer on the node.
like_5_8 = False


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
        setattr(cls, name, property(*_accessors(name)))

    def __init__(self, parameterNode, prefix=None):
        self.parameterNode = parameterNode
        self._guis, self._observers, self._tags = {}, {}, 0
        self._updating = False
        self._written = None
        for name, (kind, default, limits) in fields.items():
            if not parameterNode.HasParameter(name):
                _write(parameterNode, name, kind, limits, default)
        self._fields = fields
        self._kept = {name: _read(parameterNode, name, kind) for name, (kind, *_) in fields.items()}
        wrapper = weakref.ref(self)
        tag = parameterNode.AddObserver("ModifiedEvent", lambda *_: _read_again(wrapper()))
        weakref.finalize(self, parameterNode.RemoveObserver, tag)

    def connectGui(self, gui):
        widgets = (widget for widget in vars(gui).values() if widget.property("SlicerParameterName"))
        tag = self.connectParametersToGui({widget.property("SlicerParameterName"): widget for widget in widgets})
        return None if like_5_8 else tag

    def connectParametersToGui(self, widgets):
        from .qt_widgets import connectors

        found = dict(connectors(widgets, fields))
        for name, connector in found.items():
            connector.write(getattr(self, name))
            connector.on_change(lambda name=name, connector=connector: _from_gui(self, name, connector))
        self._tags += 1
        self._guis[self._tags] = found
        # As the real one's, it holds on to the wrapper.
        observer = self.AddObserver("ModifiedEvent", lambda *_: _to_gui(self))
        if not like_5_8:
            self._observers[self._tags] = observer
        return self._tags

    def disconnectGui(self, tag):
        for connector in self._guis.pop(tag, {}).values():
            connector.on_change(None)
        if tag in self._observers:
            self.RemoveObserver(self._observers.pop(tag))

    cls.__init__ = __init__
    cls.connectGui = connectGui
    cls.connectParametersToGui = connectParametersToGui
    cls.disconnectGui = disconnectGui
    cls.AddObserver = lambda self, event, callback, priority=0.0: self.parameterNode.AddObserver(
        event, callback, priority
    )
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _from_gui(self, name, connector):
    if not self._updating:
        setattr(self, name, connector.read())


def _to_gui(self):
    if self._updating:
        return
    self._updating = True
    try:
        for found in self._guis.values():
            for name, connector in found.items():
                connector.write(getattr(self, name))
    finally:
        self._updating = False


def _read_again(self):
    if self is not None:
        for name, (kind, default, limits) in self._fields.items():
            if name == self._written:
                continue
            # A scene that closes empties the node; the real one then writes what parameters begin with.
            if not self.parameterNode.HasParameter(name):
                _write(self.parameterNode, name, kind, limits, default)
            self._kept[name] = _read(self.parameterNode, name, kind)


def _accessors(name):
    def read(self):
        return self._kept[name]

    def write(self, value):
        kind, _default, limits = self._fields[name]
        before, self._written = self._written, name
        modified = self.parameterNode.StartModify()
        try:
            _write(self.parameterNode, name, kind, limits, value)
            self._kept[name] = _read(self.parameterNode, name, kind)
        finally:
            self.parameterNode.EndModify(modified)
            self._written = before

    return read, write


def _is_node(kind):
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _read(node, name, kind):
    if _is_node(kind):
        return node.GetNodeReference(name)
    text = node.GetParameter(name)
    if kind is bool:
        return text == "True"
    return kind[text] if issubclass(kind, Enum) else kind(text)


def _write(node, name, kind, limits, value):
    if _is_node(kind):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is a {kind.__name__}, and not {value!r}")
        # An empty parameter says that there is one, which a reference to no node cannot say.
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        return
    if value is None:
        raise ValueError(f"{name} must not be None")
    if not isinstance(value, (kind, int) if kind is float else kind):
        raise TypeError(f"{name} is a {kind.__name__}, and not {value!r}")
    if limits is not None and not limits.minimum <= value <= limits.maximum:
        raise ValueError(f"{name} is {value}, and not within {limits.minimum} to {limits.maximum}")
    node.SetParameter(name, value.name if isinstance(value, Enum) else str(value))
