"""One Rosenbrock–Wanner step as a tape: symbolic Jacobian, unrolled sparse LU, straight-line code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybridode.methods.explicit import combination, evaluate
from hybridode.methods.sparse_lu import Entry, Factors, elimination_order, factor, solve
from hybridode.methods.tableau import RosenbrockTableau
from hybridode.tape.tape import Tape, TapeBuilder


@dataclass(frozen=True)
class StiffField:
    """What a Rosenbrock step needs of a model: the vector field (one output), the entries of its Jacobian by the states
    (one output, a vector in the order of `pattern`) and, unless it is autonomous, its partial derivative by time."""

    rates: Tape
    jacobian: Tape
    pattern: tuple[Entry, ...]
    time_slope: Tape | None = None


def rosenbrock_step(method: RosenbrockTableau, field: StiffField, n: int) -> Tape:
    """The tape of one step of size `h` from (`t`, `y`).

    Inputs: t (), h (), y (n,), what the field reads, and its signals per stage. Outputs: y (n,) new state, error (n,)
    estimate, dense (r n,) the vectors k_0 … of the dense output (see RosenbrockTableau).
    """
    b = TapeBuilder()
    time, h, y = b.input("t"), b.input("h"), b.input("y", (n,))
    factors = _factors(b, method, field, n, time, h, y)
    slope = None if field.time_slope is None else evaluate(b, field.time_slope, y, time, 0)
    u: list[int] = []
    for i in range(method.stages):
        change = combination(b, method.a[i], u)
        stage = y if change is None else b.add(y, change)
        right = evaluate(b, field.rates, stage, b.add(time, b.mul(b.const(method.c[i]), h)), i)
        memory = combination(b, method.C[i], u)
        if memory is not None:
            right = b.add(right, b.div(memory, h))
        if slope is not None and method.d[i] != 0.0:
            right = b.add(right, b.mul(b.mul(b.const(method.d[i]), h), slope))
        u.append(b.concat(solve(b, factors, [b.element(right, k) for k in range(n)])))
    outputs = {"y": _sum(b, y, method.b, u), "error": _sum(b, None, method.error, u)}
    return b.finish({**outputs, "dense": b.concat([_sum(b, None, row, u) for row in method.dense])})


def _factors(b: TapeBuilder, method: RosenbrockTableau, field: StiffField, n: int, time: int, h: int, y: int) -> Factors:
    """LU of 1/(h gamma) - J."""
    entries = evaluate(b, field.jacobian, y, time, 0) if field.pattern else 0
    shift = b.div(b.const(1 / method.gamma), h)
    matrix: dict[Entry, int] = {e: b.neg(b.element(entries, k)) for k, e in enumerate(field.pattern)}
    for i in range(n):
        matrix[i, i] = b.add(shift, matrix[i, i]) if (i, i) in matrix else shift
    return factor(b, n, matrix, elimination_order(n, matrix))


def _sum(b: TapeBuilder, start: int | None, weights: Sequence[float], u: Sequence[int]) -> int:
    total = combination(b, weights, u)
    assert total is not None
    return total if start is None else b.add(start, total)
