"""The pass `reduce`: a laid-out model with equations that hold together becomes y' = f, 0 = g with invariants.

Matching and index reduction (`index`, `pantelides`), hidden dependences (`elimination`), the block-triangular order (`blocks`)
and what is solved by hand in it (`solve`, `tearing`, `loops`); then everything is an EquationSystem again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hybridode.declarations import Declarations
from hybridode.equations.canonical import at_start, canonical, entries, leaf, residuals
from hybridode.equations.conditions import without_conditions_by_name
from hybridode.equations.dae.analyse import Analysis, analyse
from hybridode.equations.dae.differentiate import CannotDifferentiate
from hybridode.equations.dae.initial import initial_of
from hybridode.equations.dae.points import Points
from hybridode.equations.dae.relations import Relation, Unreduced, derivative_symbol, explicit
from hybridode.equations.dae.report import report
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.names import user_names
from hybridode.equations.order import dependencies_first
from hybridode.equations.system import EquationSystem, Invariant, ScalarDefinition
from hybridode.equations.whole_system import over_expressions
from hybridode.errors import Span
from hybridode.expr import ZERO, Expr, Symbol, substitute, symbols

MOVING = frozenset({"state", "algebraic", "derivative", "time", "input", "input_rate"})
Residuals = Sequence[tuple[Expr, Span | None]]


def reduce(system: EquationSystem, equations: Residuals, shapes: ShapeCache) -> EquationSystem:
    """The system of an implicit model, as `canonical` lays it out with its `equations` (`residuals`), in canonical form.

    Raises ModelError E0360 to E0363 where the equations do not determine the unknowns or cannot be differentiated.
    """
    system, equations = _written_out(system, equations)
    model = relations_of(system, equations)
    smooth = {x.name for x in system.declarations.inputs if x.interpolation not in ("previous", "next")}

    def inputs(s: Symbol) -> Expr:
        if s.kind == "input_rate" or (s.kind == "input" and s.name not in smooth):
            raise CannotDifferentiate(leaf(s))
        return leaf(s._replace(kind="input_rate")) if s.kind == "input" else ZERO

    analysis = analyse(model, shapes, inputs)
    return _assembled(system, analysis)


def require_determined(declarations: Declarations) -> None:
    """Raises ModelError where `reduce` does, without SymPy: our own rules differentiate."""
    reduce(canonical(declarations), residuals(declarations), ShapeCache(most_shapes=0))


def _written_out(system: EquationSystem, equations: Residuals) -> tuple[EquationSystem, Residuals]:
    """The system with the derivative of a position written as its velocity."""
    known = {derivative_symbol(s): leaf(v) for s, v in _velocities(system).items()}
    system = replace(system, rates=tuple(system.rates), definitions=tuple(_plain(d) for d in system.definitions))
    new = substitute([e for e, _ in equations], known)
    return (
        over_expressions(system, lambda exprs: substitute(exprs, known)),
        [(e, span) for e, (_, span) in zip(new, equations, strict=True)],
    )


def _plain(d: ScalarDefinition) -> ScalarDefinition:
    return ScalarDefinition(d.symbol, d.expr, d.span)


def _velocities(system: EquationSystem) -> dict[Symbol, Symbol]:
    """States whose rate is just another state, which is their derivative by another name."""
    states = {s for s in system.states if s.kind == "state"}
    found: dict[Symbol, Symbol] = {}
    for s, rate in zip(system.states, system.rates, strict=True):
        if rate.op != "sym" or rate.data not in states or rate.data == s:
            continue
        end: Symbol | None = rate.data
        while end is not None and end != s:
            end = found.get(end)
        if end is None:
            found[s] = rate.data
    return found


# ---- there ----------------------------------------------------------------------------------------------------------
def relations_of(system: EquationSystem, equations: Residuals) -> Unreduced:
    """What holds between the scalars of a laid-out system."""
    d = system.declarations
    boolean = frozenset(s for item in d.definitions if item.boolean for s in entries("definition", item.name, item.shape))
    bodies = {x.symbol: x.expr for x in system.definitions}
    conditions = {s: bodies[s] for s in boolean}
    moving = _moving(system)
    fixed = {x: leaf(_as_constant(x)) for x in bodies if x not in moving and x not in boolean}

    def whole(e: Expr) -> Expr:
        return substitute((without_conditions_by_name(e, conditions, boolean) if boolean else e,), fixed)[0]

    velocity = _velocities(system)
    states = [s for s in system.states if s.kind == "state"]
    rates: dict[Symbol, Relation] = {}
    for s, rate, span in zip(system.states, system.rates, system.rate_spans, strict=True):
        implicit = rate == leaf(derivative_symbol(s))
        if s.kind == "state" and s not in velocity and not implicit:
            rates[s] = explicit(derivative_symbol(s), whole(rate), _one(span))
    return Unreduced(
        states=tuple(states),
        algebraics=tuple(s for s in system.states if s.kind == "algebraic"),
        equations=tuple(Relation(whole(e), _one(span)) for e, span in equations),
        rates=rates,
        definitions={
            x.symbol: explicit(x.symbol, whole(x.expr), _one(x.span))
            for x in system.definitions
            if x.symbol in moving and x.symbol not in boolean
        },
        velocity=velocity,
        near=_near(system),
        kinked=frozenset(x.name for x in d.tables if x.interpolation in ("linear", "previous", "next")),
        declared=_declared_places(d),
        spell=user_names(d),
    )


def _moving(system: EquationSystem) -> set[Symbol]:
    """The intermediates that change in a run; the others count as constants."""
    found: set[Symbol] = set()
    for x in system.definitions:
        if any(s.kind in MOVING or s in found for s in symbols(x.expr)):
            found.add(x.symbol)
    return found


def _as_constant(s: Symbol) -> Symbol:
    return s._replace(kind="constant")


def _one(span: Span | None) -> tuple[Span, ...]:
    return () if span is None else (span,)


def _near(system: EquationSystem) -> dict[Symbol, float]:
    """What symbols are about: declared values of parameters, starts and guesses that are not 0."""
    d = system.declarations
    declared = {
        Symbol("parameter", q.name, s.index): value
        for q in (*d.parameters, *d.constants)
        for s, value in zip(entries("parameter", q.name, q.shape), q.values, strict=True)
    }
    starts = Points(declared).values(system.starts)[0]
    return declared | {s: v for s, v in zip(system.states, starts, strict=True) if v and math.isfinite(v)}


def _declared_places(d: Declarations) -> dict[Symbol, Span]:
    groups = (("state", d.states), ("algebraic", d.algebraics), ("definition", d.definitions))
    return {s: x.span for kind, group in groups for x in group if x.span for s in entries(kind, x.name, x.shape)}


# ---- and back -------------------------------------------------------------------------------------------------------
def _assembled(system: EquationSystem, found: Analysis) -> EquationSystem:
    # An intermediate that came out as an unknown is one by another symbol, and its definition reads that.
    renamed = {s: s._replace(kind="algebraic") for s in (*found.states, *found.torn) if s.kind == "definition"}
    states = [renamed.get(s, s) for s in (*found.states, *found.torn)]
    n = len(found.states)
    back = {_as_constant(x.symbol): leaf(x.symbol) for x in system.definitions}
    exprs = substitute([e for _, e, _ in found.definitions], back)
    made = {
        s: ScalarDefinition(s, e, spans[0] if spans else None) for e, (s, _, spans) in zip(exprs, found.definitions, strict=True)
    }
    left = substitute([r.residual for r in found.residuals], back)
    kept = substitute([r.residual for r in found.invariants], back)
    made |= {s: ScalarDefinition(s, leaf(new)) for s, new in renamed.items()}
    for x in system.definitions:  # those that do not move, and conditions
        made.setdefault(x.symbol, x)
    spans = dict(zip(system.states, system.rate_spans, strict=True))
    rates = {s: leaf(renamed.get(rate, rate)) for s, rate in found.rate.items()}
    invariants = tuple(Invariant(e, r.span) for e, r in zip(kept, found.invariants, strict=True))
    new = replace(
        system,
        states=tuple(states),
        rates=(*(rates[s] for s in found.states), *left),
        starts=_starts(system, (*found.states, *found.torn)),
        rate_spans=(*(spans.get(s) for s in found.states), *(r.span for r in found.residuals)),
        algebraic=tuple(k >= n for k in range(len(states))) if found.torn else (),
        invariants=invariants,
        definitions=(),
    )
    new = _with_definitions(new, made)
    new = replace(new, initial=initial_of(new, system))
    return replace(new, reduction=report(found, new))


def _starts(system: EquationSystem, states: Iterable[Symbol]) -> tuple[Expr, ...]:
    """Given values and guesses."""
    written = {x.symbol: x.expr for x in system.definitions} | dict(zip(system.states, system.starts, strict=True))
    known = at_start([s for s in states if s in written], written)
    return tuple(known.get(s, ZERO) for s in states)


def _with_definitions(system: EquationSystem, made: dict[Symbol, ScalarDefinition]) -> EquationSystem:
    """The system with its definitions in order; a derivative without a name that only its own rate reads is that rate."""
    states = set(system.states)
    readers: dict[Symbol, int] = {}
    outside: list[Expr] = []
    over_expressions(system, lambda exprs: outside.extend(exprs) or exprs)
    for e in (*outside, *(x.expr for x in made.values())):
        for s in symbols(e):
            readers[s] = readers.get(s, 0) + 1
    inlined = {
        s: made[s].expr
        for rate in system.rates
        if rate.op == "sym" and (s := rate.data) in made and s not in states and s.kind == "derivative" and readers[s] == 1
    }
    rates = tuple(inlined.get(e.data, e) if e.op == "sym" else e for e in system.rates)
    left = {s: x for s, x in made.items() if s not in inlined}
    order = dependencies_first(left, lambda s: [x for x in symbols(left[s].expr) if x in left])
    return replace(system, rates=rates, definitions=tuple(left[s] for s in order))
