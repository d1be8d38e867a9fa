"""Units of a long table that stand in a column of their own: each row's value is converted, or refused with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from hybridode.data.columns import Roles
from hybridode.data.header_units import unit_of_observation
from hybridode.data.problems import Problems, short
from hybridode.data.table import Table
from hybridode.data.units import UnitProblem, conversion, same_text
from hybridode.declarations import Declarations


def with_row_units(table: Table, declarations: Declarations, roles: Roles, labels: Mapping[str, str]) -> Table:
    """The table with the conversion of each row that needs one (`labels`: those of the file that mean others of the model).

    A row without a unit has that of the header. Where the model declares none (or `units off`), all rows of one observable must
    be in one unit. Raises DataError E0630 for rows that cannot be converted, lack a unit that others have, or differ.
    """
    long = roles.long
    if long is None or long.unit is None:
        return table
    problems = Problems(table)
    numbers = {o.column: k for k, o in enumerate(declarations.observations)}
    declared = {name: _declared(declarations, k) for name, k in numbers.items()}
    first: dict[str, str] = {}
    found = {}
    for i, row in enumerate(table.rows):
        name = labels.get(row[long.observable], row[long.observable])
        if name not in numbers:
            continue
        given = row[long.unit] or table.headers[long.value].unit
        before = first.setdefault(name, given)
        if bool(given) != bool(before):
            remedy = "give every row of it a unit, or none"
            problems.cell("E0630", i, long.unit, f"some rows of `{name}` have a unit and some have none", remedy)
        elif given and not declared[name] and not same_text(given, before):
            what = f"`{short(given)}`, and other rows of `{name}` are in `{short(before)}`; the model has no unit to convert to"
            remedy = f"write all of `{name}` in one unit, or declare the unit of what is observed in the model"
            problems.cell("E0630", i, long.unit, what, remedy)
        elif given and declared[name]:
            try:
                change = conversion(given, declared[name])
            except UnitProblem as reason:
                what = f"the row is in `{short(given)}`, the model's `{name}` in `{declared[name]}`: {reason}"
                problems.cell("E0630", i, long.unit, what, f"convert the value to `{declared[name]}`")
                continue
            if change is not None:
                found[i] = change
    problems.raise_if_any()
    return replace(table, row_conversions=found)


def _declared(declarations: Declarations, k: int) -> str:
    return "" if declarations.units == "off" else unit_of_observation(declarations, k)


def unit_of_rows(table: Table, roles: Roles, name: str) -> str:
    """The unit in which a long table gives an observable, where the model gives none: that of the first of its rows."""
    long = roles.long
    if long is None or long.unit is None:
        return ""
    return next((row[long.unit] for row in table.rows if row[long.observable] == name), "")


def converted_rows(table: Table, roles: Roles) -> list[str]:
    """What was converted, in words, with the number of rows."""
    if roles.long is None:
        return []
    count = Counter((table.rows[i][roles.long.observable], str(change)) for i, change in table.row_conversions.items())
    return [f"`{name}` from {change} ({n} row{'' if n == 1 else 's'})" for (name, change), n in count.items()]
