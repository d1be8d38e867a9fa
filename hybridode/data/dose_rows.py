"""What the rows of a data file say about doses: the columns AMT, RATE, DUR, II, ADDL, CMT, EVID, SS and MDV of NONMEM."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from hybridode.data import cells
from hybridode.data.columns import Roles, listed
from hybridode.data.problems import Problems
from hybridode.data.table import Table
from hybridode.declarations import Declarations, Dose, DoseForm

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)  # EVID
_EVENTS = "0 is an observation, 1 a dose, 2 neither, 3 a reset, 4 a reset and a dose"


class DoseRow(NamedTuple):
    """One row that is no observation. `statement` is the number of the `dose` statement, `form` and `value` how the amount is
    given, `interval` (II) and `more` (ADDL) its repetitions; `steady`: SS = 1. A bare reset has `form` UNUSED,
    and so has a row that is neither (EVID 2)."""

    time: float
    resets: bool = False
    amount: float = 0.0
    statement: int = 0
    form: DoseForm = DoseForm.UNUSED
    value: float = 0.0
    interval: float = 0.0
    more: int = 0
    steady: bool = False


def dose_rows(table: Table, declarations: Declarations, roles: Roles, times: np.ndarray) -> dict[int, DoseRow]:
    """The rows of a table that are no observations, by their number. Raises DataError E0660-E0664 with file, line and column."""
    if not roles.doses:
        return {}
    reader = _Reader(table, declarations, roles)
    found = {i: row for i in range(len(table.rows)) if (row := reader.row(i, float(times[i]))) is not None}
    reader.problems.raise_if_any()
    return found


def without_observations(table: Table, roles: Roles, rows: Mapping[int, DoseRow]) -> Table:
    """The table with the observed cells of rows that are no observations (also by MDV = 1) emptied."""
    empty = set(rows)
    if "MDV" in roles.doses:
        empty |= {i for i, text in enumerate(table.column(roles.doses["MDV"])) if cells.read_cell(text, table.decimal).value == 1}
    places = {roles.long.observable, roles.long.value} if roles.long else {j for j, _ in roles.observed}
    if not empty:
        return table
    blank = tuple("" if j in places else None for j in range(len(table.headers)))

    def emptied(row: Sequence[str]) -> tuple[str, ...]:
        return tuple(text if b is None else b for text, b in zip(row, blank, strict=True))

    return replace(table, rows=tuple(emptied(row) if i in empty else row for i, row in enumerate(table.rows)))


class _Reader:
    """Reads rows one by one; what is wrong is collected in `problems`."""

    def __init__(self, table: Table, declarations: Declarations, roles: Roles) -> None:
        self.table, self.doses, self.columns = table, declarations.doses, roles.doses
        self.observed = [roles.long.value] if roles.long else [j for j, _ in roles.observed]
        self.problems = Problems(table)

    def row(self, i: int, time: float) -> DoseRow | None:
        """What a row is, None for an observation."""
        before = self.problems.count
        event = self._event(i)
        amount = self.number(i, "AMT")
        seen = any(self._is_given(i, j) for j in self.observed)
        if event is None:
            event = DOSE if amount > 0 else OBSERVATION
            if event == DOSE and seen:
                self.wrong("E0661", i, "AMT", "the row is a dose and an observation",
                           "write two rows, or a column EVID (1: a dose)")  # fmt: skip
        if event == OBSERVATION:
            if amount > 0 and self.problems.count == before:
                self.wrong("E0661", i, "AMT", "EVID is 0, so the row is an observation, but it has an amount",
                           "write EVID 1 for a dose")  # fmt: skip
            return None
        if event in (OTHER, RESET) or self.problems.count > before:
            return DoseRow(time, event == RESET)
        return self._dose(i, time, event, amount)

    def _event(self, i: int) -> int | None:
        """EVID, None where the file does not say it."""
        event = self.number(i, "EVID")
        if math.isnan(event):
            return None
        if event not in range(5):
            self.wrong("E0660", i, "EVID", f"there is no EVID {event:g}", _EVENTS)
            return OTHER
        return int(event)

    def _dose(self, i: int, time: float, event: int, amount: float) -> DoseRow:
        statement = self._compartment(i)
        if not amount > 0:
            what = "the dose has no amount" if math.isnan(amount) else f"the amount of the dose is {amount:g}"
            self.wrong("E0660", i, "AMT", what, "write a positive amount, or EVID 0 for an observation")
        form, value = (DoseForm.BOLUS, 0.0) if statement is None else self._form(i, self.doses[statement])
        interval, more = self.number(i, "II", 0.0), self.number(i, "ADDL", 0.0)
        steady = self.number(i, "SS", 0.0)
        if more < 0 or more != int(more):
            self.wrong("E0663", i, "ADDL", f"{more:g} additional doses", "write how many follow: 0, 1, 2, …")
        elif more > 0 and not interval > 0:
            self.wrong("E0663", i, "II", "ADDL says that doses follow, but not in which interval", "write the interval in II")
        if steady not in (0.0, 1.0):
            self.wrong("E0664", i, "SS", f"SS = {steady:g} is not taken", "1 begins in the steady state, 0 does not")
        elif steady == 1 and not interval > 0:
            self.wrong("E0664", i, "II", "SS = 1 needs the interval of the doses before", "write it in II")
        more = int(more) if math.isfinite(more) and more > 0 else 0
        return DoseRow(time, event == RESET_AND_DOSE, amount, statement or 0, form, value, interval, more, steady == 1)

    def _compartment(self, i: int) -> int | None:
        """The number of the `dose` statement that CMT means: its place in the file, counted from 1, or the state's name."""
        names = [dose.target for dose in self.doses]
        known = "; ".join(f"{k + 1} is `{name}`" for k, name in enumerate(names))
        text = self.table.rows[i][self.columns["CMT"]] if "CMT" in self.columns else ""
        if text in names:
            if names.count(text) == 1:
                return names.index(text)
            self.wrong("E0662", i, "CMT", f"`{text}` has {names.count(text)} `dose` statements", f"write its number: {known}")
            return None
        cell = cells.read_cell(text, self.table.decimal)
        if not cell.problem and (math.isnan(cell.value) or cell.value == 0):
            if len(names) == 1:
                return 0
            self.wrong("E0662", i, "CMT" if "CMT" in self.columns else "AMT",
                       f"into which of {listed(names)} does this dose go?", f"write a column CMT: {known}")  # fmt: skip
            return None
        if cell.problem or cell.value not in range(1, len(names) + 1):
            self.wrong("E0662", i, "CMT", f"`{text}` is none of the model's doses", f"{known} (their order in the model)")
            return None
        return int(cell.value) - 1

    def _form(self, i: int, dose: Dose) -> tuple[DoseForm, float]:
        """How the record gives its amount, and the rate or duration that it says."""
        rate, duration = self.number(i, "RATE"), self.number(i, "DUR")
        if rate > 0 and duration > 0:
            self.wrong("E0663", i, "DUR", "RATE and DUR are both given", "one of them follows from the amount and the other")
        elif duration < 0 or (rate < 0 and rate not in (-1, -2)):
            column, value = ("DUR", duration) if duration < 0 else ("RATE", rate)
            self.wrong("E0663", i, column, f"{value:g} is no {'duration' if column == 'DUR' else 'rate'}",
                       "a positive number is an infusion, 0 is none; RATE -1 and -2 mean `rate=` and `duration=`")  # fmt: skip
        elif rate in (-1, -2):
            word, form = ("rate", DoseForm.MODELLED_RATE) if rate == -1 else ("duration", DoseForm.MODELLED_DURATION)
            if word not in dose.options:
                self.wrong("E0663", i, "RATE", f"RATE = {rate:g} means the modelled {word}, but `dose {dose.target}` has none",
                           f"write `dose {dose.target}, {word}=…` in the model")  # fmt: skip
            return form, 0.0
        elif rate > 0 or duration > 0:
            return (DoseForm.RATE, rate) if rate > 0 else (DoseForm.DURATION, duration)
        elif math.isnan(rate) and math.isnan(duration) and (dose.rate is not None or dose.duration is not None):
            return (DoseForm.MODELLED_DURATION if dose.rate is None else DoseForm.MODELLED_RATE), 0.0
        return DoseForm.BOLUS, 0.0

    # ---- cells ------------------------------------------------------------------------------------------------------------
    def number(self, i: int, column: str, otherwise: float = math.nan) -> float:
        """The number in a dosing column; `otherwise` where it is empty or there is none."""
        if column not in self.columns:
            return otherwise
        j = self.columns[column]
        cell = cells.read_cell(self.table.rows[i][j], self.table.decimal)
        if cell.problem or cell.censored:
            text = self.table.rows[i][j]
            self.problems.cell("E0660", i, j, f"`{text}` {cell.problem or 'is a limit'}", cell.remedy or "write a number")
            return otherwise
        if math.isnan(cell.value):
            return otherwise
        change = self.table.conversions.get((j, column))
        return cell.value if change is None or cell.value in (0, -1, -2) else change(cell.value)

    def wrong(self, code: str, i: int, column: str, message: str, remedy: str) -> None:
        self.problems.cell(code, i, self.columns.get(column, self.columns.get("AMT", 0)), message, remedy)

    def _is_given(self, i: int, j: int) -> bool:
        cell = cells.read_cell(self.table.rows[i][j], self.table.decimal)
        return bool(cell.problem) or not math.isnan(cell.value)
