"""Statistics of residuals, each of many draws at once: draws (N, R) -> (N,). All but `spread` do not change with their scale.

Runs: A. Wald, J. Wolfowitz, Ann. Math. Stat. 11 (1940) 147. Autocorrelation: G. M. Ljung, G. E. P. Box, Biometrika 65 (1978) 297,
of residuals in their order, whatever the times between them. Normality: T. W. Anderson, D. A. Darling, J. Am. Stat. Assoc. 49
(1954) 765, mean and variance estimated. Heteroscedasticity: rank correlation of sizes with what they may depend on (S. Glejser's
regression in ranks).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr

LAGS = 5  # of the autocorrelation, at most a quarter of the records


def runs(z: np.ndarray) -> np.ndarray:
    """How many runs of one sign there are, against what chance gives to as many of each sign (standardised)."""
    above = z > 0
    n = z.shape[1]
    n1 = above.sum(axis=1)
    n2 = n - n1
    count = 1 + (above[:, 1:] != above[:, :-1]).sum(axis=1)
    product = 2.0 * n1 * n2
    variance = product * (product - n) / (n**2 * max(n - 1, 1))
    return np.where(variance > 0, (count - product / n - 1) / np.sqrt(np.where(variance > 0, variance, 1.0)), -np.sqrt(n))


def ljung_box(z: np.ndarray) -> np.ndarray:
    """n (n + 2) sum of r_k^2 / (n - k) over the first lags."""
    n = z.shape[1]
    centred = z - z.mean(axis=1, keepdims=True)
    total = np.maximum((centred**2).sum(axis=1), 1e-300)
    lags = range(1, max(min(LAGS, n // 4), 1) + 1)
    return n * (n + 2) * sum(((centred[:, k:] * centred[:, :-k]).sum(axis=1) / total) ** 2 / (n - k) for k in lags)


def anderson(z: np.ndarray) -> np.ndarray:
    """A^2 of a normal distribution with their mean and variance."""
    n = z.shape[1]
    centred = z - z.mean(axis=1, keepdims=True)
    w = np.sort(centred / np.maximum(z.std(axis=1, ddof=1, keepdims=True), 1e-300), axis=1)
    i = np.arange(1, n + 1)
    return -n - ((2 * i - 1) / n * (log_ndtr(w) + log_ndtr(-w[:, ::-1]))).sum(axis=1)


def spread(z: np.ndarray) -> np.ndarray:
    """Their mean square."""
    return (z**2).mean(axis=1)


def ranked(z: np.ndarray) -> np.ndarray:
    """Ranks from 1 on in each row, equal numbers having their mean; NaN in rows with a NaN. (`scipy.stats` takes half a second to
    import.)"""
    order, place = np.argsort(z, axis=1, kind="stable"), np.arange(z.shape[1])
    ascending = np.take_along_axis(z, order, axis=1)
    border = np.ones((len(z), 1), bool)
    apart = ascending[:, 1:] != ascending[:, :-1]
    first = np.maximum.accumulate(np.where(np.hstack([border, apart]), place, 0), axis=1)
    last = np.where(np.hstack([apart, border]), place, z.shape[1] - 1)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(z.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, axis=1)
    return np.where(np.isnan(z).any(axis=1, keepdims=True), np.nan, found)


def grows_with(x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The rank correlation of their sizes with x (R,)."""
    ranks = ranked(x[None])[0] - (len(x) + 1) / 2
    norm = float(np.sqrt((ranks**2).sum())) or 1.0

    def statistic(z: np.ndarray) -> np.ndarray:
        order = ranked(np.abs(z)) - (z.shape[1] + 1) / 2
        return (order @ ranks) / (norm * np.maximum(np.sqrt((order**2).sum(axis=1)), 1e-300))

    return statistic


def follow(z: np.ndarray) -> float:
    """The correlation of each of z (R,) with the one before it."""
    centred = z - z.mean()
    return float((centred[1:] * centred[:-1]).sum() / max((centred**2).sum(), 1e-300))


def longest_stretch(z: np.ndarray) -> tuple[int, int, float]:
    """Of z (R,) the stretch (first, last) whose sum is largest for its length, |sum| / sqrt(length), and its mean."""
    sums = np.concatenate([[0.0], np.cumsum(z)])
    first, last = np.triu_indices(len(sums), 1)
    size = np.abs(sums[last] - sums[first]) / np.sqrt(last - first)
    best = int(np.argmax(size))
    a, b = int(first[best]), int(last[best])
    return a, b - 1, float((sums[b] - sums[a]) / (b - a))
