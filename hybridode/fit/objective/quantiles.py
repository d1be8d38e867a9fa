"""Quantiles of the normal distribution and Latin hypercubes in NumPy: SciPy's statistics take half a second to import."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from hybridode.types import FloatArray


def normal_quantile(probability: Any) -> FloatArray:
    """Quantiles of the standard normal distribution (M. J. Wichura, AS 241, Applied Statistics 37 (1988) 477)."""
    standard = NormalDist()

    def one(p: float) -> float:
        return standard.inv_cdf(p) if 0 < p < 1 else -math.inf if p == 0 else math.inf if p == 1 else math.nan

    p = np.asarray(probability, float)
    return np.array([one(float(x)) for x in p.ravel()]).reshape(p.shape)


def latin_hypercube(count: int, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Points (count, dimensions) in the unit cube, one in each of `count` slices of every axis (McKay, Beckman & Conover,
    Technometrics 21 (1979) 239); the numbers are those of `scipy.stats.qmc.LatinHypercube`."""
    (rng,) = rng.spawn(1)
    within = rng.uniform(size=(count, dimensions))
    slices = np.tile(np.arange(1, count + 1), (dimensions, 1))
    for row in slices:
        rng.shuffle(row)
    return (slices.T - within) / count


@dataclass(frozen=True)
class Normal:
    """A normal distribution as far as intervals need it."""

    mean: Any
    sd: Any

    def ppf(self, probability: Any) -> Any:
        return self.mean + self.sd * normal_quantile(probability)


@dataclass(frozen=True)
class Lognormal:
    """A lognormal distribution as far as intervals need it; `sd` of the logarithm."""

    median: Any
    sd: Any

    def ppf(self, probability: Any) -> Any:
        return self.median * np.exp(self.sd * normal_quantile(probability))
