"""How well records that a fit has not seen are predicted, by free runs from the start of each series.

log_score: mean log-density of a record (of a limit its log-probability); crps: mean continuous ranked probability score in the
record's units (T. Gneiting, A. E. Raftery, J. Am. Stat. Assoc. 102 (2007) 359), from quantiles; coverage95: share of records in
the 95 % interval of new observations. The parameters are taken as known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from hybridode.fit.criticism.records import Rows
from hybridode.fit.objective.limits import kinds_of, log_likelihood
from hybridode.fit.objective.noise import Noise

_QUANTILES = (np.arange(60) + 0.5) / 60
_log_likelihood = partial(jax.jit, static_argnums=(0, 5))(log_likelihood)


@dataclass(frozen=True, eq=False)
class Scored:
    """Records one by one: log-density (-inf where there is no prediction), error, crps, inside (NaN where they do not exist)."""

    column: np.ndarray
    density: np.ndarray
    error: np.ndarray
    crps: np.ndarray
    inside: np.ndarray

    @property
    def count(self) -> int:
        return len(self.density)

    def of_column(self, k: int) -> Scored:
        return self.where(self.column == k)

    def where(self, mask: np.ndarray) -> Scored:
        return Scored(*(getattr(self, n)[mask] for n in ("column", "density", "error", "crps", "inside")))

    def losses(self, sizes: Mapping[int, float]) -> np.ndarray:
        """Of each record its crps in the size of its column, of classes minus the log-density; infinite without a prediction.
        (Log scores punish a scale of the noise that is estimated a little too low more than a wrong curve.)"""
        size = np.array([sizes.get(int(k), 1.0) for k in self.column])
        loss = np.where(np.isnan(self.crps), -self.density, self.crps / size)
        return np.where(np.isfinite(loss), loss, np.inf)

    def entry(self) -> dict[str, Any]:
        """n, log_score, rmse, crps, coverage95; NaN where they do not exist."""
        return {"n": self.count, "log_score": float(np.mean(self.density)) if self.count else np.nan,
                "rmse": float(np.sqrt(_mean(self.error**2))), "crps": _mean(self.crps),
                "coverage95": _mean(self.inside)}  # fmt: skip


def _mean(x: np.ndarray) -> float:
    """Over what exists; NaN where nothing does."""
    there = x[~np.isnan(x)]
    return float(there.mean()) if len(there) else float("nan")


def log_densities(
    noise: Noise, value: np.ndarray, upper: np.ndarray, censored: np.ndarray, arguments: Sequence[np.ndarray]
) -> np.ndarray:
    """Of records (R,) with these arguments of their noise, each (R,)."""
    kinds = kinds_of(censored, np.ones(len(value)))
    with jax.enable_x64(True):
        return np.asarray(_log_likelihood(noise, value, upper, censored, tuple(arguments), kinds), float)


def scored(rows: Sequence[Rows]) -> Scored:
    """All of these records."""
    parts = [_scored(r) for r in rows if len(r.time)]
    if not parts:
        return Scored(*(np.zeros(0) for _ in range(5)))
    return joined(parts)


def joined(parts: Sequence[Scored]) -> Scored:
    """Several as one."""
    return Scored(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("column", "density", "error", "crps", "inside")))


def _scored(r: Rows) -> Scored:
    with np.errstate(all="ignore"):
        density = log_densities(r.noise, r.value, r.upper, r.censored, r.arguments)
        valid = np.asarray(r.noise.valid(*r.arguments), bool)
    density = np.where(np.isnan(density) | ~np.isfinite(r.location), -np.inf, density)
    number = (r.censored == 0) & (not r.noise.classes)
    error, crps, inside = (np.full(len(r.time), np.nan) for _ in range(3))
    error[number] = r.value[number] - r.location[number]
    whole = np.flatnonzero(number & valid & np.isfinite(r.location))
    if len(whole):
        distribution = r.noise.frozen(*(a[whole] for a in r.arguments))
        quantiles = np.stack([np.asarray(distribution.ppf(q), float) for q in _QUANTILES])
        off = r.value[whole] - quantiles
        crps[whole] = 2 * np.mean(np.where(off >= 0, _QUANTILES[:, None] * off, (_QUANTILES[:, None] - 1) * off), axis=0)
        low, high = np.asarray(distribution.ppf(0.025), float), np.asarray(distribution.ppf(0.975), float)
        inside[whole] = (r.value[whole] >= low) & (r.value[whole] <= high)
    return Scored(np.full(len(r.time), r.column), density, error, crps, inside)
