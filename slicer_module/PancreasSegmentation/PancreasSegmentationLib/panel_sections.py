"""Sections of the panel that stand on their own: the region of interest, many scans, fine-tuning, comparing.

Each has `changed` (parameters), `set_ready` (whether a task can be started, and the one that runs) and `ended`.
"""

import qt
import slicer
from slicer.i18n import tr as _

from . import presentation
from .batch import BatchTask
from .comparison import ComparisonTask
from .errors import InputError
from .measurements import comparison_rows
from .parameters import BatchSource, Region, batch_volumes, set_batch_volumes, set_training_pairs, training_pairs
from .scene_input import fit_roi, volumes_of_scene
from .training import TrainingTask
from .widgets import choose_folder, choose_new_file, fill_table


class RegionSection:
    """The region of interest."""

    def __init__(self, panel):
        self.panel = panel
        self.ui = ui = panel.ui
        ui.roiSelector.nodeAddedByUser.connect(self.added)
        ui.roiFitButton.clicked.connect(lambda *_args: self.fit())
        ui.roiPlaceButton.clicked.connect(lambda *_args: self.place())

    def changed(self, parameters):
        chosen = parameters.region is Region.ROI
        for widget in (self.ui.roiSelector, self.ui.roiFitButton, self.ui.roiPlaceButton):
            widget.setEnabled(chosen)

    def added(self, node):
        """The user has made a region in the list; a new one has no size, and so nothing to drag."""
        if node is not None and self.panel.parameters is not None and self.panel.parameters.inputVolume is not None:
            self._fit(node)

    def fit(self):
        """Lays the region around the body; makes one if there is none."""
        roi = self._roi()
        if roi is not None:
            self._fit(roi)

    def place(self):
        """Lets the user draw the region; makes one if there is none."""
        roi = self._roi()
        if roi is not None and presentation.place_roi(roi):
            self.panel.status(_("Click on one corner of the region in a slice, then on the opposite one."))

    def _roi(self):
        parameters = self.panel.parameters
        if parameters is None:
            return None
        if parameters.roi is None:
            parameters.roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", _("Region"))
            self.added(parameters.roi)
        return parameters.roi

    def _fit(self, roi):
        try:
            fit_roi(roi, self.panel.parameters.inputVolume)
        except InputError as error:
            self.panel.complain(str(error))

    def set_ready(self, ready, _task):
        """Nothing of its own."""

    def ended(self, _task):
        """Nothing of its own."""


class BatchSection:
    """Many scans."""

    def __init__(self, panel):
        self.panel = panel
        self.ui = ui = panel.ui
        self._listed = None
        self._filling = False
        ui.batchButton.clicked.connect(lambda *_args: self.run())
        ui.batchVolumesList.itemChanged.connect(lambda *_args: self.ticked())
        ui.batchFolderButton.clicked.connect(lambda *_args: self.choose("batchFolder", _("Folder of scans")))
        ui.batchOutputButton.clicked.connect(lambda *_args: self.choose("batchOutputFolder", _("Folder to write to")))

    def changed(self, parameters):
        source, ui = parameters.batchSource, self.ui
        ui.batchVolumesList.setEnabled(source is BatchSource.VOLUMES)
        ui.batchSequenceSelector.setEnabled(source is BatchSource.SEQUENCE)
        for widget in (ui.batchFolderEdit, ui.batchFolderButton, ui.batchOutputEdit, ui.batchOutputButton):
            widget.setEnabled(source is BatchSource.FOLDER)
        self.list_volumes()

    def list_volumes(self):
        """Lists the volumes of the scene, and ticks those of the parameter node."""
        parameters = self.panel.parameters
        ticked = [node.GetID() for node in batch_volumes(parameters)]
        volumes = [(node.GetID(), node.GetName()) for node in volumes_of_scene()]
        if self._listed == (volumes, ticked):
            return
        self._listed = (volumes, ticked)
        self._filling = True
        self.ui.batchVolumesList.clear()
        for node_id, name in volumes:
            item = qt.QListWidgetItem(name)
            item.setData(qt.Qt.UserRole, node_id)
            item.setCheckState(qt.Qt.Checked if node_id in ticked else qt.Qt.Unchecked)
            self.ui.batchVolumesList.addItem(item)
        self._filling = False

    def ticked(self):
        """The user has ticked or unticked a volume."""
        if self._filling or self.panel.parameters is None:
            return
        view = self.ui.batchVolumesList
        nodes = []
        for row in range(len(self._listed[0])):
            item = view.item(row)
            node = slicer.mrmlScene.GetNodeByID(item.data(qt.Qt.UserRole))
            if item.checkState() == qt.Qt.Checked and node is not None:
                nodes.append(node)
        self._listed = (self._listed[0], [node.GetID() for node in nodes])
        set_batch_volumes(self.panel.parameters, nodes)

    def choose(self, name, title):
        path = choose_folder(title)
        if path:
            setattr(self.panel.parameters, name, path)

    def run(self):
        self.panel.start(
            lambda: BatchTask(self.panel.logic.engines, self.panel.parameters),
            lambda task: presentation.show_table_node(task.parameters.batchTable),
        )

    def set_ready(self, ready, _task):
        self.ui.batchButton.setEnabled(ready)

    def ended(self, _task):
        if self.panel.parameters is not None:
            self.list_volumes()


