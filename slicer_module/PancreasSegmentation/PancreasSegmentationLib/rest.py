"""What follows when the threshold slider rests: the numbers and the surface of the mask that it has left."""

from slicer.i18n import tr as _

from .scene_input import ijk_to_ras
from .scene_output import surface_that_is_shown
from .surface import Settings, surface_of
from .tasks import Task


class RestTask(Task):
    """Measures a kept result at a threshold and makes its surface, beside a window in which the slider may move on."""

    def __init__(self, engines, kept, parameters, shown):
        """kept: a Kept. shown: the nodes that it is shown in, volume and segmentation."""
        volume, segmentation = shown
        super().__init__(engines, _("Measuring {name}").format(name=segmentation.GetName()), [volume, segmentation])
        self.kept, self.parameters = kept, parameters
        self.threshold, self.largest = parameters.threshold, parameters.largestComponent
        self.matrix = ijk_to_ras(volume)
        # None: no surface is shown, or it is Slicer's own to make.
        shown_in_3d = surface_that_is_shown(segmentation) is not None
        self.settings = Settings.of(segmentation) if shown_in_3d else None
        self.result = self.surface = None

    @property
    def of_now(self):
        """Whether the parameters still ask for what this is of."""
        return (self.threshold, self.largest) == (self.parameters.threshold, self.parameters.largestComponent)

    def work(self):
        result = self.kept.at(self.engines.engine(), self.threshold, self.largest)
        return result, self.settings and surface_of(result.mask, result.start, self.matrix, self.settings)

    def finish(self, result):
        self.result, self.surface = result
        return ""

    def gone_message(self):
        return _("The volume or the segmentation was deleted during the measurement.")
