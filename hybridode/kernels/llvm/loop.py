"""The adaptive loop round a step tape, as one function of lanes.

Each lane is a trajectory with its own time, step size and next save point; a lane that has finished or failed is masked
until the last one is done. Everything between two loads is straight-line code: no call leaves the module.

`void NAME(ptr p, ptr y0, ptr t0, ptr ts, i64 T, ptr options, i64 max_steps, ptr ys, ptr status, ptr counts, ptr record,
i64 capacity)`. Arrays of lanes, element-major: p (m,), y0 (n,), t0 (), ts (T,) ascending, ys (T, n) out, status () out,
counts (3,) out (accepted, rejected, attempted by the group). `options` holds the scalars rtol, atol, first step (0: chosen),
largest step. `record`, unless null, receives per attempted step (t, h, y (n,)) with h = 0 where a lane did not accept;
`capacity` is its length in steps, and a group that needs more ends with the status RECORD_FULL.
"""

from __future__ import annotations

from collections.abc import Mapping

from hybridode.kernels.llvm.lane_loop import LaneLoop, only
from hybridode.kernels.llvm.straight import Elements, emit, function
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method

DONE, MAX_STEPS, UNDERFLOW, NON_FINITE, RECORD_FULL, RUNNING = 0, 1, 2, 3, 4, 5


def solve_function(method: Method, lanes: Lanes, parameters: int, name: str = "solve") -> Writer:
    """The whole function as text (see the module)."""
    return _Solve(method, lanes, parameters, name).write()


