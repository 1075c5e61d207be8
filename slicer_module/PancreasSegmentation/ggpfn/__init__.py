"""ggpfn: pancreas segmentation in CT by the Globally Guided Progressive Fusion Network.

    import ggpfn

    found = ggpfn.segment("scan.nii.gz", monitor=print)         # a file or a DICOM folder; the shipped model
    found.mask, found.measurements.volume_ml, found.quality.doubtful
    found.to_sitk(), found.row()                                # or to_nibabel, to_itk; a row for pandas

    ggpfn.segment(array, spacing=(0.8, 0.8, 2.5))               # array[k, j, i], Hounsfield units; not copied
    ggpfn.segment(SimpleITK.ReadImage(path), probability=True)  # or of nibabel, ITK, xarray, MONAI, TorchIO
    ggpfn.segment(path, "own.safetensors", views=["axial"], threshold=0.4, monitor=tqdm)

The functions here work in this process. open_engine() gives an engine with the same functions as methods, and chooses
a child process where this one already holds a libtorch of its own, PyTorch's for example. Importing the package loads
numpy alone; the library libggpfn is looked for at first use (see _library.py) and speaks through the exceptions of
errors.py.

With multiprocessing, use the start method "spawn", or "fork" before the first segmentation or training in the process:
its threads do not come along, and calls in a process that was forked later raise Forked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from . import _abi
from .engine import Engine, Options, Region, open_engine, shared
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
from .image import Case, Grid, Image
from .model import Model
from .monitor import Monitor, MonitorLike, Progress
from .results import (
    VIEWS,
    Comparison,
    Label,
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
    "Grid",
    "Image",
    "ImageError",
    "Label",
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
    "sample",
    "segment",
    "threshold",
    "train",
]


# A model, or the path of a model file.
ModelLike = Union[Model, str, os.PathLike[str]]


def _engine_of(model: Union[ModelLike, None]) -> tuple[Engine, Optional[Model]]:
    """The engine to work on, and the model, which may be a file's path."""
    if model is None or isinstance(model, Model):
        return (shared() if model is None else model.engine), model
    return shared(), Model.load(model)


def _models_of(model: Union[ModelLike, Sequence[ModelLike], None]) -> tuple[Engine, Any]:
    """The engine to work on, and the model, or a list of models."""
    if not isinstance(model, (list, tuple)):
        return _engine_of(model)  # type: ignore[arg-type]
    engine = next((one.engine for one in model if isinstance(one, Model)), None) or shared()
    return engine, [one if isinstance(one, Model) else engine.load_model(one) for one in model]


def segment(
    image: Any,
    model: Union[ModelLike, Sequence[ModelLike], None] = None,
    *,
    spacing: Optional[Sequence[float]] = None,
    origin: Optional[Sequence[float]] = None,
    direction: Any = None,
    frame: Optional[str] = None,
    views: Union[str, Sequence[str], None] = None,
    view_weights: Optional[Mapping[str, float]] = None,
    threshold: Optional[float] = None,
    largest_component: bool = False,
    region: Optional[Region] = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    block: int = 0,
    patch: Union[int, tuple[int, int], None] = None,
    overlap: int = 0,
    probability: bool = False,
    view_probabilities: bool = False,
    uncertainty: bool = False,
    monitor: MonitorLike = None,
) -> Segmentation:
    """Segments the pancreas in a CT; a Segmentation on the CT's own grid.

    Parameters
    ----------
    image:
        The CT, in Hounsfield units: the path of a NIfTI, NRRD or MetaImage file or of a DICOM folder; an image of
        SimpleITK, ITK, nibabel, xarray, MONAI or TorchIO; a ggpfn.Image; or an array [k, j, i] of numpy, PyTorch or
        another package with DLPack, together with spacing.
    model:
        A Model, or the path of a model file. None: the model that ships with ggpfn. A list of them: the mean of their
        fused probabilities, before the threshold, which is the mean of theirs; they segment the same labels.
    spacing, origin, direction, frame:
        For an array alone, where its voxels lie: mm along i, j, k; the centre of voxel (0, 0, 0) in mm; 3 x 3, whose
        columns are the unit vectors of i, j, k; "LPS" (the default; ITK, DICOM) or "RAS" (NIfTI, 3D Slicer).
    views:
        Names of the views to compute, of "axial", "sagittal" and "coronal". None: all that the model has.
    view_weights:
        Weights of the views in the fusion, scaled to add up to 1; views left out weigh 0. None: the model's.
    threshold:
        Probabilities from here on are pancreas, above 0 and up to 1. None: the model's.
    largest_component:
        Keep the largest connected component only.
    region:
        ((i, j, k), (ni, nj, nk)), the first voxel and the number of voxels to look at. None: the whole image.
    device:
        "auto", "cpu", "cuda" or "cuda:1".
    precision:
        "auto", "float32" or "bfloat16".
    threads:
        Of the processor; 0: all.
    block:
        Slices at a time; 0: chosen by the memory there is.
    patch, overlap:
        (rows, columns), multiples of 8, for GPUs with little memory, and the pixels by which patches overlap. None:
        whole slices; 0: 64 pixels.
    probability, view_probabilities, uncertainty:
        Whether these arrays are wanted beside the mask.
    monitor:
        Progress and cancel: a Monitor; a function that is called with each Progress, such as print, and cancels by
        returning False; a bar of tqdm's, or the class tqdm itself.

    Returns
    -------
    Segmentation:
        mask, measurements, quality, and the arrays that were asked for; to_sitk, to_itk and to_nibabel give images, and
        row a dict for a table.

    Raises
    ------
    Error:
        ImageError for what is no CT that can be segmented, Cancelled when it was, OutOfMemory, and the others of
        errors.py.

    Examples
    --------
    >>> found = ggpfn.segment("scan.nii.gz", monitor=print)
    >>> found = ggpfn.segment(array, spacing=(0.8, 0.8, 2.5), probability=True)
    >>> SimpleITK.WriteImage(ggpfn.segment(SimpleITK.ReadImage("scan.nrrd")).to_sitk(), "pancreas.nrrd")
    >>> pandas.DataFrame([ggpfn.segment(path).row() for path in paths])
    """
    engine, loaded = _models_of(model)
    return engine.segment(
        image,
        loaded,
        spacing=spacing,
        origin=origin,
        direction=direction,
        frame=frame,
        views=views,
        view_weights=view_weights,
        threshold=threshold,
        largest_component=largest_component,
        region=region,
        device=device,
        precision=precision,
        threads=threads,
        block=block,
        patch=patch,
        overlap=overlap,
        probability=probability,
        view_probabilities=view_probabilities,
        uncertainty=uncertainty,
        monitor=monitor,
    )


