"""What was found out about a fit, and how it is kept in its directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridode.errors import Diagnostic, UsageError
from hybridode.files import write_whole


@dataclass(frozen=True)
class Found:
    """What one of them found: the content of the finding, what stands beside it by ending, and lines for the user to see now."""

    content: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)
    tell: Sequence[str] = ()
    others: Mapping[str, Found] = field(default_factory=dict)  # kinds that were found by the way
    interrupted: bool = False  # Ctrl-C was pressed: nothing else is to be begun


def write_beside(path: Path, data: bytes) -> None:
    """Writes what stands beside findings. Raises UsageError E0809 when it cannot be written."""
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        hint = "is the disk full, or the folder read-only?"
        raise UsageError(Diagnostic("E0809", f"`{path}` cannot be written: {error.strerror}", hint=hint)) from error


def keep(directory: Path, kind: str, found: Found, command: str | None, seconds: float, report: bool = True) -> dict[str, Any]:
    """Writes what was found, and what was found by the way; the sentences by kind. `report`: make the report anew as well."""
    from hybridode.report.findings import FOLDER, write_finding

    told: dict[str, Any] = {}
    for name, one in {kind: found, **found.others}.items():
        write_finding(directory, name, {"command": command, "seconds": seconds, **one.content})
        for ending, data in one.files.items():
            write_beside(directory / FOLDER / f"{name}.{ending}", data)
        told[name] = list(one.content.get("sentences", ()))
    if report:
        from hybridode.report.rebuild import rebuild_report

        rebuild_report(directory)
    return told
