"""Files that spare work in the next process, in the user's cache folder: machine code, derivatives, choices of methods.

A file holds its content behind its own hash and is named by a hash of what it was made from. It is readable and writable by the
user alone; what is damaged, or what somebody else could have written, is not used. Whatever goes wrong with the disk only means
that the work is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from hybridode.version import __version__

VARIABLE = "HYBRIDODE_CACHE"  # a folder to use instead, or "off"
ENDINGS = (".o", ".json")
_MAGIC = b"hybridode object 1\n"
PROGRAMS = "xla"
MOST_PROGRAMS = 1000  # of 10 to 100 kB
MOST_BYTES = 256 << 20  # the least recently used files go when there is more
SHRINK_EVERY = 16  # writes of machine code, about: looking at 25,000 files takes 0.1 s


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


def programs(name: str) -> Path | None:
    """A folder in which another's cache (JAX's) may keep its files: there and the user's alone; None where that cannot be had.
    The least recently written go when there are too many."""
    place = folder()
    if place is None:
        return None
    inner = place / PROGRAMS / name
    try:
        for made in (place, inner.parent, inner):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _trusted(made):
                return None
    except OSError:
        return None
    if not os.access(inner, os.W_OK):
        return None
    found = sorted((stat.st_mtime, path) for path in _programs() if (stat := _stat(path)) is not None)
    for _, path in found[: max(len(found) - MOST_PROGRAMS, 0)]:
        path.unlink(missing_ok=True)
    return inner


def _programs() -> Iterator[Path]:
    place = folder()
    if place is not None:
        yield from sorted(path for path in (place / PROGRAMS).glob("*/*") if path.is_file())


def digest(*parts: str) -> str:
    """The hash of texts, as a name."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def of_sources(*rooms: str) -> str:
    """What our own code in these rooms is, as a text: their files' sizes and times, and the version."""
    root = Path(__file__).parent
    found = []
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")) or [root / f"{room}.py"]:
            stat = _stat(path)
            found.append(f"{path.relative_to(root)} {stat and (stat.st_size, stat.st_mtime_ns)}")
    return "\n".join([__version__, *found])


def read(name: str) -> bytes | None:
    """The content kept under a name, or None where there is none that can be trusted."""
    place = folder()
    return None if place is None else _read(place / name)


def write(name: str, body: bytes) -> None:
    """Keeps a content. Failing to is no error."""
    place = folder()
    if place is not None:
        _write(place, name, body)


def read_json(name: str) -> Any:
    """What `write_json` kept, or None."""
    body = read(f"{name}.json")
    return None if body is None else json.loads(body)


def write_json(name: str, value: Any) -> None:
    """Keeps a small value of JSON."""
    write(f"{name}.json", json.dumps(value, separators=(",", ":")).encode())


def clear() -> int:
    """Deletes all files; returns how many there were."""
    count = 0
    ours, theirs = list(_files()), list(_programs())
    for path in [*ours, *theirs, *_left_over()]:
        try:
            path.unlink()
            count += path in ours or path in theirs
        except OSError:  # another process was quicker
            continue
    return count


def size() -> tuple[int, int]:
    """(number of files, bytes)."""
    sizes = [found.st_size for path in (*_files(), *_programs()) if (found := _stat(path)) is not None]
    return len(sizes), sum(sizes)


def _files() -> Iterator[Path]:
    place = folder()
    if place is not None and place.is_dir():
        yield from sorted(path for path in place.iterdir() if path.suffix in ENDINGS)


def _left_over() -> list[Path]:
    """What processes that were killed while they wrote have left: nobody writes for a day."""
    place = folder()
    found = [] if place is None or not place.is_dir() else list(place.glob("*.part"))
    return [path for path in found if (stat := _stat(path)) is not None and stat.st_mtime < time.time() - 86_400]


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
    """The content of a file, or None where there is none that can be trusted."""
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
        if name.endswith(".o") and int(digest(name)[:8], 16) % SHRINK_EVERY == 0:  # the others are small
            _shrink()
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _shrink() -> None:
    """Deletes what was left over, and the least recently used files while there are too many bytes."""
    for path in _left_over():
        path.unlink(missing_ok=True)
    place, found = folder(), []
    if place is None or not place.is_dir():
        return
    with os.scandir(place) as entries:  # four times as quick as one path after the other
        for entry in entries:
            if entry.name.endswith(ENDINGS):
                with suppress(OSError):  # another process was quicker
                    stat = entry.stat()
                    found.append((stat.st_mtime, stat.st_size, entry.path))
    total = sum(size_ for _, size_, _ in found)
    for _, size_, path in sorted(found) if total > MOST_BYTES else ():
        if total <= MOST_BYTES:
            return
        Path(path).unlink(missing_ok=True)
        total -= size_