def estimate_memory(
    image: Any,
    model: Union[ModelLike, Sequence[ModelLike], None] = None,
    *,
    spacing: Optional[Sequence[float]] = None,
    origin: Optional[Sequence[float]] = None,
    direction: Any = None,
    frame: Optional[str] = None,
    views: Union[str, Sequence[str], None] = None,
    view_weights: Optional[Mapping[str, float]] = None,
    threshold: Optional[float] = None,
    largest_component: bool = False,
    region: Optional[Region] = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    block: int = 0,
    patch: Union[int, tuple[int, int], None] = None,
    overlap: int = 0,
    probability: bool = False,
    view_probabilities: bool = False,
    uncertainty: bool = False,
) -> Memory:
    """Memory that `segment` with the same arguments would take; the voxels are not looked at."""
    engine, loaded = _models_of(model)
    return engine.estimate_memory(
        image,
        loaded,
        spacing=spacing,
        origin=origin,
        direction=direction,
        frame=frame,
        views=views,
        view_weights=view_weights,
        threshold=threshold,
        largest_component=largest_component,
        region=region,
        device=device,
        precision=precision,
        threads=threads,
        block=block,
        patch=patch,
        overlap=overlap,
        probability=probability,
        view_probabilities=view_probabilities,
        uncertainty=uncertainty,
    )


def threshold(
    image: Any, probability: Any, threshold: float, largest_component: bool = False
) -> tuple[np.ndarray[Any, Any], Measurements]:
    """The mask of a probability that was kept, and its Measurements; no network runs."""
    return shared().threshold(image, probability, threshold, largest_component)


def fuse(
    views: Mapping[str, Any], weights: Optional[Mapping[str, float]] = None, threshold: float = 0.5
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Fuses probabilities of views, a dict of arrays: (probability, mask)."""
    return shared().fuse(views, weights, threshold)


def evaluate(prediction: Image, truth: Image) -> Comparison:
    """Comparison of two masks, Images on one grid."""
    return shared().evaluate(prediction, truth)


def train(
    cases: Iterable[Case],
    *,
    options: str = "",
    model: Optional[Model] = None,
    all_stages: bool = False,
    folder: Union[str, os.PathLike[str], None] = None,
    resume: bool = False,
    device: str = "auto",
    minutes: float = 0,
    monitor: MonitorLike = None,
) -> tuple[Model, TrainingResult]:
    """Trains a network on Case objects, or fine-tunes a model; see Engine.train. (Model, TrainingResult)."""
    engine, _ = _engine_of(model)
    return engine.train(
        cases,
        options=options,
        model=model,
        all_stages=all_stages,
        folder=folder,
        resume=resume,
        device=device,
        minutes=minutes,
        monitor=monitor,
    )


def sample(seed: int = 0, spacing: float = 2.0) -> tuple[Image, Image]:
    """A made-up CT of the abdomen and the exact mask of its pancreas, to try things out: (image, truth).

    seed: another CT for another one, the same for the same. spacing: of the voxels, in mm.
    """
    from .child import sample

    return sample(seed, spacing)


def runtime(gpus: bool = False) -> Runtime:
    """Runtime: libtorch and the machine. gpus: whether to look for GPUs, which may take seconds."""
    return shared().runtime(gpus)


def __getattr__(name: str) -> Any:
    # The one class that is in process alone; its file is read when it is asked for.
    if name == "Trainer":
        from .inprocess import Trainer

        return Trainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
