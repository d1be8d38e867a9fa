"""All expressions of a system at once: for passes that change each in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from hybridode.equations.system import (
    EquationSystem,
    ScalarAtEvent,
    ScalarDose,
    ScalarWhenEvent,
    definition_expressions,
    with_expressions,
)
from hybridode.expr import Expr
from hybridode.rolled import Piece, Rolled, families_of, with_templates


def templates(elements: Sequence[Expr]) -> list[Expr]:
    """The expressions; of families their templates, with those of the sums in them."""
    if not isinstance(elements, Rolled):
        return list(elements)
    return [f.template for p in elements.pieces for f in families_of(p.family)]


def renewed(elements: Sequence[Expr], new: Iterator[Expr]) -> Sequence[Expr]:
    """The vector with other templates, in the same order."""
    if not isinstance(elements, Rolled):
        return tuple(next(new) for _ in elements)
    return Rolled([Piece(places, with_templates(family, new)) for places, family in elements.pieces], len(elements))


def expressions(system: EquationSystem) -> list[Expr]:
    """Every expression but the Jacobian's, in the order of `over_expressions`: definitions, rates, starts, observations, …"""
    exprs = templates(definition_expressions(system.definitions))
    exprs += [*templates(system.rates), *templates(system.starts)]
    exprs += [e for o in system.observations for e in o.exprs]
    for event in system.at_events:
        exprs += [e for e in (event.time, event.every, event.until) if e is not None]
        exprs += [a.expr for a in event.assignments]
    for located in system.when_events:
        exprs += [e for e in (located.guard, located.truth) if e is not None]
        exprs += [a.expr for a in located.assignments]
    exprs += [e for dose in system.doses for e in dose.options]
    exprs += [x.expr for x in system.invariants]
    return exprs if system.initial is None else exprs + templates(system.initial.equations)


def over_expressions(system: EquationSystem, change: Callable[[Sequence[Expr]], Sequence[Expr]]) -> EquationSystem:
    """The system with all its expressions changed; `change` gets them all and gives as many in the same order."""
    before = expressions(system)
    after = change(before)
    assert len(after) == len(before), "a pass changed the number of expressions"
    new = iter(after)
    return replace(
        system,
        definitions=with_expressions(system.definitions, renewed(definition_expressions(system.definitions), new)),
        rates=renewed(system.rates, new),
        starts=renewed(system.starts, new),
        observations=tuple(replace(o, exprs=tuple(next(new) for _ in o.exprs)) for o in system.observations),
        at_events=tuple(_event(event, new) for event in system.at_events),
        when_events=tuple(_located(event, new) for event in system.when_events),
        doses=tuple(_dose(dose, new) for dose in system.doses),
        invariants=tuple(replace(x, expr=next(new)) for x in system.invariants),
        initial=system.initial and replace(system.initial, equations=renewed(system.initial.equations, new)),
    )


def _event(event: ScalarAtEvent, new: Iterator[Expr]) -> ScalarAtEvent:
    time = next(new)
    every = None if event.every is None else next(new)
    until = None if event.until is None else next(new)
    return replace(
        event, time=time, every=every, until=until, assignments=tuple(replace(a, expr=next(new)) for a in event.assignments)
    )


def _dose(dose: ScalarDose, new: Iterator[Expr]) -> ScalarDose:
    lag, bioavailability, rate, duration = (next(new) for _ in range(4))
    return replace(dose, lag=lag, bioavailability=bioavailability, rate=rate, duration=duration)


def _located(event: ScalarWhenEvent, new: Iterator[Expr]) -> ScalarWhenEvent:
    guard = next(new)
    truth = None if event.truth is None else next(new)
    return replace(event, guard=guard, truth=truth, assignments=tuple(replace(a, expr=next(new)) for a in event.assignments))
