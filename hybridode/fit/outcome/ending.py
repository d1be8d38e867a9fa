"""How a search ended: its status, its last evaluation with standard errors, how derivatives were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.outcome.uncertainty import Uncertainty, none_known, uncertainty
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.starts import StartResult

SE_MOST = 400  # trainable numbers up to which the Fisher matrix is computed for standard errors


def gradient_entry(objective: Objective, batch: Batch, numbers: int) -> dict[str, str]:
    """How the derivatives of a fit by so many numbers are made, and why."""
    if numbers > FISHER_MOST:
        return {"gradient": "reverse", "gradient_reason": f"{numbers} numbers are learnt: an adjoint, no Fisher matrix"}
    mode = objective.mode(numbers, batch)
    return {"gradient": "forward" if mode.forward else "reverse", "gradient_reason": mode.reason}


def status_of(found: Sequence[StartResult], best: StartResult | None, early: str) -> tuple[str, str]:
    """`status` and `status_reason` of result.json."""
    if early == "interrupted":
        return "interrupted", "interrupted by the user; the best point so far"
    if best is None:
        return "failed", f"no start could be evaluated: {found[0].reason}"
    if early:
        return "stopped", early
    return best.status, best.reason


def uncertainty_of(lanes: Lanes, theta: np.ndarray, solved: bool, early: str = "") -> tuple[Any, Uncertainty]:
    """The evaluation at the end of the search (d,), and what it says about each parameter. `early`: why the search was cut short;
    then no matrix is computed that the search did without."""
    objective, k = lanes.objective, lanes.objective.n_parameters
    if early and len(theta) > FISHER_MOST:
        e = objective.with_gradient(theta, lanes.batch)
        return e, none_known(objective.space, theta[:k], f"not computed: the search was cut short ({early})")
    if len(theta) > SE_MOST:
        e = objective.with_gradient(theta, lanes.batch)
        return e, none_known(objective.space, theta[:k], f"not computed: {len(theta)} numbers were learnt, more than {SE_MOST}")
    e = lanes.evaluation(theta) if len(theta) <= FISHER_MOST else objective.with_fisher(theta, lanes.batch)
    if not solved or not np.isfinite(e.value):
        return e, none_known(objective.space, theta[:k], "the model could not be evaluated here")
    return e, uncertainty(objective.space, theta[:k], np.asarray(e.fisher, float))
