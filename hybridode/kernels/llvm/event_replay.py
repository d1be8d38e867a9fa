"""Derivatives through events: over the rows that `events` left in the record between those of steps.

The instant of a located event moves with what its guard g depends on: dt = -(dg at a fixed time) / (dg/dt along the solution).
With s for that movement, an instant takes the state y before to  change(t + s, y + f s) - f' s,  f and f' being the slopes
before and after (Hiskens & Pai 2000, the saltation matrix). The values are those that were computed (s = 0), the derivatives
exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hybridode.kernels.llvm.event_search import EventTables
from hybridode.kernels.llvm.events import AFTER, EVENT, LOCATED
from hybridode.kernels.llvm.straight import Elements
from hybridode.methods.located import Located
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop
    from hybridode.kernels.llvm.replay import Replay

Given = Mapping[str, Elements]
# (reverse tape, lanes, inputs) -> outputs; those of y, p, … have been added to their cotangents
Through = Callable[[Tape, str, Given], Given]


def rows_of_events(loop: LaneLoop, events: int, mask: str, h: str) -> tuple[str, str, str, str]:
    """(lanes of an action, of these the first of a located instant, lanes of a row after the last; the event); see `code_of`."""
    w, const, kinds = loop.w, loop.const, float(events)
    code = w.sub(w.mul(h, const(-1 / EVENT)), const(1.0))  # event + kind E
    after = w.logic("and", mask, w.compare("oge", code, const(AFTER * kinds)))
    action = w.logic("and", mask, loop.not_(after))
    located = w.logic("and", w.compare("oge", code, const(LOCATED * kinds)), w.compare("olt", code, const((LOCATED + 1) * kinds)))
    kind = w.intrinsic("floor", w.div(code, const(kinds)))
    return action, w.logic("and", action, located), after, w.sub(code, w.mul(kind, const(kinds)))


class EventReplay:
    """The rows of events: which event, and of which kind, per lane."""

    def __init__(self, loop: Replay, located: Located) -> None:
        self.loop, self.w, self.located, self.E = loop, loop.w, located, located.count
        self.moved = loop.memory("event_moved", 1)  # the movement of the instant, or its cotangent
        self.guard_bar = loop.memory("event_guard_bar", self.E)
        self.change_bar = loop.memory("event_change_bar", max(1, len(located.states)))
        self.tables = EventTables(loop, located)

    def at_row(self, mask: str, h: str) -> tuple[str, str, str]:
        action, located, after, self.event = rows_of_events(self.loop, self.E, mask, h)
        return action, located, after

    def is_event(self, e: int) -> str:
        return self.w.compare("oeq", self.event, self.loop.const(float(e)))

    def chosen(self, values: Elements) -> str:
        """Each lane's event's number of one per event."""
        found = self.loop.const(0.0)
        for e, value in enumerate(values):
            found = self.w.select(self.is_event(e), value, found)
        return found

    def of_change(self, a: int) -> str:
        """The lanes whose event makes assignment a."""
        first = self.located.first
        return self.is_event(next(e for e in range(self.E) if first[e] <= a < first[e + 1]))

    def slopes(self, t: str, y: Elements) -> Elements:
        rates = self.located.rates
        return self.loop.evaluate(rates, {"t": [t], "y": y, "p": self.loop.p})[rates.outputs[0][0]]

    def guard_rate(self, t: str, y: Elements) -> str:
        return self.chosen(self.loop.evaluate(self.located.guard_rate, {"t": [t], "y": y, "p": self.loop.p})["guard_rate"])

    def in_lanes(self, mask: str, act: Callable[[], Elements], otherwise: Elements) -> list[str]:
        """What `act` gives in the lanes of the mask; skipped where there are none."""
        w = self.w

        def chosen() -> list[str]:
            return [w.select(mask, a, b) for a, b in zip(act(), otherwise, strict=True)]

        return self.loop.branch(w.any(mask), chosen, otherwise, self.loop.lanes.real)

    # ---- forwards -------------------------------------------------------------------------------------------------------
    def forwards(self, mask: str, t: str, h: str, y: Elements, y_dot: Elements, dots: Given) -> list[str]:
        """The tangent of the state after a row of an event."""
        w, loop = self.w, self.loop
        action, located, after = self.at_row(mask, h)
        states = {"t": [t], "y": y, "p": loop.p}

        def move() -> Elements:
            given = {**states, "t.dot": [loop.const(0.0)], "y.dot": y_dot, **dots}
            changed = self.chosen(loop.evaluate(self.located.guards_forward, given)["guard.dot"])
            s = w.neg(w.div(changed, self.guard_rate(t, y)))
            loop.put(self.moved, 0, w.select(located, s, loop.at(self.moved, 0)))
            return [w.add(d, w.mul(f, s)) for d, f in zip(y_dot, self.slopes(t, y), strict=True)]

        y_dot = self.in_lanes(located, move, y_dot)

        def change() -> Elements:
            if self.located.changes_forward is None:
                return y_dot
            given = {**states, "t.dot": [loop.at(self.moved, 0)], "y.dot": y_dot, **dots}
            made, new = loop.evaluate(self.located.changes_forward, given)["changes.dot"], list(y_dot)
            for a, state in enumerate(self.located.states):
                new[state] = w.select(self.of_change(a), made[a], new[state])
            return new

        y_dot = self.in_lanes(action, change, y_dot)

        def settle() -> Elements:
            s = loop.at(self.moved, 0)
            loop.put(self.moved, 0, w.select(after, loop.const(0.0), s))
            return [w.sub(d, w.mul(f, s)) for d, f in zip(y_dot, self.slopes(t, y), strict=True)]

        return self.in_lanes(after, settle, y_dot)

    # ---- backwards ------------------------------------------------------------------------------------------------------
    def backwards(self, mask: str, t: str, h: str, y: Elements, y_bar: str, through: Through) -> None:
        """The cotangents `y_bar` (an array of lanes) of what was before a row of an event."""
        w, loop = self.w, self.loop
        action, located, after = self.at_row(mask, h)
        states = {"t": [t], "y": y, "p": loop.p}
        bars = [loop.at(y_bar, i) for i in range(loop.m.n)]

        def settle() -> Elements:
            slopes = self.slopes(t, y)
            return [w.neg(w.tree_sum([w.mul(f, bar) for f, bar in zip(slopes, bars, strict=True)]))]

        loop.put(self.moved, 0, self.in_lanes(after, settle, [loop.at(self.moved, 0)])[0])
        tape = self.located.changes_reverse
        if tape is not None:
            loop.branch(w.any(action), lambda: self.undo(tape, action, states, y_bar, through), [], loop.lanes.real)
        loop.branch(w.any(located), lambda: self.unmove(located, states, y_bar, through), [], loop.lanes.real)

    def undo(self, tape: Tape, action: str, states: Given, y_bar: str, through: Through) -> Elements:
        """Through the assignments."""
        w, loop, zero = self.w, self.loop, self.loop.const(0.0)
        bars = []
        for a, state in enumerate(self.located.states):
            mine = w.logic("and", action, self.of_change(a))
            bar = loop.at(y_bar, state)
            bars.append(w.select(mine, bar, zero))
            loop.put(y_bar, state, w.select(mine, zero, bar))
        out = through(tape, action, {**states, "changes.bar": bars})
        if "t.bar" in out:
            loop.put(self.moved, 0, w.add(loop.at(self.moved, 0), w.select(action, out["t.bar"][0], zero)))
        return []

    def unmove(self, located: str, states: Given, y_bar: str, through: Through) -> Elements:
        """Through the movement of the instant."""
        w, loop, zero = self.w, self.loop, self.loop.const(0.0)
        t, y = states["t"][0], states["y"]
        products = [w.mul(f, loop.at(y_bar, i)) for i, f in enumerate(self.slopes(t, y))]
        s_bar = w.add(loop.at(self.moved, 0), w.tree_sum(products))
        share = w.neg(w.div(s_bar, self.guard_rate(t, y)))
        guard_bars = [w.select(w.logic("and", located, self.is_event(e)), share, zero) for e in range(self.E)]
        through(self.located.guards_reverse, located, {**states, "guard.bar": guard_bars})
        loop.put(self.moved, 0, w.select(located, zero, loop.at(self.moved, 0)))
        return []
