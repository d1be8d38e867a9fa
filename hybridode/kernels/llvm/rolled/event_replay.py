"""Derivatives through events of large systems: `llvm/event_replay` with vectors in memory, events taken by their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hybridode.kernels.llvm.event_replay import row_of
from hybridode.kernels.llvm.rolled.changes import EventChanges
from hybridode.kernels.llvm.rolled.moves import total
from hybridode.kernels.llvm.wide_values import Buffer, Value
from hybridode.methods.located import Column, Located
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.replay import RolledReplay

Given = Mapping[str, Value]
Through = Callable[[Tape, str, Given], Given]  # as in `llvm/event_replay`


class RolledEventReplay:
    """The rows of events: which event, and of which kind, per lane."""

    def __init__(self, loop: RolledReplay, located: Located) -> None:
        self.loop, self.w, self.e, self.located, self.E = loop, loop.w, loop.emitter, located, located.count
        self.moved = loop.memory("event_moved", 1)  # the movement of the instant, or its cotangent
        self.changes = EventChanges(loop, located.families)
        self.guard_bar = self.e.keep(self.E)
        families, outputs = located.families.families, located.families.before
        counts = {} if outputs is None else {name: outputs.shape(value)[0] for name, value in outputs.outputs}
        self.before_bars = {c.output: self.e.keep(counts[c.output]) for f in families for c in f.columns if c.output}

    def at_row(self, mask: str, code: str) -> tuple[str, str, str]:
        """As in `llvm/event_replay`; the lanes' events are then in `event`."""
        (action, located, after, *_), event = row_of(self.loop, self.E, mask, code)
        numbers = self.w.value(f"fptosi {self.loop.lanes.real} {event} to {self.loop.lanes.integer}")
        # Lanes without an event here name some event too: what is read for them is not used.
        self.event = self.loop.select_integer(action, numbers, self.loop.integers(0))
        return action, located, after

    def slopes(self, states: Given) -> Buffer:
        rates = self.located.rates
        return self.e.in_memory(self.loop.evaluate(rates, states)[rates.outputs[0][0]])

    def pick(self, x: Value) -> str:
        """Every lane's event's number of one per event."""
        x, w, loop = self.e.in_memory(x), self.w, self.loop
        if x.count == 1:
            return self.e.element(x, "0")
        return w.join([w.load(x.pointer, self.place(k), loop.lanes.scalar, loop.align) for k in range(loop.lanes.width)])

    def place(self, lane: int) -> str:
        """Where a lane's number of its event stands in a vector, in numbers."""
        k, width = self.loop.lane(self.event, lane, self.loop.lanes.integer), self.loop.lanes.width
        return k if width == 1 else self.w.value(f"add i64 {self.w.value(f'mul i64 {k}, {width}')}, {lane}")

    def put(self, x: Buffer, value: str) -> None:
        """The lanes' numbers into a vector of zeros, at their events."""
        self.loop.zero(x)
        for lane in range(self.loop.lanes.width):
            own = self.loop.lane(value, lane)
            self.w.store(own, x.pointer, self.place(lane), self.loop.lanes.scalar, self.loop.align)

    def one_by_one(self, action: str, act: Callable[[str, str], None]) -> None:
        """act(event, the lane it is taken for) for the lanes of the mask."""
        w, loop, width = self.w, self.loop, self.loop.lanes.width
        if width == 1:
            loop.when(action, lambda: act(self.event, action))
            return
        numbers = "<" + ", ".join(f"i64 {k}" for k in range(width)) + ">"

        def one(k: str) -> None:
            mine = w.logic("and", action, loop.whole("icmp eq", numbers, w.splat(k, "i64")))
            event = w.value(f"extractelement {loop.lanes.integer} {self.event}, i64 {k}")
            loop.when(w.any(mine), lambda: act(event, mine))

        loop.repeat(width, one)

    def shift(self, mask: str, y: Buffer, slopes: Buffer, s: str) -> None:
        """y += s slopes in the lanes of the mask."""
        e, c, factor = self.e, self.e.chunk, self.e.splat(s)

        def chunk(at: str) -> str:
            before = e.read(y, at)
            return e.choose(mask, c.add(before, c.mul(factor, e.read(slopes, at))), before)

        self.loop.each(y.count, y, chunk)

    def product(self, a: Buffer, b: Buffer) -> str:
        return total(self.e, (a.count,), lambda at: self.e.chunk.mul(self.e.read(a, at), self.e.read(b, at)))

    def in_lanes(self, mask: str, act: Callable[[], None]) -> None:
        """`act` unless the mask is empty."""
        self.loop.when(self.w.any(mask), act)

    # ---- forwards -------------------------------------------------------------------------------------------------------------
    def forwards(self, mask: str, t: str, code: str, y_dot: Buffer, dots: Given) -> None:
        """The tangent of the state after a row of an event, in its place."""
        w, loop, const = self.w, self.loop, self.loop.const
        action, located, after = self.at_row(mask, code)
        states: dict[str, Value] = {"t": [t], "y": loop.y, "p": loop.p}

        def move() -> None:
            given = {**states, "t.dot": [const(0.0)], "y.dot": y_dot, **dots}
            changed = self.pick(loop.evaluate(self.located.guards_forward, given)["guard.dot"])
            s = w.neg(w.div(changed, self.guard_rate(states)))
            loop.put(self.moved, 0, w.select(located, s, loop.at(self.moved, 0)))
            self.shift(located, y_dot, self.slopes(states), s)

        def change(event: str, mine: str) -> None:
            given = {**states, "t.dot": [loop.at(self.moved, 0)], "y.dot": y_dot, **dots}
            self.changes.assign_tangents(event, mine, given, y_dot)

        def settle() -> None:
            self.shift(after, y_dot, self.slopes(states), w.neg(loop.at(self.moved, 0)))
            loop.put(self.moved, 0, w.select(after, const(0.0), loop.at(self.moved, 0)))

        self.in_lanes(located, move)
        self.one_by_one(action, change)
        self.in_lanes(after, settle)

    def guard_rate(self, states: Given) -> str:
        return self.pick(self.loop.evaluate(self.located.guard_rate, states)["guard_rate"])

    # ---- backwards ------------------------------------------------------------------------------------------------------------
    def backwards(self, mask: str, t: str, code: str, y_bar: Buffer, p_bar: Buffer, through: Through) -> None:
        """The cotangents of what was before a row of an event, in their places."""
        w, loop = self.w, self.loop
        action, located, after = self.at_row(mask, code)
        states: dict[str, Value] = {"t": [t], "y": loop.y, "p": loop.p}

        def settle() -> None:
            s_bar = w.neg(self.product(self.slopes(states), y_bar))
            loop.put(self.moved, 0, w.select(after, s_bar, loop.at(self.moved, 0)))

        self.in_lanes(after, settle)
        self.one_by_one(action, lambda event, mine: self.undo(event, mine, states, y_bar, p_bar, through))
        self.in_lanes(located, lambda: self.unmove(located, states, y_bar, through))

    def undo(self, event: str, mine: str, states: Given, y_bar: Buffer, p_bar: Buffer, through: Through) -> None:
        """Through the assignments of an event."""
        loop, w = self.loop, self.w
        self.changes.take(event, mine, y_bar)
        loop.zero(*self.before_bars.values())
        sources = self.changes.sources(states)
        bars = {"y": y_bar.pointer, "p": p_bar.pointer, "t": self.moved}

        def add(column: Column, place: str, bar: str) -> None:
            pointer = self.before_bars[column.output].pointer if column.output else bars[column.source]
            more = loop.masked(mine, bar, loop.const(0.0))
            loop.put(pointer, place, w.add(loop.at(pointer, place), more))

        for family in self.changes.families:
            family.cotangents(event, sources, add)
        tape = self.located.families.before_reverse
        if tape is not None:
            out = through(tape, mine, {**states, **{f"{name}.bar": bar for name, bar in self.before_bars.items()}})
            self.add_time(mine, out)

    def unmove(self, located: str, states: Given, y_bar: Buffer, through: Through) -> None:
        """Through the movement of the instant."""
        w, loop, zero = self.w, self.loop, self.loop.const(0.0)
        s_bar = w.add(loop.at(self.moved, 0), self.product(self.slopes(states), y_bar))
        share = w.neg(w.div(s_bar, self.guard_rate(states)))
        self.put(self.guard_bar, w.select(located, share, zero))
        through(self.located.guards_reverse, located, {**states, "guard.bar": self.guard_bar})
        loop.put(self.moved, 0, w.select(located, zero, loop.at(self.moved, 0)))

    def add_time(self, mask: str, out: Given) -> None:
        if "t.bar" in out:
            loop = self.loop
            more = self.w.select(mask, self.e.registers(out["t.bar"])[0], loop.const(0.0))
            loop.put(self.moved, 0, self.w.add(loop.at(self.moved, 0), more))
