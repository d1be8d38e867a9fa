"""What mathlib's functions are, to 60 digits (mpmath), where they are asked, and how errors are counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

DIGITS = 60
Array = np.ndarray[Any, Any]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


def _exprel(x: Any) -> Any:
    return mpmath.expm1(x) / x if x else mpf(1)


def _hill(x: Any, k: Any, n: Any) -> Any:
    return 1 / (1 + (k / x) ** n)


def _lgamma(x: Any) -> Any:
    return mpmath.loggamma(x) if x > 0 else mpmath.log(abs(mpmath.gamma(x)))


def slope(k: int) -> Callable[[Any], Any]:
    """The integral of s^k e^(sx) from 0 to 1 as Kummer's function."""
    return lambda x: mpmath.hyp1f1(k + 1, k + 2, x) / (k + 1)


REFERENCES: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "exprel": _exprel,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "log10": mpmath.log10,
    "sqrt": mpmath.sqrt,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "atan2": mpmath.atan2,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "asinh": mpmath.asinh,
    "acosh": mpmath.acosh,
    "atanh": mpmath.atanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "pow": mpmath.power,
    "hill": _hill,
    "erf": mpmath.erf,
    "gamma": mpmath.gamma,
    "lgamma": _lgamma,
    "digamma": mpmath.digamma,
}


def errors(got: Array, reference: Callable[..., Any], *points: Array) -> list[tuple[float, tuple[float, ...], float, Any]]:
    """(error in units of the last place of the exact value, point, what was got, what is right), worst first.

    Subnormal results have the unit of subnormals. Overflow: infinity counts as 2^(largest exponent).
    """
    info = np.finfo(got.dtype)
    found = []
    with mpmath.workdps(DIGITS):
        for value, *at in zip(got.tolist(), *[p.tolist() for p in points], strict=True):
            want = reference(*[mpf(x) for x in at])
            unit = mpmath.ldexp(1, max(int(mpmath.frexp(want)[1]), int(info.minexp) + 1) - info.nmant - 1)
            top = mpmath.ldexp(1, int(info.maxexp))  # what lies beyond the largest exponent is that exponent
            want, computed = (max(-top, min(top, y)) for y in (want, mpf(value)))
            error = math.inf if math.isnan(value) else float(abs(computed - want) / unit)
            found.append((error, tuple(at), value, want))
    return sorted(found, key=lambda row: -row[0])


def _spread(rng: Any, count: int, low: float, high: float) -> Array:
    """±2^uniform."""
    return rng.choice([-1.0, 1.0], count) * 2.0 ** rng.uniform(low, high, count)


def _near(rng: Any, count: int, centres: list[float]) -> Array:
    """Closer and closer to the centres."""
    return rng.choice(centres, count) * (1 + _spread(rng, count, -50, -2)) + _spread(rng, count, -60, -3) * 0.1


def _everywhere(rng: Any, count: int, dtype: str) -> Array:
    """Of every exponent, subnormals too."""
    low, high = (-1074, 1023) if dtype == "float64" else (-149, 127)
    return _spread(rng, count, low, high)


def _multiples(rng: Any, count: int, dtype: str) -> Array:
    """Next to multiples of π/2, of all sizes."""
    n = np.rint(2.0 ** rng.uniform(0, 60 if dtype == "float64" else 40, count))
    return n * (np.pi / 2) * rng.choice([-1.0, 1.0], count)


