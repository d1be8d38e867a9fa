"""Events in the loop of large systems (see `llvm/events`): guards in long vectors, chunk by chunk; firings one by one, by their
numbers.

Beyond the last event all arrays hold zeros: what is computed there is no event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.kernels.llvm.event_guards import ARRAYS, CELLS
from hybridode.kernels.llvm.event_search import NEAR, OUTSIDE, Found
from hybridode.kernels.llvm.event_tables import EventTables
from hybridode.kernels.llvm.events import After, Ends, EventLoop, Instant
from hybridode.kernels.llvm.rolled.changes import EventChanges
from hybridode.kernels.llvm.wide_values import Buffer, Value
from hybridode.methods.located import Located
from hybridode.tape.shapes import extent
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.solve import RolledSolve

_BEYOND = 2.0  # no part of a step is so large


class RolledEvents(EventLoop):
    """The events of a solve of long vectors. With one lane a chunk is neighbouring events, with several it is one event."""

    def __init__(self, loop: RolledSolve, located: Located) -> None:
        self.e, self.solve = loop.emitter, loop
        super().__init__(loop, located)
        self.c = self.e.chunk
        self.tables = RolledTables(loop, located)
        self.changes = EventChanges(loop, located.families)
        self.reach = read_part(located.guards, self.n)

    def make_room(self) -> None:
        loop, e = self.loop, self.e
        self.array = {}
        self.buffers = {name: e.keep(max(2, self.E)) for name in (*ARRAYS, "new_sign", "new_guard")}
        self.solve.zero(*self.buffers.values())
        self.cell = {name: loop.memory(f"event_{name}_cell", 1) for name in CELLS}
        chunks = ("flag", "best", "turn")
        self.chunk_cell = {name: loop.memory(f"event_{name}_chunk", 1, e.chunk.lanes.real) for name in chunks}
        self.rows = loop.integer_memory("event_rows")
        self.point = e.keep(self.n)

    # ---- small things -------------------------------------------------------------------------------------------------------
    def get(self, name: str, e: str = "") -> str:
        return self.e.read(self.buffers[name], e) if e else super().get(name)

    def set(self, name: str, value: str, e: str = "") -> None:
        if e:
            self.e.write(value, self.buffers[name], e)
        else:
            super().set(name, value)

    def chunk(self, name: str) -> str:
        return self.c.load(self.chunk_cell[name], align=self.e.number)

    def set_chunk(self, name: str, value: str) -> None:
        self.c.store(value, self.chunk_cell[name], align=self.e.number)

    def wide(self, mask: str) -> str:
        return mask if self.e.step == 1 else self.c.splat(mask, "i1")

    def wide_number(self, x: str) -> str:
        return self.e.splat(x)

    def each(self, body: Callable[[str], None]) -> None:
        """body(first of a chunk) for all events."""
        self.e.chunks(self.E, body)

    def lower_flag(self) -> None:
        self.set_chunk("flag", self.const(0.0))

    def raise_flag(self, mask: str) -> None:
        self.set_chunk("flag", self.c.select(mask, self.const(1.0), self.chunk("flag")))

    def flagged(self) -> str:
        raised = self.c.compare("one", self.chunk("flag"), self.const(0.0))
        return raised if self.e.step == 1 else self.c.any(raised)

    def least(self, chunk: str) -> str:
        """The least of a chunk's numbers that belong to a lane."""
        if self.e.step == 1:
            return chunk
        lanes = self.c.lanes
        name = f"@llvm.vector.reduce.fmin.{lanes.suffix}"
        self.w.needs[f"declare {lanes.scalar} {name}({lanes.real})"] = None
        return self.w.value(f"call {lanes.scalar} {name}({lanes.real} {chunk})")

    # ---- the search -----------------------------------------------------------------------------------------------------------
    def look_at(self, t: str, y: Any) -> None:
        self.keep(self.located.guards, {"guard": "new_guard", "sign": "new_sign"}, t, y)

    def look_at_rates(self, t: str, y: Any) -> None:
        self.keep(self.located.guard_rate, {"guard_rate": "rate"}, t, y)

    def keep(self, tape: Tape, names: Mapping[str, str], t: str, y: Any) -> None:
        """The outputs of a tape of events at a point, into the arrays of these names; zeros behind the last event."""
        e, c = self.e, self.c
        found = self.solve.evaluate(tape, {"t": [t], "y": y, "p": self.solve.p}, tuple(names))
        rest = self.E % e.step
        inside = f"<{', '.join(f'i1 {str(k < rest).lower()}' for k in range(e.step))}>"
        targets = []
        for output, name in names.items():
            value, buffer = found[output], self.buffers[name]
            if isinstance(value, list):
                e.put(value, buffer)
            else:
                targets.append((value, buffer))

        def chunk(at: str) -> None:
            for value, buffer in targets:
                e.write(e.at(value, "0", at, at), buffer, at)

        e.chunks(self.E - rest, chunk)
        if rest:
            at = str(self.E - rest)
            for value, buffer in targets:
                e.write(c.select(inside, e.at(value, "0", at, at), self.const(0.0)), buffer, at)

    def nowhere(self) -> Sequence[str]:
        return []

    def state_at(self, theta: str, at: Callable[..., Any]) -> Sequence[str]:
        return []  # made where it is needed

    def deepest(self) -> tuple[str, str]:
        c = self.c
        self.set_chunk("best", self.const(NEAR))
        self.set_chunk("turn", self.const(0.0))

        def one(e: str) -> None:
            turn, least, towards = self.parabola(e)
            better = c.logic("and", towards, c.compare("olt", least, self.chunk("best")))
            self.set_chunk("turn", c.select(better, turn, self.chunk("turn")))
            self.set_chunk("best", c.select(better, least, self.chunk("best")))

        self.each(one)
        best = self.least(self.chunk("best"))
        its = c.compare("oeq", self.chunk("best"), self.e.splat(best))
        return best, self.least(c.select(its, self.chunk("turn"), self.const(_BEYOND)))

    def chord(self, left: str, right: str) -> str:
        """The least of the roots of all chords: that of the event which happens first."""
        c, e = self.c, self.e
        end, low, high = (e.splat(x) for x in (right, self.get("left_weight"), self.get("right_weight")))
        width = e.splat(self.w.sub(right, left))
        self.set_chunk("best", self.const(_BEYOND))

        def one(k: str) -> None:
            a, b = c.mul(low, self.get("left_guard", k)), c.mul(high, self.get("right_guard", k))
            root = c.sub(end, c.div(c.mul(b, width), c.sub(b, a)))
            root = c.select(c.compare("oeq", a, self.const(0.0)), self.const(OUTSIDE), root)
            first = c.logic("and", self.truth("fired", k), c.compare("olt", root, self.chunk("best")))
            self.set_chunk("best", c.select(first, root, self.chunk("best")))

        self.each(one)
        return self.least(self.chunk("best"))

    # ---- an instant -----------------------------------------------------------------------------------------------------------
    def take(self, y: Any) -> None:
        """The state is changed where it stands."""

    def now(self) -> Any:
        return self.solve.y

    def over_fired(self, mask: str, act: Callable[[str], None]) -> None:
        loop, e = self.loop, self.e

        def chunk(at: str) -> None:
            end = self.w.value(f"add i64 {at}, {e.step}")
            loop.when(self.c.any(self.truth("fired", at)), lambda: loop.repeat_from(at, end, act))

        e.chunks(self.E, act if e.step == 1 else chunk)

    def has_fired(self, e: str) -> str:
        return self.w.compare("one", self.e.element(self.buffers["fired"], e), self.loop.const(0.0))

    def change(self, e: str, mine: str, t: str, y: Any) -> None:
        given: dict[str, Value] = {"t": [t], "y": y, "p": self.solve.p}
        self.changes.assign(e, mine, given, self.solve.y)

    # ---- in the loop ----------------------------------------------------------------------------------------------------------
    def happen_at_start(self, t: str) -> After:
        """What the events of the start leave; `stop` is a mask."""
        loop, zero = self.solve, self.solve.integers(0)
        self.start(t, loop.y)
        if not self.any_at_start():
            return After(zero, zero, loop.lanes.const(False), "", "")
        found = self.instant(Instant(self.any_fired(), loop.lanes.const(False)), t, zero)
        return found._replace(stop=self.w.compare("one", found.stop, loop.const(0.0)))

    def instant(self, of: Instant, t: str, rows: str) -> After:
        """As in `llvm/event_steps`, with state and slope where they stand."""
        loop, nothing = self.solve, self.loop.const(0.0)
        loop.put_integer(self.rows, rows)
        loop.put_integer(self.fired, loop.integers(0))

        def act() -> Sequence[str]:
            _, stop, stuck = self.act(of, t, loop.y, lambda rows, t, h, y: loop.record(rows, t, h))
            return [stop, stuck]

        stop, stuck = loop.branch(self.w.any(of.lanes), act, [nothing, nothing], loop.lanes.real)
        if loop.m.takes_slope:
            loop.after_jump(of.lanes, t)
        return After(loop.get_integer(self.rows), loop.get_integer(self.fired), stop, stuck, loop.const(math.inf))

    def watch(self, ok: str, now: Mapping[str, str], h: str, new: Buffer, out: Mapping[str, Value]) -> tuple[Found, Callable]:
        """What is found in an accepted step (one onto an event is not looked at), and the states of its dense output."""
        w, loop = self.w, self.solve
        passing = w.logic("and", ok, loop.not_(now["landing"]))
        rows = loop.dense_rows(now["t"], h, new, out)

        def at(theta: str | float, part: tuple[int, int] | None = self.reach) -> Buffer:
            if theta == 1.0:
                return new
            place = theta if isinstance(theta, str) else loop.const(theta)
            loop.dense_into(self.point, loop.weights(loop.m, place, h), place, loop.y, new, rows, part)
            if isinstance(theta, str):  # the end of the step is the new state, to the last digit
                self.take_end(w.compare("oge", place, loop.const(1.0)), new, part or (0, self.n))
            return self.point

        found = self.look(passing, now["t"], h, at)
        self.commit(w.logic("and", passing, loop.not_(found.hit)), found.hit)
        return found, at

    def take_end(self, mask: str, new: Buffer, part: tuple[int, int]) -> None:
        def copy() -> None:
            e, (first, count) = self.e, part
            source, target = (e.view(x, first, count) if first else x for x in (new, self.point))
            self.solve.each(count, target, lambda at: e.choose(mask, e.read(source, at), e.read(target, at)))

        self.loop.when(self.w.any(mask), copy)

    def happen(self, now: Mapping[str, str], new: dict[str, str], ok: str, h: str, found: Found, at: Callable) -> dict[str, str]:
        """What is carried on, with the next step onto an event that was found, or after the events of this instant."""
        loop, e = self.solve, self.e

        def instant(short: str, of: Instant) -> After:
            def move() -> None:
                point = at(found.theta, None)
                loop.each(self.n, loop.y, lambda k: e.choose(short, e.read(point, k), e.read(loop.y, k)))

            loop.when(self.w.any(short), move)
            return self.instant(of, new["t"], new["accepted"])

        return self.following(now, new, ok, found, h, loop.span, Ends(), instant)


