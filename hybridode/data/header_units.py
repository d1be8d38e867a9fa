"""Units in headers against those of the model: converted exactly, or refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hybridode.data.columns import Roles, holds_dates
from hybridode.data.table import Table
from hybridode.data.units import LONGEST, Conversion, UnitProblem, conversion, same_text
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic
from hybridode.expr import Expr

_NAME = re.compile(r"[^\W\d_]+")  # a unit that needs no parentheses, not even under a power
_DEEPEST = 10_000  # nodes on the way down; a unit of 120 characters needs far fewer


def with_conversions(table: Table, declarations: Declarations, roles: Roles) -> Table:
    """The table with what turns its numbers into the model's. Nothing is converted under `units off`, nor where only one side
    gives a unit, nor a time column of dates. Raises DataError E0630 for all units that cannot be converted."""
    if declarations.units == "off":
        return table
    found: dict[tuple[int, str], Conversion] = {}
    problems = []
    for j, name, declared in used_units(declarations, roles):
        given = table.headers[j].unit
        if roles.long and j in (roles.long.lower, roles.long.upper):
            given = given or table.headers[roles.long.value].unit
        if not (given and declared) or (j == roles.time and holds_dates(table, j)):
            continue
        try:
            change = conversion(given, declared)
        except UnitProblem as reason:
            problems.append(
                Diagnostic(
                    "E0630",
                    f"{table.where(table.header_line, table.names[j])}: the column is in `{given}`, the model's `{name}` in "
                    f"`{declared}`: {reason}",
                    table.place(table.header_line, table.headers[j].position),
                    f"convert the column to `{declared}` and write the header `{table.names[j]} [{declared}]`",
                )
            )
            continue
        if change is not None:
            found[j, name] = change
    if problems:
        raise DataError(problems)
    return replace(table, conversions=found)


def used_units(declarations: Declarations, roles: Roles) -> Iterator[tuple[int, str, str]]:
    """For each use of a column: its place, the name that reads it, the unit that the model declares for that name."""
    yield roles.time, declarations.time, declarations.time_unit
    observed: Sequence[tuple[int, int]] = roles.observed
    if roles.long:
        places = [j for j in (roles.long.value, roles.long.lower, roles.long.upper) if j is not None]
        observed = [(j, k) for k in range(len(declarations.observations)) for j in places]
    for j, k in observed:
        yield j, declarations.observations[k].column, unit_of_observation(declarations, k)
    for j, name, _ in (*roles.covariates, *roles.inputs):
        yield j, name, declarations.unit_of(name)
    for name, j in roles.doses.items():
        yield j, name, unit_of_dosing(declarations, name)


def unit_of_dosing(declarations: Declarations, column: str) -> str:
    """The unit in which a dosing column is read: of amounts that of the dosed states, "" where they have several."""
    amounts, time = {declarations.unit_of(dose.state) for dose in declarations.doses}, declarations.time_unit
    amount = amounts.pop() if len(amounts) == 1 else ""
    rate = f"({amount})/({time})" if amount and time else ""
    return {"AMT": amount, "RATE": rate, "DUR": time, "II": time}.get(column, "")


def unit_of_observation(declarations: Declarations, k: int) -> str:
    """The unit in which the model observes: that of the location of its noise, "" when it is not known."""
    observation = declarations.observations[k]
    return observation.unit or unit_of_expression(observation.arguments[0][1], declarations)


def unit_of_expression(root: Expr, declarations: Declarations) -> str:
    """The unit of products, quotients, whole powers and sums of what has declared units, "" for anything else.

    Names of intermediates stand for their expressions. A number in a product may be a conversion by hand, so that nothing is
    known about its unit.
    """
    definitions = {d.name: d for d in declarations.definitions}
    found: dict[Expr, str] = {}
    stack = [root]
    while stack:
        e = stack[-1]
        inner = e.args
        if e.op == "sym" and e.data.kind == "definition":
            inner = (definitions[e.data.name].elements[max(e.data.index, 0)],)
        waiting = [a for a in inner if a not in found]
        if waiting and len(stack) < _DEEPEST:
            stack += waiting
            continue
        found[e] = _unit_of_node(e, [found.get(a, "") for a in inner], declarations)
        stack.pop()
    return found[root] if len(found[root]) <= LONGEST else ""


def _grouped(unit: str) -> str:
    """A unit as a factor."""
    simple = bool(_NAME.fullmatch(unit.partition("^")[0])) and not set(unit) & set("*/ ()")
    return unit if simple or unit == "1" else f"({unit})"


def _unit_of_node(e: Expr, inner: list[str], declarations: Declarations) -> str:
    if e.op == "sym" and not inner:
        return declarations.unit_of(e.data.name)
    if e.op == "const":
        return "1" if abs(float(e.data)) == 1 else ""
    if e.op == "pow":
        n = e.args[1].value
        return (
            f"{inner[0] if _NAME.fullmatch(inner[0]) else f'({inner[0]})'}^{int(n)}"
            if inner[0] and n is not None and n == int(n)
            else ""
        )
    if not all(inner) or sum(map(len, inner)) > LONGEST:
        return ""
    if e.op in ("sym", "neg", "abs"):
        return inner[0]
    if e.op == "mul":
        return "*".join(_grouped(u) for u in inner if u != "1") or "1"
    if e.op == "div":
        return f"{_grouped(inner[0])}/{_grouped(inner[1])}"
    if e.op in ("add", "min", "max") and all(same_text(u, inner[0]) for u in inner):
        return inner[0]
    return ""
