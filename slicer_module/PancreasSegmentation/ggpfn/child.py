"""The engine that works in a child process, the program `ggpfn worker`.

For a process that already holds a libtorch of its own, and must not load another one. Requests and answers are lines of
JSON (see `ggpfn worker --help`). Arrays go through a file in memory that both processes have open, in /dev/shm where
that exists; it loses its name as soon as the child has opened it, so that nothing stays behind however this process
ends.

A child that dies takes nothing along: the call under way raises ChildDied, the next one starts another child, and
models are loaded into it again when they are used.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import shutil
import subprocess
import tempfile
import threading
import weakref
from typing import Any, Optional

import numpy as np

from . import _torch
from . import image as images
from ._process import Process, environment, find
from ._shared import Shared, grid, place_of
from .engine import Described, Engine, Options, union_of
from .errors import Error, WrongLibrary
from .model import Model, checked_path
from .monitor import Monitor, MonitorLike
from .results import (
    Comparison,
    Label,
    Measurements,
    Memory,
    ModelInfo,
    Quality,
    ResultWarning,
    Runtime,
    Segmentation,
    TrainingResult,
)


def read_image(path: Any, series: Optional[str] = None) -> images.Image:
    """The Image of a file or a DICOM folder; a child reads it, on the library's own readers."""
    path = os.path.abspath(checked_path(path).decode("utf-8"))
    process = Process(find())
    try:
        handle, file = tempfile.mkstemp(prefix="ggpfn-")
        os.close(handle)
        try:
            request = {"path": path, "file": file}
            if series is not None:
                request["series"] = str(series)
            found = process.ask("read_image", request)["grid"]
            array = np.fromfile(file, np.float32).reshape(found["size"][::-1])
        finally:
            os.remove(file)
    finally:
        process.close_soon()
    return images.Image(array, found["spacing"], found["origin"], found["direction"], found["frame"])


