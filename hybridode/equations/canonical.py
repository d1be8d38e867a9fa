"""Declarations -> EquationSystem: vectors laid out as scalars, definitions in order, starts made explicit.

Nothing is simplified here: numbers that were constants stand where the user wrote their names, and `x'` on a
right side stands for the state's rate. A model with equations that hold together is laid out too, and left to the pass `reduce`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hybridode.declarations import AtEvent, Declarations, Shape, State, WhenEvent, size
from hybridode.equations.conditions import guard_of, without_conditions_by_name
from hybridode.equations.intermediates import in_order
from hybridode.equations.order import dependencies_first
from hybridode.equations.rolling import rolled, substituted
from hybridode.equations.system import (
    EquationSystem,
    ScalarAssignment,
    ScalarAtEvent,
    ScalarDefinition,
    ScalarDose,
    ScalarObservation,
    ScalarWhenEvent,
)
from hybridode.errors import Span
from hybridode.expr import ZERO, Expr, Symbol, const, node, substitute, symbols
from hybridode.rolled import Family, Piece, Rolled, pieces_of, symbols_read

_STARTING = ("state", "algebraic", "definition")  # what has a value at the start that others may be computed from


def entries(kind: str, name: str, shape: Shape) -> list[Symbol]:
    """The symbols of all entries of a declared quantity, row-major."""
    return [Symbol(kind, name)] if not shape else [Symbol(kind, name, i) for i in range(size(shape))]


def leaf(symbol: Symbol) -> Expr:
    """The expression that reads a symbol."""
    return node("sym", (), symbol)


def canonical(declarations: Declarations, promoted: frozenset[str] = frozenset()) -> EquationSystem:
    """The equation system of a checked model.

    `promoted` names constants that become parameters because data or `--set` give them a value; the others turn into numbers.
    Of an `is_implicit` model the algebraic unknowns stand behind the states (marked, with their guesses as starts and 0 as
    rates), the rate of an implicit state is its derivative's symbol, and such symbols stay where they are read.
    """
    d = declarations
    unknown = promoted - {c.name for c in d.constants}
    assert not unknown, f"only constants are promoted: {sorted(unknown)}"
    states = [s for state in d.states for s in entries("state", state.name, state.shape)]
    unknowns = [s for a in d.algebraics for s in entries("algebraic", a.name, a.shape)]
    parameters = [p for q in d.parameters for p in entries("parameter", q.name, q.shape)]
    parameters += [Symbol("parameter", s.name, s.index) for s in _promoted(d, promoted)]
    known = _constants(d, promoted)
    known = known if is_implicit(d) else _derivatives(d, known)

    rates = _laid_out([_rate(state) for state in d.states] + [[ZERO]] * len(unknowns), known)
    defined = [s for item in d.definitions for s in entries("definition", item.name, item.shape)]
    bodies = _laid_out([item.elements for item in d.definitions], known)
    spans = {s: item.span for item in d.definitions for s in entries("definition", item.name, item.shape)}
    definitions = in_order(defined, bodies, spans)
    starts = _laid_out([*(state.start for state in d.states), *(a.guess for a in d.algebraics)], known)
    states += unknowns
    index = {s: i for i, s in enumerate(states)}
    return EquationSystem(
        declarations=d,
        states=tuple(states),
        parameters=tuple(parameters),
        inputs=tuple(s for item in d.inputs for s in entries("input", item.name, item.shape)),
        definitions=definitions,
        rates=rates,
        starts=_at_start(states, starts, definitions),
        observations=_observations(d, known),
        at_events=_at_events(d, known, index, definitions),
        when_events=_when_events(d, known, index, definitions),
        doses=_doses(d, known, index),
        rate_spans=(*(span for state in d.states for span in _spans(state)), *(None for _ in unknowns)),
        algebraic=tuple(s.kind == "algebraic" for s in states) if unknowns else (),
    )


def is_implicit(d: Declarations) -> bool:
    """Whether equations hold together, so that the model has to be reduced."""
    return bool(d.equations or d.algebraics)


def residuals(declarations: Declarations, promoted: frozenset[str] = frozenset()) -> list[tuple[Expr, Span | None]]:
    """Every entry of the equations that hold together, 0 = the expression, and where it stands."""
    known = _constants(declarations, promoted)
    return [(e, item.span) for item in declarations.equations for e in substitute(item.residuals, known)]


def _rate(state: State) -> Sequence[Expr]:
    return [leaf(s) for s in entries("derivative", state.name, state.shape)] if state.implicit else state.rate


def _laid_out(vectors: Sequence[Sequence[Expr]], known: Mapping[Symbol, Expr]) -> Sequence[Expr]:
    """Vectors one after the other, with symbols replaced and what has one shape rolled."""
    found: list[Piece] = []
    alone: list[tuple[int, Expr]] = []
    start = 0
    for elements in vectors:
        for places, family in pieces_of(elements):
            moved = tuple([k + start for k in places])
            if family.count == 1 and not family.columns:
                alone.append((moved[0], family.template))
            else:
                found.append(Piece(moved, family))
        start += len(elements)
    made = substituted(found, known)
    for (place, _), e in zip(alone, substitute([e for _, e in alone], known), strict=True):
        made.append(Piece((place,), Family(e, (), 1)))
    return rolled(made, start)


def _of_kind(e: Expr, *kinds: str) -> list[Symbol]:
    return [s for s in symbols(e) if s.kind in kinds]


def _promoted(d: Declarations, promoted: frozenset[str]) -> list[Symbol]:
    return [s for c in d.constants if c.name in promoted for s in entries("constant", c.name, c.shape)]


def _constants(d: Declarations, promoted: frozenset[str]) -> dict[Symbol, Expr]:
    """What every constant is read as: its number, or a parameter if it was promoted."""
    known = {
        symbol: const(value)
        for c in d.constants
        if c.name not in promoted
        for symbol, value in zip(entries("constant", c.name, c.shape), c.values, strict=True)
    }
    return known | {s: leaf(Symbol("parameter", s.name, s.index)) for s in _promoted(d, promoted)}


def _derivatives(d: Declarations, known: dict[Symbol, Expr]) -> dict[Symbol, Expr]:
    """What is known, and `x'` -> the rate of x, itself free of such symbols."""
    read = [x for vector in _all_expressions(d) for x in _derivatives_in(vector)]
    if not read:
        return known
    written = {
        symbol: rate
        for state in d.states
        for symbol, rate in zip(entries("derivative", state.name, state.shape), state.rate, strict=True)
    }
    solved = dict(known)
    for symbol in dependencies_first(read, lambda s: _of_kind(written[s], "derivative")):
        (solved[symbol],) = substitute((written[symbol],), solved)
    return solved


def _derivatives_in(elements: Sequence[Expr]) -> list[Symbol]:
    if not isinstance(elements, Rolled):
        return [s for s in symbols(*elements) if s.kind == "derivative"]
    return sorted(s for s in symbols_read(elements) if s.kind == "derivative")


def _all_expressions(d: Declarations) -> Iterable[Sequence[Expr]]:
    for state in d.states:
        yield from (state.rate, state.start)
    for definition in d.definitions:
        yield definition.elements
    for o in d.observations:
        yield [e for _, e in o.arguments]
        yield [e for e in (o.censored_below, o.censored_above) if e is not None]
    for event in (*d.at_events, *d.when_events):
        yield [a.value for a in event.assignments]
    yield [event.condition for event in d.when_events]


def _spans(state: State) -> list[Span | None]:
    """One span per entry of a state."""
    n = size(state.shape)
    if len(state.rate_spans) == n:
        return list(state.rate_spans)
    return [state.rate_spans[0] if state.rate_spans else state.span] * n


def _at_start(states: list[Symbol], starts: Sequence[Expr], definitions: Sequence[ScalarDefinition]) -> Sequence[Expr]:
    """The starts as expressions of parameters, start values of inputs, time (the start), input rates and nets.

    A start may read definitions and other states: they are taken at the start.
    """
    if isinstance(starts, Rolled) and not any(s.kind in (*_STARTING, "input") for s in symbols_read(starts)):
        return starts
    written = {d.symbol: d.expr for d in definitions} | dict(zip(states, starts, strict=True))
    values = at_start(states, written)
    return tuple(values[s] for s in states)


def at_start(wanted: Iterable[Symbol], written: Mapping[Symbol, Expr]) -> dict[Symbol, Expr]:
    """The values of symbols at the start, and of all that they read. `written`: starts of states, guesses of unknowns,
    definitions. Derivatives that nothing is known of yet are guessed to be 0."""
    values: dict[Symbol, Expr] = {}
    for symbol in dependencies_first(wanted, lambda s: _of_kind(written[s], *_STARTING)):
        here = {s: values[s] for s in _of_kind(written[symbol], *_STARTING)}
        here |= {s: leaf(Symbol("start_input", s.name, s.index)) for s in _of_kind(written[symbol], "input")}
        here |= dict.fromkeys(_of_kind(written[symbol], "derivative"), ZERO)
        (values[symbol],) = substitute((written[symbol],), here)
    return values


def _observations(d: Declarations, known: Mapping[Symbol, Expr]) -> tuple[ScalarObservation, ...]:
    out = []
    for o in d.observations:
        limits = (("censored_below", o.censored_below), ("censored_above", o.censored_above))
        named = [*o.arguments, *((name, e) for name, e in limits if e is not None)]
        exprs = substitute([e for _, e in named], known)
        out.append(ScalarObservation(o.column, o.distribution, tuple(name for name, _ in named), exprs))
    return tuple(out)


def _at_events(
    d: Declarations, known: Mapping[Symbol, Expr], index: Mapping[Symbol, int], definitions: Sequence[ScalarDefinition]
) -> tuple[ScalarAtEvent, ...]:
    """Events with their times spelled out: a definition read in a time (of parameters only) is put in its place."""
    if not d.at_events:
        return ()
    inlined: dict[Symbol, Expr] = {}
    for definition in definitions:
        (inlined[definition.symbol],) = substitute((definition.expr,), inlined)

    def of_parameters(e: Expr) -> Expr:
        return substitute(substitute((e,), known), inlined)[0]

    return tuple(
        ScalarAtEvent(
            time=of_parameters(event.time),
            assignments=_assignments(event, known, index),
            every=None if event.every is None else of_parameters(event.every),
            until=None if event.until is None else of_parameters(event.until),
            stop=event.stop,
            span=event.span,
        )
        for event in d.at_events
    )


def _doses(d: Declarations, known: Mapping[Symbol, Expr], index: Mapping[Symbol, int]) -> tuple[ScalarDose, ...]:
    def option(e: Expr | None, otherwise: float) -> Expr:
        return const(otherwise) if e is None else substitute((e,), known)[0]

    return tuple(
        ScalarDose(
            state=index[Symbol("state", dose.state, dose.entry)],
            infusion=index[Symbol("state", dose.infusion)] if dose.infused else -1,
            lag=option(dose.lag, 0.0),
            bioavailability=option(dose.bioavailability, 1.0),
            rate=option(dose.rate, 0.0),
            duration=option(dose.duration, 0.0),
            span=dose.span,
        )
        for dose in d.doses
    )


def _assignments(
    event: AtEvent | WhenEvent, known: Mapping[Symbol, Expr], index: Mapping[Symbol, int]
) -> tuple[ScalarAssignment, ...]:
    return tuple(
        ScalarAssignment(index[Symbol("state", a.state, a.entry)], substitute((a.value,), known)[0]) for a in event.assignments
    )


def _when_events(
    d: Declarations, known: Mapping[Symbol, Expr], index: Mapping[Symbol, int], definitions: Sequence[ScalarDefinition]
) -> tuple[ScalarWhenEvent, ...]:
    boolean = frozenset(s for item in d.definitions if item.boolean for s in entries("definition", item.name, item.shape))
    bodies = {x.symbol: x.expr for x in definitions if x.symbol in boolean} if d.when_events else {}
    made = []
    for event in d.when_events:
        (condition,) = substitute((event.condition,), known)
        condition = without_conditions_by_name(condition, bodies, boolean)
        guard = guard_of(condition) if event.boolean else condition
        truth = condition if event.boolean else None
        made.append(
            ScalarWhenEvent(
                event.name, guard, truth, _assignments(event, known, index), event.direction, event.at_start, event.stop,
                event.span,
            )
        )  # fmt: skip
    return tuple(made)
