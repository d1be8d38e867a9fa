"""Laplace's approximation: a normal distribution round the optimum, with the inverse of the Fisher matrix as covariance.

The matrix holds the curvature of priors and regularisers. What it knows nothing about gets a floor: parameters may lie anywhere
within 7 e-folds (2.5 sd), weights without a regulariser anywhere within a standard deviation of 3, so that bands widen where
there are no data (D. J. C. MacKay, Neural Comput. 4 (1992) 448).
"""

from __future__ import annotations

import numpy as np

from hybridode.fit.parameters import ParameterSpace

FLOOR = 0.02  # information about an unconstrained parameter, per unit squared, that is there in any case
_SMALL = 0.1  # of a number that already has this much more than the floor nothing is added
WEIGHT_SD = 3.0  # of a weight that nothing holds


def covariance(space: ParameterSpace, fisher: np.ndarray) -> np.ndarray:
    """Covariance (d, d) of unconstrained parameters (k,) and weights of a Fisher matrix (d, d)."""
    floor = np.full(len(fisher), WEIGHT_SD**-2)
    floor[: space.size] = FLOOR
    values, vectors = np.linalg.eigh((fisher + fisher.T) / 2)
    own = np.einsum("ij,i,ij->j", vectors, floor, vectors)  # the floor along each direction
    known = np.maximum(values, 0.0)
    return (vectors / np.where(known > own / _SMALL, known, known + own)) @ vectors.T
