"""Sparse LU factorisation as straight-line code: the pattern is known at compile time, the numbers are nodes of a tape.

Pivots stand on the diagonal in an order chosen before (minimum Markowitz count: (row entries - 1)(column entries - 1),
H. M. Markowitz, Management Science 3 (1957) 255-269). `growth` tells at run time where that was not wise.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hybridode.tape.tape import TapeBuilder

Entry = tuple[int, int]  # (row, column)
MOST_GROWTH = 1e6  # of a pivot: what is lost is at most six of sixteen digits


def elimination_order(n: int, pattern: Iterable[Entry]) -> tuple[int, ...]:
    """Order of the pivots 0 … n-1 with little fill-in; ties go to the smaller index, so the order is reproducible."""
    rows: list[set[int]] = [set() for _ in range(n)]
    columns: list[set[int]] = [set() for _ in range(n)]
    for i, j in pattern:
        if i != j:
            rows[i].add(j)
            columns[j].add(i)
    heap = [(len(rows[i]) * len(columns[i]), i) for i in range(n)]
    heapq.heapify(heap)
    order: list[int] = []
    done = [False] * n
    while heap:
        count, p = heapq.heappop(heap)
        if done[p] or count != len(rows[p]) * len(columns[p]):
            continue  # an outdated count; the right one is in the heap as well
        done[p] = True
        order.append(p)
        for i in columns[p]:
            rows[i].discard(p)
            for j in rows[p]:
                if i != j and j not in rows[i]:
                    rows[i].add(j)
                    columns[j].add(i)
        for j in rows[p]:
            columns[j].discard(p)
        for q in rows[p] | columns[p]:
            heapq.heappush(heap, (len(rows[q]) * len(columns[q]), q))
    return tuple(order)


@dataclass(frozen=True)
class Factors:
    """L (unit diagonal) and U of the permuted matrix, entries as nodes; `lower[k]` / `upper[k]` are (index, node) of row k
    left / right of the diagonal, all in elimination positions; `inverse[k]` is 1/U[k, k]."""

    order: tuple[int, ...]
    lower: tuple[tuple[tuple[int, int], ...], ...]
    upper: tuple[tuple[tuple[int, int], ...], ...]
    inverse: tuple[int, ...]
    pivots: tuple[tuple[int, int], ...]  # U[k, k] and A[k, k] where they are not the same


def factor(t: TapeBuilder, n: int, matrix: Mapping[Entry, int], order: Sequence[int]) -> Factors:
    """LU of a matrix given by its entries (scalar nodes; every diagonal entry must be there)."""
    position = {p: k for k, p in enumerate(order)}
    rows: list[dict[int, int]] = [{} for _ in range(n)]
    columns: list[list[int]] = [[] for _ in range(n)]  # rows below the diagonal that have an entry in a column
    for (i, j), value in matrix.items():
        rows[position[i]][position[j]] = value
    for k, row in enumerate(rows):
        assert k in row, f"the diagonal entry of row {order[k]} is missing"
        for j in row:
            if j < k:
                columns[j].append(k)
    one = t.const(1.0)
    inverse, first = [], [row[k] for k, row in enumerate(rows)]
    for k in range(n):
        inverse.append(t.div(one, rows[k][k]))
        right = sorted((j, v) for j, v in rows[k].items() if j > k)
        for i in sorted(columns[k]):
            row = rows[i]
            multiplier = row[k] = t.mul(row[k], inverse[k])
            for j, value in right:
                product = t.mul(multiplier, value)
                if j in row:
                    row[j] = t.sub(row[j], product)
                else:
                    row[j] = t.neg(product)
                    if j < i:
                        columns[j].append(i)
    lower = tuple(tuple(sorted((j, v) for j, v in row.items() if j < k)) for k, row in enumerate(rows))
    upper = tuple(tuple(sorted((j, v) for j, v in row.items() if j > k)) for k, row in enumerate(rows))
    pivots = tuple((row[k], a) for k, (row, a) in enumerate(zip(rows, first, strict=True)) if row[k] != a)
    return Factors(tuple(order), lower, upper, tuple(inverse), pivots)


def growth(t: TapeBuilder, f: Factors) -> int | None:
    """A vector, positive somewhere if |U[k, k]| > MOST_GROWTH |A[k, k]| for some k: digits of row k were lost to a small pivot
    before it. That ratio does not change with the units of rows and columns, and is at most 1 for the matrices that need no
    pivoting (diagonally dominant ones). Pivots that are zero make NaN in the solution."""
    limit = t.const(MOST_GROWTH)
    grown = [t.sub(t.make("abs", u), t.mul(limit, t.make("abs", a))) for u, a in f.pivots]
    return t.concat(grown) if grown else None


def solve(t: TapeBuilder, f: Factors, right: Sequence[int]) -> list[int]:
    """The solution of A x = right; scalar nodes in the original order."""
    n = len(f.order)
    x = [right[p] for p in f.order]
    for k in range(n):
        for j, value in f.lower[k]:
            x[k] = t.sub(x[k], t.mul(value, x[j]))
    for k in reversed(range(n)):
        for j, value in reversed(f.upper[k]):  # what is known last is taken last: nothing waits for it
            x[k] = t.sub(x[k], t.mul(value, x[j]))
        x[k] = t.mul(x[k], f.inverse[k])
    return _original_order(f, x)


def solve_transposed(t: TapeBuilder, f: Factors, right: Sequence[int]) -> list[int]:
    """The solution of A' x = right, by the same factors."""
    n = len(f.order)
    x = [right[p] for p in f.order]
    for k in range(n):
        x[k] = t.mul(x[k], f.inverse[k])
        for j, value in f.upper[k]:
            x[j] = t.sub(x[j], t.mul(value, x[k]))
    for k in reversed(range(n)):
        for j, value in f.lower[k]:
            x[j] = t.sub(x[j], t.mul(value, x[k]))
    return _original_order(f, x)


def _original_order(f: Factors, x: Sequence[int]) -> list[int]:
    out = [0] * len(x)
    for k, p in enumerate(f.order):
        out[p] = x[k]
    return out
