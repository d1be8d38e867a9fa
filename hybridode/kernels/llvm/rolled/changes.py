"""The assignments of single events: each family's shape for an event's own members, in chunks, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hybridode.kernels.llvm.rolled.listed import Listed, listed
from hybridode.kernels.llvm.rolled.moves import looked_up
from hybridode.kernels.llvm.straight import emit
from hybridode.kernels.llvm.wide_values import Buffer, Lazy, Value
from hybridode.methods.located import ChangeFamily, Changes, Column
from hybridode.tape.tape import Tape

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.frame import RolledLoop

Given = Mapping[str, Value]


class Member(NamedTuple):
    """A place in a family, and the same among the members of its event: registers."""

    at: str
    own: str


class Family:
    """One family of assignments in a loop's code."""

    def __init__(self, loop: RolledLoop, family: ChangeFamily) -> None:
        self.loop, self.e, self.family = loop, loop.emitter, family
        counts = np.diff(family.first)
        self.most = int(counts.max())
        self.regular = bool((counts == self.most).all())
        self.states = listed(family.states, family.first)
        self.places = [listed(c.numbers or c.places, family.first) for c in family.columns]
        self.room = loop.emitter.keep(self.most)

    # ---- an event's members -------------------------------------------------------------------------------------------------
    def members(self, event: str) -> tuple[str, str]:
        """(the first, how many) of an event, i64."""
        w = self.e.w
        if self.regular:
            return (event if self.most == 1 else w.value(f"mul i64 {event}, {self.most}")), str(self.most)
        table = self.e.table(np.asarray(self.family.first))
        ends = [w.load(table, k, "i32", 4) for k in (event, w.value(f"add i64 {event}, 1"))]
        first, last = (w.value(f"sext i32 {k} to i64") for k in ends)
        return first, w.value(f"sub i64 {last}, {first}")

    def each(self, event: str, body: Callable[[Member], None]) -> None:
        """body(member) for an event's members one by one."""
        w, (first, count) = self.e.w, self.members(event)
        if count == "1":
            body(Member(first, "0"))
        else:
            self.loop.repeat_from("0", count, lambda own: body(Member(w.value(f"add i64 {first}, {own}"), own)))

    def chunks(self, event: str, body: Callable[[Member], None]) -> None:
        """body(first of a chunk) for an event's members; the last chunk may reach beyond them."""
        e, w, (first, count) = self.e, self.e.w, self.members(event)
        if e.step == 1 or count == "1":
            self.each(event, body)
            return
        rounds = w.value(f"udiv i64 {w.value(f'add i64 {count}, {e.step - 1}')}, {e.step}")

        def chunk(k: str) -> None:
            own = w.value(f"mul i64 {k}, {e.step}")
            body(Member(w.value(f"add i64 {first}, {own}"), own))

        self.loop.repeat_from("0", rounds, chunk)

    def state(self, member: Member) -> str:
        return self.states.whole(self.e, *member)

    # ---- what they read -------------------------------------------------------------------------------------------------------
    def read(self, k: int, member: Member, sources: Given) -> str:
        """A chunk of column k. `sources`: the tapes' inputs, and the outputs of `before`."""
        e, column, rule = self.e, self.family.columns[k], self.places[k]
        if column.numbers:
            return self.number(rule, member)
        source = sources[column.source or column.output]
        if isinstance(source, Lazy) and rule.by == "at":
            return e.at(source, "0", member.at, member.at)
        if rule.by == "shared":
            place = int(rule.numbers[0])
            return e.splat(source[place] if isinstance(source, list) else e.element(e.in_memory(source), str(place)))
        at, x = rule.place(*member), e.in_memory(source)
        if rule.run is not None:
            return e.read(x, e.w.value(f"add i64 {at}, {rule.run}"))
        return looked_up(e, x, e.table(rule.numbers), at)

    def number(self, rule: Listed, member: Member) -> str:
        e = self.e
        if rule.by == "shared":
            return e.chunk.lanes.const(float(rule.numbers[0]))
        numbers = Buffer(e.table(rule.numbers.astype(float)), max(2, len(rule.numbers)), e.step == 1)
        return e.read(numbers, rule.place(*member))

    def evaluate(self, tape: Tape, member: Member, sources: Given, more: Mapping[str, str]) -> dict[str, str]:
        """A tape of the family's body at a chunk; `more` are inputs that are no columns of `sources`."""
        given = {}
        for i in tape.inputs:
            given[i.name] = [more[i.name] if i.name in more else self.read(int(i.name[1:]), member, sources)]
        return {name: values[0] for name, values in emit(self.e.chunk, tape, given).items()}

    # ---- values and derivatives ---------------------------------------------------------------------------------------------
    def values(self, event: str, sources: Given) -> None:
        """The new numbers of an event's members, into `room`."""

        def chunk(member: Member) -> None:
            found = self.evaluate(self.family.body, member, sources, {})
            self.e.write(found["value"], self.room, member.own)

        self.chunks(event, chunk)

    def tangents(self, event: str, sources: Given, dots: Given) -> None:
        """Their tangents, into `room`; `dots` as `sources`."""

        def chunk(member: Member) -> None:
            more = {f"{name}.dot": self.read(int(name[1:]), member, dots) for name in self.family.moving}
            found = self.evaluate(self.family.body_forward, member, sources, more)
            self.e.write(found["value.dot"], self.room, member.own)

        self.chunks(event, chunk)

    def cotangents(self, event: str, sources: Given, add: Callable[[Column, str, str], None]) -> None:
        """From the cotangents of the values in `room`: add(column, place, cotangent) for all that an event's members read."""
        e, tape = self.e, self.family.body_reverse
        rooms = {name: e.buffer(self.most) for name, _ in tape.outputs}

        def chunk(member: Member) -> None:
            found = self.evaluate(tape, member, sources, {"value.bar": e.read(self.room, member.own)})
            for name, room in rooms.items():
                e.write(found[name], room, member.own)

        self.chunks(event, chunk)
        for name, room in rooms.items():
            k = int(name.removesuffix(".bar")[1:])
            column = self.family.columns[k]

            def one(member: Member, k: int = k, column: Column = column, room: Buffer = room) -> None:
                add(column, self.places[k].whole(e, *member), e.element(room, member.own))

            self.each(event, one)


