"""Events inside the adaptive loop: found on the dense output of a step, landed on by a step of their own, carried out there.

The record keeps what happened between the rows of steps: rows whose h is -EVENT or below (see `code_of`), with the state before.
After the actions of an instant follows a row with the state behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hybridode.kernels.llvm.event_search import EventSearch, Found, State
from hybridode.kernels.llvm.job import DONE, ENDLESS

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
    def start(self, t: str, y: State) -> None:
        """Signs and guards at the start, and the events that happen there (`fired`)."""
        c, const = self.c, self.const
        self.look_at(t, y)

        def one(e: str) -> None:
            sign, guard = self.get("new_sign", e), self.get("new_guard", e)
            self.set("guard", guard, e)
            here = c.logic("or", c.compare("oeq", sign, const(1.0)), c.compare("oeq", guard, const(0.0)))
            fires = c.logic("and", here, c.compare("oeq", self.tables.at_start(e), const(1.0)))
            self.set("fired", self.number(fires), e)
            self.set("sign", c.select(fires, c.neg(sign), sign), e)

        self.each(one)

    def any_at_start(self) -> bool:
        return any(self.located.at_start)

    def any_fired(self) -> str:
        """The lanes in which an event fired."""
        self.lower_flag()
        self.each(lambda e: self.raise_flag(self.truth("fired", e)))
        return self.flagged()

    # ---- an instant ---------------------------------------------------------------------------------------------------
    def act(self, mask: str, kind: int, t: str, y: State, record: Callable[..., None]) -> tuple[State, str, str]:
        """The events that fired, in the order of the file, then those that they set off; (state, stop, endless) after.

        `record(row, t, h, y)` keeps a row, the next of which is in `rows`. The last two results are masks as reals.
        """
        w, loop, const = self.w, self.loop, self.loop.const
        self.look_at(t, y)
        self.each(lambda e: self.set("before", self.get("new_guard", e), e))
        self.take(y)
        self.set("kind", const(float(kind * self.E)))
        self.set("stop", const(0.0))

        def round_(k: str) -> str:
            self.over_fired(mask, lambda e: self.carry_out(e, mask, t, record))
            return self.afterwards(mask, t, k)

        endless = loop.repeat_while(ROUNDS, round_)
        after = self.now()
        rows = loop.get_integer(self.rows)
        record(rows, t, const(code_of(0, self.E, AFTER)), after)
        loop.put_integer(self.rows, loop.count(rows, mask))
        still = w.select(w.logic("and", mask, self.flagged()), const(1.0), const(0.0))
        stuck = w.select(w.splat(endless, "i1"), still, const(0.0))
        return after, self.get("stop"), stuck

    def take(self, y: State) -> None:
        """The state that the events act on."""
        for i, value in enumerate(y):
            self.loop.put(self.y, i, value)

    def now(self) -> State:
        """The state as the events have left it."""
        return [self.loop.at(self.y, i) for i in range(self.n)]

    def over_fired(self, mask: str, act: Callable[[str], None]) -> None:
        """act(e) for the events that fired in any lane of the mask, in their order; for others it does nothing."""
        self.loop.repeat(self.E, act)

    def has_fired(self, e: str) -> str:
        """The lanes in which event e fired."""
        return self.truth("fired", e)

    def carry_out(self, e: str, mask: str, t: str, record: Callable[..., None]) -> None:
        """The assignments of event e in the lanes where it fired."""
        w, loop, const = self.w, self.loop, self.loop.const
        mine = w.logic("and", mask, self.has_fired(e))

        def do() -> list[str]:
            y, rows = self.now(), loop.get_integer(self.rows)
            place = w.splat(w.value(f"sitofp i64 {e} to {loop.lanes.scalar}"))
            record(rows, t, w.mul(const(-EVENT), w.add(w.add(place, const(1.0)), self.get("kind"))), y)
            loop.put_integer(self.rows, loop.count(rows, mine))
            self.set("kind", w.select(mine, const(0.0), self.get("kind")))
            stops = w.logic("and", mine, w.compare("oeq", self.tables.stop(e), const(1.0)))
            self.set("stop", w.select(stops, const(1.0), self.get("stop")))
            if self.located.changes is not None:
                self.change(e, mine, t, y)
            return []

        loop.branch(w.any(mine), do, [], loop.lanes.real)

    def change(self, e: str, mine: str, t: str, y: State) -> None:
        """The assignments of event e, all of which read the state y."""
        assert self.located.changes is not None
        values = self.loop.evaluate(self.located.changes, {"t": [t], "y": y, "p": self.loop.p})["changes"]
        for a, value in enumerate(values):
            self.loop.put(self.values, a, value)
        self.tables.each_change(e, lambda a, state: self.assign(mine, a, state))

    def assign(self, mine: str, a: str, state: str) -> None:
        self.loop.put(self.y, state, self.w.select(mine, self.loop.at(self.values, a), self.loop.at(self.y, state)))

    def afterwards(self, mask: str, t: str, k: str) -> str:
        """Signs after the actions of round k; the events that they set off. i1: whether there are any."""
        c, here = self.c, self.wide(mask)
        later = self.wide(self.w.splat(self.w.value(f"icmp sgt i64 {k}, 0"), "i1"))
        self.look_at(t, self.now())
        self.lower_flag()

        def one(e: str) -> None:
            old, new, guard = self.get("sign", e), self.get("new_sign", e), self.get("new_guard", e)
            fired = self.truth("fired", e)
            # An event that left its own guard alone has happened, whatever rounding says on which side it stands.
            unmoved = c.compare("oeq", guard, self.get("before", e))
            left = c.logic("and", fired, unmoved)
            mine = c.select(left, c.neg(old), new)
            # What the rounds before have said of a guard stays while it stays: the same in one round as in several.
            said = c.logic("and", later, unmoved)
            others = c.select(said, old, self.settled(old, new))
            set_off = c.logic("and", c.logic("and", here, self.not_(c.logic("or", fired, said))), self.crossing(old, new, e))
            self.raise_flag(set_off)
            self.set("sign", c.select(here, c.select(fired, mine, c.select(set_off, old, others)), old), e)
            self.set("guard", c.select(here, guard, self.get("guard", e)), e)
            self.set("before", guard, e)
            self.set("fired", c.select(here, self.number(set_off), self.get("fired", e)), e)

        self.each(one)
        return self.w.any(self.w.logic("and", mask, self.flagged()))

    # ---- after a step ---------------------------------------------------------------------------------------------------
    def following(self, now: Mapping[str, str], new: dict[str, str], ok: str, found: Found, h: str, span: str,
                  instant: Callable[[str, str], tuple[str, str, str]]) -> dict[str, str]:  # fmt: skip
        """What is carried on, with the next step onto an event that was found, or after the events of this instant, which
        `instant(short, acting)` carries out in the lanes `acting`; of these the `short` ones stay at the start of the step."""
        w, loop, const = self.w, self.loop, self.loop.const
        step = w.mul(found.theta, h)
        # Too near for a step of its own: it happens here, at the state that the dense output has.
        short = w.compare("ole", step, w.mul(w.intrinsic("fabs", now["t"]), const(1e-15)))
        short = w.logic("and", found.hit, w.logic("or", short, w.compare("ole", step, const(1e-290))))
        acting = w.logic("or", w.logic("and", ok, now["landing"]), short)
        rows, stop, stuck = instant(short, acting)
        recent = w.compare("ole", w.sub(new["t"], now["instant"]), w.mul(span, const(INSTANT)))
        many = w.select(acting, w.select(recent, w.add(now["many"], const(1.0)), const(1.0)), now["many"])
        endless = w.logic("or", w.compare("ogt", many, const(float(MANY))), w.compare("one", stuck, const(0.0)))
        stopped = w.logic("and", acting, w.compare("one", stop, const(0.0)))
        status = loop.select_integer(stopped, loop.integers(DONE), new["status"])
        landing = w.logic("and", found.hit, loop.not_(short))
        resumed = w.select(acting, loop.maximum(new["h"], now["resume"]), new["h"])
        return new | {
            "accepted": rows,
            "events": loop.whole("add", now["events"], loop.whole("sub", rows, new["accepted"])),
            "h": w.select(landing, step, w.select(short, now["h"], resumed)),
            "resume": w.select(landing, h, now["resume"]),
            "landing": landing,
            "instant": w.select(w.logic("and", acting, loop.not_(recent)), new["t"], now["instant"]),
            "many": many,
            "status": loop.select_integer(w.logic("and", acting, endless), loop.integers(ENDLESS), status),
        }
