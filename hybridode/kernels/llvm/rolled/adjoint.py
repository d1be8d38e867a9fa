"""The discrete adjoint of large systems: `llvm/backward` with vectors in memory."""

from __future__ import annotations

from collections.abc import Mapping

from hybridode.kernels.llvm.lane_loop import Inputs
from hybridode.kernels.llvm.rolled.replay import RolledReplay
from hybridode.kernels.llvm.wide_values import Buffer, Value
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.constraints import PER_STAGE
from hybridode.methods.ready import Method
from hybridode.tape.tape import Tape


def rolled_adjoint_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "adjoint") -> Writer:
    """The whole function as text (see the module)."""
    return RolledAdjoint(method, lanes, inputs, name).write()


class RolledAdjoint(RolledReplay):
    def write(self) -> Writer:
        w, kind, n = self.w, self.lanes.integer, self.m.n
        self.begin()
        self.prologue()
        self.ys_bar = self.rows("ys_dot", self.seeds, w.value(f"mul i64 {self.T}, {n}"))
        self.allocate()
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
        t, h = self.step_at(at, ok)
        point = self.back_over(ok, t, h, "%points_left")
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

    def give_up(self) -> None:
        results = {"y0_dot": str(self.m.n), "p_dot": str(self.inputs.parameters)}
        if self.inputs.signals:
            results["s_dot"] = self.slot("s_count")
        self.blank_seeds(results)
        self.blank_weights()

    def allocate(self) -> None:
        """Memory for the cotangents, zero."""
        e, n = self.emitter, self.m.n
        self.y_bar, self.old_bar, self.bars = (e.keep(n) for _ in range(3))
        self.rows_bar, self.p_bar = e.keep(self.m.rows * n), e.keep(self.inputs.parameters)
        self.zero(self.y_bar, self.p_bar)
        self.w_bar = self.room("w_bar", False) if self.inputs.weights else {}
        self.zero(*self.w_bar.values())
        if self.signals is not None:
            self.begin_s_bar()
            self.clear_signals()

    def arrive(self, points: str) -> None:
        """Behind the first row: the save points that are left, results."""
        self.over_points(points, lambda j, time: self.lanes.const(True), self.at_start, "sub")
        self.finite_row(self.rows("y0_dot", self.seeds, str(self.m.n)), self.y_bar, self.alive)
        self.finite_row(self.rows("p_dot", self.seeds, str(self.inputs.parameters)), self.p_bar, self.alive)
        self.write_weights(self.w_bar)
        if self.signals is not None:
            self.finish_s_bar()

    def back_over(self, ok: str, t: str, h: str, j: str) -> str:
        """Back over one row of the record; the save points that are left."""
        w = self.w

        def step(mask: str) -> list[str]:
            left = self.collect(mask, j, t, h)
            self.through(mask, t, h)
            return [left]

        if self.events is None:
            return step(ok)[0]
        self.events.backwards(self.happened, t, self.code, self.y_bar, self.p_bar, self.through_tape)
        steps = w.logic("and", ok, self.not_(self.happened))
        return self.branch(w.any(steps), lambda: step(steps), [j], self.lanes.integer)[0]

    # ---- a step -----------------------------------------------------------------------------------------------------------
    def collect(self, ok: str, j: str, t: str, h: str) -> str:
        """Cotangents of the rows of the dense output, of the new state and of the old one, from the step's save points."""
        w, e, m = self.w, self.emitter, self.m
        c, zero = e.chunk, self.emitter.chunk.lanes.const(0.0)
        self.zero(self.rows_bar, self.old_bar)
        rows = [e.view(self.rows_bar, r * m.n, m.n) for r in range(m.rows)]

        def act(j: str, time: str, due: str) -> None:
            theta = w.div(w.sub(time, t), h)
            nothing = self.const(0.0)
            weights = [e.splat(w.select(due, x, nothing)) for x in self.weights(m, theta, h)]
            along = e.splat(w.select(due, theta, nothing))
            self.load_rows(self.places(self.ys_bar, j, m.n), self.bars)

            def chunk(at: str) -> None:
                bar = e.choose(due, e.read(self.bars, at), zero)
                for row, weight in zip(rows, weights, strict=True):
                    e.write_within(c.add(c.mul(weight, bar), e.read(row, at)), row, at)
                rest = bar
                if m.ends:
                    end = c.mul(along, bar)
                    e.write(c.add(e.read(self.y_bar, at), end), self.y_bar, at)
                    rest = c.sub(bar, end)
                e.write(c.add(e.read(self.old_bar, at), rest), self.old_bar, at)

            e.chunks(m.n, chunk)

        return self.over_points(j, lambda j, time: w.logic("and", ok, w.compare("ogt", time, t)), act, "sub")

    def through(self, ok: str, t: str, h: str) -> None:
        """From the cotangent of the new state to that of the old one, and what the parameters get."""
        e, m = self.emitter, self.m
        given: dict[str, Value] = {"t": [t], "h": [h], "y": self.y, "p": self.p, "y.bar": self.y_bar}
        given[f"{m.interpolant}.bar"] = self.rows_bar
        out = self.evaluate(m.backward, given)
        y_bar = e.in_memory(out["y.bar"])

        def kept(at: str) -> str:
            return e.choose(ok, e.chunk.add(e.read(y_bar, at), e.read(self.old_bar, at)), e.read(self.y_bar, at))

        self.each(m.n, self.y_bar, kept)
        self.share(ok, out, t, h)

    def through_tape(self, tape: Tape, ok: str, given: Mapping[str, Value]) -> dict[str, Value]:
        """A reverse tape at a point; what it gives is added to the cotangents in the lanes of the mask."""
        out = self.evaluate(tape, given)
        if "y.bar" in out:
            self.add_to(self.y_bar, out["y.bar"], ok)
        time = given["t"]
        assert isinstance(time, list), "times are registers"
        self.share(ok, out, time[0], self.const(1.0))
        return out

    def share(self, ok: str, out: Mapping[str, Value], t: str, h: str) -> None:
        """Adds what parameters, networks and signals get."""
        e = self.emitter
        own = self.inputs.parameters - self.inputs.starts
        for name, first, count in (("p.bar", 0, own), ("u0.bar", own, self.inputs.starts)):
            if name in out:
                self.add_to(e.view(self.p_bar, first, count), out[name], ok)
        for key, buffer in self.w_bar.items():
            if f"{key}.bar" in out:
                self.add_to(buffer, out[f"{key}.bar"], ok)
        if self.signals is not None:
            masks = self.own_of(ok)
            for name, bar in out.items():
                if name.partition("@")[0] in PER_STAGE:
                    self.signals.collect(name.removesuffix(".bar"), e.registers(bar), self.s_bar, masks, t, h)

    def add_to(self, total: Buffer, value: Value, ok: str) -> None:
        """total += value in the lanes of the mask."""
        e = self.emitter
        x, zero = e.in_memory(value), e.chunk.lanes.const(0.0)
        more = lambda at: e.choose(ok, e.read(x, at), zero)  # noqa: E731
        e.chunks(total.count, lambda at: e.write_within(e.chunk.add(e.read(total, at), more(at)), total, at))

    def at_start(self, j: str, time: str, due: str) -> None:
        """Save points at the start: their cotangents belong to the start itself."""
        e, zero = self.emitter, self.emitter.chunk.lanes.const(0.0)
        bars = self.load_rows(self.places(self.ys_bar, j, self.m.n), self.bars)
        y_bar = self.y_bar
        self.each(self.m.n, y_bar, lambda at: e.chunk.add(e.read(y_bar, at), e.choose(due, e.read(bars, at), zero)))
