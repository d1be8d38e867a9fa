"""LU with partial pivoting of one dense matrix in memory, as functions of loops: for the few steps whose sparse one is bad.

`dense_factor(a, swaps)` factors a (n, n) in place, row k of it exchanged for row swaps[k]; `dense_solve(a, swaps, x)` and
`dense_solve_transposed` overwrite the right side by the solution. (G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed.,
algorithm 3.4.1.)
"""

from __future__ import annotations

from collections.abc import Callable

from hybridode.kernels.llvm.writer import Index, Lanes, Writer


class Loops(Writer):
    """A writer of scalar code with loops."""

    def __init__(self) -> None:
        super().__init__(Lanes())

    def function(self, name: str, arguments: str) -> None:
        self.lines.append(f"define internal void @{name}({arguments}) noinline cold {{")
        self.label("entry")

    def end(self) -> None:
        self.line("ret void")
        self.lines.append("}")

    def backwards(self, last: Index, body: Callable[[str], None]) -> None:
        """body(k) for k = last - 1 … 0."""
        self.each(0, last, lambda j: body(self.whole("sub", self.whole("sub", last, 1), j)))

    def whole(self, op: str, a: Index, b: Index) -> str:
        return self.value(f"{op} i64 {a}, {b}")

    def at(self, row: Index, n: Index, column: Index) -> str:
        """The place of an element of a matrix with n columns."""
        return self.whole("add", self.whole("mul", row, n), column)

    def increase(self, pointer: str, place: Index, change: str) -> None:
        """pointer[place] += change"""
        self.store(self.add(self.load(pointer, str(place)), change), pointer, str(place))


def dense_lu(n: int) -> Loops:
    """The three functions for matrices of this size."""
    w = Loops()
    _factor(w, n)
    _solve(w, n)
    _solve_transposed(w, n)
    return w


def _swap(w: Loops, x: str, i: str, j: str) -> None:
    a, b = w.load(x, i), w.load(x, j)
    w.store(b, x, i)
    w.store(a, x, j)


def _factor(w: Loops, n: int) -> None:
    w.function("dense_factor", "ptr %a, ptr %swaps")
    best, where = w.value("alloca double, align 8"), w.value("alloca i64, align 8")

    def column(k: str) -> None:
        w.store(w.lanes.const(-1.0), best)
        w.store(k, where, kind="i64")

        def larger(i: str) -> None:
            size = w.intrinsic("fabs", w.load("%a", w.at(i, n, k)))
            more = w.compare("ogt", size, w.load(best))
            w.store(w.select(more, size, w.load(best)), best)
            w.store(w.select(more, i, w.load(where, kind="i64"), "i64"), where, kind="i64")

        w.each(k, n, larger)
        pivot = w.load(where, kind="i64")
        w.store(pivot, "%swaps", k, "i64")
        w.each(0, n, lambda j: _swap(w, "%a", w.at(k, n, j), w.at(pivot, n, j)))
        inverse = w.div(w.lanes.const(1.0), w.load("%a", w.at(k, n, k)))
        after = w.whole("add", k, 1)

        def row(i: str) -> None:
            multiplier = w.mul(w.load("%a", w.at(i, n, k)), inverse)
            w.store(multiplier, "%a", w.at(i, n, k))
            w.each(after, n, lambda j: w.increase("%a", w.at(i, n, j), w.neg(w.mul(multiplier, w.load("%a", w.at(k, n, j))))))

        w.each(after, n, row)

    w.each(0, n, column)
    w.end()


def _less(w: Loops, i: str, j: str, entry: str) -> None:
    """x[i] -= entry x[j]"""
    w.increase("%x", i, w.neg(w.mul(entry, w.load("%x", j))))


def _solve(w: Loops, n: int) -> None:
    w.function("dense_solve", "ptr %a, ptr %swaps, ptr %x")
    w.each(0, n, lambda k: _swap(w, "%x", k, w.load("%swaps", k, "i64")))
    w.each(0, n, lambda i: w.each(0, i, lambda j: _less(w, i, j, w.load("%a", w.at(i, n, j)))))

    def upper(i: str) -> None:
        w.each(w.whole("add", i, 1), n, lambda j: _less(w, i, j, w.load("%a", w.at(i, n, j))))
        w.store(w.div(w.load("%x", i), w.load("%a", w.at(i, n, i))), "%x", i)

    w.backwards(n, upper)
    w.end()


def _solve_transposed(w: Loops, n: int) -> None:
    w.function("dense_solve_transposed", "ptr %a, ptr %swaps, ptr %x")

    def upper(i: str) -> None:
        w.each(0, i, lambda j: _less(w, i, j, w.load("%a", w.at(j, n, i))))
        w.store(w.div(w.load("%x", i), w.load("%a", w.at(i, n, i))), "%x", i)

    w.each(0, n, upper)
    w.backwards(n, lambda i: w.each(w.whole("add", i, 1), n, lambda j: _less(w, i, j, w.load("%a", w.at(j, n, i)))))
    w.backwards(n, lambda k: _swap(w, "%x", k, w.load("%swaps", k, "i64")))
    w.end()
