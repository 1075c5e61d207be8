"""The engine that works in a child process, the program `ggpfn worker`.

For a process that already holds a libtorch of its own, and must not load another one. Requests and answers are lines of
JSON (see `ggpfn worker --help`). Arrays go through a file in memory that both processes have open, in /dev/shm where
that exists; it loses its name as soon as the child has opened it, so that nothing stays behind however this process
ends. Python writes and reads the file and does not map it: a full disk is an exception then, and not a crash.

A child that dies takes nothing along: the call under way raises ChildDied, the next one starts another child, and
models are loaded into it again when they are used.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref

import numpy as np

from . import _library
from . import image as images
from .engine import Options, checked_threshold, checked_views, checked_weights
from .errors import ChildDied, Error, LibraryMissing, OutOfMemory, WrongLibrary, from_status
from .image import Case
from .model import Model, checked_path, checked_text
from .monitor import Monitor, Progress
from .results import Comparison, Measurements, Memory, ModelInfo, Runtime, Segmentation, TrainingResult

NAME = "ggpfn.exe" if sys.platform == "win32" else "ggpfn"
PROTOCOL = 1
ROLES = ("train", "validate")

# Seconds between two looks for Ctrl-C; Windows does not wake a waiting thread for it.
TICK = 0.1
# Seconds that a child gets to say its first word; virus scanners may read hundreds of MB first.
START = 120
# Seconds that a child gets to end by itself.
PATIENCE = 15
# Arrays begin at multiples of this many bytes.
ALIGNMENT = 64
# The most bytes for one call of the system's, which takes no more than 2 GB at a time.
CHUNK = 1 << 28

# What Slicer's launcher sets for Slicer's own libraries and its own Python, and no other program should see.
LIBRARY_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE")
# What a program may set while it runs, and wants a child to see.
WANTED_VARIABLES = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


class Child:
    """An engine on a child process. All methods may be called on any thread, several at the same time."""

    kind = "child process"

    def __init__(self, program=None, library=None, reason="It was asked for."):
        """program: the file of the program ggpfn; None: it is searched, beside `library` too, the file libggpfn or its
        folder. Raises LibraryMissing or WrongLibrary."""
        self.reason = reason
        self.library = None
        self.program = find(program, library)
        self._lock = threading.Lock()
        self._process = None
        self._closed = False
        found = self.runtime()
        if found.wrong_libtorch:
            self.close()
            raise WrongLibrary(f"{self.program} cannot be used: {found.problems}")

    def close(self):
        """Ends the child; work that is under way is cancelled. Twice is no fault."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _running(self):
        """The child, started if there is none."""
        with self._lock:
            if self._closed:
                raise Error("The engine was closed; open another one with open_engine.")
            if self._process is None or self._process.died is not None:
                self._process = process = Process(self.program)
                weakref.finalize(self, process.close_soon)
            return self._process

    def runtime(self, gpus=False):
        """Runtime. gpus: whether to look for GPUs, which loads CUDA (seconds, hundreds of MB) if there is a driver."""
        found = self._running().ask("runtime", {"gpus": bool(gpus)})
        found["gpu_names"] = tuple(found["gpu_names"])
        return Runtime(library=None, program=self.program, **found)

    def load_model(self, path=None):
        """The Model of a file (a path), or of a model file's bytes; None: the one that is part of the program."""
        if path is None:
            source = {}
        elif isinstance(path, (bytes, bytearray, memoryview)):
            source = {"bytes": bytes(path)}
        else:
            # The child may work in another folder.
            source = {"path": os.path.abspath(checked_path(path).decode("utf-8"))}
        return self._model("load_model", source)

    def new_model(self, configuration=None, seed=0):
        """An untrained Model, its weights drawn from seed.

        configuration: dict or JSON text with the entries of a model file's header; what it leaves out is the paper's.
        """
        if configuration is None:
            configuration = {}
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        checked_text(text, "configuration")
        return self._model("new_model", {"configuration": text, "seed": seed})

    def _model(self, do, source):
        backing = ChildModel(self, do, source)
        backing.number(self._running())
        return Model(self, backing)

    def _backing(self, model):
        """What stands behind a model; None for None, the shipped one."""
        if model is None:
            return None
        backing = model.backing if isinstance(model, Model) else None
        if not isinstance(backing, ChildModel) or backing.engine is not self:
            raise Error("The model is not one of this engine's; load it with the engine's load_model.")
        return backing

    def _views(self, options, model):
        """The names of the views that will be computed."""
        if options.views:
            return options.views
        if model is None:
            model = self.load_model()
        return model.info.views

    def estimate_memory(self, image, model=None, **options):
        """Memory that `segment` with the same arguments would take; the voxels are not looked at."""
        options = Options.checked(**options)
        backing, process = self._backing(model), self._running()
        request = {"grid": _grid(images.check(image)), "options": _options(options), "results": {}}
        place = {"offset": 0}
        if options.view_probabilities:
            request["results"]["views"] = {view: place for view in self._views(options, model)}
        for wanted in ("probability", "uncertainty"):
            if getattr(options, wanted):
                request["results"][wanted] = place
        if backing is not None:
            request["model"] = backing.number(process)
        found = process.ask("estimate_memory", request)
        return Memory(found["host_bytes"], found["device_bytes"], found["host_free"])

    def segment(
        self,
        image,
        model=None,
        *,
        views=None,
        view_weights=None,
        threshold=None,
        largest_component=False,
        region=None,
        device="auto",
        precision="auto",
        threads=0,
        block=0,
        patch=None,
        overlap=0,
        probability=False,
        view_probabilities=False,
        uncertainty=False,
        monitor=None,
        **unknown,
    ):
        """Segments the pancreas in an Image; a Segmentation on its grid. The options are those of InProcess.segment."""
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
            **unknown,
        )
        backing, process = self._backing(model), self._running()
        shape = images.check(image).array.shape
        with Shared() as shared:
            request = {"image": shared.image(image), "options": _options(options), "results": {}}
            results = {"mask": shared.result(shape, np.uint8)}
            for wanted in ("probability", "uncertainty"):
                if getattr(options, wanted):
                    results[wanted] = shared.result(shape, np.float32)
            of_views = {}
            if options.view_probabilities:
                of_views = {view: shared.result(shape, np.float32) for view in self._views(options, model)}
                request["results"]["views"] = {view: _place(place) for view, place in of_views.items()}
            request["results"].update({name: _place(place) for name, place in results.items()})
            if backing is not None:
                request["model"] = backing.number(process)
            found = process.ask("segment", {**request, **shared.write()}, monitor)
            arrays = {name: shared.read(place) for name, place in results.items()}
            of_views = {view: shared.read(place) for view, place in of_views.items()}
        return Segmentation(
            mask=arrays["mask"],
            measurements=_measurements(found["measurements"]),
            probability=arrays.get("probability"),
            view_probabilities=of_views if options.view_probabilities else None,
            uncertainty=arrays.get("uncertainty"),
        )

    def threshold(self, image, probability, threshold, largest_component=False):
        """The mask (uint8 [k, j, i]) of a probability that `segment` gave for this Image, and its Measurements.

        For a threshold that is being tried: no network runs.
        """
        shape = images.check(image).array.shape
        probability = _floats(probability, "probability")
        if probability.shape != shape:
            raise Error(f"The probability has the shape {probability.shape}, and the image {shape}.")
        threshold = checked_threshold("threshold", threshold)
        process = self._running()
        with Shared() as shared:
            mask = shared.result(shape, np.uint8)
            request = {
                "image": shared.image(image),
                "probability": shared.array(probability),
                "mask": _place(mask),
                "threshold": threshold,
                "largest_component": bool(largest_component),
            }
            found = process.ask("threshold", {**request, **shared.write()})
            return shared.read(mask), _measurements(found["measurements"])

    def fuse(self, views, weights=None, threshold=0.5):
        """Fuses probabilities of views: (probability float32, mask uint8), of their shape.

        views: dict of arrays by view, all of one shape. weights: dict by view, scaled to add up to 1; None: equal.
        """
        computed = checked_views("views", views)
        arrays = {view: _floats(views[view], f"{view} view") for view in computed}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1:
            raise Error(f"The views have different shapes: {', '.join(map(str, sorted(shapes)))}.")
        (shape,) = shapes
        request = {"threshold": checked_threshold("threshold", threshold)}
        if weights is not None:
            request["weights"] = checked_weights("weights", weights)
        process = self._running()
        with Shared() as shared:
            probability, mask = shared.result(shape, np.float32), shared.result(shape, np.uint8)
            # How the voxels lie does not matter here.
            request["size"] = [int(np.prod(shape)), 1, 1]
            request["views"] = {view: shared.array(array) for view, array in arrays.items()}
            request.update(probability=_place(probability), mask=_place(mask))
            process.ask("fuse", {**request, **shared.write()})
            return shared.read(probability), shared.read(mask)

    def evaluate(self, prediction, truth):
        """Comparison of two masks, Images on one grid (corners within 0.01 mm); what is not 0 is inside."""
        images.check(prediction, "prediction")
        images.check(truth, "truth")
        process = self._running()
        with Shared() as shared:
            request = {"prediction": shared.image(prediction), "truth": shared.image(truth)}
            return Comparison(**process.ask("evaluate", {**request, **shared.write()}))

    def train(
        self,
        cases,
        *,
        options="",
        model=None,
        all_stages=False,
        folder=None,
        resume=False,
        device="auto",
        minutes=0,
        monitor=None,
    ):
        """Trains a network, or fine-tunes one; (Model, TrainingResult). The arguments are those of InProcess.train."""
        if resume and folder is None:
            raise Error("To resume a training its folder is needed.")
        checked_text(options, "options")
        Options.checked(device=device)
        request = {
            "options": options,
            "all_stages": bool(all_stages),
            "resume": bool(resume),
            "device": device,
            "minutes": float(minutes or 0),
        }
        if folder is not None:
            request["folder"] = os.path.abspath(checked_path(folder).decode("utf-8"))
        cases = list(cases)
        for case in cases:
            if not isinstance(case, Case):
                raise Error(f"A case is a {type(case).__name__}; ggpfn.Case(name, image, mask) was expected.")
            if case.role not in ROLES:
                raise Error(f"The role of {case.name} is {case.role!r}; one of {', '.join(ROLES)} was expected.")
            checked_text(case.name, "name of a case")
            images.check(case.image)
            images.check(case.mask, "mask")
        backing, process = self._backing(model), self._running()
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
                for case in cases
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

    def __init__(self, engine, do, source):
        self.engine = engine
        self.do = do
        self.source = source
        self._lock = threading.Lock()
        self._process = None
        self._found = None
        self._free = None

    def number(self, process):
        """The model's number in a child, which loads it if it has not yet."""
        with self._lock:
            if self._process is not process:
                if self.do == "load_model" and "bytes" in self.source:
                    with Shared() as shared:
                        data = np.frombuffer(self.source["bytes"], np.uint8)
                        place = {"offset": shared.array(data)["offset"], "length": data.size} if data.size else {}
                        found = process.ask(self.do, {**place, **shared.write()})
                else:
                    found = process.ask(self.do, self.source)
                self._take(process, found)
            return self._found["model"]

    def take(self, process, found):
        """Notes what a child said of a model that it has."""
        with self._lock:
            self._take(process, found)

    def _take(self, process, found):
        self._process, self._found = process, found
        self._free = weakref.finalize(self, process.forget, found["model"])
        # At the end of Python the child ends anyway.
        self._free.atexit = False

    def info(self):
        found = dict(self._found["info"])
        for name in ("views", "window", "spacing"):
            found[name] = None if found[name] is None else tuple(found[name])
        return ModelInfo(**found)

    def configuration(self):
        return copy.deepcopy(self._found["configuration"])

    def save(self, path, weights):
        path = os.path.abspath(checked_path(path).decode("utf-8"))
        process = self.engine._running()
        process.ask("save_model", {"model": self.number(process), "path": path, "weights": weights})

    def to_bytes(self, weights):
        folder = tempfile.mkdtemp(prefix="ggpfn-")
        try:
            path = os.path.join(folder, "model.safetensors")
            self.save(path, weights)
            with open(path, "rb") as file:
                return file.read()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self):
        if self._free is not None:
            self._free()
        if self._process is not None:
            self._process.send_forgotten()