def sample(seed: int = 0, spacing: float = 2.0) -> tuple[images.Image, images.Image]:
    """A made-up CT of the abdomen and the exact mask of its pancreas, to try things out: (image, truth).

    seed: another CT for another one, the same for the same. spacing: of the voxels, in mm.
    """
    program = find()
    with tempfile.TemporaryDirectory(prefix="ggpfn-") as folder:
        numbers = ["--count", "1", "--seed", str(int(seed)), "--spacing", str(float(spacing))]
        done = subprocess.run(
            [program, "synth", *numbers, "--quiet", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_torch.environment(program, environment()),
        )
        if done.returncode:
            raise Error(f"No sample was made: {done.stderr.decode('utf-8', 'replace').strip()}")
        (name,) = os.listdir(os.path.join(folder, "images"))
        return read_image(os.path.join(folder, "images", name)), read_image(os.path.join(folder, "labels", name))


class Child(Engine):
    """An engine on a child process."""

    kind = "child process"

    def __init__(self, program: Any = None, library: Any = None, reason: str = "It was asked for.") -> None:
        """program: the file of the program ggpfn; None: it is searched, beside `library` too, the file libggpfn or its
        folder. Raises LibraryMissing or WrongLibrary."""
        self.reason = reason
        self.library = None
        self.program = find(program, library)
        self._lock = threading.Lock()
        self._process: Optional[Process] = None
        self._shipped: Optional[Model] = None
        self._closed = False
        found = self.runtime()
        if found.wrong_libtorch:
            self.close()
            raise WrongLibrary(f"{self.program} cannot be used: {found.problems}")

    def close(self) -> None:
        """Ends the child; work that is under way is cancelled. Twice is no fault."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()

    def _running(self) -> Process:
        """The child, started if there is none."""
        with self._lock:
            if self._closed:
                raise Error("The engine was closed; open another one with open_engine.")
            # One that was started before this process was forked is the other one's to ask.
            if self._process is None or self._process.died is not None or not self._process.is_own():
                self._process = process = Process(self.program)
                weakref.finalize(self, process.close_soon)
            return self._process

    def runtime(self, gpus: bool = False) -> Runtime:
        """Runtime. gpus: whether to look for GPUs, which loads CUDA (seconds, hundreds of MB) if there is a driver."""
        found = self._running().ask("runtime", {"gpus": bool(gpus)})
        found["gpu_names"] = tuple(found["gpu_names"])
        return Runtime(library=None, program=self.program, **found)

    def load_model(self, path: Any = None) -> Model:
        """The Model of a file (a path), or of a model file's bytes; None: the one that is part of the program."""
        if path is None:
            source: dict[str, Any] = {}
        elif isinstance(path, (bytes, bytearray, memoryview)):
            source = {"bytes": bytes(path)}
        else:
            # The child may work in another folder.
            source = {"path": os.path.abspath(checked_path(path).decode("utf-8"))}
        return self._model("load_model", source)

    def _new_model(self, text: bytes, seed: int) -> Model:
        return self._model("new_model", {"configuration": text.decode("utf-8"), "seed": seed})

    def _model(self, do: str, source: Any) -> Model:
        backing = ChildModel(self, do, source)
        backing.number(self._running())
        return Model(self, backing)

    def _model_of(self, model: Optional[Model]) -> Any:
        """What stands behind a model; None for None, the shipped one."""
        if model is None:
            return None
        backing = model.backing if isinstance(model, Model) else None
        if not isinstance(backing, ChildModel) or backing.engine is not self:
            raise Error("The model is not one of this engine's; load it with the engine's load_model.")
        return backing

    def _views(self, options: Options, backings: list[Any]) -> Any:
        """The names of the views that will be computed."""
        return options.views or union_of(self._used(backing).info().views for backing in backings)

    def _labels(self, backing: Any) -> tuple[Label, ...]:
        """Those of the model that will be used."""
        labels: tuple[Label, ...] = self._used(backing).info().labels
        return labels

    def _used(self, backing: Any) -> Any:
        """What stands behind the model that will be used."""
        if backing is not None:
            return backing
        # Asked for once; the child has it anyway.
        if self._shipped is None:
            self._shipped = self.load_model()
        return self._shipped.backing

    def _estimate_memory(self, image: images.Image, backings: list[Any], options: Options) -> Memory:
        process = self._running()
        request = {"grid": grid(image), "options": _options(options), "results": {}}
        place = {"offset": 0}
        if options.view_probabilities:
            request["results"]["views"] = {view: place for view in self._views(options, backings)}
        for wanted in ("probability", "uncertainty"):
            if getattr(options, wanted):
                request["results"][wanted] = place
        request.update(_numbers(backings, process))
        found = process.ask("estimate_memory", request)
        return Memory(found["host_bytes"], found["device_bytes"], found["host_free"])

    def _segment(self, image: images.Image, backings: list[Any], options: Options, monitor: Monitor) -> Segmentation:
        process, shape = self._running(), image.array.shape
        with Shared() as shared:
            request = {"image": shared.image(image), "options": _options(options), "results": {}}
            results = {"mask": shared.result(shape, np.uint8)}
            if len(self._labels(backings[0])) > 1:
                results["label_map"] = shared.result(shape, np.uint8)
            for wanted in ("probability", "uncertainty"):
                if getattr(options, wanted):
                    results[wanted] = shared.result(shape, np.float32)
            of_views = {}
            if options.view_probabilities:
                of_views = {view: shared.result(shape, np.float32) for view in self._views(options, backings)}
                request["results"]["views"] = {view: place_of(place) for view, place in of_views.items()}
            request["results"].update({name: place_of(place) for name, place in results.items()})
            request.update(_numbers(backings, process))
            found = process.ask("segment", {**request, **shared.write()}, monitor)
            arrays = {name: shared.read(place) for name, place in results.items()}
            of_views = {view: shared.read(place) for view, place in of_views.items()}
        return Segmentation(
            mask=arrays["mask"],
            measurements=_measurements(found["measurements"]),
            quality=_quality(found["quality"]),
            probability=arrays.get("probability"),
            view_probabilities=of_views if options.view_probabilities else None,
            uncertainty=arrays.get("uncertainty"),
            label_map=arrays.get("label_map"),
            labels={name: _measurements(one) for name, one in found["labels"].items()},
        )

    def _threshold(
        self, image: images.Image, probability: np.ndarray[Any, Any], threshold: float, largest_component: bool
    ) -> tuple[np.ndarray[Any, Any], Measurements]:
        process, shape = self._running(), probability.shape
        with Shared() as shared:
            mask = shared.result(shape, np.uint8)
            request = {
                "image": shared.image(image),
                "probability": shared.array(probability),
                "mask": place_of(mask),
                "threshold": threshold,
                "largest_component": largest_component,
            }
            found = process.ask("threshold", {**request, **shared.write()})
            return shared.read(mask), _measurements(found["measurements"])

    def _fuse(
        self, arrays: dict[str, np.ndarray[Any, Any]], weights: Optional[dict[str, float]], threshold: float
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        request: dict[str, Any] = {"threshold": threshold}
        if weights is not None:
            request["weights"] = weights
        shape = next(iter(arrays.values())).shape
        process = self._running()
        with Shared() as shared:
            probability, mask = shared.result(shape, np.float32), shared.result(shape, np.uint8)
            # How the voxels lie does not matter here.
            request["size"] = [int(np.prod(shape)), 1, 1]
            request["views"] = {view: shared.array(array) for view, array in arrays.items()}
            request.update(probability=place_of(probability), mask=place_of(mask))
            process.ask("fuse", {**request, **shared.write()})
            return shared.read(probability), shared.read(mask)

    def evaluate(self, prediction: images.Image, truth: images.Image) -> Comparison:
        """Comparison of two masks, Images on one grid (corners within 0.01 mm); what is not 0 is inside."""
        images.check(prediction, "prediction")
        images.check(truth, "truth")
        process = self._running()
        with Shared() as shared:
            request = {"prediction": shared.image(prediction), "truth": shared.image(truth)}
            return Comparison(**process.ask("evaluate", {**request, **shared.write()}))

    def _train(
        self, described: Described, folder: Optional[bytes], resume: bool, minutes: float, monitor: MonitorLike
    ) -> tuple[Model, TrainingResult]:
        request = {
            "options": described.options.decode("utf-8"),
            "all_stages": described.all_stages,
            "resume": resume,
            "device": described.device,
            "minutes": minutes,
        }
        if folder is not None:
            request["folder"] = os.path.abspath(folder.decode("utf-8"))
        backing, process = self._model_of(described.model), self._running()
        if backing is not None:
            request["model"] = backing.number(process)
        with Shared() as shared:
            request["cases"] = [
                {
                    "name": case.name,
                    "image": shared.image(case.image),
                    "mask": shared.image(case.mask),
                    "role": case.role,
                }
                for case in described.cases
            ]
            place = shared.write()
            found = process.ask("train", {**request, **place}, monitor, sent=shared.close)
        backing = ChildModel(self, "load_model", None)
        backing.take(process, found)
        # What a training has made is worth keeping, whatever becomes of the child.
        backing.source = {"bytes": backing.to_bytes("float32")}
        return Model(self, backing), TrainingResult(found["end"], found["cases"], found["dice"])


class ChildModel:
    """What stands behind a model in a child: where it comes from, and its number in the child that has it."""

    def __init__(self, engine: Any, do: str, source: Any) -> None:
        self.engine = engine
        self.do = do
        self.source = source
        self._lock = threading.Lock()
        self._process: Optional[Process] = None
        self._found: Any = None
        self._free: Any = None

    def number(self, process: Process) -> Any:
        """The model's number in a child, which loads it if it has not yet."""
        with self._lock:
            if self._process is not process:
                if self.do == "load_model" and "bytes" in self.source:
                    data = np.frombuffer(self.source["bytes"], np.uint8)
                    with Shared() as shared:
                        place = {"offset": shared.array(data)["offset"], "length": data.size}
                        found = process.ask(self.do, {**place, **shared.write()})
                else:
                    found = process.ask(self.do, self.source)
                self._take(process, found)
            return self._found["model"]

    def take(self, process: Process, found: Any) -> None:
        """Notes what a child said of a model that it has."""
        with self._lock:
            self._take(process, found)

    def _take(self, process: Process, found: Any) -> None:
        self._process, self._found = process, found
        self._free = weakref.finalize(self, process.forget, found["model"])
        # At the end of Python the child ends anyway.
        self._free.atexit = False

    def info(self) -> ModelInfo:
        found = dict(self._found["info"])
        for name in ("views", "window", "spacing"):
            found[name] = None if found[name] is None else tuple(found[name])
        found["labels"] = tuple(_label(label) for label in found["labels"])
        return ModelInfo(**found)

    def configuration(self) -> Any:
        return copy.deepcopy(self._found["configuration"])

    def save(self, path: Any, weights: str) -> None:
        path = os.path.abspath(checked_path(path).decode("utf-8"))
        process = self.engine._running()
        process.ask("save_model", {"model": self.number(process), "path": path, "weights": weights})

    def to_bytes(self, weights: str) -> bytes:
        folder = tempfile.mkdtemp(prefix="ggpfn-")
        try:
            path = os.path.join(folder, "model.safetensors")
            self.save(path, weights)
            with open(path, "rb") as file:
                return file.read()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        if self._free is not None:
            self._free()
        if self._process is not None:
            self._process.send_forgotten()


def _numbers(backings: list[Any], process: Process) -> dict[str, Any]:
    """The request's part for the models; the shipped one is not named."""
    if backings == [None]:
        return {}
    return {"models": [backing.number(process) for backing in backings]}


def _options(options: Options) -> dict[str, Any]:
    """The request's part for Options; which results are wanted is said elsewhere."""
    given = dataclasses.asdict(options)
    for wanted in ("probability", "view_probabilities", "uncertainty"):
        del given[wanted]
    return {name: value for name, value in given.items() if value is not None}


def _label(found: Any) -> Label:
    """Label of an answer."""
    code = found["code"]
    return Label(**{**found, "colour": tuple(found["colour"]), "code": None if code is None else tuple(code)})


def _quality(found: Any) -> Quality:
    """Quality of an answer."""
    warnings = tuple(ResultWarning(warning["kind"], warning["text"]) for warning in found["warnings"])
    return Quality(found["expected_dice"], found["doubtful"], warnings)


def _measurements(found: Any) -> Measurements:
    """Measurements of an answer."""
    triples = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Measurements(**{**found, **triples})
