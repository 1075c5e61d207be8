"""ggpfn: pancreas segmentation in CT by the Globally Guided Progressive Fusion Network.

    import ggpfn

    image = ggpfn.Image(array, spacing=(0.8, 0.8, 2.5))         # array[k, j, i], Hounsfield units; not copied
    found = ggpfn.segment(image, probability=True)              # the shipped model
    found.mask, found.measurements.volume_ml

    image = ggpfn.Image.from_sitk(SimpleITK.ReadImage(path))    # or from_nibabel, from_ijk_to_ras
    model = ggpfn.Model.load("pancreas.safetensors")
    found = ggpfn.segment(image, model, views=["axial"], threshold=0.4, monitor=ggpfn.Monitor(print))

The functions here work in this process. open_engine() gives an engine with the same functions as methods, and chooses
a child process where this one already holds a libtorch of its own, PyTorch's for example. Importing the package loads
numpy alone; the library libggpfn is looked for at first use (see _library.py) and speaks through the exceptions of
errors.py.

With multiprocessing, use the start method "spawn", or "fork" before the first segmentation or training in the process:
its threads do not come along, and calls in a process that was forked later raise Forked.
"""

from __future__ import annotations

from . import _abi
from .engine import Options, open_engine, shared
from .errors import (
    Busy,
    Cancelled,
    ChildDied,
    Error,
    Forked,
    ImageError,
    LibraryMissing,
    ModelError,
    OutOfMemory,
    TrainingError,
    WrongLibrary,
)
from .image import Case, Image
from .model import Model
from .monitor import Monitor, Progress
from .results import (
    VIEWS,
    Comparison,
    Losses,
    Measurements,
    Memory,
    ModelInfo,
    Quality,
    ResultWarning,
    Runtime,
    Segmentation,
    TrainingResult,
)

__version__ = _abi.VERSION

__all__ = [
    "VIEWS",
    "Busy",
    "Cancelled",
    "Case",
    "ChildDied",
    "Comparison",
    "Error",
    "Forked",
    "Image",
    "ImageError",
    "LibraryMissing",
    "Losses",
    "Measurements",
    "Memory",
    "Model",
    "ModelError",
    "ModelInfo",
    "Monitor",
    "Options",
    "OutOfMemory",
    "Progress",
    "Quality",
    "ResultWarning",
    "Runtime",
    "Segmentation",
    "Trainer",
    "TrainingError",
    "TrainingResult",
    "WrongLibrary",
    "estimate_memory",
    "evaluate",
    "fuse",
    "open_engine",
    "runtime",
    "segment",
    "threshold",
    "train",
]


def _engine_of(model):
    return shared() if model is None else model.engine


def segment(image, model=None, **options):
    """Segments the pancreas in an Image; see Engine.segment for the options. A Segmentation."""
    return _engine_of(model).segment(image, model, **options)


def estimate_memory(image, model=None, **options):
    """Memory that `segment` with the same arguments would take."""
    return _engine_of(model).estimate_memory(image, model, **options)


def threshold(image, probability, threshold, largest_component=False):
    """The mask of a probability that was kept, and its Measurements; no network runs."""
    return shared().threshold(image, probability, threshold, largest_component)


def fuse(views, weights=None, threshold=0.5):
    """Fuses probabilities of views, a dict of arrays: (probability, mask)."""
    return shared().fuse(views, weights, threshold)


def evaluate(prediction, truth):
    """Comparison of two masks, Images on one grid."""
    return shared().evaluate(prediction, truth)


def train(cases, *, model=None, **options):
    """Trains a network on Case objects, or fine-tunes a model; see Engine.train. (Model, TrainingResult)."""
    return _engine_of(model).train(cases, model=model, **options)


def runtime(gpus=False):
    """Runtime: libtorch and the machine."""
    return shared().runtime(gpus)


def __getattr__(name):
    # The one class that is in process alone; its file is read when it is asked for.
    if name == "Trainer":
        from .inprocess import Trainer

        return Trainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
