"""Rewrites singular, cancelling and overflowing forms (patterns.py) once per equation shape, and says what it did.

The record is in the user's names: the place, what was written, what it became, why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hybridode.equations.alpha import instantiate, shape_by_names
from hybridode.equations.names import user_names
from hybridode.equations.patterns import PATTERNS
from hybridode.equations.system import EquationSystem, Rewrite
from hybridode.equations.whole_system import expressions, over_expressions
from hybridode.errors import Span
from hybridode.expr import Expr, node, postorder, show

_LONGEST = 200  # characters of an expression that a record shows


class Change(NamedTuple):
    """One application of a pattern. `{u}` in the reason stands for `about`."""

    before: Expr
    after: Expr
    about: Expr
    reason: str


class Rewritten(NamedTuple):
    expr: Expr
    changes: tuple[Change, ...]


def rewrite(system: EquationSystem) -> EquationSystem:
    """Every expression in its safe form; `rewrites` records each change once."""
    known: dict[Expr, Rewritten] = {}

    def all_of(exprs: Sequence[Expr]) -> list[Rewritten]:
        return [_by_shape(e, known) for e in exprs]

    made = all_of(expressions(system))
    changed = over_expressions(system, lambda _: [new.expr for new in made])
    # Starts have their definitions put in; what is told of them is what happens to what the user wrote.
    first = len(system.definitions) + len(system.rates)
    made[first : first + len(system.starts)] = all_of([e for state in system.declarations.states for e in state.start])
    return replace(changed, rewrites=_records(system, [new.changes for new in made]))


def _by_shape(e: Expr, known: dict[Expr, Rewritten]) -> Rewritten:
    """An expression rewritten, and its changes in the user's symbols; `known` remembers by shape."""
    shape = shape_by_names(e)
    if shape.expr not in known:
        known[shape.expr] = rewritten(shape.expr)
    new = known[shape.expr]
    if not new.changes:
        return Rewritten(e, ())
    return Rewritten(instantiate((new.expr,), shape.leaves)[0], tuple(_in_place(c, shape.leaves) for c in new.changes))


def rewritten(root: Expr) -> Rewritten:
    """One expression, arguments first. A change is kept if its result is left in the end: 1 - exp(u), which
    first becomes -expm1(u), is not reported if the quotient round it then became 1/exprel(u)."""
    new: dict[Expr, Expr] = {}
    changes: list[Change] = []
    for e in postorder((root,)):
        args = tuple(new[a] for a in e.args)
        now = e if args == e.args else node(e.op, args, e.data)
        hit = PATTERNS[e.op](now) if e.op in PATTERNS else None
        if hit is not None:
            changes.append(Change(hit.before or e, hit.after or hit.result, hit.about or e, hit.reason))
        new[e] = now if hit is None else hit.result
    left = set(postorder((new[root],))) if changes else set()
    return Rewritten(new[root], tuple(c for c in changes if c.after in left))


def _in_place(c: Change, leaves: tuple[Expr, ...]) -> Change:
    before, after, about = instantiate((c.before, c.after, c.about), leaves)
    return Change(before, after, about, c.reason)


def _places(system: EquationSystem) -> list[tuple[str, Span | None]]:
    """Name and span of every expression, in the order of `whole_system.expressions`."""
    d, name = system.declarations, user_names(system.declarations)
    spans = system.rate_spans or (None,) * len(system.rates)
    places = [(name(x.symbol), x.span) for x in system.definitions]
    places += [(f"{name(s)}'", span) for s, span in zip(system.states, spans, strict=True)]
    places += [(f"{name(s)}(0)", None) for s in system.states]
    for declared, o in zip(d.observations, system.observations, strict=True):
        places += [(f"observe {o.column}", declared.span)] * len(o.exprs)
    for event in system.at_events:
        count = sum(e is not None for e in (event.time, event.every, event.until)) + len(event.assignments)
        places += [(f"at {show(event.time, name)}", event.span)] * count
    return places


def _records(system: EquationSystem, made: list[tuple[Change, ...]]) -> tuple[Rewrite, ...]:
    """One record per change, at the first place where it is made."""
    name = user_names(system.declarations)
    seen: set[tuple[Expr, Expr]] = set()
    records = []
    for (place, span), changes in zip(_places(system), made, strict=True):
        for change in changes:
            if change[:2] in seen:
                continue
            seen.add(change[:2])
            before, after, about = (_short(show(e, name)) for e in change[:3])
            records.append(Rewrite(place, before, after, change.reason.format(u=about), span))
    return tuple(records)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
