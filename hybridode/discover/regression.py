"""Sparse regression on what a network has learnt: where the search for a formula begins.

Rows are weighted with the network's own standard errors; columns are scaled to length 1, so that a threshold means the same for
every term. Three ways give supports of every size: forward selection (orthogonal matching pursuit), and, where pysindy is
installed, sequentially thresholded least squares (S. L. Brunton et al., PNAS 113 (2016) 3932) and its sparse relaxed regularised
regression, SR3 (K. Champion et al., IEEE Access 8 (2020) 169259), each over a path of thresholds.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.discover.library import Term
from hybridode.discover.samples import Samples

THRESHOLDS = tuple(10.0 ** np.arange(-2.5, 0.01, 0.25))
_LARGEST = 6  # terms of one formula that regression proposes
_BOOTSTRAPS = 100
_FLOOR = 0.01  # of the root mean square: no sample counts as known better
_RIDGE = 1e-6


@dataclass(frozen=True, eq=False)
class Proposal:
    """A support of one slot (places among its terms) with least-squares coefficients, the weighted root mean square that it
    leaves, and which method found it first."""

    support: tuple[int, ...]
    coefficients: np.ndarray
    residual: float
    method: str


@dataclass(frozen=True, eq=False)
class Scaled:
    """The regression of one slot: columns (N, P) of length 1, values (N,), both weighted; `lengths` (P,)."""

    columns: np.ndarray
    values: np.ndarray
    lengths: np.ndarray

    def solve(self, support: Sequence[int]) -> tuple[np.ndarray, float]:
        """Coefficients in natural units, root mean square of what is left."""
        chosen = list(support)
        part = self.columns[:, chosen]
        found = np.linalg.lstsq(part, self.values, rcond=1e-10)[0] if chosen else np.zeros(0)
        left = self.values - part @ found
        return found / self.lengths[chosen], float(np.sqrt(np.mean(left**2)))


def weights_of(samples: Samples, output: int) -> np.ndarray:
    """1/standard error (N,) of the samples of one output."""
    size = float(np.sqrt(np.mean(samples.values[:, output] ** 2))) or 1.0
    sd = samples.sd[:, output]
    known = np.where(np.isfinite(sd), sd, 0.0)
    return 1 / np.sqrt(known**2 + (_FLOOR * size) ** 2)


def scaled(terms: Sequence[Term], points: np.ndarray, values: np.ndarray, weights: np.ndarray) -> Scaled:
    """The regression of values (N,) at points (N, m)."""
    columns = np.stack([t.values(points) for t in terms], axis=1) * weights[:, None]
    lengths = np.linalg.norm(columns, axis=0)
    return Scaled(columns / lengths, values * weights, lengths)


def proposals(terms: Sequence[Term], samples: Samples, output: int) -> list[Proposal]:
    """Supports of all sizes up to 6, the best few of each, smallest first."""
    problem = scaled(terms, samples.points, samples.values[:, output], weights_of(samples, output))
    found: dict[tuple[int, ...], str] = {}
    for support in _forward(problem):
        found.setdefault(support, "forward selection")
    if has_pysindy():
        for name in ("STLSQ", "SR3"):
            for threshold in THRESHOLDS:
                support = thresholded(name, problem, threshold)
                if len(support) <= _LARGEST:
                    found.setdefault(support, name)
    out = [Proposal(support, *problem.solve(support), method) for support, method in found.items()]
    return sorted(out, key=lambda p: (len(p.support), p.residual))


def _forward(problem: Scaled) -> list[tuple[int, ...]]:
    """The empty support, then one term more at a time: that which leaves least."""
    chosen: list[int] = []
    found: list[tuple[int, ...]] = [()]
    for _ in range(min(_LARGEST, problem.columns.shape[1])):
        rest = [j for j in range(problem.columns.shape[1]) if j not in chosen]
        chosen.append(min(rest, key=lambda j: problem.solve([*chosen, j])[1]))
        found.append(tuple(sorted(chosen)))
    return found


def has_pysindy() -> bool:
    """Whether the extra `discovery` is installed."""
    return importlib.util.find_spec("pysindy") is not None


def thresholded(name: str, problem: Scaled, threshold: float) -> tuple[int, ...]:
    """The support that an optimiser of pysindy ends with; the threshold is a share of the values' length."""
    import pysindy

    level = threshold * float(np.linalg.norm(problem.values))
    if name == "STLSQ":
        optimiser = pysindy.STLSQ(threshold=level, alpha=_RIDGE)
    else:
        optimiser = pysindy.SR3(reg_weight_lam=0.5 * level**2, regularizer="l0", relax_coeff_nu=1.0, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of thresholds that leave nothing, and of iterations
        optimiser.fit(problem.columns, problem.values[:, None])
    return tuple(int(j) for j in np.flatnonzero(np.ravel(optimiser.coef_)))


def inclusion(terms: Sequence[Term], samples: Samples, output: int, size: int, seed: int = 0) -> np.ndarray:
    """Of every term how often (0 to 1) STLSQ keeps it, over draws of the network from its Laplace approximation and bootstrap
    samples of the points, at the threshold that leaves about `size` terms in each. Without pysindy by forward selection."""
    random = np.random.default_rng(seed)
    weights, count = weights_of(samples, output), len(samples.points)
    hits = np.zeros(len(terms))
    for b in range(_BOOTSTRAPS):
        values = samples.draws[b % len(samples.draws), :, output] if len(samples.draws) else samples.values[:, output]
        rows = random.integers(0, count, count)
        problem = scaled(terms, samples.points[rows], values[rows], weights[rows])
        support = _of_size(problem, size)
        hits[list(support)] += 1
    return hits / _BOOTSTRAPS


def _of_size(problem: Scaled, size: int) -> tuple[int, ...]:
    if not has_pysindy():
        return _forward(problem)[min(size, _LARGEST)]
    best: tuple[int, ...] = ()
    low, high = np.log10(THRESHOLDS[0]), np.log10(THRESHOLDS[-1])
    for _ in range(8):  # bisection: supports shrink as the threshold rises
        middle = 0.5 * (low + high)
        best = thresholded("STLSQ", problem, 10.0**middle)
        if len(best) == size:
            break
        low, high = (middle, high) if len(best) > size else (low, middle)
    return best
