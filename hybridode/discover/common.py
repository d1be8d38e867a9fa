"""Which numbers several runs share: one model of all of them, with some numbers common and some by run.

What sharing a number costs is known near the optima of the single runs from their Fisher matrices F: the least of
sum of (y_r - z_r)' F_r (y_r - z_r)/2 over numbers y with shared entries equal. What it saves is its part of the description
length: one number learnt from all records instead of one for each run. Numbers are shared one after the other while that
shortens the description; the model that comes of it is then fitted to all data together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.fit.parameters import ParameterSpace

_FLOOR = 1e-9  # of the largest curvature: what is not known at all may take any value


@dataclass(frozen=True, eq=False)
class Own:
    """What one run has found: values by name on the scale that they are compared on (logarithms of those that are learnt so), the
    information about them, how many records it has."""

    names: tuple[str, ...]
    values: np.ndarray
    fisher: np.ndarray
    records: int


def own_numbers(space: ParameterSpace, theta: np.ndarray, fisher: np.ndarray, records: int) -> Own:
    """Of the optimum theta (d,) with its Fisher matrix (d, d) on the unconstrained scale."""
    step = 1e-5
    up, down = space.vector(theta + step), space.vector(theta - step)
    x = space.vector(theta)
    slope = (up - down) / (2 * step)
    logs = np.array([e.log for e in space.entries])
    values = np.where(logs, np.log(np.maximum(x, 1e-300)), x)
    slope = np.where(logs, slope / np.where(x == 0, 1.0, x), slope)
    inverse = 1 / np.where(np.abs(slope) > 1e-300, slope, 1e-300)
    return Own(space.names, values, fisher * np.outer(inverse, inverse), records)


def shared_numbers(owns: Sequence[Own], groups: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], float]:
    """Which of `groups` (a parameter -> its entries, which are shared or not together) are common to all runs, and by how many
    nats that is expected to shorten the description."""
    chosen: list[str] = []
    best = 0.0
    while len(chosen) < len(groups):
        tried = {g: _shorter(owns, [n for c in (*chosen, g) for n in groups[c]]) for g in groups if g not in chosen}
        name = max(tried, key=lambda g: tried[g])
        if tried[name] <= best:
            break
        chosen.append(name)
        best = tried[name]
    return tuple(g for g in groups if g in chosen), best


def _shorter(owns: Sequence[Own], shared: Sequence[str]) -> float:
    """Nats that sharing these saves."""
    each = sum(0.5 * math.log(max(own.records, 2)) for own in owns)
    together = 0.5 * math.log(max(sum(own.records for own in owns), 2))
    return len(shared) * (each - together) - rise(owns, shared)


def rise(owns: Sequence[Own], shared: Sequence[str]) -> float:
    """By how much the negative log-likelihood rises when these numbers are the same in all runs: with all others free in each run
    what is left of the information about them is their Schur complement."""
    total, pull, constant = np.zeros((len(shared), len(shared))), np.zeros(len(shared)), 0.0
    for own in owns:
        at = np.array([own.names.index(n) for n in shared])
        rest = np.setdiff1d(np.arange(len(own.names)), at)
        size = np.sqrt(np.maximum(np.diag(own.fisher), 1e-300))
        scaled = own.fisher / np.outer(size, size)
        mixed = scaled[np.ix_(at, rest)]
        left = scaled[np.ix_(at, at)] - mixed @ np.linalg.pinv(scaled[np.ix_(rest, rest)], rcond=_FLOOR, hermitian=True) @ mixed.T
        left = left * np.outer(size[at], size[at])
        total, pull = total + left, pull + left @ own.values[at]
        constant += own.values[at] @ left @ own.values[at]
    size = np.sqrt(np.maximum(np.diag(total), 1e-300))
    common = np.linalg.pinv(total / np.outer(size, size), rcond=_FLOOR, hermitian=True) @ (pull / size) / size
    return max(0.5 * float(constant - pull @ common), 0.0)
