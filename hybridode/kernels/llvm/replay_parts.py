"""Tangents and adjoints in parts: each goes over some rows of the record, and carries on from what the one before it left.

Beside the job's other slots they read the states before and after the rows (`state`, `state_to`, see `resume`) and `part`: the
FIRST starts from nothing, the LAST writes the results. What is carried lies in `carried`: which lanes are alive, the next save
point, then reals of all lanes. The numbers are those of a derivative in one piece, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

from hybridode.kernels.llvm.backward import Adjoint
from hybridode.kernels.llvm.job import FIRST, LAST
from hybridode.kernels.llvm.lane_loop import Row
from hybridode.kernels.llvm.loop import DONE
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.replay import Replay
from hybridode.kernels.llvm.resume import CELL, PAUSED, ROWS, STATUS, TIME
from hybridode.kernels.llvm.rolled.adjoint import RolledAdjoint
from hybridode.kernels.llvm.rolled.tangent import RolledTangent
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.tangent import Tangent
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method

ALIVE, POINTS, REALS = range(3)  # cells of what is carried
Vector = tuple[str, int]  # reals of all lanes in memory, how many


def adjoint_in_parts(method: Method, lanes: Lanes, inputs: Inputs, name: str = "adjoint") -> Writer:
    """The whole function as text; beside it stands `i64 carried_bytes()`."""
    return (_RolledAdjointParts if method.rolled else _AdjointParts)(method, lanes, inputs, name).write()


def tangent_in_parts(method: Method, lanes: Lanes, inputs: Inputs, name: str = "tangent") -> Writer:
    """The whole function as text; beside it stands `i64 carried_bytes()`."""
    return (_RolledTangentParts if method.rolled else _TangentParts)(method, lanes, inputs, name).write()


class _Parts(Replay):
    """What both derivatives need. A subclass says which vectors it carries."""

    vectors: Callable[[], list[Vector]]

    def find_record(self, written: Row) -> None:
        """The rows of this part, for each lane of the group."""
        w = self.w
        self.carried, self.state, self.state_to = (self.slot(name, "ptr") for name in ("carried", "state", "state_to"))
        part = self.slot("part")
        self.is_first, self.is_final = (w.value(f"icmp ne i64 {w.value(f'and i64 {part}, {bit}')}, 0") for bit in (FIRST, LAST))
        lanes = [str(k) for k in range(self.lanes.width)]
        self.records = self.rows("record", lanes, w.value(f"mul i64 {self.slot('capacity')}, {self.m.n + 2}"))
        status = self.integer_cell(self.state_to, STATUS)
        self.done = self.equal(status, DONE)
        well = w.logic("or", self.done, self.equal(status, PAUSED))
        before = self.whole("icmp ne", self.integer_cell(self.carried, ALIVE), self.integers(0))
        self.alive = w.logic("and", w.logic("and", self.equal(self.told(0), DONE), before), well)
        self.steps = self.select_integer(self.alive, self.integer_cell(self.state_to, ROWS), self.integers(0))

    def stopped(self) -> str:
        """The time at which a run ended, once it has."""
        return self.w.load(self.cell(self.state_to, TIME), align=self.align)

    def is_last(self, rows: str) -> str:
        return self.w.logic("and", super().is_last(rows), self.done)

    # ---- what is carried --------------------------------------------------------------------------------------------------
    def cell(self, base: str, k: int) -> str:
        return self.w.value(f"getelementptr i8, ptr {base}, i64 {CELL * self.lanes.width * k}")

    def integer_cell(self, base: str, k: int) -> str:
        return self.w.load(self.cell(base, k), kind=self.lanes.integer, align=CELL)

    def moved(self) -> list[Vector]:
        """The movement of an instant that the part may have ended within."""
        return [] if self.events is None else [(self.events.moved, 1)]

    def each_vector(self, act: Callable[[str, str, int], None]) -> None:
        """act(vector, its place in what is carried, its length)."""
        at = CELL * self.lanes.width * REALS
        for pointer, count in [*self.moved(), *self.vectors()]:
            act(pointer, self.w.value(f"getelementptr i8, ptr {self.carried}, i64 {at}"), count)
            at += -(-count * self.lanes.bytes // CELL) * CELL
        self.bytes = at

    def copy(self, to: str, source: str, count: int) -> None:
        self.w.needs["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"] = None
        self.w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {count * self.lanes.bytes}, i1 false)")

    def carry_on(self, start: Callable[[], str]) -> str:
        """What was carried, in the vectors; the next save point, in the first part that which `start` gives."""

        def load() -> dict[str, str]:
            self.each_vector(lambda pointer, place, count: self.copy(pointer, place, count))
            return {"points": self.integer_cell(self.carried, POINTS)}

        return self.either(self.is_first, lambda: {"points": start()}, load, {"points": self.lanes.integer})["points"]

    def leave_off(self, points: str) -> None:
        """What the next part needs."""
        self.keep_alive(self.alive)
        self.w.store(points, self.cell(self.carried, POINTS), kind=self.lanes.integer, align=CELL)
        self.each_vector(lambda pointer, place, count: self.copy(place, pointer, count))

    def keep_alive(self, mask: str) -> None:
        kind = self.lanes.integer
        alive = self.w.value(f"zext {self.lanes.mask} {mask} to {kind}")
        self.w.store(alive, self.cell(self.carried, ALIVE), kind=kind, align=CELL)

    def at_end(self, results: Callable[[], None], points: str) -> None:
        """Results in the last part."""

        def final() -> dict[str, str]:
            results()
            return {}

        def on() -> dict[str, str]:
            self.leave_off(points)
            return {}

        self.either(self.is_final, final, on, {})

    def only_first(self, act: Callable[[], None]) -> None:
        """Acts in the first part."""

        def first() -> list[str]:
            act()
            return []

        self.branch(self.is_first, first, [], "i1")

    def all_points(self, points: str) -> str:
        """The save points that are left; all, in lanes that died on the way."""
        return self.select_integer(self.alive, points, self.integers(0))

    def give_up(self) -> None:
        self.carried = self.slot("carried", "ptr")
        self.keep_alive(self.lanes.const(False))
        super().give_up()

    def finish(self) -> Writer:
        w = super().finish()
        w.lines.append(f"define internal i64 @carried_bytes() {{\n  ret i64 {self.bytes}\n}}")
        return w


class _AdjointParts(_Parts, Adjoint):
    def last_point(self) -> str:
        return self.carry_on(super().last_point)

    def arrive(self, points: str) -> None:
        self.at_end(lambda: Adjoint.arrive(self, points), points)

    def clear_signals(self) -> None:
        self.only_first(lambda: Adjoint.clear_signals(self))

    def vectors(self) -> list[Vector]:
        own = [(self.y_bar, self.m.n), (self.p_bar, self.inputs.parameters)]
        own += [] if self.known_times is None else [(self.instant, 1)]
        return own + [(x.pointer, x.count) for x in self.w_bar.values()]


class _RolledAdjointParts(_Parts, RolledAdjoint):
    def last_point(self) -> str:
        return self.carry_on(super().last_point)

    def arrive(self, points: str) -> None:
        self.at_end(lambda: RolledAdjoint.arrive(self, points), points)

    def clear_signals(self) -> None:
        self.only_first(lambda: RolledAdjoint.clear_signals(self))

    def vectors(self) -> list[Vector]:
        return [(x.pointer, x.count) for x in (self.y_bar, self.p_bar, *self.w_bar.values())]


class _TangentParts(_Parts, Tangent):
    def begun(self, y_dot: Elements) -> tuple[Elements, str]:
        self.y_dot = self.memory("y_dot_carried", self.m.n)
        for k, value in enumerate(y_dot):
            self.put(self.y_dot, k, value)
        points = self.carry_on(lambda: self.integers(0))
        return [self.at(self.y_dot, k) for k in range(self.m.n)], points

    def vectors(self) -> list[Vector]:
        points = [] if self.known_times is None else [(self.earlier, CELL // self.lanes.number_bytes)]
        return [(self.y_dot, self.m.n), *points]

    def arrive(self, y_dot: Elements, points: str) -> None:
        for k, value in enumerate(y_dot):
            self.put(self.y_dot, k, value)
        self.at_end(lambda: Tangent.arrive(self, y_dot, self.all_points(points)), points)


class _RolledTangentParts(_Parts, RolledTangent):
    def first_point(self) -> str:
        return self.carry_on(super().first_point)

    def vectors(self) -> list[Vector]:
        return [(self.y_dot.pointer, self.y_dot.count)]

    def arrive(self, points: str) -> None:
        self.at_end(lambda: RolledTangent.arrive(self, self.all_points(points)), points)
