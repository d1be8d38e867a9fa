"""How many numbers' worth of freedom a fit has used: less than it learnt where priors and penalties hold some.

    effective number = trace(F_data (F_data + P)^-1),   P: curvature of priors and penalties

(D. J. C. MacKay, Neural Comput. 4 (1992) 415, eq. 4.9; J. E. Moody, NIPS 4 (1992) 847.)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.fit.prepare import Prepared

MOST = 400  # numbers of which the Fisher matrix is computed
_SINGULAR = 1e-10


def prior_curvature(prepared: Prepared, theta: np.ndarray) -> np.ndarray:
    """Of priors and regularisers (d, d)."""
    objective = prepared.objective
    if not objective.priors and not any(n.reg_l1 or n.reg_l2 for n in objective.networks):
        return np.zeros((len(theta), len(theta)))
    with jax.enable_x64(True):
        smooth = lambda x: sum(objective.prior_and_regulariser(x))  # noqa: E731
        return np.asarray(jax.jit(jax.hessian(smooth))(jnp.asarray(theta)), float)


def effective_number(prepared: Prepared, theta: np.ndarray) -> float:
    """At an optimum theta (d,); d itself with more numbers than the Fisher matrix is computed for, or where it has no value."""
    if len(theta) > MOST or not len(theta):
        return float(len(theta))
    with jax.enable_x64(True):
        e = prepared.objective.with_fisher(theta, prepared.fitted)
    whole, held = np.asarray(e.fisher, float), prior_curvature(prepared, theta)
    if not np.isfinite(float(e.value)) or not np.all(np.isfinite(whole)):
        return float(len(theta))
    weights, vectors = np.linalg.eigh(whole)
    keep = weights > _SINGULAR * max(float(weights[-1]), 1e-300)
    data = vectors[:, keep].T @ (whole - held) @ vectors[:, keep]
    return float(np.clip(np.sum(np.diag(data) / weights[keep]), 0.0, len(theta)))
