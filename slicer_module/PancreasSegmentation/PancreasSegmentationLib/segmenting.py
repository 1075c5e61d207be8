"""Segmenting one volume: the task, and the logic that scripts and the panel share."""

import ggpfn
import slicer
from slicer.i18n import tr as _

from .engines import Engines
from .errors import InputError
from .kept import Kept
from .measurements import measurement_rows, show_table, summary
from .parameters import VIEWS, chosen_views, engine_options, model_path
from .scene_input import region_of, scan_of
from .scene_output import save_undo_state, show_mask, show_numbers, update_mask
from .tasks import Task


class SegmentTask(Task):
    """Segments the input volume of a parameter node, and brings the result into the scene."""

    def __init__(self, engines, parameters):
        """Looks at the scene; raises InputError if there is nothing to work on."""
        self.parameters = parameters
        self.volume = parameters.inputVolume
        self.scan = scan_of(self.volume)
        if not chosen_views(parameters):
            raise InputError(_("Tick at least one view under Advanced."))
        if model_path(parameters) == "":
            raise InputError(_("Choose a model file, or the model that is shipped."))
        super().__init__(engines, _("Segmenting {name}").format(name=self.scan.name), [self.volume])
        self.path = model_path(parameters)
        self.region = region_of(self.scan, self.volume, parameters.region, parameters.roi)
        # The views of the model are not known before it is loaded; these are cut down to them then.
        self.options = engine_options(parameters, VIEWS)
        self.show_3d = parameters.show3D
        self.want_probability = parameters.wantProbability
        self.kept = None
        self.measurements = None
        self.quality = None
        self.agreement = {}

    def work(self):
        engine = self.engines.engine()
        model = self.engines.model(self.path)
        found = segment(engine, model, self.scan, self.options, self.region, self.monitor)
        kept = Kept.of(self.scan, found)
        return found, kept, kept.at(engine, self.options["threshold"], self.options["largest_component"])

    def finish(self, result):
        found, self.kept, (mask, self.measurements, self.agreement) = result
        self.quality = found.quality
        parameters, volume = self.parameters, self.volume
        save_undo_state()
        segmentation = show_mask(volume, mask, self.kept.start, parameters.outputSegmentation, self.show_3d)
        parameters.outputSegmentation = segmentation
        if found.uncertainty is not None:
            parameters.uncertaintyVolume = show_numbers(
                volume,
                found.uncertainty,
                _("{name} uncertainty").format(name=volume.GetName()),
                parameters.uncertaintyVolume,
            )
        if self.want_probability:
            parameters.probabilityVolume = show_numbers(
                volume,
                found.probability,
                _("{name} probability").format(name=volume.GetName()),
                parameters.probabilityVolume,
            )
        parameters.measurementsTable = show_table(
            measurement_rows(self.measurements, self.agreement),
            (_("Measurement"), _("Value")),
            _("{name} measurements").format(name=volume.GetName()),
            parameters.measurementsTable,
            volume,
        )
        return summary(self.measurements)


def segment(engine, model, scan, options, region=None, monitor=None):
    """ggpfn.Segmentation of a Scan. On any thread.

    options: of `engine_options`; views that the model lacks are left out.
    """
    options = dict(options)
    views = tuple(view for view in options["views"] if view in model.info.views)
    if not views:
        raise InputError(
            _("The model has the views {views} alone; tick one of them under Advanced.").format(
                views=", ".join(model.info.views)
            )
        )
    if options["view_weights"] is not None:
        weights = {view: options["view_weights"][view] for view in views}
        if not any(weights.values()):
            raise InputError(_("All weights of the views are 0; give one of them a weight under Advanced."))
        options["view_weights"] = weights
    options["views"] = views
    if len(views) < 2:
        options.update(view_probabilities=False, uncertainty=False)
    return engine.segment(scan.image(), model, region=region, monitor=monitor, **options)


class SegmentationLogic:
    """What the module can do with one volume, for scripts and for the panel. On the main thread."""

    def __init__(self, engines=None):
        self.engines = engines or Engines()
        self._kept = None
        self._shown = None

    def task(self, parameters):
        """A SegmentTask; start it, poll it, then hand it to `done`. Raises InputError."""
        return SegmentTask(self.engines, parameters)

    def segment(self, parameters):
        """Segments and waits; returns the segmentation node. Raises InputError with what went wrong."""
        task = self.task(parameters).start().wait()
        if not self.done(task):
            raise InputError(task.message)
        return parameters.outputSegmentation

    def done(self, task):
        """Keeps what a finished task found for the live threshold; returns whether it found something."""
        if task.kept is None:
            return False
        self._kept = task.kept
        self._shown = (task.volume, task.parameters.outputSegmentation)
        return True

    def forget(self):
        """Lets go of the kept probability and its nodes: when the scene is closed."""
        self._kept = self._shown = None

    @property
    def can_try_thresholds(self):
        """Whether a probability is kept whose nodes are both still in the scene."""
        if self._shown is None:
            return False
        if not all(slicer.mrmlScene.IsNodePresent(node) for node in self._shown):
            # A result that Undo or the user took away must not keep its memory.
            self.forget()
            return False
        return True

    def try_threshold(self, parameters):
        """Shows the kept result at the threshold of the parameters; (Measurements, agreement), or None if none is kept.

        Milliseconds, without the network.
        """
        if not self.can_try_thresholds:
            return None
        volume, segmentation = self._shown
        mask, found, agreement = self._kept.at(self.engines.engine(), parameters.threshold, parameters.largestComponent)
        if segmentation.GetSegmentation().GetSegment("Pancreas") is None:
            show_mask(volume, mask, self._kept.start, segmentation, parameters.show3D)
        else:
            update_mask(volume, mask, self._kept.start, segmentation)
        table = parameters.measurementsTable
        if table is not None:
            show_table(measurement_rows(found, agreement), (_("Measurement"), _("Value")), "", table)
        return found, agreement


class InspectTask(Task):
    """Finds out what the panel wants to tell before a run: devices, the model's card, memory."""

    def __init__(self, engines, parameters):
        super().__init__(engines, _("Looking at the library"))
        self.path = model_path(parameters)
        self.options = engine_options(parameters, VIEWS)
        self.scan = self.region = None
        try:
            self.scan = scan_of(parameters.inputVolume)
            self.region = region_of(self.scan, parameters.inputVolume, parameters.region, parameters.roi)
        except InputError:
            # Apply will say it; what can be told without an image is told.
            self.scan = None
        self.runtime = self.engine = self.model = self.memory = None
        self.fault = None

    def work(self):
        self.engine = self.engines.engine()
        self.runtime = self.engine.runtime(gpus=True)
        if self.path == "":
            return
        self.model = self.engines.model(self.path)
        options = dict(self.options)
        options["views"] = tuple(view for view in options["views"] if view in self.model.info.views)
        if self.scan is None or not options["views"]:
            return
        if options["view_weights"] is not None:
            options["view_weights"] = {view: options["view_weights"][view] for view in options["views"]}
            if not any(options["view_weights"].values()):
                return
        try:
            self.memory = self.engine.estimate_memory(self.scan.image(), self.model, region=self.region, **options)
        except ggpfn.Error as error:
            # A GPU that is not there, for example; the device's line says so too.
            self.fault = error

    def finish(self, _result):
        return ""
