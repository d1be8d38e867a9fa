"""Lookup tables as piecewise polynomials: every interpolation in one form, so that a target needs one routine.

Knots x_0 < … < x_m-1 of an axis cut it into m + 1 cells, of which the first and the last hold the end values
(rules C6, C8). In a cell the value is a polynomial in x - base of the cell, so derivatives of any order follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hybridode.declarations import Table

_DEGREE = {"linear": 1, "previous": 0, "next": 0, "cubic": 3, "akima": 3}


@dataclass(frozen=True)
class Piecewise:
    """`coefficients`: flat, row-major over (cells of axis 0, [cells of axis 1,] power of axis 0[, power of axis 1]).

    `right`: a knot belongs to the cell on its right ("next" takes the one on its left).
    """

    knots: tuple[tuple[float, ...], ...]
    degree: int
    coefficients: tuple[float, ...]
    right: bool = True
    name: str = ""

    @cached_property
    def _hash(self) -> int:
        return hash((self.knots, self.degree, self.coefficients, self.right))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def arrays(self) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], np.ndarray]:
        """Knots per axis, bases per axis (one per cell), coefficients with their dimensions."""
        knots = tuple(np.array(k) for k in self.knots)
        bases = tuple(np.concatenate([k[:1], k]) for k in knots)
        shape = (*(len(b) for b in bases), *(self.degree + 1,) * len(knots))
        return knots, bases, np.array(self.coefficients).reshape(shape)

    def derivative_coefficients(self, orders: tuple[int, ...]) -> np.ndarray:
        """Coefficients of the derivative of these orders (powers keep their places, the high ones are 0)."""
        _, _, c = self.arrays
        axes = len(self.knots)
        for axis, order in enumerate(orders):
            powers = np.moveaxis(c, axes + axis, 0)
            shifted = np.zeros_like(powers)
            for j in range(order, self.degree + 1):
                shifted[j - order] = powers[j] * (math.factorial(j) / math.factorial(j - order))
            c = np.moveaxis(shifted, 0, axes + axis)
        return c

    def evaluate(self, orders: tuple[int, ...], *x: Any) -> Any:
        """The derivative of these orders at x (one array per axis, of one shape or scalar)."""
        knots, bases, _ = self.arrays
        side = "right" if self.right else "left"
        arrays = np.broadcast_arrays(*[np.asarray(a, float) for a in x])
        cells = [np.searchsorted(k, a, side) for k, a in zip(knots, arrays, strict=True)]
        # The first and last cells hold a number: an infinite distance from the base must not meet their zeros.
        ends = [(c == 0) | (c == len(k)) for c, k in zip(cells, knots, strict=True)]
        steps = [np.where(end, 0.0, a - b[c]) for end, a, b, c in zip(ends, arrays, bases, cells, strict=True)]
        value = self.derivative_coefficients(orders)[tuple(cells)]
        for step in reversed(steps):
            value = _horner(value, step)
        nan = np.isnan(arrays[0]) if len(arrays) == 1 else np.isnan(arrays[0]) | np.isnan(arrays[1])
        return np.where(nan, np.nan, value)[()]


def _horner(coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Polynomial whose powers stand on the last axis; x has as many leading axes as there are queries."""
    x = x.reshape(x.shape + (1,) * (coefficients.ndim - 1 - x.ndim))
    value = coefficients[..., -1]
    for j in range(coefficients.shape[-1] - 2, -1, -1):
        value = value * x + coefficients[..., j]
    return value


