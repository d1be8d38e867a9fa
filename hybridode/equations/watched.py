"""What a solver's steps must not pass over, beside the guards of events themselves.

`a > 1 and a < 1.01` holds for a small part of a long step and is false at both of its ends, so its guard, the least of two
numbers, says nothing there. But each comparison changes sides once: steps land where it does, as on an event that does nothing.
The same holds for the kinks of `abs`, `min` and `max` in a condition. And a guard that swings with the time is no part of the
rates, so the step control does not see it: its explicit rate is integrated as a state that nobody reads, and steps follow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.equations.conditions import COMPARISONS, guard_of
from hybridode.equations.dae.differentiate import CannotDifferentiate, time_derivative
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.system import ScalarWhenEvent
from hybridode.expr import ONE, ZERO, Expr, Symbol, node, postorder, substitute, symbols

MOST = 16  # of each kind; a model with more is left alone
LARGEST = 400  # nodes of a guard whose swings are followed


def may_be_passed_over(event: ScalarWhenEvent) -> bool:
    """Whether there is anything to watch for an event, as far as it can be seen without knowing what moves."""
    condition = event.guard if event.truth is None else event.truth
    return any(e.op in ("and", "or", "abs", "min", "max", "sin", "cos", "tan") for e in postorder((condition,)))


def landings(conditions: Sequence[Expr]) -> list[Expr]:
    """Numbers where they cross 0 conditions (or bare guards) may turn: comparisons of compound conditions, kinks of `abs`, `min`,
    `max`."""
    found: dict[Expr, None] = {}
    for condition in conditions:
        compared = [e for e in postorder((condition,)) if e.op in COMPARISONS]
        if len(compared) > 1 and not any(e.op == "where" for e in postorder((condition,))):
            found |= dict.fromkeys(guard_of(e) for e in compared if e.op not in ("eq", "ne"))
        for e in postorder((condition,)):
            if e.op == "abs":
                found[e.args[0]] = None
            elif e.op in ("min", "max"):
                found |= dict.fromkeys(node("add", (a, node("neg", (b,)))) for a, b in zip(e.args, e.args[1:], strict=False))
    return list(found)


def landing_event(number: Expr) -> ScalarWhenEvent:
    """An event that does nothing where a number crosses 0."""
    return ScalarWhenEvent("", number, None, (), "either", watched=True)


def swings(guards: Sequence[Expr], bodies: Mapping[Symbol, Expr], shapes: ShapeCache) -> list[Expr]:
    """The explicit time rates of what is compared, where these move with the time themselves."""
    found: dict[Expr, None] = {}
    for guard in guards:
        guard = _spelled_out(guard, bodies)
        if guard is None:
            continue
        for e in _compared(guard):
            try:
                rate = time_derivative(e, lambda s: ONE if s.kind == "time" else ZERO, shapes)
            except CannotDifferentiate:
                continue
            if any(s.kind == "time" for s in symbols(rate)):
                found[rate] = None
    return list(found)


def _compared(guard: Expr) -> list[Expr]:
    """The smooth parts of a guard: what `min`, `max` and `abs` outside choose from."""
    found, work = [], [guard]
    while work:
        e = work.pop()
        if e.op in ("min", "max", "abs", "neg"):
            work += e.args
        elif not any(x.op in ("min", "max", "abs", "where", "floor", "mod", "sign", "heaviside") for x in postorder((e,))):
            found.append(e)
    return found


def _spelled_out(e: Expr, bodies: Mapping[Symbol, Expr]) -> Expr | None:
    """The expression with the intermediates that it reads put in, None where that is large or does not read the time."""
    while named := [s for s in symbols(e) if s in bodies]:
        (e,) = substitute((e,), {s: bodies[s] for s in named})
        if sum(1 for _ in postorder((e,))) > LARGEST:
            return None
    return e if any(s.kind == "time" for s in symbols(e)) else None
