"""Columns that seem to be exchanged: by their names, or by first records that fit the start of another state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from hybridode.data import cells
from hybridode.data.classes import DISTRIBUTION as CLASSES
from hybridode.data.columns import Roles, symbols_of_constants
from hybridode.data.evaluate import constant_value
from hybridode.data.records import Records
from hybridode.data.remarks import warning
from hybridode.data.table import Table
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic
from hybridode.expr import Symbol

_FAR = math.log(2)  # how far a first record is from its declared start before anything is suspected
_CLOSER = 3.0  # how much closer both must be after an exchange


def about_swaps(
    table: Table, declarations: Declarations, roles: Roles, starts: Sequence[float], records: Sequence[Records]
) -> list[Diagnostic]:
    """Warnings W0643. `starts` and `records` are those of the series, one each."""
    by_name = _exchanged_names(table, declarations, roles)
    return by_name or _exchanged_starts(declarations, starts, records)


def _exchanged_names(table: Table, declarations: Declarations, roles: Roles) -> list[Diagnostic]:
    """Columns that were mapped to one observation and are named like another."""
    names = [o.column for o in declarations.observations]
    out = []
    for j, k in roles.observed:
        theirs = table.headers[j].original
        other = next((n for n in names if n.casefold() == theirs.casefold() and n != names[k]), None)
        if other is not None and names[k].casefold() != theirs.casefold():
            message = f"column `{theirs}` is read as `{names[k]}`, but the model also observes `{other}`"
            out.append(warning("W0643", message, "if that is a mistake, correct `--column` or the header"))
    return out


def _exchanged_starts(declarations: Declarations, starts: Sequence[float], records: Sequence[Records]) -> list[Diagnostic]:
    """Pairs of observed states whose first records fit each other's declared starts much better than their own."""
    declared = _declared_starts(declarations)
    first = _first_records(starts, records, declared)
    out = []
    for k, other in combinations(sorted(first), 2):
        units = {declarations.observations[i].unit for i in (k, other)}
        own = [_distance(first[k], declared[k]), _distance(first[other], declared[other])]
        crossed = [_distance(first[k], declared[other]), _distance(first[other], declared[k])]
        if len(units) == 1 and min(own) > _FAR and _CLOSER * max(crossed) < min(own):
            a, b = declarations.observations[k].column, declarations.observations[other].column
            out.append(
                warning(
                    "W0643",
                    f"the columns of `{a}` and `{b}` may be exchanged: they begin at {first[k]:.4g} and {first[other]:.4g}, the "
                    f"model at {declared[k]:.4g} and {declared[other]:.4g}",
                    "if they are right, correct the starts of the model",
                )
            )
    return out


def _distance(value: float, start: float) -> float:
    return abs(math.log(value / start))


def _declared_starts(declarations: Declarations) -> dict[int, float]:
    """The positive start, at the declared values, of each observation whose location is a state."""
    known = symbols_of_constants(declarations)
    for p in declarations.parameters:
        known |= {Symbol("parameter", p.name, i if p.shape else -1): v for i, v in enumerate(p.values)}
    states = {s.name: s for s in declarations.states}
    out = {}
    for k, observation in enumerate(declarations.observations):
        e = observation.arguments[0][1]
        if observation.distribution == CLASSES:
            continue
        if e.op == "sym" and e.data.kind == "state":
            start = constant_value(states[e.data.name].start[max(e.data.index, 0)], known)
            if start is not None and 0 < start < math.inf:
                out[k] = start
    return out


def _first_records(starts: Sequence[float], records: Sequence[Records], wanted: dict[int, float]) -> dict[int, float]:
    """The median over the series of the first positive values, for observations that every series has at its start."""
    out = {}
    for k in wanted:
        values = []
        for start, r in zip(starts, records, strict=True):
            mine = (r.column == k) & (r.time == start) & (r.censored == cells.NONE) & (r.value > 0)
            if mine.any():
                values.append(float(np.median(r.value[mine])))
        if values and len(values) == len(starts):
            out[k] = float(np.median(values))
    return out
