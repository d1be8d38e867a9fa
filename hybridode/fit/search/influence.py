"""Parameters that no record depends on: they stay at their declared values, and that is said.

The square root of an entry's Fisher information says by how many standard deviations of the noise all records together move
when its unconstrained number moves by 1 (an e-fold for logarithmic scales). Where that is next to nothing, and the declared value
gives the same objective, a value that a search has left there would only look like knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.starts import StartResult, best_of

NOTHING = 1e-4  # standard deviations of all records together
_SAME = 1e-7  # relative difference of objectives: the solver's error


def without_influence(lanes: Lanes, found: Sequence[StartResult], first: np.ndarray) -> tuple[list[StartResult], list[str]]:
    """The results, the best one with what has no influence at its value in `first` (d,); and the names of those parameters."""
    best, k = best_of(found), lanes.objective.n_parameters
    if best is None or not 0 < len(best.theta) <= FISHER_MOST:
        return list(found), []
    fisher = np.asarray(lanes.evaluation(best.theta).fisher)
    still = np.flatnonzero(np.sqrt(np.maximum(np.diag(fisher)[:k], 0.0)) < NOTHING)
    theta = np.array(best.theta)
    kept: list[int] = []
    for i in still:
        trial = np.array(theta)
        trial[i] = first[i]
        value = float(lanes.evaluation(trial).value)
        if abs(value - best.objective) <= _SAME * (1 + abs(best.objective)):
            theta, kept = trial, [*kept, int(i)]
    settled = replace(best, theta=theta)
    return [settled if r.start == best.start else r for r in found], [lanes.objective.space.names[i] for i in kept]
