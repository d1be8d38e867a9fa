"""Priors in NumPy: log-density of a natural value, its first and second derivative. A row for each of `noise.PRIORS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hybridode.fit.objective.noise import PRIORS
from hybridode.fit.objective.priors import BoundPrior
from hybridode.fit.slopes import Natural

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

Triple = tuple[Any, Any, Any]


def _supported(inside: Any, density: Triple) -> Triple:
    value, first, second = density
    return np.where(inside, value, -np.inf), np.where(inside, first, 0.0), np.where(inside, second, 0.0)


def _normal(x: Any, m: float, s: float) -> Triple:
    r = (x - m) / s
    return -0.5 * r**2 - math.log(s) - _HALF_LOG_2PI, -r / s, -(s**-2) + 0 * x


def _lognormal(x: Any, m: float, s: float) -> Triple:
    inner = np.where(x > 0, x, 1.0)
    r = (np.log(inner) - math.log(m)) / s
    slope = r / s + 1
    value = -0.5 * r**2 - math.log(s) - _HALF_LOG_2PI - np.log(inner)
    return _supported(x > 0, (value, -slope / inner, (slope - s**-2) / inner**2))


def _student(x: Any, df: float, m: float, s: float) -> Triple:
    r = (x - m) / s
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi) - math.log(s)
    value = constant - (df + 1) / 2 * np.log1p(r**2 / df)
    return value, -(df + 1) * r / (df + r**2) / s, -(df + 1) * (df - r**2) / (df + r**2) ** 2 / s**2


def _laplace(x: Any, m: float, b: float) -> Triple:
    return -np.abs(x - m) / b - math.log(2 * b), -np.sign(x - m) / b, 0 * x


def _uniform(x: Any, lower: float, upper: float) -> Triple:
    return _supported((x >= lower) & (x <= upper), (-math.log(upper - lower) + 0 * x, 0 * x, 0 * x))


def _beta(x: Any, a: float, b: float) -> Triple:
    inside = (x > 0) & (x < 1)
    q = np.where(inside, x, 0.5)
    constant = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    value = (a - 1) * np.log(q) + (b - 1) * np.log1p(-q) - constant
    return _supported(inside, (value, (a - 1) / q - (b - 1) / (1 - q), -(a - 1) / q**2 - (b - 1) / (1 - q) ** 2))


def _gamma(x: Any, shape: float, rate: float) -> Triple:
    q = np.where(x > 0, x, 1.0)
    value = shape * math.log(rate) - math.lgamma(shape) + (shape - 1) * np.log(q) - rate * x
    return _supported(x > 0, (value, (shape - 1) / q - rate, -(shape - 1) / q**2))


def _halfnormal(x: Any, s: float) -> Triple:
    value, first, second = _normal(x, 0.0, s)
    return _supported(x >= 0, (value + math.log(2.0), first, second))


def _exponential(x: Any, rate: float) -> Triple:
    return _supported(x >= 0, (math.log(rate) - rate * x, -rate + 0 * x, 0 * x))


DENSITIES: dict[str, Callable[..., Triple]] = {
    "normal": _normal, "lognormal": _lognormal, "student": _student, "laplace": _laplace, "uniform": _uniform, "beta": _beta,
    "gamma": _gamma, "halfnormal": _halfnormal, "exponential": _exponential,
}  # fmt: skip
assert DENSITIES.keys() == PRIORS.keys()


def prior_of(priors: Sequence[BoundPrior], at: Natural) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Negative log-density (B,) of all priors, its gradient (B, d) and the diagonal of its Hessian (B, d) by the unconstrained
    numbers; all else of the Hessian is 0."""
    value, gradient, curvature = np.zeros(len(at.x)), np.zeros_like(at.x), np.zeros_like(at.x)
    with np.errstate(all="ignore"):
        for prior in priors:
            for i in prior.entries:
                density, first, second = DENSITIES[prior.density.name](at.x[:, i], *prior.arguments)
                value -= density
                gradient[:, i] -= first * at.first[:, i]
                curvature[:, i] -= second * at.first[:, i] ** 2 + first * at.second[:, i]
    return value, gradient, curvature