class TrainingSection:
    """Fine-tuning."""

    def __init__(self, panel):
        self.panel = panel
        self.ui = ui = panel.ui
        ui.addPairButton.clicked.connect(lambda *_args: self.add())
        ui.removePairButton.clicked.connect(lambda *_args: self.remove())
        ui.trainButton.clicked.connect(lambda *_args: self.run())
        ui.stopButton.clicked.connect(lambda *_args: self.stop())
        ui.trainingFileButton.clicked.connect(lambda *_args: self.choose())

    def changed(self, parameters):
        rows = [(volume.GetName(), segmentation.GetName()) for volume, segmentation in training_pairs(parameters)]
        fill_table(self.ui.pairsView, rows, (_("Volume"), _("Corrected")))

    def add(self):
        if self.panel.parameters is None:
            return
        pair = (self.ui.trainingVolumeSelector.currentNode(), self.ui.trainingSegmentationSelector.currentNode())
        if not all(pair):
            self.panel.complain(_("Choose a volume and its corrected segmentation first."))
            return
        pairs = training_pairs(self.panel.parameters)
        if pair not in pairs:
            set_training_pairs(self.panel.parameters, [*pairs, pair])

    def remove(self):
        if self.panel.parameters is None:
            return
        pairs, row = training_pairs(self.panel.parameters), self.ui.pairsView.currentRow()
        if 0 <= row < len(pairs):
            set_training_pairs(self.panel.parameters, pairs[:row] + pairs[row + 1 :])

    def choose(self):
        path = choose_new_file(_("New model"), _("Models (*.safetensors)"))
        if path:
            self.panel.parameters.trainingFile = path

    def run(self):
        self.panel.start(lambda: TrainingTask(self.panel.logic.engines, self.panel.parameters), lambda _task: None)
        if isinstance(self.panel.task, TrainingTask):
            presentation.show_chart(self.panel.task.curves.chart)

    def stop(self):
        if isinstance(self.panel.task, TrainingTask):
            self.panel.task.stop()
            self.ui.stopButton.setEnabled(False)

    def set_ready(self, ready, task):
        for widget in (self.ui.trainButton, self.ui.addPairButton, self.ui.removePairButton):
            widget.setEnabled(ready)
        self.ui.stopButton.setEnabled(isinstance(task, TrainingTask))

    def ended(self, _task):
        """Nothing of its own."""


class ComparisonSection:
    """Comparing."""

    def __init__(self, panel):
        self.panel = panel
        self.ui = panel.ui
        panel.ui.compareButton.clicked.connect(lambda *_args: self.run())

    def changed(self, parameters):
        """Nothing of its own."""

    def run(self):
        self.panel.start(lambda: ComparisonTask(self.panel.logic.engines, self.panel.parameters), self.show)

    def show(self, task):
        fill_table(self.ui.comparisonView, comparison_rows(task.comparison))

    def set_ready(self, ready, _task):
        self.ui.compareButton.setEnabled(ready)

    def ended(self, _task):
        """Nothing of its own."""
