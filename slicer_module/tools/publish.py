#!/usr/bin/env python3
"""Makes the extension ready for the account that it is published under: `publish.py ACCOUNT`.

CMakeLists.txt is the one file that names the account, as OWNER before this has run. The entry for Slicer's extension
index, PancreasSegmentation.json, is written beside it; it goes into a pull request to Slicer/ExtensionsIndex.
"""

import json
import re
import sys
from pathlib import Path

EXTENSION = Path(__file__).resolve().parents[1]
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
)
ACCOUNT = r'(set\(EXTENSION_ACCOUNT ")([^"]*)("\))'


def publish(account, extension=EXTENSION):
    """Writes both files; raises ValueError for what cannot be the name of an account."""
    if not re.fullmatch(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,38}", account):
        raise ValueError(f"{account!r} is no name of an account on GitHub: letters, digits and single hyphens")
    cmake = extension / "CMakeLists.txt"
    text = cmake.read_text(encoding="utf-8")
    text, count = re.subn(ACCOUNT, rf"\g<1>{account}\g<3>", text)
    if count != 1:
        raise ValueError(f"{cmake} does not set EXTENSION_ACCOUNT once")
    cmake.write_text(text, encoding="utf-8")
    entry = {
        "$schema": SCHEMA,
        "build_dependencies": [],
        "build_subdirectory": ".",
        "category": re.search(r'set\(EXTENSION_CATEGORY "([^"]*)"\)', text).group(1),
        "scm_revision": "main",
        "scm_type": "git",
        "scm_url": f"https://github.com/{account}/SlicerPancreasSegmentation.git",
        "tier": 1,
    }
    path = extension / "PancreasSegmentation.json"
    path.write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(publish(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
