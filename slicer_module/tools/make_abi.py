"""Makes PancreasSegmentation/ggpfn/_abi.py from include/ggpfn.h: constants, ctypes structs, prototypes.

    python3 slicer_module/tools/make_abi.py            writes the file anew
    python3 slicer_module/tools/make_abi.py --check    ends with 1 and says what differs, if anything does

The header is itself made by cbindgen and has a regular form: a comment of // lines, then a #define, a typedef or a
function. Whatever does not have that form ends this program with an error, so that nothing is left out quietly.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "PancreasSegmentation" / "ggpfn" / "_abi.py"
HEADER = ROOT.parent / "include" / "ggpfn.h"

SIMPLE = {
    "char": "c_char",
    "double": "c_double",
    "float": "c_float",
    "int32_t": "c_int32",
    "int64_t": "c_int64",
    "uint8_t": "c_uint8",
    "uint32_t": "c_uint32",
    "uint64_t": "c_uint64",
    "size_t": "c_size_t",
}

BEGINNING = '''"""The C interface of libggpfn for ctypes: constants, structs, and the prototypes of all functions.

Made from include/ggpfn.h by tools/make_abi.py; change it there. Importing this loads no library. Handles
({handles}) are plain c_void_p: the library checks them itself.
"""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
{imports}
)
from typing import Any

# The version of the header that this file was made from.
VERSION = "{version}"
'''

END = '''

def bind(library: Any) -> list[str]:
    """Gives the functions of a ctypes library their argument and result types.

    Returns the names of those that it does not have, because it is older than the header.
    """
    missing = []
    for name, (result, arguments) in PROTOTYPES.items():
        function = getattr(library, name, None)
        if function is None:
            missing.append(name)
            continue
        function.restype = result
        function.argtypes = arguments
    return missing
'''


class Unreadable(Exception):
    """A part of the header has a form that this program does not know."""


class Header:
    """What the header declares, in its order."""

    def __init__(self, text):
        self.aliases = dict(SIMPLE)
        self.handles = []
        self.constants = []  # (name, number, comment)
        self.types = []  # structs (name, fields, comment) and callbacks (name, result, arguments, comment)
        self.functions = []  # (name, result, arguments as (type, name), comment)
        for comment, declaration in declarations(text):
            self.read(declaration, comment)

    def read(self, declaration, comment):
        define = re.fullmatch(r"#define (GGPFN_\w+) (-?\d+)", declaration)
        handle = re.fullmatch(r"typedef struct (\w+) \1;", declaration)
        alias = re.fullmatch(r"typedef (\w+) (\w+);", declaration)
        struct = re.fullmatch(r"typedef struct (\w+) \{(.*)\} \1;", declaration, re.S)
        callback = re.fullmatch(r"typedef (.+?)\(\*(\w+)\)\((.*)\);", declaration, re.S)
        function = re.fullmatch(r"([\w ]+[ *])(ggpfn_\w+)\((.*)\);", declaration, re.S)
        if define:
            self.constants.append((define[1], int(define[2]), comment))
        elif handle:
            self.handles.append(handle[1])
            self.aliases[handle[1]] = None
        elif alias:
            self.aliases[alias[2]] = self.aliases[alias[1]]
        elif struct:
            fields = [(*self.field(one), note) for note, one in declarations(struct[2])]
            self.types.append(("struct", struct[1], fields, comment))
            self.aliases[struct[1]] = struct[1]
        elif callback:
            arguments = [kind for kind, _ in self.arguments(callback[3])]
            self.types.append(("callback", callback[2], [self.kind(callback[1]), *arguments], comment))
            self.aliases[callback[2]] = callback[2]
        elif function:
            self.functions.append((function[2], self.kind(function[1]), self.arguments(function[3]), comment))
        else:
            raise Unreadable(declaration)

    def kind(self, text):
        """The ctypes name of a C type."""
        words = [word for word in text.replace("*", " * ").split() if word not in ("const", "struct")]
        stars = words.count("*")
        name = " ".join(word for word in words if word != "*")
        if name == "void":
            known = {0: "None", 1: "c_void_p"}
            if stars in known:
                return known[stars]
        if name == "char" and stars == 1:
            return "c_char_p"
        if name not in self.aliases:
            raise Unreadable(text)
        base = self.aliases[name]
        if base is None:  # a handle
            base, stars = "c_void_p", stars - 1
            if stars < 0:
                raise Unreadable(text)
        for _ in range(stars):
            base = f"POINTER({base})"
        return base

    def field(self, text):
        """The name and ctypes name of a struct's field."""
        match = re.fullmatch(r"(.*?)(\w+)(?:\[(\d+)\])?;", text, re.S)
        if not match:
            raise Unreadable(text)
        kind = self.kind(match[1])
        return match[2], f"{kind} * {match[3]}" if match[3] else kind

    def arguments(self, text):
        """The ctypes names and names of a function's arguments."""
        text = " ".join(text.split())
        if text == "void":
            return []
        found = []
        for one in text.split(","):
            match = re.fullmatch(r"\s*(.*?)(\w+)", one)
            if not match:
                raise Unreadable(one)
            found.append((self.kind(match[1]), match[2]))
        return found


