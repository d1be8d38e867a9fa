"""A tape element by element: a graph of scalars in which what is computed alike is one node.

Vectors are how a tape is written, not how a processor works on it: gathers, concatenations and spread scalars vanish here,
elements that nothing reads are not made, and places that a scatter leaves empty are no summands. Values are those of the tape
(an empty place is 0; only the sign of a zero may differ where one is added to).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape

Node = int
Nodes = Sequence[Node]
ZERO = 0  # the node of an empty place


class Scalar(NamedTuple):
    """An elementwise operation on nodes; `input` (attrs: name, place) and `const` (attrs: the number) have none."""

    op: str
    args: tuple[Node, ...]
    attrs: Any


class ScalarGraph:
    """A growing graph of scalars, operands before readers."""

    def __init__(self) -> None:
        self.nodes: list[Scalar] = [Scalar("const", (), 0.0)]
        self._found: dict[Any, Node] = {}

    def node(self, op: str, args: tuple[Node, ...] = (), attrs: Any = None) -> Node:
        """The node of this operation."""
        if ZERO in args and op in _BESIDE_ZERO:
            folded = _BESIDE_ZERO[op](self, *args)
            if folded is not None:
                return folded
        if len(args) == 2 and args[0] > args[1] and OPS[op].commutative:
            key: Any = (op, (args[1], args[0]), attrs)
        else:
            key = (op, args, attrs)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = len(self.nodes)
            self.nodes.append(Scalar(op, args, attrs))
        return found

    def nothing(self) -> Node:
        """An empty place."""
        return ZERO

    def constant(self, value: float | bool) -> Node:
        """A constant; equal ones of different signs or kinds are different nodes."""
        key = ("const", type(value), value.hex() if isinstance(value, float) else value)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = len(self.nodes)
            self.nodes.append(Scalar("const", (), value))
        return found

    def add(self, a: Node, b: Node) -> Node:
        return self.node("add", (a, b))

    def mul(self, a: Node, b: Node) -> Node:
        return self.node("mul", (a, b))

    def total(self, terms: Nodes) -> Node:
        """The sum in pairs: short chains, small rounding errors."""
        level = list(terms) or [ZERO]
        while len(level) > 1:
            level = [self.add(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
        return level[0]


# What adding or taking away nothing comes to.
_BESIDE_ZERO: dict[str, Callable[..., Node | None]] = {
    "add": lambda g, a, b: b if a == ZERO else a,
    "sub": lambda g, a, b: a if b == ZERO else g.node("neg", (b,)),
    "neg": lambda g, a: ZERO,
    "mul": lambda g, a, b: ZERO if g.nodes[b if a == ZERO else a].op == "const" else None,
}


def scalars(tape: Tape) -> tuple[ScalarGraph, dict[str, list[Node]]]:
    """The graph of a tape and the nodes of its outputs' elements (row-major)."""
    g = ScalarGraph()
    values: list[Nodes] = [[g.node("input", (), (i.name, k)) for k in range(size(i.shape))] for i in tape.inputs]
    shapes: list[Shape] = [i.shape for i in tape.inputs]
    for op, args, attrs, shape in tape.instructions:
        operands = [values[a] for a in args]
        if op in STRUCTURAL:
            values.append(STRUCTURAL[op](g, operands, [shapes[a] for a in args], attrs, shape))
        else:
            n = size(shape)
            spread = [x if len(x) == n else [x[0]] * n for x in operands]
            values.append([g.node(op, element, attrs) for element in zip(*spread, strict=True)])
        shapes.append(shape)
    return g, {name: list(values[value]) for name, value in tape.outputs}


