"""Linear systems of a fixed sparsity: how they are eliminated, decided once, and what the three operations on them mean.

    factor  entries -> factors          A = L D U in the order of elimination, no pivots but the diagonal's
    solve   entries, factors, right     the x of A x = right (or A' x = right)
    pivots  factors -> 1/D              in the states' order, for a caller who watches how the elimination goes

A `solve` depends on `entries` and `right` mathematically, which is how it is differentiated; the factors are a way to compute
it: elimination itself is never differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.tape.linear import Shares, plus
from hybridode.tape.shapes import Shape, ShapeError

if TYPE_CHECKING:
    from hybridode.tape.tape import TapeBuilder

Node = int
Places = np.ndarray
MOST_PRODUCTS = 1_000_000_000  # of one elimination, half a second
HOPELESS = 50_000_000_000  # by a bound: beyond, the structure is not even looked at
NARROW_BAND = 8  # of a matrix that needs no other order of elimination than the one that makes it narrow


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """n equations; `rows` and `columns` are the places of the entries, every diagonal one among them. `order[k]` is the state
    that is eliminated in position k. In positions, row k of L has the columns `lower[lower_start[k]:lower_start[k+1]]`, row k of
    U right of the diagonal `upper[…]`, ascending. `band` is how far they reach at most (left, right)."""

    n: int
    rows: Places
    columns: Places
    order: Places
    lower_start: Places
    lower: Places
    upper_start: Places
    upper: Places
    banded: bool = False  # the factors fill their band

    @property
    def entries(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """Numbers in the factors: L, 1/D, U."""
        return len(self.lower) + self.n + len(self.upper)

    @cached_property
    def position(self) -> Places:
        found = np.empty(self.n, int)
        found[self.order] = np.arange(self.n)
        return found

    @cached_property
    def band(self) -> tuple[int, int]:
        k = np.arange(self.n)
        left = np.repeat(k, np.diff(self.lower_start)) - self.lower
        right = self.upper - np.repeat(k, np.diff(self.upper_start))
        return int(left.max(initial=0)), int(right.max(initial=0))

    @cached_property
    def natural(self) -> bool:
        """Whether the states are eliminated in their own order."""
        return bool((self.order == np.arange(self.n)).all())

    @cached_property
    def products(self) -> int:
        """Multiplications and subtractions of one elimination."""
        return int(np.sum(np.diff(self.upper_start)[self.lower], initial=0))

    def __repr__(self) -> str:
        return f"<{self.n} equations, {self.entries} entries, {self.size} in the factors>"


def linear_system(n: int, rows: Sequence[int], columns: Sequence[int]) -> LinearSystem | None:
    """The system of a pattern (the diagonal is added where it lacks), with an order of elimination of little fill; None where an
    elimination would take more than MOST_PRODUCTS.

    Reverse Cuthill–McKee where that makes the matrix narrow (SciPy); else minimum degree, the structure of the factors as
    SuperLU finds it (X. S. Li, ACM TOMS 31 (2005) 302-325).
    """
    from scipy import sparse  # a tenth of a second: only where there is a large system

    diagonal = np.arange(n)
    made = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
    keys = np.unique(np.concatenate([made[0] * n + made[1], diagonal * n + diagonal]))
    at, to = np.divmod(keys, n)
    matrix = sparse.csr_array((np.ones(len(keys)), (at, to)), (n, n))
    order = _narrowest(matrix)
    place = np.empty(n, int)
    place[order] = diagonal
    reach = place[at] - place[to]
    left, right = int(max(reach.max(), 0)), int(max(-reach.min(), 0))
    if max(left, right) <= NARROW_BAND:
        return _banded(n, at, to, order, left, right)
    least = None if _bound(matrix) > HOPELESS else _minimum_degree(n, at, to)
    if least is None or left * right * n <= least.products:
        return _banded(n, at, to, order, left, right) if left * right * n <= MOST_PRODUCTS else None
    return least if least.products <= MOST_PRODUCTS else None


def _bound(matrix: Any) -> int:
    """About how many products an elimination takes at most: within the band, after the states that meet very many others."""
    n = matrix.shape[0]
    met = np.diff(matrix.indptr) + np.bincount(matrix.indices, minlength=n)
    rest = met <= max(16, 10 * np.sqrt(n))
    part = matrix[rest][:, rest]
    width = _width(part, _narrowest(part)) if part.shape[0] else 0
    return (width + int(np.sum(~rest))) ** 2 * n


def _narrowest(matrix: Any) -> Places:
    """The given order, or reverse Cuthill–McKee's where the band is narrower in it."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = matrix.shape[0]
    found = np.asarray(reverse_cuthill_mckee(matrix.tocsr(), symmetric_mode=False), int)
    return min((np.arange(n), found), key=lambda order: _width(matrix, order))


def _width(matrix: Any, order: Places) -> int:
    place = np.empty(len(order), int)
    place[order] = np.arange(len(order))
    at, to = matrix.nonzero()
    return int(np.abs(place[at] - place[to]).max(initial=0))


