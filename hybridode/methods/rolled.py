"""One Rosenbrock–Wanner step of a large system as a tape on long vectors: the linear systems are operations of the tape.

Tangent and transpose come from the tape's own rules, since a solve has derivatives of its own (see `tape/systems`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.methods.constraints import evaluate, projected, times_mass
from hybridode.methods.explicit import combination
from hybridode.methods.rosenbrock import StiffField
from hybridode.methods.tableau import RosenbrockTableau
from hybridode.tape.derive import forward, reverse
from hybridode.tape.systems import LinearSystem
from hybridode.tape.tape import Tape, TapeBuilder

MOST_GROWTH = 1e10  # what cancellation in the pivots may cost: six digits are left


@dataclass(frozen=True)
class RolledStep:
    """A method on a large model: `step`, and what is derived of it."""

    method: RosenbrockTableau
    model: StiffField
    n: int
    system: LinearSystem

    def step(self, growth: bool = True) -> Tape:
        """The tape of one step of size `h` from (`t`, `y`), as `rosenbrock_step`, with the further output growth (): how much
        larger than the pivots the numbers were that they are differences of (summed over the states)."""
        b, method, model = TapeBuilder(), self.method, self.model
        time, h, y = b.input("t"), b.input("h"), b.input("y", (self.n,))
        per_h = b.div(b.const(1.0), h)
        slope = None if model.time_slope is None else evaluate(b, model.time_slope, y, time, 0)
        matrix = self._matrix(b, per_h, y, time)
        factors = b.make("factor", matrix, attrs=self.system)
        u: list[int] = []
        for i in range(method.stages):
            change = combination(b, method.a[i], u)
            stage = y if change is None else b.add(y, change)
            right = evaluate(b, model.rates, stage, b.add(time, b.mul(b.const(method.c[i]), h)), i)
            memory = combination(b, method.C[i], u)
            if memory is not None:
                right = b.add(right, times_mass(b, b.mul(memory, per_h), self.n, model.algebraic))
            if slope is not None and method.d[i] != 0.0:
                right = b.add(right, b.mul(b.mul(b.const(method.d[i]), h), slope))
            u.append(b.make("solve", matrix, factors, right, attrs=(self.system, False)))
        new, error = combination(b, method.b, u), combination(b, method.error, u)
        rows = [combination(b, row, u) for row in method.dense]
        assert new is not None and error is not None
        end = b.add(y, new)
        if model.invariants is not None:
            end = projected(b, model.invariants, end, b.add(time, h), method.stages - 1, self.n)
        outputs = {"y": end, "error": error, "dense": b.concat([r for r in rows if r is not None])}
        if growth:
            outputs["growth"] = self._growth(b, matrix, factors, per_h)
        return b.finish(outputs)

    def _matrix(self, b: TapeBuilder, per_h: int, y: int, time: int) -> int:
        """The entries of M/(h gamma) - J."""
        s = self.system
        shifted = (s.rows == s.columns) & ~np.isin(s.rows, self.model.algebraic)
        diagonal = b.mul(b.mul(b.const(1 / self.method.gamma), per_h), b.constant(shifted.astype(float)))
        if not self.model.pattern:
            return diagonal
        place = {key: k for k, key in enumerate((s.rows * s.n + s.columns).tolist())}
        at = [place[row * s.n + column] for row, column in self.model.pattern]
        entries = evaluate(b, self.model.jacobian, y, time, 0)
        return b.sub(diagonal, b.scatter_add(entries, at, (s.entries,)))

    def _growth(self, b: TapeBuilder, matrix: int, factors: int, per_h: int) -> int:
        diagonal = b.gather(matrix, np.flatnonzero(self.system.rows == self.system.columns).tolist())
        shift = b.mul(b.const(1 / self.method.gamma), per_h)
        pivots = b.make("pivots", factors, attrs=self.system)
        return b.sum(b.make("abs", b.mul(pivots, b.add(b.make("abs", diagonal), b.make("abs", shift)))))

    def tangent(self) -> Tape:
        """As `rosenbrock_step_tangent`."""
        step = self.step(growth=False)
        return forward(step, _moving(step), ("y", "dense"), values=False)

    def backward(self) -> Tape:
        """As `rosenbrock_step_reverse`."""
        step = self.step(growth=False)
        return reverse(step, _moving(step), ("y", "dense"))


def _moving(step: Tape) -> list[str]:
    return [i.name for i in step.inputs if i.name not in ("t", "h")]
