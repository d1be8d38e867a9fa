"""Derivatives through events: over the rows that `events` left in the record between those of steps.

The instant of a located event moves with what its guard g depends on: dt = -(dg at a fixed time) / (dg/dt along the solution).
With s for that movement, an instant takes the state y before to  change(t + s, y + f s) - f' s,  f and f' being the slopes
before and after (Hiskens & Pai 2000, the saltation matrix). The values are those that were computed (s = 0), the derivatives
exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from hybridode.kernels.llvm.event_tables import EventTables
from hybridode.kernels.llvm.events import AFTER, EVENT, KNOWN, LOCATED, SET_OFF, codes
from hybridode.kernels.llvm.straight import Elements
from hybridode.methods.located import Located
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop
    from hybridode.kernels.llvm.replay import Replay

Given = Mapping[str, Elements]
Dots = Callable[[Tape], Given]  # tangents of what a tape reads beside time and states
# (reverse tape, lanes, inputs) -> outputs; those of y, p, … have been added to their cotangents
Through = Callable[[Tape, str, Given], Given]


class Row(NamedTuple):
    """Lanes of an event's action, of these the first of a located instant; of a row behind an instant, of these of one with `at`
    statements; of a firing of an `at` statement, and which, a real."""

    action: str
    located: str
    after: str
    after_known: str
    known: str
    firing: str


def row_of(loop: LaneLoop, events: int, mask: str, h: str) -> tuple[Row, str]:
    """What a row is about, and its event, a real; see `code_of`."""
    w, const, many = loop.w, loop.const, float(codes(events))
    code = w.sub(w.mul(h, const(-1 / EVENT[loop.lanes.dtype])), const(1.0))  # event + kind times `many`

    def of_kind(kind: int) -> str:
        above = w.compare("oge", code, const(kind * many))
        return w.logic("and", mask, w.logic("and", above, w.compare("olt", code, const((kind + 1) * many))))

    known = w.logic("and", mask, w.compare("oge", code, const(KNOWN * many)))
    located, after = of_kind(LOCATED), of_kind(AFTER)
    action = w.logic("or", located, of_kind(SET_OFF))
    event = w.sub(code, w.mul(w.intrinsic("floor", w.div(code, const(many))), const(many)))
    firing = w.select(known, w.sub(code, const(KNOWN * many)), const(0.0))
    after_known = w.logic("and", after, w.compare("oeq", event, const(1.0)))
    return Row(action, located, after, after_known, known, firing), event


class EventReplay:
    """The rows of events: which event, and of which kind, per lane."""

    def __init__(self, loop: Replay, located: Located) -> None:
        self.loop, self.w, self.located, self.E = loop, loop.w, located, located.count
        self.known = located.known
        self.moved = loop.memory("event_moved", 1)  # the movement of the instant, or its cotangent
        self.guard_bar = loop.memory("event_guard_bar", self.E)
        self.change_bar = loop.memory("event_change_bar", max(1, len(located.states)))
        self.tables = EventTables(loop, located)

    def at_row(self, mask: str, h: str) -> Row:
        """What a row is about; see `code_of`."""
        row, self.event = row_of(self.loop, self.E, mask, h)
        return row

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
    def forwards(self, row: Row, t: str, y: Elements, y_dot: Elements, dots: Dots) -> list[str]:
        """The tangent of the state after a row of an event; `dots(tape)` are the tangents of all else that a tape reads."""
        w, loop = self.w, self.loop
        states = {"t": [t], "y": y, "p": loop.p}
        still = {"t.dot": [loop.const(0.0)]}
        if self.E:
            y_dot = self.in_lanes(row.located, lambda: self.move(row.located, states, {**still, "y.dot": y_dot}, dots), y_dot)
        if self.known is not None:
            y_dot = self.in_lanes(row.known, lambda: self.move_known(row, t, y, y_dot), y_dot)
            y_dot = self.in_lanes(row.known, lambda: self.statement(row, states, y_dot, dots), y_dot)

        def change() -> Elements:
            tape = self.located.changes_forward
            if tape is None:
                return y_dot
            given = {**states, "y.dot": y_dot, **self.at_moved(t, dots(tape))}
            made, new = loop.evaluate(tape, given)["changes.dot"], list(y_dot)
            for a, state in enumerate(self.located.states):
                new[state] = w.select(self.of_change(a), made[a], new[state])
            return new

        if self.E:
            y_dot = self.in_lanes(row.action, change, y_dot)

        def settle() -> Elements:
            s = loop.at(self.moved, 0)
            loop.put(self.moved, 0, w.select(row.after, loop.const(0.0), s))
            return [w.sub(d, w.mul(f, s)) for d, f in zip(y_dot, self.slopes(t, y), strict=True)]

        return self.in_lanes(row.after, settle, y_dot)

    def move(self, located: str, states: Given, dots: Given, more: Dots) -> Elements:
        """An instant moves with what its guard depends on."""
        w, loop, tape = self.w, self.loop, self.located.guards_forward
        t, y = states["t"][0], states["y"]
        changed = self.chosen(loop.evaluate(tape, {**states, **dots, **more(tape)})["guard.dot"])
        s = w.neg(w.div(changed, self.guard_rate(t, y)))
        loop.put(self.moved, 0, w.select(located, s, loop.at(self.moved, 0)))
        return [w.add(d, w.mul(f, s)) for d, f in zip(dots["y.dot"], self.slopes(t, y), strict=True)]

    def at_moved(self, t: str, dots: Given) -> Given:
        """The tangents of time and signals at the instant, which moves."""
        w, s = self.w, self.loop.at(self.moved, 0)
        found = {**dots, "t.dot": [s]}
        for name in ("u", "du"):
            if f"{name}.dot" in dots:
                pairs = zip(dots[f"{name}.dot"], self.signal_rates(name, t), strict=True)
                found[f"{name}.dot"] = [w.add(dot, w.mul(rate, s)) for dot, rate in pairs]
        return found

    def signal_rates(self, name: str, t: str) -> Elements:
        """How fast the signals, or their rates, change."""
        signals = self.loop.signals
        assert signals is not None
        return [signals.point(k, "", t, None).values[1 if name == "u" else 2] for k in range(signals.k)]

    def move_known(self, row: Row, t: str, y: Elements, y_dot: Elements) -> Elements:
        """The instant of a firing moves by its own tangent, from where the firing before it at this instant moved."""
        w, loop = self.w, self.loop
        times, q = loop.known_times, self.whole(row.firing)
        assert times is not None
        s, before = loop.read(times.places(loop.s_dot, q), 0), loop.at(self.moved, 0)
        loop.put(self.moved, 0, w.select(row.known, s, before))
        by = w.sub(s, before)
        return [w.add(d, w.mul(f, by)) for d, f in zip(y_dot, self.slopes(t, y), strict=True)]

    def statement(self, row: Row, states: Given, y_dot: Elements, dots: Dots) -> Elements:
        """Through the assignments of an `at` statement."""
        w, loop, known = self.w, self.loop, self.known
        tape = None if known is None else known.values_forward
        times, q = self.loop.known_times, self.whole(row.firing)
        if known is None or tape is None or times is None:
            return y_dot
        given = {**states, "y.dot": y_dot, **self.at_moved(states["t"][0], dots(tape)), **times.amount(q)}
        if times.amounts:
            given["amount.dot"] = [loop.read(times.amount_places(loop.s_dot, q), 0)]
        ((name, _),) = tape.outputs
        made, new, which = loop.evaluate(tape, given)[name], list(y_dot), self.which(row)
        for value, owner, state in zip(made, known.owners, known.states, strict=True):
            new[state] = w.select(w.compare("oeq", which, loop.const(float(owner))), value, new[state])
        return new

    def which(self, row: Row) -> str:
        """The statement of a firing, a real."""
        assert self.loop.known_times is not None
        return self.loop.known_times.statement(self.whole(row.firing))

    def whole(self, real: str) -> str:
        return self.w.value(f"fptosi {self.loop.lanes.real} {real} to {self.loop.lanes.integer}")

    # ---- backwards ------------------------------------------------------------------------------------------------------
    def backwards(self, row: Row, t: str, y: Elements, y_bar: str, through: Through) -> None:
        """The cotangents `y_bar` (an array of lanes) of what was before a row of an event."""
        w, loop = self.w, self.loop
        states = {"t": [t], "y": y, "p": loop.p}
        bars = [loop.at(y_bar, i) for i in range(loop.m.n)]

        def settle() -> Elements:
            slopes = self.slopes(t, y)
            return [w.neg(w.tree_sum([w.mul(f, bar) for f, bar in zip(slopes, bars, strict=True)]))]

        loop.put(self.moved, 0, self.in_lanes(row.after, settle, [loop.at(self.moved, 0)])[0])
        tape, action = self.located.changes_reverse, row.action
        if tape is not None:
            mine = [w.logic("and", action, self.of_change(a)) for a in range(len(self.located.states))]
            back = partial(self.undo, tape, action, mine, self.located.states, states, y_bar, through)
            loop.branch(w.any(action), back, [], loop.lanes.real)
        if self.E:
            loop.branch(w.any(row.located), lambda: self.unmove(row.located, states, y_bar, through), [], loop.lanes.real)
        if self.known is not None:
            loop.branch(w.any(row.known), lambda: self.unstate(row, states, y_bar, through), [], loop.lanes.real)

    def undo(self, tape: Tape, action: str, mine: Elements, targets: Sequence[int], states: Given, y_bar: str,
             through: Through) -> Elements:  # fmt: skip
        """Through the assignments of events, each in its lanes `mine`."""
        self.undone(tape, action, mine, targets, states, y_bar, through)
        return []

    def undone(self, tape: Tape, action: str, mine: Elements, targets: Sequence[int], states: Given, y_bar: str,
               through: Through) -> Given:  # fmt: skip
        """Through the assignments of events, or of `at` statements, each in its lanes `mine`: all cotangents."""
        w, loop, zero = self.w, self.loop, self.loop.const(0.0)
        bars = []
        for here, state in zip(mine, targets, strict=True):
            bar = loop.at(y_bar, state)
            bars.append(w.select(here, bar, zero))
            loop.put(y_bar, state, w.select(here, zero, bar))
        out = through(tape, action, {**states, "changes.bar": bars, "at_values.bar": bars})
        by_time = list(out.get("t.bar", ()))
        for name in ("u", "du"):
            if f"{name}.bar" in out:
                rates = self.signal_rates(name, states["t"][0])
                by_time += [w.mul(bar, rate) for bar, rate in zip(out[f"{name}.bar"], rates, strict=True)]
        if by_time:
            loop.put(self.moved, 0, w.add(loop.at(self.moved, 0), w.select(action, w.tree_sum(by_time), zero)))
        return out

    def unmove(self, located: str, states: Given, y_bar: str, through: Through) -> Elements:
        """Through the movement of the instant."""
        w, loop, zero = self.w, self.loop, self.loop.const(0.0)
        s_bar = w.add(loop.at(self.moved, 0), self.along(states, y_bar))
        share = w.neg(w.div(s_bar, self.guard_rate(states["t"][0], states["y"])))
        guard_bars = [w.select(w.logic("and", located, self.is_event(e)), share, zero) for e in range(self.E)]
        through(self.located.guards_reverse, located, {**states, "guard.bar": guard_bars})
        loop.put(self.moved, 0, w.select(located, zero, loop.at(self.moved, 0)))
        return []

    def along(self, states: Given, y_bar: str) -> str:
        """The cotangents of the state times the slopes."""
        slopes = self.slopes(states["t"][0], states["y"])
        return self.w.tree_sum([self.w.mul(f, self.loop.at(y_bar, i)) for i, f in enumerate(slopes)])

    def unstate(self, row: Row, states: Given, y_bar: str, through: Through) -> Elements:
        """Through an `at` statement and the movement of its instant."""
        w, loop, known, times = self.w, self.loop, self.known, self.loop.known_times
        assert known is not None and times is not None
        tape, q = known.values_reverse, self.whole(row.firing)
        if tape is not None:
            which = self.which(row)
            mine = [w.logic("and", row.known, w.compare("oeq", which, loop.const(float(k)))) for k in known.owners]
            given = {**states, **times.amount(q)}
            out = self.undone(tape, row.known, mine, known.states, given, y_bar, through)
            for amount_bar in out.get("amount.bar", ()):
                self.add_to(times.amount_places(loop.s_bar, q), amount_bar, row.known)
        moved, share = loop.at(self.moved, 0), self.along(states, y_bar)
        self.add_to(times.places(loop.s_bar, q), w.add(moved, share), row.known)
        loop.put(self.moved, 0, w.select(row.known, w.neg(share), moved))
        return []

    def add_to(self, places: Sequence[str], value: str, mask: str) -> None:
        """Adds every lane's number to its place in a row, in the lanes of the mask."""
        w, loop, scalar = self.w, self.loop, self.loop.lanes.scalar
        for k, (place, mine) in enumerate(zip(places, loop.own_of(mask), strict=True)):
            more = w.value(f"select i1 {mine}, {scalar} {loop.lane(value, k)}, {scalar} {loop.lanes.number(0.0)}")
            w.store(w.value(f"fadd {scalar} {w.load(place, '0', scalar, loop.align)}, {more}"), place, "0", scalar, loop.align)
