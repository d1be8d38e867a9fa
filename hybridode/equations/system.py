"""`EquationSystem`: the model in canonical form, y' = f(t, y, p, u), every vector laid out as scalars.

The passes take one of these and return another. Nothing here knows how the equations are evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any

from hybridode.declarations import Declarations
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol
from hybridode.rolled import Rolled


@dataclass(frozen=True)
class Rewrite:
    """A change that a pass made to what the user wrote, and why (shown by `hybridode show`)."""

    place: str  # the name of the equation: "m'", "alpha_m", "x(0)"
    before: str
    after: str
    reason: str
    span: Span | None = None


@dataclass(frozen=True)
class ScalarDefinition:
    """One entry of an intermediate; `expr` reads states, parameters, inputs, time and earlier definitions."""

    symbol: Symbol
    expr: Expr
    span: Span | None = None


@dataclass(frozen=True)
class ScalarObservation:
    """One observed column: its distribution's canonical arguments in order, with the censoring limits, as scalars."""

    column: str
    distribution: str
    names: tuple[str, ...]
    exprs: tuple[Expr, ...]


@dataclass(frozen=True)
class ScalarAssignment:
    """In an event `states[state]` becomes `expr`, all at once within one event."""

    state: int
    expr: Expr


@dataclass(frozen=True)
class ScalarAtEvent:
    """Times are expressions of parameters (and constants) only."""

    time: Expr
    assignments: tuple[ScalarAssignment, ...]
    every: Expr | None = None
    until: Expr | None = None
    stop: bool = False
    span: Span | None = None


AMOUNT = Symbol("amount", "amount")  # what a dose adds: a number of each record


@dataclass(frozen=True)
class ScalarDose:
    """What doses do to `states[state]`, and infusions to the rate `states[infusion]` (-1: the data have none into it).

    The options read parameters only; where nothing was said lag is 0, bioavailability 1, rate and duration 0.
    """

    state: int
    infusion: int
    lag: Expr
    bioavailability: Expr
    rate: Expr
    duration: Expr
    span: Span | None = None

    @property
    def options(self) -> tuple[Expr, Expr, Expr, Expr]:
        return self.lag, self.bioavailability, self.rate, self.duration


@dataclass(frozen=True)
class ScalarWhenEvent:
    """An event that is located. `guard` is a number; a condition's guard is positive where `truth` (boolean) holds.

    With `truth` the event fires when it turns true; without, when the guard changes sign in the `direction`. The event of an `if`
    fires either way and sets the state `mode` to the side that holds (see `equations/switches`). One that is `watched` does
    nothing: steps land on it (see `equations/watched`).
    """

    name: str
    guard: Expr
    truth: Expr | None
    assignments: tuple[ScalarAssignment, ...]
    direction: str = "rising"  # falling, either
    at_start: bool = False
    stop: bool = False
    span: Span | None = None
    mode: int = -1
    watched: bool = False

    @property
    def own(self) -> bool:
        """Whether it is an `event` statement of the model."""
        return self.mode < 0 and not self.watched


@dataclass(frozen=True)
class Invariant:
    """0 = `expr` along every solution: what differentiated equations say without derivatives. It holds at a consistent start and
    follows from the dynamics; steps are projected back onto it. It reads differential states, parameters, inputs, time and
    definitions of these. `span`: the equation that it comes from."""

    expr: Expr
    span: Span | None = None


@dataclass(frozen=True)
class Initial:
    """How a consistent start is made from `starts` (given values and guesses): 0 = every one of `equations` there.

    `unknowns` are the places in `states` that are computed (algebraic unknowns, states whose start was not given); `soft` those
    of given plain values, which move, as little as they can, where equations remain that no unknown can satisfy. Other
    states stay as `starts` has them. `jacobian`: d equations[row] / d states[column], None before the pass ran.
    """

    equations: Sequence[Expr]
    spans: tuple[Span | None, ...]
    unknowns: tuple[int, ...]
    soft: tuple[int, ...] = ()
    jacobian: Sequence[JacobianEntry] | None = None


@dataclass(frozen=True)
class Reduced:
    """One thing that was done to implicit equations, in a sentence of the user's terms (shown by `hybridode show`)."""

    text: str
    span: Span | None = None


@dataclass(frozen=True)
class JacobianEntry:
    """d rates[row] / d states[column], an expression that is not identically zero."""

    row: int
    column: int
    expr: Expr


class RolledEntry:
    """An entry of a rolled Jacobian: its expression is written out when asked for."""

    __slots__ = ("_exprs", "_place", "column", "row")

    def __init__(self, row: int, column: int, exprs: Rolled, place: int) -> None:
        self.row, self.column, self._exprs, self._place = row, column, exprs, place

    @property
    def expr(self) -> Expr:
        return self._exprs[self._place]


