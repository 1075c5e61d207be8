"""Finds libggpfn, loads it, and calls it.

It is looked for where GGPFN_LIBRARY says, then in the library folders of the 3D Slicer extension and of this package,
then by the system's loader. Of a file that was loaded the ABI version is asked before anything else; a file that cannot
be used is refused by name, with the reason.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any, Optional

from . import _abi, _torch
from .errors import Error, LibraryMissing, WrongLibrary, from_status

_ABI = _abi.GGPFN_ABI_VERSION
if sys.platform == "win32":
    NAMES = ("ggpfn.dll",)
elif sys.platform == "darwin":
    NAMES = (f"libggpfn.{_ABI}.dylib", "libggpfn.dylib")
else:
    NAMES = (f"libggpfn.so.{_ABI}", "libggpfn.so")

PACKAGE = os.path.dirname(os.path.abspath(__file__))

_loaded: dict[str, Library] = {}
_lock = threading.Lock()


class Library:
    """A libggpfn in this process."""

    def __init__(self, path: str) -> None:
        """Raises WrongLibrary, which names the file and says why, if it cannot be used."""
        self.path = path
        self._folders = _let_windows_look_beside(path)
        try:
            if _torch.is_for(path):
                _torch.load()
            library = ctypes.CDLL(path)
        except OSError as error:
            raise WrongLibrary(f"{path} could not be loaded: {error}.{_advice(str(error))}") from error
        try:
            library.ggpfn_abi_version.restype = ctypes.c_uint32
            abi = library.ggpfn_abi_version()
        except AttributeError:
            raise WrongLibrary(f"{path} is not libggpfn: it has no function ggpfn_abi_version.") from None
        if abi != _ABI:
            raise WrongLibrary(
                f"{path} has the interface number {abi}, and this package was made for {_ABI}; install the library and "
                "the package of the same version."
            )
        self._missing = set(_abi.bind(library))
        self._library = library
        self.version = library.ggpfn_version().decode()

    def function(self, name: str) -> Any:
        """A function by name, without a look at its status."""
        if name in self._missing:
            raise WrongLibrary(
                f"{self.path} is version {self.version} and has no {name}; "
                f"install the library of version {_abi.VERSION}."
            )
        return getattr(self._library, name)

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function; raises what its status means, with the library's message."""
        function = self.function(name)
        status = function(*arguments)
        if status != _abi.GGPFN_OK:
            raise self.error(status)

    def error(self, status: int) -> Error:
        """The exception for a status that a function has just returned on this thread."""
        size = ctypes.c_size_t(1024)
        status_of_text = _abi.GGPFN_ERROR_BUFFER
        while status_of_text == _abi.GGPFN_ERROR_BUFFER:
            text = ctypes.create_string_buffer(size.value)
            status_of_text = self._library.ggpfn_last_error(text, len(text), ctypes.byref(size))
        message = text.value.decode("utf-8", "replace") or self._library.ggpfn_status_text(status).decode()
        return from_status(status, message)

    def text(self, name: str, *arguments: Any) -> str:
        """The text that a function writes to a buffer."""
        function = self.function(name)
        size = ctypes.c_size_t(1024)
        while True:
            text = ctypes.create_string_buffer(size.value)
            status = function(*arguments, text, len(text), ctypes.byref(size))
            if status == _abi.GGPFN_OK:
                return text.value.decode("utf-8", "replace")
            if status != _abi.GGPFN_ERROR_BUFFER:
                raise self.error(status)


def load(library: Any = None) -> Library:
    """The Library; one that was loaded before is given again.

    library: a file, or a folder that holds it; None: the search that this module's docstring tells. Raises
    LibraryMissing, or WrongLibrary where files were found and none of them can be used.
    """
    refused = None
    searched = []
    for place in places(library):
        searched.append(place)
        # A bare name is the system loader's to find, and cannot be asked for beforehand.
        bare = os.path.basename(place) == place
        if not bare and not os.path.isfile(place):
            continue
        with _lock:
            key = place if bare else os.path.realpath(place)
            try:
                if key not in _loaded:
                    _loaded[key] = Library(place)
                return _loaded[key]
            except WrongLibrary as error:
                if not (bare and _not_found(error.__cause__)):
                    refused = refused or error
    if refused is not None:
        raise refused
    raise LibraryMissing(
        f"libggpfn was not found. Looked at: {'; '.join(searched)}. Set the environment variable GGPFN_LIBRARY to "
        f"the file {NAMES[-1]} or to its folder, or put it in {os.path.join(PACKAGE, 'lib')}.",
        searched,
    )


def is_loaded() -> bool:
    """Whether this package has loaded a libggpfn, and with it libtorch, into the process."""
    return bool(_loaded)


