"""A solve in parts: one that goes on from the state in which it was left, and pauses after so many rows of the record.

The function is the solve's (`loop`) word for word, so the parts take the steps that the whole takes, bit for bit. A state is all
that a solve carries from one attempt to the next, in cells of 8 bytes a lane: first what others read (`READ`), then the rest in
the order in which the loop carries it, then vectors that lie in memory. The slots: `state`, to go on from, or null: from the
start; `state_to`, where the state is left; `until`, the number of rows at which a lane pauses; `record`, or null: the rows of
this part only, for each lane of the group. Of info only the status is read: lanes whose solve failed are left alone.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from hybridode.kernels.llvm.job import DONE, NO_MEMORY, RUNNING
from hybridode.kernels.llvm.loop import Solve
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.rolled.solve import RolledSolve
from hybridode.kernels.llvm.step_loop import StepLoop
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method

READ = ("rows", "status", "t")  # rows of the record in this part, status, time
ROWS, STATUS, TIME = range(3)
PAUSED = -1  # the status of a lane that goes on
CELL = 8  # bytes
KEPT_OF_EVENTS = ("sign", "guard", "pending")  # arrays that a step finds as the one before left them

Carried = Mapping[str, tuple[str, str]]
Vector = tuple[str, int]  # reals of all lanes in memory, how many
Values = dict[str, str]


def solve_in_parts(method: Method, lanes: Lanes, inputs: Inputs, name: str = "solve") -> Writer:
    """The whole function as text (see the module); beside it stands `i64 state_bytes()`, the size of a state."""
    return (_RolledParts if method.rolled else _Parts)(method, lanes, inputs, name).write()


def entry_of_parts() -> str:
    """`i64 {run}(job, start)`: a part of the solve of a group of lanes; without a job, the size of a state."""
    return """
