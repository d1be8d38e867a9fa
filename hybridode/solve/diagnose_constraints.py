"""Why no consistent state was found, in the user's terms: which equation, which given value, from which values."""

from __future__ import annotations

import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.system import EquationSystem
from hybridode.errors import Diagnostic, Span
from hybridode.solve import results
from hybridode.solve.consistent import Conditions, after_a_jump, at_the_start, unsatisfied
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.tapes import state_names
from hybridode.types import FloatArray

SHOWN = 6  # values that a message lists
SINGULAR = (
    1e-3  # singular values of rows whose largest entry is 1: at a fold an unknown's slope grows like the square root's at 0
)


def diagnose_constraints(compiled: Compiled, args: Arguments, result: int, t: float, y: FloatArray) -> Diagnostic:
    """The diagnostic of a solve that ended for want of a consistent state, the nearest of which was y."""
    code, time = results.DIAGNOSTIC_CODES[result], compiled.declarations.time
    conditions = at_the_start(compiled) or after_a_jump(compiled)
    assert conditions is not None, "an ODE has no equations of this kind"
    if result == results.CONFLICT:
        return _conflict(compiled, args, conditions, code, t, y)
    left = unsatisfied(compiled, conditions, args, t, y)
    worst = int(np.argmax(np.where(np.isfinite(left), left, np.inf)))
    value = conditions.values(t, y, args)[worst]
    read = _read(compiled.system, conditions, worst, y)
    message = f"no consistent state was found at {time} = {t:.6g}: the sides of this equation differ by {abs(value):.4g}"
    fixed = _fixed(compiled, conditions, worst) if conditions is at_the_start(compiled) else []
    if fixed:
        which = ", ".join(f"`{name}`" for name, _ in fixed)
        hint = f"{read}: as the starts of {which} are given; change one, or leave it out to have it computed"
        return Diagnostic(code, message, _span(conditions, worst), hint, related=tuple((at, "given") for _, at in fixed if at))
    return Diagnostic(code, message, _span(conditions, worst), f"nearest values: {read}; other guesses may lead further")


def _fixed(compiled: Compiled, c: Conditions, row: int) -> list[tuple[str, Span | None]]:
    """The states that an equation reads and where they are declared, if the starts of all of them are fixed; else nothing."""
    places = {int(k) for k in c.columns[c.rows == row]}
    if places & {int(k) for k in (*c.unknowns, *c.soft)}:
        return []
    names, states = state_names(compiled.system), compiled.system.states
    return [(names[k], declared(compiled.declarations, states[k].name)) for k in sorted(places)]


def _conflict(compiled: Compiled, args: Arguments, c: Conditions, code: str, t: float, moved: FloatArray) -> Diagnostic:
    """Names the given value that would have to move most, and the equation that it contradicts."""
    given = compiled.numbers("start", t, np.zeros(0), args)
    k = int(c.soft[np.argmax(np.abs(moved - given)[c.soft] / (np.abs(given[c.soft]) + np.abs(moved[c.soft]) + 1e-300))])
    reading = np.unique(c.rows[c.columns == k])
    computed = np.where(np.isin(np.arange(c.n), c.unknowns), moved, given)  # the given values with what they leave open
    left = unsatisfied(compiled, c, args, t, computed)
    worst = int(reading[np.argmax(left[reading])])
    name = state_names(compiled.system)[k]
    span, equation = declared(compiled.declarations, compiled.system.states[k].name), _span(c, worst)
    where = "" if equation is None else f" of line {equation.line}"
    message = f"the start `{name} = {given[k]:.6g}` contradicts the equation{where}: {name} = {moved[k]:.6g} would satisfy it"
    related = ((equation, "the equation"),) if equation is not None else ()
    return Diagnostic(code, message, span, "change this value, or leave one out to have it computed", related=related)


def undetermined(compiled: Compiled, args: Arguments, t: float, y: FloatArray) -> tuple[str, Span | None] | None:
    """(the algebraic unknown, an equation) that the equations all but do not determine at this point; None where they do."""
    system = compiled.system
    if not system.unknowns:
        return None
    n, unknowns = len(system.states), list(system.unknowns)
    rows, columns = compiled.jacobian_places
    matrix = np.zeros((n, n))
    matrix[rows, columns] = compiled.numbers("jacobian", t, y, args)
    if not np.all(np.isfinite(matrix)):
        return None
    scaled = matrix[unknowns] / (np.max(np.abs(matrix[unknowns]), axis=1, keepdims=True) + 1e-300)
    left, sizes, right = np.linalg.svd(scaled[:, unknowns])
    if sizes[-1] > SINGULAR:
        return None
    row, column = unknowns[int(np.argmax(np.abs(left[:, -1])))], unknowns[int(np.argmax(np.abs(right[-1])))]
    return state_names(system)[column], system.rate_spans[row] if system.rate_spans else None


def declared(declarations: Declarations, name: str) -> Span | None:
    """Where a state or an algebraic unknown is declared."""
    return next(
        (q.span for q in (*declarations.states, *declarations.algebraics, *declarations.definitions) if q.name == name), None
    )


def _span(c: Conditions, row: int) -> Span | None:
    return c.spans[row] if c.spans else None


def _read(system: EquationSystem, c: Conditions, row: int, y: FloatArray) -> str:
    names, places = state_names(system), [int(k) for k in c.columns[c.rows == row]]
    found = [f"{names[k]} = {y[k]:.6g}" for k in places[:SHOWN]]
    return ", ".join(found + ["…"] * (len(places) > SHOWN)) or "none"