# Where a function has its hard neighbourhoods, and its ends (of float64 and float32).
CENTRES: dict[str, list[float]] = {
    "log": [1.0], "log2": [1.0, 2.0, 0.5], "log10": [1.0, 10.0], "log1p": [-1.0, 0.0, 0.41], "acosh": [1.0, 2.0],
    "asin": [0.5, 1.0, -1.0], "acos": [0.5, 1.0, -1.0], "atan": [1.0, -1.0], "atanh": [1.0, -1.0], "asinh": [1.0],
    "exp": [709.78, -745.1, 88.7, -103.9, -708.4, -87.3], "expm1": [0.35, -0.35, 709.78, 88.7, 1.04, -37.0],
    "exprel": [716.3, 93.2, 0.3, -0.3], "sinh": [710.4, 89.4, 0.35], "cosh": [710.4, 89.4], "tanh": [0.26, 0.54, 20.0, 9.0],
    "sigmoid": [-745.1, -103.9, -708.4, -2.0], "softplus": [-745.1, -103.9, 0.3, 36.0],
    "gamma": [1.0, 2.0, 171.62, 35.04, 5.0, -3.0, -170.5], "lgamma": [0.5, 5.0, 2.5, 1.5, 1.34], "digamma": [1.0, 2.0, 4.0, 3.0],
    "erf": [0.2, 5.9, 3.9, 1.0],
}  # fmt: skip
DOMAINS: dict[str, tuple[float, float]] = {
    "log": (0, np.inf), "log2": (0, np.inf), "log10": (0, np.inf), "log1p": (-1, np.inf), "acosh": (1, np.inf), "asin": (-1, 1),
    "acos": (-1, 1), "atanh": (-1, 1), "sqrt": (0, np.inf), "gamma": (-180, 180), "lgamma": (-180, np.inf),
    "digamma": (-180, np.inf),
}  # fmt: skip


def points(op: str, dtype: str, count: int, seed: int = 0) -> Array:
    """About `count` arguments of a function of one argument, inside its domain."""
    rng = np.random.default_rng(seed)
    n = count // 5
    parts = [_everywhere(rng, n, dtype), rng.normal(size=n) * 10, _spread(rng, n, -30, 7), rng.uniform(-1, 1, n)]
    parts.append(_multiples(rng, n, dtype) if op in ("sin", "cos", "tan") else _near(rng, n, CENTRES.get(op, [1.0])))
    x = np.concatenate(parts).astype(dtype)
    low, high = DOMAINS.get(op, (-np.inf, np.inf))
    x = np.where((low >= 0) & (x < 0), -x, x)
    x = 1 + np.abs(x) if low == 1 else x
    if op in ("gamma", "lgamma", "digamma"):
        x = x[(x > 0) | (x != np.floor(x))]  # poles
    return x[(x > low) & (x < high) & np.isfinite(x)]


def pairs(op: str, dtype: str, count: int, seed: int = 0) -> tuple[Array, ...]:
    """Arguments of a function of several."""
    rng = np.random.default_rng(seed)
    n = count // 4
    x = np.concatenate([np.abs(_everywhere(rng, n, dtype)), rng.uniform(0.01, 10, 2 * n), 1 + _spread(rng, n, -40, -3)])
    if op == "atan2":
        y = np.concatenate([_everywhere(rng, n, dtype), x[n:] * (1 + rng.normal(size=3 * n) * 0.5)])
        return y.astype(dtype), (x * rng.choice([-1.0, 1.0], 4 * n)).astype(dtype)
    # exponents up to where the result leaves the format, and beyond
    reach = (1100 if dtype == "float64" else 155) / np.maximum(np.abs(np.log2(x)), 1e-12)
    reach = np.minimum(reach, 1e15 if dtype == "float64" else 1e7)
    power = rng.uniform(-1, 1, 4 * n) * reach
    power[::3] = rng.normal(size=power[::3].size) * 5
    if op == "pow":
        return x.astype(dtype), power.astype(dtype)
    k = x * np.concatenate([rng.uniform(0.1, 10, 2 * n), 1 + _spread(rng, 2 * n, -40, -3)])
    n_hill = np.clip(power, -200, 200)
    keep = np.isfinite(k.astype(dtype)) & (k.astype(dtype) > 0) & (x.astype(dtype) > 0)
    return x[keep].astype(dtype), k[keep].astype(dtype), n_hill[keep].astype(dtype)
