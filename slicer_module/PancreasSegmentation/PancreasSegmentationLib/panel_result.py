"""The result in the panel: how far it can be trusted, its measurements, and corrections by hand."""

import slicer
from slicer.i18n import tr as _

from . import presentation
from .dicom_export import ExportTask, ct_of, files_of
from .errors import InputError
from .measurements import HEADER, measurement_rows, outdated, quality_sentence, show_table
from .segmenting import MeasureTask
from .widgets import choose_new_file, fill_table, make_timer
from .written import is_edited

# Milliseconds from the last change of the segment until it is looked at: a stroke of a brush is many changes.
LOOK = 200

# The style of a doubtful result's line: dark orange, which stands out in Slicer's light and dark styles.
DOUBTFUL = "color: #d9730d; font-weight: bold"


class ResultSection:
    """Follows the segmentation that is chosen under Result."""

    def __init__(self, panel):
        self.panel = panel
        self.ui = ui = panel.ui
        self._segmentation = None
        self._tags = []
        self._rows = []
        self._quality = None
        self.look = make_timer(LOOK, self.check, once=True)
        for button, call in (
            (ui.showTableButton, self.show_table),
            (ui.measureButton, self.measure),
            (ui.replaceButton, self.replace),
            (ui.restoreButton, self.restore),
            (ui.editorButton, self.edit),
            (ui.exportButton, self.export),
        ):
            button.clicked.connect(lambda *_args, call=call: call())
        self.clear()

    def clear(self):
        """Nothing has been found yet, or it is of a scene that is gone."""
        self._follow(None)
        self._rows, self._quality = [], None
        self._fill([])
        self._show_quality()
        self._show_edited(False)

    # What a run or the slider has found

    def show(self, found, agreement=None):
        """Shows ggpfn.Measurements, and the Dice by pair of views."""
        self._rows = measurement_rows(found, agreement)
        self._fill(self._rows)
        self._show_quality(found.threshold)

    def _fill(self, rows):
        fill_table(self.ui.measurementsView, rows)
        # A table without rows is an empty box.
        self.ui.measurementsView.setVisible(bool(rows))

    def judge(self, quality, threshold):
        """Takes a ggpfn.Quality of a run at a threshold; None: there is none."""
        self._quality = quality and (quality, threshold)
        self._show_quality(threshold)

    def _show_quality(self, threshold=None):
        """threshold: of the mask that is shown; None: of a mask that no run has made."""
        shown = self._quality is not None and threshold is not None
        label = self.ui.qualityLabel
        text, style = "", ""
        if shown:
            quality, found_at = self._quality
            text = quality_sentence(quality, None if abs(threshold - found_at) < 1e-6 else found_at)
            style = DOUBTFUL if quality.doubtful else ""
        label.setText(text)
        label.setStyleSheet(style)
        label.setVisible(shown)

    # Corrections by hand

    def changed(self, parameters):
        if parameters.outputSegmentation is not self._segmentation:
            self._follow(parameters.outputSegmentation)
            self.check()

    def _follow(self, segmentation):
        if self._segmentation is not None:
            for tag in self._tags:
                self._segmentation.RemoveObserver(tag)
        self._segmentation, self._tags = segmentation, []
        if segmentation is not None:
            for event in (
                slicer.vtkSegmentation.SourceRepresentationModified,
                slicer.vtkSegmentation.SegmentAdded,
                slicer.vtkSegmentation.SegmentRemoved,
            ):
                self._tags.append(segmentation.AddObserver(event, lambda *_args: self.look.start()))
        self.ui.show3DButton.setSegmentationNode(segmentation)

    def check(self):
        """Looks whether the segment was edited by hand, and says what that means."""
        parameters = self.panel.parameters
        if parameters is None or self.panel.busy:
            return
        edited = self._segmentation is not None and is_edited(self._segmentation)
        old = edited and self.panel.logic.outdated(parameters)
        self._show_edited(edited, old)
        if self._rows:
            rows = outdated(self._rows) if old else self._rows
            self._fill(rows)
            table = parameters.measurementsTable
            if table is not None and table.GetTable().GetNumberOfRows() != len(rows):
                show_table(rows, HEADER, "", table)

    def _show_edited(self, edited, old=False):
        ui, logic = self.ui, self.panel.logic
        text = ""
        if edited:
            text = _("The segment was edited by hand, so the threshold leaves it alone.")
            if old:
                text += " " + _("The measurements are of the mask before.")
        ui.editedLabel.setText(text)
        ui.editedLabel.setVisible(edited)
        ui.replaceButton.setVisible(edited and logic.can_try_thresholds)
        ui.restoreButton.setVisible(not edited and logic.can_restore)

    def measure(self):
        self.panel.start(
            lambda: MeasureTask(self.panel.logic.engines, self.panel.parameters),
            self._measured,
        )

    def _measured(self, task):
        self.panel.logic.measured(task)
        self.show(task.measurements)

    def replace(self):
        """Replaces the corrections by the result at the slider's threshold."""
        self.panel.preview_threshold(replace_edited=True)
        self.check()

    def restore(self):
        """Brings the corrections back."""
        self.panel.logic.restore()
        self.check()

    # Where it goes from here

    def show_table(self):
        if self.panel.parameters is not None and self.panel.parameters.measurementsTable is not None:
            presentation.show_table_node(self.panel.parameters.measurementsTable)

    def edit(self):
        presentation.edit(self._segmentation, self.panel.parameters.inputVolume)

    def export(self):
        """Exports the segmentation to DICOM: by Slicer's own dialog where there is one for segmentations, else to a
        file."""
        if presentation.has_quantitative_reporting():
            presentation.export_dicom(self._segmentation)
            return
        try:
            # Before a file is asked for.
            files_of(ct_of(self._segmentation, self.panel.parameters))
        except InputError as error:
            self.panel.complain(str(error))
            return
        path = choose_new_file(_("Export as DICOM SEG"), _("DICOM files (*.dcm)"))
        if path:
            self.panel.start(
                lambda: ExportTask(self.panel.logic.engines, self.panel.parameters, path), lambda _task: None
            )

    def set_ready(self, ready, _task):
        parameters, ui = self.panel.parameters, self.ui
        there = parameters is not None and parameters.outputSegmentation is not None
        for widget in (ui.measureButton, ui.replaceButton, ui.restoreButton, ui.exportButton):
            widget.setEnabled(ready and there)
        for widget in (ui.show3DButton, ui.editorButton):
            widget.setEnabled(there)
        ui.showTableButton.setEnabled(parameters is not None and parameters.measurementsTable is not None)

    def ended(self, _task):
        self.check()
