"""Events inside the adaptive loop: found on the dense output of a step, landed on by a step of their own, carried out there.

`at` statements, whose times are known, are landed on as the end is. At one instant they come first, then the events whose
conditions have turned true. The record keeps what happened between the rows of steps: rows whose h is -EVENT or less (see
`code_of`), with the state before. After the actions of an instant follows a row with the state behind them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from hybridode.kernels.llvm.event_guards import State
from hybridode.kernels.llvm.event_saves import not_before_a_save
from hybridode.kernels.llvm.event_search import EventSearch, Found
from hybridode.kernels.llvm.job import DONE, ENDLESS
from hybridode.methods.located import Located

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop

ROUNDS = 100  # of events that set off events, at one instant
MANY, INSTANT = 1000, 1e-9  # so many events in this part of the span are endless
SHORTEST, TINY = 1e-7, 1e-6  # and so many one after the other, each within this part of the span and of the step that was tried
FIRINGS = 1 << 40  # more of `at` statements there are not at one instant

SET_OFF, LOCATED, AFTER, KNOWN = range(4)
EVENT = {"float64": 2.0**960, "float32": 2.0**96}  # no step is so long

Record = Callable[[str, str, str, State], None]  # (row, t, h, y)


def codes(events: int) -> int:
    """How many codes each kind has (KNOWN: as many as there are firings)."""
    return max(2, events)


def code_of(event: int, events: int, kind: int) -> float:
    """A row's h, in EVENT. SET_OFF: an action that another one set off, or of the start; LOCATED: the first of an instant,
    located by its own guard; AFTER: the state after the last (event 1: of an instant that was known beforehand, else 0); KNOWN:
    a firing of an `at` statement, its number in the place of the event's."""
    return -(event + 1.0 + kind * codes(events))


class Instant(NamedTuple):
    """The lanes for which it is an instant; of these where an event was located, and where `at` statements happen, or an input
    may have jumped ("": nowhere)."""

    lanes: str
    located: str
    known: str = ""
    jumped: str = ""


class Ends(NamedTuple):
    """The lanes whose step ends where `at` statements happen, and where inputs that guards read may jump ("": nowhere)."""

    known: str = ""
    jumped: str = ""


class After(NamedTuple):
    """What an instant leaves: rows of the record; how many events happened; reals that are not 0 in lanes that stop, and in lanes
    where events set each other off without end; the longest step from there."""

    rows: str
    fired: str
    stop: str
    stuck: str
    longest: str


