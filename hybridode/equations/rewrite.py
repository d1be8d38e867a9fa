"""Rewrites singular, cancelling and overflowing forms (patterns.py) once per equation shape, and says what it did.

The record is in the user's names: the place, what was written, what it became, why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from hybridode.equations.alpha import instantiate, shape_by_names
from hybridode.equations.canonical import entries
from hybridode.equations.names import user_names
from hybridode.equations.patterns import PATTERNS
from hybridode.equations.system import EquationSystem, Rewrite, definition_expressions
from hybridode.equations.whole_system import expressions, over_expressions, templates
from hybridode.errors import Span
from hybridode.expr import Expr, node, postorder, show
from hybridode.rolled import Rolled, families_of

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
    made = [_by_shape(e, known) for e in expressions(system)]
    changed = over_expressions(system, lambda _: [new.expr for new in made])
    # Starts have their definitions put in; what is told of them is what happens to what the user wrote.
    first = len(templates(definition_expressions(system.definitions))) + len(templates(system.rates))
    made[first : first + len(templates(system.starts))] = [
        _by_shape(e, known) for state in system.declarations.states for e in templates(state.start)
    ]
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


class Told(NamedTuple):
    """Where an expression stands: its name, its line, and what its slots stand for if it is the template of a family."""

    name: str
    span: Span | None
    leaves: tuple[Expr, ...] = ()


_UNTOLD = Told("", None)


def _places(system: EquationSystem) -> list[Told]:
    """Where every expression stands, in the order of `whole_system.expressions`; a family is told of by its first member."""
    d, name = system.declarations, user_names(system.declarations)
    spans = system.rate_spans or (None,) * len(system.rates)
    defined = system.definitions
    places = [
        Told(name(defined[k].symbol), defined[k].span, leaves) for k, leaves in _members_told(definition_expressions(defined))
    ]
    places += [Told(f"{name(system.states[k])}'", spans[k], leaves) for k, leaves in _members_told(system.rates)]
    for state in d.states:
        symbols = entries("state", state.name, state.shape)
        places += [Told(f"{name(symbols[k])}(0)", None, leaves) for k, leaves in _members_told(state.start)]
    for declared, o in zip(d.observations, system.observations, strict=True):
        places += [Told(f"observe {o.column}", declared.span)] * len(o.exprs)
    for event in system.at_events:
        count = sum(e is not None for e in (event.time, event.every, event.until)) + len(event.assignments)
        places += [Told(f"at {show(event.time, name)}", event.span)] * count
    for located in system.when_events:
        count = 1 + (located.truth is not None) + len(located.assignments)
        places += [Told(f"event {located.name}", located.span)] * count
    for declared, dose in zip(d.doses, system.doses, strict=True):
        places += [Told(f"dose {declared.target}", dose.span)] * len(dose.options)
    # What follows from equations is told of where these stand.
    following = len(system.invariants) + (0 if system.initial is None else len(templates(system.initial.equations)))
    return places + [_UNTOLD] * following


def _members_told(elements: Sequence[Expr]) -> Iterator[tuple[int, tuple[Expr, ...]]]:
    """For every template the entry that is told of, and its leaves."""
    if not isinstance(elements, Rolled):
        yield from ((k, ()) for k in range(len(elements)))
        return
    for places, family in elements.pieces:
        yield from ((places[0], f.first_leaves()) for f in families_of(family))


def _records(system: EquationSystem, made: list[tuple[Change, ...]]) -> tuple[Rewrite, ...]:
    """One record per change, at the first place where it is made."""
    name = user_names(system.declarations)
    seen: set[tuple[Expr, Expr]] = set()
    records = []
    for told, changes in zip(_places(system), made, strict=True):
        for template in changes if told is not _UNTOLD else ():
            change = _in_place(template, told.leaves) if told.leaves else template
            if change[:2] in seen:
                continue
            seen.add(change[:2])
            before, after, about = (_short(show(e, name)) for e in change[:3])
            records.append(Rewrite(told.name, before, after, change.reason.format(u=about), told.span))
    return tuple(records)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
