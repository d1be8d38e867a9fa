"""Standard errors and 95 % intervals from the Fisher information at the optimum.

The information of the parameters is what remains after the networks' block is taken out by a Schur complement (their
regularisers are part of it). Intervals are made on the unconstrained scale, where they are closest to symmetric, and mapped
back. What the data do not determine has no standard error, and a reason in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.fit.parameters import ParameterSpace

Z95 = 1.959963984540054
_SINGULAR = 1e-10  # eigenvalues of the scaled information below this share count as 0
_NOTHING = 1e-14


@dataclass(frozen=True)
class Uncertainty:
    """Per trainable entry: standard error and interval in natural units (NaN where there are none, with the reason)."""

    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    at_bound: tuple[str, ...]
    reasons: tuple[str, ...]


def none_known(space: ParameterSpace, z: np.ndarray, reason: str) -> Uncertainty:
    """No standard errors at all, for one reason."""
    nan = np.full(space.size, np.nan)
    return Uncertainty(nan, nan, nan, tuple(space.at_bound(space.vector(z))), (reason,) * space.size)


def marginal_information(fisher: np.ndarray, k: int) -> np.ndarray:
    """Information (k, k) of the first k numbers when the others are unknown too.

    Directions of the others that nothing depends on (networks have many) carry no information and are dropped.
    """
    if fisher.shape[0] == k:
        return fisher
    weights, vectors = np.linalg.eigh(fisher[k:, k:])
    keep = weights > _SINGULAR * max(float(weights[-1]), 0.0)
    mixed = fisher[:k, k:] @ vectors[:, keep]
    return fisher[:k, :k] - (mixed / weights[keep]) @ mixed.T


def uncertainty(space: ParameterSpace, z: np.ndarray, fisher: np.ndarray) -> Uncertainty:
    """From the Fisher matrix (d, d) over unconstrained parameters (k,) and weights, at z (k,)."""
    k = space.size
    x = space.vector(z)
    bounds = space.at_bound(x)
    full = np.diag(fisher)[:k]
    information = marginal_information(fisher, k)
    size = np.sqrt(np.maximum(full, 0.0))
    felt = size > np.sqrt(_NOTHING) * max(float(size.max(initial=0.0)), 1e-300)
    reasons = ["" if f else "the data do not depend on it" for f in felt]
    variance = np.full(k, np.nan)
    index = np.flatnonzero(felt)
    if len(index):
        scaled = information[np.ix_(index, index)] / np.outer(size[index], size[index])
        weights, vectors = np.linalg.eigh(scaled)
        null = weights <= _SINGULAR * max(float(weights[-1]), 1.0)
        share = (vectors[:, null] ** 2).sum(axis=1)
        inverse = (vectors[:, ~null] / weights[~null]) @ vectors[:, ~null].T
        variance[index] = np.diag(inverse) / size[index] ** 2
        for place, i in enumerate(index):
            if share[place] > 1e-6:
                variance[i] = np.nan
                reasons[i] = _companions(space, index, vectors[:, null], place, fisher.shape[0] > k)
    for i, bound in enumerate(bounds):
        if bound:
            variance[i] = np.nan
            reasons[i] = f"at its {bound} bound"
    half = Z95 * np.sqrt(variance)
    slope = _slope(space, z)
    with np.errstate(over="ignore", invalid="ignore"):
        lower, upper = space.vector(z - half), space.vector(z + half)
    return Uncertainty(np.abs(slope) * np.sqrt(variance), lower, upper, tuple(bounds), tuple(reasons))


def _companions(space: ParameterSpace, index: np.ndarray, null: np.ndarray, place: int, networks: bool) -> str:
    """With which others an entry can be traded without a change in the fit."""
    direction = null[:, np.argmax(np.abs(null[place]))]
    others = [space.names[i] for j, i in enumerate(index) if j != place and abs(direction[j]) > 1e-3]
    with_whom = ", ".join(f"`{n}`" for n in others[:5]) or ("the networks" if networks else "nothing else")
    return (
        f"not determined by the data: it can be traded against {with_whom}"
        if others or networks
        else "not determined by the data"
    )


def _slope(space: ParameterSpace, z: np.ndarray) -> np.ndarray:
    """dx/dz by central differences (each entry depends on its own z only)."""
    h = 1e-5
    return (space.vector(z + h) - space.vector(z - h)) / (2 * h)
