"""What a noise model can observe, and where a value is only a limit: declared limits, `<0.5`, `[0.1, 0.5]`."""

from __future__ import annotations

import math
from collections.abc import Callable

from hybridode.data import cells
from hybridode.data.cells import Cell
from hybridode.data.columns import symbols_of_constants
from hybridode.data.evaluate import constant_value
from hybridode.declarations import Declarations
from hybridode.errors import DataError, Diagnostic

COUNTS = frozenset({"poisson", "negbinomial"})

SUPPORTS: dict[str, tuple[Callable[[float], bool], str]] = {  # what may be observed, and what to do about the rest
    "lognormal": (lambda v: v > 0, "lognormal values are positive: leave the cell empty, censor (`<0.5`), or use `normal`"),
    "poisson": (lambda v: v >= 0 and v == int(v), "counts are 0, 1, 2, …: use `normal` for rates"),
    "negbinomial": (lambda v: v >= 0 and v == int(v), "counts are 0, 1, 2, …: use `normal` for rates"),
    "bernoulli": (lambda v: v in (0.0, 1.0), "write 0 for no and 1 for yes"),
}
_LEAST: dict[str, float] = {"lognormal": 0.0, "poisson": 0.0, "negbinomial": 0.0}  # nothing lies below


def declared_limits(declarations: Declarations, k: int) -> tuple[float | None, float | None]:
    """`censored below`/`above` of an observation as numbers (they read constants only). Raises DataError E0637."""
    known = symbols_of_constants(declarations)
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


def limited(cell: Cell, below: float | None, above: float | None) -> Cell:
    """A number at or beyond a declared limit is censored at the limit; a cell `<v` keeps its own (rules F5)."""
    if cell.censored == cells.NONE and below is not None and cell.value <= below:
        return Cell(below, cells.BELOW, closed=(False, True))
    if cell.censored == cells.NONE and above is not None and cell.value >= above:
        return Cell(above, cells.ABOVE, closed=(True, False))
    return cell


def impossible(cell: Cell, distribution: str) -> str:
    """Why the noise model cannot give what the cell says, as a remedy; "" when it can."""
    possible, remedy = SUPPORTS.get(distribution, (lambda _: True, ""))
    if cell.censored == cells.NONE:
        return "" if possible(cell.value) else remedy
    if distribution == "bernoulli":
        return "write 0 for no and 1 for yes, or leave the cell empty"
    top = {cells.BELOW: cell.value, cells.BETWEEN: cell.upper}.get(cell.censored, math.inf)
    least = _LEAST.get(distribution, -math.inf)
    reached = top > least or (top == least and distribution in COUNTS and cell.closed[1])
    return "" if reached else f"nothing below {least:g} can be observed: leave the cell empty, or use `normal`"


def as_open_limits(cell: Cell, distribution: str) -> Cell:
    """The cell with limits that are open: for counts a possible limit moves outwards to the next number.

    An interval from where the noise model's values begin is a limit from above only.
    """
    if cell.censored == cells.NONE:
        return cell
    low, high = cell.value, cell.upper
    if cell.censored == cells.BETWEEN:
        least = _LEAST.get(distribution, -math.inf)
        if low < least or (low == least and (cell.closed[0] or distribution not in COUNTS)):
            return as_open_limits(Cell(high, cells.BELOW, closed=(False, cell.closed[1])), distribution)
    if distribution in COUNTS:
        if cell.censored == cells.BELOW and cell.closed[1]:
            low = math.nextafter(low, math.inf)
        elif cell.censored != cells.BELOW and cell.closed[0]:
            low = math.nextafter(low, -math.inf)
        if cell.censored == cells.BETWEEN and cell.closed[1]:
            high = math.nextafter(high, math.inf)
    return cell._replace(value=low, upper=high)
