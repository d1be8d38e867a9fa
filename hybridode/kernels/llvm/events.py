"""Events inside the adaptive loop: found on the dense output of a step, landed on by a step of their own, carried out there.

The record keeps what happened between the rows of steps: rows whose h is below -EVENT (see `code_of`), with the state before.
After the actions of an instant follows a row with the state behind them.
"""

from __future__ import annotations

from collections.abc import Callable

from hybridode.kernels.llvm.event_search import EventSearch
from hybridode.kernels.llvm.straight import Elements

ROUNDS = 100  # of events that set off events, at one instant
MANY, INSTANT = 1000, 1e-9  # so many events in this part of the span are endless


SET_OFF, LOCATED, KNOWN, AFTER = range(4)
EVENT = 2.0**960  # no step is so long


def code_of(event: int, count: int, kind: int) -> float:
    """A row's h. SET_OFF: an action that another one set off; LOCATED: the first of an instant, located by its own guard; KNOWN:
    the first of an instant known beforehand; AFTER (event 0): the state after the last."""
    return -(event + 1.0 + kind * count) * EVENT


class EventLoop(EventSearch):
    """The events of a solve."""

    # ---- the start ----------------------------------------------------------------------------------------------------
    def start(self, t: str, y: Elements) -> None:
        """Signs and guards at the start, and the events that happen there (`fired`)."""
        w, const = self.w, self.loop.const
        self.look_at(t, y)

        def one(e: str) -> None:
            sign, guard = self.get("new_sign", e), self.get("new_guard", e)
            self.set("guard", guard, e)
            here = w.logic("or", w.compare("oeq", sign, const(1.0)), w.compare("oeq", guard, const(0.0)))
            fires = w.logic("and", here, w.compare("oeq", self.tables.at_start(e), const(1.0)))
            self.set("fired", self.number(fires), e)
            self.set("sign", w.select(fires, w.neg(sign), sign), e)

        self.each(one)

    def any_at_start(self) -> bool:
        return any(self.located.at_start)

    def any_fired(self) -> str:
        """The lanes in which an event fired."""
        self.set("flag", self.loop.const(0.0))
        self.each(lambda e: self.raise_flag(self.truth("fired", e)))
        return self.truth("flag")

    # ---- an instant ---------------------------------------------------------------------------------------------------
    def act(self, mask: str, kind: int, t: str, y: Elements, record: Callable[..., None]) -> tuple[list[str], str, str]:
        """The events that fired, in the order of the file, then those that they set off; (state, stop, endless) after.

        `record(row, t, h, y)` keeps a row, the next of which is in `rows`. The last two results are masks as reals.
        """
        w, loop, const = self.w, self.loop, self.loop.const
        self.look_at(t, y)
        self.each(lambda e: self.set("before", self.get("new_guard", e), e))
        for i, value in enumerate(y):
            loop.put(self.y, i, value)
        self.set("kind", const(float(kind * self.E)))
        self.set("stop", const(0.0))

        def round_(_: str) -> str:
            loop.repeat(self.E, lambda e: self.carry_out(e, mask, t, record))
            return self.afterwards(mask, t)

        endless = loop.repeat_while(ROUNDS, round_)
        after = [loop.at(self.y, i) for i in range(self.n)]
        rows = loop.get_integer(self.rows)
        record(rows, t, const(code_of(0, self.E, AFTER)), after)
        loop.put_integer(self.rows, loop.count(rows, mask))
        still = w.select(w.logic("and", mask, self.truth("flag")), const(1.0), const(0.0))
        stuck = w.select(w.splat(endless, "i1"), still, const(0.0))
        return after, self.get("stop"), stuck

    def carry_out(self, e: str, mask: str, t: str, record: Callable[..., None]) -> None:
        """The assignments of event e in the lanes where it fired."""
        w, loop, const = self.w, self.loop, self.loop.const
        mine = w.logic("and", mask, self.truth("fired", e))

        def do() -> list[str]:
            y = [loop.at(self.y, i) for i in range(self.n)]
            rows = loop.get_integer(self.rows)
            place = w.splat(w.value(f"sitofp i64 {e} to {loop.lanes.scalar}"))
            record(rows, t, w.mul(const(-EVENT), w.add(w.add(place, const(1.0)), self.get("kind"))), y)
            loop.put_integer(self.rows, loop.count(rows, mine))
            self.set("kind", w.select(mine, const(0.0), self.get("kind")))
            stops = w.logic("and", mine, w.compare("oeq", self.tables.stop(e), const(1.0)))
            self.set("stop", w.select(stops, const(1.0), self.get("stop")))
            if self.located.changes is not None:
                values = loop.evaluate(self.located.changes, {"t": [t], "y": y, "p": loop.p})["changes"]
                for a, value in enumerate(values):
                    loop.put(self.values, a, value)
                self.tables.each_change(e, lambda a, state: self.assign(mine, a, state))
            return []

        loop.branch(w.any(mine), do, [], loop.lanes.real)

    def assign(self, mine: str, a: str, state: str) -> None:
        self.loop.put(self.y, state, self.w.select(mine, self.loop.at(self.values, a), self.loop.at(self.y, state)))

    def afterwards(self, mask: str, t: str) -> str:
        """Signs after the actions; the events that they set off. i1: whether there are any."""
        w, loop, const = self.w, self.loop, self.loop.const
        self.look_at(t, [loop.at(self.y, i) for i in range(self.n)])
        self.set("flag", const(0.0))

        def one(e: str) -> None:
            old, new, guard = self.get("sign", e), self.get("new_sign", e), self.get("new_guard", e)
            fired = self.truth("fired", e)
            # An event that left its own guard alone has happened, whatever rounding says on which side it stands.
            left = w.logic("and", fired, w.compare("oeq", guard, self.get("before", e)))
            mine = w.select(left, w.neg(old), new)
            others = self.settled(old, new)
            set_off = w.logic("and", w.logic("and", mask, loop.not_(fired)), self.crossing(old, new, e))
            self.raise_flag(set_off)
            self.set("sign", w.select(mask, w.select(fired, mine, w.select(set_off, old, others)), old), e)
            self.set("guard", w.select(mask, guard, self.get("guard", e)), e)
            self.set("before", guard, e)
            self.set("fired", w.select(mask, self.number(set_off), self.get("fired", e)), e)

        self.each(one)
        return w.any(w.logic("and", mask, self.truth("flag")))
