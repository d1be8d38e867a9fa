"""Files that are there whole or not at all: written under a temporary name beside their place, then renamed."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, lasting: bool = False) -> None:
    """Writes a file so that no reader ever meets half of it. `lasting`: it also survives a power cut from now on.

    Raises OSError when that is not possible; what stood at `path` before is then untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
