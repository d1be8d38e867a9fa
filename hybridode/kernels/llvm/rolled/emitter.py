"""Tapes over long vectors: every instruction is a loop, places are read from tables, so that the code does not grow with n.

What `wide` does for networks, with other rows for the operations that move elements (see `moves`) and with linear systems
(see `systems`). Contiguous parts of a vector are views, other gathers are read where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hybridode.kernels.llvm.rolled.moves import MOVES, gathered
from hybridode.kernels.llvm.rolled.systems import SYSTEMS
from hybridode.kernels.llvm.rolled.tables import Tables
from hybridode.kernels.llvm.straight import ELEMENTWISE
from hybridode.kernels.llvm.wide import WideEmitter
from hybridode.kernels.llvm.wide_operations import PLACED
from hybridode.kernels.llvm.wide_values import BOOLEAN, NARROW, Buffer, Lazy, Value
from hybridode.kernels.llvm.writer import Writer
from hybridode.tape.shapes import Shape, size

_DEEP_CONDITION = 4  # conditions that are made of more are kept as numbers
_ROWS = {**MOVES, **SYSTEMS}
_OF_MATRICES = frozenset(PLACED) - {"spread"}  # these read by row and column


class RolledEmitter(WideEmitter):
    """As `WideEmitter`; `tables` are what the function reads beside its code, from `%tables`."""

    def __init__(self, w: Writer, vector: int) -> None:
        super().__init__(w, vector)
        self.tables = Tables(w.lanes.dtype)

    def instruction(self, op: str, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
        if op in ELEMENTWISE or op not in _ROWS:
            return super().instruction(op, operands, shapes, attrs, shape)
        if op in MOVES and all(isinstance(x, list) for x in operands) and size(shape) <= NARROW:
            return super().instruction(op, operands, shapes, attrs, shape)
        conditions = any(isinstance(x, Lazy) and x.op in BOOLEAN for x in operands)
        if conditions:
            operands = [self.as_number(x) for x in operands]
        value = _ROWS[op](self, operands, shapes, attrs, shape)
        return self.as_condition(value, shape) if conditions else value

    def elementwise(self, op: str, operands: Sequence[Value], shape: Shape, attrs: Any) -> Value:
        value = super().elementwise(op, operands, shape, attrs)
        if isinstance(value, Lazy) and value.op in BOOLEAN and value.depth > _DEEP_CONDITION:
            return self.as_condition(self.as_number(value), shape)
        return value

    def as_number(self, x: Value) -> Value:
        """Conditions as 0 and 1 in memory; numbers as they are."""
        if not (isinstance(x, Lazy) and x.op in BOOLEAN):
            return x
        one, zero = [self.w.lanes.const(1.0)], [self.w.lanes.const(0.0)]
        return self.store(Lazy("select", (x, one, zero), x.shape, x.depth + 1))

    def as_condition(self, x: Value, shape: Shape) -> Value:
        """Numbers as conditions."""
        return Lazy("ne", (x, [self.w.lanes.const(0.0)]), shape, 2)

    def at(self, x: Value, i: str, j: str, at: str, boolean: bool = False) -> str:
        return gathered(self, x, at) if isinstance(x, Lazy) and x.op == "gather" else super().at(x, i, j, at, boolean)

    # ---- memory -----------------------------------------------------------------------------------------------------------
    def keep(self, count: int) -> Buffer:
        """Memory for `count` elements, and one more chunk, that is never used for anything else."""
        place = self.reserve((count + self.step) * self.unit)
        return Buffer(self.w.value(f"getelementptr i8, ptr %frame, i64 {place}", "k"), count)

    def table(self, array: Any) -> str:
        """The address of a table."""
        return self.w.value(f"getelementptr i8, ptr %tables, i64 {self.tables.place(array)}", "t")

    def view(self, x: Buffer, first: int, count: int) -> Buffer:
        """Some of a vector's elements, where they stand."""
        pointer = self.w.address(x.pointer, str(first), self.w.lanes.scalar if x.uniform else None)
        return Buffer(pointer, count, x.uniform, x.owner or x.pointer)

    def store(self, x: Lazy, out: Buffer | None = None) -> Buffer:
        """A lazy value computed into memory; what is made without rows and columns as one long row."""
        if len(x.shape) == 2 and _reads_rows(x):
            made = super().store(x)
            return made if out is None else self.copy(made, out)
        out = out or self.buffer(x.count)
        self.chunks(x.count, lambda at: self.write(self.at(x, "0", at, at), out, at))
        return out

    def copy(self, x: Buffer, out: Buffer) -> Buffer:
        self.chunks(x.count, lambda at: self.write(self.read(x, at), out, at))
        return out

    def put(self, x: Value, out: Buffer) -> Buffer:
        """A value of any form into memory that is there."""
        if isinstance(x, list):
            for k, value in enumerate(x):
                self.w.store(value, out.pointer, str(k), align=self.number)
            return out
        return self.store(x, out) if isinstance(x, Lazy) else self.copy(x, out)

    def write_within(self, value: str, out: Buffer, at: str) -> None:
        """A chunk into memory, nothing beyond the end of `out`: for views, and for sums that go on beside it."""
        if self.step == 1:
            return self.write(value, out, at)
        w, real, count = self.w, self.chunk.lanes.real, self.step
        mask = w.value(f"icmp ult <{count} x i64> {self.places(at)}, {self.chunk.splat(str(out.count), 'i64')}")
        place = w.value(f"getelementptr {w.lanes.real}, ptr {out.pointer}, i64 {at}", "a")
        name = f"@llvm.masked.store.{self.chunk.lanes.suffix}.p0"
        w.needs[f"declare void {name}({real}, ptr, i32, <{count} x i1>)"] = None
        w.line(f"call void {name}({real} {value}, ptr {place}, i32 {self.number}, <{count} x i1> {mask})")

    def places(self, at: str) -> str:
        """The places of a chunk's elements."""
        count = self.step
        own = "<" + ", ".join(f"i64 {k}" for k in range(count)) + ">"
        return self.w.value(f"add <{count} x i64> {self.chunk.splat(at, 'i64')}, {own}")

    def span(self, first: str, last: str, start: str, body: Callable[[str, str], str], kind: str = "") -> str:
        """`carried = body(k, carried)` for k = first … last - 1, both registers; what is carried has the type `kind`."""
        w, kind = self.w, kind or self.w.lanes.real
        enter, loop, one, back, leave = (w.fresh(name) for name in ("enter", "span", "inside", "back", "leave"))
        w.line(f"br label {enter}")
        w.label(enter[1:])
        w.line(f"br label {loop}")
        w.label(loop[1:])
        place = len(w.lines)
        k, carried = w.fresh("k"), w.fresh("c")
        w.line(f"br i1 {w.value(f'icmp slt i64 {k}, {last}')}, label {one}, label {leave}")
        w.label(one[1:])
        new = body(k, carried)
        following = w.value(f"add i64 {k}, 1")
        w.line(f"br label {back}")
        w.label(back[1:])
        w.line(f"br label {loop}")
        w.lines[place:place] = [
            f"  {k} = phi i64 [ {first}, {enter} ], [ {following}, {back} ]",
            f"  {carried} = phi {kind} [ {start}, {enter} ], [ {new}, {back} ]",
        ]
        w.label(leave[1:])
        return carried

    def splat(self, register: str) -> str:
        """A register of the lanes as a chunk."""
        return register if self.step == 1 else self.chunk.splat(register)

    def choose(self, mask: str, a: str, b: str) -> str:
        """A chunk by a mask of the lanes."""
        real = self.chunk.lanes.real
        return self.w.value(f"select {self.w.lanes.mask} {mask}, {real} {a}, {real} {b}")


def _reads_rows(x: Lazy) -> bool:
    """Whether somewhere in it an element is found by row and column."""
    stack: list[Any] = [x]
    while stack:
        v = stack.pop()
        if isinstance(v, Lazy):
            if v.op in _OF_MATRICES:
                return True
            stack.extend(v.operands)
    return False
