"""The panel: the widgets of the .ui file, one task at a time, and the timer that keeps the window alive.

Widgets whose `SlicerParameterName` is set are tied to the parameter node by its wrapper. The panel does the rest: it
starts tasks, shows their progress, and shows their results. Sections that stand on their own are in `panel_sections`.
"""

import qt
import slicer
from slicer.i18n import tr as _

from . import presentation
from .connection import Connection
from .engines import KINDS, about_text, card_text, device_sentence
from .errors import sentence
from .measurements import summary
from .panel_result import ResultSection
from .panel_sections import BatchSection, ComparisonSection, RegionSection, TrainingSection
from .parameters import SMALLEST_THRESHOLD, ModelSource
from .remedies import remedy
from .segmenting import InspectTask, SegmentTask
from .tasks import State, progress_text
from .widgets import choose_file, choose_folder, make_timer

# Milliseconds: between two looks at a task; from the last change until the library is asked about it; from a move of
# the slider to its mask; from its last move to numbers and surface.
TICK, SETTLE, SLIDE, REST = 40, 400, 15, 250

TITLE = _("Pancreas Segmentation")

# Where the application keeps what is no part of a scene.
SETTING_ENGINE, SETTING_LIBRARY = "PancreasSegmentation/engine", "PancreasSegmentation/library"


