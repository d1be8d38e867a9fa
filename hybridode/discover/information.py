"""What the data say of all numbers of a fit with networks: the Fisher matrix at its optimum, once."""

from __future__ import annotations

import numpy as np

from hybridode.fit.prepare import Prepared
from hybridode.fit.search.lanes import FISHER_MOST

MOST = 1000  # numbers up to which the matrix is computed once
OWN = 1.0  # information that a weight has in any case, per unit squared: it is known to its own size before the fit


def fisher_of(prepared: Prepared, theta: np.ndarray) -> np.ndarray | None:
    """(d, d) with the curvature of priors and regularisers, at theta (d,); None of more than MOST numbers, or where the model
    cannot be evaluated. In 64 bits."""
    if len(theta) > MOST:
        return None
    if len(theta) <= FISHER_MOST:
        found = prepared.lanes.evaluation(theta).fisher
    else:
        found = prepared.objective.with_fisher(theta, prepared.fitted).fisher
    matrix = np.zeros((0, 0)) if found is None else np.asarray(found, float)
    return matrix if matrix.size and np.all(np.isfinite(matrix)) else None
