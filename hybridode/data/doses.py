"""From rows with doses to what each series is given: repetitions written out, series cut where everything begins anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hybridode.data.columns import Roles, listed
from hybridode.data.dose_rows import DoseRow
from hybridode.data.table import Table, data_error
from hybridode.declarations import Declarations, Dose, DoseForm, State
from hybridode.errors import Diagnostic
from hybridode.expr import ZERO, Expr, node, sym

MOST = 100_000  # doses of one series
BEHIND = 2.0**-45  # of the series' largest time: by so much a value is read later that was recorded behind a dose of its time


@dataclass(frozen=True, eq=False)
class Schedule:
    """The doses of one series, arrays (R,) as in `solve.doses.Doses`. `interval` (0,) or (1,): the first dose has been given
    forever, so often."""

    time: np.ndarray
    amount: np.ndarray
    statement: np.ndarray
    form: np.ndarray
    value: np.ndarray
    interval: np.ndarray

    def until(self, end: float) -> Schedule:
        """Without what comes after `end` at any lag."""
        keep = self.time <= end
        columns = {name: a[keep] for name, a in vars(self).items() if name != "interval"}
        return Schedule(**columns, interval=self.interval)


class Segment(NamedTuple):
    """A part of a series in which nothing is reset: its rows in order, its doses; `begins`: everything starts anew at its first
    row, at this time (None: where the series starts)."""

    rows: np.ndarray
    begins: float | None
    schedule: Schedule | None


def segments(table: Table, rows: Mapping[int, DoseRow], order: np.ndarray) -> list[Segment]:
    """The parts of one series, whose rows are in order of time. Raises DataError E0663, E0664."""
    starts = [k for k, i in enumerate(order) if i in rows and (rows[i].resets or rows[i].steady)]
    bounds = [0, *(k for k in starts if k > 0), len(order)]
    found = []
    for a, b in pairwise(bounds):
        part = order[a:b]
        given = [(int(i), rows[i]) for i in part if i in rows and rows[i].form != DoseForm.UNUSED]
        begins = rows[part[0]].time if len(part) and a in starts else None
        found.append(Segment(part, begins, _schedule(table, given) if given else None))
    return found


def _schedule(table: Table, given: Sequence[tuple[int, DoseRow]]) -> Schedule:
    counts = np.array([1 + row.more for _, row in given])
    if counts.sum() > MOST:
        i = given[int(np.argmax(counts))][0]
        message = f"{table.where(table.lines[i])}: {counts.sum()} doses in one series are more than {MOST}"
        raise data_error("E0663", message, "look at ADDL", table.place(table.lines[i]))
    number = np.concatenate([np.arange(c) for c in counts])

    def column(values: Iterable[float]) -> np.ndarray:
        return np.repeat(np.array(list(values), float), counts)

    rows = [row for _, row in given]
    return Schedule(
        column(r.time for r in rows) + number * column(r.interval for r in rows),
        column(r.amount for r in rows),
        column(r.statement for r in rows),
        column(r.form for r in rows),
        column(r.value for r in rows),
        np.array([r.interval for r in rows if r.steady]),
    )


def behind_doses(table: Table, rows: Mapping[int, DoseRow], order: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of the rows of a segment, in order, those at whose time a row above gives a dose: their values are read after it.

    Raises DataError E0665 for a value between two doses of one time.
    """
    dosed = np.array([i in rows and rows[i].form != DoseForm.UNUSED for i in order], bool)
    behind = np.zeros(len(order), bool)
    last = -1
    for k, i in enumerate(order):
        if dosed[k]:
            if last >= 0 and times[order[last]] == times[i] and not all(dosed[last:k]):
                line = table.lines[order[last + 1]]
                message = f"{table.where(line)}: the row stands between two doses of time {times[i]:g}"
                raise data_error("E0665", message, "put it above or below both", table.place(line))
            last = k
        else:
            behind[k] = last >= 0 and times[order[last]] == times[i]
    return behind


