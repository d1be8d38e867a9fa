"""Observed values as arrays: which row of the file, when, which column, what, and whether it is only a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np

from hybridode.data import cells
from hybridode.data.censoring import as_open_limits, declared_limits, impossible, limited
from hybridode.data.classes import DISTRIBUTION, labels_of_classes, read_class
from hybridode.data.clock import Clock, times_of_dates
from hybridode.data.columns import LongForm, Roles, holds_dates
from hybridode.data.limit_columns import cell_with_limits
from hybridode.data.problems import Problems, short
from hybridode.data.table import Table
from hybridode.data.units import scale_to
from hybridode.declarations import Declarations


@dataclass(frozen=True, eq=False)
class Records:
    """Arrays of one length, one entry per observed value.

    row: place in the table's rows; line: line of the file; column: number of the observation; value; censored:
    -1 the true value lies below `value`, +1 above, 0 it is `value`, 2 it lies between `value` and `upper`; `upper` is
    `value` elsewhere. All limits are open: for counts, whose ends matter, a closed end is the next number outwards. weight: how
    much it counts, 1 unless said otherwise. The value of a class is its number, 1, 2, …; `labels` are the classes' names, by
    observed column, where the data have names.
    """

    row: np.ndarray
    line: np.ndarray
    time: np.ndarray
    column: np.ndarray
    value: np.ndarray
    censored: np.ndarray
    upper: np.ndarray
    weight: np.ndarray
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def kept(self, keep: np.ndarray) -> Records:
        return replace(self, **{f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "labels"})

    def of_rows(self, order: np.ndarray) -> Records:
        """The records of these rows, in this order (rows of one series, sorted by time)."""
        place = np.full(int(max(order.max(initial=-1), self.row.max(initial=-1))) + 1, -1)
        place[order] = np.arange(len(order))
        mine = np.flatnonzero(place[self.row] >= 0)
        return self.kept(mine[np.argsort(place[self.row[mine]], kind="stable")])


def _read(table: Table, problems: Problems, row: int, j: int, name: str, limits: bool = False) -> cells.Cell:
    """One cell in the unit of `name`, which reads it; problems are noted and give an empty cell."""
    text = table.rows[row][j]
    cell = cells.read_cell(text, table.decimal)
    if cell.problem:
        code = "E0627" if cell.problem == "is a date" else "E0626"
        problems.cell(code, row, j, f"`{short(text)}` {cell.problem}", cell.remedy)
        return cells.EMPTY
    if cell.censored and not limits:
        problems.cell(
            "E0626", row, j, f"`{short(text)}` is a limit, but a number is needed here", "only observed columns may hold `<0.5`"
        )
        return cells.EMPTY
    change = table.row_conversions.get(row) if limits else None
    change = change or table.conversions.get((j, name))
    if change is None or np.isnan(cell.value):
        return cell
    return cell._replace(value=change(cell.value), upper=cell.upper if np.isnan(cell.upper) else change(cell.upper))


def numeric_column(table: Table, j: int, name: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Numbers of a column at some rows as `name` reads them, NaN where empty; limits and texts are refused."""
    problems = Problems(table)
    which = range(len(table.rows)) if rows is None else rows.tolist()
    out = np.array([_read(table, problems, i, j, name).value for i in which])
    problems.raise_if_any()
    return out


STEADY = frozenset({"inf", "infinity", "∞", "steady"})  # what a time says at which a series is in its steady state


def time_of_rows(
    table: Table, declarations: Declarations, roles: Roles, clock: Clock | None = None
) -> tuple[np.ndarray, Clock | None]:
    """The time of every row in the model's unit, and the clock that made it of dates (None for numbers).

    An empty time is an error; infinity (`inf`) is the steady state.
    `clock` is that of another file whose times these are to be compared with.
    """
    if holds_dates(table, roles.time):
        return times_of_dates(table, declarations, roles, clock)
    problems = Problems(table)
    out = np.empty(len(table.rows))
    for i in range(len(table.rows)):
        before = problems.count
        if table.rows[i][roles.time].lower().lstrip("+") in STEADY:
            out[i] = np.inf
            continue
        out[i] = _read(table, problems, i, roles.time, declarations.time).value
        if np.isnan(out[i]) and problems.count == before:
            problems.cell("E0628", i, roles.time, "the time is missing", "give each row its time, or remove the row")
    problems.raise_if_any()
    return out, None


