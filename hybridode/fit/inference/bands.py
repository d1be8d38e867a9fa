"""How well each curve is known: 95 % bands of what is observed, before noise, and of every state.

At each time the band holds
- what the delta method says: value ± 1.96 sqrt(J C J'), C the covariance of `laplace`, on the scale of the noise model's location
  (logarithmic for positive ones, logits for probabilities);
- the curves of all points of the profiles that are no less likely than the ends of 95 % intervals (profile-wise bands: M. J.
  Simpson, O. J. Maclaren, PLoS Comput. Biol. 19 (2023) e1011515), which see what is not symmetric;
- with networks the spread of an ensemble: starts that follow the data as well as the best but learnt other functions where
  there are no data (B. Lakshminarayanan et al., NeurIPS 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridode.data.experiments import Dataset
from hybridode.fit.inference.curves import Sensitivities
from hybridode.fit.inference.profiles import ROOT95, Profile
from hybridode.fit.objective.noise import Noise
from hybridode.fit.objective.objective import Objective
from hybridode.fit.outcome.tables import Curves
from hybridode.fit.outcome.uncertainty import Z95

_LARGEST = 700.0  # exponent


@dataclass(frozen=True)
class Scale:
    """Where a curve is symmetric: forward(x), inverse(u), slope(x) = du/dx."""

    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


LINEAR = Scale(lambda x: x, lambda u: u, np.ones_like)
LOG = Scale(np.log, lambda u: np.exp(np.clip(u, -_LARGEST, _LARGEST)), lambda x: 1 / x)
LOGIT = Scale(lambda x: np.log(x / (1 - x)), lambda u: 0.5 * (1 + np.tanh(u / 2)), lambda x: 1 / (x * (1 - x)))
LOCATIONS: dict[tuple[str, str], tuple[int, Scale]] = {  # noise, its argument -> the place of its location, and its scale
    ("normal", "mean"): (0, LINEAR), ("lognormal", "median"): (0, LOG), ("student", "loc"): (1, LINEAR),
    ("laplace", "loc"): (0, LINEAR), ("poisson", "mean"): (0, LOG), ("negbinomial", "mean"): (0, LOG),
    ("bernoulli", "p"): (0, LOGIT), ("bernoulli", "logit"): (0, LINEAR),
}  # fmt: skip


def location_of(noise: Noise) -> tuple[int, Scale] | None:
    """Which argument is the location, and on which scale it is symmetric; None for a noise without one."""
    return next((LOCATIONS[noise.name, a] for a in noise.arguments if (noise.name, a) in LOCATIONS), None)


@dataclass(frozen=True, eq=False)
class Bands:
    """`table`: series, time, column, kind ("observed" or "state"), location, lower95, upper95, sd (by the delta method). `how` in
    words, `unknown`: columns without a band, and why."""

    table: pd.DataFrame
    how: str
    unknown: dict[str, str]

    def sentences(self) -> list[str]:
        """How well each observed curve is known, and where worst."""
        found = []
        seen = self.table.loc[self.table["kind"] == "observed"]
        several = len(set(seen["series"])) > 1
        for series, column in dict.fromkeys(zip(seen["series"], seen["column"], strict=True)):
            rows = seen.loc[(seen["series"] == series) & (seen["column"] == column)]
            width = (rows["upper95"].to_numpy(float) - rows["lower95"].to_numpy(float)) / 2
            height = float(np.max(np.abs(rows["location"].to_numpy(float))))
            if not np.all(np.isfinite(width)) or height == 0:
                continue
            worst = float(rows["time"].to_numpy(float)[np.argmax(width)])
            of = f" in {series}" if several else ""
            found.append(f"the curve of `{column}`{of} is known to ±{100 * np.median(width) / height:.2g} % of its largest value "
                         f"(95 %, in the middle), worst at {worst:.4g}: ±{100 * np.max(width) / height:.2g} %")  # fmt: skip
        return found[:12]


def points_of_profiles(profiles: Sequence[Profile]) -> list[np.ndarray]:
    """Vectors on the profiles as likely as the ends of 95 % intervals or more: the levels inside, and the ends themselves."""
    found = []
    for profile in profiles:
        limit = profile.best.value + ROOT95**2 / 2
        for side in (profile.below, profile.above):
            inner = profile.best
            for level in side.levels:
                if level.value <= limit:
                    found.append(level.theta)
                    inner = level
                    continue
                if np.isfinite(side.crossing) and level.z != inner.z:
                    share = (side.crossing - inner.z) / (level.z - inner.z)
                    found.append(inner.theta + share * (level.theta - inner.theta))
                break
    return found


def bands(
    objective: Objective,
    dataset: Dataset,
    best: Sensitivities,
    covariance: np.ndarray,
    others: Sequence[Curves],
    members: Sequence[Curves] = (),
) -> Bands:
    """best: curves at the optimum with derivatives, at times (S, T) of which `others` (along the profiles) and `members` (of an
    ensemble) have curves too."""
    frames, unknown = [], {}
    usable = [c for c in others if np.all(c.results == 0)]
    ensemble = [c for c in members if np.all(c.results == 0)]
    states = [str(s) for s in objective.compiled.system.states]
    for row, series in enumerate(dataset.series):
        times, keep = np.unique(best.ts[row, : usable[0].ts.shape[1]] if usable else best.ts[row], return_index=True)
        inside = times <= series.end
        times, keep = times[inside], keep[inside]
        for k, column in enumerate(dataset.columns):
            noise, location = objective.rows[k], location_of(objective.rows[k])
            if location is None:
                unknown[column] = f"{noise.name} noise has no location"
                continue
            place, scale = int(objective.argument_places[k][location[0]]), location[1]
            middle, slopes = best.observed[row, keep, place], best.by_observed[row, keep, place]
            found = band(middle, slopes, covariance, scale, [c.observed[row, keep, place] for c in usable],
                          [c.observed[row, keep, place] for c in ensemble])  # fmt: skip
            if len(noise.arguments) == 1:  # a logit becomes a probability
                found = [noise.location(x) for x in found[:3]] + found[3:]
            frames.append(_frame(series.name, times, column, "observed", found))
        for i, name in enumerate(states):
            middle = best.states[row, keep, i]
            scale = LOG if np.all(middle > 0) else LINEAR
            found = band(middle, best.by_states[row, keep, i], covariance, scale, [c.states[row, keep, i] for c in usable],
                          [c.states[row, keep, i] for c in ensemble])  # fmt: skip
            frames.append(_frame(series.name, times, name, "state", found))
    ways = ["delta method", *(["profiles"] * bool(usable)), *([f"ensemble of {len(ensemble) + 1}"] * bool(ensemble))]
    return Bands(pd.concat(frames, ignore_index=True), ", ".join(ways), unknown)


def band(
    middle: np.ndarray, slopes: np.ndarray, covariance: np.ndarray, scale: Scale, others: list[np.ndarray],
    members: list[np.ndarray],
) -> list[np.ndarray]:  # fmt: skip
    """Location, lower and upper end and standard deviation (natural), each (T,)."""
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.maximum(np.einsum("ti,ij,tj->t", slopes, covariance, slopes), 0.0))
        if (scale is LOG and not np.all(middle > 0)) or (scale is LOGIT and not np.all((middle > 0) & (middle < 1))):
            scale = LINEAR
        u = scale.forward(middle)
        spread = sd * np.abs(scale.slope(middle))
        if members:
            away = np.array([scale.forward(m) - u for m in members])
            there = np.isfinite(away)
            spread = np.sqrt(spread**2 + np.sum(np.where(there, away, 0.0) ** 2, axis=0) / np.maximum(np.sum(there, axis=0), 1))
        lower, upper = scale.inverse(u - Z95 * spread), scale.inverse(u + Z95 * spread)
        for other in others:
            lower, upper = np.fmin(lower, other), np.fmax(upper, other)
    return [middle, lower, upper, sd]


def _frame(series: str, times: np.ndarray, column: str, kind: str, found: list[np.ndarray]) -> pd.DataFrame:
    location, lower, upper, sd = found
    return pd.DataFrame({"series": series, "time": times, "column": column, "kind": kind, "location": location,
                         "lower95": lower, "upper95": upper, "sd": sd})  # fmt: skip