def later(time: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The times at which values are read."""
    return np.where(behind, time + BEHIND * np.max(np.abs(time), initial=0.0) + (1e-300 if not np.any(time) else 0.0), time)


# ---- infusions --------------------------------------------------------------------------------------------------------------
def with_infusions(declarations: Declarations, schedules: Iterable[Schedule | None]) -> Declarations:
    """The model with a rate of infusion for every `dose` statement that has infusions: a discrete state that the rate of the
    dosed state holds as a term. Raises DataError E0663 where the equations of that state hold together."""
    found = {int(k) for s in schedules if s is not None for k in s.statement[s.form > DoseForm.BOLUS]}
    if not found:
        return declarations
    doses = tuple(replace(dose, infused=k in found) for k, dose in enumerate(declarations.doses))
    flows = {(dose.state, dose.entry): dose for dose in doses if dose.infused}
    states: list[State] = []
    for state in declarations.states:
        mine = {dose.entry: dose for (name, _), dose in flows.items() if name == state.name}
        states.append(_infused(state, mine) if mine else state)
    units = {state.name: state.unit for state in declarations.states}
    made = [
        State(dose.infusion, (ZERO,), (ZERO,), (), _per(units[dose.state], declarations.time_unit),
              f"rate of infusion into {dose.target}", span=dose.span, discrete=True, start_given="value")
        for dose in flows.values()
    ]  # fmt: skip
    return replace(declarations, states=(*states, *made), doses=doses)


def _infused(state: State, flows: Mapping[int, Dose]) -> State:
    if state.implicit:
        raise data_error(
            "E0663",
            f"an infusion goes into `{state.name}`, whose derivative stands in equations that hold together",
            f"write its dynamics as `{state.name}' = …`",
        )
    rate: list[Expr] = list(state.rate)
    for entry, dose in flows.items():
        place = max(entry, 0)
        rate[place] = node("add", (rate[place], sym("state", dose.infusion)))
    return replace(state, rate=tuple(rate))


def _per(unit: str, time: str) -> str:
    return f"{unit}/{time}" if unit and time else ""


# ---- in words -----------------------------------------------------------------------------------------------------------------
def about_doses(table: Table, declarations: Declarations, roles: Roles, given: Sequence[Schedule | None]) -> list[str]:
    """What was understood, a line per `dose` statement, and how many series begin in a steady state."""
    if not declarations.doses or "AMT" not in roles.doses:
        return []
    lines = []
    present = [s for s in given if s is not None]
    for k, dose in enumerate(declarations.doses):
        mine = [s.form[s.statement == k] for s in present]
        forms = np.concatenate([np.zeros(0), *mine])
        infusions = int(np.sum(forms > DoseForm.BOLUS))
        kinds = [f"{len(forms) - infusions} at once"] * (infusions < len(forms)) + [f"{infusions} infused"] * (infusions > 0)
        amounts = np.unique(np.concatenate([np.zeros(0), *(s.amount[s.statement == k] for s in present)]))
        size = "" if not len(amounts) else f", amounts {amounts[0]:g}" + (f" to {amounts[-1]:g}" if len(amounts) > 1 else "")
        count = sum(len(m) > 0 for m in mine)
        lines.append(f"doses into `{dose.target}`: " + (f"{', '.join(kinds)}, in {count} series{size}" if kinds else "none"))
    steady = sum(len(s.interval) for s in present)
    return lines + ([f"{steady} series begin in the steady state under their first dose (SS = 1)"] if steady else [])


def dose_warnings(table: Table, declarations: Declarations, roles: Roles) -> list[Diagnostic]:
    """A model with doses and a file without, or the other way round."""
    names = {name.upper() for name in table.names}
    if declarations.doses and "AMT" not in roles.doses:
        message = f"{table.name} has no column `AMT`: the model's `dose` statements give nothing"
        return [Diagnostic("W0660", message, None, "write the doses as rows with AMT, or map a column with `--column AMT=NAME`",
                           "warning")]  # fmt: skip
    if not declarations.doses and "AMT" in names and names & {"EVID", "CMT", "RATE", "ADDL"}:
        message = f"{table.name} has doses, but the model has no `dose` statement: they are not given"
        states = listed([s.name for s in declarations.states])
        return [Diagnostic("W0661", message, None, f"write `dose STATE`; the states are {states}", "warning")]
    return []
