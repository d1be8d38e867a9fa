"""A model with implicit equations as relations between scalars: what the structural analysis works on.

Every entry of an equation, of an explicit rate `x' = f` and of an intermediate `y = f` is one relation; their unknowns are the
highest derivatives of the states, the algebraic unknowns and the intermediates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hybridode.errors import Span
from hybridode.expr import BOOLEAN, Expr, Symbol, node, sub

NOT_SMOOTH = frozenset({"sign", "floor", "heaviside"})  # operations whose derivative is 0


@dataclass(frozen=True)
class Relation:
    """0 = `residual`. An explicit one says what `unknown` is: its residual is `unknown - body`.

    `spans`: where it is written; a combination of several has all of theirs.
    """

    residual: Expr
    spans: tuple[Span, ...] = ()
    unknown: Symbol | None = None
    body: Expr | None = None

    @property
    def span(self) -> Span | None:
        return self.spans[0] if self.spans else None


def explicit(unknown: Symbol, body: Expr, spans: tuple[Span, ...] = ()) -> Relation:
    """`unknown = body`."""
    return Relation(sub(node("sym", (), unknown), body), spans, unknown, body)


@dataclass(frozen=True)
class Unreduced:
    """Scalars of a model before the analysis.

    `states` with their `start` values; `algebraics` with their guesses. `rates`: the explicit ones by state. `definitions`:
    intermediates that move, with the relation of each. `equations`: all others. `velocity`: state -> the state that is its
    derivative by name (`x` -> `x'`). `near`: what symbols are about, for random points. `declared`: where names are
    declared; `name` spells a symbol as the user does.
    """

    states: tuple[Symbol, ...]
    algebraics: tuple[Symbol, ...]
    equations: tuple[Relation, ...]
    rates: Mapping[Symbol, Relation] = field(default_factory=dict)
    definitions: Mapping[Symbol, Relation] = field(default_factory=dict)
    velocity: Mapping[Symbol, Symbol] = field(default_factory=dict)
    near: Mapping[Symbol, float] = field(default_factory=dict)
    kinked: frozenset[str] = frozenset()  # tables whose slope jumps
    declared: Mapping[Symbol, Span] = field(default_factory=dict)
    spell: Callable[[Symbol], str] = str

    def name(self, s: Symbol) -> str:
        return self.spell(s) + "'" * (s.kind == "derivative")


def derivative_symbol(s: Symbol) -> Symbol:
    """The symbol of a quantity's time derivative: `x'` of x, `x''` of x'."""
    return Symbol("derivative", f"{s.name}'" if s.kind == "derivative" else s.name, s.index)


def varied(root: Expr) -> list[Symbol]:
    """The symbols by which an expression has a derivative, in order of first occurrence: what only conditions and steps read is
    left out."""
    found: dict[Symbol, None] = {}
    seen: set[Expr] = set()
    stack: list[Expr] = [root]
    while stack:
        e = stack.pop()
        if e in seen or e.op in NOT_SMOOTH or e.op in BOOLEAN:
            continue
        seen.add(e)
        if e.op == "sym":
            found[e.data] = None
        stack += reversed(e.args[1:] if e.op == "where" else e.args)
    return list(found)


def lines(spans: Sequence[Span | None]) -> str:
    """ "line 4" or "lines 4, 7, 9"."""
    numbers = sorted({s.line for s in spans if s is not None})
    return f"line{'s' * (len(numbers) != 1)} {', '.join(map(str, numbers))}"
