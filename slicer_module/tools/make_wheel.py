#!/usr/bin/env python3
"""Makes the wheel of the package ggpfn with library and program inside; `cargo xtask wheel` calls it.

    make_wheel.py --library FILE --program FILE --out FOLDER [--licences FOLDER]

The wheel brings no libtorch: it depends on PyTorch of the version that the library was built for. Its name says which
glibc it needs, as the symbols of both files have it. Nothing is written but the wheel; the same files give the same
bytes.

It is also what `pip install` of the extension's folder builds with (pyproject.toml), which then leaves nothing there:
Python alone, and no dependency on torch, since that library comes from elsewhere.
"""

import argparse
import base64
import hashlib
import os
import re
import sys
import zipfile
from pathlib import Path

EXTENSION = Path(__file__).resolve().parents[1]
ROOT = EXTENSION.parent
SOURCE = EXTENSION / "PancreasSegmentation" / "ggpfn"

# The symbol versions that come with the system of a manylinux tag: a GCC whose libstdc++ every distribution with that
# glibc has. From https://peps.python.org/pep-0600 on, glibc alone says which tag fits; these are looked at beside it.
LIBSTDCXX = {(2, 28): (3, 4, 25), (2, 31): (3, 4, 28), (2, 34): (3, 4, 29), (2, 35): (3, 4, 30), (2, 36): (3, 4, 30)}
# Nothing else may be needed: what is neither every Linux's nor torch's would be missing elsewhere.
SYSTEM = r"(libc|libm|libgcc_s|libstdc\+\+|ld-linux-x86-64|libdl|libpthread|librt)\.so\.\d+"
TORCH = r"lib(torch|torch_cpu|c10)\.so"


class Unfit(Exception):
    """A file cannot be part of a wheel."""


def _number(elf, at, size):
    return int.from_bytes(elf[at : at + size], "little")


def _text(elf, at):
    return elf[at : elf.index(b"\0", at)].decode()


def _sections(elf):
    """(type, offset, length, link) of each section of an ELF file."""
    start, size, count = _number(elf, 40, 8), _number(elf, 58, 2), _number(elf, 60, 2)
    places = [start + size * index for index in range(count)]
    return [
        tuple(_number(elf, at + field, width) for field, width in ((4, 4), (24, 8), (32, 8), (40, 4))) for at in places
    ]


def needed_by(path):
    """What an ELF file needs: names of libraries, and the newest symbol version by family, {"GLIBC": (2, 35), ...}."""
    elf = path.read_bytes()
    if elf[:6] != b"\x7fELF\x02\x01" or _number(elf, 18, 2) != 62:
        raise Unfit(f"{path} is no ELF file for x86-64")
    sections = _sections(elf)
    libraries, versions = [], {}
    for kind, offset, length, link in sections:
        names = sections[link][1] if link < len(sections) else 0
        if kind == 6:  # SHT_DYNAMIC
            for entry in range(offset, offset + length, 16):
                if _number(elf, entry, 8) == 1:  # DT_NEEDED
                    libraries.append(_text(elf, names + _number(elf, entry + 8, 8)))
        elif kind == 0x6FFFFFFE:  # SHT_GNU_verneed: chains of chains, each with the distance to its next
            at, onward = offset, 1
            while onward:
                inner, further = at + _number(elf, at + 8, 4), 1
                while further:
                    family, _, version = _text(elf, names + _number(elf, inner + 8, 4)).rpartition("_")
                    if re.fullmatch(r"[\d.]+", version):
                        found = tuple(map(int, version.split(".")))
                        versions[family] = max(versions.get(family, ()), found)
                    further = _number(elf, inner + 12, 4)
                    inner += further
                onward = _number(elf, at + 12, 4)
                at += onward
    return libraries, versions


def without_paths(path):
    """The file's bytes, with a run path that names the folders beside it alone: what the machine that it was built on
    has elsewhere must not be found before the environment's own torch."""
    elf = bytearray(path.read_bytes())
    for start, _ in run_paths(elf):
        end = elf.index(b"\0", start)
        kept = b":".join(part for part in bytes(elf[start:end]).split(b":") if part.startswith(b"$ORIGIN"))
        elf[start:end] = kept.ljust(end - start, b"\0")
    return bytes(elf)


def run_paths(elf):
    """Where the run paths of an ELF file lie in it, and what they are."""
    sections = _sections(elf)
    for kind, offset, length, link in sections:
        for entry in range(offset, offset + length, 16) if kind == 6 else ():
            if _number(elf, entry, 8) in (15, 29):  # DT_RPATH, DT_RUNPATH
                start = sections[link][1] + _number(elf, entry + 8, 8)
                yield start, _text(elf, start)


def platform_of(files):
    """The platform's tag: the oldest glibc that has what the files need."""
    glibc = (2, 28)  # torch's own wheel wants that much
    for path in files:
        libraries, versions = needed_by(path)
        odd = [name for name in libraries if not re.fullmatch(f"{SYSTEM}|{TORCH}", name)]
        if odd:
            raise Unfit(f"{path} needs {', '.join(odd)}, which other machines lack")
        glibc = max(glibc, versions.get("GLIBC", ())[:2])
        wanted = versions.get("GLIBCXX", ())
        enough = [system for system, there in LIBSTDCXX.items() if there >= wanted]
        if not enough:
            raise Unfit(f"{path} needs the symbols GLIBCXX_{'.'.join(map(str, wanted))} of a newer libstdc++")
        glibc = max(glibc, min(enough))
    return f"manylinux_{glibc[0]}_{glibc[1]}_x86_64"


