"""Where the work is done: in this process or in a child, the choice between them, and the methods and options of both.

A process has one libtorch. Where the host has brought its own, PyTorch for example, libggpfn must not be loaded beside
it; then the program `ggpfn` does the same work in a process of its own.
"""

from __future__ import annotations

import ctypes
import dataclasses
import difflib
import json
import math
import operator
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

import numpy as np

from . import _abi, _library
from . import image as images
from .errors import Error, LibraryMissing, WrongLibrary
from .image import Case
from .model import Model, checked_path, checked_text
from .monitor import Monitor, MonitorLike, as_monitor
from .results import VIEWS, Comparison, Measurements, Memory, Runtime, Segmentation, TrainingResult

if TYPE_CHECKING:
    from .child import Child
    from .inprocess import InProcess

# ((i, j, k), (ni, nj, nk)): the first voxel, and voxels along i, j and k.
Region = tuple[tuple[int, int, int], tuple[int, int, int]]

KINDS = ("auto", "in process", "child process")

_shared: dict[str, Engine] = {}
_shared_lock = threading.Lock()


def open_engine(kind: str = "auto", library: Any = None, program: Any = None) -> Engine:
    """An engine: InProcess or Child, which have the same methods.

    kind: "in process", "child process", or "auto": in process, unless the process already holds another libtorch or the
        library is refused.
    library: the file libggpfn or its folder; program: the file of the program ggpfn. None: they are searched.

    The engine's `kind` says what was chosen, its `reason`, a sentence, why. Raises LibraryMissing or WrongLibrary.
    """
    kind = str(kind).replace("-", " ").replace("_", " ")
    if kind not in KINDS:
        raise Error(f"The kind of engine is {kind!r}; one of {', '.join(KINDS)} was expected.")
    if kind == "in process":
        return _in_process(library, "It was asked for.")
    if kind == "child process":
        return _child(library, program, "It was asked for.")
    foreign = _library.foreign_libtorch(library)
    if foreign is None:
        try:
            return _in_process(library, "The process holds no other libtorch.")
        except (WrongLibrary, LibraryMissing) as error:
            refused = error
        reason = f"The library cannot be used in this process: {refused.message}"
    else:
        refused = None
        reason = f"The process already holds a libtorch of its own ({foreign}), with which libggpfn must not get mixed."
    try:
        return _child(library, program, reason)
    except (LibraryMissing, WrongLibrary) as error:
        if isinstance(refused, WrongLibrary):
            raise WrongLibrary(f"{refused.message} Beside it: {error.message}", refused.status) from error
        if refused is not None:
            searched = [*refused.searched, *getattr(error, "searched", [])]
            raise LibraryMissing(
                f"{refused.message} A child process cannot be used either: {error.message}", searched
            ) from error
        missing = error
    # The same libtorch may be shared. Which one it is the library itself finds out, and refuses another one.
    try:
        return _in_process(
            library, f"The program ggpfn was not found, and the libtorch of {foreign} is the one it needs."
        )
    except (LibraryMissing, WrongLibrary) as error:
        raise type(missing)(f"{reason} A child process is needed: {missing.message} ({error.message})") from error


def shared(kind: str = "in process") -> Engine:
    """The engine of the functions of this package, which is in process; the one of another kind is for pickled models
    alone."""
    with _shared_lock:
        if kind not in _shared:
            if kind == "in process":
                _shared[kind] = _in_process(None, "The package's own functions work in process.")
            else:
                _shared[kind] = open_engine(kind)
        return _shared[kind]


def _in_process(library: Any, reason: str) -> InProcess:
    from .inprocess import InProcess

    return InProcess(library, reason)


def _child(library: Any, program: Any, reason: str) -> Child:
    from .child import Child

    engine = Child(program=program, library=library)
    engine.reason = reason
    return engine


