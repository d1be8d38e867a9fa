"""The time column as numbers in the model's unit, whether it holds numbers, dates or clock times."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hybridode.data import dates
from hybridode.data.columns import Roles, symbols_of_constants
from hybridode.data.dates import DateProblem, Written
from hybridode.data.evaluate import constant_value
from hybridode.data.problems import Problems, short
from hybridode.data.table import Table
from hybridode.data.units import UnitProblem, seconds_of
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic

_FALL = 6 * 3600  # seconds by which clock times may go back without another day
_YEARS = ("yr", "a", "year", "years")


@dataclass(frozen=True)
class Clock:
    """How instants become numbers: `origin` (seconds, see `dates`) is the time `zero` of the model, in units of `seconds`.

    `unit` is the model's unit of time, or ours when it declares none (`assumed`). `order` is "dmy" or "mdy" for dates such as
    13/02/2020, seen from the cell `shown_by`.
    """

    origin: Fraction
    zero: Fraction
    seconds: Fraction
    unit: str
    family: str
    zoned: bool = False
    assumed: bool = False
    order: str = ""
    shown_by: str = ""

    def __call__(self, instant: Fraction) -> float:
        """The nearest float to the exact number."""
        return float((instant - self.origin) / self.seconds + self.zero)

    @property
    def clock_only(self) -> bool:
        return self.family == "clock time"

    @property
    def text(self) -> str:
        """The origin as it can be written: `1978-01-22`."""
        return dates.instant_text(self.origin, self.zoned, self.clock_only)

    def __str__(self) -> str:
        what = "clock times" if self.clock_only else "dates"
        reading = {"dmy": ", read as day/month/year", "mdy": ", read as month/day/year"}.get(self.order, "")
        seen = f" (as `{self.shown_by}` shows)" if self.shown_by else ""
        zone = ", in UTC" if self.zoned else ""
        zero = f"{float(self.zero):g}"
        return f"{what}{reading}{seen}: time {zero} is {self.text}{zone}, counted in {_NAMES.get(self.unit, f'`{self.unit}`')}"


_NAMES = {"d": "days", "h": "hours", "min": "minutes", "s": "seconds", "yr": "years of 365.25 days", "a": "years of 365.25 days"}


def times_of_dates(table: Table, declarations: Declarations, roles: Roles, given: Clock | None) -> tuple[np.ndarray, Clock]:
    """The time of every row in the model's unit, and the clock that gave it: `given`, or one that starts with the first record.

    Raises DataError for every cell that is no date (E0642), is written otherwise than the first (E0641), is missing (E0628), or
    can be read in two ways (E0640); for clock times that pass midnight (E0643).
    """
    problems = Problems(table)
    j = roles.time
    cells = [_cell(problems, i, j, text) for i, text in enumerate(table.column(j))]
    first = next((c for c in cells if c is not None), None)
    for i, c in enumerate(cells):
        if c is not None and first is not None and (c.family, c.has_zone) != (first.family, first.has_zone):
            what = f"`{short(c.text)}` is written otherwise than `{short(first.text)}`"
            problems.cell("E0641", i, j, what, "write all times in one way, all with a zone or all without")
    problems.raise_if_any()
    assert first is not None, "some cell is a date"
    order, shown_by = _order(problems, j, cells) if first.family == "day or month first" else ("", "")
    instants = [_instant(problems, i, j, c, order) for i, c in enumerate(cells)]
    problems.raise_if_any()
    known = [s for s in instants if s is not None]
    if first.family == "clock time":
        _check_midnight(table, declarations, roles, known)
    clock = given or _clock(table, declarations, min(known), first, order, shown_by)
    if given is not None and (given.clock_only != (first.family == "clock time") or given.zoned != first.has_zone):
        message = f"`{short(first.text)}` cannot be compared with times since {given.text}"
        remedy = "write the times of all files in one way, all with a zone or all without"
        raise DataError(table.problem("E0641", 0, j, message, remedy))
    return np.array([clock(s) for s in known]), clock


def _cell(problems: Problems, i: int, j: int, text: str) -> Written | None:
    found = dates.written(text)
    if found is None and not text:
        problems.cell("E0628", i, j, "the time is missing", "give each row its time, or remove the row")
    elif found is None:
        problems.cell("E0641", i, j, f"`{short(text)}` stands among dates", "write all times in one way: `2020-03-04`")
    return found


def _order(problems: Problems, j: int, cells: list[Written | None]) -> tuple[str, str]:
    """ "dmy" or "mdy" and the cell that shows it; notes a problem when neither is sure."""
    known = [c for c in cells if c is not None]
    try:
        order, shown_by = dates.order_of(known)
    except DateProblem as contradiction:
        problems.cell("E0641", 0, j, *contradiction.args)
        return "dmy", ""
    if not order:
        cell = next((c for c in known if int(c.fields["a"] or 0) != int(c.fields["b"] or 0)), None)
        if cell is None:  # 1/1, 2/2: the same day in both readings
            return "dmy", ""
        what = f"`{short(cell.text)}` can be {dates.both_readings(cell)}"
        problems.cell("E0640", cells.index(cell), j, what, "write year-month-day: `2020-03-04`")
        return "dmy", ""
    return order, shown_by.text if shown_by is not None else ""


def _instant(problems: Problems, i: int, j: int, cell: Written | None, order: str) -> Fraction | None:
    if cell is None:
        return None
    try:
        return dates.instant(cell, order)
    except DateProblem as problem:
        what, remedy = problem.args
        problems.cell("E0642", i, j, f"`{short(cell.text)}` {what}", remedy)
        return None


def _check_midnight(table: Table, declarations: Declarations, roles: Roles, seconds: list[Fraction]) -> None:
    """Clock times say nothing about the day: refuses those that fall back, those beside a column of several dates, and those of
    a model whose time begins at a date."""
    if declarations.time_date:
        what = f"{table.name} gives clock times, and the time of the model begins at {declarations.time_date}"
        raise DataError(Diagnostic("E0643", what, None, "write date and time in one column: `2020-03-04 23:50`"))
    last: dict[tuple[str, ...], Fraction] = {}
    remedy = "write date and time in one column: `2020-03-04 23:50`"
    for i, (row, at) in enumerate(zip(table.rows, seconds, strict=True)):
        key = tuple(row[j] for j in (*roles.series, *((roles.long.observable,) if roles.long else ())))
        if last.get(key, at) - at > _FALL:
            before = dates.instant_text(last[key], False, clock_only=True)
            problems = Problems(table)
            problems.cell("E0643", i, roles.time, f"the clock goes back from {before} to `{row[roles.time]}`", remedy)
            problems.raise_if_any()
        last[key] = at
    for j, name in enumerate(table.names):
        if j != roles.time and len(set(table.column(j))) > 1:
            found = [dates.written(text) for text in table.column(j)]
            if all(w is not None and w.family != "clock time" for w in found):
                what = f"{table.name}: the time is a clock time, and column `{name}` holds several dates"
                raise DataError(Diagnostic("E0643", what, None, remedy))


def _clock(table: Table, declarations: Declarations, first: Fraction, cell: Written, order: str, shown_by: str) -> Clock:
    """The clock of a file: its first record is the time 0, or what `from` says. A date behind `from` is the time 0 (in UTC for
    times with a zone). Years since `from 1900` are calendar years."""
    unit = declarations.time_unit or ("h" if cell.family == "clock time" else "d")
    try:
        seconds = seconds_of(unit)
    except UnitProblem as reason:
        raise DataError(
            Diagnostic(
                "E0642", f"{table.name} gives the time as dates, but {reason}", None, "declare a unit of time: `time t: d`"
            )
        ) from reason
    zero = Fraction(0)
    if declarations.time_date:
        since = dates.written(declarations.time_date)
        assert since is not None, "the checker accepts dates only"
        first = dates.instant(since)
    elif declarations.time_origin is not None:
        value = constant_value(declarations.time_origin, symbols_of_constants(declarations))
        zero = Fraction(0 if value is None else value)
        if unit in _YEARS and cell.family != "clock time" and 1000 <= zero <= 3000 and zero.denominator == 1:
            first = dates.instant(dates.Written("", "year-month-day", {"year": f"{int(zero)}", "month": "1", "day": "1"}))
    return Clock(first, zero, seconds, unit, cell.family, cell.has_zone, not declarations.time_unit, order, shown_by)