class EventChanges:
    """All families of a model's assignments."""

    def __init__(self, loop: RolledLoop, changes: Changes) -> None:
        self.loop, self.changes = loop, changes
        self.families = [Family(loop, f) for f in changes.families]

    def sources(self, given: Given) -> dict[str, Value]:
        """What columns read, at a point (t, y, p)."""
        before = self.changes.before
        outputs = {} if before is None else self.loop.evaluate(before, given, [name for name, _ in before.outputs])
        return {**given, **outputs}

    def dots(self, given: Given) -> dict[str, Value]:
        """Their tangents; `given` has the tangents NAME.dot of t, y, p, … too."""
        tape = self.changes.before_forward
        outputs = {} if tape is None else self.loop.evaluate(tape, given, [name for name, _ in tape.outputs])
        found = {name.removesuffix(".dot"): value for name, value in outputs.items()}
        return found | {name: given[f"{name}.dot"] for name in ("t", "y", "p")}

    def assign(self, event: str, mine: str, given: Given, y: Buffer) -> None:
        """The assignments of an event in the lanes `mine`; all read `given`."""
        sources = self.sources(given)
        for family in self.families:
            family.values(event, sources)
        self.put(event, mine, y)

    def assign_tangents(self, event: str, mine: str, given: Given, y_dot: Buffer) -> None:
        """The same of the tangents; `given` has t.dot, y.dot, p.dot, … too."""
        sources, dots = self.sources(given), self.dots(given)
        for family in self.families:
            family.tangents(event, sources, dots)
        self.put(event, mine, y_dot)

    def put(self, event: str, mine: str, y: Buffer) -> None:
        loop, e = self.loop, self.loop.emitter
        for family in self.families:

            def one(member: Member, family: Family = family) -> None:
                state = family.state(member)
                value = loop.masked(mine, e.element(family.room, member.own), e.element(y, state))
                loop.put(y.pointer, state, value)

            family.each(event, one)

    def take(self, event: str, mine: str, y_bar: Buffer) -> None:
        """The cotangents of what an event assigned, out of `y_bar` into the families' rooms."""
        loop, e, zero = self.loop, self.loop.emitter, self.loop.const(0.0)
        for family in self.families:

            def one(member: Member, family: Family = family) -> None:
                state = family.state(member)
                bar = e.element(y_bar, state)
                loop.put(family.room.pointer, member.own, loop.masked(mine, bar, zero))
                loop.put(y_bar.pointer, state, loop.masked(mine, zero, bar))

            family.each(event, one)
