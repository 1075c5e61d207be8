"""Offers after a run that failed: a question, and what a yes does."""

import ggpfn
import numpy as np
import slicer
from slicer.i18n import tr as _

from .parameters import Device

# In Hounsfield units.
AIR = -1024


def remedy(error, parameters):
    """(question, change of the parameters) for an exception of a run; None if there is nothing to offer."""
    if isinstance(error, ggpfn.ImageError) and has_nan(parameters.inputVolume):
        question = _("Replace the voxels of {name} that are not numbers by air, {hu} HU? Its file stays as it is.")
        return question.format(name=parameters.inputVolume.GetName(), hu=AIR), replace_nan
    if not isinstance(error, ggpfn.OutOfMemory) or "CUDA" not in error.message or parameters.device is Device.CPU:
        return None
    if not parameters.smallPatches:
        return _("Go on with patches of 256 x 256, which take less of the GPU's memory?"), use_patches
    return _("Go on with the processor instead of the GPU? It takes longer."), use_processor


def has_nan(volume):
    """Whether a volume has voxels that are not numbers, as resampling leaves where it has nothing to look at."""
    return volume is not None and bool(np.isnan(slicer.util.arrayFromVolume(volume)).any())


def replace_nan(parameters):
    array = slicer.util.arrayFromVolume(parameters.inputVolume)
    array[np.isnan(array)] = AIR
    slicer.util.arrayFromVolumeModified(parameters.inputVolume)


def use_patches(parameters):
    parameters.smallPatches = True


def use_processor(parameters):
    parameters.smallPatches = False
    parameters.device = Device.CPU
