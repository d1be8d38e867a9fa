"""The machinery that turns syntax into values without recursing: frames, the stack, and what every visitor needs.

A visitor is a generator: it yields (expression, frame) for each part whose value it wants and returns its own
value. `None` is the value of what is wrong and was reported; it silences everything built upon it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import GeneratorType, MappingProxyType
from typing import Any, NamedTuple, TypeVar

from hybridode.declarations import InputSignal, Network, Shape, Table
from hybridode.expr import Expr, Symbol, node
from hybridode.language import syntax as s
from hybridode.language.findings import Findings, Place
from hybridode.language.members import Members, NotRolled
from hybridode.language.names import listing
from hybridode.language.scope import KINDS, Entity, Scope
from hybridode.language.units_text import LiteralUnits
from hybridode.language.values import NotConstant, Value, common_shape, evaluate, shape_text

T = TypeVar("T")
Result = Value | None
Visit = Generator[tuple[s.Node, "Frame"], Result, Result]

EVERYWHERE = frozenset({"time", "state", "alg", "derivative", "param", "const", "input", "definition", "func", "nn", "table"})
AT_START = EVERYWHERE - {"derivative"}
IN_FUNCTION = frozenset({"param", "const", "func", "nn", "table"})
CONSTANTS = frozenset({"const", "func"})
KNOWN_TIMES = frozenset({"param", "const", "func", "definition"})


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Usage(NamedTuple):
    """Where an expression stands: what it may read, and how a network that stands in it is named."""

    what: str  # "the value of `k`"
    allowed: frozenset[str] = EVERYWHERE
    remedy: str = ""  # what to do instead of reading something that is not allowed
    net_stem: str = ""  # inline networks are called NN_<stem>; "": none may stand here
    equation: str = ""  # the state or definition whose equation this is
    starts: bool = False  # names mean their values at the start
    dynamics: bool = False  # the expression is (or may be) part of a right side


class Frame(NamedTuple):
    """One level of the walk. `outputs` is what a network standing exactly here is asked for; `unit` is the unit of
    the place that a literal standing exactly here fills."""

    usage: Usage
    local: Mapping[str, Result] = _NOTHING
    call: Place | None = None  # the outermost call of the function whose body this is
    outputs: Shape = ()
    many: str = ""  # why a network standing here should be named: its place has several entries
    unit: s.Unit | None = None
    unit_of: str = ""
    family: Members | None = None  # the indices whose values this expression is worked out for

    def plain(self) -> Frame:
        """For parts whose value has no place of its own (an argument, a factor, an exponent)."""
        if not self.outputs and self.unit is None and not self.many:
            return self
        return self._replace(outputs=(), unit=None, many="")

    def factor(self) -> Frame:
        """For factors: a network here would be one number for all entries, which is rarely meant."""
        if not self.outputs and not self.many:
            return self.plain()
        return self._replace(outputs=(), unit=None, many=self.many or f"{_entries(self.outputs)} here")


def _entries(shape: Shape) -> str:
    return f"{math.prod(shape)} entries"


@dataclass
class Elaboration:
    """What visitors share: the names, the findings, and what they discover (inline networks, conditions)."""

    scope: Scope
    findings: Findings
    literals: LiteralUnits
    visitors: Mapping[type, Callable[[Elaboration, Any, Frame], Visit | Result]]
    functions: dict[str, s.FunctionStatement] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    inputs: dict[str, InputSignal] = field(default_factory=dict)
    inlined: dict[Any, Result] = field(default_factory=dict)  # function and arguments -> value
    net_counts: dict[str, int] = field(default_factory=dict)
    indexed_networks: dict[int, Network] = field(default_factory=dict)  # inline networks in families, by their place
    wholes: dict[tuple[str, str], Value] = field(default_factory=dict)  # names read whole: one object for all that read them
    conditions: list[tuple[s.Node, tuple[Expr, ...], Usage]] = field(default_factory=list)
    restarts: list[s.Node] = field(default_factory=list)  # where `x(0)` is read outside starts

    def evaluate(self, root: s.Node, frame: Frame) -> Result:
        """The value of an expression, None after an error."""
        stack: list[Visit] = []
        begun = self._begin(root, frame, stack)
        return self._drive(stack, begun) if stack else begun

    def run(self, visit: Generator[tuple[s.Node, Frame], Result, T]) -> T:
        """What a visitor returns, for visitors that are not the whole of an expression."""
        return self._drive([visit], None)

    def _drive(self, stack: list[Any], result: Any) -> Any:
        while stack:
            try:
                node, inner = stack[-1].send(result)
            except StopIteration as stop:
                stack.pop()
                result = stop.value
            else:
                result = self._begin(node, inner, stack)
        return result

    def _begin(self, node: s.Node, frame: Frame, stack: list[Visit]) -> Result:
        begun: Any = self.visitors[type(node)](self, node, frame)
        if isinstance(begun, GeneratorType):
            stack.append(begun)
            return None
        return begun

    # ---- what visitors say ------------------------------------------------------------------------------------------
    def error(self, code: str, message: str, place: Place, frame: Frame, hint: str = "", related: Place | None = None) -> None:
        """An error inside an expression; inside a function's body the call is shown too."""
        notes = [(related, "declared here")] if related is not None else []
        if frame.call is not None:
            notes.append((frame.call, "called here"))
        self.findings.error(code, message, place, hint, notes)

    def may_read(self, entity: Entity, kind: str, place: Place, frame: Frame) -> bool:
        """Whether a name of this kind may stand here; reports if not."""
        usage = frame.usage
        if kind in usage.allowed:
            return True
        subject = f"`{entity.name}`" if kind != "derivative" else f"`{entity.name}'`"
        allowed = [KINDS[k] for k in ("param", "const", "definition", "input", "time") if k in usage.allowed]
        hint = usage.remedy or (f"only {', '.join(a.split(' ', 1)[1] + 's' for a in allowed)} may stand here" if allowed else "")
        self.error("E0318", f"{subject} is {KINDS[kind]} and cannot be read in {usage.what}", place, frame, hint)
        return False

    def is_number(self, value: Value, place: Place, frame: Frame) -> bool:
        if value.boolean:
            hint = "write `if … then 1 else 0`, or `heaviside(x - a)` for `x >= a`"
            self.error("E0315", "a condition stands where a number is expected", place, frame, hint)
        return not value.boolean

    def is_condition(self, value: Value, place: Place, frame: Frame) -> bool:
        if not value.boolean:
            self.error("E0315", "a number stands where a condition is expected", place, frame, "compare it: `x > 0`")
        return value.boolean

    def is_scalar(self, value: Value, what: str, place: Place, frame: Frame) -> bool:
        if value.shape:
            hint = "choose an entry: `x[1]`, or reduce it: `sum(x)`, `norm(x)`"
            self.error("E0313", f"{what} is one number, this is {shape_text(value.shape)}", place, frame, hint)
        return not value.shape

    def agree(self, values: list[Value], places: Sequence[s.Node], what: str, frame: Frame) -> Shape | None:
        """The common shape of what is combined entry by entry; reports at the first that does not fit."""
        shape = common_shape(values)
        if shape is not None:
            return shape
        first = next(v for v in values if v.shape)
        i = next(i for i, v in enumerate(values) if v.shape and v.shape != first.shape)
        message = f"{what} takes equal sizes: {shape_text(first.shape)} and {shape_text(values[i].shape)}"
        vectors = len(first.shape) == len(values[i].shape) == 1
        hint = "take a slice of the longer one: `x[1..2]`" if vectors else "a matrix product is written `A @ x`"
        self.error("E0313", message, places[i], frame, hint)
        return None

    def whole(self, value: Result, place: Place, frame: Frame, what: str) -> int | None:
        """The whole number of a constant value (an index, a size); reports if it is none."""
        if value is None or not self.is_number(value, place, frame) or not self.is_scalar(value, what, place, frame):
            return None
        numbers = self.whole_numbers(value.scalar, place, frame, what)
        if numbers is None:
            return None
        if len(numbers) > 1:
            raise NotRolled
        return next(iter(numbers))

    def whole_numbers(self, e: Expr, place: Place, frame: Frame, what: str) -> tuple[int, ...] | None:
        """The whole number of a constant expression, one for all members of the family or one for each; reports if it is none."""
        family = frame.family
        try:
            if family is not None and family.depends(e):
                numbers = family.numbers(e, self.scope.known)
            else:
                numbers = [evaluate(e, self.scope.known)]
        except NotConstant as reason:
            if reason.symbol is not None and self.is_broken(reason.symbol.name):
                return None
            because = (
                f"`{self.shown(reason.symbol, frame)}` is not a constant"
                if reason.symbol
                else "networks and tables are not constants"
            )
            self.error("E0314", f"{what} must be known before the run: {because}", place, frame, "use whole numbers and `const`s")
            return None
        for k, number in enumerate(numbers):
            if not math.isfinite(number) or number != math.floor(number) or abs(number) > 1e9:
                where = f" where {family.where(k)}" if family is not None and len(numbers) > 1 else ""
                message = f"{what} is a whole number, this is {number:g}{where}"
                self.error("E0314", message, place, frame, "write `1`, `2`, …, or a `const`")
                return None
        return tuple(map(int, numbers))

    def shown(self, symbol: Symbol, frame: Frame) -> str:
        """A symbol as the user knows it: a slot as what its first member reads."""
        if symbol.kind == "slot" and frame.family is not None:
            return str(frame.family.first(node("sym", (), symbol)).data)
        return str(symbol)

    def known(self, frame: Frame, symbol: Symbol | None = None) -> Mapping[Symbol, float]:
        """The numbers of constants, and of the indices of a family of one. An index of more members has no one number."""
        family = frame.family
        if family is None:
            return self.scope.known
        if family.count == 1:
            return family.known(self.scope.known)
        if symbol is not None and symbol.kind in ("index", "slot"):
            raise NotRolled
        return self.scope.known

    def is_broken(self, name: str) -> bool:
        """A declared name whose declaration was reported: what reads it is not blamed."""
        entity = self.scope.find(name)
        return entity is not None and name not in self.scope.shapes

    def constant(self, value: Value, place: Place, frame: Frame, what: str = "") -> tuple[float, ...] | None:
        """The numbers of a constant value; reports if it is not constant or undefined (0/0)."""
        numbers: list[float] = []
        subject = what or frame.usage.what
        for element in value.elements:
            try:
                numbers.append(evaluate(element, self.known(frame)))
            except NotConstant as reason:
                self.known(frame, reason.symbol)
                if reason.symbol is None or not self.is_broken(reason.symbol.name):
                    because = f"`{reason.symbol}`" if reason.symbol else "a network or table"
                    message = f"{subject} must be a number known before the run, {because} is not"
                    self.error("E0312", message, place, frame, "use numbers and `const`s")
                return None
        if any(math.isnan(n) for n in numbers):
            self.error(
                "E0312",
                f"{subject} is not a number",
                place,
                frame,
                "it divides by 0, or takes the root or logarithm of a negative number",
            )
            return None
        return tuple(numbers)

    def among(self, kinds: frozenset[str]) -> str:
        return listing(e.name for e in self.scope.of_kind(*kinds))