class EventLoop(EventSearch):
    """The events of a solve."""

    def __init__(self, loop: LaneLoop, located: Located) -> None:
        super().__init__(loop, located)
        first = self.E - len(located.modes)
        self.modes = [(first + k, m) for k, m in enumerate(located.modes)]  # (event, state) of every `if`
        self.known, self.unit = located.known, EVENT[loop.lanes.dtype]
        self.fired = loop.integer_memory("event_count")  # how many happened at this instant
        self.q = loop.integer_memory("event_firing")  # of the lanes: the next firing of an `at` statement
        if self.known is not None:
            loop.put_integer(self.q, loop.integers(0))

    # ---- the start ----------------------------------------------------------------------------------------------------
    def start(self, t: str, y: State) -> None:
        """Signs and guards at the start, and the events that happen there (`fired`)."""
        c, const = self.c, self.const
        self.look_at(t, y)

        def one(e: str) -> None:
            sign, guard = self.get("new_sign", e), self.get("new_guard", e)
            self.set("guard", guard, e)
            self.set("pending", const(0.0), e)
            holds = c.logic("and", c.compare("oeq", sign, const(1.0)), c.compare("oeq", self.tables.at_start(e), const(1.0)))
            zero = c.logic("and", c.compare("oeq", sign, const(0.0)), c.compare("oeq", self.tables.at_start(e), const(2.0)))
            fires = c.logic("or", holds, zero)
            self.set("fired", self.number(fires), e)
            self.set("sign", c.select(fires, c.neg(sign), sign), e)

        self.each(one)

    def with_modes(self, y: State) -> State:
        """The state with the sides of the `if`s as the signs say."""
        new = list(y)
        for e, m in self.modes:
            new[m] = self.number(self.c.compare("oeq", self.get("sign", str(e)), self.const(1.0)))
        return new

    def switch(self, mask: str) -> None:
        """The same of the state that events act on, in the lanes of the mask; where one changes there is another round."""
        w, loop = self.w, self.loop
        for e, m in self.modes:
            old = loop.at(self.y, m)
            side = self.number(w.compare("oeq", self.get("sign", str(e)), loop.const(1.0)))
            new = w.select(w.logic("and", mask, w.compare("olt", old, loop.const(1.5))), side, old)
            self.raise_flag(w.compare("one", old, new))
            loop.put(self.y, m, new)

    def any_at_start(self) -> bool:
        return any(self.located.at_start) or self.known is not None

    def next_known(self) -> str:
        """The time of the next firing of an `at` statement."""
        times = self.loop.known_times
        return self.loop.const(math.inf) if times is None else times.time(self.loop.get_integer(self.q))

    def any_fired(self) -> str:
        """The lanes in which an event fired."""
        self.lower_flag()
        self.each(lambda e: self.raise_flag(self.truth("fired", e)))
        return self.flagged()

    # ---- an instant ---------------------------------------------------------------------------------------------------
    def act(self, of: Instant, t: str, y: State, record: Record) -> tuple[State, str, str]:
        """`at` statements, the events that fired, in the order of the file, then those that they set off; (state, stop, endless)
        after. `record` keeps a row, the next of which is in `rows`. The last two results are masks as reals."""
        w, loop, const, mask = self.w, self.loop, self.loop.const, of.lanes
        if self.E:
            self.look_at(t, y)
            self.each(lambda e: self.set("before", self.get("new_guard", e), e))
        self.take(y)
        self.lower_flag()
        self.set("kind", w.select(of.located, const(float(LOCATED * codes(self.E))), const(float(SET_OFF))))
        self.set("stop", const(0.0))
        if of.known:
            self.statements(of.known, t, record)
        if self.E and (of.known or of.jumped):
            turned = w.logic("or", of.known, of.jumped) if of.known and of.jumped else of.known or of.jumped
            here = self.wide(turned)
            self.each(lambda e: self.set("fired", self.c.select(here, self.const(0.0), self.get("fired", e)), e))
            self.afterwards(turned, t, "0")  # which conditions have turned true

        def round_(k: str) -> str:
            self.over_fired(mask, lambda e: self.carry_out(e, mask, t, record))
            return self.afterwards(mask, t, k)

        endless = loop.repeat_while(ROUNDS, round_) if self.E else "false"
        after = self.now()
        rows, code = loop.get_integer(self.rows), const(self.unit * code_of(0, self.E, AFTER))
        code = w.select(of.known, const(self.unit * code_of(1, self.E, AFTER)), code) if of.known else code
        record(rows, t, code, after)
        loop.put_integer(self.rows, loop.count(rows, mask))
        still = w.select(w.logic("and", mask, self.flagged()), const(1.0), const(0.0))
        stuck = w.select(w.splat(endless, "i1"), still, const(0.0))
        return after, self.get("stop"), stuck

    def statements(self, mask: str, t: str, record: Record) -> None:
        """The `at` statements of the instant in the lanes of the mask."""
        w, loop, const, times, known = self.w, self.loop, self.loop.const, self.loop.known_times, self.known
        assert times is not None and known is not None

        def due() -> str:
            return w.logic("and", mask, w.compare("ole", times.time(loop.get_integer(self.q)), t))

        def one(_: str) -> str:
            mine, q, rows, y = due(), loop.get_integer(self.q), loop.get_integer(self.rows), self.now()
            number = w.value(f"sitofp {loop.lanes.integer} {q} to {loop.lanes.real}")
            record(rows, t, w.mul(const(-self.unit), w.add(number, const(1.0 + KNOWN * codes(self.E)))), y)
            statement = times.statement(q)
            for k in (k for k, stops in enumerate(known.stop) if stops):
                here = w.logic("and", mine, w.compare("oeq", statement, const(float(k))))
                self.set("stop", w.select(here, const(1.0), self.get("stop")))
            if known.values is not None:
                self.assign_known(mine, statement, t, y)
            loop.put_integer(self.rows, loop.count(rows, mine))
            loop.put_integer(self.q, loop.count(q, mine))
            return w.any(due())

        loop.repeat_while(FIRINGS, one)

    def assign_known(self, mine: str, statement: str, t: str, y: State) -> None:
        """The assignments of each lane's `at` statement, all of which read the state y."""
        w, loop, known = self.w, self.loop, self.known
        assert known is not None and known.values is not None and loop.known_times is not None
        given = {"t": [t], "y": y, "p": loop.p, **loop.known_times.amount(loop.get_integer(self.q))}
        values = loop.evaluate(known.values, given)[known.values.outputs[0][0]]
        for value, owner, state in zip(values, known.owners, known.states, strict=True):
            here = w.logic("and", mine, w.compare("oeq", statement, loop.const(float(owner))))
            loop.put(self.y, state, w.select(here, value, loop.at(self.y, state)))

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

    def carry_out(self, e: str, mask: str, t: str, record: Record) -> None:
        """The assignments of event e in the lanes where it fired."""
        w, loop, const = self.w, self.loop, self.loop.const
        mine = w.logic("and", mask, self.has_fired(e))

        def do() -> list[str]:
            y, rows = self.now(), loop.get_integer(self.rows)
            place = w.splat(w.value(f"sitofp i64 {e} to {loop.lanes.scalar}"))
            record(rows, t, w.mul(const(-self.unit), w.add(w.add(place, const(1.0)), self.get("kind"))), y)
            loop.put_integer(self.rows, loop.count(rows, mine))
            self.set("kind", w.select(mine, const(0.0), self.get("kind")))
            stops = w.logic("and", mine, w.compare("oeq", self.tables.stop(e), const(1.0)))
            self.set("stop", w.select(stops, const(1.0), self.get("stop")))
            self.count_firing(e, mine)
            if self.located.changes is not None:
                self.change(e, mine, t, y)
            return []

        loop.branch(w.any(mine), do, [], loop.lanes.real)

    def count_firing(self, e: str, mine: str) -> None:
        """One event more in the lanes `mine`, if it is one of the model's."""
        w, loop, own = self.w, self.loop, self.located.own
        if own < self.E:
            mine = w.logic("and", mine, w.splat(w.value(f"icmp slt i64 {e}, {own}"), "i1"))
        loop.put_integer(self.fired, loop.count(loop.get_integer(self.fired), mine))

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
        self.rates_behind(t)
        self.lower_flag()

        def one(e: str) -> None:
            old, new, guard = self.get("sign", e), self.get("new_sign", e), self.get("new_guard", e)
            fired = self.truth("fired", e)
            # An event that left its own guard alone has happened, whatever rounding says on which side it stands.
            unmoved, left = self.unmoved(e), self.left_alone(e)
            mine = c.select(left, c.neg(old), new)
            mine = self.after_reset(e, mine)
            self.wait_for(e, here, mine)
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
        self.switch(mask)
        return self.w.any(self.w.logic("and", mask, self.flagged()))

    def rates_behind(self, t: str) -> None:
        """How fast the guards move whose events left them alone, or have put them to exactly 0, into `rate`."""
        loop = self.loop
        if not self.may_turn_back:
            return
        self.lower_flag()
        self.each(lambda e: self.raise_flag(self.c.logic("or", self.left_alone(e), self.put_to_zero(e))))

        def look() -> list[str]:
            self.look_at_rates(t, self.now())
            return []

        loop.branch(self.w.any(self.flagged()), look, [], loop.lanes.real)

    def left_alone(self, e: str) -> str:
        """Whether an event has left its own guard where it was."""
        return self.c.logic("and", self.truth("fired", e), self.unmoved(e))

    def unmoved(self, e: str) -> str:
        return self.c.compare("oeq", self.get("new_guard", e), self.get("before", e))

    def put_to_zero(self, e: str) -> str:
        """Whether an event has put its own guard to exactly 0."""
        c = self.c
        put = c.logic("and", self.truth("fired", e), c.compare("one", self.tables.resets(e), self.const(0.0)))
        return c.logic("and", put, self.is_zero(e))

    def after_reset(self, e: str, mine: str) -> str:
        """The sign after an event of its own. A guard that was put to 0 goes where its rate says, and a condition that is false
        there stays so: the next crossing may be nearer than any place that is looked at (a ball that all but rests)."""
        c, const = self.c, self.const
        if not any(self.located.resets):
            return mine
        rate, new, old = self.get("rate", e), self.get("new_sign", e), self.get("sign", e)
        rises = c.logic("or", c.compare("ogt", rate, const(0.0)), c.compare("oeq", new, const(1.0)))
        passing = c.logic("and", self.unmoved(e), c.compare("ogt", rate, const(0.0)))  # it was at 0 before, and goes on
        false = c.logic("and", self.not_(passing), c.compare("oeq", new, const(-1.0)))
        falls = c.logic("or", c.compare("olt", rate, const(0.0)), false)
        sign = c.select(falls, const(-1.0), c.select(rises, const(1.0), old))
        return c.select(self.put_to_zero(e), sign, mine)

    def wait_for(self, e: str, here: str, mine: str) -> None:
        """Which events are `pending`: those whose guard goes back over 0. Others stay what they are while nothing moves them."""
        c, nothing = self.c, self.const(0.0)
        if not self.may_turn_back:
            return
        back = c.logic("and", self.unmoved(e), c.compare("olt", c.mul(self.get("rate", e), mine), nothing))
        back = c.logic("and", back, c.compare("one", self.tables.direction(e), nothing))
        old = self.get("pending", e)
        others = c.select(self.unmoved(e), old, nothing)
        new = c.select(self.truth("fired", e), c.select(back, self.get("rate", e), nothing), others)
        self.set("pending", c.select(here, new, old), e)

    # ---- after a step ---------------------------------------------------------------------------------------------------
    def following(self, now: Mapping[str, str], new: dict[str, str], ok: str, found: Found | None, h: str, span: str, ends: Ends,
                  instant: Callable[[str, Instant], After]) -> dict[str, str]:  # fmt: skip
        """What is carried on, with the next step onto an event that was found, or after the events of this instant, which
        `instant(short, of)` carries out; the `short` lanes stay at the start of the step."""
        known = ends.known
        if found is None:
            return self.following_known(now, new, known, instant)
        w, loop, const = self.w, self.loop, self.loop.const
        step = not_before_a_save(loop, found.hit, now["t"], w.mul(found.theta, h), now["saved"])
        # Too near for a step of its own: it happens here, at the state that the dense output has.
        short = w.compare("ole", step, w.mul(w.intrinsic("fabs", now["t"]), const(1e-15)))
        short = w.logic("and", found.hit, w.logic("or", short, w.compare("ole", step, const(1e-290))))
        acting = w.logic("or", w.logic("and", ok, now["landing"]), short)
        of = Instant(acting, acting)
        for other in (mask for mask in ends if mask):
            of = Instant(w.logic("or", of.lanes, other), w.logic("and", of.located, loop.not_(other)), *ends)
        rows, fired, stop, stuck, longest = instant(short, of)
        acting, located = of.lanes, of.located
        recent = w.compare("ole", w.sub(new["t"], now["instant"]), w.mul(span, const(INSTANT)))
        low = w.compare("ole", now["h"], loop.minimum(w.mul(now["resume"], const(TINY)), w.mul(span, const(SHORTEST))))
        recent = w.logic("or", recent, low)
        many = w.select(located, w.select(recent, w.add(now["many"], const(1.0)), const(1.0)), now["many"])
        endless = w.logic("or", w.compare("ogt", many, const(float(MANY + self.E))), w.compare("one", stuck, const(0.0)))
        endless = w.logic("and", acting, endless)
        endless = w.logic("or", endless, found.lost) if found.lost else endless
        stopped = w.logic("and", acting, w.compare("one", stop, const(0.0)))
        status = loop.select_integer(stopped, loop.integers(DONE), new["status"])
        landing = w.logic("and", found.hit, loop.not_(short))
        resumed = w.select(located, loop.maximum(new["h"], now["resume"]), new["h"])
        resumed = loop.minimum(resumed, longest) if known else resumed
        return new | {
            "accepted": rows,
            "events": loop.whole("add", now["events"], loop.whole("sub", rows, new["accepted"])),
            "fired": loop.whole("add", now["fired"], fired),
            "h": w.select(landing, step, w.select(short, now["h"], resumed)),
            "resume": w.select(landing, h, now["resume"]),
            "landing": landing,
            "instant": w.select(w.logic("and", located, loop.not_(recent)), new["t"], now["instant"]),
            "many": many,
            "status": loop.select_integer(endless, loop.integers(ENDLESS), status),
        }

    def following_known(
        self, now: Mapping[str, str], new: dict[str, str], known: str, instant: Callable[[str, Instant], After]
    ) -> dict[str, str]:
        """The same of a model that has `at` statements only."""
        w, loop, nowhere = self.w, self.loop, self.loop.lanes.const(False)
        rows, _, stop, _, longest = instant(nowhere, Instant(known, nowhere, known))
        stopped = w.logic("and", known, w.compare("one", stop, loop.const(0.0)))
        return new | {
            "accepted": rows,
            "events": loop.whole("add", now["events"], loop.whole("sub", rows, new["accepted"])),
            "h": loop.minimum(new["h"], longest),
            "status": loop.select_integer(stopped, loop.integers(DONE), new["status"]),
        }
