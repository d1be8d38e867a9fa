"""The adaptive loop of `llvm/loop` for large systems: states, slopes and errors are vectors in memory.

The same function of a job with the same results; what differs is that nothing is written out that grows with the states.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hybridode.kernels.llvm.events import After
from hybridode.kernels.llvm.job import DONE, MAX_STEPS, NON_FINITE, RUNNING, UNDERFLOW
from hybridode.kernels.llvm.lane_loop import Inputs
from hybridode.kernels.llvm.rolled.events import RolledEvents
from hybridode.kernels.llvm.rolled.frame import RolledLoop
from hybridode.kernels.llvm.rolled.moves import total
from hybridode.kernels.llvm.start_step import starting_step
from hybridode.kernels.llvm.step_loop import StepLoop
from hybridode.kernels.llvm.step_size import next_factor, remembered
from hybridode.kernels.llvm.wide_values import Buffer, Value
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method


def rolled_solve_function(method: Method, lanes: Lanes, inputs: Inputs, name: str = "solve") -> Writer:
    """The whole function as text (see the module)."""
    return RolledSolve(method, lanes, inputs, name).write()


class RolledSolve(RolledLoop, StepLoop):
    # ---- the function -----------------------------------------------------------------------------------------------------
    def write(self) -> Writer:
        w, real, integer = self.w, self.lanes.real, self.lanes.integer
        self.begin()
        t0 = self.prologue()
        t1 = self.time(self.integers(1 << 62))
        self.emitter.put(self.slope_at(t0, self.y), self.k)
        h0 = self.first_step(self.first, t0, t1)
        self.span = w.sub(t1, t0)
        zero = self.integers(0)
        nothing = After(zero, zero, self.lanes.const(False), "", "")
        done = nothing if self.events is None else self.events.happen_at_start(t0)
        saved = self.over_points(self.integers(0), lambda time: w.compare("ole", time, t0), lambda time: self.y)
        ready = w.fresh("ready")
        w.line(f"br label {ready}")
        w.label(ready[1:])
        idle = w.logic("or", done.stop, w.compare("uge", t0, t1))  # also where a time is NaN
        carried = {"t": (real, t0), "h": (real, h0), "before": (real, self.const(0.0))}
        carried |= dict.fromkeys(("rejected", "pivoted"), (integer, zero)) | {"saved": (integer, saved)}
        carried |= dict.fromkeys(("accepted", "events"), (integer, done.rows)) | {"fired": (integer, done.fired)}
        if self.events is not None:
            carried |= {"landing": (self.lanes.mask, self.lanes.const(False)), "resume": (real, h0)}
            carried |= {"instant": (real, t0), "many": (real, self.const(0.0))}
        carried |= {"status": (integer, self.select_integer(idle, self.integers(DONE), self.integers(RUNNING)))}
        self.kinds = {name: kind for name, (kind, _) in carried.items()}
        self.loop(carried, t1, ready)
        return self.finish()

    def prologue(self) -> str:
        """Everything that is read once; the start."""
        e, n = self.emitter, self.m.n
        trajectories, written, _ = self.whose()
        self.rtol, self.atol, self.first, self.largest = self.read_numbers(trajectories)
        self.y, self.k, self.point, nowhere = (e.keep(n) for _ in range(4))
        self.nowhere = nowhere.pointer
        self.load_rows(self.rows("y0", trajectories, self.slot("y0_stride")), self.y)
        t0 = self.read(self.rows("t0", trajectories, self.slot("t0_stride")), 0)
        self.open_results(written)
        self.tolerances = e.splat(self.atol), e.splat(self.rtol)
        self.events = None if self.m.events is None else RolledEvents(self, self.m.events)
        return t0

    def loop(self, carried: dict[str, tuple[str, str]], t1: str, entry: str) -> None:
        """Phis, one attempted step, saving, the end."""
        w = self.w
        w.line("br label %loop")
        w.label("loop")
        place = len(w.lines)
        now = {name: f"%now.{name}" for name in carried}
        rounds = w.fresh("round")
        new = self.attempt(now, t1)
        following = w.value(f"add i64 {rounds}, 1")
        over = w.splat(w.value(f"icmp uge i64 {following}, {self.max_steps}"), "i1")
        late = w.logic("and", self.equal(new["status"], RUNNING), over)
        new["status"] = self.select_integer(late, self.integers(MAX_STEPS), new["status"])
        going = w.any(self.equal(new["status"], RUNNING))
        w.line(f"br i1 {going}, label %back, label %done")
        w.label("back")
        w.line("br label %loop")
        w.label("done")
        self.write_results(new)
        self.leave()
        phis = [f"  {rounds} = phi i64 [ 0, {entry} ], [ {following}, %back ]"]
        phis += [
            f"  %now.{name} = phi {kind} [ {start}, {entry} ], [ {new[name]}, %back ]" for name, (kind, start) in carried.items()
        ]
        w.lines[place:place] = phis

    def write_results(self, last: Mapping[str, str]) -> None:
        """What the solve leaves, from what is carried at its end."""
        self.write_at(self.end, "0", last["t"])
        self.store_rows(self.beyond(self.end, 1), self.y)
        self.write_info(last)
        self.blank(last["saved"])

    # ---- a step -----------------------------------------------------------------------------------------------------------
    def attempt(self, now: Mapping[str, str], t1: str) -> dict[str, str]:
        """One attempted step of all lanes; the new values of what is carried (see `llvm/loop`)."""
        w, c, e = self.w, self.m.controller, self.emitter
        running = self.equal(now["status"], RUNNING)
        jump = t1 if self.signals is None else self.signals.next_jump(now["t"])
        target = t1 if self.signals is None else self.minimum(t1, jump)
        left = w.sub(target, now["t"])
        reach = self.const(1.0000001)  # as in `llvm/loop`
        reach = reach if self.events is None else w.select(now["landing"], self.const(1.0), reach)
        final = w.compare("oge", w.mul(now["h"], reach), left)
        h = w.select(running, w.select(final, left, now["h"]), self.const(1.0))
        given: dict[str, Value] = {"t": [now["t"]], "h": [h], "y": self.y, "p": self.p, "k": self.k}
        out = self.evaluate(self.m.step, given, ("error", "error_third"))
        y_new = e.in_memory(out["y"])
        error = self.squared_error(out, y_new)
        wrong = self.lanes.const(False)
        if "growth" in out:
            error, wrong = self.watched(out["growth"], error)
        good = w.compare("ole", error, self.const(1.0))  # false for NaN
        ok, bad = w.logic("and", good, running), w.logic("and", running, self.not_(good))
        t_new = w.select(final, target, w.add(now["t"], h))
        watched = None if self.events is None else self.events.watch(ok, now, h, y_new, out)
        ok = ok if watched is None else self.passed(ok, watched[0])
        landed = w.logic("and", ok, final)
        finished = w.logic("and", landed, w.compare("oge", target, t1))
        saved = self.save(ok, now["saved"], now["t"], h, t_new, y_new, out)
        self.record(now["accepted"], now["t"], h)
        factor, size = next_factor(self, c, error, good, now["before"])
        h_next = self.least(w.mul(h, factor), self.largest)
        if self.signals is not None:  # a step cut short says little about how long the next may be
            h_next = w.select(landed, self.maximum(h_next, now["h"]), h_next)
        tiny = w.mul(
            self.maximum(w.intrinsic("fabs", now["t"]), w.intrinsic("fabs", t_new)), self.const(4.5 * self.lanes.epsilon)
        )
        stuck = w.logic("and", bad, w.compare("ole", h_next, self.maximum(tiny, self.const(self.lanes.tiny))))
        stuck = w.logic("or", stuck, w.logic("and", ok, w.compare("ole", t_new, now["t"])))  # a step that time cannot resolve
        status = self.select_integer(finished, self.integers(DONE), now["status"])
        why = self.select_integer(w.compare("uno", error, error), self.integers(NON_FINITE), self.integers(UNDERFLOW))
        new = {
            "t": w.select(ok, t_new, now["t"]),
            "h": w.select(running, h_next, now["h"]),
            "before": w.select(ok, remembered(self, size), now["before"]),
            "accepted": self.count(now["accepted"], ok),
            "rejected": self.count(now["rejected"], bad),
            "pivoted": self.count(now["pivoted"], w.logic("and", running, wrong)),
            "saved": saved,
            "status": self.select_integer(stuck, why, status),
            "events": now["events"],
            "fired": now["fired"],
        }
        self.accept(ok, landed, new["t"], y_new, out)
        return new if self.events is None or watched is None else self.events.happen(now, new, ok, h, *watched)

    def watched(self, growth: Value, error: str) -> tuple[str, str]:
        """The error, infinite where the elimination's factors grew beyond use, and whether they did."""
        assert isinstance(growth, list), "the growth is one number"
        fine = self.w.compare("ole", growth[0], self.const(self.m.most_growth))
        return self.w.select(fine, error, self.const(math.inf)), self.not_(fine)

    def accept(self, ok: str, landed: str, t: str, y_new: Buffer, out: Mapping[str, Value]) -> None:
        """The new state, and the slope there, in the lanes that accepted."""
        e = self.emitter
        pairs = [(self.y, y_new)] + ([(self.k, e.in_memory(out["k"]))] if self.m.takes_slope else [])
        for kept, new in pairs:
            self.each(self.m.n, kept, lambda at, kept=kept, new=new: e.choose(ok, e.read(new, at), e.read(kept, at)))
        if self.m.takes_slope and self.inputs.landing:
            self.after_jump(landed, t)

    def after_jump(self, landed: str, t: str) -> None:
        """The slope, taken again in the lanes where an input may have jumped."""

        def anew() -> list[str]:
            e, found = self.emitter, self.emitter.in_memory(self.slope_at(t, self.y))
            self.each(self.m.n, self.k, lambda at: e.choose(landed, e.read(found, at), e.read(self.k, at)))
            return []

        self.branch(self.w.any(landed), anew, [], self.lanes.real)

    def slope_at(self, t: str, y: Buffer) -> Value:
        tape = self.m.rates
        return self.evaluate(tape, {"t": [t], "y": y, "p": self.p})[tape.outputs[0][0]]

    def squared_error(self, out: Mapping[str, Value], y_new: Buffer) -> str:
        """As in `llvm/loop`."""
        w, square = self.w, self.scaled_square(out["error"], self.y, y_new)
        if "error_third" not in out:
            return square
        third = self.scaled_square(out["error_third"], self.y, y_new)
        both = self.maximum(w.add(square, w.mul(self.const(0.01), third)), self.const(self.lanes.tiny))
        return w.mul(square, w.div(square, both))

    def scaled_square(self, error: Value, y: Buffer, new: Buffer) -> str:
        """The mean square of error / (atol + rtol max(|y|, |new|))."""
        e, n = self.emitter, self.m.n
        c, (atol, rtol) = e.chunk, self.tolerances

        def square(at: str) -> str:
            size = c.intrinsic("maxnum", c.intrinsic("fabs", e.read(y, at)), c.intrinsic("fabs", e.read(new, at)))
            q = c.div(e.at(error, "0", at, at), c.add(atol, c.mul(rtol, size)))
            return c.mul(q, q)

        return self.w.mul(total(e, (n,), square), self.const(1 / n))

    def first_step(self, given: str, t0: str, t1: str) -> str:
        """The step given, or one from the slope at the start."""
        w, e = self.w, self.emitter
        c, y, k, later = e.chunk, self.y, self.k, self.point

        def norm(x: Value) -> str:
            return w.intrinsic("sqrt", self.scaled_square(x, y, y))

        def change(h: str) -> str:
            step = e.splat(h)
            self.each(self.m.n, later, lambda at: c.add(e.read(y, at), c.mul(step, e.read(k, at))))
            found = e.in_memory(self.slope_at(w.add(t0, h), later))
            self.each(self.m.n, later, lambda at: c.sub(e.read(found, at), e.read(k, at)))
            return norm(later)

        guess = starting_step(self, t0, w.sub(t1, t0), norm(y), norm(k), change)
        chosen = w.compare("ogt", given, self.const(0.0))
        return self.minimum(w.select(chosen, given, guess), self.largest)

    # ---- save points ------------------------------------------------------------------------------------------------------
    def over_points(self, start: str, until: Callable[[str], str], values: Callable[[str], Buffer]) -> str:
        """Writes the values at every lane's save points from `start` on, while `until(time)` says so; returns where they end."""
        w, lanes = self.w, self.lanes
        before, loop, inside, last, after = (w.fresh(s) for s in ("before_save", "save", "save_one", "save_end", "saved"))
        w.line(f"br label {before}")
        w.label(before[1:])
        w.line(f"br label {loop}")
        w.label(loop[1:])
        j = w.fresh("j")
        place = len(w.lines)
        time = self.time(j)
        due = w.logic("and", self.whole("icmp slt", j, w.splat(self.T, "i64")), until(time))
        w.line(f"br i1 {w.any(due)}, label {inside}, label {after}")
        w.label(inside[1:])
        write = w.logic("and", due, w.splat(self.wanted, "i1"))
        point = values(time)
        self.store_rows(self.chosen(write, self.places(self.ys, self.clamped(j), self.m.n), self.nowhere), point)
        following = self.count(j, due)
        w.line(f"br label {last}")
        w.label(last[1:])
        w.line(f"br label {loop}")
        w.lines.insert(place, f"  {j} = phi {lanes.integer} [ {start}, {before} ], [ {following}, {last} ]")
        w.label(after[1:])
        return j

    def save(self, ok: str, saved: str, t: str, h: str, t_new: str, new: Buffer, out: Mapping[str, Value]) -> str:
        """Writes the values at all save points up to t_new of the lanes that accepted; returns how many are done."""
        w = self.w

        def until(time: str) -> str:
            return w.logic("and", ok, w.compare("ole", time, t_new))

        def over(rows: Buffer) -> str:
            def values(time: str) -> Buffer:
                theta = w.div(w.sub(time, t), h)
                return self.dense_into(self.point, self.weights(self.m, theta, h), theta, self.y, new, rows)

            return self.over_points(saved, until, values)

        if self.m.dense is None:
            return over(self.dense_rows(t, h, new, out))
        due = w.logic("and", until(self.time(saved)), self.whole("icmp slt", saved, w.splat(self.T, "i64")))
        return self.branch(w.any(due), lambda: [over(self.dense_rows(t, h, new, out))], [saved], self.lanes.integer)[0]

    def dense_rows(self, t: str, h: str, new: Buffer, out: Mapping[str, Value]) -> Buffer:
        """The rows of the step's dense output."""
        tape, name = self.m.dense, self.m.interpolant
        if tape is None:
            return self.emitter.in_memory(out[name])
        given: dict[str, Value] = {"t": [t], "h": [h], "y": self.y, "p": self.p, "new": new, "stages": out["stages"]}
        return self.emitter.in_memory(self.evaluate(tape, given)[name])

    def blank(self, saved: str) -> None:
        """NaN at the save points that were not reached."""
        nan = self.emitter.chunk.lanes.const(math.nan)
        self.each(self.m.n, self.point, lambda at: nan)
        self.over_points(saved, lambda time: self.lanes.const(True), lambda time: self.point)

    def record(self, accepted: str, t: str, h: str) -> None:
        """The beginning of a step, for the way back. A step that is not accepted is overwritten by the next attempt."""
        w = self.w
        write, after = w.fresh("record_it"), w.fresh("recorded")
        w.line(f"br i1 {self.recording}, label {write}, label {after}")
        w.label(write[1:])
        last = w.splat(w.value(f"sub i64 {self.capacity}, 1"), "i64")
        row = self.select_integer(self.whole("icmp slt", accepted, last), accepted, last)
        places = self.places(self.records, row, self.m.n + 2)
        self.write_row(places, [t, h])
        self.store_rows(self.beyond(places, 2), self.y)
        w.line(f"br label {after}")
        w.label(after[1:])
