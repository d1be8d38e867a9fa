"""The operations that move elements of long vectors, or add them up: one row each in MOVES.

A gather is a view where its places follow each other, a copy of a few stretches where it is made of those, and else read
through a table of places where it is used. A scatter reads, for every place, what is added there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.kernels.llvm.wide_operations import OPERATIONS
from hybridode.kernels.llvm.wide_values import NARROW, Buffer, Lazy, Value
from hybridode.tape.shapes import Indices, Shape, size

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.emitter import RolledEmitter

_FEW = 6  # stretches that are copied one by one
_LONG = 32  # elements in a stretch on average, from which that is worth it
_MOST_READ = 8  # summands of a place that are read without a loop


def stretches(at: Indices) -> list[tuple[int, int, int]]:
    """(first in the result, place, length) of the runs of places that follow each other."""
    places = np.asarray(at)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(places) != 1) + 1])
    lengths = np.diff(np.append(starts, len(places)))
    return list(zip(starts.tolist(), places[starts].tolist(), lengths.tolist(), strict=True))


def _by_stretches(at: Indices) -> list[tuple[int, int, int]] | None:
    """The stretches where they are few and long, else None."""
    if isinstance(at, range):
        return [(0, at[0], len(at))] if len(at) == 1 or at.step == 1 else None
    breaks = int(np.count_nonzero(np.diff(np.asarray(at)) != 1))
    return stretches(at) if breaks < _FEW and (breaks + 1) * _LONG <= len(at) else None


# ---- gathers --------------------------------------------------------------------------------------------------------
def _gather(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    if size(shape) <= NARROW:
        return OPERATIONS["gather"](e, [e.in_memory(operands[0])], shapes, attrs, shape)
    if isinstance(operands[0], list) and len(operands[0]) == 1:
        return Lazy("spread", (operands[0],), shape, 1)
    x = e.in_memory(operands[0])
    parts = _by_stretches(attrs)
    if parts is None:
        return Lazy("gather", (x,), shape, 1, e.tables.place(attrs))
    if len(parts) == 1:
        return e.view(x, parts[0][1], parts[0][2])
    out = e.buffer(size(shape))
    for first, place, count in parts:
        e.copy(e.view(x, place, count), e.view(out, first, count))
    return out


def gathered(e: RolledEmitter, x: Lazy, at: str) -> str:
    """A chunk of a gather."""
    table = e.w.value(f"getelementptr i8, ptr %tables, i64 {x.attrs}", "t")
    return looked_up(e, x.operands[0], table, at)


def looked_up(e: RolledEmitter, x: Buffer, table: str, at: str, holes: bool = False) -> str:
    """The chunk of x's elements at the places that a table names at `at`. With `holes` places below 0 stand for a zero."""
    w, zero = e.w, e.chunk.lanes.const(0.0)
    if e.step == 1:
        k = w.value(f"sext i32 {w.load(table, at, 'i32', 4)} to i64")
        if not holes:
            return e.element(x, k)
        there = w.value(f"icmp sge i64 {k}, 0")
        value = e.element(x, w.value(f"select i1 {there}, i64 {k}, i64 0"))
        return w.value(f"select i1 {there}, {w.lanes.real} {value}, {w.lanes.real} {zero}")
    count, scalar, real = e.step, w.lanes.scalar, e.chunk.lanes.real
    place = w.value(f"getelementptr i32, ptr {table}, i64 {at}", "a")
    k = w.value(f"load <{count} x i32>, ptr {place}, align 4")
    mask = w.value(f"icmp sge <{count} x i32> {k}, zeroinitializer") if holes else e.chunk.lanes.const(True)
    pointers = w.value(f"getelementptr {scalar}, ptr {x.pointer}, <{count} x i32> {k}")
    name = f"@llvm.masked.gather.{e.chunk.lanes.suffix}.v{count}p0"
    w.needs[f"declare {real} {name}(<{count} x ptr>, i32, <{count} x i1>, {real})"] = None
    other = zero if holes else "poison"
    return w.value(f"call {real} {name}(<{count} x ptr> {pointers}, i32 {e.number}, <{count} x i1> {mask}, {real} {other})")