def version():
    """The package's version, without importing it."""
    return re.search(r'^VERSION = "(.+)"', (SOURCE / "_abi.py").read_text(encoding="utf-8"), re.M).group(1)


def metadata(needs):
    """The file METADATA, of pyproject.toml and the package's README; needs: what it depends on beyond those."""
    project = (EXTENSION / "pyproject.toml").read_text(encoding="utf-8")

    def field(name):
        return re.search(rf'^{name} = "(.+)"$', project, re.M).group(1)

    def entries(name):
        inner = re.search(rf"^{name} = \[(.*?)\]", project, re.M | re.S).group(1)
        return re.findall(r'"([^"]+)"', inner)

    # The account is in that file alone; publish.py sets it there.
    extension = (EXTENSION / "CMakeLists.txt").read_text(encoding="utf-8")
    account = re.search(r'EXTENSION_ACCOUNT "(.+)"', extension).group(1)
    home = f"https://github.com/{account}/SlicerPancreasSegmentation"
    urls = {"Homepage": home, "Issues": f"{home}/issues"}
    lines = ["Metadata-Version: 2.4", "Name: ggpfn", f"Version: {version()}", f"Summary: {field('description')}"]
    lines += [f"License-Expression: {field('license')}", f"Requires-Python: {field('requires-python')}"]
    lines += [f"Project-URL: {name}, {url}" for name, url in urls.items()]
    lines += [f"Classifier: {classifier}" for classifier in entries("classifiers")]
    lines += [f"Keywords: {','.join(entries('keywords'))}"]
    lines += [f"Requires-Dist: {need}" for need in [*entries("dependencies"), *needs]]
    for extra in ("cohort", "node", "onnx"):
        lines += [f"Provides-Extra: {extra}"]
        lines += [f'Requires-Dist: {need}; extra == "{extra}"' for need in entries(extra)]
    lines += ["License-File: LICENSE-MIT", "License-File: LICENSE-APACHE"]
    lines += ["Description-Content-Type: text/markdown", ""]
    return "\n".join(lines) + "\n" + (SOURCE / "README.md").read_text(encoding="utf-8")


def torch():
    """Major and minor version of the libtorch that the library is built for."""
    found = re.search(
        r'const VERSION: &str = "(\d+\.\d+)\.', (ROOT / "xtask/src/libtorch.rs").read_text(encoding="utf-8")
    )
    return found.group(1)


def files(tag, library=None, program=None, licences=None):
    """(name in the wheel, bytes, whether it is run) of all files but RECORD."""
    for path in sorted(SOURCE.glob("*")):
        if path.is_file() and path.suffix in (".py", ".typed"):
            yield f"ggpfn/{path.name}", path.read_bytes(), False
    if library is not None:
        constants = (SOURCE / "_abi.py").read_text(encoding="utf-8")
        abi = re.search(r"^GGPFN_ABI_VERSION = (\d+)", constants, re.M).group(1)
        yield f"ggpfn/lib/libggpfn.so.{abi}", without_paths(library), True
        yield "ggpfn/lib/uses-torch.txt", f"{torch()}\n".encode(), False
        yield "ggpfn/bin/ggpfn", without_paths(program), True
    info = f"ggpfn-{version()}.dist-info"
    yield f"{info}/METADATA", metadata([f"torch=={torch()}.*"] if library else []).encode(), False
    pure = "false" if library else "true"
    wheel = f"Wheel-Version: 1.0\nGenerator: make_wheel.py\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    yield f"{info}/WHEEL", wheel.encode(), False
    yield f"{info}/entry_points.txt", b"[console_scripts]\nggpfn = ggpfn._torch:main\n", False
    for name in ("LICENSE-MIT", "LICENSE-APACHE"):
        yield f"{info}/licenses/{name}", (ROOT / name).read_bytes(), False
    for path in sorted(licences.rglob("*")) if licences else ():
        if path.is_file():
            yield f"{info}/licenses/{path.relative_to(licences).as_posix()}", path.read_bytes(), False


def make(out, library=None, program=None, licences=None, level=6):
    """Writes the wheel; its path. level: of compression, 0 to 9."""
    tag = f"py3-none-{platform_of([library, program])}" if library else "py3-none-any"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"ggpfn-{version()}-{tag}.whl"
    unfinished = out / f".{path.name}.{os.getpid()}"
    record = []
    try:
        with zipfile.ZipFile(unfinished, "w") as wheel:

            def add(name, data, run=False):
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.external_attr = (0o100755 if run else 0o100644) << 16
                wheel.writestr(entry, data, zipfile.ZIP_DEFLATED, level)

            for name, data, run in files(tag, library, program, licences):
                add(name, data, run)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                record.append(f"{name},sha256={digest},{len(data)}")
            name = f"ggpfn-{version()}.dist-info/RECORD"
            add(name, "\n".join([*record, f"{name},,"]).encode() + b"\n")
        os.replace(unfinished, path)
    finally:
        if unfinished.exists():
            unfinished.unlink()
    return path


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """What pip calls."""
    return make(Path(wheel_directory)).name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("library", "program", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--licences", type=Path)
    given = parser.parse_args()
    try:
        made = make(given.out, given.library, given.program, given.licences)
    except Unfit as fault:
        sys.exit(f"make_wheel.py: {fault}")
    print(f"{made}: {made.stat().st_size / 1e6:.1f} MB")
