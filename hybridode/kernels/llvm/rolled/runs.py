"""Sparse systems A = L D U in machine code: elimination row by row over tables, rows of U as runs of neighbouring columns.

A row is worked on spread out in a vector of length n, from which every earlier pivot's row of U is taken, run by run (the
row-wise elimination of F. G. Gustavson, in Rose and Willoughby, Sparse Matrices and their Applications, 1972, with the structure
known as in KLU's refactorisation, Davis and Palamadai Natarajan, ACM TOMS 37 (2010) 36). With one lane, runs end with zeros to
a whole vector, and bridge small gaps: one vector instruction then does what as many single ones would.
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

_GAP = 3  # columns that a run of one lane bridges


class Runs:
    """Memory: 1/D, then L row by row, then U run by run; rows of L and runs begin at multiples of a vector."""

    def __init__(self, e: RolledEmitter, system: LinearSystem) -> None:
        self.e, self.system, s, step = e, system, system, e.step
        counts = np.diff(s.lower_start)
        padded = -(-counts // step) * step
        self.lower_first = s.n + step + np.concatenate([[0], np.cumsum(padded)])
        columns = np.zeros(int(padded.sum()) or 1, int)
        inside = np.repeat(self.lower_first[:-1] - self.lower_first[0] - s.lower_start[:-1], counts) + np.arange(len(s.lower))
        columns[inside] = s.lower
        self.lower_columns = columns
        self.run_of_row, self.start, self.length = _runs(s, _GAP if step > 1 else 0)
        room = -(-self.length // step) * step
        self.place = self.lower_first[-1] + np.concatenate([[0], np.cumsum(room)])
        self.count = int(self.place[-1])

    def pivots(self) -> np.ndarray:
        return np.arange(self.system.n)

    # ---- elimination ------------------------------------------------------------------------------------------------------
    def factor(self, entries: Buffer) -> Buffer:
        e, w, s = self.e, self.e.w, self.system
        f, work = e.buffer(self.count), e.buffer(s.n)
        zero, one = e.chunk.lanes.const(0.0), w.lanes.const(1.0)
        e.chunks(self.count, lambda at: e.write(zero, f, at))
        e.chunks(s.n, lambda at: e.write(zero, work, at))
        self.tables()
        row, column = s.position[s.rows], s.position[s.columns]
        of_row = np.argsort(row, kind="stable")
        first_of_row = e.table(np.concatenate([[0], np.cumsum(np.bincount(row, minlength=s.n))]))
        entry, place = e.table(of_row), e.table(column[of_row])

        def eliminate(i: str) -> None:
            def put(q: str) -> None:
                w.store(e.element(entries, self.number(entry, q)), work.pointer, self.number(place, q), align=e.number)

            self.over(self.number(first_of_row, i), self.number(first_of_row, self.after(i)), put)
            first, last = self.row_of_lower(i)

            def pivot(q: str) -> None:
                k = self.column(q)
                a = e.element(work, k)
                w.store(w.lanes.const(0.0), work.pointer, k, align=e.number)
                w.store(w.mul(a, e.element(f, k)), f.pointer, q, align=e.number)
                self.take(f, work, k, a)

            self.over(first, last, pivot)
            inverse = w.div(one, e.element(work, i))
            w.store(inverse, f.pointer, i, align=e.number)
            w.store(w.lanes.const(0.0), work.pointer, i, align=e.number)
            self.keep_upper(f, work, i, inverse)

        e.repeat(s.n, eliminate)
        return f

    def keep_upper(self, f: Buffer, work: Buffer, i: str, inverse: str) -> None:
        """Row i of U out of the work vector, which is zero there afterwards."""
        e, w, c = self.e, self.e.w, self.e.chunk
        factor, zero = e.splat(inverse), c.lanes.const(0.0)

        def run(r: str) -> None:
            start, length, place = self.run(r)

            def chunk(j: str) -> None:
                at = self.sum(start, j)
                value = e.read(work, at)
                scaled, rest = c.mul(value, factor), zero
                if e.step > 1:
                    count, real = e.step, c.lanes.real
                    inside = w.value(f"icmp slt <{count} x i64> {e.places(j)}, {c.splat(length, 'i64')}")
                    scaled = w.value(f"select <{count} x i1> {inside}, {real} {scaled}, {real} {zero}")
                    rest = w.value(f"select <{count} x i1> {inside}, {real} {zero}, {real} {value}")
                e.write(scaled, f, self.sum(place, j))
                e.write(rest, work, at)

            self.chunks(length, chunk)

        self.runs_of(i, run)

    def take(self, f: Buffer, x: Buffer, k: str, a: str) -> None:
        """x -= a times row k of U."""
        e, c = self.e, self.e.chunk
        factor = e.splat(e.w.neg(a))

        def run(r: str) -> None:
            start, length, place = self.run(r)

            def chunk(j: str) -> None:
                at = self.sum(start, j)
                e.write(c.add(c.mul(factor, e.read(f, self.sum(place, j))), e.read(x, at)), x, at)

            self.chunks(length, chunk)

        self.runs_of(k, run)

    # ---- solving ----------------------------------------------------------------------------------------------------------
    def solve(self, factors: Buffer, right: Buffer, transposed: bool) -> Buffer:
        e, n = self.e, self.system.n
        x, order = e.buffer(n), e.table(self.system.order)
        self.tables()
        e.chunks(n, lambda at: e.write(looked_up(e, right, order, at), x, at))
        e.write(e.chunk.lanes.const(0.0), x, str(n))  # what runs that end here read beyond it
        backwards = lambda body: e.repeat(n, lambda k: body(e.w.value(f"sub i64 {n - 1}, {k}")))  # noqa: E731
        if transposed:
            e.repeat(n, lambda i: self.take(factors, x, i, e.element(x, i)))
            self.scale(factors, x)
            backwards(lambda i: self.take_lower(factors, x, i))
        else:
            e.repeat(n, lambda i: self.find_lower(factors, x, i))
            self.scale(factors, x)
            backwards(lambda i: self.find_upper(factors, x, i))
        return x

    def scale(self, f: Buffer, x: Buffer) -> None:
        e = self.e
        e.chunks(self.system.n, lambda at: e.write(e.chunk.mul(e.read(x, at), e.read(f, at)), x, at))

    def find_lower(self, f: Buffer, x: Buffer, i: str) -> None:
        """x_i less the product of row i of L with the unknowns before it."""
        e, w, c = self.e, self.e.w, self.e.chunk
        first, last = self.row_of_lower(i)
        table = w.value(f"getelementptr i32, ptr {self.columns}, i64 {-int(self.lower_first[0])}", "t")

        def chunk(j: str, total: str) -> str:
            at = self.sum(first, j)
            return c.add(c.mul(e.read(f, at), looked_up(e, x, table, at)), total)

        total = self.chunks_carrying(w.value(f"sub i64 {last}, {first}"), c.lanes.const(0.0), chunk)
        self.less(x, i, total)

    def find_upper(self, f: Buffer, x: Buffer, i: str) -> None:
        """x_i less the product of row i of U with the unknowns after it."""
        e, c = self.e, self.e.chunk

        def run(r: str, total: str) -> str:
            start, length, place = self.run(r)

            def chunk(j: str, total: str) -> str:
                return c.add(c.mul(e.read(f, self.sum(place, j)), e.read(x, self.sum(start, j))), total)

            return self.chunks_carrying(length, total, chunk)

        first, last = self.number(self.first_run, i), self.number(self.first_run, self.after(i))
        self.less(x, i, e.span(first, last, c.lanes.const(0.0), run, c.lanes.real))

    def less(self, x: Buffer, i: str, total: str) -> None:
        e, w = self.e, self.e.w
        w.store(w.sub(e.element(x, i), total if e.step == 1 else e.horizontal(total)), x.pointer, i, align=e.number)

    def take_lower(self, f: Buffer, x: Buffer, i: str) -> None:
        """What unknown i takes from those before it, by row i of L."""
        e, w = self.e, self.e.w
        a = e.element(x, i)

        def term(q: str) -> None:
            k = self.column(q)
            w.store(w.sub(e.element(x, k), w.mul(e.element(f, q), a)), x.pointer, k, align=e.number)

        self.over(*self.row_of_lower(i), term)

    # ---- tables -----------------------------------------------------------------------------------------------------------
    def tables(self) -> None:
        e, s = self.e, self.system
        self.first_run, self.starts, self.lengths = e.table(self.run_of_row), e.table(self.start), e.table(self.length)
        self.run_places, self.columns = e.table(self.place), e.table(self.lower_columns)
        self.lower_places, self.lower_counts = e.table(self.lower_first), e.table(np.diff(s.lower_start))

    def number(self, table: str, at: str) -> str:
        w = self.e.w
        return w.value(f"sext i32 {w.load(table, at, 'i32', 4)} to i64")

    def run(self, r: str) -> tuple[str, str, str]:
        """(first column, length, place in memory)."""
        return self.number(self.starts, r), self.number(self.lengths, r), self.number(self.run_places, r)

    def runs_of(self, k: str, body: Callable[[str], None]) -> None:
        self.over(self.number(self.first_run, k), self.number(self.first_run, self.after(k)), body)

    def row_of_lower(self, i: str) -> tuple[str, str]:
        """Where row i of L begins and ends in memory."""
        first = self.number(self.lower_places, i)
        return first, self.sum(first, self.number(self.lower_counts, i))

    def column(self, q: str) -> str:
        """The column of the entry of L that stands at this place in memory."""
        return self.number(self.columns, self.sum(q, str(-int(self.lower_first[0]))))

    # ---- loops ------------------------------------------------------------------------------------------------------------
    def after(self, k: str) -> str:
        return self.sum(k, "1")

    def sum(self, a: str, b: str) -> str:
        return self.e.w.value(f"add i64 {a}, {b}")

    def over(self, first: str, last: str, body: Callable[[str], None]) -> None:
        self.e.span(first, last, "0", lambda k, nothing: (body(k), "0")[1], "i64")

    def chunks(self, count: str, body: Callable[[str], None]) -> None:
        """body(j) for the first elements of the chunks of `count` (a register) elements."""
        self.chunks_carrying(count, "0", lambda j, nothing: (body(j), "0")[1], "i64")

    def chunks_carrying(self, count: str, start: str, body: Callable[[str, str], str], kind: str = "") -> str:
        e, w = self.e, self.e.w
        kind = kind or e.chunk.lanes.real
        if e.step == 1:
            return e.span("0", count, start, body, kind)
        rounds = w.value(f"udiv i64 {self.sum(count, str(e.step - 1))}, {e.step}")
        return e.span("0", rounds, start, lambda k, x: body(w.value(f"mul i64 {k}, {e.step}"), x), kind)


def _runs(s: LinearSystem, gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(first run of every row, first column of every run, its length) of U, runs over gaps of so many columns."""
    rows = np.repeat(np.arange(s.n), np.diff(s.upper_start))
    if not len(rows):
        return np.zeros(s.n + 1, int), np.zeros(0, int), np.zeros(0, int)
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(rows) != 0) | (np.diff(s.upper) > gap + 1)]))
    ends = np.append(begins[1:], len(rows)) - 1
    first = np.searchsorted(rows[begins], np.arange(s.n + 1))
    return first, s.upper[begins], s.upper[ends] - s.upper[begins] + 1
