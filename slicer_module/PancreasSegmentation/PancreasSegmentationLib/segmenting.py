"""Segmenting one volume: the task, and the logic that scripts and the panel share."""

from dataclasses import replace

import ggpfn
import numpy as np
import slicer
from slicer.i18n import tr as _

from .engines import Engines
from .errors import InputError
from .kept import Kept, moved
from .measurements import HEADER, measurement_rows, show_table, summary
from .parameters import VIEWS, chosen_views, engine_options, model_path, view_names
from .rest import RestTask
from .scene_input import mask_of, region_of, scan_of
from .scene_output import (
    oriented_image,
    save_undo_state,
    set_surface,
    set_voxels,
    show_labels,
    show_mask,
    show_numbers,
    surface_that_is_shown,
    update_mask,
)
from .surface import Settings, surface_of
from .tasks import Task
from .written import SEGMENT_ID, box_of, fingerprint, is_edited, others_edited, same


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
        # None: the surface is not wanted, or is Slicer's own to make.
        self.surface = Settings.of(parameters.outputSegmentation) if self._has_3d() else None
        self.want_probability = parameters.wantProbability
        self.kept = None
        self.measurements = None
        self.quality = None
        self.agreement = {}

    def _has_3d(self):
        """Whether the result has a surface: the user may have switched that of an earlier result off or on."""
        output = self.parameters.outputSegmentation
        if output is None or output.GetSegmentation().GetSegment(SEGMENT_ID) is None:
            return self.show_3d
        return surface_that_is_shown(output) is not None

    def work(self):
        engine = self.engines.engine()
        model = self.engines.model(self.path)
        found = segment(engine, model, self.scan, self.options, self.region, self.monitor)
        kept = Kept.of(self.scan, found)
        shown = kept.at(engine, self.options["threshold"], self.options["largest_component"])
        surface = self.surface and surface_of(shown.mask, shown.start, self.scan.matrix, self.surface)
        maps = {"uncertainty": found.uncertainty, "probability": found.probability if self.want_probability else None}
        # Each with its maximum, since the window would stand still for as long as it takes to find it.
        maps = {kind: (array, array.max()) for kind, array in maps.items() if array is not None}
        return found, kept, shown, surface, maps, model.info.labels

    def finish(self, result):
        found, self.kept, shown, surface, maps, labels = result
        self.quality, self.measurements, self.agreement = found.quality, shown.measurements, shown.agreement
        parameters, volume = self.parameters, self.volume
        save_undo_state()
        spared = parameters.outputSegmentation
        if spared is not None and (is_edited(spared) or others_edited(spared)):
            # Corrections by hand are never replaced unasked; their measurements stay with them.
            parameters.outputSegmentation = parameters.measurementsTable = None
        else:
            spared = None
        self.show_3d = self._has_3d()
        segmentation = show_mask(volume, shown.mask, shown.start, parameters.outputSegmentation, self.show_3d, surface)
        parameters.outputSegmentation = segmentation
        if found.label_map is not None:
            show_labels(volume, found.label_map, labels, segmentation)
        for kind, name, field in (
            ("uncertainty", _("{name} uncertainty"), "uncertaintyVolume"),
            ("probability", _("{name} probability"), "probabilityVolume"),
        ):
            if kind in maps:
                name, node = name.format(name=volume.GetName()), getattr(parameters, field)
                setattr(parameters, field, show_numbers(volume, maps[kind][0], name, node, maps[kind][1]))
        parameters.measurementsTable = show_table(
            measurement_rows(self.measurements, self.agreement),
            HEADER,
            _("{name} measurements").format(name=volume.GetName()),
            parameters.measurementsTable,
            volume,
        )
        text = summary(self.measurements)
        if spared is not None:
            text += ". " + _("{old} was edited by hand and stays as it is; the result is in {new}.").format(
                old=spared.GetName(), new=segmentation.GetName()
            )
        return text


