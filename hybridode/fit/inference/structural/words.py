"""Symmetries in words: what null vectors at two random points say about which combinations stay known.

A scaling symmetry moves the logarithms of the parameters along a direction that is the same everywhere, a translation the
parameters themselves: then its numbers are small fractions at both points. What is orthogonal to all directions is known:
monomials `b*y(0)` of scalings, sums `a + b` of translations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hybridode.fit.inference.relations import monomial
from hybridode.fit.inference.structural.series import P, fraction, inverse, reduced

_MOST_TEXTS = 6


@dataclass(frozen=True)
class Symmetry:
    """Parameters that can be moved together without a trace in what is observed. `kind`: "scaling", "translation" or "" for
    another; `known`: combinations that stay what they are; `dimension`: how many can be chosen freely."""

    names: tuple[str, ...]
    kind: str
    known: tuple[str, ...]
    dimension: int

    @property
    def sentence(self) -> str:
        """In words."""
        listed = ", ".join(f"`{n}`" for n in self.names)
        if len(self.names) == 1:
            return f"{listed} has no influence on what is observed, whatever the data"
        if not self.known:
            return f"{listed} cannot be told apart, whatever the data: {self.dimension} of them can be chosen freely"
        known = " and ".join(f"`{k}`" for k in self.known)
        return f"{listed} cannot be known, whatever the data; {known} can"


def symmetries(names: Sequence[str], points: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Symmetry]:
    """points: null space (r, m) in reduced form and the parameters (m,) at each of two random points, modulo P."""
    (basis, _), *_ = points
    return [_symmetry(names, points, rows) for rows in _connected(basis)]


def _connected(basis: np.ndarray) -> list[list[int]]:
    """Rows whose supports touch, together."""
    groups: list[tuple[set[int], list[int]]] = []
    for r, row in enumerate(basis):
        columns, rows = set(np.flatnonzero(row).tolist()), [r]
        for group in [g for g in groups if g[0] & columns]:
            columns, rows = columns | group[0], rows + group[1]
            groups.remove(group)
        groups.append((columns, rows))
    return sorted(sorted(rows) for _, rows in groups)


def _symmetry(names: Sequence[str], points: Sequence[tuple[np.ndarray, np.ndarray]], rows: list[int]) -> Symmetry:
    support = [int(j) for j in np.flatnonzero(np.any(points[0][0][rows] != 0, axis=0))]
    mine = tuple(names[j] for j in support)
    for kind in ("scaling", "translation"):
        found = [_simple(_scaled(basis[rows][:, support], values[support], kind)) for basis, values in points]
        if found[0] is not None and all(f == found[0] for f in found):
            return Symmetry(mine, kind, _known(mine, found[0], kind), len(rows))
    return Symmetry(mine, "", (), len(rows))


def _scaled(rows: np.ndarray, values: np.ndarray, kind: str) -> np.ndarray:
    if kind == "translation":
        return rows
    if np.any(values % P == 0):
        return rows[:0]
    return reduced(rows * np.array([inverse(int(v)) for v in values]) % P)[0]


def _simple(rows: np.ndarray) -> list[list[Fraction]] | None:
    found = [[fraction(int(v)) for v in row] for row in rows]
    whole = [[f for f in row if f is not None] for row in found]
    return whole if whole and all(len(a) == len(b) for a, b in zip(whole, found, strict=True)) else None


def _known(names: Sequence[str], directions: list[list[Fraction]], kind: str) -> tuple[str, ...]:
    """The combinations orthogonal to all directions, as short as elimination makes them."""
    texts = []
    for row in _orthogonal(directions):
        least = min(abs(f) for f in row if f)
        row = [f / least for f in row]
        if sum(f < 0 for f in row) > sum(f > 0 for f in row):
            row = [-f for f in row]
        texts.append(monomial(names, row) if kind == "scaling" else _sum(names, row))
    return tuple(texts[:_MOST_TEXTS])


def _orthogonal(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    """A basis of what is orthogonal to rows in reduced row echelon form, in exact fractions."""
    n = len(rows[0])
    pivots = [next(j for j, f in enumerate(row) if f) for row in rows]
    basis = []
    for free in (j for j in range(n) if j not in pivots):
        vector = [Fraction(0)] * n
        vector[free] = Fraction(1)
        for row, pivot in zip(rows, pivots, strict=True):
            vector[pivot] = -row[free]
        basis.append(vector)
    return basis


def _sum(names: Sequence[str], row: Sequence[Fraction]) -> str:
    parts = []
    for name, f in sorted(zip(names, row, strict=True), key=lambda pair: pair[1] < 0):
        if f:
            size = "" if abs(f) == 1 else f"{abs(f)}*"
            parts.append((" - " if f < 0 else " + " if parts else "") + size + name)
    return "".join(parts)
