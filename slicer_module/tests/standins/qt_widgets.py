"""Stands in for Slicer's qt, ctk and node widgets, by PySide6.

slicer.util.loadUI loads the real .ui file; slicer.util.errorDisplay records what it would show (see `shown`).
"""

import sys
import types
from enum import Enum

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtUiTools import QUiLoader

from . import i18n

# Texts of the dialogs since the test began, and what a question is answered by.
shown = []
answers = {"OK": False}


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal(object)

    def setMRMLScene(self, scene):
        for box in self.findChildren(qMRMLNodeComboBox):
            box.setMRMLScene(scene)


class qMRMLNodeComboBox(QtWidgets.QComboBox):
    """Chooses a node of the scene; it follows the scene, as the real one does."""

    currentNodeChanged = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None
        self._tags = []
        self._filling = False
        self.currentIndexChanged.connect(self._changed)

    def setMRMLScene(self, scene):
        if self._scene is not None:
            for tag in self._tags:
                self._scene.RemoveObserver(tag)
        self._scene = scene
        events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndImportEvent)
        self._tags = [scene.AddObserver(event, lambda *_: self.fill()) for event in events]
        self.fill()

    def fill(self):
        kept = self.itemData(self.currentIndex()) if self.count() else None
        self._filling = True
        self.clear()
        self.addItem(self.property("noneDisplay") or "None", None)
        children = self.property("showChildNodeTypes")
        for kind in self.property("nodeTypes") or ():
            for node in slicer.util.getNodesByClass(kind, self._scene):
                # As the real one, it shows what derives from a type too, unless it is told not to.
                if not node.GetHideFromEditors() and (children is not False or node.GetClassName() == kind):
                    self.addItem(node.GetName(), node.GetID())
        self._filling = False
        found = [n for n in range(self.count()) if self.itemData(n) == kept]
        self.setCurrentIndex(found[0] if found else 0)
        if not found and kept is not None:
            self.currentNodeChanged.emit(None)

    def currentNode(self):
        node_id = self.itemData(self.currentIndex()) if self.count() else None
        return self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None

    def setCurrentNode(self, node):
        wanted = node.GetID() if node is not None else None
        for n in range(self.count()):
            if self.itemData(n) == wanted:
                self.setCurrentIndex(n)

    def addNode(self):
        """What "Create new ..." in the list does: the node is chosen first, then it is said that the user added it."""
        node = self._scene.AddNewNodeByClass(self.property("nodeTypes")[0])
        self.fill()
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _changed(self, _index):
        if not self._filling:
            self.currentNodeChanged.emit(self.currentNode())


