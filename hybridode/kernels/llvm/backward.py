"""The discrete adjoint: the recorded steps run backwards through the reverse of the step tape, as one function of lanes.

`void NAME(ptr job, i64 start)` reads p, w, s, ts, info, the record and ys_bar (slot `ys_dot`) and writes y0_bar, p_bar, w_bar
and s_bar (slots `y0_dot`, `p_dot`, `w_dot`, `s_dot`). It is the exact gradient of the numbers that were computed, with the
sequence of step sizes held fixed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

from hybridode.kernels.llvm.fallback import Fallback
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.replay import Replay
from hybridode.kernels.llvm.settled import SettledReplay
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.constraints import PER_STAGE
from hybridode.methods.ready import Method
from hybridode.tape.shapes import size
from hybridode.tape.tape import Tape


def adjoint_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "adjoint") -> Writer:
    """The whole function as text (see the module)."""
    return Adjoint(method, lanes, inputs, name).write()


class Adjoint(Replay):
    def write(self) -> Writer:
        w, kind, n = self.w, self.lanes.integer, self.m.n
        self.begin()
        self.fallback = Fallback(self, "reverse") if self.watches else None
        self.prologue()
        self.ys_bar = self.rows("ys_dot", self.seeds, w.value(f"mul i64 {self.T}, {n}"))
        self.allocate()
        self.settled = None if self.m.settle is None else SettledReplay(self, self.m.settle)
        most, last = self.most(self.steps), self.last_point()
        w.line("br label %ready")
        w.label("ready")
        w.line("br label %loop")
        w.label("loop")
        place = len(w.lines)
        w.line(f"br i1 {w.value('icmp sgt i64 %round, 0')}, label %step, label %rest")
        w.label("step")
        before = w.value("sub i64 %round, 1")
        at = w.splat(before, "i64")
        ok = self.whole("icmp slt", at, self.steps)
        t, h, y = self.step(at, ok)
        point = self.back_over(ok, t, h, y, "%points_left")
        w.line("br label %back")
        w.label("back")
        w.line("br label %loop")
        w.lines[place:place] = [
            f"  %round = phi i64 [ {most}, %ready ], [ {before}, %back ]",
            f"  %points_left = phi {kind} [ {last}, %ready ], [ {point}, %back ]",
        ]
        w.label("rest")
        self.arrive("%points_left")
        self.leave()
        return self.finish()

    def allocate(self) -> None:
        """The cotangents, zero, and what they are collected in."""
        w, n = self.w, self.m.n
        rows, stages = self.m.rows * n, len(self.m.spread[0]) * n if self.m.spread else 0
        self.y_bar, self.p_bar, self.rows_bar = (
            self.zeros("y_bar", n),
            self.zeros("p_bar", self.inputs.parameters),
            self.zeros("rows_bar", rows),
        )
        self.old_bar = self.zeros("old_bar", n)
        self.stages_bar = self.zeros("stages_bar", stages)
        self.used = w.value("alloca i1, align 1")  # are there cotangents of save points in the last three?
        w.store("false", self.used, kind="i1", align=1)
        self.w_bar = self.room("w_bar", False) if self.inputs.weights else {}
        if self.w_bar:
            self.each_weight(self.w_bar, lambda buffer, k, at: self.put(buffer.pointer, k, self.const(0.0)))
        if self.inputs.reads_times:
            self.begin_s_bar()
            self.clear_signals()
        if self.known_times is not None:
            self.instant = self.memory("known_instant", 1)
            self.put(self.instant, 0, self.const(math.nan))

    def arrive(self, points: str) -> None:
        """Behind the first row: the save points that are left, results."""
        n = self.m.n
        self.over_points(points, lambda j, time: self.lanes.const(True), self.at_start, "sub")
        self.write_row(self.rows("y0_dot", self.seeds, str(n)), [self.finite(self.at(self.y_bar, k)) for k in range(n)])
        count = self.inputs.parameters
        self.write_row(self.rows("p_dot", self.seeds, str(count)), [self.finite(self.at(self.p_bar, k)) for k in range(count)])
        self.write_weights(self.w_bar)
        if self.inputs.reads_times:
            self.finish_s_bar()

    def give_up(self) -> None:
        counts = {"y0_dot": str(self.m.n), "p_dot": str(self.inputs.parameters), "s_dot": self.slot("s_count")}
        self.blank_seeds(counts)
        self.blank_weights()

    def back_over(self, ok: str, t: str, h: str, y: Elements, j: str) -> str:
        """Back over one row of the record; the save points that are left."""
        w = self.w
        if self.events is None:
            left = self.collect(ok, j, t, h, y)
            self.through(ok, t, h, y)
            return left
        row = self.events.at_row(self.happened, self.code)
        if self.known_times is not None:
            self.collect_seconds(row.after_known, t, j)
        self.events.backwards(row, t, y, self.y_bar, self.through_tape)
        steps = w.logic("and", ok, self.not_(self.happened))

        def step() -> Elements:
            left = self.collect(steps, j, t, h, y)
            self.through(steps, t, h, y)
            return [left]

        return self.branch(w.any(steps), step, [j], self.lanes.integer)[0]

    def collect_seconds(self, mask: str, t: str, j: str) -> None:
        """The cotangents of the state behind an instant of `at` statements: of every second save point of its time."""
        w = self.w

        def act(j: str, time: str, due: str) -> None:
            mine = w.logic("and", due, self.is_second(j))
            for i, bar in enumerate(self.bars(j)):
                self.accumulate(self.y_bar, i, w.select(mine, bar, self.const(0.0)))

        def back() -> Elements:
            self.over_points(j, lambda j, time: w.logic("and", mask, w.compare("oge", time, t)), act, "sub")
            self.put(self.instant, 0, w.select(mask, t, self.at(self.instant, 0)))
            return []

        self.branch(w.any(mask), back, [], "i1")

    def before(self, j: str, time: str, due: str) -> str:
        """Of the lanes due those whose save point does not belong behind an instant that was gone through."""
        if self.known_times is None:
            return due
        w = self.w
        behind = w.logic("and", self.is_second(j), w.compare("oeq", time, self.at(self.instant, 0)))
        return w.logic("and", due, self.not_(behind))

    def bars(self, j: str) -> Elements:
        """The cotangents of the states at a save point."""
        return self.reads(self.places(self.ys_bar, j, self.m.n), self.m.n)

    def collect(self, ok: str, j: str, t: str, h: str, y: Elements) -> str:
        """Cotangents of the rows of the dense output, of the new state and of the old one, from the step's save points."""
        w, m, n, rows = self.w, self.m, self.m.n, self.m.rows
        stages = len(m.spread[0]) * n if m.spread else 0
        zero = self.const(0.0)

        def clear() -> Elements:
            for bars, count in ((self.rows_bar, rows * n), (self.old_bar, n), (self.stages_bar, stages)):
                self.fill(bars, count)
            w.store("false", self.used, kind="i1", align=1)
            return []

        self.branch(w.load(self.used, kind="i1", align=1), clear, [], "i1")

        def act(j: str, time: str, due: str) -> None:
            due = self.before(j, time, due)
            theta = w.div(w.sub(time, t), h)
            weights = self.weights(self.m, theta, h)
            masked = w.select if self.known_times is not None else self.masked
            bars = self.bars(j)
            if self.settled is not None:
                bars = self.settled.cotangent(t, time, self.settled.point(t, h, y, time), bars, partial(self.settle_back, due))
            for i, cotangent in enumerate(bars):
                bar = masked(due, cotangent, zero)
                for r, weight in enumerate(weights):
                    self.accumulate(self.rows_bar, r * n + i, self.masked(due, w.mul(weight, bar), zero))
                end = self.masked(due, w.mul(theta, bar), zero) if self.m.ends else zero
                if self.m.ends:
                    self.accumulate(self.y_bar, i, end)
                self.accumulate(self.old_bar, i, w.sub(bar, end) if self.m.ends else bar)

        def spread() -> Elements:
            """From the rows of the dense output to the stages that they are made of."""
            for i in range(stages // n):
                for k in range(n):
                    terms = [
                        w.mul(self.const(row[i]), self.at(self.rows_bar, r * n + k)) for r, row in enumerate(m.spread) if row[i]
                    ]
                    if terms:
                        self.put(self.stages_bar, i * n + k, w.tree_sum(terms))
            w.store("true", self.used, kind="i1", align=1)
            return []

        if self.settled is not None:
            first = self.read(self.places(self.ts, self.clamped(j), 1), 0)
            within = w.logic("and", self.whole("icmp sge", j, self.integers(0)), w.compare("ogt", first, t))
            self.settled.prepare(w.logic("and", ok, within), t, h, y)
        left = self.over_points(j, lambda j, time: w.logic("and", ok, w.compare("ogt", time, t)), act, "sub")
        self.branch(w.any(self.whole("icmp ne", left, j)), spread, [], "i1")
        return left

    def through(self, ok: str, t: str, h: str, y: Elements) -> None:
        """From the cotangent of the new state to that of the old one, and what the parameters get."""
        w, m = self.w, self.m

        def given() -> dict[str, Elements]:
            y_bar = [self.at(self.y_bar, k) for k in range(m.n)]
            return {"t": [t], "h": [h], "y": y, "p": self.p, **self.dense_bars(), "y.bar": y_bar}

        def usual() -> Elements:
            self.add_up(usually, self.reverse(m.backward, ok, given()), t, h)
            return []

        fallback, usually = self.fallback, ok
        if fallback is None:
            usual()
            return

        def pivoted() -> Elements:
            sizes = {name: size(m.backward.shape(value)) for name, value in m.backward.outputs}
            regions = {name: "old.bar" if name == "y.bar" else name for name in sizes}
            out = fallback.computed(self.pivoted, self.completed(m.backward, given()), sizes, regions)
            self.add_up(self.pivoted, out, t, h)
            return []

        if self.signals is not None:  # their pieces are looked up before the ways part
            names = [i.name for i in m.backward.inputs] + [name.removesuffix(".bar") for name, _ in m.backward.outputs]
            self.signals.prepare(names, t, h)
        usually = w.logic("and", ok, self.not_(self.pivoted))
        self.branch(w.any(self.pivoted), pivoted, [], "i1")
        self.branch(w.any(usually), usual, [], "i1")

    def add_up(self, ok: str, out: Mapping[str, Elements], t: str, h: str) -> None:
        """What the reverse of a step gives the states, the parameters and the signals, in the lanes of the mask."""
        w = self.w
        for k, value in enumerate(out["y.bar"]):
            self.put(self.y_bar, k, self.masked(ok, w.add(value, self.at(self.old_bar, k)), self.at(self.y_bar, k)))
        self.share(ok, out, t, h)

    def through_tape(self, tape: Tape, ok: str, given: Mapping[str, Elements]) -> dict[str, Elements]:
        """A reverse tape at a point; what it gives is added to the cotangents in the lanes of the mask."""
        out = self.reverse(tape, ok, dict(given))
        for k, value in enumerate(out.get("y.bar", ())):
            self.accumulate(self.y_bar, k, self.w.select(ok, value, self.const(0.0)))
        self.share(ok, out, given["t"][0], self.const(1.0))
        return out

    def settle_back(self, due: str, tape: Tape, given: dict[str, Elements]) -> dict[str, Elements]:
        """From the cotangent of a consistent point; what parameters and signals get is added up."""
        out = self.reverse(tape, due, given)
        self.share(due, out, given["t"][0], "")
        return out

    def share(self, ok: str, out: Mapping[str, Elements], t: str, h: str) -> None:
        """Adds what parameters and signals get."""
        for name, first in (("p.bar", 0), ("u0.bar", self.inputs.parameters - self.inputs.starts)):
            for k, value in enumerate(out.get(name, ())):
                self.accumulate(self.p_bar, first + k, self.masked(ok, value, self.const(0.0)))
        if self.signals is not None:
            masks = self.own_of(ok)
            for name, bar in out.items():
                if name.removesuffix(".bar").partition("@")[0] in PER_STAGE:
                    self.signals.collect(name.removesuffix(".bar"), bar, self.s_bar, masks, t, h)

    def dense_bars(self) -> dict[str, Elements]:
        """The cotangents of the step's output that dense output is made of, or of the stages."""
        n, m = self.m.n, self.m
        if m.spread:
            return {"u.bar": [self.at(self.stages_bar, k) for k in range(len(m.spread[0]) * n)]}
        return {f"{m.interpolant}.bar": [self.at(self.rows_bar, k) for k in range(m.rows * n)]}

    def reverse(self, tape: Tape, ok: str, given: dict[str, Elements]) -> dict[str, Elements]:
        """A reverse tape; what the networks' arrays get is added up here."""
        if self.emitter is None:
            return self.evaluate(tape, given)
        bars = {f"{key}.bar": buffer for key, buffer in self.w_bar.items()}
        out = self.evaluate_wide(tape, self.completed(tape, given), bars)
        mask = None if self.lanes.width == 1 else ok  # the one lane of a step counts always
        for name, buffer in bars.items():
            if name in out:
                self.emitter.add_to(buffer, out.pop(name), mask)
        return {name: self.emitter.registers(value) for name, value in out.items()}

    def at_start(self, j: str, time: str, due: str) -> None:
        """Save points at the start: their cotangents belong to the start itself."""
        due = self.before(j, time, due)
        masked = self.w.select if self.known_times is not None else self.masked
        for i, cotangent in enumerate(self.bars(j)):
            self.accumulate(self.y_bar, i, masked(due, cotangent, self.const(0.0)))
