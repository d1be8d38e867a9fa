"""The syntax tree: frozen nodes that say what was written and where.

`start` and `end` are character offsets into the source. Chains of one precedence level are flat (a sum of
20,000 terms is one node), so that only parentheses, calls and conditionals make a tree deep. Nothing here
knows what a name means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Node:
    start: int = field(compare=False, repr=False)
    end: int = field(compare=False, repr=False)


# ---- units ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class UnitFactor(Node):
    name: str  # "mM", or "1" (or another whole number) for a pure number
    exponent: float  # already signed by `/`


@dataclass(frozen=True, slots=True)
class Unit(Node):
    text: str  # as written, blanks squeezed: "1/(uM*min)"
    factors: tuple[UnitFactor, ...]


# ---- expressions ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Number(Node):
    text: str
    value: float
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Text(Node):
    value: str  # without the quotes


@dataclass(frozen=True, slots=True)
class Ref(Node):
    name: str  # NFC-normalised, backquotes removed; dotted names keep their dots: "m1.V"


@dataclass(frozen=True, slots=True)
class Prime(Node):
    """`x'` and `dx/dt` (both give this node; `operand` of `dx/dt` is the Ref of x)."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Option(Node):
    """`name=value` inside a call or a statement's options; a bare flag has value None."""

    name: str
    value: Expression | Text | None


@dataclass(frozen=True, slots=True)
class Range(Node):
    """`a..b`, both ends included."""

    first: Expression
    last: Expression


@dataclass(frozen=True, slots=True)
class Iterator(Node):
    """`i in a..b if condition` (in `for` and inside `sum(…)`)."""

    name: str
    range: Range
    condition: Expression | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    function: Expression  # mostly a Ref
    arguments: tuple[Expression | Option | Iterator | Text, ...]


@dataclass(frozen=True, slots=True)
class Index(Node):
    operand: Expression
    indices: tuple[Expression | Range, ...]


@dataclass(frozen=True, slots=True)
class Sign(Node):
    """Unary minus (or plus)."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Power(Node):
    base: Expression
    exponent: Expression


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """Left-associative chain of one precedence level: `first op1 e1 op2 e2 …`.

    `level` is one of "sum" (`+ -`), "product" (`* / @`), "and", "or".
    """

    level: str
    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    operator: str  # < <= > >= == !=
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not(Node):
    operand: Expression


@dataclass(frozen=True, slots=True)
class IfElse(Node):
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Expression, ...]


Expression = Number | Ref | Prime | Call | Index | Sign | Power | Chain | Compare | Not | IfElse | ListLiteral


# ---- parts of statements ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name where it is declared or meant literally (never looked up)."""

    text: str


@dataclass(frozen=True, slots=True)
class Target(Node):
    """What is assigned, observed or given a history: `x`, `x[i]`, `m1.V`, with primes (`theta'`)."""

    name: str
    indices: tuple[Expression | Range, ...] = ()
    primes: int = 0


@dataclass(frozen=True, slots=True)
class Distribution(Node):
    name: str
    arguments: tuple[Expression | Option, ...]


@dataclass(frozen=True, slots=True)
class Bounds(Node):
    lower: Expression
    upper: Expression