define i64 @{run}(ptr %job, i64 %start) {
entry:
  %bytes = call i64 @state_bytes()
  %asked = icmp eq ptr %job, null
  br i1 %asked, label %told, label %work
work:
  call void @part(ptr %job, i64 %start)
  br label %told
told:
  ret i64 %bytes
}"""


class _Pausing(StepLoop):
    """What both loops need: states read and written, lanes that pause. A subclass has the vectors that lie in memory."""

    @abstractmethod
    def vectors(self) -> list[Vector]:
        """The vectors of a state."""

    def begin_part(self, capacity: str) -> list[str]:
        """What is read once; per lane the address of its rows of the record."""
        w = self.w
        self.state, self.state_to = self.slot("state", "ptr"), self.slot("state_to", "ptr")
        self.until = w.splat(self.slot("until"), "i64")
        # Never true here; said by the job so that the code of a step stays what it is in a solve that saves.
        self.saving = w.splat(w.value(f"icmp ne ptr {self.slot('ys', 'ptr')}, null"), "i1")
        self.first_row = self.integers(0)
        lanes = [str(k) for k in range(self.lanes.width)]
        return self.rows("record", lanes, w.value(f"mul i64 {capacity}, {self.m.n + 2}"))

    # ---- a state --------------------------------------------------------------------------------------------------------
    def cell(self, state: str, k: int) -> str:
        return self.w.value(f"getelementptr i8, ptr {state}, i64 {CELL * self.lanes.width * k}")

    def vectors_of(self, state: str, cells: int) -> list[tuple[str, str, int]]:
        """(memory of the loop, its place in a state behind so many cells, bytes) of every vector."""
        found, at = [], CELL * self.lanes.width * cells
        for pointer, count in self.vectors():
            found.append((pointer, self.w.value(f"getelementptr i8, ptr {state}, i64 {at}"), count * self.lanes.bytes))
            at += -(-count * self.lanes.bytes // CELL) * CELL
        self.bytes = at
        return found

    def copy(self, to: str, source: str, count: int) -> None:
        self.w.needs["declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"] = None
        self.w.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {count}, i1 false)")

    def load_state(self, carried: Carried) -> Values:
        w, found = self.w, {}
        for k, (name, (kind, _)) in enumerate(carried.items(), len(READ)):
            mask = kind == self.lanes.mask
            value = w.load(self.cell(self.state, k), kind=self.lanes.integer if mask else kind, align=4)
            found[name] = self.whole("icmp ne", value, self.integers(0)) if mask else value
        for pointer, place, count in self.vectors_of(self.state, len(READ) + len(carried)):
            self.copy(pointer, place, count)
        return found

    def leave_state(self, last: Mapping[str, str], kinds: Mapping[str, str]) -> None:
        w, integer = self.w, self.lanes.integer
        rows = self.whole("sub", last["accepted"], self.first_row)
        cells = [(integer, rows), (integer, last["status"]), (self.lanes.real, last["t"])]
        for k, (kind, value) in enumerate([*cells, *((kind, last[name]) for name, kind in kinds.items())]):
            if kind == self.lanes.mask:
                kind, value = integer, w.value(f"zext {kind} {value} to {integer}")
            w.store(value, self.cell(self.state_to, k), kind=kind, align=4)
        for pointer, place, count in self.vectors_of(self.state_to, len(READ) + len(kinds)):
            self.copy(place, pointer, count)

    def give_up(self) -> None:
        """Leaves a state that nothing goes on from."""
        state = self.slot("state_to", "ptr")
        for k, value in ((ROWS, 0), (STATUS, NO_MEMORY), (TIME, 0)):
            self.w.store(self.integers(value), self.cell(state, k), kind=self.lanes.integer, align=4)

    # ---- the loop -------------------------------------------------------------------------------------------------------
    def loop(self, carried: dict[str, tuple[str, str]], t1: str, entry: str) -> None:
        carried, entry = self.resumed(carried)
        super().loop(carried, t1, entry)

    def attempt(self, now: Mapping[str, str], t1: str) -> Values:
        new = super().attempt(now, t1)
        return {**new, "status": self.paused(new["status"], new["accepted"])}

    def save(self, ok: str, *given: Any) -> str:
        return super().save(self.w.logic("and", ok, self.saving), *given)

    def write_results(self, last: Mapping[str, str]) -> None:
        self.leave_state(last, self.kinds)

    def resumed(self, carried: Carried) -> tuple[dict[str, tuple[str, str]], str]:
        """What is carried from the state that the solve goes on from, if there is one; the block in which that is known."""
        w, integer = self.w, self.lanes.integer
        known = w.value(f"icmp ne ptr {self.state}, null")

        def start() -> Values:
            status = w.join([w.value(f"sext i32 {w.load(row, '0', 'i32', 4)} to i64") for row in self.info], "i64")
            values = {name: value for name, (_, value) in carried.items()}
            well = self.equal(status, DONE)
            return {**values, "status": self.select_integer(well, values["status"], self.integers(NO_MEMORY))}

        def rows(values: Values, first: str) -> Values:
            return {**values, "first row": first}

        def load() -> Values:
            found = self.load_state(carried)
            return rows(found, found["accepted"])

        kinds = {name: kind for name, (kind, _) in carried.items()}
        found = self.either(known, load, lambda: rows(start(), self.integers(0)), {**kinds, "first row": integer})
        self.first_row = found.pop("first row")
        going = self.equal(found["status"], PAUSED)
        found["status"] = self.paused(self.select_integer(going, self.integers(RUNNING), found["status"]), found["accepted"])
        entry = w.fresh("resumed")
        w.line(f"br label {entry}")
        w.label(entry[1:])
        return {name: (kinds[name], found[name]) for name in carried}, entry

    def paused(self, status: str, accepted: str) -> str:
        """The status, of lanes that have as many rows as they should that of a pause."""
        full = self.w.logic("and", self.equal(status, RUNNING), self.whole("icmp sge", accepted, self.until))
        return self.select_integer(full, self.integers(PAUSED), status)

    def since(self, accepted: str) -> str:
        """The row of this part's record."""
        return self.whole("sub", accepted, self.first_row)

    def finish(self) -> Writer:
        w = super().finish()
        w.lines.append(f"define internal i64 @state_bytes() {{\n  ret i64 {self.bytes}\n}}")
        return w


class _Parts(_Pausing, Solve):
    def prologue(self) -> tuple[Elements, str]:
        found = super().prologue()
        self.records = self.begin_part(self.capacity)
        return found

    def vectors(self) -> list[Vector]:
        e = self.events
        return [] if e is None else [(e.array[name], e.E) for name in KEPT_OF_EVENTS]

    def save_after(self, saved: str, mask: str, t: str, y: Elements) -> None:
        super().save_after(saved, self.w.logic("and", mask, self.saving), t, y)

    def record(self, accepted: str, t: str, h: str, y: Elements) -> None:
        super().record(self.since(accepted), t, h, y)


class _RolledParts(_Pausing, RolledSolve):
    def prologue(self) -> str:
        found = super().prologue()
        self.records = self.begin_part(self.capacity)
        return found

    def vectors(self) -> list[Vector]:
        signs = [] if self.events is None else [self.events.buffers[name] for name in KEPT_OF_EVENTS]
        return [(x.pointer, x.count) for x in (self.y, self.k, *signs)]

    def record(self, accepted: str, t: str, h: str) -> None:
        super().record(self.since(accepted), t, h)