class Engine:
    """What both engines share: their methods, whose arguments are checked here, before either does its part.

    An engine has _model_of (what stands behind a Model that is its own) and, for the work itself, _new_model,
    _estimate_memory, _segment, _threshold, _fuse and _train. All methods may be called on any thread, several at the
    same time.
    """

    kind: str
    reason: str

    def close(self) -> None:
        """Lets go of what the engine holds; twice is no fault."""
        raise NotImplementedError

    def runtime(self, gpus: bool = False) -> Runtime:
        """Runtime: libtorch and the machine."""
        raise NotImplementedError

    def load_model(self, path: Any = None) -> Model:
        """The Model of a file (a path), or of a model file's bytes; None: the shipped one."""
        raise NotImplementedError

    def evaluate(self, prediction: images.Image, truth: images.Image) -> Comparison:
        """Comparison of two masks, Images on one grid (corners within 0.01 mm); what is not 0 is inside."""
        raise NotImplementedError

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def new_model(self, configuration: Any = None, seed: int = 0) -> Model:
        """An untrained Model, its weights drawn from seed.

        configuration: dict or JSON text with the entries of a model file's header; what it leaves out is the paper's.
        """
        if configuration is None:
            configuration = {}
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        return self._new_model(checked_text(text, "configuration"), seed)

    def estimate_memory(
        self,
        image: Any,
        model: Union[Model, Sequence[Model], None] = None,
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
        options = Options.checked(
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
        backings = self._models_of(model)
        return self._estimate_memory(images.Image.of(image, spacing, origin, direction, frame), backings, options)

    def segment(
        self,
        image: Any,
        model: Union[Model, Sequence[Model], None] = None,
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
        """Segments the pancreas in a CT; a Segmentation on its grid. See ggpfn.segment, which has the same arguments;
        models have to be this engine's."""
        options = Options.checked(
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
        backings = self._models_of(model)
        placed = images.Image.of(image, spacing, origin, direction, frame)
        found = self._segment(placed, backings, options, as_monitor(monitor))
        return dataclasses.replace(found, grid=placed.grid)

    def threshold(
        self, image: Any, probability: Any, threshold: float, largest_component: bool = False
    ) -> tuple[np.ndarray[Any, Any], Measurements]:
        """The mask (uint8 [k, j, i]) of a probability that `segment` gave for this Image, and its Measurements.

        For a threshold that is being tried: no network runs.
        """
        shape = images.check(image).array.shape
        probability = floats(probability, "probability")
        if probability.shape != shape:
            raise Error(f"The probability has the shape {probability.shape}, and the image {shape}.")
        return self._threshold(image, probability, checked_threshold("threshold", threshold), bool(largest_component))

    def fuse(
        self, views: Mapping[str, Any], weights: Optional[Mapping[str, float]] = None, threshold: float = 0.5
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Fuses probabilities of views: (probability float32, mask uint8), of their shape.

        views: dict of arrays by view, all of one shape. weights: dict by view, scaled to add up to 1; None: equal.
        """
        arrays = {view: floats(views[view], f"{view} view") for view in checked_views("views", views)}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1:
            raise Error(f"The views have different shapes: {', '.join(map(str, sorted(shapes)))}.")
        weights = None if weights is None else checked_weights("weights", weights)
        return self._fuse(arrays, weights, checked_threshold("threshold", threshold))

    def train(
        self,
        cases: Iterable[Case],
        *,
        options: str = "",
        model: Optional[Model] = None,
        all_stages: bool = False,
        folder: Any = None,
        resume: bool = False,
        device: str = "auto",
        minutes: float = 0,
        monitor: MonitorLike = None,
    ) -> tuple[Model, TrainingResult]:
        """Trains a network, or fine-tunes one; (Model, TrainingResult).

        cases: Case objects, which are converted at once. options: TOML text as `ggpfn train --config` reads it; what it
        leaves out, its preset has ("msd", "nihc", "small"; without one "small"). model: Model to start from; then the
        model says what network, views, view weights and threshold are where options do not, and the stage of the whole
        network alone is trained, unless all_stages is set or options name epochs of the others. folder: where log,
        curves, checkpoints and the best model are kept; resume: go on from what is there. minutes: to stop after, 0:
        when all is done.

        A training that is cancelled or out of time gives what it has so far, and the result says so. Raises
        TrainingError if it cannot go on, and what the monitor's callback raised.
        """
        if resume and folder is None:
            raise Error("To resume a training its folder is needed.")
        described = Described.checked(cases, options, model, all_stages, device)
        folder = None if folder is None else checked_path(folder)
        return self._train(described, folder, bool(resume), float(minutes or 0), monitor)

    def _model_of(self, model: Optional[Model]) -> Any:
        raise NotImplementedError

    def _models_of(self, model: Union[Model, Sequence[Model], None]) -> list[Any]:
        """What stands behind a model, or behind each of several."""
        if model is None or isinstance(model, Model):
            return [self._model_of(model)]
        models = list(model)
        if not models or not all(isinstance(one, Model) for one in models):
            raise Error(f"The model is {model!r}; a Model, or a list of at least one, was expected.")
        return [self._model_of(one) for one in models]

    def _new_model(self, text: bytes, seed: int) -> Model:
        raise NotImplementedError

    def _estimate_memory(self, image: images.Image, backings: list[Any], options: Options) -> Memory:
        raise NotImplementedError

    def _segment(self, image: images.Image, backings: list[Any], options: Options, monitor: Monitor) -> Segmentation:
        raise NotImplementedError

    def _threshold(
        self, image: images.Image, probability: np.ndarray[Any, Any], threshold: float, largest_component: bool
    ) -> tuple[np.ndarray[Any, Any], Measurements]:
        raise NotImplementedError

    def _fuse(
        self, arrays: dict[str, np.ndarray[Any, Any]], weights: Optional[dict[str, float]], threshold: float
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        raise NotImplementedError

    def _train(
        self, described: Described, folder: Optional[bytes], resume: bool, minutes: float, monitor: MonitorLike
    ) -> tuple[Model, TrainingResult]:
        raise NotImplementedError


@dataclass(frozen=True)
class Described:
    """What is to be trained, and on what, checked."""

    cases: list[Case]  # of Case
    options: bytes  # TOML, UTF-8
    model: Optional[Model]
    all_stages: bool
    device: str

    @classmethod
    def checked(cls, cases: Any, options: Any, model: Any, all_stages: Any, device: Any) -> Described:
        """Raises Error, with a sentence, for what cannot be meant."""
        if not isinstance(options, str):
            raise Error(f"The options are a {type(options).__name__}; TOML text was expected.")
        cases = list(cases)
        for case in cases:
            if not isinstance(case, Case):
                raise Error(f"A case is a {type(case).__name__}; ggpfn.Case(name, image, mask) was expected.")
            if case.role not in ROLES:
                raise Error(f"The role of {case.name} is {case.role!r}; one of {', '.join(ROLES)} was expected.")
        text = checked_text(options, "options")
        device_numbers(device)
        for case in cases:
            images.check(case.image, "image")
            images.check(case.mask, "mask")
            checked_text(case.name, "name of a case")
        return cls(cases, text, model, bool(all_stages), device)


@dataclass(frozen=True)
class Options:
    """How an image is to be segmented, checked: what `segment` and `estimate_memory` of both engines take as
    keywords."""

    views: Optional[tuple[str, ...]] = None  # names; None: all that the model has
    view_weights: Optional[dict[str, float]] = None  # by view; None: the model's
    threshold: Optional[float] = None  # above 0, up to 1; None: the model's
    largest_component: bool = False
    region: Optional[Region] = None  # ((i, j, k), (ni, nj, nk)); None: the whole image
    device: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    precision: str = "auto"  # "auto", "float32", "bfloat16"
    threads: int = 0  # 0: as many as there are processors
    block: int = 0  # slices at a time; 0: chosen
    patch: Optional[tuple[int, ...]] = None  # rows and columns, multiples of 8; None: whole slices
    overlap: int = 0  # pixels; 0: 64
    probability: bool = False
    view_probabilities: bool = False
    uncertainty: bool = False

    @classmethod
    def checked(cls, **given: Any) -> Options:
        """Options of keywords. Raises Error, with a sentence, for what cannot be meant."""
        known = cls.__dataclass_fields__
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(known)}."
                raise Error(f"There is no option {name}; {hint}")
        found = {name: value for name, value in given.items()}
        for name, check in _CHECKS.items():
            if found.get(name) is not None:
                found[name] = check(name, found[name])
        for name in ("largest_component", "probability", "view_probabilities", "uncertainty"):
            found[name] = bool(found.get(name, False))
        for name in ("threads", "block", "overlap"):
            found[name] = found.get(name) or 0
        for name in ("device", "precision"):
            found[name] = found.get(name) or "auto"
        return cls(**found)

    def struct(self) -> Any:
        """The library's struct."""
        device, number = device_numbers(self.device)
        region = self.region or ((0, 0, 0), (0, 0, 0))
        return _abi.ggpfn_segment_options(
            struct_size=ctypes.sizeof(_abi.ggpfn_segment_options),
            views=sum(1 << VIEWS.index(view) for view in self.views or ()),
            device=device,
            device_index=number,
            precision=PRECISIONS[self.precision],
            threads=self.threads,
            block=self.block,
            patch=self.patch or (0, 0),
            overlap=self.overlap,
            largest_component=self.largest_component,
            view_weights=weight_numbers(self.view_weights),
            threshold=self.threshold or 0.0,
            region_start=region[0],
            region_size=region[1],
        )


ROLES = {"train": _abi.GGPFN_TRAIN, "validate": _abi.GGPFN_VALIDATE}

PRECISIONS = {
    "auto": _abi.GGPFN_PRECISION_AUTO,
    "float32": _abi.GGPFN_PRECISION_FLOAT32,
    "bfloat16": _abi.GGPFN_PRECISION_BFLOAT16,
}


def device_numbers(device: Any) -> tuple[int, int]:
    """The library's two numbers for "auto", "cpu", "cuda" or "cuda:1"."""
    match = re.fullmatch(r"(auto|cpu|cuda)(?::(\d{1,4}))?", device) if isinstance(device, str) else None
    if match is None or (match[2] and match[1] != "cuda"):
        raise Error(f'The device is {device!r}; "auto", "cpu", "cuda" or "cuda:1" was expected.')
    return getattr(_abi, f"GGPFN_DEVICE_{match[1].upper()}"), int(match[2] or 0)


def weight_numbers(weights: Any) -> tuple[float, ...]:
    """Weights by view as the library's three numbers; all 0 for None."""
    return tuple((weights or {}).get(view, 0.0) for view in VIEWS)


def union_of(views: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The views that any of several models has, in the order of VIEWS."""
    found = {view for of_model in views for view in of_model}
    return tuple(view for view in VIEWS if view in found)


def floats(array: Any, what: str) -> np.ndarray[Any, Any]:
    """The array as dense, aligned float32, without a copy where it is that already."""
    array = images.as_array(array)
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise Error(f"The {what} is an array of {array.size} {array.dtype}; float32 numbers were expected.")
    return np.require(array, np.float32, ["C", "A"])


def checked_threshold(name: str, value: Any) -> float:
    """A number above 0, up to 1. 0 would have everything be pancreas, and means the default to the library."""
    number = _number(name, value)
    if not 0 < number <= 1:
        raise Error(f"The {name} is {number:g}; a number above 0 and up to 1 was expected.")
    return number


def checked_weights(name: str, weights: Any) -> dict[str, float]:
    """A dict of weights by view; those that are left out are 0."""
    if not isinstance(weights, Mapping):
        raise Error(f'{name} is {weights!r}; a dict by view was expected, {{"axial": 1, "coronal": 2}} for example.')
    found = {_view(view): _number(f"weight of the {view} view", weight) for view, weight in weights.items()}
    for view, weight in found.items():
        if weight < 0:
            raise Error(f"The weight of the {view} view is {weight:g}; a number from 0 was expected.")
    if not any(found.values()):
        raise Error("The weights of all views are 0; at least one above 0 was expected.")
    return found


def checked_views(name: str, views: Any) -> tuple[str, ...]:
    """The names of views, each once, in the library's order; one name alone may stand for itself."""
    views = [views] if isinstance(views, str) else list(views)
    if not views:
        raise Error("There are no views to compute; at least one of axial, sagittal, coronal was expected.")
    found = {_view(view) for view in views}
    return tuple(view for view in VIEWS if view in found)


def _view(view: Any) -> str:
    if not isinstance(view, str) or view not in VIEWS:
        raise Error(f"There is no view {view!r}; one of {', '.join(VIEWS)} was expected.")
    return view


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise Error(f"The {name} is {value!r}; a number was expected.")
    return found


def _count(name: str, value: Any, most: Any = 2**31 - 1) -> int:
    try:
        found = operator.index(value)
    except TypeError:
        found = -1
    if not 0 <= found <= most:
        raise Error(f"{name} is {value!r}; a whole number from 0 was expected.")
    return found


def _region(name: str, region: Any) -> Region:
    try:
        start, size = (tuple(part) for part in region)
        if len(start) != 3 or len(size) != 3:
            raise TypeError
    except (TypeError, ValueError):
        raise Error(f"The {name} is {region!r}; ((i, j, k), (ni, nj, nk)) was expected.") from None
    start = tuple(_count("The region's start", n) for n in start)
    size = tuple(_count("The region's size", n) for n in size)
    if not all(size):
        raise Error(f"The region has {' x '.join(map(str, size))} voxels; it must not be empty.")
    return start, size


def _patch(name: str, patch: Any) -> tuple[int, ...]:
    try:
        patch = (patch, patch) if not hasattr(patch, "__len__") else tuple(patch)
    except TypeError:
        patch = ()
    if len(patch) != 2:
        raise Error(f"The {name} is {patch!r}; (rows, columns) was expected.")
    return tuple(_count("The patch's side", n) for n in patch)


def _precision(name: str, precision: str) -> str:
    if precision not in PRECISIONS:
        raise Error(f"The {name} is {precision!r}; one of {', '.join(PRECISIONS)} was expected.")
    return precision


def _device(name: str, device: str) -> str:
    device_numbers(device)
    return device


_CHECKS = {
    "views": checked_views,
    "view_weights": checked_weights,
    "threshold": checked_threshold,
    "region": _region,
    "device": _device,
    "precision": _precision,
    "threads": _count,
    "block": _count,
    "patch": _patch,
    "overlap": _count,
}
