"""Noise models in NumPy: log-density, its slopes by the arguments, and their Fisher information, which is diagonal.

The rows mean what those of `noise` mean; a distribution without a row here is left to JAX.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridode.fit.objective import noise
from hybridode.fit.objective.constraints import AT_LEAST, EQUALS

_HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Score:
    """Functions of the value x and the arguments, which broadcast. `of` gives the log-density, its slopes by each argument and
    the diagonal of the information; `valid` says whether arguments are possible; `neutral`: arguments at which all is finite."""

    of: Callable[..., tuple[Any, Values, Values]]
    valid: Callable[..., Any]
    neutral: tuple[float, ...]


def _normal(x: Any, m: Any, s: Any) -> tuple[Any, Values, Values]:
    r, inverse = (x - m) / s, 1 / s
    weight = inverse**2
    return -0.5 * r**2 - np.log(s) - _HALF_LOG_2PI, (r * inverse, (r**2 - 1) * inverse), (weight, 2 * weight)


def _lognormal(x: Any, m: Any, s: Any) -> tuple[Any, Values, Values]:
    density, (by_log, by_sd), (weight, of_sd) = _normal(np.log(x), np.log(m), s)
    return density - np.log(x), (by_log / m, by_sd), (weight / m**2, of_sd)


def _laplace(x: Any, m: Any, b: Any) -> tuple[Any, Values, Values]:
    away, weight = np.abs(x - m) / b, b**-2
    return -away - np.log(2 * b), (np.sign(x - m) / b, (away - 1) / b), (weight + 0 * m, weight)


def _poisson(x: Any, m: Any) -> tuple[Any, Values, Values]:
    """A mean of 0 is possible where nothing was counted."""
    from scipy.special import gammaln, xlogy

    some = m > 0
    inner = np.where(some, m, 1.0)
    density = xlogy(x, np.where(some | (x == 0), inner, 0.0)) - m - gammaln(x + 1)
    return density, (np.where(some, x / inner, 0.0) - 1,), (np.where(some, 1 / inner, 0.0),)


def _bernoulli(x: Any, p: Any) -> tuple[Any, Values, Values]:
    one, some, rest = x > 0.5, p > 0, p < 1
    above, below = np.where(some, p, 1.0), np.where(rest, 1 - p, 1.0)
    hit, miss = np.where(some, np.log(above), -np.inf), np.where(rest, np.log1p(-np.where(rest, p, 0.0)), -np.inf)
    slope = np.where(one, np.where(some, 1 / above, 0.0), np.where(rest, -1 / below, 0.0))
    product = p * (1 - p)
    return np.where(one, hit, miss), (slope,), (np.where(product > 0, 1 / np.where(product > 0, product, 1.0), 0.0),)


def _logit(x: Any, a: Any) -> tuple[Any, Values, Values]:
    up, down = np.exp(-np.logaddexp(0.0, -a)), np.exp(-np.logaddexp(0.0, a))
    one = x > 0.5
    return -np.where(one, np.logaddexp(0.0, -a), np.logaddexp(0.0, a)), (np.where(one, down, -up),), (up * down,)


def _equals(x: Any, d: Any) -> tuple[Any, Values, Values]:
    return -0.5 * d**2, (-d,), (np.ones_like(d),)


def _at_least(x: Any, d: Any) -> tuple[Any, Values, Values]:
    below = np.minimum(d, 0.0)
    return -0.5 * below**2, (-below,), (np.where(d < 0, 1.0, 0.0),)


def _finite(*values: Any) -> Any:
    ok = np.isfinite(values[0])
    for v in values[1:]:
        ok = ok & np.isfinite(v)
    return ok


_TINY = np.finfo(float).tiny

SCORES: dict[int, Score] = {
    id(row): Score(of, valid, row.neutral)
    for row, of, valid in (
        (noise.NORMAL, _normal, lambda m, s: _finite(m, s) & (s > 0)),
        (noise.LOGNORMAL, _lognormal, lambda m, s: _finite(m, s) & (m >= _TINY) & (s > 0)),
        (noise.LAPLACE, _laplace, lambda m, b: _finite(m, b) & (b > 0)),
        (noise.POISSON, _poisson, lambda m: _finite(m) & (m >= 0)),
        (noise.BERNOULLI, _bernoulli, lambda p: _finite(p) & (p >= 0) & (p <= 1)),
        (noise.BERNOULLI_LOGIT, _logit, lambda a: _finite(a)),
        (EQUALS, _equals, lambda d: _finite(d)),
        (AT_LEAST, _at_least, lambda d: _finite(d)),
    )
}


def score_of(row: noise.Noise) -> Score | None:
    """The score of a noise model; None where there is none."""
    return SCORES.get(id(row))


def information_of(row: noise.Noise, x: Any, arguments: Sequence[Any]) -> np.ndarray:
    """The Fisher information (R, a, a) of the arguments, each (R,); values x (R,) say but how many there are."""
    score = score_of(row)
    if score is None:
        return np.asarray(row.information(*arguments))
    entries = np.stack(np.broadcast_arrays(*score.of(x, *arguments)[2]), axis=-1)
    return entries[..., None] * np.eye(len(arguments))
