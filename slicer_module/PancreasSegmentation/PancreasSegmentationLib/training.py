"""Fine-tuning: a model learns from corrected segmentations of the scene, with live curves.

The whole network goes on learning from the model that is chosen. When it ends, or is stopped, the best model so far is
a file, and the panel uses it at once.
"""

import collections
import os
import time
from pathlib import Path

import ggpfn
import slicer
import vtk
from slicer.i18n import tr as _

from .errors import InputError
from .files import unused
from .parameters import ModelSource, model_path, training_pairs
from .scene_input import mask_of, scan_of
from .scene_output import save_undo_state
from .tasks import Task

LOSS, DICE = _("loss"), _("validation Dice")


class TrainingTask(Task):
    """Fine-tunes the chosen model on the pairs of a parameter node."""

    def __init__(self, engines, parameters):
        self.parameters = parameters
        pairs = training_pairs(parameters)
        if not pairs:
            raise InputError(_("Add at least one pair of a volume and its corrected segmentation."))
        if model_path(parameters) == "":
            raise InputError(_("Choose a model file, or the model that is shipped."))
        if parameters.validateLast and len(pairs) < 2:
            raise InputError(_("Add a second pair to validate on, or untick the validation."))
        super().__init__(engines, _("Fine-tuning"), [volume for volume, _segmentation in pairs])
        self.cases = [
            case_of(volume, segmentation, parameters.validateLast and number == len(pairs) - 1)
            for number, (volume, segmentation) in enumerate(pairs)
        ]
        self.path = model_path(parameters)
        self.device = parameters.device.value
        self.minutes = parameters.trainingMinutes
        # A model of an earlier training is not replaced.
        self.file = unused(parameters.trainingFile.strip() or default_model_file())
        self.options = training_options(parameters.trainingEpochs)
        self.curves = Curves()
        self._heard = collections.deque()
        # A step's loss is told once; everything else is asked for.
        self.monitor.callback = self.hear
        self._stopping = False

    def work(self):
        os.makedirs(os.path.dirname(os.path.abspath(self.file)), exist_ok=True)
        engine = self.engines.engine()
        model, result = engine.train(
            self.cases,
            options=self.options,
            model=self.engines.model(self.path),
            device=self.device,
            minutes=self.minutes,
            monitor=self.monitor,
        )
        if not (self.monitor.cancelled and not self._stopping):
            model.save(self.file)
        model.close()
        return result

    def hear(self, progress):
        """Hears a ggpfn.Progress on the task's thread."""
        if progress.loss is not None or progress.dice is not None:
            self._heard.append(progress)

    def beat(self):
        heard = [self._heard.popleft() for _n in range(len(self._heard))]
        if heard:
            self.curves.add(heard)

    def stop(self):
        """Ends the training soon and keeps what it has learnt; `cancel` throws it away."""
        self._stopping = True
        self.monitor.cancel()

    def finish(self, result):
        self.beat()
        save_undo_state()
        self.parameters.modelFile = self.file
        self.parameters.modelSource = ModelSource.FILE
        dice = [value for value in result.dice.values() if value is not None]
        text = _("The new model is in {path} and is chosen now.").format(path=self.file)
        if dice:
            text += " " + _("Validation Dice {low:.2f} to {high:.2f}.").format(low=min(dice), high=max(dice))
        return text

    def gone_message(self):
        return _("A volume of the training was deleted, so the training was stopped.")


class Curves:
    """Loss and validation Dice as they come, in plot nodes of the scene."""

    def __init__(self):
        self.step = 0
        self.loss = _curve_table(LOSS)
        self.dice = _curve_table(DICE)
        self.chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", _("Fine-tuning"))
        self.chart.SetTitle(_("Fine-tuning"))
        self.chart.SetXAxisTitle(_("step"))
        for table, color in ((self.loss, (0.85, 0.35, 0.1)), (self.dice, (0.1, 0.45, 0.8))):
            series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", table.GetName())
            series.SetAndObserveTableNodeID(table.GetID())
            series.SetXColumnName("step")
            series.SetYColumnName("value")
            series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            series.SetMarkerStyle(
                slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone
                if table is self.loss
                else slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle
            )
            series.SetColor(*color)
            self.chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def add(self, heard):
        """Appends a list of ggpfn.Progress."""
        for progress in heard:
            if progress.loss is not None:
                self.step += 1
                _append(self.loss, self.step, progress.loss)
            if progress.dice is not None:
                _append(self.dice, self.step, progress.dice)
        for table in (self.loss, self.dice):
            if slicer.mrmlScene.IsNodePresent(table):
                table.GetTable().Modified()
                table.Modified()


def case_of(volume, segmentation, validate):
    """ggpfn.Case of a pair of nodes. Raises InputError for a mask without a voxel."""
    scan = scan_of(volume)
    mask = mask_of(segmentation, volume)
    if not mask.any():
        raise InputError(
            _("{name} has no pancreas within {volume}; correct the pair.").format(
                name=segmentation.GetName(), volume=volume.GetName()
            )
        )
    return ggpfn.Case(
        name=scan.name,
        image=scan.image(),
        mask=ggpfn.Image.from_ijk_to_ras(mask, scan.matrix),
        role="validate" if validate else "train",
    )


def training_options(epochs):
    """TOML for the engine. Few cases need small steps, and a validation after each epoch shows when to stop."""
    return f"validate_every = 1\n\n[whole]\nepochs = {int(epochs)}\nbatch = 1\nlearning_rate = 1e-4\n"


def default_model_file():
    """A new file in the user's home."""
    return str(Path.home() / "ggpfn-models" / time.strftime("pancreas-%Y%m%d-%H%M%S.safetensors"))


def _curve_table(name):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    table = vtk.vtkTable()
    for title in ("step", "value"):
        column = vtk.vtkDoubleArray()
        column.SetName(title)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
    return node


def _append(node, step, value):
    table = node.GetTable()
    table.GetColumn(0).InsertNextValue(step)
    table.GetColumn(1).InsertNextValue(value)
