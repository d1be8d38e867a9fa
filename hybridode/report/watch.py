"""What a run directory says about its fit at this moment, running or ended: the data behind `hybridode watch`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridode.errors import DataError, Diagnostic
from hybridode.fit.checkpoint import in_work, read_state
from hybridode.fit.keeper import LIVE, TRACE
from hybridode.fit.live import panels
from hybridode.report.run_directory import RESULT

MOST_TRACE = 1 << 19  # bytes of the trace that are sent at once


@dataclass(frozen=True)
class Moment:
    """`state` is what the page shows, as JSON; `over`: nothing will change any more."""

    state: dict[str, Any]
    over: bool


def check_directory(directory: Path) -> None:
    """Raises DataError E0807 when the directory is that of no run, finished or not."""
    if (directory / RESULT).is_file() or (directory / LIVE).is_file():
        return
    if directory.is_dir() and (directory / "checkpoint").is_dir():
        read_state(directory)
        return
    reason = "has no run in it" if directory.is_dir() else "is a file" if directory.exists() else "does not exist"
    raise DataError(Diagnostic("E0807", f"`{directory}` {reason}", hint="give a directory that `hybridode fit` writes"))


def moment(directory: Path) -> Moment:
    """The state of a run without its trace. A file that is just being replaced is read at the next moment."""
    if in_work(directory):
        live = _json(directory / LIVE)
        status = "preparing" if not live.get("rows") else "running"
        return Moment({**live, "status": status}, over=False)
    result = _json(directory / RESULT)
    if result:
        return Moment(_finished(directory, result), over=True)
    words = f"it ended without a result; `hybridode fit --resume {directory}` goes on with it"
    return Moment({**_json(directory / LIVE), "status": "cut off", "reason": words, "time_left": ""}, over=True)


def _finished(directory: Path, result: Mapping[str, Any]) -> dict[str, Any]:
    starts = result["starts"]
    rows = [
        {"start": s["start"], "stage": s["status"], "iteration": s["iterations"], "objective": s["objective"], "ended": True,
         "gradient_norm": None} for s in sorted(starts, key=lambda s: (s["objective"] is None, s["objective"], s["start"]))[:60]
    ]  # fmt: skip
    records = (
        (r["series"], r["column"], float(r["time"]), float(r["observed"]), r["used"] != "fit")
        for r in _rows(directory / "residuals.csv")
        if r["observed"]
    )
    curves = (
        (r["series"], r["column"], float(r["time"]), *(float(r[name] or "nan") for name in ("location", "lower95", "upper95")))
        for r in _rows(directory / "predictions.csv")
        if r["kind"] == "curve"
    )
    return {
        "status": result["status"], "reason": result.get("status_reason") or "", "elapsed": result["timing"]["total"],
        "time_left": "", "starts": len(starts), "ended": len(starts), "rows": rows,
        "best": {
            "objective": result["objective"]["value"],
            "parameters": {name: entry["value"] for name, entry in result["parameters"].items()},
            "panels": panels(curves, records),
        },
    }  # fmt: skip


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there (yet), or a disk in trouble: the next moment will tell
        return {}
    return found if isinstance(found, dict) else {}


def trace_after(directory: Path, offset: int) -> dict[str, Any]:
    """Rows [start, objective, seconds, stage] of the trace behind `offset` bytes, and where to go on. `again`: the file is
    another one than before, whatever was read of it is void."""
    path = directory / TRACE
    size = path.stat().st_size if path.is_file() else 0
    again = offset > size
    at = 0 if again else offset
    if not size:
        return {"rows": [], "offset": 0, "again": again, "more": False}
    with open(path, "rb") as file:
        file.seek(at)
        text = file.read(MOST_TRACE)
    whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
    rows = []
    for line in whole.decode("utf-8", "replace").splitlines():
        start, _, rest = line.partition(",")
        stage, _, numbers = rest.rpartition(",") if start != "start" else ("", "", "")
        cells = stage.rsplit(",", 3)
        if len(cells) == 4 and start.isdecimal():
            rows.append([int(start), _number(cells[2]), _number(numbers), cells[0].strip('"')])
    return {"rows": rows, "offset": at + len(whole), "again": again, "more": at + len(text) < os.path.getsize(path)}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
