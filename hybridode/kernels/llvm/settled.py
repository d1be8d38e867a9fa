"""What is saved of a model with constraints: the dense output made consistent (see `methods.constraints.Settle`), and back.

The derivatives' kernels need the point that was made consistent, so they compute the step's dense output once more, in steps
that have a save point.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from hybridode.kernels.llvm.fallback import Fallback
from hybridode.kernels.llvm.straight import Elements
from hybridode.methods.constraints import Settle

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop
    from hybridode.kernels.llvm.replay import Replay


def continued(loop: LaneLoop, block: str) -> str:
    """The block in which the values of a save point end: those of consistent points may take loops."""
    if loop.m.settle is None:
        return block
    last = loop.w.fresh("save_end")
    loop.w.line(f"br label {last}")
    loop.w.label(last[1:])
    return last


class Settled:
    """Consistent points within the steps of a loop."""

    def __init__(self, loop: LaneLoop, settle: Settle) -> None:
        self.loop, self.settle = loop, settle

    def at(self, begin: str, time: str, y: Elements) -> Elements:
        """The consistent state at a time within the step that begins at `begin`."""
        with self.signals(begin, time):
            return self.loop.evaluate(self.settle.tape, {"t": [time], "y": y, "p": self.loop.p})["end"]

    def signals(self, begin: str, time: str):
        """A context in which the signals at this time are those of the step: of its piece where they may jump."""
        signals = self.loop.signals
        if signals is None:
            return nullcontext()
        return signals.within(begin, time)


class SettledReplay(Settled):
    """The same in kernels that go over recorded steps."""

    def __init__(self, loop: Replay, settle: Settle) -> None:
        super().__init__(loop, settle)
        self.replay, m = loop, loop.m
        self.new, self.rows = loop.memory("settled_new", m.n), loop.memory("settled_rows", m.n * m.rows)
        self.fallback = Fallback(loop, "step", "value_") if loop.watches else None

    def prepare(self, due: str, t: str, h: str, y: Elements) -> None:
        """Keeps the step's new state and the rows of its dense output, if any lane has a save point in it (the mask)."""
        loop = self.replay

        def compute() -> Elements:
            m = loop.m
            given = {"t": [t], "h": [h], "y": y, "p": loop.p}
            if m.takes_slope:
                given["k"] = loop.evaluate(m.rates, {"t": [t], "y": y, "p": loop.p})[m.rates.outputs[0][0]]
            out = loop.evaluate(m.step, given)
            if m.dense is not None:
                more = {"t": [t], "h": [h], "y": y, "p": loop.p, "new": out["y"], "stages": out["stages"]}
                out |= loop.evaluate(m.dense, more)
            new, rows = out["y"], out[m.interpolant]
            if self.fallback is not None:
                new, rows = self.pivoted(given, new, rows)
            for pointer, values in ((self.new, new), (self.rows, rows)):
                for k, value in enumerate(values):
                    loop.put(pointer, k, value)
            return []

        loop.branch(loop.w.any(due), compute, [], loop.lanes.real)

    def pivoted(self, given: dict[str, Elements], new: Elements, rows: Elements) -> tuple[Elements, Elements]:
        """Both, with partial pivoting in the lanes whose step was taken with it."""
        loop, n = self.replay, self.replay.m.n
        assert self.fallback is not None
        parts = {"new": new} | {f"dense{r}": rows[r * n : (r + 1) * n] for r in range(loop.m.rows)}
        given = loop.completed(loop.m.step, given)
        found, _ = self.fallback.run(loop.pivoted, given, parts, {name: name for name in parts})
        return found["new"], [x for r in range(loop.m.rows) for x in found[f"dense{r}"]]

    def point(self, t: str, h: str, y: Elements, time: str) -> Elements:
        """The dense output before it was made consistent."""
        loop, m = self.replay, self.replay.m
        theta = loop.w.div(loop.w.sub(time, t), h)
        new = [loop.at(self.new, k) for k in range(m.n)]
        rows = [loop.at(self.rows, k) for k in range(m.n * m.rows)]
        return loop.dense(m, loop.weights(m, theta, h), theta, y, new, rows)

    def tangent(self, begin: str, time: str, y: Elements, y_dot: Elements, p_dot: Elements, s_dot: Elements) -> Elements:
        """How the consistent state moves."""
        loop, tape = self.replay, self.settle.tangent
        with self.signals(begin, time):
            given = {"t": [time], "y": y, "p": loop.p, "y.dot": y_dot, "p.dot": p_dot}
            if loop.signals is not None:
                given |= loop.signals.tangents(tape, s_dot, time, "")
            return loop.evaluate(tape, given)["end.dot"]

    def cotangent(
        self, begin: str, time: str, y: Elements, bar: Elements, through: Callable[..., dict[str, Elements]]
    ) -> Elements:
        """From the cotangent of the consistent state to that of the dense output; `through(tape, given)` shares out the rest."""
        with self.signals(begin, time):
            given = {"t": [time], "y": y, "p": self.loop.p, "end.bar": bar}
            return through(self.settle.reverse, given)["y.bar"]
