"""What goes over recorded steps, backwards (adjoint) or forwards (tangent): the lanes' records, steps and save points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from hybridode.kernels.llvm.event_replay import EventReplay
from hybridode.kernels.llvm.events import EVENT
from hybridode.kernels.llvm.job import DONE, INFO
from hybridode.kernels.llvm.lane_loop import LaneLoop, Row
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.wide_values import Buffer


class Replay(LaneLoop):
    """`void NAME(ptr job, i64 start)` over the recorded steps of the lanes start … start + width - 1.

    A lane whose solve failed, or whose record is not whole, is dead: it has no steps and gives NaN.
    """

    s_dot: Row = ()  # of a tangent: the rows of the slot `s_dot`

    def prologue(self) -> None:
        """Everything that is read once."""
        trajectories, written, self.seeds = self.whose()
        self.T = self.slot("times")
        self.ts = self.rows("ts", trajectories, self.slot("ts_stride"))
        self.load_inputs(trajectories)
        self.events: Any = self.watched_events()
        if self.events is not None:
            self.put(self.events.moved, 0, self.const(0.0))
        self.info = self.rows("info", written, str(len(INFO)), "i32")
        self.find_record(written)

    def find_record(self, written: Row) -> None:
        """The lanes' rows of the record, how many there are, and which lanes are alive."""
        w, capacity = self.w, self.slot("capacity")
        self.records = self.rows("record", written, w.value(f"mul i64 {capacity}, {self.m.n + 2}"))
        accepted = self.told(1)
        whole = self.whole("icmp slt", accepted, w.splat(capacity, "i64"))
        none = self.equal(accepted, 0)
        self.alive = w.logic("and", self.equal(self.told(0), DONE), w.logic("or", none, whole))
        self.steps = self.select_integer(self.alive, accepted, self.integers(0))

    def told(self, k: int) -> str:
        """What info says of every lane's solve."""
        return self.w.join([self.number(row, k) for row in self.info], "i64")

    def watched_events(self) -> Any:
        """What goes over the rows of events, None if the model has none."""
        return None if self.m.events is None else EventReplay(self, self.m.events)

    def blank_seeds(self, results: Mapping[str, str]) -> None:
        """NaN in the rows of these results (slot: its length)."""
        _, _, seeds = self.whose()
        for name, count in results.items():
            self.blank_rows(self.rows(name, seeds, count), count)

    def is_last(self, rows: str) -> str:
        """The lanes whose last row it is, from its place in the record plus 1."""
        return self.whole("icmp eq", rows, self.steps)

    def stopped(self) -> str:
        """The time at which an event stopped the lane's run, or infinity: its record then ends with a row of events."""
        last = self.count(self.steps, self.lanes.const(True), "sub")
        t, _, _ = self.step(last, self.whole("icmp sgt", self.steps, self.integers(0)))
        return self.w.select(self.happened, t, self.const(math.inf))

    def last_point(self) -> str:
        """The last save point of every lane: nothing depends on what stands after the end."""
        w = self.w
        last = w.splat(w.value(f"sub i64 {self.T}, 1"), "i64")
        if self.events is None:
            return last
        stopped = self.stopped()
        return self.over_points(last, lambda j, time: w.compare("ogt", time, stopped), lambda j, time, due: None, "sub")

    # ---- cotangents of the slot `s` ------------------------------------------------------------------------------------------
    def begin_s_bar(self) -> None:
        """Rows of zeros; which lanes are the job's own, no repetitions of the last (see `whose`)."""
        w, count = self.w, self.slot("s_count")
        self.s_bar = self.rows("s_dot", self.seeds, count)
        all_ = w.value(f"mul i64 {self.slot('trajectories')}, {self.slot('seeds')}")
        self.own = [w.value(f"icmp slt i64 {w.value(f'add i64 %start, {k}')}, {all_}") for k in range(self.lanes.width)]

    def clear_signals(self) -> None:
        count, row = self.slot("s_count"), self.s_bar
        self.repeat_from("0", count, lambda place: self.write_at(row, place, self.const(0.0)))

    def finish_s_bar(self) -> None:
        """NaN in dead lanes."""
        count, row = self.slot("s_count"), self.s_bar
        self.repeat_from("0", count, lambda place: self.write_at(row, place, self.finite(self.read(row, place))))

    def own_of(self, mask: str) -> list[str]:
        """Per lane an i1: whether it is in the mask and one of the job's."""
        return [self.w.value(f"and i1 {self.lane(mask, k, self.lanes.mask)}, {own}") for k, own in enumerate(self.own)]

    # ---- the networks' arrays -----------------------------------------------------------------------------------------------
    def summed(self) -> tuple[str, str]:
        """An i1: whether the lanes' cotangents of the networks' arrays are added up; the row of the sum of these lanes."""
        w = self.w
        first = w.value(f"add i64 {self.slot('first')}, %start")
        row = w.value(f"udiv i64 {first}, {self.lanes.width}")
        return w.value(f"icmp ne i64 {self.slot('summed')}, 0"), row

    def write_weights(self, bars: Mapping[str, Buffer]) -> None:
        """The cotangents of the networks' arrays, per lane or their sum, NaN from dead lanes."""
        w, e, count = self.w, self.emitter, str(self.inputs.weight_count)
        if not bars:
            return
        assert e is not None

        def one(buffer: Buffer, k: str) -> str:
            return self.finite(self.at(buffer.pointer, k))

        def per_lane() -> list[str]:
            rows = self.rows("w_dot", self.seeds, count)
            self.each_weight(bars, lambda buffer, k, at: self.write_at(rows, at, one(buffer, k)))
            return []

        if self.lanes.width == 1:
            per_lane()
            return
        summed, place = self.summed()
        self.branch(w.value(f"xor i1 {summed}, true"), per_lane, [], "i1")
        (row,) = self.rows("w_dot", [place], count)
        lanes = w.value(f"mul i64 {self.slot('trajectories')}, {self.slot('seeds')}")
        whose = [w.value(f"icmp slt i64 {w.value(f'add i64 %start, {k}')}, {lanes}") for k in range(self.lanes.width)]
        own, zero = w.join(whose, "i1"), self.const(0.0)

        def together() -> list[str]:
            def act(buffer: Buffer, k: str, at: str) -> None:
                w.store(e.horizontal(w.select(own, one(buffer, k), zero)), row, at, self.lanes.scalar, self.align)

            self.each_weight(bars, act)
            return []

        self.branch(summed, together, [], "i1")

    def blank_weights(self) -> None:
        """NaN instead."""
        w, count = self.w, str(self.inputs.weight_count)
        if self.inputs.weights:
            summed, place = self.summed()
            _, _, seeds = self.whose()
            rows = [w.value(f"select i1 {summed}, i64 {place}, i64 {seed}") for seed in seeds]
            self.blank_rows(self.rows("w_dot", rows, count), count)

    def number(self, row: str, k: int) -> str:
        return self.w.value(f"sext i32 {self.w.load(row, str(k), 'i32', 4)} to i64")

    def step(self, place: str, ok: str) -> tuple[str, str, Elements]:
        """t, h and y of the recorded step of every lane (h = 1 and the first row where the lane has no such step); `pivoted` says
        in which lanes it was taken with partial pivoting."""
        row = self.select_integer(ok, place, self.integers(0))
        t, h, *y = self.reads(self.places(self.records, row, self.m.n + 2), self.m.n + 2)
        if self.events is not None:  # the lanes in which it is no step but what an event did: `code`
            self.code = h
            self.happened = self.w.logic("and", ok, self.w.compare("ole", h, self.const(-EVENT[self.lanes.dtype])))
            h = self.w.select(self.happened, self.const(1.0), h)
        if self.watches:
            self.pivoted = self.w.logic("and", ok, self.w.compare("olt", h, self.const(0.0)))
            h = self.w.intrinsic("fabs", h)
        return t, self.masked(ok, h, self.const(1.0)), y

    def finite(self, value: str) -> str:
        """The value, NaN in dead lanes."""
        return self.w.select(self.alive, value, self.const(math.nan))

    def over_points(self, start: str, due: Callable[[str, str], str], act: Callable[[str, str, str], None], op: str) -> str:
        """act(place, time, mask) at every lane's save points from `start` on (op "add": upwards, "sub": downwards) while
        due(place, time) says so; returns where they end."""
        w, kind = self.w, self.lanes.integer
        before, loop, inside, after = (w.fresh(s) for s in ("before_points", "points", "point", "points_done"))
        w.line(f"br label {before}")
        w.label(before[1:])
        w.line(f"br label {loop}")
        w.label(loop[1:])
        j = w.fresh("j")
        place = len(w.lines)
        here = self.clamped(j)
        time = self.read(self.places(self.ts, here, 1), 0)
        left = self.whole("icmp slt", j, w.splat(self.T, "i64")) if op == "add" else self.whole("icmp sge", j, self.integers(0))
        mask = w.logic("and", left, due(here, time))
        w.line(f"br i1 {w.any(mask)}, label {inside}, label {after}")
        w.label(inside[1:])
        act(here, time, mask)
        following = self.count(j, mask, op)
        last = w.fresh("point_end")
        w.line(f"br label {last}")
        w.label(last[1:])
        w.line(f"br label {loop}")
        w.lines.insert(place, f"  {j} = phi {kind} [ {start}, {before} ], [ {following}, {last} ]")
        w.label(after[1:])
        return j

    def most(self, numbers: str) -> str:
        """The largest of the lanes' integers."""
        if self.lanes.width == 1:
            return numbers
        width = self.lanes.width
        name = f"@llvm.vector.reduce.smax.v{width}i64"
        self.w.needs[f"declare i64 {name}({self.lanes.integer})"] = None
        return self.w.value(f"call i64 {name}({self.lanes.integer} {numbers})")

    def zeros(self, name: str, count: int) -> str:
        """A new array of lanes, zero everywhere."""
        pointer = f"%{name}"
        self.w.line(f"{pointer} = alloca {self.lanes.real}, i64 {max(count, 1)}, align 64")
        self.fill(pointer, count)
        return pointer

    def fill(self, pointer: str, count: int, start: int = 0) -> None:
        for k in range(start, start + count):
            self.put(pointer, k, self.const(0.0))

    def accumulate(self, pointer: str, k: int, value: str) -> None:
        self.put(pointer, k, self.w.add(self.at(pointer, k), value))
