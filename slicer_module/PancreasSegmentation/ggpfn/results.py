"""What engines give back. Numbers that have no value, NaN in the library, are None; triples are along i, j, k.

The same classes serve work in this process and in a child; `from_struct` makes them of the library's structs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from . import _abi
from .errors import Error
from .image import Grid

# In the order of the library's numbers, GGPFN_AXIAL and so on.
VIEWS = ("axial", "sagittal", "coronal")
STAGES = ("global", "local", "whole")
ENDS = ("done", "out of time", "cancelled")
DEVICES = {_abi.GGPFN_DEVICE_CPU: "cpu", _abi.GGPFN_DEVICE_CUDA: "cuda"}
WARNINGS = {
    number: constant[len("GGPFN_WARNING_") :].lower().replace("_", "-")
    for constant, number in vars(_abi).items()
    if constant.startswith("GGPFN_WARNING_")
}
PRECISIONS = {_abi.GGPFN_PRECISION_FLOAT32: "float32", _abi.GGPFN_PRECISION_BFLOAT16: "bfloat16"}


@dataclass(frozen=True)
class Runtime:
    """libtorch and the machine."""

    version: str  # of ggpfn, "0.1.0"
    library: Optional[str]  # the file of libggpfn; None in a child
    program: Optional[str]  # the file of the program ggpfn; None in process
    built_for: str  # the libtorch that ggpfn was built for, "2.11.0"
    loaded: str  # the libtorch that is in the process
    wrong_libtorch: bool  # whether the two differ
    cpu_bfloat16: bool  # whether the processor computes bfloat16 faster than float32
    gpu_driver: bool  # whether an NVIDIA driver is present
    gpus: Optional[int] = None  # GPUs that can be used; None if that was not asked for
    gpu_names: tuple[str, ...] = ()  # them in words, "cuda:0, NVIDIA H100, fast at bfloat16"
    libtorch: str = ""  # the file of libtorch
    problems: str = ""  # what is wrong with libtorch, or why a GPU that is there cannot be used; sentences for people


@dataclass(frozen=True)
class Label:
    """One of the structures that a model segments."""

    value: int  # in a label map, 1 to 255
    name: str
    colour: tuple[int, ...]  # red, green and blue, 0 to 255
    threshold: float  # probabilities from here on are this label
    code: Optional[tuple[str, ...]] = None  # value, scheme (SCT: SNOMED CT) and meaning of its code; None: unknown

    @classmethod
    def from_struct(cls, label: Any) -> Label:
        code = tuple(part.decode() for part in (label.code_value, label.code_scheme, label.code_meaning))
        return cls(
            value=label.value,
            name=label.name.decode(),
            colour=tuple(label.colour >> shift & 0xFF for shift in (16, 8, 0)),
            threshold=label.threshold,
            code=code if code[0] else None,
        )


@dataclass(frozen=True)
class ModelInfo:
    """What a model is."""

    parameters: int  # of one view's network
    views: tuple[str, ...]  # the views that it has a network for
    t: int  # a slice's probability comes from 2 t + 1 slices
    progressive: bool  # whether slices are fused progressively, or at once
    global_guidance: bool
    window: tuple[float, ...]  # Hounsfield units that map to 0 and 1
    spacing: Optional[tuple[float, ...]]  # the working spacing in mm along x, y, z of LPS; None: each image's own grid
    view_weights: dict[str, float]  # by view, in the fusion
    threshold: float  # probabilities from here on are pancreas
    sha256: str  # of the model file's bytes, in hexadecimal
    labels: tuple[Label, ...]  # what it segments; the first is the main one

    @classmethod
    def from_struct(cls, info: Any, labels: Any) -> ModelInfo:
        """labels: a ggpfn_label for each of its labels."""
        views = tuple(view for number, view in enumerate(VIEWS) if info.views >> number & 1)
        return cls(
            parameters=info.parameters,
            views=views,
            t=info.t,
            progressive=bool(info.progressive),
            global_guidance=bool(info.global_guidance),
            window=tuple(info.window),
            spacing=tuple(info.spacing) if any(info.spacing) else None,
            view_weights={view: info.view_weights[VIEWS.index(view)] for view in views},
            threshold=info.threshold,
            sha256=info.sha256.decode(),
            labels=tuple(map(Label.from_struct, labels)),
        )


@dataclass(frozen=True)
class Memory:
    """How much memory a segmentation takes at its peak, beyond what the process has already, the image included."""

    host_bytes: int  # in the machine's memory
    device_bytes: int  # in the GPU's memory; 0 if none is used
    host_free: Optional[int]  # bytes that the machine has free now; None if that is not known

    @classmethod
    def from_struct(cls, memory: Any) -> Memory:
        return cls(memory.host_bytes, memory.device_bytes, memory.host_free or None)


@dataclass(frozen=True)
class Measurements:
    """What a mask says about the organ. What has no value, in an empty mask, is None."""

    voxels: int
    components: int  # connected parts of the mask; voxels that touch by a corner are connected
    volume_ml: float
    box_start: Optional[tuple[int, ...]]  # the smallest index (i, j, k) in the mask
    box_size: tuple[int, ...]  # the bounding box's voxels along i, j and k; zeros for an empty mask
    box_mm: Optional[tuple[float, ...]]  # its edges in mm
    centroid: Optional[tuple[float, ...]]  # in mm, in the frame of the image
    mean_hu: Optional[float]
    std_hu: Optional[float]
    threshold: float  # that made the mask
    # The rest tells how the network ran, and is empty for a threshold that was tried on a kept probability.
    weights: dict[str, float] = field(default_factory=dict)  # of the views that were computed
    device: Optional[str] = None  # "cpu" or "cuda"
    precision: Optional[str] = None  # "float32" or "bfloat16"
    seconds: Optional[float] = None  # wall-clock time of the whole work

    @classmethod
    def from_struct(cls, found: Any, views: Any = ()) -> Measurements:
        """views: the names of those that were computed."""
        return cls(
            voxels=found.voxels,
            components=found.components,
            volume_ml=found.volume_ml,
            box_start=tuple(found.box_start) if found.voxels else None,
            box_size=tuple(found.box_size),
            box_mm=_triple(found.box_mm),
            centroid=_triple(found.centroid),
            mean_hu=number(found.mean_hu),
            std_hu=number(found.std_hu),
            threshold=found.threshold,
            weights={view: found.view_weights[VIEWS.index(view)] for view in views},
            device=DEVICES.get(found.device),
            precision=PRECISIONS.get(found.precision),
            seconds=found.seconds or None,
        )


@dataclass(frozen=True)
class ResultWarning:
    """One thing that is odd about a scan or a result."""

    kind: str  # "nothing-found", "cut-off" and so on; the names stay as they are
    text: str  # what was found and what was expected


@dataclass(frozen=True)
class Quality:
    """How far a result can be trusted."""

    expected_dice: float  # against a manual segmentation, 0 to 1
    doubtful: bool  # whether a person should look before the result is used
    warnings: tuple[ResultWarning, ...] = ()  # of ResultWarning

    @classmethod
    def from_struct(cls, found: Any, warnings: Any) -> Quality:
        """warnings: [(number, text)] of the library."""
        named = tuple(ResultWarning(WARNINGS.get(number, f"warning-{number}"), text) for number, text in warnings)
        return cls(found.expected_dice, bool(found.doubtful), named)


@dataclass(frozen=True)
class Segmentation:
    """A segmentation on the image's grid; arrays are [k, j, i], and None if they were not asked for."""

    mask: np.ndarray[Any, Any]  # uint8, 1 in the pancreas (the model's first label)
    measurements: Measurements
    quality: Quality
    probability: Optional[np.ndarray[Any, Any]] = None  # float32, fused, 0 to 1
    view_probabilities: Optional[dict[str, np.ndarray[Any, Any]]] = None  # float32 by view
    uncertainty: Optional[np.ndarray[Any, Any]] = (
        None  # float32: standard deviation of the views' probabilities, 0 to 0.5
    )
    grid: Optional[Grid] = None  # where the voxels lie
    # Of a model with several labels: uint8, each label's value, 0 outside; later labels cover earlier ones.
    label_map: Optional[np.ndarray[Any, Any]] = None
    labels: dict[str, Measurements] = field(default_factory=dict)  # by label, the first among them

    def to_sitk(self, what: str = "mask") -> Any:
        """The mask, or "probability", "uncertainty" or a view's probability, as a SimpleITK image on the scan's
        grid."""
        return self._placed().to_sitk(self._array(what))

    def to_itk(self, what: str = "mask") -> Any:
        """The same as an image of ITK's own Python package."""
        return self._placed().to_itk(self._array(what))

    def to_nibabel(self, what: str = "mask") -> Any:
        """The same as a nibabel Nifti1Image."""
        return self._placed().to_nibabel(self._array(what))

    def row(self) -> dict[str, Any]:
        """Measurements and quality as a flat dict of numbers and text, a row of a pandas DataFrame or of a CSV file."""
        row: dict[str, Any] = {}
        for key, value in vars(self.measurements).items():
            if isinstance(value, tuple) or key in ("box_start", "box_mm", "centroid"):
                row.update({f"{key}_{axis}": n for axis, n in zip("ijk", value or (None, None, None))})
            elif key == "weights":
                row.update({f"weight_{view}": weight for view, weight in value.items()})
            else:
                row[key] = value
        # The centroid is a place in the patient and no index.
        for index, axis in zip("ijk", "xyz"):
            row[f"centroid_{axis}"] = row.pop(f"centroid_{index}")
        row["expected_dice"] = self.quality.expected_dice
        row["doubtful"] = self.quality.doubtful
        row["warnings"] = "; ".join(warning.kind for warning in self.quality.warnings)
        return row

    def _array(self, what: str) -> np.ndarray[Any, Any]:
        found = (self.view_probabilities or {}).get(what) if what in VIEWS else vars(self).get(what)
        if not isinstance(found, np.ndarray):
            wanted = "view_probabilities" if what in VIEWS else what
            known = ("mask", "label_map", "probability", "uncertainty", *VIEWS)
            if what not in known:
                raise Error(f"There is no array {what!r}; one of {', '.join(known)} was expected.")
            if what == "label_map":
                raise Error("The model has one label alone, and so there is no label map; take the mask.")
            raise Error(f"The segmentation has no {what}; ask for it with segment(..., {wanted}=True).")
        return found

    def _placed(self) -> Grid:
        if self.grid is None:
            raise Error("The segmentation does not know where its voxels lie.")
        return self.grid


