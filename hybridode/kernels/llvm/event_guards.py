"""Guards and signs of located events: where the loops keep them, and how they are looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hybridode.kernels.llvm.event_tables import EventTables
from hybridode.methods.located import Located

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop

UNROLLED = 8  # events up to which loops over them are written out

ARRAYS = ("sign", "guard", "half_sign", "half_guard", "one_sign", "one_guard", "scan", "fired", "before",
          "left_guard", "right_guard", "middle_guard", "older_guard", "kept_guard", "middle_sign", "older_sign", "kept_sign",
          "rate", "pending")  # fmt: skip
CELLS = ("flag", "unseen", "left", "right", "left_weight", "right_weight", "width", "last", "found", "kind", "stop", "best",
         "turn", "lost")  # fmt: skip

State = Any  # of the model, as a loop keeps it: registers, or memory


class EventGuards:
    """Guards and signs of the lanes. The numbers of each event are arrays in memory, worked on in chunks: here one event in all
    lanes (see `rolled/events` for others). What is said of a chunk's events is a register of the writer `c`; what is said of the
    lanes, of `w`, and goes through `wide` where the two meet."""

    def __init__(self, loop: LaneLoop, located: Located) -> None:
        self.loop, self.w, self.located = loop, loop.w, located
        self.E, self.n = located.count, loop.m.n
        self.c = loop.w
        self.begin = ""  # of the step that is looked at
        self.make_room()
        self.tables = EventTables(loop, located)

    def make_room(self) -> None:
        loop = self.loop
        self.array = {name: loop.memory(f"event_{name}", self.E) for name in (*ARRAYS, "new_sign", "new_guard")}
        self.cell = {name: loop.memory(f"event_{name}_cell", 1) for name in CELLS}
        self.y = loop.memory("event_y", self.n)
        self.values = loop.memory("event_values", max(1, len(self.located.states)))
        self.rows = loop.integer_memory("event_rows")

    # ---- small things -------------------------------------------------------------------------------------------------
    def get(self, name: str, e: str = "") -> str:
        """A number of an event, or (without `e`) of the lanes."""
        return self.loop.at(self.array[name] if e else self.cell[name], e or "0")

    def set(self, name: str, value: str, e: str = "") -> None:
        self.loop.put(self.array[name] if e else self.cell[name], e or "0", value)

    def const(self, x: float) -> str:
        """A number in every place of a chunk."""
        return self.c.lanes.const(x)

    def not_(self, mask: str) -> str:
        return self.c.logic("xor", mask, self.c.lanes.const(True))

    def wide(self, mask: str) -> str:
        """A mask of the lanes as one of a chunk."""
        return mask

    def wide_number(self, x: str) -> str:
        """A number of the lanes as one of a chunk."""
        return x

    def truth(self, name: str, e: str = "") -> str:
        """A number of memory as a mask."""
        w = self.c if e else self.w
        return w.compare("one", self.get(name, e), w.lanes.const(0.0))

    def number(self, mask: str) -> str:
        return self.c.select(mask, self.const(1.0), self.const(0.0))

    def each(self, body: Callable[[str], None]) -> None:
        """body(e) for every event."""
        if self.E <= UNROLLED:
            for e in range(self.E):
                body(str(e))
        else:
            self.loop.repeat(self.E, body)

    def lower_flag(self) -> None:
        self.set("flag", self.loop.const(0.0))

    def raise_flag(self, mask: str) -> None:
        """In loops over the events."""
        self.set("flag", self.w.select(mask, self.loop.const(1.0), self.get("flag")))

    def flagged(self) -> str:
        """The lanes in which the flag was raised."""
        return self.truth("flag")

    def crossing(self, old: str, new: str, e: str) -> str:
        """Whether a change of sign is the event."""
        c, const = self.c, self.const
        turned = c.compare("oeq", c.mul(old, new), const(-1.0))
        directions = set(self.located.directions)
        if directions == {0}:
            return turned
        if len(directions) == 1:
            return c.logic("and", turned, c.compare("oeq", new, const(float(*directions))))
        wanted = self.tables.direction(e)
        right = c.logic("or", c.compare("oeq", wanted, const(0.0)), c.compare("oeq", wanted, new))
        return c.logic("and", turned, right)

    def settled(self, old: str, new: str) -> str:
        """The sign that is remembered: the last that was not 0."""
        return self.c.select(self.c.compare("oeq", new, self.const(0.0)), old, new)

    def size(self, x: str) -> str:
        return self.c.intrinsic("fabs", x)

    def look_at(self, t: str, y: State) -> None:
        """Guards and signs at a point, into memory."""
        given = {"t": [t], "y": y, "p": self.loop.p} | ({"begin": [self.begin]} if self.begin else {})
        found = self.loop.evaluate(self.located.guards, given)
        for e in range(self.E):
            self.set("new_guard", found["guard"][e], str(e))
            self.set("new_sign", found["sign"][e], str(e))

    def look_inside(self, t: str, y: State) -> None:
        """`look_at` inside a step: a condition that holds at 0 too is not met by staying where its event has put the guard."""
        self.look_at(t, y)
        if 2 not in self.located.resets:
            return
        c, const = self.c, self.const

        def one(e: str) -> None:
            false = c.compare("oeq", self.get("sign", e), const(-1.0))
            stays = c.logic("and", c.logic("and", false, c.compare("oeq", self.tables.resets(e), const(2.0))), self.is_zero(e))
            self.set("new_sign", c.select(stays, const(-1.0), self.get("new_sign", e)), e)

        self.each(one)

    def is_zero(self, e: str) -> str:
        return self.c.compare("oeq", self.get("new_guard", e), self.const(0.0))

    def look_at_rates(self, t: str, y: State) -> None:
        """How fast the guards change along the solution at a point, into memory."""
        found = self.loop.evaluate(self.located.guard_rate, {"t": [t], "y": y, "p": self.loop.p})["guard_rate"]
        for e in range(self.E):
            self.set("rate", found[e], str(e))
