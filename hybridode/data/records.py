"""Observed values as arrays: which row of the file, when, which column, what, and whether it is only a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np

from hybridode.data import cells, columns
from hybridode.data.columns import LongForm, Roles
from hybridode.data.evaluate import constant_value
from hybridode.data.table import Table
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic

_MOST = 20  # problems reported from one file


@dataclass(frozen=True, eq=False)
class Records:
    """Arrays of one length, one entry per observed value.

    row: place in the table's rows; line: line of the file; column: number of the observation; value; censored:
    -1 the true value lies below `value`, +1 above, 0 it is `value`, 2 it lies between `value` and `upper`; `upper` is
    `value` elsewhere. All limits are open: for counts, whose ends matter, a closed end is the next number outwards.
    """

    row: np.ndarray
    line: np.ndarray
    time: np.ndarray
    column: np.ndarray
    value: np.ndarray
    censored: np.ndarray
    upper: np.ndarray

    def kept(self, keep: np.ndarray) -> Records:
        return Records(*(getattr(self, f.name)[keep] for f in fields(self)))

    def of_rows(self, order: np.ndarray) -> Records:
        """The records of these rows, in this order (rows of one series, sorted by time)."""
        place = np.full(int(max(order.max(initial=-1), self.row.max(initial=-1))) + 1, -1)
        place[order] = np.arange(len(order))
        mine = np.flatnonzero(place[self.row] >= 0)
        return self.kept(mine[np.argsort(place[self.row[mine]], kind="stable")])


class _Problems:
    """Collects what is wrong with cells, so that one run reports many; raises when asked."""

    def __init__(self, table: Table) -> None:
        self.table, self.found, self.count = table, [], 0

    def add(self, code: str, row: int, j: int, message: str, remedy: str) -> None:
        self.count += 1
        if len(self.found) < _MOST:
            line = self.table.lines[row]
            place = self.table.place(line, self.table.headers[j].position)
            self.found.append(Diagnostic(code, f"{self.table.where(line, self.table.names[j])}: {message}", place, remedy))

    def raise_if_any(self) -> None:
        if self.count > len(self.found):
            self.found.append(
                Diagnostic("E0626", f"{self.table.name}: {self.count - len(self.found)} more cells have such problems")
            )
        if self.found:
            raise DataError(self.found)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _read(table: Table, problems: _Problems, row: int, j: int, limits: bool = False) -> cells.Cell:
    """One cell; problems are noted and give an empty cell."""
    text = table.rows[row][j]
    cell = cells.read_cell(text, table.decimal)
    if cell.problem:
        code = "E0627" if cell.problem == "is a date" else "E0626"
        problems.add(code, row, j, f"`{_short(text)}` {cell.problem}", cell.remedy)
        return cells.EMPTY
    if cell.censored and not limits:
        problems.add(
            "E0626", row, j, f"`{_short(text)}` is a limit, but a number is needed here", "only observed columns may hold `<0.5`"
        )
        return cells.EMPTY
    return cell


def numeric_column(table: Table, j: int, rows: np.ndarray | None = None) -> np.ndarray:
    """Numbers of a column at some rows, NaN where empty; limits and texts are refused."""
    problems = _Problems(table)
    which = range(len(table.rows)) if rows is None else rows.tolist()
    out = np.array([_read(table, problems, i, j).value for i in which])
    problems.raise_if_any()
    return out


def time_of_rows(table: Table, roles: Roles) -> np.ndarray:
    """The time of every row; an empty one is an error."""
    problems = _Problems(table)
    out = np.empty(len(table.rows))
    for i in range(len(table.rows)):
        before = problems.count
        out[i] = _read(table, problems, i, roles.time).value
        if np.isnan(out[i]) and problems.count == before:
            problems.add("E0628", i, roles.time, "the time is missing", "give each row its time, or remove the row")
    problems.raise_if_any()
    return out


def spread_of_columns(table: Table, long: LongForm | None, labels: Mapping[str, str]) -> dict[str, float]:
    """Standard deviation of what can be read as numbers in each column (or under each label of a long table)."""
    groups: dict[str, list[float]] = {}
    for row in table.rows:
        pairs = (
            [(labels.get(row[long.observable], row[long.observable]), row[long.value])]
            if long
            else zip(table.names, row, strict=True)
        )
        for name, text in pairs:
            cell = cells.read_cell(text, table.decimal)
            if not cell.problem and not np.isnan(cell.value):
                groups.setdefault(name, []).append(cell.value)
    return {name: float(np.std(values)) for name, values in groups.items()}


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
    return _records(table, declarations, places, times), tuple(unknown)


def _records(table: Table, declarations: Declarations, places: list[tuple[int, int, int]], times: np.ndarray) -> Records:
    problems = _Problems(table)
    limits = [_limits(declarations, k) for k in range(len(declarations.observations))]
    rows, column, value, censored = [], [], [], []
    for i, j, k in places:
        cell = _limited(_read(table, problems, i, j, limits=True), *limits[k])
        if np.isnan(cell.value):
            continue
        distribution = declarations.observations[k].distribution
        possible, remedy = SUPPORTS.get(distribution, _ANY)
        if cell.censored == cells.NONE and not possible(cell.value):
            problems.add("E0633", i, j, f"`{_short(table.rows[i][j])}` cannot be observed under `{distribution}`", remedy)
            continue
        rows.append(i)
        column.append(k)
        value.append(cell.value)
        censored.append(cell.censored)
    problems.raise_if_any()
    at = np.array(rows, int)
    values = np.array(value, float)
    return Records(
        at, np.array(table.lines, int)[at], times[at], np.array(column, int), values, np.array(censored, int), values.copy()
    )


SUPPORTS: dict[str, tuple[Callable[[float], bool], str]] = {  # what may be observed, and what to do about the rest
    "lognormal": (lambda v: v > 0, "lognormal values are positive: censor small ones (`<0.5`), or use `normal`"),
    "poisson": (lambda v: v >= 0 and v == int(v), "counts are 0, 1, 2, …: use `normal` for rates"),
    "negbinomial": (lambda v: v >= 0 and v == int(v), "counts are 0, 1, 2, …: use `normal` for rates"),
    "bernoulli": (lambda v: v in (0.0, 1.0), "write 0 for no and 1 for yes"),
}
_ANY: tuple[Callable[[float], bool], str] = (lambda _: True, "")


def _limits(declarations: Declarations, k: int) -> tuple[float | None, float | None]:
    """`censored below`/`above` of an observation as numbers (they read constants only)."""
    known = columns.symbols_of_constants(declarations)
    observation = declarations.observations[k]
    out = []
    for e in (observation.censored_below, observation.censored_above):
        value = None if e is None else constant_value(e, known)
        if e is not None and value is None:
            raise DataError(
                Diagnostic(
                    "E0637",
                    f"the censoring limit of `{observation.column}` is no number",
                    observation.span,
                    "write a number or a const; other limits stand in the cells: `<0.5`",
                )
            )
        out.append(value)
    return out[0], out[1]


def _limited(cell: cells.Cell, below: float | None, above: float | None) -> cells.Cell:
    """A number at or beyond a declared limit is censored at the limit; a cell `<v` keeps its own (rules F5).

    The limit itself belongs to the censored side, hence the next number: it matters for counts only.
    """
    if cell.censored == cells.NONE and below is not None and cell.value <= below:
        return cells.Cell(float(np.nextafter(below, np.inf)), cells.BELOW)
    if cell.censored == cells.NONE and above is not None and cell.value >= above:
        return cells.Cell(float(np.nextafter(above, -np.inf)), cells.ABOVE)
    return cell