def segment(engine, model, scan, options, region=None, monitor=None):
    """ggpfn.Segmentation of a Scan. On any thread.

    options: of `engine_options`; views that the model lacks are left out.
    """
    options = dict(options)
    views = tuple(view for view in options["views"] if view in model.info.views)
    if not views:
        raise InputError(
            _("The model has the views {views} alone; tick one of them under Advanced.").format(
                views=view_names(model.info.views)
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
        self.forget()

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
        self._replaced = None
        self._measured = fingerprint(task.parameters.outputSegmentation)
        return True

    def forget(self):
        """Lets go of the kept probability and its nodes: when the scene is closed."""
        self._kept = self._shown = self._replaced = self._measured = None

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

    def try_threshold(self, parameters, replace_edited=False):
        """Shows the kept result at the threshold of the parameters; (Measurements, agreement), or None if none is kept
        or if the segment was edited by hand since.

        No network runs. replace_edited: replace corrections too; `restore` brings them back.
        """
        if not self._may_write(replace_edited):
            return None
        result = self._kept.at(self.engines.engine(), parameters.threshold, parameters.largestComponent)
        self._write(parameters, result.mask, result.start)
        self._show_table(parameters, result)
        return result.measurements, result.agreement

    def preview_threshold(self, parameters, replace_edited=False):
        """Shows the mask at the threshold of the parameters, while the slider moves: milliseconds. Numbers and surface
        are left to `rest_task`. The volume in mL, or None as from `try_threshold`."""
        if not self._may_write(replace_edited):
            return None
        mask, start = self._kept.mask_at(parameters.threshold, parameters.largestComponent)
        self._write(parameters, mask, start, surface_that_is_shown(self._shown[1]))
        return int(np.count_nonzero(mask)) * abs(np.linalg.det(self._kept.scan.matrix[:3, :3])) / 1000

    def rest_task(self, parameters):
        """A RestTask for what `preview_threshold` has shown; hand it to `rested` when it has ended. None if nothing is
        kept or if the segment was edited by hand since."""
        if not self._may_write(False):
            return None
        return RestTask(self.engines, self._kept, parameters, self._shown)

    def rested(self, task):
        """Shows numbers and surface of a RestTask as `try_threshold` does; None also if it is of another mask than the
        one that is shown by now."""
        if task.kept is not self._kept or not task.of_now or not self._may_write(False):
            return None
        # The user may have switched the surface off meanwhile.
        if surface_that_is_shown(self._shown[1]) is not None:
            if task.surface is not None:
                set_surface(self._shown[1], task.surface)
            else:
                self._write(task.parameters, task.result.mask, task.result.start)
        self._show_table(task.parameters, task.result)
        return task.result.measurements, task.result.agreement

    def _may_write(self, replace_edited):
        """Whether there is a kept result that may be shown; saves corrections that are to be replaced."""
        if not self.can_try_thresholds:
            return False
        _volume, segmentation = self._shown
        if is_edited(segmentation):
            if not replace_edited:
                return False
            save_undo_state()
            self._replaced = box_of(segmentation)
        return True

    def _write(self, parameters, mask, start, surface=None):
        volume, segmentation = self._shown
        if segmentation.GetSegmentation().GetSegment(SEGMENT_ID) is None:
            show_mask(volume, mask, start, segmentation, parameters.show3D)
            self._measured = fingerprint(segmentation)
        else:
            self._measured = update_mask(volume, mask, start, segmentation, surface)

    def _show_table(self, parameters, result):
        table = parameters.measurementsTable
        if table is not None:
            show_table(measurement_rows(result.measurements, result.agreement), HEADER, "", table)

    # Corrections by hand

    @property
    def can_restore(self):
        """Whether corrections were replaced that can be brought back."""
        return self._replaced is not None and self.can_try_thresholds

    def restore(self):
        """Brings corrections back that were replaced on request."""
        if self.can_restore:
            _volume, segmentation = self._shown
            save_undo_state()
            matrix = slicer.util.vtkMatrixFromArray(self._replaced.matrix)
            set_voxels(segmentation, oriented_image(self._replaced.mask, (0, 0, 0), matrix))
            self._replaced = None

    @property
    def edited(self):
        """Whether the segment that the threshold would change was edited by hand."""
        return self.can_try_thresholds and is_edited(self._shown[1])

    def outdated(self, parameters):
        """Whether the segment was edited by hand since it was measured."""
        segmentation = parameters.outputSegmentation
        if segmentation is None or self._measured is None or not is_edited(segmentation):
            return False
        return not same(self._measured, fingerprint(segmentation))

    def measured(self, task):
        """Notes that a MeasureTask has ended."""
        self._measured = task.fingerprint


class MeasureTask(Task):
    """Measures the segment Pancreas of the output as it is now, whoever made it."""

    def __init__(self, engines, parameters):
        """Looks at the scene; raises InputError if there is nothing to measure."""
        self.parameters = parameters
        volume, segmentation = parameters.inputVolume, parameters.outputSegmentation
        if segmentation is None:
            raise InputError(_("Choose the segmentation that is to be measured under Result."))
        scan = scan_of(volume)
        super().__init__(engines, _("Measuring {name}").format(name=segmentation.GetName()), [volume, segmentation])
        mask = mask_of(segmentation, volume)
        # A little more than the segment: an empty box has no voxels to look at.
        where = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        box = tuple(slice(int(part[0]), int(part[-1]) + 1) if len(part) else slice(0, 1) for part in where)
        self.first = tuple(part.start for part in box[::-1])
        self.scan, self.mask = scan.cut(box), mask[box].astype(np.float32)
        self.fingerprint = fingerprint(segmentation)
        self.measurements = None

    def work(self):
        _mask, found = self.engines.engine().threshold(self.scan.image(), self.mask, 0.5)
        return replace(moved(found, self.first), threshold=None)

    def finish(self, result):
        self.measurements = result
        parameters = self.parameters
        parameters.measurementsTable = show_table(
            measurement_rows(result),
            HEADER,
            _("{name} measurements").format(name=parameters.inputVolume.GetName()),
            parameters.measurementsTable,
            parameters.inputVolume,
        )
        return summary(result)

    def gone_message(self):
        return _("The volume or the segmentation was deleted during the measurement.")


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
