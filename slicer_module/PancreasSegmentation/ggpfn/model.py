"""Models: trained networks, as a program holds on to them.

A Model looks the same whichever engine made it. What differs stands behind it: in process a handle of the library,
which this file has; for a child process a reference that the child loads once.
"""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from typing import Any, Callable, Optional

from . import _abi
from .errors import Error
from .results import ModelInfo

WEIGHTS = {
    "float32": _abi.GGPFN_WEIGHTS_FLOAT32,
    "float16": _abi.GGPFN_WEIGHTS_FLOAT16,
    "bfloat16": _abi.GGPFN_WEIGHTS_BFLOAT16,
}


class Model:
    """A trained network for each of its views. It never changes, and any number of threads may use it at the same time.

    Made by an engine's load_model, new_model or train, or by Model.load and Model.shipped in this process. Its memory
    goes with the last reference, or with close; work that is using it then still finishes.
    """

    def __init__(self, engine: Any, backing: Any) -> None:
        """engine: what made it. backing: has the methods of InProcessModel."""
        self.engine = engine
        self._backing = backing
        self._info: Optional[ModelInfo] = None

    @classmethod
    def load(cls, source: Any) -> Model:
        """The model of a file (a path), or of a file's bytes, in this process."""
        from .engine import shared

        if source is None:
            raise Error("The model is None; a path or the bytes of a model file were expected.")
        return shared().load_model(source)

    @classmethod
    def shipped(cls) -> Model:
        """The model that is part of the library, in this process: trained on synthetic CTs, for research."""
        from .engine import shared

        return shared().load_model()

    @property
    def backing(self) -> Any:
        """For engines: what stands behind this model. Raises Error after close."""
        if self._backing is None:
            raise Error("The model was closed; load it again.")
        return self._backing

    @property
    def info(self) -> ModelInfo:
        """ModelInfo."""
        if self._info is None:
            self._info = self.backing.info()
        return self._info

    @property
    def configuration(self) -> dict[str, Any]:
        """The whole configuration with its provenance, as a dict of JSON values."""
        found: dict[str, Any] = self.backing.configuration()
        return found

    def save(self, path: Any, weights: str = "float16") -> None:
        """Writes a model file, .safetensors, which appears whole or not at all. weights: "float32", "float16" or
        "bfloat16"."""
        self.backing.save(path, checked_weights(weights))

    def to_bytes(self, weights: str = "float16") -> bytes:
        """The bytes of a model file."""
        return bytes(self.backing.to_bytes(checked_weights(weights)))

    def close(self) -> None:
        """Lets go of the model now; twice is no fault."""
        backing, self._backing = self._backing, None
        if backing is not None:
            backing.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __reduce__(self) -> Any:
        # Pickled as a model file's bytes, for other processes and for copies.
        return _restore, (self.engine.kind, self.to_bytes("float32"))

    def __repr__(self) -> str:
        if self._backing is None:
            return "<ggpfn.Model, closed>"
        return f"<ggpfn.Model {', '.join(self.info.views)}, {self.info.sha256[:12]}>"


def _restore(kind: str, data: Any) -> Model:
    """The model of a pickle, on an engine of the kind that the pickled one had."""
    from .engine import shared

    return shared(kind).load_model(data)


def checked_weights(weights: str) -> str:
    """Refuses what is not the name of a type of weights."""
    if weights not in WEIGHTS:
        raise Error(f"The weights are {weights!r}; one of {', '.join(WEIGHTS)} was expected.")
    return weights


def checked_path(path: Any) -> bytes:
    """A path as the library takes it: UTF-8."""
    try:
        path = os.fsdecode(path)
    except TypeError:
        raise Error(f"The path is a {type(path).__name__}; a string or a path was expected.") from None
    return checked_text(path, "path")


def checked_text(text: Any, what: str) -> bytes:
    """Text as the library takes it: UTF-8 without a NUL, which would end it."""
    if not isinstance(text, str):
        raise Error(f"The {what} is a {type(text).__name__}; text was expected.")
    try:
        encoded = text.encode("utf-8")
    except UnicodeError:
        raise Error(f"The {what} {text!r} cannot be written in UTF-8, which the library asks for.") from None
    if b"\0" in encoded:
        raise Error(f"The {what} {text!r} has a character 0 in it.")
    return encoded


class Handle:
    """A handle of the library's, freed when nothing refers to it any more."""

    def __init__(self, library: Any, free: str, make: Callable[[Any], None]) -> None:
        """make: called with the place where the handle is to be written; free: the function's name that frees it."""
        self.library = library
        self.number = ctypes.c_void_p()
        # Before `make`, which may give a handle and raise after all; freeing NULL is no fault.
        self.close = weakref.finalize(self, library.function(free), self.number)
        make(ctypes.byref(self.number))


class InProcessModel:
    """What stands behind a model in this process."""

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.library = handle.library
        self.number = handle.number

    def info(self) -> ModelInfo:
        info = _abi.ggpfn_model_info(struct_size=ctypes.sizeof(_abi.ggpfn_model_info))
        self.library.call("ggpfn_model_describe", self.number, ctypes.byref(info))
        labels = []
        for index in range(info.label_count):
            label = _abi.ggpfn_label(struct_size=ctypes.sizeof(_abi.ggpfn_label))
            self.library.call("ggpfn_model_label", self.number, index, ctypes.byref(label))
            labels.append(label)
        return ModelInfo.from_struct(info, labels)

    def configuration(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.library.text("ggpfn_model_configuration", self.number))
        return found

    def save(self, path: Any, weights: str) -> None:
        self.library.call("ggpfn_model_save", self.number, checked_path(path), WEIGHTS[weights])

    def to_bytes(self, weights: str) -> bytes:
        needed = ctypes.c_size_t()
        arguments = (self.number, WEIGHTS[weights])
        self.library.call("ggpfn_model_save_memory", *arguments, None, 0, ctypes.byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        self.library.call("ggpfn_model_save_memory", *arguments, buffer, len(buffer), ctypes.byref(needed))
        return buffer.raw

    def close(self) -> None:
        self.handle.close()
