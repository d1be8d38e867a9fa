"""The network as a candidate beside formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from hybridode.discover.formula import Formula
from hybridode.discover.ranking import description_length
from hybridode.discover.refitted import Candidate, records_of
from hybridode.discover.slots import Slot
from hybridode.fit.parameters import trainable_weights

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun


def network_candidate(run: FitRun, slots: Sequence[Slot]) -> Candidate:
    """The hybrid as a candidate: its numbers are those that the data determine, the trace of F (F + R)^-1 with R the curvature
    of the regularisers (D. J. C. MacKay, Neural Comput. 4 (1992) 415)."""
    assert run.finished is not None
    prepared, theta = run.finished.prepared, run.finished.theta
    with jax.enable_x64(True):
        evaluation = prepared.lanes.evaluation(theta)
    parts = np.asarray(evaluation.parts, float)
    numbers = float(len(theta))
    if evaluation.fisher is not None and np.asarray(evaluation.fisher).size:
        fisher = np.asarray(evaluation.fisher, float)
        penalty = _penalties(run)
        weights, vectors = np.linalg.eigh(fisher)
        keep = weights > 1e-12 * max(float(weights[-1]), 1e-300)
        inverse = (vectors[:, keep] / weights[keep]) @ vectors[:, keep].T
        numbers = float(np.clip(np.count_nonzero(keep) - np.sum(np.diag(inverse) * penalty), 0, len(theta)))
    value = float(parts[0] + parts[1])
    dl = description_length(value, numbers, records_of(prepared), 0.0)
    return Candidate({slot: Formula(slot.network.name, (), "network") for slot in slots}, value, numbers, dl, "the fit")


def _penalties(run: FitRun) -> np.ndarray:
    """The curvature of the regularisers (d,) by entry of theta."""
    assert run.finished is not None
    objective = run.finished.prepared.objective
    parts = [np.zeros(objective.n_parameters)]
    rate = {n.name: 2 * n.reg_l2 for n in objective.networks}
    for name, array in trainable_weights(objective.networks, objective.weights):
        count = int(np.size(objective.weights[name][array]))
        parts.append(np.full(count, rate[name] if array.startswith("W") else 0.0))
    return np.concatenate(parts)