@dataclass(frozen=True, slots=True)
class GroupValue(Node):
    """`"north" = 1.2`: the value under one label."""

    label: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Group(Node):
    """`by site`, with values by label after it or not."""

    name: Name
    values: tuple[GroupValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Modifiers(Node):
    """What may follow a param's or state's value, in any order, each at most once (the parser keeps all; the
    checker reports repetitions): bounds, scales ("log", "logit", "fixed"), groups (`by ID`)."""

    bounds: tuple[Bounds, ...] = ()
    scales: tuple[Name, ...] = ()
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target := value [for …]` inside an event."""

    target: Target
    value: Expression
    iterators: tuple[Iterator, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop(Node):
    pass


# ---- statements ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Statement(Node):
    word: ClassVar[str] = ""  # the statement's keyword, "" for equations


@dataclass(frozen=True, slots=True)
class ModelStatement(Statement):
    word: ClassVar[str] = "model"
    name: Name
    doc: str = ""


@dataclass(frozen=True, slots=True)
class UnitsStatement(Statement):
    word: ClassVar[str] = "units"
    mode: str  # strict | warn | off


@dataclass(frozen=True, slots=True)
class TimeStatement(Statement):
    word: ClassVar[str] = "time"
    name: Name
    unit: Unit | None = None
    origin: Expression | Text | None = None  # a number, or the date at which the time is 0
    doc: str = ""


@dataclass(frozen=True, slots=True)
class ImportStatement(Statement):
    word: ClassVar[str] = "import"
    path: str
    alias: Name


@dataclass(frozen=True, slots=True)
class UseStatement(Statement):
    word: ClassVar[str] = "use"
    name: Name
    module: Name  # dotted
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ValueStatement(Statement):
    """`param`, `const`, `state`, `alg` and `discrete` (see `kind`)."""

    kind: str
    name: Name
    shape: tuple[Expression, ...] = ()
    fields: tuple[Name, ...] = ()
    unit: Unit | None = None
    value: Expression | None = None
    modifiers: Modifiers | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class InputStatement(Statement):
    word: ClassVar[str] = "input"
    name: Name
    shape: tuple[Expression, ...] = ()
    unit: Unit | None = None
    source: Expression | Text | None = None  # Ref "protocol.I", ListLiteral of Refs, or Text "file.csv"
    options: tuple[Option, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class NoiseStatement(Statement):
    word: ClassVar[str] = "noise"
    name: Name
    shape: tuple[Expression, ...] = ()
    unit: Unit | None = None
    options: tuple[Option, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class RandomStatement(Statement):
    word: ClassVar[str] = "random"
    name: Name
    distribution: Distribution
    group: Name
    shape: tuple[Expression, ...] = ()
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class PriorStatement(Statement):
    word: ClassVar[str] = "prior"
    target: Target
    distribution: Distribution
    at: Number | None = None  # the `(0)` of `prior x(0) ~ …`
    iterators: tuple[Iterator, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkStatement(Statement):
    word: ClassVar[str] = "nn"
    name: Name
    inputs: Expression  # Number, Ref or ListLiteral
    outputs: Expression
    options: tuple[Option, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class FunctionStatement(Statement):
    word: ClassVar[str] = "func"
    name: Name
    parameters: tuple[Name, ...]
    body: Expression
    doc: str = ""


@dataclass(frozen=True, slots=True)
class GridStatement(Statement):
    word: ClassVar[str] = "grid"
    name: Name
    range: Range
    unit: Unit | None = None
    options: tuple[Option, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class TableStatement(Statement):
    word: ClassVar[str] = "table"
    name: Name
    arguments: tuple[tuple[Name, Unit | None], ...]
    unit: Unit | None = None
    points: Expression | Text | None = None  # ListLiteral, Ref "data.x" or Text "file.csv"
    options: tuple[Option, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class HistoryStatement(Statement):
    word: ClassVar[str] = "history"
    target: Target
    value: Expression
    iterators: tuple[Iterator, ...] = ()


@dataclass(frozen=True, slots=True)
class BoundaryStatement(Statement):
    word: ClassVar[str] = "bc"
    grid: Name
    place: Expression
    left: Expression
    right: Expression
    iterators: tuple[Iterator, ...] = ()


@dataclass(frozen=True, slots=True)
class EventStatement(Statement):
    word: ClassVar[str] = "event"
    target: Target
    condition: Expression
    actions: tuple[Assign | Stop, ...]
    direction: str = ""  # rising | falling | either | ""
    at_start: bool = False
    iterators: tuple[Iterator, ...] = ()


@dataclass(frozen=True, slots=True)
class AtStatement(Statement):
    word: ClassVar[str] = "at"
    time: Expression
    actions: tuple[Assign | Stop, ...]
    every: Expression | None = None
    until: Expression | None = None


@dataclass(frozen=True, slots=True)
class DoseStatement(Statement):
    word: ClassVar[str] = "dose"
    target: Target
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Species(Node):
    target: Target  # name "null" for the empty side
    count: float = 1.0


@dataclass(frozen=True, slots=True)
class ReactionStatement(Statement):
    word: ClassVar[str] = "reaction"
    name: Name | None
    left: tuple[Species, ...]
    right: tuple[Species, ...]
    arrow: str  # -> or <->
    rates: tuple[Expression, ...] = ()  # mass action
    law: Expression | None = None  # `@ law`
    iterators: tuple[Iterator, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Censoring(Node):
    side: str  # below | above
    limit: Expression


@dataclass(frozen=True, slots=True)
class ObserveStatement(Statement):
    word: ClassVar[str] = "observe"
    target: Target  # a data column
    distribution: Distribution
    at: str = ""  # "", "end", "start"
    censored: tuple[Censoring, ...] = ()
    iterators: tuple[Iterator, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Equation(Statement):
    """Any `left = right`: definition, dynamics, initial value, algebraic equation. The checker tells them apart."""

    left: Expression
    right: Expression
    iterators: tuple[Iterator, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A parsed file: its statements in file order. `comments` are offsets, for the formatter."""

    statements: tuple[Statement, ...]
    comments: tuple[tuple[int, int], ...] = ()
