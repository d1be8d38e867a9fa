"""Several starts: the declared values first, then a Latin hypercube near them and inside the bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridode.fit.objective.priors import BoundPrior
from hybridode.fit.objective.quantiles import latin_hypercube, normal_quantile
from hybridode.fit.parameters import ParameterSpace

_NEAR = 1.0  # standard deviation of the starts near the declared values, on the unconstrained scale
_INNER = 0.05  # the outermost part of each range in which nothing starts


def starting_points(
    space: ParameterSpace, priors: Sequence[BoundPrior], first: np.ndarray, count: int, seed: int
) -> list[np.ndarray]:
    """`count` unconstrained vectors: `first`, then by turns one near it and one from the whole of the bounds or priors.

    A range with both ends is filled evenly in its own scale (linear or log); without two ends, and near `first`, starts are
    normally distributed on the unconstrained scale.
    """
    if count <= 1 or space.size == 0:
        return [first] * max(count, 1)
    unit = latin_hypercube(count - 1, space.size, np.random.default_rng(seed))
    near = first + _NEAR * normal_quantile(np.clip(unit, 1e-3, 1 - 1e-3))
    wide = np.array(near)
    for i, e in enumerate(space.entries):
        u = _INNER + (1 - 2 * _INNER) * unit[:, i]
        if e.transform in ("between", "log between"):
            wide[:, i] = np.log(u) - np.log1p(-u)
        else:
            wide[:, i] = first[i] + 2 * (near[:, i] - first[i])
    for prior in priors:
        for i in prior.entries:
            wide[:, i] = _from_prior(space, prior, i, unit[:, i], wide[:, i])
    return [first] + [near[j] if j % 2 == 0 else wide[j] for j in range(count - 1)]


def _from_prior(space: ParameterSpace, prior: BoundPrior, i: int, unit: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Quantiles of the prior where they lie inside the bounds."""
    e = space.entries[i]
    x = np.asarray(prior.quantile(_INNER + (1 - 2 * _INNER) * unit), float)
    inside = np.isfinite(x) & (x > e.lower) & (x < e.upper)
    out = np.array(otherwise)
    for j in np.flatnonzero(inside):
        whole = np.array([q.declared for q in space.entries])
        whole[i] = x[j]
        out[j] = space.unconstrain_vector(whole)[i]
    return out
