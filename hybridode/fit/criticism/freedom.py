"""How many numbers' worth of freedom a fit has used: less than it learnt where priors and penalties hold some.

    effective number = trace(F_data (F_data + P)^-1),   P: curvature of priors and penalties

(D. J. C. MacKay, Neural Comput. 4 (1992) 415, eq. 4.9; J. E. Moody, NIPS 4 (1992) 847.)
"""

from __future__ import annotations

import jax
import numpy as np

from hybridode.fit.objective.direct.densities import prior_of
from hybridode.fit.parameters import pack
from hybridode.fit.prepare import Prepared
from hybridode.fit.search.lanes import FISHER_MOST
from hybridode.fit.slopes import NaturalValues

MOST = 400  # numbers of which the Fisher matrix is computed
_SINGULAR = 1e-10


def prior_curvature(prepared: Prepared, theta: np.ndarray) -> np.ndarray:
    """Of priors and regularisers (d, d): each acts on one number, and the sum of squares of weights is the only penalty with a
    curvature."""
    objective = prepared.objective
    at = NaturalValues(objective.space)(np.asarray(theta, float)[None, : objective.n_parameters])
    of_priors = prior_of(objective.priors, at)[2][0]
    penalties = {n.name: 0.0 if n.freeze else 2 * n.reg_l2 for n in objective.networks}
    of_weights = {
        name: {k: np.full(np.shape(a), penalties[name] if k.startswith("W") else 0.0) for k, a in arrays.items()}
        for name, arrays in objective.weights.items()
    }
    return np.diag(pack(of_priors, objective.networks, of_weights))


def effective_number(prepared: Prepared, theta: np.ndarray) -> float:
    """At an optimum theta (d,); d itself with more numbers than the Fisher matrix is computed for, or where it has no value."""
    if len(theta) > MOST or not len(theta):
        return float(len(theta))
    with jax.enable_x64(True):
        few = len(theta) <= FISHER_MOST  # the search has compiled the one or the other
        e = prepared.lanes.evaluation(theta) if few else prepared.objective.with_fisher(theta, prepared.fitted)
    whole, held = np.asarray(e.fisher, float), prior_curvature(prepared, theta)
    if not np.isfinite(float(e.value)) or not np.all(np.isfinite(whole)):
        return float(len(theta))
    weights, vectors = np.linalg.eigh(whole)
    keep = weights > _SINGULAR * max(float(weights[-1]), 1e-300)
    data = vectors[:, keep].T @ (whole - held) @ vectors[:, keep]
    return float(np.clip(np.sum(np.diag(data) / weights[keep]), 0.0, len(theta)))
