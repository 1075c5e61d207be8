"""Offers after a run that failed: a question, and what a yes does."""

import ggpfn
from slicer.i18n import tr as _

from .parameters import Device


def remedy(error, parameters):
    """(question, change of the parameters) for an exception of a run; None if there is nothing to offer."""
    if not isinstance(error, ggpfn.OutOfMemory) or "CUDA" not in error.message or parameters.device is Device.CPU:
        return None
    if not parameters.smallPatches:
        return _("Go on with patches of 256 x 256, which take less of the GPU's memory?"), use_patches
    return _("Go on with the processor instead of the GPU? It takes longer."), use_processor


def use_patches(parameters):
    parameters.smallPatches = True


def use_processor(parameters):
    parameters.smallPatches = False
    parameters.device = Device.CPU
