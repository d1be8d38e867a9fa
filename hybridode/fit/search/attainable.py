"""What a smooth curve attains on the data: the yardstick of a fit that knows nothing of the model.

The scatter of records about a smooth curve is read off their neighbours: each record is predicted by the polynomial through the
2m nearest others (m = 1, 2, 3), and what remains is divided by what the noise of the neighbours adds (T. Gasser, L. Sroka,
C. Jennen-Steinmetz, Biometrika 73 (1986) 625, for m = 1). Curvature makes the smallest of the three too large, never too small in
expectation, so that a fit is not blamed for what no curve could do. Where states jump, at doses and `at` statements, no
polynomial goes across.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective

_NEIGHBOURS = (1, 2, 3)
_FEWEST = 9  # times from which on a scatter is estimated
_PREDICTED = 6  # records that neighbours predict from which on it is
_GRANTED = 2.5  # twice the standard error of a scatter, relative, times the root of the number of records (simulated)
# The scale on which the noise of a distribution is about the same everywhere; where there is none nothing is compared.
SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "normal": np.asarray,
    "student": np.asarray,
    "laplace": np.asarray,
    "lognormal": lambda y: np.log(np.maximum(y, 1e-300)),
    "poisson": lambda y: 2 * np.sqrt(np.maximum(y, 0) + 0.375),  # F. J. Anscombe, Biometrika 35 (1948) 246
    "negbinomial": lambda y: np.log1p(np.maximum(y, 0)),
}


@dataclass(frozen=True)
class Attained:
    """Of one observation: root mean square of residuals of the `model` and about a smooth `curve`, and of the records about their
    mean (`spread`), on the scale of its noise, over `count` records (of all series with enough of them). `follow`: the
    correlation of each residual with the one before it, over `pairs` of them."""

    column: str
    model: float
    curve: float
    spread: float
    count: int
    follow: float = 0.0
    pairs: int = 0

    @property
    def structure(self) -> float:
        """What residuals that follow each other would gain in log-likelihood over independent ones (as a first-order
        autoregression): a fit that has arrived leaves nothing to gain, however far apart the records are."""
        if self.follow <= 0:
            return 0.0
        return -0.5 * self.pairs * float(np.log1p(-(min(self.follow, 1 - 1e-9) ** 2)))

    @property
    def ratio(self) -> float:
        """How much worse the model is than the curve, of which few records say little: two of its standard errors are granted."""
        curve = self.curve * (1 + _GRANTED / np.sqrt(self.count))
        return self.model / curve if curve > 0 else np.inf if self.model > 0 else 1.0

    @property
    def loss(self) -> float:
        """What the model loses in log-likelihood against the curve, were the noise normal with an estimated scale."""
        return self.count * float(np.log(max(self.ratio, 1e-300)))


def merged(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct times, means there, and how many values each is of."""
    times, group = np.unique(t, return_inverse=True)
    count = np.bincount(group)
    return times, np.bincount(group, y) / count, count


def scatter(t: np.ndarray, y: np.ndarray, jumps: Sequence[float] | np.ndarray = ()) -> float | None:
    """Standard deviation of values about a smooth curve through them, which may jump at `jumps` (ascending); None where there are
    too few times. A value at a jump is from before it."""
    times, means, count = merged(t, y)
    if len(times) < _FEWEST:
        return None
    spare = count.sum() - len(times)
    if spare >= len(times):  # replicates say it without a curve
        return float(np.sqrt(max(np.sum((y - means[np.searchsorted(times, t)]) ** 2), 0.0) / spare))
    stretches = np.split(np.arange(len(times)), np.unique(np.searchsorted(times, jumps, side="right")))
    found = [np.concatenate([_about_neighbours(times[s], means[s], count[s], m) for s in stretches]) for m in _NEIGHBOURS]
    return min((float(np.sqrt(np.mean(e))) for e in found if len(e) >= min(_PREDICTED, len(times) - 6)), default=None)


def _about_neighbours(t: np.ndarray, y: np.ndarray, count: np.ndarray, m: int) -> np.ndarray:
    """Squares of what is left of the values that have m neighbours on both sides, over their variance if the noise is 1."""
    if len(t) < 2 * m + 1:
        return np.zeros(0)
    places = np.arange(m, len(t) - m)[:, None] + np.delete(np.arange(-m, m + 1), m)
    nodes, at = t[places], t[m : len(t) - m, None]
    away = (at - nodes)[:, None, :] / np.where(np.eye(2 * m, dtype=bool), 1.0, nodes[:, :, None] - nodes[:, None, :])
    weights = np.prod(np.where(np.eye(2 * m, dtype=bool), 1.0, away), axis=2)
    error = y[m : len(t) - m] - np.sum(weights * y[places], axis=1)
    variance = 1 / count[m : len(t) - m] + np.sum(weights**2 / count[places], axis=1)
    return error**2 / variance


def turns(t: np.ndarray, y: np.ndarray, noise: float | None) -> int:
    """How often values turn from rising to falling or back by more than their noise and a tenth of their range."""
    times, means, _ = merged(t, y)
    if len(times) < 3:
        return 0
    least = max(4 * (noise or 0.0), 0.1 * float(np.ptp(means)))
    found, direction, extreme = 0, 0, means[0]
    low = high = means[0]
    for value in means:
        if direction == 0:
            low, high = min(low, value), max(high, value)
            if high - low > least:
                direction, extreme = (1 if value == high else -1), value
        elif direction * (value - extreme) > 0:
            extreme = value
        elif direction * (extreme - value) > least:
            found, direction, extreme = found + 1, -direction, value
    return found


def records_of(batch: Batch, k: int, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, values and places (in the padded row) of the records of observation k that are used and no limits."""
    c = batch.columns[k]
    mine = np.flatnonzero((np.asarray(c.used)[row] > 0) & (np.asarray(c.censored)[row] == 0))
    return np.asarray(batch.ts)[row, np.asarray(c.time)[row, mine]], np.asarray(c.value)[row, mine], mine


def compared(objective: Objective, batch: Batch, solved: Batch, predictions: Sequence[np.ndarray]) -> list[Attained]:
    """Model and smooth curve on the data. `predictions`: per observation its location at the records (S, R) of `solved`, which is
    `batch` or the same records in pieces; NaN where there is none."""
    out = []
    for k, o in enumerate(objective.compiled.declarations.observations):
        scale = SCALES.get(o.distribution)
        if scale is None or o.at:
            continue
        curve, seen, squares, count, values = 0.0, 0, 0.0, 0, []
        products, pairs = 0.0, 0
        for row in range(batch.count):
            t, y, _ = records_of(batch, k, row)
            noise = scatter(t, scale(y), objective.jumps_of(row)) if len(y) else None
            values.append(scale(y))
            if noise is not None:
                curve, seen = curve + noise**2 * len(y), seen + len(y)
        for row in range(solved.count):
            t, y, mine = records_of(solved, k, row)
            with np.errstate(all="ignore"):
                error = scale(predictions[k][row, mine]) - scale(y)
                error = np.where(np.isfinite(error), error, np.inf)[np.argsort(t, kind="stable")]
                products, pairs = products + float(np.sum(error[1:] * error[:-1])), pairs + max(len(y) - 1, 0)
            squares, count = squares + float(np.sum(error**2)), count + len(y)
        if seen:
            spread = float(np.std(np.concatenate(values)))
            follow = products / squares if 0 < squares < np.inf else 0.0
            out.append(
                Attained(o.column, float(np.sqrt(squares / count)), float(np.sqrt(curve / seen)), spread, count, follow, pairs)
            )
    return out
