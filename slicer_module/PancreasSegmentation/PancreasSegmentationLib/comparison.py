"""Comparing two segmentations: Dice, volumes and distances of their surfaces."""

import ggpfn
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _

from .errors import InputError
from .measurements import HEADER, comparison_rows, show_table
from .scene_input import ijk_to_ras, mask_of
from .tasks import Task


class ComparisonTask(Task):
    """Compares two segmentation nodes on the grid of the volume that one of them was made on."""

    def __init__(self, engines, parameters):
        self.parameters = parameters
        prediction, truth = parameters.comparedSegmentation, parameters.trueSegmentation
        if prediction is None or truth is None:
            raise InputError(_("Choose two segmentations."))
        if prediction is truth:
            raise InputError(_("Choose two different segmentations."))
        super().__init__(engines, _("Comparing"), [prediction, truth])
        role = vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        volume = truth.GetNodeReference(role) or prediction.GetNodeReference(role) or parameters.inputVolume
        if volume is None:
            raise InputError(_("Choose the CT of the segmentations as the input volume; its grid is needed."))
        matrix = ijk_to_ras(volume)
        self.masks = [
            ggpfn.Image.from_ijk_to_ras(mask_of(segmentation, volume), matrix) for segmentation in (prediction, truth)
        ]
        self.volume = volume
        self.comparison = None

    def work(self):
        return self.engines.engine().evaluate(*self.masks)

    def finish(self, comparison):
        self.comparison = comparison
        self.parameters.comparisonTable = show_table(
            comparison_rows(comparison),
            HEADER,
            _("Comparison"),
            self.parameters.comparisonTable,
            self.parameters.comparedSegmentation,
        )
        return _("Dice {dice:.3f}").format(dice=comparison.dice)

    def gone_message(self):
        return _("A segmentation was deleted during the comparison.")
