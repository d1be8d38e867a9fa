"""Forward sensitivities of large systems: `llvm/tangent` with vectors in memory."""

from __future__ import annotations

from collections.abc import Callable

from hybridode.kernels.llvm.lane_loop import Inputs
from hybridode.kernels.llvm.rolled.replay import RolledReplay
from hybridode.kernels.llvm.wide_values import Buffer
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method


def rolled_tangent_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "tangent") -> Writer:
    """The whole function as text (see the module)."""
    return RolledTangent(method, lanes, inputs, name).write()


class RolledTangent(RolledReplay):
    def write(self) -> Writer:
        w, kind, n, e = self.w, self.lanes.integer, self.m.n, self.emitter
        self.begin()
        self.prologue()
        self.ys_dot = self.rows("ys_dot", self.seeds, w.value(f"mul i64 {self.T}, {n}"))
        self.p_dot = self.vector(self.rows("p_dot", self.seeds, str(self.inputs.parameters)), self.inputs.parameters)
        self.load_tangents()
        self.points = self.integer_memory("points_cell")
        self.s_dot = self.rows("s_dot", self.seeds, self.slot("s_count")) if self.inputs.reads_times else []
        self.y_dot, self.point, nowhere = (e.keep(n) for _ in range(3))
        self.nowhere = nowhere.pointer
        self.load_rows(self.rows("y0_dot", self.seeds, str(n)), self.y_dot)
        most, first = self.most(self.steps), self.first_point()
        w.line("br label %ready")
        w.label("ready")
        w.line("br label %loop")
        w.label("loop")
        place = len(w.lines)
        w.line(f"br i1 {w.value(f'icmp slt i64 %round, {most}')}, label %step, label %rest")
        w.label("step")
        at = w.splat("%round", "i64")
        ok = self.whole("icmp slt", at, self.steps)
        t, h = self.step_at(at, ok)
        points = self.over(ok, t, h, "%points")
        following = w.value("add i64 %round, 1")
        w.line("br label %back")
        w.label("back")
        w.line("br label %loop")
        w.lines[place:place] = [
            f"  %round = phi i64 [ 0, %ready ], [ {following}, %back ]",
            f"  %points = phi {kind} [ {first}, %ready ], [ {points}, %back ]",
        ]
        w.label("rest")
        self.arrive("%points")
        self.leave()
        return self.finish()

    def first_point(self) -> str:
        return self.integers(0)

    def arrive(self, points: str) -> None:
        """Behind the last row: the save points that are left. After the end of a run that an event stopped nothing moves."""
        w, e, stopped = self.w, self.emitter, None if self.events is None else self.stopped()

        def rest(time: str) -> Buffer:
            if stopped is not None:
                beyond, zero = w.compare("ogt", time, stopped), e.chunk.lanes.const(0.0)
                self.each(self.m.n, self.y_dot, lambda at: e.choose(beyond, zero, e.read(self.y_dot, at)))
            return self.y_dot

        self.over_points(points, lambda j, time: self.lanes.const(True), self.writer(rest), "add")

    def give_up(self) -> None:
        self.blank_seeds({"ys_dot": self.w.value(f"mul i64 {self.slot('times')}, {self.m.n}")})

    def load_tangents(self) -> None:
        """The tangents of the networks' arrays, each lane its own."""
        if self.inputs.weights:
            row = self.rows("w_dot", self.seeds, str(self.inputs.weight_count))
            room = self.room("w_dot", False)
            self.each_weight(room, lambda buffer, k, at: self.put(buffer.pointer, k, self.read(row, at)))
            self.known |= {f"{key}.dot": buffer for key, buffer in room.items()}

    def writer(self, values: Callable[[str], Buffer]) -> Callable[[str, str, str], None]:
        """Writes the values at a save point's time in the lanes where it is due, NaN in dead lanes."""

        def act(j: str, time: str, due: str) -> None:
            x, e = values(time), self.emitter
            self.each(self.m.n, self.point, lambda at: e.choose(self.alive, e.read(x, at), self.nan))
            self.store_rows(self.chosen(due, self.places(self.ys_dot, j, self.m.n), self.nowhere), self.point)

        return act

    def over(self, ok: str, t: str, h: str, points: str) -> str:
        """Over one row of the record: a step, or what an event did. The save points that are left."""
        if self.events is None:
            return self.advance(ok, t, h, points)
        dots = {"p.dot": self.p_dot, **{name: x for name, x in self.known.items() if name.endswith(".dot")}}
        self.events.forwards(self.happened, t, self.code, self.y_dot, dots)
        steps = self.w.logic("and", ok, self.not_(self.happened))
        self.put_integer(self.points, points)

        self.when(self.w.any(steps), lambda: self.put_integer(self.points, self.advance(steps, t, h, points)))
        return self.get_integer(self.points)

    def advance(self, ok: str, t: str, h: str, points: str) -> str:
        """The tangent of the new state; the save points of the step (those at its start belong to it, or to the one before)."""
        w, m, e = self.w, self.m, self.emitter
        given = {"t": [t], "h": [h], "y": self.y, "p": self.p, "y.dot": self.y_dot, "p.dot": self.p_dot}
        if self.signals is not None:
            given |= self.signals.tangents(m.tangent, self.s_dot, t, h)
        out = self.evaluate(m.tangent, given)
        new, rows = e.in_memory(out["y.dot"]), e.in_memory(out[f"{m.interpolant}.dot"])
        end = w.add(t, h)
        last = self.is_last(w.splat(w.value("add i64 %round, 1"), "i64"))

        def due(j: str, time: str) -> str:
            return w.logic("and", ok, w.logic("or", last, w.compare("ole", time, end)))

        def values(time: str) -> Buffer:
            theta = w.div(w.sub(time, t), h)
            return self.dense_into(self.point, self.weights(m, theta, h), theta, self.y_dot, new, rows)

        points = self.over_points(points, due, self.writer(values), "add")
        self.each(m.n, self.y_dot, lambda at: e.choose(ok, e.read(new, at), e.read(self.y_dot, at)))
        return points
