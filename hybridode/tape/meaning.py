"""What the operations mean, in NumPy: the functions that NumPy does not have, and the structural operations.

Each takes and gives float64 arrays or NumPy scalars; nothing warns (the interpreter silences IEEE flags).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]
Shape = tuple[int, ...]


def plain(function: Function) -> Callable[[Any, Shape], Function]:
    """An operation without attributes."""
    return lambda attrs, shape: function


def special(name: str) -> Function:
    """A function of scipy.special, which is imported when one is first called: that takes a fifth of a second."""

    def function(*operands: Any) -> Any:
        from scipy import special

        return getattr(special, name)(*operands)

    return function


exprel = special("exprel")


def softplus(x: Any) -> Any:
    """log(1 + e^x) without overflow."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def relu(x: Any) -> Any:
    return np.maximum(x, 0.0)


def heaviside(x: Any) -> Any:
    """0 below 0, 1 from 0 on."""
    return np.heaviside(x, 1.0)


def hill(x: Any, k: Any, n: Any) -> Any:
    """x^n/(k^n + x^n), 0 for x <= 0, in the form that does not overflow."""
    positive = np.asarray(x) > 0
    return np.where(positive, 1.0 / (1.0 + np.power(k / np.where(positive, x, 1.0), n)), np.where(np.isnan(x), x, 0.0))[()]


def power_series_terms(k: int) -> int:
    """Terms of sum_j x^j/(j! (j + k + 1)) that reach 1e-18 at |x| = `series_radius(k)`."""
    radius, term, j = series_radius(k), 1.0, 0
    while term > 1e-18:
        j += 1
        term *= radius / j
    return j + 1


def series_radius(k: int) -> float:
    """Where the recurrence E_k = (e^x - k E_(k-1))/x loses less than about two digits."""
    return max(1.0, 0.75 * k)


def exprel_slope(k: int) -> Function:
    """The k-th derivative of exprel: E_k(x), the integral of s^k e^(s x) for s from 0 to 1.

    Near 0 by the series, above by the recurrence from integration by parts (scaled by e^-x for x > 0, so that nothing
    overflows before the result does).
    """
    coefficients = [1.0 / (math.factorial(j) * (j + k + 1)) for j in range(power_series_terms(k))]
    radius = series_radius(k)

    def function(x: Any) -> Any:
        x = np.asarray(x, float)
        small = np.abs(x) <= radius
        near, far = np.where(small, x, 0.0), np.where(small, radius, x)
        series = np.polynomial.polynomial.polyval(near, coefficients)
        up, down = -np.expm1(-np.abs(far)) / np.abs(far), exprel(-np.abs(far))
        for j in range(1, k + 1):
            up = (1.0 - j * up) / np.abs(far)  # e^-x E_j(x), x > 0
            down = (np.exp(-np.abs(far)) - j * down) / -np.abs(far)  # E_j(x), x < 0
        above = np.where(far == np.inf, np.inf, np.exp(far) * up)
        return np.where(small, series, np.where(far > 0, above, down))[()]

    return function


def polygamma(k: int) -> Function:
    function = special("polygamma")
    return lambda x: function(k, x)


# ---- structural operations: (attributes, shape of the result) -> function --------------------------------------------
def constant(attrs: Any, shape: Shape) -> Function:
    value = np.array(attrs).reshape(shape)[()]
    return lambda: value


def gather(attrs: Any, shape: Shape) -> Function:
    if shape == ():
        at = attrs[0]
        return lambda x: x.ravel()[at] if x.ndim != 1 else x[at]
    where = slice(attrs.start, attrs.stop, attrs.step) if isinstance(attrs, range) and attrs.step > 0 else np.array(attrs, int)
    if len(shape) == 1:
        return lambda x: x[where] if x.ndim == 1 else np.ravel(x)[where]
    return lambda x: np.ravel(x)[where].reshape(shape)


def scatter_add(attrs: Any, shape: Shape) -> Function:
    at, total = np.array(attrs, int), math.prod(shape)
    return lambda x: np.bincount(at, np.ravel(x), total).reshape(shape)


def concat(attrs: Any, shape: Shape) -> Function:
    def joined(*parts: Any) -> Any:
        if all(isinstance(p, float) or np.ndim(p) == 0 for p in parts):  # three times as fast
            return np.array(parts).reshape(shape)
        return np.concatenate([np.ravel(p) for p in parts]).reshape(shape)

    return joined


def broadcast(attrs: Any, shape: Shape) -> Function:
    if attrs == 1:
        return lambda x: np.broadcast_to(x[:, None], shape)
    return lambda x: np.broadcast_to(x, shape)


def total(attrs: Any, shape: Shape) -> Function:
    return lambda x: np.sum(x, axis=attrs)


def matmul(attrs: Any, shape: Shape) -> Function:
    left, right = attrs
    return lambda a, b: (a.T if left else a) @ (b.T if right else b)


def table(attrs: Any, shape: Shape) -> Function:
    piecewise, orders = attrs
    return lambda *x: piecewise.evaluate(orders, *x)
