"""A transform for dictionaries of images, as MONAI's and TorchIO's pipelines have them; neither is needed to import it.

from ggpfn.transforms import SegmentPancreasd

steps = [LoadImaged("image", image_only=True), SegmentPancreasd("image", output="pancreas")]
pipeline = monai.transforms.Compose(steps)
pipeline({"image": "scan.nii.gz"})["pancreas"]
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np

from .image import Image
from .model import Model
from .monitor import MonitorLike
from .results import Segmentation


class SegmentPancreasd:
    """Adds the mask of the pancreas to a dictionary that holds a CT.

    keys: of the CT, or of several CTs. The CT may be whatever `ggpfn.segment` takes; a tensor or array without a place
        in the patient is [i, j, k] or [1, i, j, k], as MONAI has them, and wants spacing.
    output: the mask's key; with several CTs, as many. None: the CT's key with "_pancreas" behind.
    model: a Model, or the path of a model file. None: the model that ships with ggpfn.
    spacing: mm along i, j, k, for CTs that do not say it themselves.
    threshold, largest_component, device, monitor: as for `ggpfn.segment`.
    row: a key for the row of measurements of the (last) CT. None: they are not kept.

    The mask is of the CT's own kind and shape: a MetaTensor for a MetaTensor, with its affine, a tensor for a tensor,
    an array for an array, a torchio.LabelMap for a torchio.ScalarImage; for all others, a path for example, the
    Segmentation. The given dictionary is not changed.
    """

    def __init__(
        self,
        keys: Union[str, Sequence[str]],
        output: Union[str, Sequence[str], None] = None,
        *,
        model: Union[Model, str, os.PathLike[str], None] = None,
        spacing: Optional[Sequence[float]] = None,
        threshold: Optional[float] = None,
        largest_component: bool = False,
        device: str = "auto",
        monitor: MonitorLike = None,
        row: Optional[str] = None,
    ) -> None:
        self.keys = (keys,) if isinstance(keys, str) else tuple(keys)
        outputs = [f"{key}_pancreas" for key in self.keys] if output is None else output
        self.outputs = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        if len(self.outputs) != len(self.keys):
            raise ValueError(f"There are {len(self.keys)} keys and {len(self.outputs)} outputs; as many were expected.")
        self.model = model
        self.spacing = spacing
        self.threshold = threshold
        self.largest_component = largest_component
        self.device = device
        self.monitor = monitor
        self.row = row

    def __call__(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The dictionary with the masks added."""
        from . import segment

        done = dict(data)
        for key, output in zip(self.keys, self.outputs):
            given = done[key]
            found = segment(
                self._image(given),
                self.model,
                threshold=self.threshold,
                largest_component=self.largest_component,
                device=self.device,
                monitor=self.monitor,
            )
            done[output] = _like(given, found)
            if self.row is not None:
                done[self.row] = found.row()
        return done

    def _image(self, given: Any) -> Any:
        if not _is_bare(given):
            return given
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
        if array.ndim == 4 and array.shape[0] == 1:
            array = array[0]
        # RAS, as MONAI places what has no affine.
        return Image.of(array.T, self.spacing, frame="RAS")


def _is_bare(given: Any) -> bool:
    """Whether it is an array or a tensor that does not say where it lies."""
    module = type(given).__module__.partition(".")[0]
    return module in ("numpy", "torch") and not (hasattr(given, "affine") and hasattr(given, "meta"))


def _like(given: Any, found: Segmentation) -> Any:
    """The mask as the kind of image that was given."""
    module = type(given).__module__.partition(".")[0]
    tensor = hasattr(given, "new_tensor")
    if not tensor and module not in ("numpy", "torchio"):
        return found
    # [i, j, k] with the channel that was there; a copy, since torch takes no array that is read-only or backwards.
    mask = np.ascontiguousarray(found.mask.T)
    if module == "torchio":
        import torch
        import torchio

        return torchio.LabelMap(tensor=torch.from_numpy(mask[None]), affine=given.affine)
    mask = mask.reshape(tuple(given.shape))
    if not tensor:
        return mask
    import torch

    made = torch.from_numpy(mask).to(given.device)
    return type(given)(made, affine=given.affine) if hasattr(given, "meta") else made
