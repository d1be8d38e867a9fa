"""A tape as straight-line code: every element of every value is one register of lanes.

For tapes whose values are small (up to a few hundred elements). The table `EMITTERS` has one row per operation of the
tape; elementwise rows see one element, structural rows see all elements of their operands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hybridode.kernels.llvm.writer import Writer
from hybridode.kernels.mathlib import name_of
from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Shape, size
from hybridode.tape.tape import Tape

Elements = Sequence[str]
Scalar = Callable[..., str]  # (writer, *operands) -> register
Whole = Callable[[Writer, Sequence[Elements], Sequence[Shape], Any, Shape], list[str]]


def emit(w: Writer, tape: Tape, inputs: Mapping[str, Elements]) -> dict[str, Elements]:
    """Writes the tape's instructions; `inputs` and the result name the registers of all elements (row-major)."""
    values: list[Elements] = []
    shapes: list[Shape] = []
    for i in tape.inputs:
        given = inputs[i.name]
        assert len(given) == size(i.shape), f"{i.name} has {size(i.shape)} elements, got {len(given)}"
        values.append(given)
        shapes.append(i.shape)
    for op, args, attrs, shape in tape.instructions:
        operands = [values[a] for a in args]
        if op in ELEMENTWISE:
            values.append(_each(w, op, operands, attrs, size(shape)))
        else:
            values.append(STRUCTURAL[op](w, operands, [shapes[a] for a in args], attrs, shape))
        shapes.append(shape)
    return {name: values[value] for name, value in tape.outputs}


def _each(w: Writer, op: str, operands: Sequence[Elements], attrs: Any, n: int) -> Elements:
    return [element(w, op, [x[k] if len(x) > 1 or n == 1 else x[0] for x in operands], attrs) for k in range(n)]


def element(w: Writer, op: str, operands: Sequence[str], attrs: Any = None) -> str:
    """An elementwise operation on one element (all lanes)."""
    return ELEMENTWISE[op](w, *operands) if attrs is None else call(w, op, operands, attrs)


# ---- elementwise ----------------------------------------------------------------------------------------------------
def _condition(code: str) -> Scalar:
    return lambda w, a, b: w.compare(code, a, b)


def call(w: Writer, op: str, operands: Sequence[str], attrs: Any = None) -> str:
    """A call of the operation's function in mathlib."""
    w.calls[op, w.lanes, attrs] = None
    real = w.lanes.real
    return w.value(f"call {real} {name_of(op, w.lanes, attrs)}({', '.join(f'{real} {a}' for a in operands)})")


def function(op: str) -> Scalar:
    """The row of an operation that is a function in mathlib."""
    return lambda w, *operands: call(w, op, operands)


def _power(w: Writer, x: str, n: str) -> str:
    """x^n; x^1.5, x^-2.5 and the like by square roots: a tenth of the work, right to 2 ulp."""
    halves = {w.lanes.const(k / 2): k for k in range(-7, 8, 2)}.get(n)
    if halves is None:
        return call(w, "pow", (x, n))
    product = w.intrinsic("sqrt", x)
    for _ in range(abs(halves) // 2):
        product = w.mul(product, x)
    return product if halves > 0 else w.div(w.lanes.const(1.0), product)


ELEMENTWISE: dict[str, Scalar] = {
    "add": Writer.add,
    "sub": Writer.sub,
    "mul": Writer.mul,
    "div": Writer.div,
    "neg": Writer.neg,
    "abs": lambda w, a: w.intrinsic("fabs", a),
    "sqrt": lambda w, a: w.intrinsic("sqrt", a),
    "floor": lambda w, a: w.intrinsic("floor", a),
    "lt": _condition("olt"),
    "le": _condition("ole"),
    "eq": _condition("oeq"),
    "ne": _condition("une"),
    "and": lambda w, a, b: w.logic("and", a, b),
    "or": lambda w, a, b: w.logic("or", a, b),
    "not": lambda w, a: w.logic("xor", a, w.lanes.const(True)),
    "select": lambda w, c, a, b: w.select(c, a, b),
}


# ---- structural -----------------------------------------------------------------------------------------------------
def _constant(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return [w.lanes.const(value) for value in attrs]


def _gather(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return [operands[0][int(k)] for k in attrs]


def _scatter_add(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    out: list[str | None] = [None] * size(shape)
    for value, k in zip(operands[0], attrs, strict=True):
        before = out[k]
        out[k] = value if before is None else w.add(before, value)
    return [w.lanes.const(0.0) if x is None else x for x in out]


def _concat(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return [x for part in operands for x in part]


def _broadcast(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    x = operands[0]
    if attrs is None:
        return [x[0]] * size(shape)
    rows, columns = shape
    return [x[j if attrs == 0 else i] for i in range(rows) for j in range(columns)]


def _sum(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    x = operands[0]
    if attrs is None:
        return [w.tree_sum(x)]
    rows, columns = shapes[0]
    if attrs == 0:
        return [w.tree_sum([x[i * columns + j] for i in range(rows)]) for j in range(columns)]
    return [w.tree_sum(x[i * columns : (i + 1) * columns]) for i in range(rows)]


def _dot(w: Writer, x: Elements, y: Elements) -> str:
    total = w.mul(x[0], y[0])
    for a, b in zip(x[1:], y[1:], strict=True):
        total = w.add(w.mul(a, b), total)
    return total


def _matmul(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    (left, right), ((rows_a, columns_a), (rows_b, columns_b)) = operands, shapes
    flip_a, flip_b = attrs

    def row(i: int) -> Elements:
        return [left[j * columns_a + i] for j in range(rows_a)] if flip_a else left[i * columns_a : (i + 1) * columns_a]

    def column(j: int) -> Elements:
        return right[j * columns_b : (j + 1) * columns_b] if flip_b else [right[i * columns_b + j] for i in range(rows_b)]

    return [_dot(w, row(i), column(j)) for i in range(shape[0]) for j in range(shape[1])]


def _matvec(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return _matmul(w, operands, [shapes[0], (shapes[1][0], 1)], (False, False), (*shape, 1))


def _matvec_transposed(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return _matmul(w, operands, [shapes[0], (shapes[1][0], 1)], (True, False), (*shape, 1))


def _outer(w: Writer, operands: Sequence[Elements], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> list[str]:
    return [w.mul(a, b) for a in operands[0] for b in operands[1]]


STRUCTURAL: dict[str, Whole] = {
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
CALLED = frozenset(op for op in OPS if op not in ELEMENTWISE and op not in STRUCTURAL)  # functions of mathlib
ELEMENTWISE |= {op: function(op) for op in CALLED} | {"pow": _power}
