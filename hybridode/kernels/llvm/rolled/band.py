"""Banded systems A = L D U in machine code: row i of the factors stands at i stride, its diagonal's inverse in the middle.

The usual elimination without pivots (Golub & Van Loan, Matrix Computations, 4.3.1), with U scaled to a unit diagonal, so that one
fused multiply-add a row lies between one unknown and the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hybridode.kernels.llvm.rolled.moves import looked_up
from hybridode.kernels.llvm.wide_values import Buffer
from hybridode.tape.systems import LinearSystem

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.emitter import RolledEmitter

_ROWS = 4  # rows that a pivot's row is taken from at once


class _Rows:
    """What both kinds share: rows of `left` + 1 + `right` numbers, with guard rows of zeros before and after."""

    def __init__(self, e: RolledEmitter, system: LinearSystem, left: int, right: int, guard: int) -> None:
        self.e, self.system = e, system
        self.left, self.right, self.guard = left, right, guard
        self.stride = left + 1 + right

    @property
    def count(self) -> int:
        return (self.system.n + 2 * self.guard) * self.stride

    def pivots(self) -> np.ndarray:
        return (np.arange(self.system.n) + self.guard) * self.stride + self.left

    def spread(self, entries: Buffer) -> Buffer:
        """The entries in their places, zeros elsewhere."""
        e, s = self.e, self.system
        source = np.full(self.count, -1)
        row, column = s.position[s.rows], s.position[s.columns]
        source[(row + self.guard) * self.stride + self.left + column - row] = np.arange(s.entries)
        out, table = e.buffer(self.count), e.table(source)
        e.chunks(self.count, lambda at: e.write(looked_up(e, entries, table, at, holes=True), out, at))
        return out

    def place(self, row: str, further: int = 0) -> str:
        """Where a row's diagonal stands, or a number so much further."""
        w = self.e.w
        return w.value(f"add i64 {w.value(f'mul i64 {row}, {self.stride}')}, {self.guard * self.stride + self.left + further}")

    def right_side(self, right: Buffer, i: str) -> str:
        """The right side in position i."""
        e = self.e
        if self.system.natural:
            return e.element(right, i)
        place = e.w.load(e.table(self.system.order), i, "i32", 4)
        return e.element(right, e.w.value(f"sext i32 {place} to i64"))


class ThinBand(_Rows):
    """Bands of a few diagonals: rows and unknowns that are still needed stay in registers."""

    def __init__(self, e: RolledEmitter, system: LinearSystem) -> None:
        super().__init__(e, system, *system.band, max(system.band))

    def factor(self, entries: Buffer) -> Buffer:
        e, w, f = self.e, self.e.w, self.spread(entries)
        left, right, one, zero = self.left, self.right, self.e.w.lanes.const(1.0), self.e.w.lanes.const(0.0)
        each = 1 + right  # registers of a row: 1/D, U

        def row(i: str, before: list[str]) -> list[str]:
            at = self.place(i, -left)
            a = [e.element(f, w.value(f"add i64 {at}, {c}")) for c in range(self.stride)]
            for r in range(left, 0, -1):
                inverse, *upper = before[(r - 1) * each : r * each]
                k = left - r
                for c, u in enumerate(upper, 1):
                    a[k + c] = w.sub(a[k + c], w.mul(a[k], u))
                a[k] = w.mul(a[k], inverse)
            a[left] = w.div(one, a[left])
            a[left + 1 :] = [w.mul(x, a[left]) for x in a[left + 1 :]]
            for c, x in enumerate(a):
                w.store(x, f.pointer, w.value(f"add i64 {at}, {c}"), align=e.number)
            return [*a[left:], *before[: (left - 1) * each]][: left * each]

        e.fold(self.system.n, [zero] * (left * each), row, w.lanes.real)
        return f

    def solve(self, factors: Buffer, right: Buffer, transposed: bool) -> Buffer:
        e, w, n, zero = self.e, self.e.w, self.system.n, self.e.w.lanes.const(0.0)
        x = e.buffer(n)
        reach, back = (self.right, self.left) if transposed else (self.left, self.right)

        def unknown(i: str, value: str, known: list[str], sign: int) -> str:
            """The value less what the unknowns of the rows i + sign, i + 2 sign, … take; the last known is taken last."""
            for r in range(len(known), 0, -1):
                # Row i of L (before) and U (after); transposed, column i of them.
                at = self.place(i, sign * r) if not transposed else self.place(w.value(f"add i64 {i}, {sign * r}"), -sign * r)
                value = w.sub(value, w.mul(e.element(factors, at), known[r - 1]))
            return value

        def forward(i: str, known: list[str]) -> list[str]:
            value = unknown(i, self.right_side(right, i), known, -1)
            scaled = w.mul(value, e.element(factors, self.place(i)))
            w.store(scaled, x.pointer, i, align=e.number)
            return [value, *known][:reach]

        def backward(k: str, known: list[str]) -> list[str]:
            i = w.value(f"sub i64 {n - 1}, {k}")
            value = unknown(i, e.element(x, i), known, 1)
            w.store(value, x.pointer, i, align=e.number)
            return [value, *known][:back]

        e.fold(n, [zero] * reach, forward, w.lanes.real)
        e.fold(n, [zero] * back, backward, w.lanes.real)
        return x


