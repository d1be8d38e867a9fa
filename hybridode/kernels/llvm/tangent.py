"""Forward sensitivities: tangents carried along the recorded steps, as one function of lanes.

`void NAME(ptr job, i64 start)` reads p, w, s, ts, info, the record, p_dot, w_dot, s_dot and y0_dot, and writes ys_dot: the exact
derivative of the numbers that were computed, with the sequence of step sizes held fixed (the transpose of `backward`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from hybridode.kernels.llvm.fallback import Fallback
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.replay import Replay
from hybridode.kernels.llvm.settled import SettledReplay
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method
from hybridode.tape.tape import Tape


def tangent_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "tangent") -> Writer:
    """The whole function as text (see the module)."""
    return Tangent(method, lanes, inputs, name).write()


class Tangent(Replay):
    def write(self) -> Writer:
        w, kind, n = self.w, self.lanes.integer, self.m.n
        self.begin()
        self.fallback = Fallback(self, "tangent") if self.watches else None
        self.prologue()
        self.ys_dot = self.rows("ys_dot", self.seeds, w.value(f"mul i64 {self.T}, {n}"))
        self.p_dot = self.reads(self.rows("p_dot", self.seeds, str(self.inputs.parameters)), self.inputs.parameters)
        self.load_tangents()
        self.points = self.integer_memory("points_cell")
        self.settled = None if self.m.settle is None else SettledReplay(self, self.m.settle)
        self.s_dot = self.rows("s_dot", self.seeds, self.slot("s_count")) if self.inputs.reads_times else []
        self.earlier = self.integer_memory("earlier_points_cell")  # the save points before the last step
        if self.known_times is not None:
            self.put_integer(self.earlier, self.integers(0))
        y_dot = self.reads(self.rows("y0_dot", self.seeds, str(n)), n)
        y_dot, first = self.begun(y_dot)
        most = self.most(self.steps)
        w.line("br label %ready")
        w.label("ready")
        w.line("br label %loop")
        w.label("loop")
        place = len(w.lines)
        carried = [f"%now.y{k}_" for k in range(n)]
        w.line(f"br i1 {w.value(f'icmp slt i64 %round, {most}')}, label %step, label %rest")
        w.label("step")
        at = w.splat("%round", "i64")
        ok = self.whole("icmp slt", at, self.steps)
        t, h, y = self.step(at, ok)
        new, points = self.over(ok, t, h, y, carried, "%points")
        following = w.value("add i64 %round, 1")
        w.line("br label %back")
        w.label("back")
        w.line("br label %loop")
        w.lines[place:place] = [
            f"  %round = phi i64 [ 0, %ready ], [ {following}, %back ]",
            f"  %points = phi {kind} [ {first}, %ready ], [ {points}, %back ]",
            *(
                f"  {c} = phi {self.lanes.real} [ {a}, %ready ], [ {b}, %back ]"
                for c, a, b in zip(carried, y_dot, new, strict=True)
            ),
        ]
        w.label("rest")
        self.arrive(carried, "%points")
        self.leave()
        return self.finish()

    def begun(self, y_dot: Elements) -> tuple[Elements, str]:
        """The tangent of the state before the first row, and the first save point."""
        return y_dot, self.integers(0)

    def arrive(self, y_dot: Elements, points: str) -> None:
        """Behind the last row: the save points that are left. After the end of a run that an event stopped nothing moves."""
        w, stopped = self.w, None if self.events is None else self.stopped()

        def rest(time: str) -> Elements:
            if stopped is None:
                return y_dot
            return [w.select(w.compare("ogt", time, stopped), self.const(0.0), c) for c in y_dot]

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

    def writer(self, values: Callable[[str], Elements]) -> Callable[[str, str, str], None]:
        """Writes the values at a save point's time in the lanes where it is due, NaN in dead lanes."""

        def act(j: str, time: str, due: str) -> None:
            places = self.places(self.ys_dot, j, self.m.n)
            old = self.reads(places, self.m.n)
            new = [self.finite(v) for v in values(time)]
            self.write_row(places, [self.masked(due, a, b) for a, b in zip(new, old, strict=True)])

        return act

    def watched(self, given: dict[str, Elements], new: Elements, rows: Elements) -> tuple[Elements, Elements]:
        """The tangents of the new state and of the dense output, with partial pivoting where the step was taken with it."""
        assert self.fallback is not None
        n = self.m.n
        parts = {"new.dot": new} | {f"dense{r}.dot": rows[r * n : (r + 1) * n] for r in range(self.m.rows)}
        given = self.completed(self.m.tangent, given)
        found, _ = self.fallback.run(self.pivoted, given, parts, {name: name for name in parts})
        return found["new.dot"], [x for r in range(self.m.rows) for x in found[f"dense{r}.dot"]]

    def over(self, ok: str, t: str, h: str, y: Elements, y_dot: Elements, points: str) -> tuple[Elements, str]:
        """Over one row of the record: a step, or what an event did."""
        w = self.w
        if self.events is None:
            return self.advance(ok, t, h, y, y_dot, points)
        row = self.events.at_row(self.happened, self.code)
        if self.known_times is not None:  # what was saved before the instant
            due = partial(self.up_to, row.known, t)
            points = self.over_points(points, due, self.writer(lambda time: y_dot), "add")
        y_dot = self.events.forwards(row, t, y, y_dot, partial(self.dots, t))
        if self.known_times is not None:
            self.over_points(
                self.get_integer(self.earlier), partial(self.up_to, row.after_known, t), self.seconds(t, y_dot), "add"
            )
        steps = w.logic("and", ok, self.not_(self.happened))
        self.put_integer(self.points, points)

        def step() -> Elements:
            new, after = self.advance(steps, t, h, y, y_dot, points)
            self.put_integer(self.points, after)
            if self.known_times is not None:
                self.put_integer(self.earlier, self.select_integer(steps, points, self.get_integer(self.earlier)))
            return new

        new = self.branch(w.any(steps), step, y_dot, self.lanes.real)
        return new, self.get_integer(self.points)

    def dots(self, t: str, tape: Tape) -> Mapping[str, Elements]:
        """The tangents of parameters and signals that a tape reads at a time."""
        found = {"p.dot": self.p_dot}
        return found if self.signals is None else {**found, **self.signals.tangents(tape, self.s_dot, t, self.const(1.0))}

    def up_to(self, mask: str, t: str, j: str, time: str) -> str:
        """The lanes of the mask whose save point is not after t."""
        return self.w.logic("and", mask, self.w.compare("ole", time, t))

    def seconds(self, t: str, y_dot: Elements) -> Callable[[str, str, str], None]:
        """Writes at every second save point of the time t."""
        write = self.writer(lambda time: y_dot)

        def act(j: str, time: str, due: str) -> None:
            w = self.w
            mine = w.logic("and", due, w.logic("and", self.is_second(j), w.compare("oeq", time, t)))
            self.branch(w.any(mine), lambda: write(j, time, mine) or [], [], "i1")

        return act

    def advance(self, ok: str, t: str, h: str, y: Elements, y_dot: Elements, points: str) -> tuple[Elements, str]:
        """The tangent of the new state; the save points of the step (those at its start belong to it, or to the one before)."""
        w, m = self.w, self.m
        given = {"t": [t], "h": [h], "y": y, "p": self.p, "y.dot": y_dot, "p.dot": self.p_dot}
        if self.signals is not None:
            given |= self.signals.tangents(m.tangent, self.s_dot, t, h)
        out = self.evaluate(m.tangent, given)
        new, rows = out["y.dot"], out[f"{m.interpolant}.dot"]
        if self.fallback is not None:
            new, rows = self.watched(given, new, rows)
        end = w.add(t, h)
        last = self.is_last(w.splat(w.value("add i64 %round, 1"), "i64"))

        def due(j: str, time: str) -> str:
            return w.logic("and", ok, w.logic("or", last, w.compare("ole", time, end)))

        def values(time: str) -> Elements:
            theta = w.div(w.sub(time, t), h)
            moved = self.dense(m, self.weights(m, theta, h), theta, y_dot, new, rows)
            if self.settled is None:
                return moved
            return self.settled.tangent(t, time, self.settled.point(t, h, y, time), moved, self.p_dot, self.s_dot)

        if self.settled is not None:
            time = self.read(self.places(self.ts, self.clamped(points), 1), 0)
            left = self.whole("icmp slt", points, w.splat(self.T, "i64"))
            self.settled.prepare(w.logic("and", left, due(points, time)), t, h, y)
        points = self.over_points(points, due, self.writer(values), "add")
        return [self.masked(ok, a, b) for a, b in zip(new, y_dot, strict=True)], points
