"""Several runs as one data set: their tables below each other, with a column that says which run a row is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hybridode.data.columns import SERIES_COLUMNS
from hybridode.data.kept_files import DATA
from hybridode.data.table import Header, Table

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

NAME = "together.csv"
_BY_LABEL = ("numbers", "equilibrate", "set")  # settings that one table of all runs could not keep


def not_joined(runs: Sequence[FitRun]) -> str:
    """Why these runs cannot become one data set, "" where they can."""
    used = [run.result["settings"]["used"] for run in runs]
    if any(len(run.dataset.origin) != 1 for run in runs):
        return "conditions of series were read from a file of their own"
    if any(run.dataset.declarations.inputs for run in runs):
        return "the model reads inputs"
    if any(u.get(name) for u in used for name in _BY_LABEL):
        return "numbers were set by option for single runs"
    if any(u.get(name) != used[0].get(name) for u in used for name in ("columns", "weights", "loss", "constraints", "fix")):
        return "they were not fitted by the same options"
    if len({run.dataset.origin[DATA].decimal for run in runs}) > 1 or len({run.dataset.clock is None for run in runs}) > 1:
        return "their tables are not written alike"
    if runs[0].dataset.clock is not None:
        return "their times are dates"
    return ""


def group_column(runs: Sequence[FitRun], taken: set[str]) -> str:
    """A name for the column: `run`, or one that neither the tables nor the model have."""
    names = taken | {h.name.lower() for run in runs for h in run.dataset.origin[DATA].headers}
    return next(name for name in ("run", "of_run", *(f"run_{k}" for k in range(2, 99))) if name.lower() not in names)


def joined_table(runs: Sequence[FitRun], labels: Sequence[str], column: str) -> Table:
    """All rows, with `column` in front, and the series named `run/series` where the tables name them."""
    tables = [run.dataset.origin[DATA] for run in runs]
    headers = list(dict.fromkeys((h.name, h.unit) for t in tables for h in t.headers))
    series = next((name for name, _ in headers if name.lower() in SERIES_COLUMNS), "")
    rows: list[tuple[str, ...]] = []
    for table, label in zip(tables, labels, strict=True):
        place = {(h.name, h.unit): j for j, h in enumerate(table.headers)}
        for row in table.rows:
            cells = [row[place[key]] if key in place else "" for key in headers]
            named = [f"{label}/{c}" if c and key[0] == series else c for c, key in zip(cells, headers, strict=True)]
            rows.append((label, *(named if series else [label, *cells])))
    extra = [] if series else [("experiment", "")]
    whole = tuple(Header(name, unit, j) for j, (name, unit) in enumerate([(column, ""), *extra, *headers]))
    lines = tuple(range(2, len(rows) + 2))
    return replace(tables[0], name=NAME, headers=whole, rows=tuple(rows), lines=lines, source=None, separator=",")
