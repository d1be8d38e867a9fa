"""A run directory as the report reads it: everything that a page shows is in here, and comes from files."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hybridode.declarations import Declarations, entry_names
from hybridode.errors import DataError, Diagnostic, Source
from hybridode.language.check import declare
from hybridode.report.axes import RAISED
from hybridode.report.findings import FOLDER, read_findings

Rows = dict[str, np.ndarray]  # a table: column name -> array
_TEXT = frozenset({"series", "column", "kind", "used", "stage", "name", "unit", "reason"})
_EXPONENT = re.compile(r"(?:\^|\*\*)\(?(-?\d+)\)?(?![\d./])")
_TRUTH = {"at_bound", "fixed"}


@dataclass(frozen=True, eq=False)
class Saved:
    """`result` is result.json; tables are columns as arrays, numbers with NaN for what is missing."""

    directory: Path
    result: Mapping[str, Any]
    declarations: Declarations
    parameters: Rows
    predictions: Rows
    residuals: Rows
    trace: Rows
    log: tuple[str, ...]
    command: str
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def time_label(self) -> str:
        """Name and unit of the time."""
        return with_unit(self.declarations.time, self.declarations.time_unit)

    @cached_property
    def units(self) -> Mapping[str, str]:
        """Units of observed columns and of states, by name of the entry."""
        states = {n: s.unit for s in self.declarations.states for n in entry_names(s.name, s.shape)}
        return {**states, **self.result.get("data", {}).get("units", {})}

    @cached_property
    def classes(self) -> Mapping[str, list[str]]:
        """Of each observed column of classes the names of its classes."""
        columns = {c: class_columns_of(self.predictions, c) for c in names_in(self.residuals, "column")}
        return {c: [name[len(c) + 1 : -1] for name in of] for c, of in columns.items() if of}

    @cached_property
    def numbers(self) -> Rows:
        """The residuals of columns that are no classes, for which a residual means something."""
        return where(self.residuals, ~np.isin(self.residuals["column"], list(self.classes)))

    @cached_property
    def bands(self) -> Rows | None:
        """The uncertainty of the curves, where it was found out."""
        path = self.directory / FOLDER / "bands.csv"
        return read_table(path) if "bands" in self.findings and path.is_file() else None

    @property
    def warnings(self) -> list[str]:
        """What the fit warned about."""
        return [line for line in self.log if line.startswith("warning ")]

    def parameter_rows(self) -> list[dict[str, Any]]:
        """The rows of parameters.csv; None for what is missing."""
        names = list(self.parameters)
        return [
            {n: _none(v) for n, v in zip(names, row, strict=True)}
            for row in zip(*(self.parameters[n].tolist() for n in names), strict=True)
        ]


def read_saved(directory: Path, result: Mapping[str, Any]) -> Saved:
    """The tables, the model, the log and the findings of the run in `directory`, whose result.json says `result`."""
    text = (directory / "fitted.ode").read_text(encoding="utf-8")
    lines = (directory / "log.txt").read_text(encoding="utf-8").splitlines()
    command = lines[0][2:] if lines and lines[0].startswith("$ ") else ""
    tables = {name: read_table(directory / f"{name}.csv") for name in ("parameters", "predictions", "residuals", "trace")}
    return Saved(
        directory,
        result,
        declare(Source(str(directory / "fitted.ode"), text)),
        **tables,
        log=tuple(lines[1:] if command else lines),
        command=command,
        findings=read_findings(directory),
    )


def read_table(path: Path, words: frozenset[str] = _TEXT) -> Rows:
    """A CSV of a run directory as arrays by column: words, truths, or numbers with NaN for what is empty.

    Raises DataError E0891 when it is missing or no such table.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            columns = list(zip(*reader, strict=True)) or [()] * len(names)
        return {name: _array(name, column, words) for name, column in zip(names, columns, strict=True)}
    except (OSError, ValueError, csv.Error) as error:
        hint = "was it edited or taken out? The fit wrote it; fit again"
        raise DataError(Diagnostic("E0891", f"`{path}` cannot be read as a table of a run: {error}", hint=hint)) from error


def read_numbers(path: Path) -> Rows:
    """A CSV all of whose columns are numbers. Raises DataError E0891."""
    return {name: column.astype(float) for name, column in read_table(path, frozenset()).items()}


def _array(name: str, cells: tuple[str, ...], words: frozenset[str]) -> np.ndarray:
    if name in words:
        return np.array(cells, dtype=object)
    if name in _TRUTH and words:
        return np.array([cell == "True" for cell in cells], bool)
    return np.array([float(cell) if cell else np.nan for cell in cells])


def where(rows: Rows, keep: Any) -> Rows:
    """Those rows of a table."""
    return {name: values[keep] for name, values in rows.items()}


def names_in(rows: Rows, column: str) -> list[str]:
    """The distinct values of a column in order of first occurrence."""
    return list(dict.fromkeys(rows[column].tolist()))


def class_columns_of(predictions: Rows, column: str) -> list[str]:
    """`sleep[REM]`, … where `sleep` is predicted by class, in their order; nothing where it is predicted itself."""
    names = names_in(predictions, "column")
    return [] if column in names else [n for n in names if n.startswith(f"{column}[") and n.endswith("]")]


def with_unit(name: str, unit: str) -> str:
    """`name [unit]`."""
    return f"{name} [{unit_text(unit)}]" if unit else name


def unit_text(unit: str) -> str:
    """`mol*m^-3` as it is read: mol·m⁻³."""
    return _EXPONENT.sub(lambda m: m[1].translate(RAISED), unit).replace("*", "·")


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