class RolledJacobian(Sequence[JacobianEntry]):
    """The entries of a large Jacobian, sorted by row and column, their expressions in families."""

    def __init__(self, rows: Sequence[int], columns: Sequence[int], exprs: Rolled) -> None:
        self.rows, self.columns, self.exprs = rows, columns, exprs

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return map(RolledEntry, self.rows, self.columns, repeat(self.exprs), count())

    def __getitem__(self, index: Any) -> Any:
        return (
            list(self)[index]
            if isinstance(index, slice)
            else RolledEntry(self.rows[index], self.columns[index], self.exprs, index)
        )


class RolledDefinition:
    """An intermediate of a large family: its expression is written out when asked for."""

    __slots__ = ("_exprs", "_place", "span", "symbol")

    def __init__(self, symbol: Symbol, span: Span | None, exprs: Rolled, place: int) -> None:
        self.symbol, self.span, self._exprs, self._place = symbol, span, exprs, place

    @property
    def expr(self) -> Expr:
        return self._exprs[self._place]


class RolledDefinitions(Sequence[ScalarDefinition]):
    """Many intermediates, most of them in families; the pieces are in an order in which each reads only earlier ones."""

    def __init__(self, symbols: tuple[Symbol, ...], exprs: Rolled, spans: tuple[Span | None, ...]) -> None:
        self.symbols, self.exprs, self.spans = symbols, exprs, spans

    def __len__(self) -> int:
        return len(self.symbols)

    def __iter__(self) -> Iterator[Any]:
        return map(RolledDefinition, self.symbols, self.spans, repeat(self.exprs), count())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return RolledDefinition(self.symbols[index], self.spans[index], self.exprs, index)


def definition_expressions(definitions: Sequence[ScalarDefinition]) -> Sequence[Expr]:
    """What intermediates are, in their order."""
    return definitions.exprs if isinstance(definitions, RolledDefinitions) else [d.expr for d in definitions]


def with_expressions(definitions: Sequence[ScalarDefinition], exprs: Sequence[Expr]) -> Sequence[ScalarDefinition]:
    """The intermediates with other expressions."""
    if isinstance(definitions, RolledDefinitions):
        assert isinstance(exprs, Rolled), "what was rolled stays rolled"
        return RolledDefinitions(definitions.symbols, exprs, definitions.spans)
    return tuple(ScalarDefinition(d.symbol, e, d.span) for d, e in zip(definitions, exprs, strict=True))


def entry_expressions(entries: Sequence[JacobianEntry]) -> Sequence[Expr]:
    """The expressions of a Jacobian's entries."""
    return entries.exprs if isinstance(entries, RolledJacobian) else [e.expr for e in entries]


@dataclass(frozen=True)
class EquationSystem:
    """Scalars in a fixed order; `rates`, `starts` and `jacobian` of large systems are `Rolled`: they look like scalars, and
    passes work on the templates of their families.

    states/parameters/inputs are the entries of the vectors y, p, u (parameters: all Parameters in file order with the
    fixed ones, then constants that were promoted because data or `--set` give them a value, as symbols of kind "parameter";
    all other constants are folded into numbers). `definitions` are in an order in which each reads only earlier ones.
    `starts[i]` reads only parameters, the start values of inputs (and input rates), time and nets. Where an observation is
    censored its `names` end with "censored_below" or "censored_above". `blocks` are the strongly connected components of the
    state incidence graph in dependency order.

    An ODE leaves `algebraic`, `invariants` and `initial` empty. Else `algebraic[i]` says that `states[i]` is an algebraic
    unknown: then 0 = rates[i] instead of states[i]' = rates[i], so that the mass matrix is diag(not algebraic). The starts of a
    system with `initial` are given values and guesses.
    """

    declarations: Declarations
    states: tuple[Symbol, ...]
    parameters: tuple[Symbol, ...]
    inputs: tuple[Symbol, ...]
    definitions: Sequence[ScalarDefinition]
    rates: Sequence[Expr]
    starts: Sequence[Expr]
    observations: tuple[ScalarObservation, ...] = ()
    at_events: tuple[ScalarAtEvent, ...] = ()
    when_events: tuple[ScalarWhenEvent, ...] = ()
    doses: tuple[ScalarDose, ...] = ()
    rate_spans: tuple[Span | None, ...] = ()
    jacobian: Sequence[JacobianEntry] | None = None  # None before the pass ran
    incidence: tuple[tuple[int, ...], ...] = ()  # per rate: the states it reads, directly or through definitions
    blocks: tuple[tuple[int, ...], ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    algebraic: tuple[bool, ...] = ()  # per state; () for an ODE
    invariants: tuple[Invariant, ...] = ()
    invariant_jacobian: Sequence[JacobianEntry] | None = None  # d invariants[row] / d states[column]
    initial: Initial | None = None
    reduction: tuple[Reduced, ...] = ()

    @property
    def unknowns(self) -> tuple[int, ...]:
        """Places of the algebraic unknowns in `states`."""
        return tuple(i for i, marked in enumerate(self.algebraic) if marked)