class RolledTables(EventTables):
    """The same from the tables beside the code."""

    def __init__(self, loop: RolledSolve, located: Located) -> None:
        super().__init__(loop, located)
        self.e = loop.emitter

    def numbers(self, values: Sequence[int]) -> Buffer:
        return Buffer(self.e.table(np.asarray(values, float)), max(2, len(values)), self.loop.lanes.width > 1)

    def direction(self, e: str) -> str:
        return self.e.read(self.numbers(self.located.directions), e)

    def at_start(self, e: str) -> str:
        return self.e.read(self.numbers(self.located.at_start), e)

    def resets(self, e: str) -> str:
        return self.e.read(self.numbers(self.located.resets), e)

    def stop(self, e: str) -> str:
        if len(set(self.located.stop)) == 1:
            return self.loop.const(float(self.located.stop[0]))
        return self.e.element(self.numbers(self.located.stop), e)


def read_part(tape: Tape, n: int) -> tuple[int, int]:
    """(first, how many) of the states among which are all that a tape reads."""
    place = next((k for k, i in enumerate(tape.inputs) if i.name == "y"), None)
    if place is None:
        return 0, 0
    low, high = n, -1
    for i in tape.instructions:
        if place in i.args:
            a, b = extent(i.attrs) if i.op == "gather" else (0, n - 1)
            low, high = min(low, a), max(high, b)
    return (low, high - low + 1) if high >= 0 else (0, n)