def shared_divisors(g: ScalarGraph, outputs: Mapping[str, Sequence[Node]]) -> tuple[ScalarGraph, dict[str, list[Node]]]:
    """The graph with one division for all quotients by the same divisor, multiplied by its inverse: a division takes as long as
    five products. Right to a rounding more; quotients by a single divisor, and by constants, stay as they are."""
    counts = Counter(args[1] for op, args, _ in g.nodes if op == "div" and g.nodes[args[1]].op != "const")
    shared = {divisor for divisor, count in counts.items() if count > 1}
    if not shared:
        return g, {name: list(nodes) for name, nodes in outputs.items()}
    made, new = ScalarGraph(), []
    for op, args, attrs in g.nodes:
        at = tuple(new[a] for a in args)
        if op == "const":
            new.append(made.constant(attrs))
        elif op == "div" and args[1] in shared:
            new.append(made.mul(at[0], made.node("div", (made.constant(1.0), at[1]))))
        else:
            new.append(made.node(op, at, attrs))
    new[ZERO] = ZERO
    return made, {name: [new[n] for n in nodes] for name, nodes in outputs.items()}


# ---- structural operations, whatever an element is ------------------------------------------------------------------
Elements = Sequence[Any]


class Arithmetic(Protocol):
    """Makes elements: nodes of a graph, or registers."""

    def constant(self, value: float | bool) -> Any: ...
    def nothing(self) -> Any: ...
    def add(self, a: Any, b: Any) -> Any: ...
    def mul(self, a: Any, b: Any) -> Any: ...
    def total(self, terms: Sequence[Any]) -> Any: ...


def _constant(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    return [g.constant(value) for value in attrs]


def _gather(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    x = operands[0]
    return [x[k] for k in attrs]


def _scatter_add(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    out: list[Any] = [None] * size(shape)
    for value, k in zip(operands[0], attrs, strict=True):
        out[k] = value if out[k] is None else g.add(out[k], value)
    return [g.nothing() if x is None else x for x in out]


def _concat(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    return [x for part in operands for x in part]


def _broadcast(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    x = operands[0]
    if attrs is None:
        return [x[0]] * size(shape)
    rows, columns = shape
    return [x[j if attrs == 0 else i] for i in range(rows) for j in range(columns)]


def _sum(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    x = operands[0]
    if attrs is None:
        return [g.total(x)]
    rows, columns = shapes[0]
    if attrs == 0:
        return [g.total(x[j::columns]) for j in range(columns)]
    return [g.total(x[i * columns : (i + 1) * columns]) for i in range(rows)]


def _dot(g: Arithmetic, x: Elements, y: Elements) -> Any:
    total = g.mul(x[0], y[0])
    for a, b in zip(x[1:], y[1:], strict=True):
        total = g.add(g.mul(a, b), total)
    return total


def _matmul(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    (left, right), ((_, columns_a), (_, columns_b)) = operands, shapes
    flip_a, flip_b = attrs

    def row(i: int) -> Elements:
        return left[i::columns_a] if flip_a else left[i * columns_a : (i + 1) * columns_a]

    def column(j: int) -> Elements:
        return right[j * columns_b : (j + 1) * columns_b] if flip_b else right[j::columns_b]

    return [_dot(g, row(i), column(j)) for i in range(shape[0]) for j in range(shape[1])]


def _matvec(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    return _matmul(g, operands, [shapes[0], (shapes[1][0], 1)], (False, False), (*shape, 1))


def _matvec_transposed(
    g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape
) -> Elements:
    return _matmul(g, operands, [shapes[0], (shapes[1][0], 1)], (True, False), (*shape, 1))


def _outer(g: Arithmetic, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Elements:
    return [g.mul(a, b) for a in operands[0] for b in operands[1]]


STRUCTURAL: Mapping[str, Callable[[Arithmetic, Sequence[Elements], Sequence[Shape], Any, Shape], Elements]] = {
    "const": _constant,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "concat": _concat,
    "broadcast": _broadcast,
    "sum": _sum,
    "matvec": _matvec,
    "matvec_transposed": _matvec_transposed,
    "outer": _outer,
    "matmul": _matmul,
}
