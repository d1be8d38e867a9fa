"""A tape as straight-line code: every element of every value is one register of lanes.

For tapes whose values are small (up to a few hundred elements). Elements are computed as late as they can be (see
`tape/scalars`), so that few registers are kept long. The table `ELEMENTWISE` has one row per operation on elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hybridode.kernels.llvm.writer import Writer
from hybridode.kernels.mathlib import name_of
from hybridode.tape.ops import OPS
from hybridode.tape.scalars import scalars, shared_divisors
from hybridode.tape.schedule import demand_order, interleaved
from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape

# Scalars of a tape up to which waiting for results costs more than spilling them: measured on steps and reverses of POLLU, HIRES.
MOST_INTERLEAVED = 4000

Elements = Sequence[str]
Scalar = Callable[..., str]  # (writer, *operands) -> register


def emit(w: Writer, tape: Tape, inputs: Mapping[str, Elements]) -> dict[str, Elements]:
    """Writes the tape's instructions; `inputs` and the result name the registers of all elements (row-major)."""
    for i in tape.inputs:
        assert len(inputs[i.name]) == size(i.shape), f"{i.name} has {size(i.shape)} elements, got {len(inputs[i.name])}"
    g, outputs = shared_divisors(*scalars(tape))
    registers: dict[int, str] = {}
    order = demand_order(g, [n for nodes in outputs.values() for n in nodes])
    if len(order) <= MOST_INTERLEAVED:
        order = interleaved(g, order)
    for n in order:
        op, args, attrs = g.nodes[n]
        if op == "input":
            name, k = attrs
            registers[n] = inputs[name][int(k)]
        elif op == "const":
            registers[n] = w.lanes.const(attrs)
        else:
            registers[n] = element(w, op, [registers[a] for a in args], attrs)
    return {name: [registers[n] for n in nodes] for name, nodes in outputs.items()}


class Registers:
    """Structural operations on registers (see `scalars.Arithmetic`)."""

    def __init__(self, w: Writer) -> None:
        self.add, self.mul, self.total, self.constant = w.add, w.mul, w.tree_sum, w.lanes.const

    def nothing(self) -> str:
        return self.constant(0.0)


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


CALLED = frozenset(op for op, row in OPS.items() if row.elementwise and op not in ELEMENTWISE)  # functions of mathlib
ELEMENTWISE |= {op: function(op) for op in CALLED} | {"pow": _power}