class Process:
    """A child under way: lines go out on any thread, and a thread of its own hands the answers to who waits."""

    def __init__(self, program):
        """Raises WrongLibrary, which names the program and says why, if it does not start."""
        hidden = {"creationflags": 0x08000000} if sys.platform == "win32" else {"start_new_session": True}
        try:
            self._popen = subprocess.Popen(
                [program, "worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
                **hidden,
            )
        except OSError as error:
            raise WrongLibrary(f"{program} could not be started: {error}.") from error
        self.program = program
        self.died = None  # a sentence, once it has
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._waiting = {}
        self._forgotten = collections.deque()
        self._complaints = collections.deque(maxlen=20)
        self._hello = queue.SimpleQueue()
        self._complaining = _thread(self._hear_complaints)
        _thread(self._hear)
        self._greet()

    @property
    def pid(self):
        return self._popen.pid

    def _greet(self):
        try:
            hello = self._hello.get(timeout=START)
        except queue.Empty:
            hello = None
            self._popen.kill()
        if hello is None:
            said = f": {self._complaints[-1]}" if self._complaints else ""
            raise WrongLibrary(f"{self.program} did not start as a worker{said}. Install ggpfn anew.")
        if hello.get("protocol") != PROTOCOL:
            self.close_soon()
            raise WrongLibrary(
                f"{self.program} is version {hello.get('version')} and speaks another protocol than this package; install "
                "the program and the package of the same version."
            )

    def ask(self, do, fields, monitor=None, sent=None):
        """Asks for something and waits for the result. Raises what the answer says, or ChildDied.

        monitor: Monitor, or None. sent: called when the child has begun.
        """
        if monitor is None:
            monitor = Monitor()
        elif not isinstance(monitor, Monitor):
            raise Error(f"The monitor is a {type(monitor).__name__}; a ggpfn.Monitor was expected.")
        self.send_forgotten()
        call = _Call(self, next(self._numbers))
        with monitor.watch(call.cancel) as watch:
            call.note = watch.note
            try:
                call.send({"id": call.number, "do": do, **fields})
                return call.wait(watch.tell, sent)
            except BaseException as error:
                if not isinstance(error, Error):
                    # Ctrl-C: the work has to stop first, unless there is a second one.
                    watch.stop()
                    call.wait_for_end()
                raise

    def send(self, message, call=None):
        line = json.dumps(message).encode("utf-8") + b"\n"
        with self._lock:
            if call is not None:
                if self.died is not None:
                    raise ChildDied(self.died)
                self._waiting[call.number] = call
            try:
                self._popen.stdin.write(line)
                self._popen.stdin.flush()
            except (OSError, ValueError):
                # It is dying; the thread that hears it will tell whoever waits.
                pass

    def forget(self, model):
        """Notes that nobody needs a model any more. May be called while garbage is collected, so it does nothing else."""
        self._forgotten.append(model)

    def send_forgotten(self):
        while self._forgotten:
            try:
                model = self._forgotten.popleft()
            except IndexError:
                return
            self.send({"id": next(self._numbers), "do": "free_model", "model": model})

    def close_soon(self):
        """Ends the child without waiting for it."""
        try:
            self._popen.stdin.close()
        except (OSError, ValueError):
            pass

    def close(self):
        self.close_soon()
        try:
            self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()

    def _hear(self):
        """On a thread of its own, as long as the child lives."""
        for line in self._popen.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                self._complaints.append(line.decode("utf-8", "replace").strip())
                continue
            if "hello" in message:
                self._hello.put(message["hello"])
                continue
            with self._lock:
                call = self._waiting.get(message.get("id"))
                if call is not None and "progress" not in message:
                    del self._waiting[call.number]
            if call is not None:
                call.hear(message)
        status = self._popen.wait()
        self._popen.stdout.close()
        self._complaining.join(1)
        self._hello.put(None)
        with self._lock:
            self.died = f"The program ggpfn ended before it had answered: {self._why(status)}. The next call starts it anew."
            waiting, self._waiting = list(self._waiting.values()), {}
        for call in waiting:
            call.hear({})

    def _hear_complaints(self):
        for line in self._popen.stderr:
            self._complaints.append(line.decode("utf-8", "replace").strip())
        self._popen.stderr.close()

    def _why(self, status):
        if self._complaints:
            return self._complaints[-1]
        if status >= 0:
            return f"its exit code was {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        if name == "SIGKILL":
            return "it was killed, as the system does when memory runs out"
        return f"it was stopped by {name}"


class _Call:
    """A request under way."""

    def __init__(self, process, number):
        self.process = process
        self.number = number
        self.note = lambda progress: None
        self._lock = threading.Lock()
        self._sent = self._cancelled = False
        self._answers = queue.SimpleQueue()
        self._ended = False

    def send(self, message):
        self.process.send(message, self)
        with self._lock:
            self._sent = True
            cancelled = self._cancelled
        if cancelled:
            self._send_cancel()

    def cancel(self):
        with self._lock:
            self._cancelled = True
            sent = self._sent
        if sent:
            self._send_cancel()

    def _send_cancel(self):
        self.process.send({"id": self.number, "do": "cancel"})

    def hear(self, message):
        """Takes a line; one without anything means that the child has died."""
        if "progress" in message:
            message = Progress(**message["progress"])
            self.note(message)
        self._answers.put(message)

    def wait(self, tell, sent=None):
        while True:
            try:
                answer = self._answers.get(timeout=TICK)
            except queue.Empty:
                continue
            if isinstance(answer, Progress):
                if sent is not None:
                    sent()
                    sent = None
                tell(answer)
                continue
            self._ended = True
            if "result" in answer:
                return answer["result"]
            if "error" in answer:
                raise from_status(answer["error"]["status"], answer["error"]["message"])
            raise ChildDied(self.process.died)

    def wait_for_end(self):
        if self._sent and not self._ended:
            try:
                self.wait(lambda progress: None)
            except Error:
                pass


class Shared:
    """A file of arrays that the child opens too.

    First everything gets its place, then `write` makes the file; results are read from it when the child has answered.
    """

    def __init__(self):
        self._size = 0
        self._inputs = []
        self._file = None
        self.path = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Removes the file; twice is no fault."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
        path, self.path = self.path, None
        if path is not None:
            try:
                os.remove(path)
            except OSError:
                pass  # the child has removed it

    def image(self, image):
        """The request's part for an Image."""
        return {"grid": _grid(image), "voxels": self.array(image.array)}

    def array(self, array):
        """The request's part for an array that the child reads."""
        offset = self._take(array.nbytes)
        self._inputs.append((offset, array))
        return {"offset": offset, "dtype": array.dtype.name}

    def result(self, shape, dtype):
        """A place for an array that the child writes."""
        dtype = np.dtype(dtype)
        return self._take(int(np.prod(shape)) * dtype.itemsize), shape, dtype

    def _take(self, count):
        offset = self._size
        self._size += -(-count // ALIGNMENT) * ALIGNMENT
        return offset

    def write(self):
        """Makes the file with the arrays that the child is to read; the request's part for it."""
        self._create(max(self._size, 1))
        try:
            for offset, array in self._inputs:
                self._file.seek(offset)
                # Slice by slice where memory is in another order, so that no second copy of it all is made.
                parts = [array] if array.flags.c_contiguous or array.ndim < 2 else array
                for part in parts:
                    self._write(np.ascontiguousarray(part))
        except OSError as error:
            raise OutOfMemory(f"The image could not be handed to the child process: {error}.") from error
        return {"file": self.path, "remove": True}

    def _create(self, size):
        refused = None
        folders = [folder for folder in ("/dev/shm",) if os.path.isdir(folder)]
        for folder in [*folders, tempfile.gettempdir()]:
            try:
                handle, self.path = tempfile.mkstemp(prefix="ggpfn-", dir=folder)
                self._file = os.fdopen(handle, "r+b", buffering=0)
                # With its memory: a file that only claims its length would end the child where none is left.
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(handle, 0, size)
                else:
                    self._file.truncate(size)
                return
            except OSError as error:
                refused = error
                self.close()
        raise OutOfMemory(
            f"{size / 1e9:.1f} GB are needed to hand the image to the child process, and there is no room for them: "
            f"{refused}."
        ) from refused

    def _write(self, array):
        rest = memoryview(array.reshape(-1).view(np.uint8))
        while len(rest):
            rest = rest[self._file.write(rest[:CHUNK]) :]

    def read(self, place):
        """The array of a place that the child has written."""
        offset, shape, dtype = place
        array = np.empty(shape, dtype)
        rest = memoryview(array.reshape(-1).view(np.uint8))
        self._file.seek(offset)
        while len(rest):
            count = self._file.readinto(rest[:CHUNK])
            if not count:
                raise ChildDied("The child process gave less than it had said.")
            rest = rest[count:]
        return array


def find(program=None, library=None):
    """The file of the program ggpfn: as given, else what GGPFN_PROGRAM names, else beside the library, in the
    extension's and this package's folders bin, and on the system's PATH. Raises LibraryMissing."""
    chosen = os.fspath(program) if program is not None else os.environ.get("GGPFN_PROGRAM")
    if chosen:
        # Who names a program gets that one or an error, not another one from somewhere else.
        chosen = os.path.abspath(os.path.expanduser(chosen))
        places = [os.path.join(chosen, NAME)] if os.path.isdir(chosen) else [chosen]
    else:
        folders = []
        for place in _library.places(library):
            if os.path.isfile(place):
                folder = os.path.dirname(os.path.abspath(place))
                folders += [os.path.join(folder, "..", "bin"), folder]
        for start in _library._extension_folders():
            folders += [os.path.join(start, up, "bin") for up in ("", "..", "../..", "../../..")]
        folders.append(os.path.join(_library.PACKAGE, "bin"))
        folders += [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
        places = [os.path.normpath(os.path.join(folder, NAME)) for folder in folders]
    places = list(dict.fromkeys(places))
    for place in places:
        if os.path.isfile(place) and os.access(place, os.X_OK):
            return place
    raise LibraryMissing(
        f"The program ggpfn was not found. Looked at: {'; '.join(places)}. Set the environment variable GGPFN_PROGRAM to "
        f"the file {NAME}, or put it in {os.path.join(_library.PACKAGE, 'bin')}.",
        places,
    )


def environment():
    """The environment for a child: as it was before Slicer's launcher put Slicer's libraries and Python into it."""
    found = None
    util = getattr(sys.modules.get("slicer"), "util", None)
    try:
        found = dict(util.startupEnvironment())
    except Exception:  # not in Slicer, or in one without an application
        pass
    if found is None:
        found = dict(os.environ)
        if "SLICER_HOME" in found or any(name.startswith("APPLAUNCHER_") for name in found):
            for name in LIBRARY_VARIABLES:
                before = found.get(f"APPLAUNCHER_0_{name}")
                found.pop(name, None)
                if before:
                    found[name] = before
    for name in PYTHON_VARIABLES:
        found.pop(name, None)
    for name, value in os.environ.items():
        if name in WANTED_VARIABLES or name.startswith("GGPFN_"):
            found[name] = value
    return found


def _thread(work):
    thread = threading.Thread(target=work, name="ggpfn-child", daemon=True)
    thread.start()
    return thread


def _grid(image):
    return {
        "size": image.size,
        "spacing": image.spacing.tolist(),
        "origin": image.origin.tolist(),
        "direction": image.direction.tolist(),
        "frame": image.frame,
    }


def _options(options):
    """The request's part for Options; which results are wanted is said elsewhere."""
    given = dataclasses.asdict(options)
    for wanted in ("probability", "view_probabilities", "uncertainty"):
        del given[wanted]
    return {name: value for name, value in given.items() if value is not None}


def _place(place):
    return {"offset": place[0]}


def _floats(array, what):
    """The array as dense float32, without a copy where it is that already."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise Error(f"The {what} is an array of {array.size} {array.dtype}; float32 numbers were expected.")
    return np.require(array, np.float32, ["C", "A"])


def _measurements(found):
    """Measurements of an answer."""
    triples = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    return Measurements(**{**found, **triples})