def places(library: Any = None) -> list[str]:
    """The files to look at, in order; the last ones are bare names for the system's loader."""
    chosen = os.fspath(library) if library is not None else os.environ.get("GGPFN_LIBRARY")
    if chosen:
        # Who names a library gets that one or an error, not another one from somewhere else.
        chosen = os.path.abspath(os.path.expanduser(chosen))
        if not os.path.isdir(chosen):
            return [chosen]
        folders = [chosen, *(os.path.join(chosen, name) for name in ("lib", "lib64", "bin"))]
        return [os.path.join(folder, name) for folder in folders for name in NAMES]
    folders = []
    for start in _extension_folders():
        folders += [os.path.normpath(os.path.join(start, up, "lib")) for up in ("", "..", "../..", "../../..")]
    folders.append(os.path.join(PACKAGE, "lib"))
    found = [os.path.join(folder, name) for folder in dict.fromkeys(folders) for name in NAMES]
    return [*found, *NAMES]


def _extension_folders() -> list[str]:
    """The folder of the 3D Slicer module, where Slicer runs it."""
    modules = getattr(sys.modules.get("slicer"), "modules", None)
    path = getattr(getattr(modules, "pancreassegmentation", None), "path", None)
    return [os.path.dirname(os.path.abspath(path))] if isinstance(path, str) and path else []


def _advice(message: str) -> str:
    """What to do about a message of the system's loader."""
    if "undefined symbol" in message or "Symbol not found" in message:
        return ' The process may hold another libtorch; use a child process, open_engine("child process").'
    if "libtorch" in message and _torch.folder() is None and os.path.isfile(_torch.MARK):
        return " It uses the libtorch of PyTorch, which was not found in this Python; install torch."
    if any(part in message for part in ("libtorch", "libc10", "dependencies")):
        return " Its libtorch has to lie beside it; take the whole folder that it was delivered in."
    return ""


def _let_windows_look_beside(path: str) -> list[Any]:
    """Windows looks for a DLL's own DLLs in folders that it was told of alone. What is returned must be kept."""
    if sys.platform != "win32" or os.path.basename(path) == path:
        return []
    folder = os.path.dirname(path)
    beside = [folder, os.path.join(folder, "..", "lib"), os.path.join(folder, "..", "bin")]
    return [os.add_dll_directory(os.path.abspath(one)) for one in beside if os.path.isdir(one)]


def _not_found(error: Any) -> bool:
    """Whether the system's loader said that it knows no library of this name; a part of it may be missing as well."""
    if error is None:
        return False
    # Windows says of both that the module "or one of its dependencies" was not found.
    return sys.platform == "win32" or any(name in str(error).split(":")[0] for name in NAMES)


def foreign_libtorch(library: Any = None) -> Optional[str]:
    """The libtorch that the process holds and that is not libggpfn's own, as its path or as "the module torch"; None if
    there is none. To be asked before libggpfn is loaded: its libtorch would get mixed with that one.
    """
    if is_loaded():
        return None
    own = set()
    found = [place for place in places(library) if os.path.isfile(place)]
    torch = _torch.folder() if found and _torch.is_for(found[0]) else None
    if torch is not None:
        own.add(os.path.realpath(torch))
    elif "torch" in sys.modules:
        return "the module torch"
    for place in found:
        folder = os.path.dirname(os.path.realpath(place))
        own |= {folder, os.path.realpath(os.path.join(folder, "..", "lib"))}
    for path in _mapped_files():
        of_torch = os.path.basename(path).lower().startswith(("libtorch", "torch_cpu", "libc10.", "c10."))
        if of_torch and os.path.dirname(os.path.realpath(path)) not in own:
            return path
    return None


def _mapped_files() -> list[str]:
    """The files of the libraries in this process, as far as the system tells them."""
    if sys.platform.startswith("linux"):
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
                lines = [line.rstrip("\n").split(maxsplit=5) for line in maps]
        except OSError:
            return []
        return list(dict.fromkeys(parts[5] for parts in lines if len(parts) == 6 and parts[5].startswith("/")))
    if sys.platform == "darwin":
        process = ctypes.CDLL(None)
        process._dyld_get_image_name.restype = ctypes.c_char_p
        process._dyld_get_image_name.argtypes = [ctypes.c_uint32]
        names = (process._dyld_get_image_name(number) for number in range(process._dyld_image_count()))
        return [os.fsdecode(name) for name in names if name]
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetModuleHandleW.restype = ctypes.c_void_p
        kernel.GetModuleHandleW.argtypes = [ctypes.c_wchar_p]
        kernel.GetModuleFileNameW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]
        found = []
        for name in ("torch_cpu.dll", "c10.dll"):
            handle = kernel.GetModuleHandleW(name)
            path = ctypes.create_unicode_buffer(32768)
            if handle and kernel.GetModuleFileNameW(handle, path, len(path)):
                found.append(path.value)
        return found
    return []