class _Solve(LaneLoop):
    def __init__(self, method: Method, lanes: Lanes, parameters: int, name: str) -> None:
        super().__init__(lanes)
        self.m, self.parameters, self.name = method, parameters, name

    # ---- small things -------------------------------------------------------------------------------------------------
    def power(self, x: str, exponent: float) -> str:
        """x^exponent for positive x (0 gives a huge or tiny number, never a NaN)."""
        safe = self.maximum(x, self.const(1e-30))
        return function("exp")(self.w, self.w.mul(self.const(exponent), function("log")(self.w, safe)))

    def scaled_norm(self, error: Elements, y: Elements, new: Elements) -> str:
        """Root mean square of error / (atol + rtol max(|y|, |new|))."""
        w = self.w
        squares = []
        for e, a, b in zip(error, y, new, strict=True):
            size_ = self.maximum(w.intrinsic("fabs", a), w.intrinsic("fabs", b))
            q = w.div(e, w.add(self.atol, w.mul(self.rtol, size_)))
            squares.append(w.mul(q, q))
        return w.intrinsic("sqrt", w.mul(w.tree_sum(squares), self.const(1 / max(1, self.m.n))))

    def slope_at(self, t: str, y: Elements) -> Elements:
        tape = self.m.slope
        assert tape is not None
        return emit(self.w, tape, only(tape, {"t": [t], "y": y, "p": self.p}))[tape.outputs[0][0]]

    # ---- the function -------------------------------------------------------------------------------------------------
    def write(self) -> Writer:
        w, real, integer = self.w, self.lanes.real, self.lanes.integer
        w.lines.append(
            f"define void @{self.name}(ptr %p, ptr %y0, ptr %t0, ptr %ts, i64 %T, ptr %options, i64 %max_steps, ptr %ys, "
            "ptr %status, ptr %counts, ptr %record, i64 %capacity) {"
        )
        w.label("entry")
        scalars = [w.splat(w.load("%options", str(k), self.lanes.scalar)) for k in range(4)]
        self.rtol, self.atol, first, self.largest = scalars
        self.p = self.loads("%p", self.parameters)
        y0 = self.loads("%y0", self.m.n)
        (t0,) = self.loads("%t0", 1)
        last = w.value("sub i64 %T, 1")
        t1 = w.load("%ts", last, align=self.align)
        k0 = self.slope_at(t0, y0) if self.m.slope is not None else []
        h0 = self.first_step(first, t0, t1, y0, k0)
        nothing = w.compare("oge", t0, t1)
        carried = {"t": (real, t0), "h": (real, h0), "before": (real, self.const(1.0))}
        carried |= {f"y{k}_": (real, v) for k, v in enumerate(y0)} | {f"k{k}_": (real, v) for k, v in enumerate(k0)}
        zero = self.integers(0)
        carried |= {"accepted": (integer, zero), "rejected": (integer, zero), "saved": (integer, zero)}
        carried |= {"status": (integer, self.select_integer(nothing, self.integers(DONE), self.integers(RUNNING)))}
        self.loop(carried, t1)
        w.lines.append("}")
        return w

    def loop(self, carried: dict[str, tuple[str, str]], t1: str) -> None:
        """Phis, one attempted step, saving, the end."""
        w = self.w
        w.line("br label %loop")
        w.label("loop")
        place = len(w.lines)
        now = {name: f"%now.{name}" for name in carried}
        rounds = w.fresh("round")
        new = self.attempt(now, t1, rounds)
        following = w.value(f"add i64 {rounds}, 1")
        wanted = w.value("icmp ne ptr %record, null")
        full = w.value(f"and i1 {wanted}, {w.value(f'icmp uge i64 {following}, %capacity')}")
        for over, code in ((w.value(f"icmp uge i64 {following}, %max_steps"), MAX_STEPS), (full, RECORD_FULL)):
            running = self.equal(new["status"], RUNNING)
            new["status"] = self.select_integer(w.logic("and", running, w.splat(over, "i1")), self.integers(code), new["status"])
        going = w.any(self.equal(new["status"], RUNNING))
        w.line(f"br i1 {going}, label %back, label %done")
        w.label("back")
        w.line("br label %loop")
        w.label("done")
        for k in range(2):
            w.store(new[("accepted", "rejected")[k]], "%counts", str(k), self.lanes.integer)
        w.store(w.splat(following, "i64"), "%counts", "2", self.lanes.integer)
        w.store(new["status"], "%status", "0", self.lanes.integer)
        w.line("ret void")
        phis = [f"  {rounds} = phi i64 [ 0, %entry ], [ {following}, %back ]"]
        phis += [
            f"  %now.{name} = phi {kind} [ {start}, %entry ], [ {new[name]}, %back ]" for name, (kind, start) in carried.items()
        ]
        w.lines[place:place] = phis

    def attempt(self, now: Mapping[str, str], t1: str, rounds: str) -> dict[str, str]:
        """One attempted step of all lanes; the new values of what is carried."""
        w, n, c = self.w, self.m.n, self.m.controller
        y, k = [now[f"y{i}_"] for i in range(n)], [now[f"k{i}_"] for i in range(n)] if self.m.slope else []
        running = self.equal(now["status"], RUNNING)
        left = w.sub(t1, now["t"])
        final = w.compare("oge", w.mul(now["h"], self.const(1.0000001)), left)
        h = w.select(running, w.select(final, left, now["h"]), self.const(1.0))
        given = {"t": [now["t"]], "h": [h], "y": y, "p": self.p, "k": k}
        out = emit(w, self.m.step, only(self.m.step, given))
        error = self.scaled_norm(out["error"], y, out["y"])
        good = w.compare("ole", error, self.const(1.0))  # false for NaN
        ok = w.logic("and", good, running)
        bad = w.logic("and", running, self.not_(good))
        t_new = w.select(final, t1, w.add(now["t"], h))
        finished = w.logic("and", ok, final)
        saved = self.save(ok, now["saved"], now["t"], h, t_new, y, out)
        self.record(rounds, ok, now["t"], h, y)
        grow = w.mul(
            self.const(c.safety),
            w.mul(self.power(error, -c.alpha), self.power(now["before"], c.beta) if c.beta else self.const(1.0)),
        )
        shrink = w.mul(self.const(c.safety), self.power(error, -c.rejected))
        factor = w.select(ok, self.minimum(self.const(c.most), grow), self.minimum(self.const(1.0), shrink))
        factor = w.select(w.compare("uno", error, error), self.const(c.least), self.maximum(self.const(c.least), factor))
        h_next = self.minimum(w.mul(h, factor), self.largest)
        tiny = w.mul(self.maximum(w.intrinsic("fabs", now["t"]), w.intrinsic("fabs", t_new)), self.const(1e-15))
        stuck = w.logic("and", bad, w.compare("ole", h_next, self.maximum(tiny, self.const(1e-290))))
        status = self.select_integer(finished, self.integers(DONE), now["status"])
        why = self.select_integer(w.compare("uno", error, error), self.integers(NON_FINITE), self.integers(UNDERFLOW))
        new = {
            "t": w.select(ok, t_new, now["t"]),
            "h": w.select(running, h_next, now["h"]),
            "before": w.select(ok, self.maximum(error, self.const(1e-4)), now["before"]),
            "accepted": self.count(now["accepted"], ok),
            "rejected": self.count(now["rejected"], bad),
            "saved": saved,
            "status": self.select_integer(stuck, why, status),
        }
        new |= {f"y{i}_": w.select(ok, out["y"][i], y[i]) for i in range(n)}
        if self.m.slope is not None:
            new |= {f"k{i}_": w.select(ok, out["k"][i], k[i]) for i in range(n)}
        return new

    # ---- save points ----------------------------------------------------------------------------------------------------
    def save(self, ok: str, saved: str, t: str, h: str, t_new: str, y: Elements, out: Mapping[str, Elements]) -> str:
        """Writes the values at all save points up to t_new of the lanes that accepted; returns how many are done."""
        w, lanes = self.w, self.lanes
        before = w.fresh("before_save")
        w.line(f"br label {before}")
        w.label(before[1:])
        loop, inside, after = w.fresh("save"), w.fresh("save_one"), w.fresh("saved")
        w.line(f"br label {loop}")
        w.label(loop[1:])
        j = w.fresh("j")
        place = len(w.lines)
        due_time = self.gather("%ts", j)
        left = w.value(f"icmp ult {lanes.integer} {j}, {w.splat('%T', 'i64')}")
        due = w.logic("and", w.logic("and", left, ok), w.compare("ole", due_time, t_new))
        w.line(f"br i1 {w.any(due)}, label {inside}, label {after}")
        w.label(inside[1:])
        theta = w.div(w.sub(due_time, t), h)
        for i, value in enumerate(self.interpolate(theta, h, y, out)):
            self.scatter_element(value, due, "%ys", j, self.m.n, i)
        following = self.count(j, due)
        w.line(f"br label {loop}")
        w.lines.insert(place, f"  {j} = phi {lanes.integer} [ {saved}, {before} ], [ {following}, {inside} ]")
        w.label(after[1:])
        return j

    def interpolate(self, theta: str, h: str, y: Elements, out: Mapping[str, Elements]) -> list[str]:
        """The dense output at theta."""
        w, n, rows = self.w, self.m.n, out[self.m.interpolant]
        weights = self.weights(self.m, theta, h)
        result = []
        for i in range(n):
            start = w.add(y[i], w.mul(theta, w.sub(out["y"][i], y[i]))) if self.m.ends else y[i]
            for r, weight in enumerate(weights):
                start = w.add(w.mul(weight, rows[r * n + i]), start)
            result.append(start)
        return result

    def record(self, rounds: str, ok: str, t: str, h: str, y: Elements) -> None:
        """The step's beginning, for the way back: (t, h or 0, y)."""
        w = self.w
        wanted = w.value("icmp ne ptr %record, null")
        room = w.value(f"icmp ult i64 {rounds}, %capacity")
        write, after = w.fresh("record_it"), w.fresh("recorded")
        w.line(f"br i1 {w.value(f'and i1 {wanted}, {room}')}, label {write}, label {after}")
        w.label(write[1:])
        base = w.address("%record", w.value(f"mul i64 {rounds}, {self.m.n + 2}"))
        w.store(t, base, "0", align=self.align)
        w.store(w.select(ok, h, self.const(0.0)), base, "1", align=self.align)
        for i, value in enumerate(y):
            w.store(value, base, str(i + 2), align=self.align)
        w.line(f"br label {after}")
        w.label(after[1:])

    def first_step(self, given: str, t0: str, t1: str, y0: Elements, k0: Elements) -> str:
        """The step given, or a guess from the slope (Hairer, Norsett & Wanner I, II.4, without the second evaluation)."""
        w = self.w
        span = w.sub(t1, t0)
        small = w.mul(span, self.const(1e-6))
        if not k0:
            guess = small
        else:
            zero = [self.const(0.0)] * len(y0)
            d0, d1 = self.scaled_norm(y0, y0, zero), self.scaled_norm(k0, y0, zero)
            guess = w.div(w.mul(self.const(0.01), self.maximum(d0, self.const(1e-5))), self.maximum(d1, self.const(1e-10)))
            guess = self.maximum(self.minimum(guess, span), w.mul(span, self.const(1e-12)))
        chosen = w.compare("ogt", given, self.const(0.0))
        return self.minimum(w.select(chosen, given, guess), self.largest)