def _banded(n: int, rows: Places, columns: Places, order: Places, left: int, right: int) -> LinearSystem:
    """The factors fill the band."""
    k = np.arange(n)
    first, last = np.maximum(k - left, 0), np.minimum(k + right, n - 1)
    lower_start, upper_start = np.concatenate([[0], np.cumsum(k - first)]), np.concatenate([[0], np.cumsum(last - k)])
    lower = np.arange(lower_start[-1]) - np.repeat(lower_start[:-1], k - first) + np.repeat(first, k - first)
    upper = np.arange(upper_start[-1]) - np.repeat(upper_start[:-1], last - k) + np.repeat(k + 1, last - k)
    return LinearSystem(n, rows, columns, order, lower_start, lower, upper_start, upper, banded=True)


def _minimum_degree(n: int, rows: Places, columns: Places) -> LinearSystem | None:
    """By SuperLU with numbers that ask for no other pivots than the diagonal's; None where it takes others all the same."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    values = np.random.default_rng(0).uniform(0.1, 1.0, len(rows))
    values[rows == columns] += 2.0 * max(1, int(np.bincount(rows).max()))
    matrix = sparse.csc_matrix((values, (rows, columns)), (n, n))
    lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    if not np.array_equal(lu.perm_r, lu.perm_c):
        return None
    order = np.empty(n, int)
    order[lu.perm_c] = np.arange(n)  # SuperLU: row i goes to position perm[i]
    below, above = sparse.csr_matrix(sparse.tril(lu.L, -1)), sparse.csr_matrix(sparse.triu(lu.U, 1))
    below.sort_indices()
    above.sort_indices()
    starts = below.indptr.astype(int), above.indptr.astype(int)
    return LinearSystem(n, rows, columns, order, starts[0], below.indices.astype(int), starts[1], above.indices.astype(int))


# ---- shapes ---------------------------------------------------------------------------------------------------------
def factor_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _require(shapes[0] == (attrs.entries,), f"{attrs.entries} entries, not {shapes[0]}")
    return (attrs.size,)


def solve_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    system, _ = attrs
    _require(list(shapes) == [(system.entries,), (system.size,), (system.n,)], f"{system} does not take {list(shapes)}")
    return (system.n,)


def pivots_shape(shapes: Sequence[Shape], attrs: Any, shape: Shape | None) -> Shape:
    _require(shapes[0] == (attrs.size,), f"{attrs.size} numbers in the factors, not {shapes[0]}")
    return (attrs.n,)


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise ShapeError(sentence)


# ---- in NumPy -------------------------------------------------------------------------------------------------------
def factor(system: LinearSystem, shape: Shape) -> Callable[..., Any]:
    """L without its diagonal row by row, 1/D, then U of unit diagonal row by row."""
    n, place = system.n, system.position
    rows, columns = place[system.rows], place[system.columns]
    of_row = [np.flatnonzero(rows == i) for i in range(n)] if n < 500 else _grouped(rows, n)

    def function(entries: Any) -> Any:
        lower, inverse, upper = np.empty(len(system.lower)), np.empty(n), np.empty(len(system.upper))
        work = np.zeros(n)
        for i in range(n):
            work[columns[of_row[i]]] = entries[of_row[i]]
            left, right = slice(*system.lower_start[i : i + 2]), slice(*system.upper_start[i : i + 2])
            for k in system.lower[left]:
                of_pivot = slice(*system.upper_start[k : k + 2])
                work[system.upper[of_pivot]] -= work[k] * upper[of_pivot]
                work[k] *= inverse[k]
            lower[left], inverse[i] = work[system.lower[left]], 1.0 / work[i]
            upper[right] = work[system.upper[right]] * inverse[i]
            work[system.lower[left]] = work[i] = work[system.upper[right]] = 0.0
        return np.concatenate([lower, inverse, upper])

    return function


def _grouped(rows: Places, n: int) -> list[Places]:
    order = np.argsort(rows, kind="stable")
    return np.split(order, np.searchsorted(rows[order], np.arange(1, n)))


def solve(attrs: Any, shape: Shape) -> Callable[..., Any]:
    """By SciPy from the entries: the factors are not asked, so this checks them."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    system, transposed = attrs

    def function(entries: Any, factors: Any, right: Any) -> Any:
        at = (system.columns, system.rows) if transposed else (system.rows, system.columns)
        return spsolve(sparse.csc_matrix((entries, at), (system.n, system.n)), right)

    return function


def pivots(system: LinearSystem, shape: Shape) -> Callable[..., Any]:
    first = len(system.lower)
    return lambda factors: factors[first : first + system.n][system.position]


# ---- derivatives ----------------------------------------------------------------------------------------------------
def held_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    """Factors are held: a solve moves with its entries, by its own rule."""
    return None


def held_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    return (None,)


def solve_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    """A x' = right' - A' x."""
    _, (entries, factors, _), attrs, _ = b.instructions[node]
    moved, _, right = tangents
    system, transposed = attrs
    if moved is not None:
        at, to = (system.columns, system.rows) if transposed else (system.rows, system.columns)
        product = b.scatter_add(b.mul(moved, b.gather(node, to.tolist())), at.tolist(), (system.n,))
        right = plus(b, right, b.neg(product))
    return None if right is None else b.make("solve", entries, factors, right, attrs=attrs)


def solve_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    """The right side gets r of A' r = cotangent (transposed), the entry (i, j) gets -r_i x_j."""
    _, (entries, factors, _), (system, transposed), _ = b.instructions[node]
    share = b.make("solve", entries, factors, cotangent, attrs=(system, not transposed))
    left, right = (node, share) if transposed else (share, node)
    product = b.mul(b.gather(left, system.rows.tolist()), b.gather(right, system.columns.tolist()))
    return b.neg(product), None, share
