"""The network as a candidate beside formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import numpy as np

from hybridode.discover.formula import Formula
from hybridode.discover.information import OWN, fisher_of
from hybridode.discover.ranking import description_length
from hybridode.discover.refitted import Candidate, records_of
from hybridode.discover.slots import Slot
from hybridode.fit.parameters import trainable_weights

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

_FLOOR = 1e-13  # share of the largest eigenvalue below which a direction is not known


def network_candidate(run: FitRun, slots: Sequence[Slot]) -> Candidate:
    """The hybrid as a candidate: its numbers are those that the data determine, the trace of F (F + R)^-1 with R the curvature
    of the regularisers, of networks without one that of a prior as wide as weights usually are (D. J. C. MacKay, Neural Comput. 4
    (1992) 415)."""
    assert run.finished is not None
    prepared, theta = run.finished.prepared, run.finished.theta
    with jax.enable_x64(True):
        evaluation = prepared.lanes.evaluation(theta)
        fisher = fisher_of(prepared, theta)
    parts = np.asarray(evaluation.parts, float)
    numbers = float(min(len(theta), records_of(prepared)))
    if fisher is not None:
        penalty, own = _priors(run)
        inverse = np.linalg.pinv(fisher + np.diag(own), rcond=_FLOOR, hermitian=True)
        numbers = float(np.clip(np.trace(inverse @ (fisher - np.diag(penalty))), 0, numbers))
    value = float(parts[0] + parts[1])
    dl = description_length(value, numbers, records_of(prepared), 0.0)
    return Candidate({slot: Formula(slot.network.name, (), "network") for slot in slots}, value, numbers, dl, "the fit")


def _priors(run: FitRun) -> tuple[np.ndarray, np.ndarray]:
    """The curvature (d,) of the regularisers by entry of theta, and that of the prior of networks without any."""
    assert run.finished is not None
    objective = run.finished.prepared.objective
    penalties, own = [np.zeros(objective.n_parameters)], [np.zeros(objective.n_parameters)]
    rate = {n.name: 2 * n.reg_l2 for n in objective.networks}
    for name, array in trainable_weights(objective.networks, objective.weights):
        count = int(np.size(objective.weights[name][array]))
        penalties.append(np.full(count, rate[name] if array.startswith("W") else 0.0))
        own.append(np.full(count, 0.0 if rate[name] else OWN))
    return np.concatenate(penalties), np.concatenate(own)
