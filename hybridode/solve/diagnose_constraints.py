"""Why no consistent state was found, in the user's terms: which equation, which given value, from which values."""

from __future__ import annotations

import numpy as np

from hybridode.declarations import Declarations
from hybridode.equations.system import EquationSystem
from hybridode.errors import Diagnostic, Span
from hybridode.solve import results
from hybridode.solve.consistent import MOVED, Conditions, after_a_jump, at_the_start, unsatisfied
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
    """Names the equation that is contradicted most, and the given values in it with their lines."""
    given = compiled.numbers("start", t, np.zeros(0), args)
    computed = np.where(np.isin(np.arange(c.n), c.unknowns), moved, given)  # the given values with what they leave open
    left = unsatisfied(compiled, c, args, t, computed)
    changed = np.abs(moved - given) > MOVED * np.maximum(np.abs(given), np.abs(moved))
    concerned = [row for row in range(len(left)) if any(changed[k] for k in c.columns[c.rows == row] if k in c.soft)]
    worst = max(concerned, key=lambda row: left[row])
    soft = [int(k) for k in dict.fromkeys(c.columns[c.rows == worst]) if k in c.soft]
    names, system, equation = state_names(compiled.system), compiled.system, _span(c, worst)
    where = "an equation" if equation is None else f"the equation of line {equation.line}"
    values = " and ".join(f"`{names[k]} = {given[k]:.6g}`" for k in soft[:SHOWN])
    message = f"the given start{'s' * (len(soft) > 1)} {values} contradict{'s' * (len(soft) == 1)} {where}"
    hint = "change one of them, or leave one out to have it computed" + f": `state {names[soft[-1]]}`" * bool(soft)
    if len(soft) == 1:
        hint = f"{names[soft[0]]} = {moved[soft[0]]:.6g} would satisfy it; without a value the start is computed"
    places = [declared(compiled.declarations, system.states[k].name) for k in soft[:SHOWN]]
    spans = [span for span in dict.fromkeys(places) if span is not None]
    related = [*((span, "given here") for span in spans[1:]), *([(equation, "the equation")] if equation is not None else [])]
    return Diagnostic(code, message, spans[0] if spans else equation, hint, related=tuple(related))


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