def declarations(text):
    """Pairs of a comment's text and the declaration that follows it."""
    comment, lines, depth = [], [], 0
    for line in text.splitlines():
        bare = line.strip()
        if not lines and bare.startswith("//"):
            comment.append(bare[2:].strip())
            continue
        if not lines and not bare:
            comment = []
            continue
        lines.append(line if lines else bare)
        depth += bare.count("{") - bare.count("}")
        if bare.startswith("#define") or (depth == 0 and bare.endswith(";")):
            yield paragraphs(comment), "\n".join(lines)
            comment, lines = [], []
    if lines:
        raise Unreadable("\n".join(lines))


def paragraphs(lines):
    """The lines of a comment as paragraphs."""
    return [" ".join(part.split("\n")) for part in "\n".join(lines).split("\n\n") if part]


def body(text):
    """The header without what belongs to the preprocessor and to C++."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif[^\n]*\n", "", text, flags=re.S)
    kept = []
    for line in text.splitlines():
        if re.match(r"#(include|ifndef|endif)", line) or line == "#define GGPFN_H":
            continue
        kept.append(line)
    return "\n".join(kept)


def wrapped(text, indent, first=None):
    return textwrap.fill(
        text,
        120,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_comment(comment, indent=""):
    return f"\n{indent}#\n".join(wrapped(one, indent + "# ") for one in comment)


def class_of(name, fields, comment):
    lines = ["", "", f"class {name}(Structure):"]
    start = '    """'
    for number, one in enumerate(comment):
        lines += ([""] if number else []) + [wrapped(one, "    ", start if number == 0 else None)]
    if not comment:
        raise Unreadable(f"{name} has no comment")
    lines.append("")
    for field, kind, note in fields:
        lines.append(wrapped(f"{field} ({kind}): {' '.join(note)}", "        ", "    "))
    lines += ['    """', "", "    _fields_ = ["]
    lines += [f'        ("{field}", {kind}),' for field, kind, _ in fields]
    lines.append("    ]")
    return lines


def by_number(name):
    return re.sub(r"\d+", lambda match: match[0].zfill(3), name)


def made_from(text):
    """The text of _abi.py for a header's text."""
    header = Header(body(text))
    numbers = {name: number for name, number, _ in header.constants}
    version = ".".join(str(numbers[f"GGPFN_VERSION_{part}"]) for part in ("MAJOR", "MINOR", "PATCH"))
    lines = []
    for name, number, comment in header.constants:
        lines += ["", as_comment(comment), f"{name} = {number}"]
    for form, name, parts, comment in header.types:
        if form == "struct":
            lines += class_of(name, parts, comment)
        else:
            lines += ["", "", as_comment(comment), f"{name} = CFUNCTYPE({', '.join(parts)})"]
    lines += ["", "", "# By the name of a function: the type of its result, and those of its arguments."]
    lines.append("PROTOTYPES = {")
    for name, result, arguments, comment in header.functions:
        names = ", ".join(argument for _, argument in arguments)
        lines.append(wrapped(f"{name}({names}):", "    # "))
        lines.append(as_comment(comment, "    "))
        lines.append(f'    "{name}": (')
        lines.append(f"        {result},")
        kinds = [kind for kind, _ in arguments]
        line = f"        [{', '.join(kinds)}],"
        lines += (
            [line] if len(line) <= 120 else ["        [", *(f"            {kind}," for kind in kinds), "        ],"]
        )
        lines.append("    ),")
    lines.append("}")
    made = "\n".join(lines)
    # In the order of numbers, not of digits.
    used = sorted({*SIMPLE.values(), "c_char_p", "c_void_p"}, key=by_number)
    imports = "\n".join(f"    {name}," for name in used if re.search(rf"\b{name}\b", made))
    beginning = BEGINNING.format(handles=", ".join(header.handles), imports=imports, version=version)
    return beginning + made + "\n" + END


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--header", type=Path, default=HEADER, help="ggpfn.h (default: the one beside slicer_module)")
    parser.add_argument("--output", type=Path, default=TARGET, help="the file to write or check")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    arguments = parser.parse_args()
    try:
        made = made_from(arguments.header.read_text(encoding="utf-8"))
    except Unreadable as e:
        sys.exit(f"{arguments.header}: this has a form that make_abi.py does not know:\n{e}")
    if not arguments.check:
        arguments.output.write_bytes(made.encode("utf-8"))
        return
    committed = arguments.output.read_text(encoding="utf-8")
    if committed != made:
        names = (str(arguments.output), "made from the header")
        difference = difflib.unified_diff(committed.splitlines(), made.splitlines(), *names, lineterm="", n=1)
        print("\n".join(difference))
        sys.exit(f"{arguments.output} is not what {arguments.header} gives; run: python3 {Path(__file__).name}")


if __name__ == "__main__":
    main()
