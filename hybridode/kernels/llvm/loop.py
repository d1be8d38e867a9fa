"""The adaptive loop round a step tape, as one function of lanes.

Each lane is a trajectory with its own time, step size and next save point; a lane that has finished or failed is masked
until the last one is done. Everything between two loads is straight-line code: no call leaves the module.

`void NAME(ptr job, i64 start)` solves the trajectories start … start + width - 1 of a `job`. It reads p, y0, t0, ts and the
options; writes ys (NaN after the end of a failed solve), info, end and, unless it is null, the record: t, h and y at the
start of every accepted step. A trajectory of `capacity` steps or more overwrites the record's last row: its record is of no use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hybridode.kernels.llvm.event_steps import EventSteps
from hybridode.kernels.llvm.events import After, Ends, EventLoop
from hybridode.kernels.llvm.fallback import Fallback
from hybridode.kernels.llvm.job import DONE, MAX_STEPS, NON_FINITE, RUNNING, UNDERFLOW
from hybridode.kernels.llvm.settled import Settled, continued
from hybridode.kernels.llvm.start_step import starting_step
from hybridode.kernels.llvm.step_size import next_factor, remembered
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Writer


class _Tried(NamedTuple):
    """An attempted step: what was carried to it, the end, where this stretch ends and whether the step reaches that."""

    now: Mapping[str, str]
    t1: str
    target: str
    final: str
    h: str
    running: str
    y: Elements
    k: Elements


class Solve(EventSteps):
    # ---- small things -------------------------------------------------------------------------------------------------
    def scaled_norm(self, error: Elements, y: Elements, new: Elements) -> str:
        """Root mean square of error / (atol + rtol max(|y|, |new|))."""
        return self.w.intrinsic("sqrt", self.scaled_square(error, y, new))

    def squared_error(self, out: Mapping[str, Elements], y: Elements) -> str:
        """The square of the step's scaled error; of two estimates as DOP853 combines them (Hairer, Norsett & Wanner I, II.10)."""
        w, square = self.w, self.scaled_square(out["error"], y, out["y"])
        if "error_third" not in out:
            return square
        third = self.scaled_square(out["error_third"], y, out["y"])
        both = self.maximum(w.add(square, w.mul(self.const(0.01), third)), self.const(self.lanes.tiny))
        return w.mul(square, w.div(square, both))

    def scaled_square(self, error: Elements, y: Elements, new: Elements) -> str:
        """The square of `scaled_norm`."""
        w = self.w
        squares = []
        for e, a, b in zip(error, y, new, strict=True):
            largest = self.greatest(w.intrinsic("fabs", a), w.intrinsic("fabs", b))
            scale = w.div(self.const(1.0), w.add(self.atol, w.mul(self.rtol, largest)))  # known before the error is
            q = w.mul(e, scale)
            squares.append(w.mul(q, q))
        return w.tree_sum(squares)

    # ---- the function -------------------------------------------------------------------------------------------------
    def write(self) -> Writer:
        w, real, integer = self.w, self.lanes.real, self.lanes.integer
        self.begin()
        self.fallback = Fallback(self, "step") if self.watches else None
        y0, t0 = self.prologue()
        t1 = self.time(self.integers(1 << 62))
        self.span = w.sub(t1, t0)
        zero = self.integers(0)
        done, saved = After(zero, zero, self.lanes.const(False), "", ""), zero
        if self.events is not None:
            y0, done, saved = self.events_at_start(t0, y0)
        k0 = self.slope_at(t0, y0)
        h0 = self.first_step(self.first, t0, t1, y0, k0)
        k0 = k0 if self.m.takes_slope else []
        saved = self.save_start(saved, t0, y0)
        ready = w.fresh("ready")
        w.line(f"br label {ready}")
        w.label(ready[1:])
        idle = w.logic("or", done.stop, w.compare("uge", t0, t1))  # also where a time is NaN
        carried = {"t": (real, t0), "h": (real, h0), "before": (real, self.const(0.0))}
        carried |= {f"y{k}_": (real, v) for k, v in enumerate(y0)} | {f"k{k}_": (real, v) for k, v in enumerate(k0)}
        carried |= {
            "accepted": (integer, done.rows),
            "rejected": (integer, zero),
            "pivoted": (integer, zero),
            "events": (integer, done.rows),
            "fired": (integer, done.fired),
            "saved": (integer, saved),
        }
        if self.locates:
            carried |= {"landing": (self.lanes.mask, self.lanes.const(False)), "resume": (real, h0)}
            carried |= {"instant": (real, t0), "many": (real, self.const(0.0))}
        if self.events is not None and self.known_times is not None:
            carried |= {"next": (real, self.events.next_known()), "firing": (integer, self.get_integer(self.events.q))}
        carried |= {"status": (integer, self.select_integer(idle, self.integers(DONE), self.integers(RUNNING)))}
        self.kinds = {name: kind for name, (kind, _) in carried.items()}
        self.loop(carried, t1, ready)
        return self.finish()

    def beginning(self) -> str:
        """The lanes whose solve begins in the code before the loop: here all of them."""
        return self.lanes.const(True)

    def ending(self) -> str:
        """The lanes whose solve ends in the code behind the loop: here all of them."""
        return self.lanes.const(True)

    def prologue(self) -> tuple[Elements, str]:
        """Everything that is read once; the start."""
        w, n = self.w, self.m.n
        trajectories, written, _ = self.whose()
        rtol, atol, self.first, self.largest = self.read_numbers(trajectories)
        self.rtol, self.atol = (w.mul(x, self.const(math.sqrt(max(1, self.m.measured)))) for x in (rtol, atol))  # of squares
        y0 = self.reads(self.rows("y0", trajectories, self.slot("y0_stride")), n)
        t0 = self.read(self.rows("t0", trajectories, self.slot("t0_stride")), 0)
        self.events = None if self.m.events is None else EventLoop(self, self.m.events)
        self.nowhere = self.memory("nowhere", n, self.lanes.scalar)
        self.open_results(written)
        return y0, t0

    def loop(self, carried: dict[str, tuple[str, str]], t1: str, entry: str) -> None:
        """Phis, one attempted step, saving, the end."""
        w = self.w
        w.line(f"br i1 {w.any(self.equal(carried['status'][1], RUNNING))}, label %loop, label %done")
        w.label("loop")
        place = len(w.lines)
        now = {name: f"%now.{name}" for name in carried}
        rounds = w.fresh("round")
        new = self.attempt(now, t1)
        following = w.value(f"add i64 {rounds}, 1")
        going = self.goes_on(self.equal(new["status"], RUNNING), following)
        w.line("br label %back")
        w.label("back")
        w.line(f"br i1 {going}, label %loop, label %done")
        w.label("done")
        for name, (kind, start) in carried.items():
            w.line(f"%last.{name} = phi {kind} [ {start}, {entry} ], [ {new[name]}, %back ]")
        last = {name: f"%last.{name}" for name in carried}
        self.end_of_loop(last, w.value(f"phi i64 [ 0, {entry} ], [ {following}, %back ]"))
        phis = [f"  {rounds} = phi i64 [ 0, {entry} ], [ {following}, %back ]"]
        phis += [
            f"  %now.{name} = phi {kind} [ {start}, {entry} ], [ {new[name]}, %back ]" for name, (kind, start) in carried.items()
        ]
        w.lines[place:place] = phis

    def goes_on(self, running: str, rounds: str) -> str:
        """Whether there is another round after so many, an i1."""
        more = self.w.value(f"icmp ult i64 {rounds}, {self.max_steps}")
        return self.w.value(f"and i1 {self.w.any(running)}, {more}")

    def end_of_loop(self, last: dict[str, str], rounds: str) -> None:
        """Who is still running has taken too many steps."""
        last["status"] = self.select_integer(self.equal(last["status"], RUNNING), self.integers(MAX_STEPS), last["status"])
        self.write_results(last)
        self.leave()

    def write_results(self, last: Mapping[str, str]) -> None:
        """What the solve leaves, from what is carried at its end."""
        self.write_row(self.end, [last["t"], *(last[f"y{i}_"] for i in range(self.m.n))])
        self.write_info(last)
        self.blank(last["saved"])

    def attempt(self, now: Mapping[str, str], t1: str) -> dict[str, str]:
        """One attempted step of all lanes; the new values of what is carried."""
        w, n = self.w, self.m.n
        y, k = [now[f"y{i}_"] for i in range(n)], [now[f"k{i}_"] for i in range(n)] if self.m.takes_slope else []
        running = self.equal(now["status"], RUNNING) if self.lanes.width > 1 else self.lanes.const(True)
        jump = t1 if self.signals is None else self.signals.next_jump(now["t"])
        target = t1 if self.signals is None else self.minimum(t1, jump)
        target = target if self.known_times is None else self.minimum(target, now["next"])
        left = w.sub(target, now["t"])
        reach = self.const(1.0000001)  # a step that all but reaches the end does; one onto an event stays as it is
        reach = w.select(now["landing"], self.const(1.0), reach) if self.locates else reach
        final = w.compare("oge", w.mul(now["h"], reach), left)
        # A branch, which the processor foresees: nothing waits for the comparison.
        (h,) = self.branch(w.any(final), lambda: [w.select(final, left, now["h"])], [now["h"]], self.lanes.real)
        h = w.select(running, h, self.const(1.0))
        given = {"t": [now["t"]], "h": [h], "y": y, "p": self.p, "k": k}
        out = self.evaluate(self.m.step, given)
        tried = _Tried(now, t1, target, final, h, running, y, k)
        error = self.squared_error(out, y)
        return self.taken(tried, out, error) if self.fallback is None else self.watched(tried, given, out, error)

    def watched(self, tried: _Tried, given: Mapping[str, Elements], out: Mapping[str, Elements], error: str) -> dict[str, str]:
        """`taken`; where pivots have grown, or the sparse elimination made a NaN that the other does not make, of the step with
        partial pivoting. All of that happens in a branch of its own: the usual way keeps nothing for it."""
        w, n, fallback = self.w, self.m.n, self.fallback
        assert fallback is not None
        grown = out["growth"][0]
        for more in out["growth"][1:]:
            grown = self.larger(grown, more)
        unsound = w.logic("or", w.compare("ogt", grown, self.const(0.0)), w.compare("uno", error, error))
        bad = w.logic("and", tried.running, unsound)
        parts = {"new": out["y"], "error": out["error"]}
        parts |= {f"dense{r}": out["dense"][r * n : (r + 1) * n] for r in range(self.m.rows)}

        def anew() -> dict[str, str]:
            sizes, regions = dict.fromkeys(parts, n), {name: name for name in parts}
            found = fallback.computed(bad, self.completed(self.m.step, given), sizes, regions, parts)
            dense = [x for r in range(self.m.rows) for x in found[f"dense{r}"]]
            again = {"y": found["new"], "error": found["error"], "dense": dense}
            error = self.squared_error(again, tried.y)
            return self.taken(tried, again, error, w.logic("and", bad, w.compare("ord", error, error)))

        return self.either(w.any(bad), anew, lambda: self.taken(tried, out, error), self.kinds)

    def taken(self, tried: _Tried, out: Mapping[str, Elements], error: str, pivoted: str | None = None) -> dict[str, str]:
        """Accepts or rejects the step in each lane, saves and records it; the new values of what is carried."""
        w, n, c = self.w, self.m.n, self.m.controller
        now, t1, target, final, h, running, y, k = tried
        good = w.compare("ole", error, self.const(1.0))  # false for NaN
        ok = w.logic("and", good, running)
        bad = w.logic("and", running, self.not_(good))
        t_new = w.select(final, target, w.add(now["t"], h))
        known = "" if self.known_times is None else w.logic("and", final, w.compare("oge", t_new, now["next"]))
        found = self.watch(ok, now, h, y, out, known) if self.locates else None
        ok = ok if found is None else self.passed(ok, found)
        landed = w.logic("and", ok, final)
        finished = w.logic("and", landed, w.compare("oge", target, t1))
        saved = self.save(ok, now["saved"], now["t"], h, t_new, y, out)
        self.record(now["accepted"], now["t"], h if pivoted is None else w.select(pivoted, w.neg(h), h), y)
        factor, size = next_factor(self, c, error, good, now["before"])
        h_next = self.least(w.mul(h, factor), self.largest)
        if self.inputs.reads_times:  # a step cut short says little about how long the next may be
            h_next = w.select(landed, self.maximum(h_next, now["h"]), h_next)
        latest = self.maximum(w.intrinsic("fabs", now["t"]), w.intrinsic("fabs", t_new))
        tiny = w.mul(latest, self.const(4.5 * self.lanes.epsilon))
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
            "pivoted": now["pivoted"] if pivoted is None else self.count(now["pivoted"], pivoted),
            "saved": saved,
            "status": self.select_integer(stuck, why, status),
        }
        new |= {f"y{i}_": w.select(ok, out["y"][i], y[i]) for i in range(n)}
        if self.m.takes_slope:
            slope = [w.select(ok, out["k"][i], k[i]) for i in range(n)]
            if self.inputs.landing:
                slope = self.after_jump(landed, new["t"], [new[f"y{i}_"] for i in range(n)], slope)
            new |= {f"k{i}_": slope[i] for i in range(n)}
        new |= {"events": now["events"], "fired": now["fired"]}
        ends = Ends(w.logic("and", ok, known) if known else "", landed if self.turns_by_jumps else "")
        return new if self.events is None else self.happen(now, new, ok, found, h, t1, ends)

    def after_jump(self, landed: str, t: str, y: Elements, slope: Elements) -> Elements:
        """The slope, taken again in the lanes where an input may have jumped."""

        def anew() -> Elements:
            return [self.w.select(landed, a, b) for a, b in zip(self.slope_at(t, y), slope, strict=True)]

        return self.branch(self.w.any(landed), anew, slope, self.lanes.real)

    # ---- save points ----------------------------------------------------------------------------------------------------
    def over_points(self, start: str, until: Callable[[str], str], values: Callable[[str, str], Elements],
                    only: Callable[[str, str], str] | None = None) -> str:  # fmt: skip
        """Writes the values at every lane's save points from `start` on, while `until(time)` says so, of these those that
        `only(j, time)` chooses; returns where they end."""
        w, lanes = self.w, self.lanes
        before, loop, inside, after = (w.fresh(s) for s in ("before_save", "save", "save_one", "saved"))
        w.line(f"br label {before}")
        w.label(before[1:])
        w.line(f"br label {loop}")
        w.label(loop[1:])
        j = w.fresh("j")
        place = len(w.lines)
        left = self.whole("icmp slt", j, w.splat(self.T, "i64"))
        time = self.time(j)
        due = w.logic("and", left, until(time))
        w.line(f"br i1 {w.any(due)}, label {inside}, label {after}")
        w.label(inside[1:])
        write = w.logic("and", due, w.splat(self.wanted, "i1"))
        write = write if only is None else w.logic("and", write, only(j, time))
        self.write_row(self.chosen(write, self.places(self.ys, self.clamped(j), self.m.n), self.nowhere), values(time, due))
        following = self.count(j, due)
        inside = continued(self, inside)
        w.line(f"br label {loop}")
        w.lines.insert(place, f"  {j} = phi {lanes.integer} [ {start}, {before} ], [ {following}, {inside} ]")
        w.label(after[1:])
        return j

    def save_start(self, saved: str, t0: str, y0: Elements) -> str:
        """The save points at the start that are not done."""
        begins = self.beginning()

        def at_start(time: str) -> str:
            return self.w.logic("and", begins, self.w.compare("ole", time, t0))

        return self.over_points(saved, at_start, lambda time, due: y0)

    def save(self, ok: str, saved: str, t: str, h: str, t_new: str, y: Elements, out: Mapping[str, Elements]) -> str:
        """Writes the values at all save points up to t_new of the lanes that accepted; returns how many are done."""
        w = self.w

        def until(time: str) -> str:
            return w.logic("and", ok, w.compare("ole", time, t_new))

        def over(rows: Elements) -> str:
            def values(time: str, due: str) -> Elements:
                theta = w.div(w.sub(time, t), h)
                point = self.dense(self.m, self.weights(self.m, theta, h), theta, y, out["y"], rows)
                return point if self.m.settle is None else Settled(self, self.m.settle).at(t, time, point)

            return self.over_points(saved, until, values)

        if self.m.dense is None:
            return over(out[self.m.interpolant])

        def with_stages() -> Elements:
            return [over(self.dense_rows(t, h, y, out))]

        due = w.logic("and", until(self.time(saved)), self.whole("icmp slt", saved, w.splat(self.T, "i64")))
        return self.branch(w.any(due), with_stages, [saved], self.lanes.integer)[0]

    def blank(self, saved: str) -> None:
        """NaN at the save points that were not reached."""
        nothing, ends = [self.const(math.nan)] * self.m.n, self.ending()
        self.over_points(saved, lambda time: ends, lambda time, due: nothing)

    def record(self, accepted: str, t: str, h: str, y: Elements) -> None:
        """The beginning of a step, for the way back. A step that is not accepted is overwritten by the next attempt."""
        w = self.w
        write, after = w.fresh("record_it"), w.fresh("recorded")
        w.line(f"br i1 {self.recording}, label {write}, label {after}")
        w.label(write[1:])
        last = w.splat(w.value(f"sub i64 {self.capacity}, 1"), "i64")
        row = self.select_integer(self.whole("icmp slt", accepted, last), accepted, last)
        self.write_row(self.places(self.records, row, self.m.n + 2), [t, h, *y])
        w.line(f"br label {after}")
        w.label(after[1:])

    def first_step(self, given: str, t0: str, t1: str, y0: Elements, k0: Elements) -> str:
        """The step given, or one from the slope at the start."""
        w, zero = self.w, [self.const(0.0)] * len(y0)

        def norm(x: Elements) -> str:
            return self.scaled_norm(x, y0, zero)

        def change(h: str) -> str:
            later = self.slope_at(w.add(t0, h), [w.add(y, w.mul(h, k)) for y, k in zip(y0, k0, strict=True)])
            return norm([w.sub(a, b) for a, b in zip(later, k0, strict=True)])

        guess = starting_step(self, t0, w.sub(t1, t0), norm(y0), norm(k0), change)
        chosen = w.compare("ogt", given, self.const(0.0))
        return self.minimum(w.select(chosen, given, guess), self.largest)
