"""The run directory: every file a fit writes (docs/run-directory.md says what is in them).

A directory is made for one run and never reused. Each file is written under a temporary name and renamed, so that a
reader never meets half a file; `result.json` comes last: where it stands, the run is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridode.data.fit_file import fit_file_text
from hybridode.data.kept_files import MODEL, SOURCE
from hybridode.data.kept_files import table_text as kept_text
from hybridode.declarations import entry_names
from hybridode.errors import DataError, Diagnostic, NumericsError, UsageError
from hybridode.files import write_whole
from hybridode.report.fitted_model import WEIGHTS_FILE, fitted_text, source_text
from hybridode.report.rebuild import report_files

if TYPE_CHECKING:
    import pandas as pd

    from hybridode.fit.run import FitRun

SCHEMA = 1  # of result.json
RESULT, FITTED, LOG, SETTINGS = "result.json", "fitted.ode", "log.txt", "settings.toml"


@dataclass(frozen=True)
class SavedRun:
    """A run as read back: its directory and the content of `result.json`."""

    directory: Path
    result: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The fitted model, a file that every command accepts."""
        return self.directory / FITTED


def new_directory(model: Path, out: Path | None = None) -> Path:
    """Makes the directory of a new run: `out`, or the next free `MODEL.runs/NNN` beside the model.

    Raises UsageError E0806 when `out` has files in it, E0809 when it cannot be made.
    """
    try:
        return _make_given(out) if out is not None else _make_next(model.with_suffix(".runs"))
    except OSError as error:
        place = out if out is not None else model.with_suffix(".runs")
        message = f"the run directory `{place}` cannot be made: {error.strerror}"
        raise UsageError(Diagnostic("E0809", message, hint="choose another place with `--out DIR`")) from error


