"""Where in a step the first event happens: on the dense output, by looking at both halves and searching where one is near."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridode.kernels.llvm.event_guards import EventGuards, State
from hybridode.kernels.llvm.straight import Elements

NEAR = 0.25  # of a guard: where a parabola's turning point is nearer to 0, it is looked at
DEEPEST = 18  # times a quarter of a sixteenth of a step: where a guard that turned back is looked for
SCANNED = 8  # parts of a step that are looked at where an event is near
LOCATED_TO, MOST_GUESSES = 2.0**-51, 80  # part of a step to which it is located, and the most evaluations for that
ROUNDING = 32 * 2.2e-16  # of the time: events that near to each other happen together
OUTSIDE = -1.0  # a part of a step that is none


class Found(NamedTuple):
    """The lanes in which an event was found, the part of the step at which the first happens, and the state there (empty in
    loops that keep states in memory). lost: the lanes in which nothing was found although something must have happened (see
    `turned_back`); "" where that cannot be."""

    hit: str
    theta: str
    y: Elements
    lost: str = ""


class EventSearch(EventGuards):
    """The search of a step. (What is said of a chunk's events and of the lanes: see `EventGuards`.)"""

    # ---- a step -------------------------------------------------------------------------------------------------------
    def look(self, mask: str, t: str, h: str, at: Callable[[str | float], State]) -> Found:
        """The first event inside a step of the lanes of the mask; `at(theta)` gives the states of the dense output.

        Both halves are looked at; where a sign changes, or a guard is nearer to 0 than it moves, the step is searched.
        """
        self.begin = t
        w, c, const = self.w, self.c, self.loop.const
        self.set("lost", const(0.0))
        self.lower_flag()

        def halfway(e: str) -> None:
            new, old = self.get("new_sign", e), self.get("sign", e)
            self.raise_flag(self.crossing(old, new, e))
            self.set("half_sign", self.settled(old, new), e)
            self.set("half_guard", self.get("new_guard", e), e)

        def whole(e: str) -> None:
            new, old = self.get("new_sign", e), self.get("half_sign", e)
            self.raise_flag(self.crossing(old, new, e))
            self.set("one_sign", self.settled(old, new), e)
            g0, g1, g2 = self.get("guard", e), self.get("half_guard", e), self.get("new_guard", e)
            self.set("one_guard", g2, e)
            near = c.intrinsic("minnum", c.intrinsic("minnum", self.size(g0), self.size(g1)), self.size(g2))
            moves = c.intrinsic("maxnum", self.size(c.sub(g1, g0)), self.size(c.sub(g2, g1)))
            self.raise_flag(c.compare("olt", near, c.add(moves, moves)))

        for part, body in ((0.5, halfway), (1.0, whole)):
            self.look_inside(w.add(t, w.mul(const(part), h)), at(part))
            self.each(body)
        searched = w.logic("and", mask, self.flagged())
        nothing = [const(0.0), const(1.0), *self.nowhere()]
        real = self.loop.lanes.real
        found, theta, *y = self.loop.branch(w.any(searched), lambda: self.search(searched, t, h, at), nothing, real)
        self.begin = ""
        hit = w.logic("and", mask, w.compare("one", found, const(0.0)))
        if not self.may_turn_back:
            return Found(hit, theta, y)
        lost = w.logic("and", mask, self.truth("lost"))
        return Found(w.logic("and", hit, self.loop.not_(lost)), theta, y, lost)

    def state_at(self, theta: str, at: Callable[[str | float], State]) -> Elements:
        """The state of `Found`."""
        return at(theta)

    def nowhere(self) -> Elements:
        """The state of `Found` where nothing was found."""
        return [self.loop.const(0.0)] * self.n

    def search(self, mask: str, t: str, h: str, at: Callable[[str | float], State]) -> list[str]:
        """Parts of the step one after the other until something happens, then the root of its guard."""
        w, loop, const = self.w, self.loop, self.loop.const
        for name, copy in (("sign", "scan"), ("guard", "left_guard")):
            self.each(lambda e, name=name, copy=copy: self.set(copy, self.get(name, e), e))
        for name, value in (("left", 0.0), ("right", 1.0), ("width", 1.0), ("found", 0.0), ("last", 0.0)):
            self.set(name, const(value))
        for name in ("left_weight", "right_weight"):
            self.set(name, const(1.0))
        self.turned_back(mask, t, h, at)

        def part(j: str) -> str:
            place = w.splat(w.value(f"sitofp i64 {w.value(f'add i64 {j}, 1')} to {loop.lanes.scalar}"))
            going = w.logic("and", mask, loop.not_(self.truth("found")))
            for name, source in (("older_guard", "middle_guard"), ("middle_guard", "left_guard"),
                                 ("older_sign", "middle_sign"), ("middle_sign", "scan")):  # fmt: skip
                self.each(lambda e, name=name, source=source: self.set(name, self.get(source, e), e))
            hit, passed = self.probe(going, t, h, w.mul(place, const(1 / SCANNED)), at)
            self.set("found", w.select(hit, const(1.0), self.get("found")))
            early = w.splat(w.value(f"icmp sgt i64 {j}, 0"), "i1")
            self.dips(w.logic("and", passed, early), t, h, place, at)
            return w.any(w.logic("and", passed, loop.not_(self.truth("found"))))

        loop.repeat_while(SCANNED, part)
        found = self.truth("found")

        def nearer(k: str) -> str:
            wide = w.logic("and", found, w.compare("ogt", w.sub(self.get("right"), self.get("left")), const(LOCATED_TO)))
            self.weigh(*self.probe(wide, t, h, self.guess(k), at))
            return w.any(wide)

        loop.repeat_while(MOST_GUESSES, nearer)
        self.together(found, t, h, at)
        if self.may_turn_back:
            self.confirm_lost(h)
        theta = self.get("right")
        return [self.get("found"), theta, *self.state_at(theta, at)]

    def turned_back(self, mask: str, t: str, h: str, at: Callable[[str | float], State]) -> None:
        """An event has left its guard about 0, and this moves back over 0 (`pending`; a ball leaves the floor): it may come again
        within any part of a step, so the side that it goes to is looked for nearer and nearer to the beginning. Where it is seen
        nowhere although the rate would bring it there, the next event is lost in rounding (the ball all but rests)."""
        if not self.may_turn_back:
            return
        w, c, loop, const = self.w, self.c, self.loop, self.loop.const

        def turned(e: str) -> str:
            other = c.compare("oeq", c.mul(self.get("sign", e), self.get("new_sign", e)), self.const(-1.0))
            return c.logic("and", self.truth("pending", e), other)

        def unseen(e: str) -> str:
            return c.logic("and", self.truth("pending", e), self.not_(self.truth("rate", e)))

        waiting = w.logic("and", mask, self.any_of(lambda e: self.truth("pending", e)))

        def seek() -> list[str]:
            self.set("best", const(0.25))
            self.set("turn", const(0.0))
            self.each(lambda e: self.set("rate", self.const(0.0), e))  # here: whether it was seen

            def nearer(_: str) -> str:
                theta = w.mul(self.get("best"), const(0.25))
                self.set("best", theta)
                self.look_inside(w.add(t, w.mul(theta, h)), at(theta))
                fresh = self.any_of(lambda e: c.logic("and", unseen(e), turned(e)))
                self.set("turn", w.select(fresh, theta, self.get("turn")))
                self.each(lambda e: self.set("rate", c.select(turned(e), self.const(1.0), self.get("rate", e)), e))
                return w.any(w.logic("and", waiting, self.any_of(unseen)))

            loop.repeat_while(DEEPEST, nearer)
            place = self.get("turn")
            never = w.logic("and", waiting, self.any_of(unseen))
            self.set("lost", w.select(never, const(1.0), const(0.0)))
            hit, _ = self.probe(w.logic("and", waiting, w.compare("ogt", place, const(0.0))), t, h, place, at)
            self.set("found", w.select(hit, const(1.0), self.get("found")))
            return []

        loop.branch(w.any(waiting), seek, [], loop.lanes.real)

    def any_of(self, which: Callable[[str], str]) -> str:
        """The lanes in which that is so for an event."""
        self.lower_flag()
        self.each(lambda e: self.raise_flag(which(e)))
        return self.flagged()

    def confirm_lost(self, h: str) -> None:
        """An event is lost if its guard's rate would have brought it over 0 before the first other event."""
        w, c, const = self.w, self.c, self.loop.const
        first = w.select(self.truth("found"), self.loop.minimum(self.get("right"), const(1 / 16)), const(1 / 16))
        until = self.wide_number(w.mul(h, first))

        def reaches(e: str) -> str:
            far = c.compare("ogt", c.mul(self.size(self.get("pending", e)), until), self.size(self.get("guard", e)))
            return c.logic("and", far, self.not_(self.truth("rate", e)))

        lost = w.logic("and", self.truth("lost"), self.any_of(reaches))
        self.set("lost", w.select(lost, const(1.0), const(0.0)))

    @property
    def may_turn_back(self) -> bool:
        """Do events go one way, and act?"""
        return any(self.located.directions) and bool(self.located.states)

    def dips(self, mask: str, t: str, h: str, place: str, at: Callable[[str | float], State]) -> None:
        """Where the parabola through the last three values of a guard turns at the other side of 0, or near it, that place is
        looked at, beside the first of the three: an event may happen between two values on the same side."""
        w, loop = self.w, self.loop
        best, turn = self.deepest()
        seen = w.logic("and", mask, w.compare("olt", best, loop.const(NEAR)))

        def look() -> Elements:
            middle = w.sub(place, loop.const(1.0))
            left = self.get("left")
            here = self.wide(seen)

            def since_the_first(e: str) -> None:
                self.set("kept_guard", self.get("left_guard", e), e)
                self.set("kept_sign", self.get("scan", e), e)
                self.set("scan", self.c.select(here, self.get("older_sign", e), self.get("scan", e)), e)

            self.each(since_the_first)
            hit, _ = self.probe(seen, t, h, w.mul(w.add(middle, turn), loop.const(1 / SCANNED)), at)
            before = w.mul(w.sub(place, loop.const(2.0)), loop.const(1 / SCANNED))
            self.set("left", w.select(hit, before, left))
            self.set("found", w.select(hit, loop.const(1.0), self.get("found")))
            back = self.wide(hit)

            def put_back(e: str) -> None:
                self.set("left_guard", self.c.select(back, self.get("older_guard", e), self.get("kept_guard", e)), e)
                self.set("scan", self.c.select(back, self.get("scan", e), self.get("kept_sign", e)), e)

            self.each(put_back)
            return []

        loop.branch(w.any(seen), look, [], loop.lanes.real)

    def deepest(self) -> tuple[str, str]:
        """The least that a parabola through a guard's last three values has where it turns, in parts of the middle one (NEAR or
        more where none does), and where that is, in parts of the step from the middle one."""
        self.set("best", self.loop.const(NEAR))
        self.set("turn", self.loop.const(0.0))

        def one(e: str) -> None:
            turn, least, towards = self.parabola(e)
            better = self.w.logic("and", towards, self.w.compare("olt", least, self.get("best")))
            self.set("turn", self.w.select(better, turn, self.get("turn")))
            self.set("best", self.w.select(better, least, self.get("best")))

        self.each(one)
        return self.get("best"), self.get("turn")

    def parabola(self, e: str) -> tuple[str, str, str]:
        """Where it turns, its value there, and whether it turns towards 0 between the three."""
        w, const = self.c, self.const
        a, b, c = self.get("older_guard", e), self.get("middle_guard", e), self.get("left_guard", e)
        bend, slope = w.add(w.sub(a, b), w.sub(c, b)), w.mul(const(0.5), w.sub(c, a))
        turn = w.neg(w.div(slope, bend))
        least = w.sub(const(1.0), w.div(w.mul(const(0.5), w.mul(slope, slope)), w.mul(bend, b)))
        towards = w.logic("and", w.compare("ogt", w.mul(bend, b), const(0.0)), w.compare("olt", self.size(turn), const(1.0)))
        return turn, least, towards

    def guess(self, k: str) -> str:
        """Where the guard of the event that happens first is 0: by the Illinois rule (Dowell & Jarratt 1971), in the middle where
        two guesses did not halve the interval. A guess keeps away from the ends by half of what the root is located to: next to
        a root that one end has all but reached it brings the other end there as well."""
        w, const = self.w, self.loop.const
        left, right = self.get("left"), self.get("right")
        width, half = w.sub(right, left), const(0.5)
        chord = self.chord(left, right)
        inside = w.logic("and", w.compare("oge", chord, left), w.compare("ole", chord, right))
        second = w.splat(w.value(f"icmp eq i64 {w.value(f'and i64 {k}, 1')}, 1"), "i1")
        slow = w.logic("and", second, w.compare("ogt", width, w.mul(half, self.get("width"))))
        self.set("width", w.select(second, width, self.get("width")))
        least, most = w.add(left, const(LOCATED_TO / 2)), w.sub(right, const(LOCATED_TO / 2))
        kept = w.select(w.compare("olt", chord, least), least, w.select(w.compare("ogt", chord, most), most, chord))
        inside = w.logic("and", inside, self.loop.not_(slow))
        return w.select(inside, kept, w.mul(half, w.add(left, right)))

    def chord(self, left: str, right: str) -> str:
        """Where it is 0; OUTSIDE where the guard is 0 at the left end, which is then not the root that is looked for."""
        w, const = self.w, self.loop.const
        low = w.mul(self.get("left_weight"), self.first_of("left_guard"))
        high = w.mul(self.get("right_weight"), self.first_of("right_guard"))
        root = w.sub(right, w.div(w.mul(high, w.sub(right, left)), w.sub(high, low)))
        return w.select(w.compare("oeq", low, const(0.0)), const(OUTSIDE), root)

    def first_of(self, name: str) -> str:
        """The number of the first event of those that fired, per lane."""
        self.set("flag", self.loop.const(1.0))
        if self.E == 1:
            return self.get(name, "0")

        def one(e: str) -> None:
            first = self.w.logic("and", self.truth("unseen"), self.truth("fired", e))
            self.set("flag", self.w.select(first, self.get(name, e), self.get("flag")))
            self.set("unseen", self.w.select(first, self.loop.const(0.0), self.get("unseen")))

        self.set("unseen", self.loop.const(1.0))
        self.each(one)
        return self.get("flag")

    def weigh(self, hit: str, passed: str) -> None:
        """An end of the interval that stays a second time counts half."""
        w, const = self.w, self.loop.const
        last = self.get("last")
        for name, moved, other, side in (("left_weight", passed, hit, 1.0), ("right_weight", hit, passed, -1.0)):
            weight = self.get(name)
            again = w.logic("and", other, w.compare("oeq", last, const(side)))
            self.set(name, w.select(moved, const(1.0), w.select(again, w.mul(const(0.5), weight), weight)))
        self.set("last", w.select(hit, const(1.0), w.select(passed, const(-1.0), last)))

    def probe(self, mask: str, t: str, h: str, theta: str, at: Callable[[str | float], State]) -> tuple[str, str]:
        """The lanes of the mask in which an event has happened by theta, which becomes the right end, and the others, in which
        it becomes the left end."""
        w = self.w
        hit = w.logic("and", mask, self.happened(t, h, theta, at))
        passed = w.logic("and", mask, self.loop.not_(hit))
        c, ends, begins = self.c, self.wide(hit), self.wide(passed)

        def one(e: str) -> None:
            old, new, guard = self.get("scan", e), self.get("new_sign", e), self.get("new_guard", e)
            fired = self.number(self.crossing(old, new, e))
            self.set("fired", c.select(ends, fired, self.get("fired", e)), e)
            self.set("right_guard", c.select(ends, guard, self.get("right_guard", e)), e)
            self.set("left_guard", c.select(begins, guard, self.get("left_guard", e)), e)
            self.set("scan", c.select(begins, self.settled(old, new), old), e)

        self.each(one)
        self.set("right", w.select(hit, theta, self.get("right")))
        self.set("left", w.select(passed, theta, self.get("left")))
        return hit, passed

    def happened(self, t: str, h: str, theta: str, at: Callable[[str | float], State]) -> str:
        """Whether any event has happened by theta, since the signs in `scan`."""
        w = self.w
        self.look_inside(w.add(t, w.mul(theta, h)), at(theta))
        return self.any_of(lambda e: self.crossing(self.get("scan", e), self.get("new_sign", e), e))

    def together(self, found: str, t: str, h: str, at: Callable[[str | float], State]) -> None:
        """Events that follow within rounding of the time happen at the same instant."""
        w, loop, const = self.w, self.loop, self.loop.const
        spare = w.div(w.mul(const(ROUNDING), w.intrinsic("fabs", w.add(t, h))), h)
        self.happened(t, h, loop.minimum(const(1.0), w.add(self.get("right"), spare)), at)
        c, here = self.c, self.wide(found)

        def one(e: str) -> None:
            also = c.logic("and", here, self.crossing(self.get("scan", e), self.get("new_sign", e), e))
            self.set("fired", c.select(also, self.const(1.0), self.get("fired", e)), e)

        self.each(one)

    def commit(self, passed: str, found: str) -> None:
        """Signs at the end of the step in the lanes that passed, before the event in those that found one."""
        c, beyond, before = self.c, self.wide(passed), self.wide(found)

        def one(e: str) -> None:
            old, scan = self.get("sign", e), self.get("scan", e)
            if self.may_turn_back:
                done = c.logic("or", beyond, c.logic("and", before, c.compare("oeq", c.mul(old, scan), self.const(-1.0))))
                self.set("pending", c.select(done, self.const(0.0), self.get("pending", e)), e)
            sign = c.select(beyond, self.get("one_sign", e), old)
            self.set("sign", c.select(before, scan, sign), e)
            self.set("guard", c.select(beyond, self.get("one_guard", e), self.get("guard", e)), e)

        self.each(one)
