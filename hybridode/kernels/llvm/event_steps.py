"""What events make of the steps of the adaptive loop: the start, steps that an event cuts short, instants."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping

from hybridode.kernels.llvm.event_search import ROUNDING, Found
from hybridode.kernels.llvm.events import After, Ends, EventLoop, Instant
from hybridode.kernels.llvm.job import ENDLESS
from hybridode.kernels.llvm.step_loop import StepLoop
from hybridode.kernels.llvm.straight import Elements


class EventSteps(StepLoop):
    """A loop (see `loop`) whose steps meet events: those that are located, and `at` statements."""

    events: EventLoop | None
    first: str  # the first step, if one is given
    span: str  # the time of the whole solve

    @abstractmethod
    def first_step(self, given: str, t0: str, t1: str, y0: Elements, k0: Elements) -> str:
        """The first step of the lanes."""

    @abstractmethod
    def over_points(self, start: str, until: Callable[[str], str], values: Callable[[str, str], Elements],
                    only: Callable[[str, str], str] | None = None) -> str:  # fmt: skip
        """Writes save points."""

    @abstractmethod
    def record(self, accepted: str, t: str, h: str, y: Elements) -> None:
        """Keeps a row for the way back."""

    def slope_at(self, t: str, y: Elements) -> Elements:
        tape = self.m.rates
        return self.evaluate(tape, {"t": [t], "y": y, "p": self.p})[tape.outputs[0][0]]

    def dense_rows(self, t: str, h: str, y: Elements, out: Mapping[str, Elements]) -> Elements:
        """The rows of the step's dense output."""
        if self.m.dense is None:
            return out[self.m.interpolant]
        given = {"t": [t], "h": [h], "y": y, "p": self.p, "new": out["y"], "stages": out["stages"]}
        return self.evaluate(self.m.dense, given)[self.m.interpolant]

    @property
    def locates(self) -> bool:
        """Are there events that have to be located?"""
        return self.events is not None and self.events.E > 0

    @property
    def turns_by_jumps(self) -> bool:
        """May the jump of an input turn a condition true?"""
        read = {i.name for i in self.events.located.guards.inputs} if self.events is not None else set()
        return bool(self.inputs.landing) and not read.isdisjoint(("u", "du"))

    def events_at_start(self, t: str, y: Elements) -> tuple[Elements, After, str]:
        """The state, what the events of the start leave (`stop` is a mask), and how many save points are done."""
        e, w, zero, nowhere = self.events, self.w, self.integers(0), self.lanes.const(False)
        assert e is not None
        if e.E:
            e.start(t, y)
            y = e.with_modes(y)
        if not e.any_at_start():
            return y, After(zero, zero, nowhere, "", ""), zero
        mask, known, saved = e.any_fired() if e.E else nowhere, "", zero
        if self.known_times is not None:
            known = w.compare("ole", e.next_known(), t)
            mask = w.logic("or", mask, known)
            saved = self.save_until(zero, known, t, y)
        after, _, found = self.instant(Instant(mask, nowhere, known), t, y, [], zero)
        if known:
            self.save_after(zero, known, t, after)
        return after, found._replace(stop=w.compare("one", found.stop, self.const(0.0))), saved

    def instant(self, of: Instant, t: str, y: Elements, k: Elements, rows: str, t1: str = "") -> tuple[Elements, Elements, After]:
        """State, slope and more after an instant of events; with `t1` the step that follows `at` statements begins as one at
        the start does."""
        e, w, n, nothing = self.events, self.w, self.m.n, self.const(0.0)
        assert e is not None
        self.put_integer(e.rows, rows)
        self.put_integer(e.fired, self.integers(0))
        first = bool(t1 and of.known)

        def act() -> list[str]:
            after, stop, stuck = e.act(of, t, y, self.record)
            after = [w.select(of.lanes, a, b) for a, b in zip(after, y, strict=True)]
            new = self.slope_at(t, after) if k or first else []
            slope = [w.select(of.lanes, a, b) for a, b in zip(new, k, strict=True)] if k else []
            longest = self.const(math.inf)
            if first:
                longest = w.select(of.known, self.first_step(self.first, t, t1, after, new), longest)
            return [*after, *slope, stop, stuck, longest]

        otherwise = [*y, *k, nothing, nothing, self.const(math.inf)]
        found = self.branch(w.any(of.lanes), act, otherwise, self.lanes.real)
        return found[:n], found[n:-3], After(self.get_integer(e.rows), self.get_integer(e.fired), *found[-3:])

    def watch(self, ok: str, now: Mapping[str, str], h: str, y: Elements, out: Mapping[str, Elements], known: str) -> Found:
        """The lanes of an accepted step in which an event happens before its end. A step onto an event is not looked at. What
        happens within rounding of `at` statements, to which the step leads in the lanes `known`, waits for them."""
        w, e = self.w, self.events
        assert e is not None
        passing = w.logic("and", ok, self.not_(now["landing"]))
        rows = self.dense_rows(now["t"], h, y, out)

        def at(theta: str | float) -> Elements:
            theta = theta if isinstance(theta, str) else self.const(theta)
            return self.dense(self.m, self.weights(self.m, theta, h), theta, y, out["y"], rows)

        found = e.look(passing, now["t"], h, at)
        e.commit(w.logic("and", passing, self.not_(found.hit)), found.hit)
        if not known:
            return found
        rest = w.mul(w.sub(self.const(1.0), found.theta), h)
        near = w.compare("ole", rest, w.mul(self.const(ROUNDING), w.intrinsic("fabs", w.add(now["t"], h))))
        return found._replace(hit=w.logic("and", found.hit, self.not_(w.logic("and", known, near))))

    def happen(
        self, now: Mapping[str, str], new: dict[str, str], ok: str, found: Found | None, h: str, t1: str, ends: Ends
    ) -> dict[str, str]:
        """What is carried on, with the next step onto an event that was found, or after the events of this instant."""
        e, n, after = self.events, self.m.n, {}
        assert e is not None

        def instant(short: str, of: Instant) -> After:
            y = [new[f"y{i}_"] for i in range(n)]
            y = y if found is None else [self.w.select(short, a, b) for a, b in zip(found.y, y, strict=True)]
            k = [new[f"k{i}_"] for i in range(n)] if self.m.takes_slope else []
            if ends.known:
                self.put_integer(e.q, now["firing"])
            y, k, left = self.instant(of, new["t"], y, k, new["accepted"], t1)
            after.update({f"y{i}_": v for i, v in enumerate(y)} | {f"k{i}_": v for i, v in enumerate(k)})
            if ends.known:
                self.save_after(now["saved"], ends.known, new["t"], y)
                after.update({"next": e.next_known(), "firing": self.get_integer(e.q)})
            return left

        result = e.following(now, new, ok, found, h, self.span, ends, instant) | after
        return self.freed(now, new, result) if e.modes else result

    def freed(self, now: Mapping[str, str], new: Mapping[str, str], result: dict[str, str]) -> dict[str, str]:
        """In lanes where events follow each other without end, the `if`s among them are not located any more."""
        w, e, n = self.w, self.events, self.m.n
        assert e is not None
        endless = w.logic("and", self.equal(result["status"], ENDLESS), self.not_(self.equal(now["status"], ENDLESS)))
        found = dict(result)
        some = self.lanes.const(False)
        for event, m in e.modes:
            mine = w.logic("and", endless, w.compare("one", result[f"y{m}_"], new[f"y{m}_"]))
            found[f"y{m}_"] = w.select(mine, self.const(2.0), result[f"y{m}_"])
            for name in ("sign", "guard"):
                e.set(name, w.select(mine, self.const(1.0), e.get(name, str(event))), str(event))
            some = w.logic("or", some, mine)
        found["status"] = self.select_integer(some, new["status"], result["status"])
        found["many"] = w.select(some, self.const(0.0), result["many"])
        if self.m.takes_slope:
            y, k = [found[f"y{i}_"] for i in range(n)], [result[f"k{i}_"] for i in range(n)]

            def anew() -> Elements:
                return [w.select(some, a, b) for a, b in zip(self.slope_at(new["t"], y), k, strict=True)]

            found |= {f"k{i}_": x for i, x in enumerate(self.branch(w.any(some), anew, k, self.lanes.real))}
        return found

    def save_until(self, saved: str, mask: str, t: str, y: Elements) -> str:
        """The save points up to t in the lanes of the mask, all with the state y."""
        w = self.w
        return self.over_points(saved, lambda time: w.logic("and", mask, w.compare("ole", time, t)), lambda time, due: y)

    def save_after(self, saved: str, mask: str, t: str, y: Elements) -> None:
        """At an instant of `at` statements every second save point gets the state behind it; `saved` is before them. (Every time
        is there twice, see `solve/native`.)"""
        w = self.w

        def write() -> Elements:
            self.over_points(
                saved,
                lambda time: w.logic("and", mask, w.compare("ole", time, t)),
                lambda time, due: y,
                lambda j, time: w.logic("and", self.is_second(j), w.compare("oeq", time, t)),
            )
            return []

        self.branch(w.any(mask), write, [], "i1")
