"""Which one further measurement would tell most about a parameter: D- and c-optimal design with one point at a time.

A record of column y at time t adds its Fisher information J' I J to what the fit has; by Woodbury's identity

    C' = C - C J' (I^-1 + J C J')^-1 J C,    the interval of parameter i shrinks to sqrt(C'_ii / C_ii)

(A. C. Atkinson, A. N. Donev, R. D. Tobias, Optimum Experimental Designs, with SAS, 2007, ch. 10-11). Looked at are the observed
columns with the noise that was fitted, and states that are not observed, to a twentieth of their largest value; times within the
data and half their length beyond. It is expected information at the fitted numbers: what it says holds where the fit is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.fit.inference.bands import location_of
from hybridode.fit.inference.curves import Sensitivities
from hybridode.fit.inference.verdicts import Verdict
from hybridode.fit.objective.direct.scores import information_of
from hybridode.fit.objective.objective import Objective

UNSEEN_ERROR = 0.05  # of the largest value of a state: the error of measurements that are not made so far
WORTH = 0.9  # an interval that keeps more of its width than this is not helped
ANOTHER = 0.7  # part of what the best observed column leaves that a new one must leave to be named
_MOST = 6  # parameters that are advised on


@dataclass(frozen=True)
class Candidate:
    """A record of `column` at `time` in `series` that leaves the share `left` of a parameter's interval. `new`: a state that is
    not observed so far."""

    column: str
    series: str
    time: float
    left: float
    new: bool


@dataclass(frozen=True)
class Advice:
    """About the entry `name`: the best record of what is observed, and the best of all states."""

    name: str
    observed: Candidate | None
    anything: Candidate | None
    several: bool  # series

    @property
    def helps(self) -> bool:
        """Whether there is such a record."""
        return self.anything is not None and self.anything.left < WORTH

    @property
    def sentence(self) -> str:
        """In words."""
        seen, new = self.observed, self.anything
        if new is not None and new.left < ANOTHER * (seen.left if seen and seen.left < WORTH else 1.0) and new.new:
            words = f"measuring {self._place(new)} as well, to {100 * UNSEEN_ERROR:g} % of its largest value, {self._effect(new)}"
            return words + (
                f"; of what is observed, {self._place(seen)} {self._effect(seen)}" if seen and seen.left < WORTH else ""
            )
        if seen is not None and seen.left < WORTH:
            return f"one more record of {self._place(seen)} {self._effect(seen)}"
        return f"no single further record, of any state at any time, would tell much more about `{self.name}`"

    def _place(self, c: Candidate) -> str:
        return f"`{c.column}` at {c.time:.4g}" + (f" in {c.series}" if self.several else "")

    def _effect(self, c: Candidate) -> str:
        kept = f"{100 * c.left:.2g} %" if c.left >= 0.01 else "less than 1 %"
        return f"would leave {kept} of the width of the interval of `{self.name}`"


def next_measurements(
    objective: Objective,
    dataset: Dataset,
    curves: Sensitivities,
    covariance: np.ndarray,
    verdicts: Mapping[str, Verdict],
) -> list[Advice]:
    """Advice about the parameters that are not identified, then about those known worst. curves: with times beyond the data."""
    space = objective.space
    felt = _felt(objective, curves)
    targets = _targets([n for n, f in zip(space.names, felt, strict=True) if f], space.names, covariance, verdicts)
    places = [space.names.index(name) for name in targets]
    if not places:
        return []
    best: dict[tuple[str, bool], Candidate] = {}
    for series, column, new, times, left in _effects(objective, dataset, curves, covariance, places):
        for name, share in zip(targets, left.T, strict=True):
            t = int(np.argmin(share))
            if (name, new) not in best or share[t] < best[name, new].left:
                best[name, new] = Candidate(column, series, float(times[t]), float(share[t]), new)
    several = len(dataset.series) > 1
    found = []
    for name in targets:
        seen, new = best.get((name, False)), best.get((name, True))
        both = [c for c in (seen, new) if c is not None]
        found.append(Advice(name, seen, min(both, key=lambda c: c.left, default=None), several))
    return found


def _felt(objective: Objective, curves: Sensitivities) -> np.ndarray:
    """Which parameters (k,) move any state or location at all: scales of the noise are left out."""
    k = objective.space.size
    locations = [int(objective.argument_places[i][0 if (at := location_of(row)) is None else at[0]])
                 for i, row in enumerate(objective.rows[: objective.n_observed])]  # fmt: skip
    by_location = np.abs(curves.by_observed[:, :, locations, :k]).max(axis=(0, 1, 2), initial=0.0)
    return np.maximum(by_location, np.abs(curves.by_states[..., :k]).max(axis=(0, 1, 2), initial=0.0)) > 0


def _targets(felt: Sequence[str], names: Sequence[str], covariance: np.ndarray, verdicts: Mapping[str, Verdict]) -> list[str]:
    """Those that are not identified, then those known worst, of what is felt."""
    unknown = [n for n in felt if n in verdicts and verdicts[n].kind != "identified"]
    rest = sorted((n for n in felt if n not in unknown), key=lambda n: -covariance[names.index(n), names.index(n)])
    return [*unknown, *rest[: max(_MOST - len(unknown), 1)]][:_MOST]


def _effects(objective: Objective, dataset: Dataset, curves: Sensitivities, covariance: np.ndarray, places: Sequence[int]):
    """Yields series, column, whether it is new, times (T,), the share of the standard deviation that is left (T, targets)."""
    seen = set(dataset.columns)
    for row, series in enumerate(dataset.series):
        if not curves.solved[row]:
            continue
        times, keep = np.unique(curves.ts[row], return_index=True)
        keep, times = keep[times > series.start], times[times > series.start]
        for k, column in enumerate(dataset.columns):
            eta = curves.observed[row, keep][:, objective.argument_places[k]]
            slopes = curves.by_observed[row, keep][:, objective.argument_places[k]]
            with np.errstate(all="ignore"):
                information = information_of(objective.rows[k], np.ones(len(eta)), tuple(eta.T))
            yield series.name, column, False, times, _left(slopes, information, covariance, places)
        for i, symbol in enumerate(objective.compiled.system.states):
            largest = float(np.max(np.abs(curves.states[row, keep, i]), initial=0.0))
            if str(symbol) in seen or largest == 0:
                continue
            information = np.full((len(keep), 1, 1), (UNSEEN_ERROR * largest) ** -2)
            yield (
                series.name,
                str(symbol),
                True,
                times,
                _left(curves.by_states[row, keep, i][:, None], information, covariance, places),
            )


def _left(slopes: np.ndarray, information: np.ndarray, covariance: np.ndarray, places: Sequence[int]) -> np.ndarray:
    """sqrt(C'_ii / C_ii) (T, targets) of records with slopes (T, a, d) and information (T, a, a); 1 where they do not exist.

    C' = C - C J' L (1 + L' J C J' L)^-1 L' J C with I = L L', which a singular I leaves as it is."""
    values, vectors = np.linalg.eigh(np.where(np.isfinite(information), information, 0.0))
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    jacobian = np.einsum("tab,tad->tbd", root, np.where(np.isfinite(slopes), slopes, 0.0))
    moved = jacobian @ covariance  # (T, a, d)
    inner = np.eye(jacobian.shape[1]) + np.einsum("tad,tbd->tab", moved, jacobian)
    mine = moved[:, :, list(places)]
    gain = np.einsum("tai,tai->ti", mine, np.linalg.solve(inner, mine))
    return np.sqrt(np.clip(1 - gain / np.diag(covariance)[list(places)], 0.0, 1.0))
