"""What was found out about a run after its fit: one file `findings/KIND.json` each (docs/run-directory.md has the fields).

Every finding has `schema`, `kind`, the `command` that made it, the `seconds` it took and `sentences`: what to believe, in the
user's words. The rest is its kind's own. Large arrays stand beside it as `findings/KIND.csv` or `.nc`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hybridode.errors import DataError, Diagnostic, UsageError
from hybridode.files import write_whole

FOLDER, SCHEMA = "findings", 1
KINDS = (  # in the order of the report
    "residual_tests", "hold_outs", "learnt", "profiles", "identifiability", "spectrum", "bands", "ensemble", "bootstrap",
    "posterior", "baselines", "comparison", "discovery",
)  # fmt: skip


def write_finding(directory: Path, kind: str, content: Mapping[str, Any]) -> Path:
    """Writes `content` as the finding `kind` of the run in `directory`, in place of an older one, and returns its path.

    NaN and infinities become null, NumPy numbers and arrays plain lists. Raises UsageError E0809 when it cannot be written.
    """
    assert kind in KINDS, f"`{kind}` is no kind of finding: add it to KINDS and to docs/run-directory.md"
    missing = {"command", "seconds", "sentences"} - content.keys()
    assert not missing, f"a finding has {', '.join(sorted(missing))}"
    path = Path(directory) / FOLDER / f"{kind}.json"
    text = json.dumps(_plain({"schema": SCHEMA, "kind": kind, **content}), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, f"{text}\n".encode())
    except OSError as error:
        hint = "is the disk full, or the folder read-only?"
        raise UsageError(Diagnostic("E0809", f"`{path}` cannot be written: {error.strerror}", hint=hint)) from error
    return path


def read_findings(directory: Path) -> dict[str, dict[str, Any]]:
    """All findings of a run by kind, in the order of `KINDS`; those of a newer schema or of an unknown kind are left out.

    Raises DataError E0890 when a file is damaged.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        path = Path(directory) / FOLDER / f"{kind}.json"
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            newer = content["schema"] > SCHEMA
        except (ValueError, KeyError, TypeError) as error:
            hint = "was it edited? Delete it, or make it anew with the command that wrote it"
            raise DataError(Diagnostic("E0890", f"`{path}` cannot be read as a finding", hint=hint)) from error
        if not newer:
            found[kind] = content
    return found


def _plain(value: Any) -> Any:
    """As JSON can hold it. What is nested is never deep, so this may recurse."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # NumPy and JAX, without importing either
        return _plain(value.tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(item) for item in value]
    raise TypeError(f"a finding holds no {type(value).__name__}")
