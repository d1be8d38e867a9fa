"""Machine code kept in memory and on disk, by a hash of what it was made from.

A file holds an object file behind its own hash, and is named by the hash of the IR text, the processor and the versions.
It lies in the user's cache folder, readable and writable by the user alone; what is damaged, or what somebody else could
have written, is not used. Whatever goes wrong with the disk only means that the code is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import RLock

import llvmlite

from hybridode.kernels.llvm.machine import Machine, define_symbol, link, object_code, target_text
from hybridode.kernels.llvm.module import Module

VARIABLE = "HYBRIDODE_CACHE"  # a folder to use instead, or "off"
_MAGIC = b"hybridode object 1\n"
_MOST_BYTES = 256 << 20  # the least recently used files go when there is more
_LOADED: dict[str, Machine] = {}  # code lives as long as the process: XLA keeps addresses of it
_LOCK = RLock()


def folder() -> Path | None:
    """Where the files lie (it need not exist), or None when they are switched off."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return None if chosen == "off" else Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "hybridode" / "kernels"


def loaded(module: Module) -> Machine:
    """The module's code, ready to run. The modules whose entries it calls must have been loaded before."""
    with _LOCK:
        found = _LOADED.get(module.run)
        if found is None:
            for name in module.calls:
                assert any(name == known for known in _LOADED), f"{name} has not been loaded"
            found = _LOADED[module.run] = link(_object(module))
            define_symbol(module.run, found.address(module.run))
        return found


def clear() -> int:
    """Deletes all files; returns how many there were."""
    count = 0
    for path in _files():
        try:
            path.unlink()
            count += 1
        except OSError:  # another process was quicker
            continue
    return count


def size() -> tuple[int, int]:
    """(number of files, bytes)."""
    sizes = [found.st_size for path in _files() if (found := _stat(path)) is not None]
    return len(sizes), sum(sizes)


def _object(module: Module) -> bytes:
    text = "\n".join([target_text(), llvmlite.__version__, module.text])
    name = hashlib.sha256(text.encode()).hexdigest()
    place = folder()
    kept = None if place is None else _read(place / f"{name}.o")
    if kept is not None:
        return kept
    made = object_code(module.text)
    if place is not None:
        _write(place, f"{name}.o", made)
    return made


def _files() -> Iterator[Path]:
    place = folder()
    if place is not None and place.is_dir():
        yield from sorted(place.glob("*.o"))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _trusted(path: Path) -> bool:
    """Ours, and writable by nobody else."""
    found = _stat(path)
    if found is None:
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _read(path: Path) -> bytes | None:
    """The object in a file, or None where there is none that can be trusted."""
    try:
        if not (_trusted(path.parent) and _trusted(path)):
            return None
        data = path.read_bytes()
    except OSError:
        return None
    body = data[len(_MAGIC) + 32 :]
    if not data.startswith(_MAGIC) or data[len(_MAGIC) : len(_MAGIC) + 32] != hashlib.sha256(body).digest():
        return None
    try:
        os.utime(path)
    except OSError:  # a disk that can only be read
        return body
    return body


def _write(place: Path, name: str, body: bytes) -> None:
    """Writes under a temporary name and renames, so that no process sees half a file. Failing to is no error: see above."""
    temporary = None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _trusted(place):
            return
        handle, temporary = tempfile.mkstemp(dir=place, suffix=".part")  # mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(temporary, place / name)
        _shrink()
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _shrink() -> None:
    """Deletes the least recently used files while there are too many bytes."""
    found = [(stat.st_mtime, stat.st_size, path) for path in _files() if (stat := _stat(path)) is not None]
    total = sum(entry[1] for entry in found)
    for _, bytes_, path in sorted(found):
        if total <= _MOST_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= bytes_