@dataclass(frozen=True)
class Comparison:
    """How good a mask is. What has no value, such as a distance to an empty mask, is None."""

    dice: Optional[float]  # None if both are empty
    jaccard: Optional[float]  # None if both are empty
    precision: Optional[float]  # the part of the prediction that is true
    recall: Optional[float]  # the part of the truth that was found
    prediction_ml: float
    truth_ml: float
    volume_error_percent: Optional[float]  # prediction less truth, in percent of the truth
    hausdorff95_mm: Optional[float]  # 95th percentile of the distances between the surfaces, both ways pooled
    mean_surface_mm: Optional[float]  # mean of the same distances

    @classmethod
    def from_struct(cls, found: Any) -> Comparison:
        return cls(**_numbers_of(found))


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended."""

    end: str  # "done", "out of time" or "cancelled"; what is not done can be taken up again from its folder
    cases: int  # that were trained on
    dice: dict[str, Optional[float]]  # the best validation Dice of each view's masks; None without one

    @classmethod
    def from_struct(cls, result: Any) -> TrainingResult:
        dice = {view: number(value) for view, value in zip(VIEWS, result.dice)}
        return cls(name(ENDS, result.end) or f"end {result.end}", result.cases, dice)


@dataclass(frozen=True)
class Losses:
    """The loss of a batch and its terms, equation (2) of the paper; what a stage does not have is None."""

    total: float
    map: Optional[float]  # cross entropy of the probability map
    side: Optional[float]  # mean cross entropy of the encoder's side outputs
    global_: Optional[float]  # cross entropy of the global branch's coarse map
    global_finer: Optional[float]  # and of its finer map
    batch: int  # the batch's number, from 0

    @classmethod
    def from_struct(cls, losses: Any) -> Losses:
        numbers = _numbers_of(losses)
        return cls(global_=numbers.pop("global"), **numbers)


def number(value: Any) -> Optional[float]:
    """NaN as None."""
    return None if math.isnan(value) else value


def name(names: Sequence[str], index: int) -> Optional[str]:
    """The name of one of the library's numbers; None for -1, which is what does not apply."""
    return names[index] if 0 <= index < len(names) else None


def _triple(values: Any) -> Any:
    return None if any(math.isnan(value) for value in values) else tuple(values)


def _numbers_of(struct: Any) -> Any:
    values = {key: getattr(struct, key) for key, *_ in struct._fields_ if key != "struct_size"}
    return {key: number(value) if isinstance(value, float) else value for key, value in values.items()}
