"""The engine that works in this process, on libggpfn through ctypes.

Arrays are handed over by address, without a copy. The long calls, `segment` and `train`, run on a thread of their own
while the calling one waits for their reports: callbacks come on the calling thread, and Ctrl-C reaches a plain script
at once.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Optional

import numpy as np

from . import _abi, _library
from . import image as images
from .engine import (
    ROLES,
    Described,
    Engine,
    Options,
    checked_views,
    device_numbers,
    floats,
    shared,
    union_of,
    weight_numbers,
)
from .errors import Error, WrongLibrary
from .model import Handle, InProcessModel, Model, checked_path, checked_text
from .monitor import Monitor, MonitorLike, Progress, as_monitor
from .results import (
    STAGES,
    VIEWS,
    Comparison,
    Losses,
    Measurements,
    Memory,
    Quality,
    Runtime,
    Segmentation,
    TrainingResult,
    name,
    number,
)

BUFFERS = {
    "parameters": _abi.GGPFN_PARAMETERS,
    "gradients": _abi.GGPFN_GRADIENTS,
    "statistics": _abi.GGPFN_STATISTICS,
}

# Seconds between two looks for Ctrl-C; Windows does not wake a waiting thread for it.
TICK = 0.1


class InProcess(Engine):
    """An engine on the library in this process."""

    kind = "in process"

    def __init__(self, library: Any = None, reason: str = "It was asked for.") -> None:
        """library: the file libggpfn or its folder; None: it is searched. Raises LibraryMissing or WrongLibrary."""
        self.reason = reason
        self.library = _library.load(library)
        self._shipped: Optional[Model] = None
        self._lock = threading.Lock()
        if self._query(False).wrong_libtorch:
            raise WrongLibrary(self.library.text("ggpfn_runtime_problems", 0), _abi.GGPFN_ERROR_RUNTIME)

    def close(self) -> None:
        """Lets go of what the engine keeps. Models that it gave live on; the library itself cannot be unloaded."""
        with self._lock:
            self._shipped = None

    def runtime(self, gpus: bool = False) -> Runtime:
        """Runtime. gpus: whether to look for GPUs, which loads CUDA (seconds, hundreds of MB) if there is a driver."""
        found = self._query(gpus)
        count = found.gpus if found.gpus >= 0 else None
        return Runtime(
            version=self.library.version,
            library=self.library.path,
            program=None,
            built_for=found.built_for.decode(),
            loaded=found.loaded.decode(),
            wrong_libtorch=bool(found.wrong_libtorch),
            cpu_bfloat16=bool(found.cpu_bfloat16),
            gpu_driver=bool(found.gpu_driver),
            gpus=count,
            gpu_names=tuple(self.library.text("ggpfn_runtime_gpu", gpu) for gpu in range(count or 0)),
            libtorch=self.library.text("ggpfn_runtime_library"),
            problems=self.library.text("ggpfn_runtime_problems", int(gpus)),
        )

    def _query(self, gpus: bool) -> Any:
        found = _sized(_abi.ggpfn_runtime)
        self.library.call("ggpfn_runtime_query", int(gpus), ctypes.byref(found))
        return found

    def load_model(self, path: Any = None) -> Model:
        """The Model of a file (a path), or of a model file's bytes; None: the one that is part of the library."""
        call = self.library.call
        if path is None:
            return self._model(lambda place: call("ggpfn_model_shipped", place))
        if isinstance(path, (bytes, bytearray, memoryview)):
            data = bytes(path)
            return self._model(lambda place: call("ggpfn_model_load_memory", data, len(data), place))
        path = checked_path(path)
        return self._model(lambda place: call("ggpfn_model_load", path, place))

    def _new_model(self, text: bytes, seed: int) -> Model:
        return self._model(lambda place: self.library.call("ggpfn_model_new", text, seed, place))

    def _model(self, make: Callable[[Any], None]) -> Model:
        return Model(self, InProcessModel(Handle(self.library, "ggpfn_model_free", make)))

    def _model_of(self, model: Optional[Model]) -> Any:
        """What stands behind a model, which the caller must keep during a call; None: the shipped one."""
        if model is None:
            with self._lock:
                if self._shipped is None:
                    self._shipped = self.load_model()
                model = self._shipped
        backing = model.backing if isinstance(model, Model) else None
        if not isinstance(backing, InProcessModel) or backing.library is not self.library:
            raise Error("The model is not one of this engine's; load it with the engine's load_model.")
        return backing

    def _estimate_memory(self, image: images.Image, backings: list[Any], options: Options) -> Memory:
        # An output counts as wanted if its address is not NULL, and is not followed.
        result, struct = _sized(_abi.ggpfn_result), image.struct(voxels=False)
        for output, _, _ in _outputs(result, options, _views_of(options, backings)):
            output.data = 1
        memory = _sized(_abi.ggpfn_memory)
        arguments = (ctypes.byref(one) for one in (struct, options.struct(), result, memory))
        self.library.call("ggpfn_estimate_memory" + _of(backings), *_handles(backings), *arguments)
        return Memory.from_struct(memory)

    def _segment(self, image: images.Image, backings: list[Any], options: Options, monitor: Monitor) -> Segmentation:
        computed = _views_of(options, backings)
        struct, settings = image.struct(), options.struct()
        result, found = _sized(_abi.ggpfn_result), _sized(_abi.ggpfn_measurements)
        result.measurements = ctypes.pointer(found)
        arrays = {}
        for output, key, dtype in _outputs(result, options, computed):
            # Written whole on success, and thrown away otherwise.
            arrays[key] = np.empty(image.array.shape, dtype)
            output.data, output.data_bytes = _address(arrays[key]), arrays[key].nbytes

        names = [label.name for label in backings[0].info().labels]
        of_labels = (_abi.ggpfn_label_result * len(names))()
        measured = [_sized(_abi.ggpfn_measurements) for _ in names]
        if len(names) > 1:
            arrays["label_map"] = np.empty(image.array.shape, np.uint8)
            result.label_map.data = _address(arrays["label_map"])
            result.label_map.data_bytes = arrays["label_map"].nbytes
            for place, one in zip(of_labels, measured):
                place.struct_size, place.measurements = ctypes.sizeof(place), ctypes.pointer(one)
            result.labels, result.label_count = of_labels, len(names)

        # After a second Ctrl-C the work may outlive this call; then its arguments keep these alive.
        kept = (image, backings, arrays, found, of_labels, measured)
        warnings = []

        def work(handle: Any, kept: Any = kept) -> None:
            arguments = (ctypes.byref(one) for one in (struct, settings, result))
            self.library.call("ggpfn_segment" + _of(backings), *_handles(backings), *arguments, handle)
            # Here, since they are those of the thread that made the call.
            for index in range(found.warning_count):
                number = ctypes.c_int32()
                text = self.library.text("ggpfn_result_warning", index, ctypes.byref(number))
                warnings.append((number.value, text))

        self._follow(monitor, work)
        views = {view: arrays[view] for view in computed} if options.view_probabilities else None
        return Segmentation(
            mask=arrays["mask"],
            measurements=Measurements.from_struct(found, computed),
            quality=Quality.from_struct(found, warnings),
            probability=arrays.get("probability"),
            view_probabilities=views,
            uncertainty=arrays.get("uncertainty"),
            label_map=arrays.get("label_map"),
            labels={name: Measurements.from_struct(one) for name, one in zip(names, measured)}
            if len(names) > 1
            else {names[0]: Measurements.from_struct(found, computed)},
        )

    def _threshold(
        self, image: images.Image, probability: np.ndarray[Any, Any], threshold: float, largest_component: bool
    ) -> tuple[np.ndarray[Any, Any], Measurements]:
        struct = image.struct()
        mask, found = np.empty(probability.shape, np.uint8), _sized(_abi.ggpfn_measurements)
        self.library.call(
            "ggpfn_threshold",
            ctypes.byref(struct),
            _pointer(probability, ctypes.c_float),
            threshold,
            int(largest_component),
            _pointer(mask, ctypes.c_uint8),
            ctypes.byref(found),
        )
        return mask, Measurements.from_struct(found)

    def _fuse(
        self, arrays: dict[str, np.ndarray[Any, Any]], weights: Optional[dict[str, float]], threshold: float
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        numbers = None if weights is None else (ctypes.c_double * 3)(*weight_numbers(weights))
        first = next(iter(arrays.values()))
        probability, mask = np.empty(first.shape, np.float32), np.empty(first.shape, np.uint8)
        self.library.call(
            "ggpfn_fuse",
            *(_pointer(arrays[view], ctypes.c_float) if view in arrays else None for view in VIEWS),
            numbers,
            first.size,
            threshold,
            _pointer(probability, ctypes.c_float),
            _pointer(mask, ctypes.c_uint8),
        )
        return probability, mask

    def evaluate(self, prediction: images.Image, truth: images.Image) -> Comparison:
        """Comparison of two masks, Images on one grid (corners within 0.01 mm); what is not 0 is inside."""
        found = _sized(_abi.ggpfn_comparison)
        masks = (images.check(prediction, "prediction").struct(), images.check(truth, "truth").struct())
        self.library.call("ggpfn_evaluate", *map(ctypes.byref, masks), ctypes.byref(found))
        return Comparison.from_struct(found)

    def _train(
        self, described: Described, folder: Optional[bytes], resume: bool, minutes: float, monitor: MonitorLike
    ) -> tuple[Model, TrainingResult]:
        training = self._training(described)
        if folder is not None:
            self.library.call("ggpfn_training_set_folder", training.number, folder, int(resume))
        if minutes:
            self.library.call("ggpfn_training_set_minutes", training.number, minutes)
        result = _sized(_abi.ggpfn_training_result)

        def run(place: Any) -> None:
            arguments = (place, ctypes.byref(result))
            self._follow(
                monitor, lambda handle: self.library.call("ggpfn_training_run", training.number, handle, *arguments)
            )

        trained = self._model(run)
        training.close()
        return trained, TrainingResult.from_struct(result)

    def _training(self, described: Described) -> Any:
        """The Handle of a training that is described but for its folder and its time."""
        call = self.library.call
        text = described.options
        training = Handle(self.library, "ggpfn_training_free", lambda place: call("ggpfn_training_new", text, place))
        if described.model is not None:
            backing = self._model_of(described.model)
            call("ggpfn_training_set_model", training.number, backing.number, int(described.all_stages))
        call("ggpfn_training_set_device", training.number, *device_numbers(described.device))
        for case in described.cases:
            image, mask = case.image.struct(), case.mask.struct()
            name, pair = checked_text(case.name, "name of a case"), (ctypes.byref(image), ctypes.byref(mask))
            call("ggpfn_training_add_case", training.number, name, *pair, ROLES[case.role])
        return training

    def trainer(self, cases: Iterable[images.Case], **options: Any) -> Trainer:
        """A Trainer on this engine; see there."""
        return Trainer(cases, engine=self, **options)

    def _follow(self, monitor: MonitorLike, work: Callable[..., None]) -> Any:
        """Runs work(handle of the library's monitor) on a thread of its own, and hands its reports to the Monitor on
        this one.

        Python takes no signals while the main thread is in C; waiting here it does, and a Ctrl-C cancels the work. The
        exception is raised when the work has stopped, since until then the library uses the arrays.
        """
        monitor = as_monitor(monitor)
        call = self.library.call
        handle = Handle(self.library, "ggpfn_monitor_free", lambda place: call("ggpfn_monitor_new", place))
        reports: queue.SimpleQueue[Optional[Progress]] = queue.SimpleQueue()
        outcome: list[BaseException] = []
        wanted = monitor.callback is not None

        def ask() -> Any:
            report = _sized(_abi.ggpfn_progress)
            call("ggpfn_monitor_progress", handle.number, ctypes.byref(report))
            return _progress(report)

        def run() -> Any:
            def hear(progress: Any, _: Any) -> Any:
                reports.put(_progress(progress.contents))
                return 1

            # It has to live as long as the call, even if the caller is gone.
            callback = _abi.ggpfn_progress_callback(hear)
            try:
                if wanted:
                    call("ggpfn_monitor_set_callback", handle.number, callback, None)
                work(handle.number)
            except BaseException as error:
                outcome.append(error)
            finally:
                reports.put(None)

        def listen(tell: Callable[[Progress], None]) -> None:
            while True:
                try:
                    report = reports.get(timeout=TICK)
                except queue.Empty:
                    continue
                if report is None:
                    return
                tell(report)

        with monitor.watch(lambda: call("ggpfn_monitor_cancel", handle.number), ask) as watch:
            thread = threading.Thread(target=run, name="ggpfn-call", daemon=True)
            try:
                thread.start()
                listen(watch.tell)
            except BaseException:
                watch.stop()
                if thread.ident is not None:
                    listen(lambda report: None)
                raise
            thread.join()
            try:
                if outcome:
                    raise outcome[0]
            finally:
                # Its traceback refers to this frame, and would keep the arrays until the next collection of garbage.
                outcome.clear()


class Trainer:
    """One view's network in one stage, trained step by step: for own schedules, and for several processes.

    cases: Case objects, of which those to train on are used. view: "axial", "sagittal" or "coronal". stage: "global",
    "local" or "whole". options, model, device: as for `train`. rank, ranks: of the training's batches, process number
    rank takes every ranks-th; all processes have to be given the same options and cases in the same order. engine:
    InProcess; None: the package's own.

    A step is gradients(), then update(learning_rate). In between read("gradients") and write("gradients", ...) let
    processes average theirs; average the "statistics" too before a model is taken. One thread at a time; a second one
    gets Busy.
    """

    def __init__(
        self,
        cases: Iterable[images.Case],
        *,
        view: str = "axial",
        stage: str = "whole",
        options: str = "",
        model: Optional[Model] = None,
        all_stages: bool = False,
        device: str = "auto",
        rank: int = 0,
        ranks: int = 1,
        engine: Any = None,
    ) -> None:
        engine = shared() if engine is None else engine
        self._engine: InProcess = engine
        self._library = engine.library
        (view,) = checked_views("view", view)
        if stage not in STAGES:
            raise Error(f"The stage is {stage!r}; one of {', '.join(STAGES)} was expected.")
        training = engine._training(Described.checked(cases, options, model, all_stages, device))
        arguments = (training.number, VIEWS.index(view), STAGES.index(stage), rank, ranks)
        self._handle: Optional[Handle] = Handle(
            self._library,
            "ggpfn_trainer_free",
            lambda place: self._library.call("ggpfn_trainer_new", *arguments, place),
        )
        training.close()

    def gradients(self) -> Losses:
        """The first half of a step: draws the next batch, computes its loss, and leaves its gradients. Losses."""
        losses = _sized(_abi.ggpfn_losses)
        self._library.call("ggpfn_trainer_gradients", self._number, ctypes.byref(losses))
        return Losses.from_struct(losses)

    def update(self, learning_rate: float) -> None:
        """The second half of a step: Adam's step with the gradients as they are now."""
        self._library.call("ggpfn_trainer_update", self._number, float(learning_rate))

    def length(self, which: str) -> int:
        """The number of elements of "parameters", "gradients" (as many) or "statistics"."""
        length = ctypes.c_size_t()
        self._library.call("ggpfn_trainer_length", self._number, _buffer(which), ctypes.byref(length))
        return length.value

    def read(self, which: str) -> np.ndarray[Any, Any]:
        """A copy of "parameters", "gradients" or "statistics": float32, flat, in the order of the model file."""
        values = np.empty(self.length(which), np.float32)
        pointer = _pointer(values, ctypes.c_float)
        self._library.call("ggpfn_trainer_read", self._number, _buffer(which), pointer, values.size)
        return values

    def write(self, which: str, values: Any) -> None:
        """Puts values in the place of "parameters", "gradients" or "statistics"; as many as length says."""
        values = floats(values, which)
        pointer = _pointer(values, ctypes.c_float)
        self._library.call("ggpfn_trainer_write", self._number, _buffer(which), pointer, values.size)

    def model(self) -> Model:
        """The Model of this view as it is now."""
        return self._engine._model(lambda place: self._library.call("ggpfn_trainer_model", self._number, place))

    @property
    def _number(self) -> Any:
        if self._handle is None:
            raise Error("The trainer was closed.")
        return self._handle.number

    def close(self) -> None:
        """Lets go of it now; twice is no fault."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _sized(struct: Any) -> Any:
    return struct(struct_size=ctypes.sizeof(struct))


def _address(array: Any) -> Any:
    return array.__array_interface__["data"][0]


def _pointer(array: Any, kind: Any) -> Any:
    return ctypes.cast(_address(array), ctypes.POINTER(kind))


def _buffer(which: str) -> Any:
    if which not in BUFFERS:
        raise Error(f"There is no buffer {which!r}; one of {', '.join(BUFFERS)} was expected.")
    return BUFFERS[which]


def _of(backings: Sequence[Any]) -> str:
    """What the name of a function for so many models ends in."""
    return "" if len(backings) == 1 else "_ensemble"


def _handles(backings: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments for one model, or for several."""
    if len(backings) == 1:
        return (backings[0].number,)
    return (ctypes.c_void_p * len(backings))(*(backing.number.value for backing in backings)), len(backings)


def _views_of(options: Options, backings: Sequence[Any]) -> Any:
    """The names of the views that will be computed."""
    return options.views or union_of(backing.info().views for backing in backings)


def _outputs(result: Any, options: Options, views: Sequence[str]) -> Iterator[Any]:
    """The outputs that are wanted: the struct's part, a name, and the type of the elements."""
    yield result.mask, "mask", np.uint8
    if options.probability:
        yield result.probability, "probability", np.float32
    for view in views if options.view_probabilities else ():
        yield result.view_probability[VIEWS.index(view)], view, np.float32
    if options.uncertainty:
        yield result.uncertainty, "uncertainty", np.float32


def _progress(report: Any) -> Any:
    """A Progress of the library's report."""
    return Progress(
        fraction=report.fraction,
        seconds_left=number(report.seconds_left),
        phase=report.phase.decode("utf-8", "replace"),
        view=name(VIEWS, report.view),
        stage=name(STAGES, report.stage),
        epoch=_known(report.epoch),
        epochs=_known(report.epochs),
        batch=_known(report.batch),
        batches=_known(report.batches),
        loss=number(report.loss),
        dice=number(report.dice),
    )


def _known(count: int) -> Any:
    return count if count >= 0 else None
