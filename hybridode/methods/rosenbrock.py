"""One Rosenbrock–Wanner step as a tape (symbolic Jacobian, unrolled sparse LU: straight-line code), and its reverse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hybridode.methods.constraints import Invariants, differential, evaluate, projected, times_mass
from hybridode.methods.explicit import combination
from hybridode.methods.sparse_lu import Entry, Factors, elimination_order, factor, growth, solve, solve_transposed
from hybridode.methods.tableau import RosenbrockTableau
from hybridode.tape.derive import cotangents
from hybridode.tape.guard import guard
from hybridode.tape.tape import Tape, TapeBuilder


@dataclass(frozen=True)
class StiffField:
    """What a Rosenbrock step needs of a model: the vector field (one output), the entries of its Jacobian by the states
    (one output, a vector in the order of `pattern`) and, unless it is autonomous, its partial derivative by time. The rows
    `algebraic` of the field are residuals, their states algebraic unknowns; states are kept on the `invariants`."""

    rates: Tape
    jacobian: Tape
    pattern: tuple[Entry, ...]
    time_slope: Tape | None = None
    algebraic: tuple[int, ...] = ()
    invariants: Invariants | None = None


def guarded(model: StiffField) -> StiffField:
    """The model with tapes that are safe to differentiate."""
    slope = model.time_slope and guard(model.time_slope)
    kept = model.invariants
    kept = kept and replace(kept, residuals=guard(kept.residuals), jacobian=guard(kept.jacobian))
    return replace(model, rates=guard(model.rates), jacobian=guard(model.jacobian), time_slope=slope, invariants=kept)


@dataclass
class _Step:
    """The nodes of a step: `stages[i]` is the state at which `slopes[i]` = f was taken, `u[i]` the stage's solution.
    `per_h` is 1/h: a division takes as long as eight products. `new` is the state after the step, `end` the same on the
    invariants."""

    h: int
    per_h: int
    y: int
    factors: Factors
    entries: int | None
    time_slope: int | None
    stages: list[int] = field(default_factory=list)
    slopes: list[int] = field(default_factory=list)
    u: list[int] = field(default_factory=list)
    new: int = -1
    end: int = -1


def rosenbrock_step(method: RosenbrockTableau, model: StiffField, n: int, watched: bool = False) -> Tape:
    """The tape of one step of size `h` from (`t`, `y`).

    Inputs: t (), h (), y (n,), what the field reads, and its signals per stage. Outputs: y (n,) new state, error (n,)
    estimate, dense (r n,) the vectors k_0 … of the dense output (see RosenbrockTableau), and
    with `watched` growth (k,) of the pivots (see `sparse_lu.growth`).
    """
    b = TapeBuilder()
    s = end_of_step(b, method, model, start_of_step(b, method, model, n))
    outputs = {"y": s.end, "error": _sum(b, None, method.error, s.u)}
    outputs["dense"] = b.concat([_sum(b, None, row, s.u) for row in method.dense])
    grown = growth(b, s.factors) if watched else None
    return b.finish(outputs if grown is None else {**outputs, "growth": grown})


def start_of_step(b: TapeBuilder, method: RosenbrockTableau, model: StiffField, n: int) -> _Step:
    """The nodes of a step, all stages solved."""
    time, h, y = b.input("t"), b.input("h"), b.input("y", (n,))
    entries = evaluate(b, model.jacobian, y, time, 0) if model.pattern else None
    slope = None if model.time_slope is None else evaluate(b, model.time_slope, y, time, 0)
    per_h = b.div(b.const(1.0), h)
    s = _Step(h, per_h, y, _factors(b, method, model, n, per_h, entries), entries, slope)
    for i in range(method.stages):
        change = combination(b, method.a[i], s.u)
        s.stages.append(y if change is None else b.add(y, change))
        s.slopes.append(evaluate(b, model.rates, s.stages[i], b.add(time, b.mul(b.const(method.c[i]), h)), i))
        right = s.slopes[i]
        memory = combination(b, method.C[i], s.u)
        if memory is not None:
            right = b.add(right, times_mass(b, b.mul(memory, per_h), n, model.algebraic))
        if slope is not None and method.d[i] != 0.0:
            right = b.add(right, b.mul(b.mul(b.const(method.d[i]), h), slope))
        s.u.append(b.concat(solve(b, s.factors, [b.element(right, k) for k in range(n)])))
    return s


def _factors(b: TapeBuilder, method: RosenbrockTableau, model: StiffField, n: int, per_h: int, entries: int | None) -> Factors:
    """LU of M/(h gamma) - J."""
    shift = b.mul(b.const(1 / method.gamma), per_h)
    matrix: dict[Entry, int] = {}
    if entries is not None:
        matrix = {e: b.neg(b.element(entries, k)) for k, e in enumerate(model.pattern)}
    for i in differential(n, model.algebraic):
        matrix[i, i] = b.add(shift, matrix[i, i]) if (i, i) in matrix else shift
    for i in model.algebraic:
        matrix.setdefault((i, i), b.const(0.0))
    return factor(b, n, matrix, elimination_order(n, matrix))


def end_of_step(b: TapeBuilder, method: RosenbrockTableau, model: StiffField, s: _Step) -> _Step:
    """The step with its new state, which is projected onto the invariants."""
    s.new = s.end = _sum(b, s.y, method.b, s.u)
    if model.invariants is not None:
        s.end = projected(b, model.invariants, s.new, b.add(b.input("t"), s.h), method.stages - 1, *b.shape(s.y))
    return s


def _sum(b: TapeBuilder, start: int | None, weights: Sequence[float], u: Sequence[int]) -> int:
    total = combination(b, weights, u)
    assert total is not None
    return total if start is None else b.add(start, total)


def rosenbrock_step_reverse(method: RosenbrockTableau, model: StiffField, n: int) -> Tape:
    """The exact transpose of the step at fixed h, the step recomputed.

    A solve is transposed by the transposed factors, and what reaches the matrix reaches the Jacobian's entries: no
    elimination is differentiated. Inputs: those of `rosenbrock_step`, y.bar (n,) and u.bar (s n,), what dense
    output gives the stages' solutions. Outputs: `NAME.bar` for the state and whatever else the field reads (parameters, signals
    per stage, network weights).
    """
    b = TapeBuilder()
    model = guarded(model)
    s = end_of_step(b, method, model, start_of_step(b, method, model, n))
    read = {i.attrs: node for node, i in enumerate(b.instructions) if i.op == "input" and i.attrs not in ("t", "h", "y")}
    bars = _Bars(b, read, s.y)
    new_bar = b.input("y.bar", (n,))
    given, in_dense = b.input("u.bar", (method.stages * n,)), [any(weights) for weights in zip(*method.dense, strict=True)]
    u_bars = [b.gather(given, range(i * n, (i + 1) * n)) if some else None for i, some in enumerate(in_dense)]
    stage_bars: list[int | None] = [None] * (method.stages + 1)
    stage_bars[-1] = new_bar if s.new == s.end else bars.through(s.end, new_bar, s.new, None)
    entry_bars: list[int | None] = [None] * len(model.pattern)
    slope_bar = None
    rows = (*method.a, method.b)
    for i in reversed(range(method.stages + 1)):
        if i < method.stages and (u_bar := u_bars[i]) is not None:
            elements = solve_transposed(b, s.factors, [b.element(u_bar, k) for k in range(n)])
            right_bar = b.concat(elements)
            for e, (row, column) in enumerate(model.pattern):
                entry_bars[e] = bars.plus(entry_bars[e], b.mul(elements[row], b.element(s.u[i], column)))
            per_h = times_mass(b, b.mul(right_bar, s.per_h), n, model.algebraic) if any(method.C[i]) else right_bar
            for j, weight in enumerate(method.C[i]):
                if weight != 0.0:
                    u_bars[j] = bars.plus(u_bars[j], b.mul(b.const(weight), per_h))
            if s.time_slope is not None and method.d[i] != 0.0:
                slope_bar = bars.plus(slope_bar, b.mul(b.mul(b.const(method.d[i]), s.h), right_bar))
            stage_bars[i] = bars.through(s.slopes[i], right_bar, s.stages[i], stage_bars[i])
        stage_bar = stage_bars[i]
        if stage_bar is None:
            continue
        if i > 0 and rows[i] == (*rows[i - 1], 1.0):  # this point is the last one and a stage: so is what it passes on
            stage_bars[i - 1] = bars.plus(stage_bars[i - 1], stage_bar)
            u_bars[i - 1] = bars.plus(u_bars[i - 1], stage_bar)
            continue
        bars.add("y", stage_bar)
        for j, weight in enumerate(rows[i]):
            if weight != 0.0:
                u_bars[j] = bars.plus(u_bars[j], b.mul(b.const(weight), stage_bar))
    if s.entries is not None:
        bars.through_start(s.entries, b.concat([b.const(0.0) if x is None else x for x in entry_bars]))
    if s.time_slope is not None and slope_bar is not None:
        bars.through_start(s.time_slope, slope_bar)
    return b.finish(bars.all())


class _Bars:
    """Cotangents of the state at the start and of everything else that the field reads, as they grow."""

    def __init__(self, b: TapeBuilder, inputs: dict[str, int], state: int) -> None:
        self.b, self.inputs, self.state = b, inputs, state
        self.found: dict[str, int] = {}

    def plus(self, total: int | None, more: int) -> int:
        return more if total is None else self.b.add(total, more)

    def add(self, name: str, more: int | None) -> None:
        if more is not None:
            self.found[name] = self.plus(self.found.get(name), more)

    def through(self, sink: int, bar: int, stage: int, stage_bar: int | None) -> int | None:
        """Adds what the cotangent of `sink`, evaluated at the state `stage`, gives to all; returns the stage's cotangent."""
        more, *others = cotangents(self.b, {sink: bar}, [stage, *self.inputs.values()])
        for name, other in zip(self.inputs, others, strict=True):
            self.add(name, other)
        return stage_bar if more is None else self.plus(stage_bar, more)

    def through_start(self, sink: int, bar: int) -> None:
        """The same for what is evaluated at the start."""
        self.add("y", self.through(sink, bar, self.state, None))

    def all(self) -> dict[str, int]:
        """`NAME.bar` of everything."""
        shapes = {"y": self.b.shape(self.state), **{name: self.b.shape(node) for name, node in self.inputs.items()}}
        zero = self.b.const(0.0)
        return {f"{name}.bar": self.found.get(name, self.b.broadcast(zero, shape)) for name, shape in shapes.items()}