def _make_given(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        hint = "a run never overwrites anything: choose a new name, or leave `--out` away"
        raise UsageError(Diagnostic("E0806", f"the directory `{out}` is not empty", hint=hint))
    return out


def _make_next(parent: Path) -> Path:
    parent.mkdir(exist_ok=True)
    taken = [int(path.name) for path in parent.iterdir() if path.name.isdecimal()]
    number = max(taken, default=0)
    while True:  # another process may take a number between our look and our mkdir, which is atomic
        number += 1
        directory = parent / f"{number:03d}"
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return directory


def remove_if_empty(directory: Path) -> None:
    """Takes an empty directory away, and the `.runs` above it if that is empty too: nothing came out of the run."""
    if not any(directory.iterdir()):
        directory.rmdir()
        parent = directory.parent
        if parent.suffix == ".runs" and not any(parent.iterdir()):
            parent.rmdir()


def write_run(run: FitRun, directory: Path, command: str | None = None) -> Path:
    """Writes all files of a run into an existing directory and returns it. `command` is the line that reproduces it.

    Raises NumericsError E0774 when some cannot be written: all that can be are, but for `result.json`, which says that the
    directory is complete.
    """
    contents: dict[str, Callable[[], str | bytes]] = {  # what matters most first: disks fill up
        **({WEIGHTS_FILE: lambda: weights_bytes(run.weights)} if run.weights else {}),
        FITTED: lambda: model_text(run),
        "parameters.csv": lambda: table_text(run.parameters_table),
        SETTINGS: lambda: fit_file_text(run.result["settings"]["used"], "what this fit was told; use it with --settings"),
        LOG: lambda: "".join(f"{line}\n" for line in ([f"$ {command}"] if command else []) + list(run.log)),
        "predictions.csv": lambda: table_text(run.predictions),
        "residuals.csv": lambda: table_text(run.residuals),
        "trace.csv": lambda: table_text(run.trace),
        **_rivals_file(run),
        **_members_file(run),
        **{name: lambda table=table: kept_text(table) for name, table in run.dataset.files.items()},
        f"{SOURCE}/{MODEL}": lambda: source_text(run.declarations),
        **{f"{SOURCE}/{name}": lambda table=table: kept_text(table) for name, table in run.dataset.origin.items()},
    }
    (directory / RESULT).unlink(missing_ok=True)  # of a run that was interrupted before, and went on
    failed = [error for name, content in contents.items() if (error := _try_to_write(directory / name, content())) is not None]
    count = len(contents) + 1
    if not failed:
        text = json.dumps(run.result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        last = {**report_files(directory, json.loads(text)), RESULT: text}
        failed = [error for name, content in last.items() if (error := _try_to_write(directory / name, content)) is not None]
        count += len(last) - 1
        if failed:
            (directory / RESULT).unlink(missing_ok=True)
    if failed:
        raise _incomplete(directory, failed, count)
    return directory


def _try_to_write(path: Path, content: str | bytes) -> OSError | None:
    """Writes a file; what the system said where that is not possible."""
    try:
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        error.filename = str(path)
        return error
    return None


def _incomplete(directory: Path, failed: Sequence[OSError], count: int) -> NumericsError:
    names = [str(Path(str(error.filename)).relative_to(directory)) for error in failed]
    listed = ", ".join(f"`{name}`" for name in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    message = f"{len(names)} of the {count} files of the run in `{directory}` cannot be written ({failed[0].strerror}): {listed}"
    hint = f"make room, then `hybridode fit --resume {directory}` writes them; nothing is fitted again"
    return NumericsError(Diagnostic("E0774", message, hint=hint))


def model_text(run: FitRun) -> str:
    """`fitted.ode`: the user's file with the fitted numbers."""
    constants = {
        name: {k: v for k, v in tensors.items() if k in ("shift", "scale", "out_scale")} for name, tensors in run.weights.items()
    }
    starts = {series.start for series in run.dataset.series}
    declarations, given = run.dataset.declarations, run.dataset.given
    # What a column of the data sets has a value for each series: the text keeps the declared one.
    own = [p for p in declarations.parameters if given.isdisjoint(entry_names(p.name, p.shape))]
    values = {**run.constants, **{p.name: run.shared[p.name] for p in own}}
    groups = {p.name: run.parameters[p.name] for p in own if p.by}
    clock = run.dataset.clock
    date, unit = ("", "") if clock is None or clock.clock_only else (clock.text, clock.unit)
    start = starts.pop() if len(starts) == 1 else None
    return fitted_text(declarations, values, constants, start, groups=groups, date=date, time_unit=unit)


def weights_bytes(weights: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Networks as safetensors: `U.W0` (out, in), `U.b0` (out,), …, with `U.shift`, `U.scale`, `U.out_scale`."""
    import numpy as np
    from safetensors.numpy import save

    tensors = {f"{net}.{name}": np.array(value, order="C") for net, parts in weights.items() for name, value in parts.items()}
    return save(tensors, metadata={"format": "hybridode weights 1"})


def _rivals_file(run: FitRun) -> dict[str, Callable[[], str]]:
    """The table of other points nearly as good, of a fit that has some."""
    from hybridode.fit.outcome.rivals import FILE, rivals_table

    if run.finished is None or not run.finished.rivals:
        return {}
    space, rivals = run.finished.prepared.objective.space, run.finished.rivals
    return {FILE: lambda: table_text(rivals_table(space, rivals))}


def _members_file(run: FitRun) -> dict[str, Callable[[], bytes]]:
    """The other members of an ensemble, of a fit that has some."""
    from hybridode.fit.outcome.members import FILE, members_bytes

    members = () if run.finished is None else run.finished.members
    return {FILE: lambda: members_bytes(members)} if members else {}


def table_text(table: pd.DataFrame) -> str:
    """A table as CSV; numbers read back exactly, what is missing is empty."""
    return table.to_csv(index=False, lineterminator="\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary name beside `path`, then renames. Raises UsageError E0809 when that is not possible."""
    try:
        write_whole(path, content)
    except OSError as error:
        hint = "is the disk full, or the folder read-only?"
        raise UsageError(Diagnostic("E0809", f"`{path}` cannot be written: {error.strerror}", hint=hint)) from error


def read_run(directory: str | Path) -> SavedRun:
    """Reads a run back. Raises DataError E0807 when the directory is no complete run, or was written by a newer version."""
    directory = Path(directory)
    path = directory / RESULT
    if directory.is_file() and directory.name in (RESULT, FITTED):
        return read_run(directory.parent)
    if not path.is_file():
        reason = (
            "does not exist"
            if not directory.exists()
            else "is a file"
            if directory.is_file()
            else f"has no `{RESULT}`, so it is no finished run"
        )
        raise DataError(Diagnostic("E0807", f"`{directory}` {reason}", hint="give a directory that `hybridode fit` wrote"))
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        schema = result["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(Diagnostic("E0807", f"`{path}` cannot be read as a result", hint="was it edited?")) from error
    if schema > SCHEMA:
        message = f"`{path}` has schema {schema}; this version of hybridode reads up to {SCHEMA}"
        raise DataError(Diagnostic("E0807", message, hint="install a newer hybridode"))
    return SavedRun(directory, result)