# ---- scatters -------------------------------------------------------------------------------------------------------
def _scatter_add(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    total, places = size(shape), np.asarray(attrs)
    x = e.in_memory(operands[0])
    out = e.buffer(total)
    parts = _by_stretches(attrs)
    if parts is not None:
        zero = e.chunk.lanes.const(0.0)
        e.chunks(total, lambda at: e.write(zero, out, at))
        for first, place, count in parts:
            add_to(e, e.view(out, place, count), e.view(x, first, count))
        return _small(e, out)
    counts = np.bincount(places, minlength=total)
    order = np.argsort(places, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    most = int(counts.max())
    if most <= _MOST_READ and most * total <= 4 * (len(places) + total):
        rows = np.full((most, total), -1)
        rank = np.arange(len(places)) - starts[:-1][places[order]]
        rows[rank, places[order]] = order
        tables = [e.table(row) for row in rows]

        def chunk(at: str) -> None:
            terms = [looked_up(e, x, table, at, holes=True) for table in tables]
            e.write(e.chunk.tree_sum(terms), out, at)

        e.chunks(total, chunk)
    else:
        _summed(e, x, out, e.table(starts), e.table(order))
    return _small(e, out)


def _small(e: RolledEmitter, out: Buffer) -> Value:
    return e.registers(out) if out.count <= NARROW else out


def _summed(e: RolledEmitter, x: Buffer, out: Buffer, starts: str, order: str) -> None:
    """out[d] = the sum of x at the places order[starts[d]] … order[starts[d + 1] - 1], in lanes one by one."""
    w = e.w

    def place(d: str) -> None:
        first, last = (w.value(f"sext i32 {w.load(starts, k, 'i32', 4)} to i64") for k in (d, w.value(f"add i64 {d}, 1")))

        def term(k: str, total: str) -> str:
            at = w.value(f"sext i32 {w.load(order, k, 'i32', 4)} to i64")
            return w.add(total, e.element(x, at))

        w.store(e.span(first, last, w.lanes.const(0.0), term), out.pointer, d, align=e.number)

    e.repeat(out.count, place)


def add_to(e: RolledEmitter, total: Buffer, x: Buffer) -> None:
    """total += x, with nothing written beyond the end."""
    whole = x.count // e.step

    def chunk(k: str) -> None:
        at = e.w.value(f"mul i64 {k}, {e.step}") if e.step > 1 else k
        e.write(e.chunk.add(e.read(total, at), e.read(x, at)), total, at)

    e.repeat(whole, chunk)
    for k in range(whole * e.step, x.count):
        e.w.store(e.w.add(e.element(total, str(k)), e.element(x, str(k))), total.pointer, str(k), align=e.number)


# ---- the rest -------------------------------------------------------------------------------------------------------
def _concat(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    """Parts in rising order: what a part writes beyond its end is overwritten by the next."""
    out, at = e.buffer(size(shape)), 0
    for part, s in zip(operands, shapes, strict=True):
        e.put(part, e.view(out, at, size(s)))
        at += size(s)
    return _small(e, out)


def _constant(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    numbers = Buffer(e.table(np.array(attrs, float)), len(attrs), e.step == 1)
    return e.as_condition(numbers, shape) if isinstance(attrs[0], bool) else numbers


def _sum(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    if attrs is None:
        x = operands[0]
        return [total(e, shapes[0], lambda at: e.at(x, "0", at, at)) if len(shapes[0]) == 1 else _all(e, e.in_memory(x))]
    rows, columns = shapes[0]
    if attrs == 1 or e.step == 1:
        return OPERATIONS["sum"](e, operands, shapes, attrs, shape)
    x, out = e.in_memory(operands[0]), e.buffer(columns)

    def chunk(j: str) -> None:
        def row(i: str, sums: list[str]) -> list[str]:
            at = e.w.value(f"add i64 {e.w.value(f'mul i64 {i}, {columns}')}, {j}")
            return [e.chunk.add(sums[0], e.read(x, at))]

        e.write(e.fold(rows, [e.chunk.lanes.const(0.0)], row, e.chunk.lanes.real)[0], out, j)

    e.chunks(columns, chunk)
    return _small(e, out)


def _all(e: RolledEmitter, x: Buffer) -> str:
    return total(e, (x.count,), lambda at: e.read(x, at))


def total(e: RolledEmitter, shape: Shape, term: Any) -> str:
    """The sum of the terms (a chunk for its first place) of all elements, in the lanes."""
    w, c, n = e.w, e.chunk, size(shape)

    def chunk(k: str, sums: list[str]) -> list[str]:
        return [c.add(sums[0], term(w.value(f"mul i64 {k}, {e.step}") if e.step > 1 else k))]

    (found,) = e.fold(n // e.step, [c.lanes.const(0.0)], chunk, c.lanes.real)
    if n % e.step:
        inside = ", ".join(f"i1 {'true' if k < n % e.step else 'false'}" for k in range(e.step))
        rest = term(str(n // e.step * e.step))
        real = c.lanes.real
        rest = w.value(f"select <{e.step} x i1> <{inside}>, {real} {rest}, {real} {c.lanes.const(0.0)}")
        found = c.add(found, rest)
    return found if e.step == 1 else e.horizontal(found)


MOVES: dict[str, Any] = {
    "gather": _gather,
    "scatter_add": _scatter_add,
    "concat": _concat,
    "const": _constant,
    "sum": _sum,
}