class qMRMLSegmentationShow3DButton(QtWidgets.QPushButton):
    """Makes the surface of a segmentation, or takes it away."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setText("Show 3D")
        self.setCheckable(True)
        self._node = None
        self._tag = None
        self.toggled.connect(self._toggled)

    def setSegmentationNode(self, node):
        if self._node is not None:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node is not None:
            event = slicer.vtkSegmentation.ContainedRepresentationNamesModified
            self._tag = node.AddObserver(event, lambda *_: self._update())
        self._update()

    def _update(self):
        shown = self._node is not None and self._node.GetSegmentation().ContainsRepresentation("Closed surface")
        self.blockSignals(True)
        self.setChecked(shown)
        self.blockSignals(False)

    def _toggled(self, on):
        if self._node is not None and on:
            self._node.CreateClosedSurfaceRepresentation()
        elif self._node is not None:
            self._node.RemoveClosedSurfaceRepresentation()


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A bar with a title and an arrow over its contents; a click hides them, or shows them."""

    BAR = 26

    def __init__(self, parent=None):
        super().__init__(parent)
        self._title, self._is_collapsed = "", False

    def _text(self):
        return self._title

    def _set_text(self, text):
        self._title = text
        self.update()

    def _collapsed(self):
        return self._is_collapsed

    def setCollapsed(self, collapsed):
        self._is_collapsed = collapsed
        self.fold()

    def fold(self):
        """Shows or hides what is in it, which may have come after the property was set."""
        if self.layout() is not None:
            self.layout().setContentsMargins(8, self.BAR + 6, 8, 8)
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget) and (self._is_collapsed or not child.property("hiddenAtFirst")):
                child.setVisible(not self._is_collapsed)
        self.setMaximumHeight(self.BAR if self._is_collapsed else 16777215)
        self.setMinimumHeight(self.BAR if self._is_collapsed else 0)

    def mousePressEvent(self, event):
        if event.position().y() < self.BAR:
            self.setCollapsed(not self._is_collapsed)

    def paintEvent(self, _event):
        painter = QtWidgets.QStylePainter(self)
        bar = QtCore.QRect(0, 0, self.width() - 1, self.BAR - 1)
        painter.setPen(self.palette().mid().color())
        if not self._is_collapsed:
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.fillRect(bar, self.palette().button().color().darker(106))
        painter.drawRect(bar)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 7, 12, 12)
        style = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(
            style.PE_IndicatorArrowRight if self._is_collapsed else style.PE_IndicatorArrowDown, arrow
        )
        painter.setPen(self.palette().windowText().color())
        painter.drawText(bar.adjusted(24, 0, 0, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, self._title)

    text = QtCore.Property(str, _text, _set_text)
    collapsed = QtCore.Property(bool, _collapsed, setCollapsed)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box."""

    valueChanged = QtCore.Signal(float)

    def __init__(self, parent=None):
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self.slider.setRange(0, 1000)
        self.spin = QtWidgets.QDoubleSpinBox()
        self.spin.setSingleStep(0.01)
        layout.addWidget(self.slider)
        layout.addWidget(self.spin)
        self.slider.valueChanged.connect(lambda n: self.spin.setValue(n / 1000))
        self.spin.valueChanged.connect(self._changed)

    def _changed(self, value):
        self.slider.setValue(round(1000 * value))
        self.valueChanged.emit(value)

    def setRange(self, low, high):
        self.spin.setRange(low, high)

    def _minimum(self):
        return self.spin.minimum()

    def _maximum(self):
        return self.spin.maximum()

    def _value(self):
        return self.spin.value()

    minimum = QtCore.Property(float, _minimum, lambda self, x: self.spin.setMinimum(x))
    maximum = QtCore.Property(float, _maximum, lambda self, x: self.spin.setMaximum(x))
    decimals = QtCore.Property(int, lambda self: self.spin.decimals(), lambda self, n: self.spin.setDecimals(n))
    value = QtCore.Property(float, _value, lambda self, x: self.spin.setValue(x))


CUSTOM = (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentationShow3DButton, ctkCollapsibleButton, ctkSliderWidget)


def install():
    """Puts the stand-ins where the module imports them from."""
    qt = types.ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        for name in dir(part):
            if name.startswith("Q"):
                setattr(qt, name, getattr(part, name))
    ctk = types.ModuleType("ctk")
    ctk.ctkCollapsibleButton, ctk.ctkSliderWidget = ctkCollapsibleButton, ctkSliderWidget
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    slicer.qMRMLNodeComboBox = qMRMLNodeComboBox
    slicer.util.loadUI = load_ui
    slicer.util.childWidgetVariables = child_widgets
    slicer.util.errorDisplay = lambda text, **_: shown.append(text)
    slicer.util.confirmOkCancelDisplay = lambda text, **_: shown.append(text) or answers["OK"]
    # Settings of a test must not become the user's.
    QtCore.QCoreApplication.setOrganizationName("ggpfn tests")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)


def missing_widget(name, wanted=True):
    """A class for a widget that is named where widgets are told apart, and that nothing here has."""
    if not wanted:
        raise AttributeError(name)
    return type(name, (), {})


class _Callable:
    """A value that gives itself when it is called: PythonQt has properties where PySide6 has methods."""

    def __call__(self):
        return self.plain(self)


def _both(value):
    for plain in (int, float, str):
        if type(value) is plain:
            return type(f"callable {plain.__name__}", (_Callable, plain), {"plain": plain})(value)
    return value


def look_like_pythonqt():
    """Lets Slicer's own connectors use PySide6's widgets; methods of the same names go on working."""
    widgets = QtWidgets
    for kind, name, read, write in (
        (widgets.QCheckBox, "checked", "isChecked", "setChecked"),
        (widgets.QSpinBox, "value", "value", "setValue"),
        (widgets.QDoubleSpinBox, "value", "value", "setValue"),
        (widgets.QDoubleSpinBox, "minimum", "minimum", "setMinimum"),
        (widgets.QDoubleSpinBox, "maximum", "maximum", "setMaximum"),
        (widgets.QComboBox, "currentIndex", "currentIndex", "setCurrentIndex"),
        (widgets.QLineEdit, "text", "text", "setText"),
    ):
        read, write = getattr(kind, read), getattr(kind, write)
        setattr(
            kind,
            name,
            property(lambda self, read=read: _both(read(self)), lambda self, value, write=write: write(self, value)),
        )
    qMRMLNodeComboBox.nodeTypes = property(
        lambda self: self.property("nodeTypes"), lambda self, types: self.setProperty("nodeTypes", list(types))
    )
    for module in ("qt", "ctk"):
        sys.modules[module].__getattr__ = lambda name: missing_widget(name, not name.startswith("__"))


class Translator(QtCore.QTranslator):
    """The texts of the .ui file in the language that the stand-in for slicer.i18n speaks."""

    def translate(self, context, text, _disambiguation=None, _count=-1):
        return i18n.translations.get(context, {}).get(text)


def load_ui(path):
    application = QtCore.QCoreApplication.instance()
    translator = Translator()
    application.installTranslator(translator)
    try:
        return _load_ui(path)
    finally:
        application.removeTranslator(translator)


def _load_ui(path):
    loader = QUiLoader()
    for kind in CUSTOM:
        loader.registerCustomWidget(kind)
    widget = loader.load(path)
    if widget is None:
        raise RuntimeError(loader.errorString())
    for child in widget.findChildren(QtWidgets.QWidget):
        # What the .ui hides stays hidden when the box around it is opened.
        child.setProperty("hiddenAtFirst", child.isHidden())
    for child in widget.findChildren(ctkCollapsibleButton):
        child.fold()
    return widget


def child_widgets(widget):
    found = types.SimpleNamespace()
    for child in widget.findChildren(QtWidgets.QWidget):
        if child.objectName():
            setattr(found, child.objectName(), child)
    return found


class Connector:
    """Ties a widget to a field: which signal, how it is read and written."""

    def __init__(self, signal, read, write):
        self.signal, self.read, self.write, self._call = signal, read, write, None

    def on_change(self, call):
        if self._call is not None:
            self.signal.disconnect(self._call)
            self._call = None
        if call is not None:
            self._call = lambda *_: call()
            self.signal.connect(self._call)


def connectors(widgets, fields):
    """(field, Connector) of a dict of widgets by the fields that they name. Like the real wrapper it refuses what it
    has no connector for."""
    for name, widget in widgets.items():
        if name not in fields:
            raise ValueError(f"{widget.objectName()} names a parameter {name}, which there is not")
        yield name, _connector(widget, *fields[name])


def _connector(widget, kind, _default, limits):
    exact = type(widget)
    if kind is bool and exact is QtWidgets.QCheckBox:
        return Connector(widget.stateChanged, widget.isChecked, widget.setChecked)
    if kind is str and exact is QtWidgets.QLineEdit:
        return Connector(widget.textChanged, widget.text, lambda text: widget.text() == text or widget.setText(text))
    if kind is int and exact is QtWidgets.QSpinBox:
        widget.setRange(limits.minimum, limits.maximum)
        return Connector(widget.valueChanged, widget.value, widget.setValue)
    if kind is float and exact is QtWidgets.QDoubleSpinBox:
        widget.setRange(limits.minimum, limits.maximum)
        return Connector(widget.valueChanged, widget.value, widget.setValue)
    if kind is float and exact is ctkSliderWidget:
        widget.setRange(limits.minimum, limits.maximum)
        return Connector(widget.valueChanged, lambda: widget.value, lambda value: setattr(widget, "value", value))
    if issubclass(kind, Enum) and exact is QtWidgets.QComboBox:
        members = list(kind)
        widget.clear()
        widget.addItems([member.label() for member in members])
        return Connector(
            widget.currentIndexChanged,
            lambda: members[widget.currentIndex()],
            lambda member: widget.setCurrentIndex(members.index(member)),
        )
    if issubclass(kind, slicer.vtkMRMLNode) and exact is qMRMLNodeComboBox:
        return Connector(widget.currentNodeChanged, widget.currentNode, widget.setCurrentNode)
    raise TypeError(f"{exact.__name__} {widget.objectName()} cannot show a {kind.__name__}")