def spread_of_columns(
    table: Table, declarations: Declarations, long: LongForm | None, labels: Mapping[str, str]
) -> dict[str, float]:
    """Standard deviation of what can be read as numbers in each column (or under each label of a long table), in the unit of the
    state of that name."""
    groups: dict[tuple[str, str], list[float]] = {}  # by name and unit
    for row in table.rows:
        pairs = (
            [((labels.get(row[long.observable], row[long.observable]), _unit_of_row(table, long, row)), row[long.value])]
            if long
            else zip(((h.name, h.unit) for h in table.headers), row, strict=True)
        )
        for key, text in pairs:
            cell = cells.read_cell(text, table.decimal)
            if not cell.problem and not np.isnan(cell.value):
                groups.setdefault(key, []).append(cell.value)
    return {
        name: float(np.std(values)) * scale_to(unit, declarations.unit_of(name.split("[")[0]))
        for (name, unit), values in groups.items()
    }


def _unit_of_row(table: Table, long: LongForm, row: tuple[str, ...]) -> str:
    return (row[long.unit] if long.unit is not None else "") or table.headers[long.value].unit


def wide_records(table: Table, declarations: Declarations, roles: Roles, times: np.ndarray) -> Records:
    """One record per non-empty cell of the observed columns, row by row."""
    places = [(i, j, k) for i in range(len(table.rows)) for j, k in roles.observed]
    return _records(table, declarations, places, times)


def long_records(
    table: Table, declarations: Declarations, roles: Roles, times: np.ndarray, labels: Mapping[str, str]
) -> tuple[Records, tuple[str, ...]]:
    """One record per row of a long table, and the labels that the model does not observe."""
    assert roles.long is not None, "only for long tables"
    numbers = {o.column: k for k, o in enumerate(declarations.observations)}
    places, unknown = [], {}
    for i, row in enumerate(table.rows):
        label = row[roles.long.observable]
        label = labels.get(label, label)
        if label in numbers:
            places.append((i, roles.long.value, numbers[label]))
        elif label:
            unknown[label] = None
    return _records(table, declarations, places, times, roles.long), tuple(unknown)


def _records(
    table: Table,
    declarations: Declarations,
    places: list[tuple[int, int, int]],
    times: np.ndarray,
    long: LongForm | None = None,
) -> Records:
    """The records of the cells at (row, column, observation)."""
    problems = Problems(table)
    limits = [declared_limits(declarations, k) for k in range(len(declarations.observations))]
    labels = labels_of_classes(table, declarations, places)
    rows, column, found = [], [], []
    for i, j, k in places:
        if declarations.observations[k].distribution == DISTRIBUTION:
            of_class = read_class(table, problems, i, j, declarations.observations[k], labels)
            if not np.isnan(of_class.value):
                rows.append(i)
                column.append(k)
                found.append(of_class)
            continue
        read = partial(_read, table, problems, i, name=declarations.observations[k].column, limits=True)
        cell = limited(read(j) if long is None else cell_with_limits(table, problems, i, long, read), *limits[k])
        if np.isnan(cell.value):
            continue
        distribution = declarations.observations[k].distribution
        remedy = impossible(cell, distribution)
        if remedy and cell.value < 0 and cell.value in cells.MARKS:
            remedy = "if it marks a missing value, leave the cell empty; " + remedy
        if remedy:
            problems.cell("E0633", i, j, f"`{short(table.rows[i][j])}` cannot be observed under `{distribution}`", remedy)
            continue
        rows.append(i)
        column.append(k)
        found.append(as_open_limits(cell, distribution))
    problems.raise_if_any()
    at = np.array(rows, int)
    value, censored = np.array([c.value for c in found], float), np.array([c.censored for c in found], int)
    upper = np.where(censored == cells.BETWEEN, np.array([c.upper for c in found], float), value)
    return Records(at, np.array(table.lines, int)[at], times[at], np.array(column, int), value, censored, upper, np.ones(len(at)),
                   labels)  # fmt: skip
