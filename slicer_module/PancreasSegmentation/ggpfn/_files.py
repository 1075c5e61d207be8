"""Files that appear whole or not at all and are on the disk when that is said, and their hashes."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid


def write(path: str, data: bytes) -> None:
    """Writes a file under a temporary name beside it, syncs it and renames it."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(unfinished, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        try:
            os.remove(unfinished)
        except OSError:
            pass
        raise
    sync(folder)


def sync(path: str) -> None:
    """Sees to it that a file, or what a folder has, is on the disk."""
    if not os.path.isdir(path):
        handle = os.open(path, os.O_RDWR)
    elif hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_DIRECTORY)
    else:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(files: list[str]) -> str:
    """SHA-256, in hexadecimal: of the bytes of one file; of names and hashes of several."""
    if len(files) == 1:
        return _digest(files[0])
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{os.path.basename(path)}\0{_digest(path)}\n".encode())
    return whole.hexdigest()


def _digest(path: str) -> str:
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            whole.update(chunk)
    return whole.hexdigest()