class Panel:
    """Drives the widgets of `ui` for a logic. Made once; `connect` gives it a parameter node, None takes it away."""

    def __init__(self, ui, logic):
        self.ui = ui
        self.logic = logic
        self.parameters = None
        self.task = None
        self._done = None
        self._inspection = self._resting = None
        self._connection = None
        self._inspected = self._shown = self._card = self._volume = None
        self.timer = make_timer(TICK, self.tick)
        self.settle = make_timer(SETTLE, self.inspect, once=True)
        self.slide = make_timer(SLIDE, self.preview_threshold, once=True)
        self.rest = make_timer(REST, self.measure_threshold, once=True)
        self.result = ResultSection(self)
        self.sections = [
            self.result,
            RegionSection(self),
            BatchSection(self),
            TrainingSection(self),
            ComparisonSection(self),
        ]
        ui.applyButton.clicked.connect(lambda *_args: self.apply())
        ui.cancelButton.clicked.connect(lambda *_args: self.cancel())
        ui.modelFileButton.clicked.connect(lambda *_args: self.choose_model())
        self._set_up_engine()
        self._update_buttons()

    # The parameter node

    def connect(self, parameters):
        """Ties the widgets to a parameter node's wrapper; None: to none."""
        if parameters is not self.parameters:
            if self._connection is not None:
                self._connection.close()
            self.parameters, self._connection = parameters, None
            if parameters is not None:
                self._connection = Connection(self.ui, parameters, self.changed)
        self.changed()

    def changed(self):
        """The user, a script or a loaded scene has changed a parameter."""
        parameters = self.parameters
        if parameters is None:
            return
        if self._volume is not parameters.inputVolume:
            self._volume = parameters.inputVolume
            forget_results_of_others(parameters)
        own = parameters.modelSource is ModelSource.FILE
        for widget in (self.ui.modelFileEdit, self.ui.modelFileButton):
            widget.setEnabled(own)
        for widget in (self.ui.axialWeightSpin, self.ui.sagittalWeightSpin, self.ui.coronalWeightSpin):
            widget.setEnabled(parameters.ownWeights)
        for section in self.sections:
            section.changed(parameters)
        self._update_buttons()
        if self._shown not in (None, self._slider()) and not self.busy:
            self.slide.start()
        if self._inspected != self._question():
            self.settle.start()

    def _slider(self):
        return (self.parameters.threshold, self.parameters.largestComponent)

    def _question(self):
        """What the answers of an inspection depend on."""
        p = self.parameters
        volume = p.inputVolume
        return (
            volume and (volume.GetID(), volume.GetImageDataConnection() is not None),
            p.region,
            p.roi and p.roi.GetID(),
            p.modelSource,
            p.modelFile,
            (p.useAxial, p.useSagittal, p.useCoronal),
            (p.device, p.precision, p.smallPatches, p.wantAgreement, p.wantUncertainty),
        )

    # Tasks

    @property
    def busy(self):
        return self.task is not None

    def start(self, make, done):
        """Starts a task, if none runs. make: gives it, or raises; done: hears of it when it has succeeded."""
        if self.busy or self.parameters is None:
            return
        try:
            self.task = make().start()
        except Exception as error:
            self.complain(sentence(error))
            return
        self._done = done
        self.status(self.task.title)
        self.ui.progressBar.setValue(0)
        self.timer.start()
        self._update_buttons()

    def apply(self):
        """Segments the input volume."""
        self.result.judge(None, None)
        self.start(lambda: self.logic.task(self.parameters), self._segmented)

    def _segmented(self, task):
        self.logic.done(task)
        self._shown = (task.options["threshold"], task.options["largest_component"])
        self.result.judge(task.quality, task.options["threshold"])
        self.result.show(task.measurements, task.agreement)
        if task.scan.warning:
            self.status(f"{task.message} {task.scan.warning}")
        presentation.show_result(task.volume, task.measurements.centroid)
        if task.show_3d:
            presentation.show_surface()
        if self._shown != self._slider():
            self.slide.start()

    def tick(self):
        """A look at the task; the timer calls this."""
        if self._inspection is not None and not self._inspection.poll():
            self._answer()
        if self.task is not None:
            if self.task.poll():
                progress = self.task.progress
                self.ui.progressBar.setValue(int(1000 * progress.fraction))
                self.status(progress_text(progress))
            else:
                self._end()
        if self._resting is not None and not self._resting.poll():
            self._rested()
        if not self._looking:
            self.timer.stop()

    @property
    def _looking(self):
        """Whether there is anything that the timer looks at."""
        return any(task is not None for task in (self.task, self._inspection, self._resting))

    def _end(self):
        task, done = self.task, self._done
        self.task = self._done = None
        self.ui.progressBar.setValue(1000 if task.state is State.DONE else 0)
        self.status(task.message.split("\n")[0])
        self._update_buttons()
        if task.state is State.FAILED:
            self._failed(task)
        else:
            if task.state is State.DONE:
                done(task)
            for section in self.sections:
                section.ended(task)
        self.changed()

    def _failed(self, task):
        offer = remedy(task.error, self.parameters) if isinstance(task, SegmentTask) and self.parameters else None
        if offer is None:
            self.complain(task.message)
            return
        question, change = offer
        if self._modal(lambda: slicer.util.confirmOkCancelDisplay(f"{task.message}\n\n{question}", windowTitle=TITLE)):
            change(self.parameters)
            self.apply()

    def cancel(self):
        """Stops the task; the panel is free at once."""
        if self.task is not None:
            self.task.cancel()
            self._end()

    def complain(self, text):
        """Shows a fault in a dialog."""
        self._modal(lambda: slicer.util.errorDisplay(text, windowTitle=TITLE))

    def _modal(self, show):
        """Shows a dialog. Without the timer, since the dialog has an event loop of its own."""
        running = self.timer.isActive()
        self.timer.stop()
        answer = show()
        if running or self._looking:
            self.timer.start()
        return answer

    def status(self, text):
        self.ui.statusLabel.setText(text)

    def _update_buttons(self):
        ui, busy = self.ui, self.busy
        ready = not busy and self.parameters is not None
        ui.applyButton.setEnabled(ready and self.parameters.inputVolume is not None)
        ui.cancelButton.setEnabled(busy)
        for section in self.sections:
            section.set_ready(ready, self.task)

    # The live threshold

    def preview_threshold(self, replace_edited=False):
        """Shows the kept result at the slider's threshold; numbers and surface follow when the slider rests.

        replace_edited: corrections by hand are replaced.
        """
        if self.parameters is None or self.busy:
            return
        try:
            volume_ml = self.logic.preview_threshold(self.parameters, replace_edited)
        except Exception as error:
            self._give_up(error)
            return
        # A segment that was edited by hand stays as it is; where nothing is kept there is nothing to try again.
        self._shown = self._slider() if volume_ml is not None or self.logic.edited else None
        if volume_ml is None:
            self.result.check()
            return
        self.status(_("{volume:.1f} mL").format(volume=volume_ml))
        self.rest.start()

    def measure_threshold(self):
        """Sees to the numbers and the surface of what the slider shows, beside the window."""
        if self.parameters is None:
            return
        if self.busy or self._resting is not None:
            self.rest.start()
            return
        try:
            task = self.logic.rest_task(self.parameters)
        except Exception as error:
            self._give_up(error)
            return
        if task is not None:
            self._resting = task.start()
            self.timer.start()

    def _rested(self):
        task, self._resting = self._resting, None
        if task.error is not None:
            self._give_up(task.error)
        elif self.busy:
            self.rest.start()
        elif task.state is State.DONE:
            found = self.logic.rested(task)
            if found is not None:
                self.result.show(*found)
                self.status(summary(found[0]))

    def _give_up(self, error):
        """The kept result cannot be shown."""
        self.logic.forget()
        self._shown = None
        self.complain(sentence(error))

    # What can be told before a run

    def inspect(self):
        """Asks the library about devices, the model and memory, beside the window."""
        if self.parameters is None or self.busy or self._inspection is not None:
            return
        self._inspected = self._question()
        try:
            self._inspection = InspectTask(self.logic.engines, self.parameters).start()
        except Exception as error:
            self.ui.deviceLabel.setText(sentence(error))
            return
        self.timer.start()

    def _answer(self):
        asked, self._inspection = self._inspection, None
        if asked.state is State.CANCELLED:
            return
        if asked.runtime is not None:
            self.ui.deviceLabel.setText(device_sentence(asked.runtime, asked.engine))
        else:
            self.ui.deviceLabel.setText(asked.message)
        if asked.model is not None:
            self._show_card(asked.model)
        else:
            self.ui.modelCard.setText(asked.message)
        self.ui.memoryLabel.setText(memory_text(asked))
        if self.parameters is not None and self._inspected != self._question():
            self.settle.start()

    def _show_card(self, model):
        try:
            self.ui.modelCard.setText(card_text(model))
            self.ui.aboutLabel.setText(about_text(model, self.parameters.modelSource is ModelSource.SHIPPED))
            card = model.info.sha256
        except Exception as error:
            self.ui.modelCard.setText(sentence(error))
            return
        if self._card not in (None, card):
            # Another model has a threshold of its own; the one in a loaded scene stays.
            self.parameters.threshold = min(max(model.info.threshold, SMALLEST_THRESHOLD), 1.0)
        self._card = card

    # Buttons

    def choose_model(self):
        path = choose_file(_("Model file"), _("Models (*.safetensors)"))
        if path:
            self.parameters.modelFile = path

    def _set_up_engine(self):
        ui, settings = self.ui, qt.QSettings()
        for text in (_("Automatic"), _("This process"), _("A separate process")):
            ui.engineCombo.addItem(text)
        kind = settings.value(SETTING_ENGINE) or KINDS[0]
        ui.engineCombo.setCurrentIndex(KINDS.index(kind) if kind in KINDS else 0)
        ui.libraryEdit.setText(settings.value(SETTING_LIBRARY) or "")
        ui.engineCombo.currentIndexChanged.connect(lambda *_args: self.configure())
        ui.libraryEdit.editingFinished.connect(lambda *_args: self.configure())
        ui.libraryButton.clicked.connect(lambda *_args: self.choose_library())
        self.configure()

    def choose_library(self):
        path = choose_folder(_("Folder of the library of ggpfn"))
        if path:
            self.ui.libraryEdit.setText(path)
            self.configure()

    def configure(self):
        """Takes over how and where the engine is to be found, and remembers it."""
        kind = KINDS[int(self.ui.engineCombo.property("currentIndex"))]
        library = str(self.ui.libraryEdit.property("text")).strip()
        settings = qt.QSettings()
        settings.setValue(SETTING_ENGINE, kind)
        settings.setValue(SETTING_LIBRARY, library)
        self.logic.engines.configure(kind, library)
        if self.parameters is not None:
            self._inspected = None
            self.settle.start()

    # The scene and the end

    def scene_closing(self):
        """The scene is about to be closed: nothing may come back into the next one."""
        for task in (self.task, self._inspection, self._resting):
            if task is not None:
                task.scene_closed()
        if self.task is not None:
            self._end()
        self._inspection = self._resting = self._shown = self._inspected = None
        self.logic.forget()
        self.result.clear()
        self.connect(None)
        self._update_buttons()

    def close(self):
        """The widget goes away."""
        self.scene_closing()
        for timer in (self.timer, self.settle, self.slide, self.rest, self.result.look):
            timer.stop()


def memory_text(asked):
    """How much memory a run takes, from an InspectTask; empty if that is not known."""
    if asked.fault is not None:
        return sentence(asked.fault)
    memory = asked.memory
    if memory is None:
        return ""
    text = _("Needs about {need} of memory").format(need=_size(memory.host_bytes))
    if memory.host_free:
        text += _(", of {free} that are free").format(free=_size(memory.host_free))
    if memory.device_bytes:
        text += _(", and {need} on the GPU").format(need=_size(memory.device_bytes))
    text += "."
    if memory.host_free and memory.host_bytes > memory.host_free:
        text += " " + _("That is too little: choose a smaller region or fewer views.")
    return text


def forget_results_of_others(parameters):
    """Has the next run make new nodes if those that are chosen belong to another volume than the input now."""
    volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
    if volume is None or segmentation is None:
        return
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    if segmentation.GetNodeReference(role) not in (None, volume):
        parameters.outputSegmentation = None
        parameters.measurementsTable = None
        parameters.probabilityVolume = None
        parameters.uncertaintyVolume = None


def _size(count):
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