def piecewise(table: Table) -> Piecewise:
    """The table of a model in the form above."""
    degree, kind = _DEGREE[table.interpolation], table.interpolation
    axes = [np.array(a, float) for a in table.axes]
    values = np.array(table.values, float).reshape([len(a) for a in axes])
    slopes = _along(axes[0], values, kind, degree)
    if len(axes) == 2:
        # Values and slopes along axis 0 become polynomials in axis 1; the pieces then fit along axis 0 (Hermite form).
        both = (_cells(axes[1], v.T, _along(axes[1], v.T, kind, degree), kind, degree) for v in (values, slopes))
        values, slopes = (np.moveaxis(v, 1, 0) for v in both)
    c = _cells(axes[0], values, slopes, kind, degree)
    if len(axes) == 2:
        c = np.moveaxis(c, -1, -2)
    return Piecewise(tuple(tuple(a.tolist()) for a in axes), degree, tuple(c.ravel().tolist()), kind != "next", table.name)


def _along(x: np.ndarray, y: np.ndarray, kind: str, degree: int) -> np.ndarray:
    return _SLOPES[kind](x, y) if degree == 3 and len(x) > 1 else np.zeros_like(y)


def _cells(x: np.ndarray, y: np.ndarray, slopes: np.ndarray, kind: str, degree: int) -> np.ndarray:
    """Coefficients along the first axis of y: (m + 1 cells, rest of y, degree + 1)."""
    c = np.zeros((len(x) + 1, *y.shape[1:], degree + 1))
    c[0, ..., 0], c[-1, ..., 0] = y[0], y[-1]
    if len(x) == 1:
        return c
    h = np.diff(x).reshape(-1, *(1,) * (y.ndim - 1))
    slope = np.diff(y, axis=0) / h
    c[1:-1, ..., 0] = y[1:] if kind == "next" else y[:-1]
    if degree == 1:
        c[1:-1, ..., 1] = slope
    if degree == 3:
        c[1:-1, ..., 1] = slopes[:-1]
        c[1:-1, ..., 2] = (3 * slope - 2 * slopes[:-1] - slopes[1:]) / h
        c[1:-1, ..., 3] = (slopes[:-1] + slopes[1:] - 2 * slope) / h**2
    return c


def _natural_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes at the knots of the natural cubic spline (second derivative 0 at both ends)."""
    m, h = len(x), np.diff(x)
    slope = np.diff(y, axis=0) / h.reshape(-1, *(1,) * (y.ndim - 1))
    matrix, right = np.zeros((m, m)), np.zeros_like(y)
    matrix[0, :2], right[0] = (2.0, 1.0), 3 * slope[0]
    matrix[-1, -2:], right[-1] = (1.0, 2.0), 3 * slope[-1]
    for i in range(1, m - 1):
        matrix[i, i - 1 : i + 2] = h[i], 2 * (h[i - 1] + h[i]), h[i - 1]
        right[i] = 3 * (h[i] * slope[i - 1] + h[i - 1] * slope[i])
    return np.linalg.solve(matrix, right.reshape(m, -1)).reshape(y.shape)


def _akima_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes at the knots after Akima (J. ACM 17, 1970, 589): weighted by the change of the slopes on the other side."""
    slope = np.diff(y, axis=0) / np.diff(x).reshape(-1, *(1,) * (y.ndim - 1))
    if len(x) == 2:
        return np.concatenate([slope, slope])
    first, last = [2 * slope[0] - slope[1]], [2 * slope[-1] - slope[-2]]
    first.append(2 * first[0] - slope[0])
    last.append(2 * last[0] - slope[-1])
    m = np.concatenate([[first[1], first[0]], slope, last])
    change = np.abs(np.diff(m, axis=0))
    left, right = change[2:], change[:-2]
    total = left + right
    flat = total <= 1e-9 * np.max(total, axis=0, initial=0.0)
    weighted = (left * m[1:-2] + right * m[2:-1]) / np.where(flat, 1.0, total)
    return np.where(flat, 0.5 * (m[1:-2] + m[2:-1]), weighted)


_SLOPES = {"cubic": _natural_slopes, "akima": _akima_slopes}


def slope_orders(orders: Sequence[int], argument: int) -> tuple[int, ...]:
    """One derivative more with respect to one argument."""
    return tuple(n + (j == argument) for j, n in enumerate(orders))
