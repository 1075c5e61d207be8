"""Files of a cohort: what the inputs are, their names and hashes, and what killed workers leave behind."""

from __future__ import annotations

import csv
import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Optional

from .errors import Error

# Names of single files that a folder is searched for. A file that is named itself may be called anything.
ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr")
# Headers whose voxels lie in a file beside them.
DETACHED = (".hdr", ".nhdr", ".mhd")
COLUMNS = ("input", "image", "path", "ct")


@dataclass(frozen=True)
class Input:
    """A case before it is done: where its CT is, and what its results are called."""

    path: str  # absolute: a file, or a folder with DICOM files
    series: Optional[str] = None  # the SeriesInstanceUID to take
    name: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other cases."""
        return self.path, self.series or ""


def find(inputs: Iterable[str], out: str) -> list[Input]:
    """The cases of files, folders, DICOM folders, glob patterns and CSV lists, each once and sorted, names as in lists.

    out: the folder of the results, which is not searched. Raises Error for what is not there or holds no image.
    """
    found: dict[tuple[str, str], Input] = {}
    out = os.path.realpath(out)
    for text in inputs:
        there = list(_expand(text, out))
        for one in there:
            # The same file by another name is the same case.
            found.setdefault((os.path.realpath(one.path), one.series or ""), one)
        if not there:
            raise Error(f"{text} holds no image: no {', '.join(ENDINGS)}, and no folder with DICOM files.")
    return sorted(found.values(), key=lambda one: one.key)


def _expand(text: str, out: str) -> Iterator[Input]:
    if not os.path.exists(text) and glob.has_magic(text):
        matches = sorted(glob.glob(text, recursive=True))
        if not matches:
            raise Error(f"Nothing matches {text}.")
        for match in matches:
            yield from _expand(match, out)
    elif os.path.isdir(text):
        yield from _folder(os.path.abspath(text), out)
    elif not os.path.isfile(text):
        raise Error(f"{text} is not there.")
    elif text.lower().endswith(".csv"):
        yield from _list(os.path.abspath(text))
    else:
        yield Input(os.path.abspath(text))


def _folder(folder: str, out: str) -> Iterator[Input]:
    """Images at any depth; a folder without any whose files are DICOM is a case itself."""
    for place, folders, files in os.walk(folder):
        if os.path.realpath(place) == out:
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = sorted(name for name in files if not name.startswith("."))
        images = [name for name in files if name.lower().endswith(ENDINGS)]
        for name in images:
            yield Input(os.path.join(place, name))
        if not images and any(_is_dicom(os.path.join(place, name)) for name in files[:20]):
            yield Input(place)


def _is_dicom(path: str) -> bool:
    if path.lower().endswith((".dcm", ".ima")):
        return True
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _list(path: str) -> Iterator[Input]:
    """The cases of a CSV file: a column input (or image, path, ct), and if you like name and series."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise Error(f"{path} has no rows below its header.")
    columns = {str(name).strip().lower(): name for name in rows[0] if name is not None}
    column = next((columns[name] for name in COLUMNS if name in columns), None)
    if column is None:
        raise Error(f"{path} has no column input; its columns are {', '.join(map(str, rows[0]))}.")

    def value(row: dict[str, Any], key: str) -> str:
        return (row.get(columns.get(key, key)) or "").strip()

    for row in rows:
        text = (row[column] or "").strip()
        if text:
            # Paths are the list's own. What is not there is a row with its error, not the end of the cohort.
            place = os.path.normpath(os.path.join(os.path.dirname(path), os.path.expanduser(text)))
            yield Input(place, value(row, "series") or None, _safe(value(row, "name")))


def named(found: list[Input], taken: dict[str, tuple[str, str]]) -> list[Input]:
    """The cases with a name for each, which no two share.

    taken: names that earlier runs gave, and the key of the case that has each. A case keeps its name. Where several
    want one, each gets a part of the hash of its path, which does not depend on the other cases.
    """
    kept = {key: name for name, key in taken.items()}
    used = {name.casefold(): key for name, key in taken.items()}
    wished = [one.name or stem(one.path) for one in found]
    counts = Counter(name.casefold() for name in wished)
    cases = []
    for one, name in zip(found, wished):
        if one.key in kept:
            name = kept[one.key]
        elif counts[name.casefold()] > 1 or used.get(name.casefold(), one.key) != one.key:
            name = f"{name}-{hashlib.sha256(repr(one.key).encode()).hexdigest()[:8]}"
        cases.append(Input(one.path, one.series, name))
    return cases


def stem(path: str) -> str:
    """The name of a file without the ending of an image's format, fit for a file's name everywhere."""
    name = os.path.basename(os.path.normpath(path))
    for ending in sorted((*ENDINGS, ".dcm"), key=len, reverse=True):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    return _safe(name) or "case"


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name).strip("._")[:100]


def parts(path: str) -> list[str]:
    """The files that an input consists of."""
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_file() and not entry.name.startswith("."))
    found = [path]
    if path.lower().endswith(DETACHED):
        base, folder = os.path.splitext(os.path.basename(path))[0], os.path.dirname(path)
        beside = (name for name in os.listdir(folder) if name.startswith(f"{base}.") and not name.endswith(ENDINGS))
        found += sorted(os.path.join(folder, name) for name in beside)
    return found


def stamp(files: list[str]) -> str:
    """Number, bytes and latest change of files: while that stays, their hash is taken to stay."""
    stats = [os.stat(path) for path in files]
    return f"{len(stats)} {sum(one.st_size for one in stats)} {max((one.st_mtime_ns for one in stats), default=0)}"


def tidy(folder: str, names: Iterable[str]) -> None:
    """Removes what killed workers left unfinished, under `_files.write`'s names, of cases that are whole."""
    whole = set(names)
    for entry in os.listdir(folder):
        found = re.fullmatch(r"\.(.+)\.(?:nii\.gz|json|png)\..+\.tmp", entry)
        if found and found.group(1) in whole:
            try:
                os.remove(os.path.join(folder, entry))
            except OSError:
                pass