class Band(_Rows):
    """Wider bands: loops over the band, in vectors of neighbours or of lanes. Rows end and begin with zeros to a whole vector."""

    def __init__(self, e: RolledEmitter, system: LinearSystem) -> None:
        left, right = (-(-reach // e.step) * e.step for reach in system.band)
        super().__init__(e, system, left, right, system.band[0])

    def factor(self, entries: Buffer) -> Buffer:
        e, w, f = self.e, self.e.w, self.spread(entries)
        c, reach = e.chunk, self.system.band[0]

        def pivot(k: str) -> None:
            at = self.place(k)
            inverse = w.div(w.lanes.const(1.0), e.element(f, at))
            w.store(inverse, f.pointer, at, align=e.number)
            factor = e.splat(inverse)
            first = w.value(f"add i64 {at}, 1")
            self.along(lambda j: self.change(f, self.sum(first, j), lambda x: c.mul(x, factor)))
            for block, count in ((reach // _ROWS, _ROWS), (1 if reach % _ROWS else 0, reach % _ROWS)):
                start = 1 if count == _ROWS else reach // _ROWS * _ROWS + 1
                e.repeat(block, lambda b, count=count, start=start: rows(k, at, inverse, b, count, start))

        def rows(k: str, at: str, inverse: str, b: str, count: int, start: int) -> None:
            """Takes row k from the rows k + start + b count …"""
            nearest = self.sum(w.value(f"mul i64 {b}, {count}"), str(start))
            offset = w.value(f"mul i64 {nearest}, {self.stride - 1}")
            places = [w.value(f"add i64 {self.sum(at, offset)}, {q * (self.stride - 1)}") for q in range(count)]
            factors = [e.element(f, p) for p in places]
            for p, x in zip(places, factors, strict=True):
                w.store(w.mul(x, inverse), f.pointer, p, align=e.number)
            spread = [e.splat(w.neg(x)) for x in factors]

            def chunk(j: str) -> None:
                upper = e.read(f, self.sum(self.sum(at, "1"), j))
                for p, x in zip(places, spread, strict=True):
                    place = self.sum(self.sum(p, "1"), j)
                    e.write(c.add(c.mul(x, upper), e.read(f, place)), f, place)

            self.along(chunk)

        e.repeat(self.system.n, pivot)
        return f

    def along(self, body: Callable[[str], None]) -> None:
        """body(j) for the chunks of the part right of the diagonal."""
        self.e.chunks(self.right, body)

    def sum(self, a: str, b: str) -> str:
        return self.e.w.value(f"add i64 {a}, {b}")

    def change(self, x: Buffer, at: str, by: Callable[[str], str]) -> None:
        self.e.write(by(self.e.read(x, at)), x, at)

    def solve(self, factors: Buffer, right: Buffer, transposed: bool) -> Buffer:
        e, n = self.e, self.system.n
        front = max(self.left, self.right)
        memory = e.buffer(n + 2 * front)
        x = e.view(memory, front, n)
        zero = e.chunk.lanes.const(0.0)
        for first in (0, front + n):
            guard = e.view(memory, first, front)
            e.chunks(front, lambda at, guard=guard: e.write(zero, guard, at))
        order = e.table(self.system.order)
        value = (lambda at: e.read(right, at)) if self.system.natural else (lambda at: looked_up(e, right, order, at))
        e.chunks(n, lambda at: e.write_within(value(at), x, at))
        if transposed:
            e.repeat(n, lambda i: self.taken(factors, x, i, True))
            e.repeat(n, lambda i: self.scaled(factors, x, i))
            e.repeat(n, lambda k: self.taken(factors, x, e.w.value(f"sub i64 {n - 1}, {k}"), False))
        else:
            e.repeat(n, lambda i: self.found(factors, x, i, True))
            e.repeat(n, lambda i: self.scaled(factors, x, i))
            e.repeat(n, lambda k: self.found(factors, x, e.w.value(f"sub i64 {n - 1}, {k}"), False))
        return x

    def scaled(self, f: Buffer, x: Buffer, i: str) -> None:
        e, w = self.e, self.e.w
        w.store(w.mul(e.element(x, i), e.element(f, self.place(i))), x.pointer, i, align=e.number)

    def found(self, f: Buffer, x: Buffer, i: str, lower: bool) -> None:
        """x_i less the product of row i of L (of U) with the unknowns before (after) it."""
        e, w, c = self.e, self.e.w, self.e.chunk
        reach = self.left if lower else self.right
        if not reach:
            return
        at, first = self.place(i, -reach if lower else 1), w.value(f"add i64 {i}, {-reach if lower else 1}")

        def chunk(k: str, sums: list[str]) -> list[str]:
            j = w.value(f"mul i64 {k}, {e.step}")
            return [c.add(c.mul(e.read(f, self.sum(at, j)), e.read(x, self.sum(first, j))), sums[0])]

        (total,) = e.fold(reach // e.step, [c.lanes.const(0.0)], chunk, c.lanes.real)
        w.store(w.sub(e.element(x, i), total if e.step == 1 else e.horizontal(total)), x.pointer, i, align=e.number)

    def taken(self, f: Buffer, x: Buffer, i: str, upper: bool) -> None:
        """What unknown i takes from those after (before) it, by row i of U (of L)."""
        e, w, c = self.e, self.e.w, self.e.chunk
        reach = self.right if upper else self.left
        at, first = self.place(i, 1 if upper else -reach), w.value(f"add i64 {i}, {1 if upper else -reach}")
        factor = e.splat(w.neg(e.element(x, i)))

        def chunk(j: str) -> None:
            place = self.sum(first, j)
            e.write(c.add(c.mul(factor, e.read(f, self.sum(at, j))), e.read(x, place)), x, place)

        e.chunks(reach, chunk)
