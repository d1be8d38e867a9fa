"""Other places where starts of a fit ended, nearly as good as the best: a posterior may have a part there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.search.starts import StartResult

FILE = "optima.csv"
_WITHIN = 6.0  # log-likelihood below the best
_APART = 1e-2  # on the unconstrained scale
_MOST = 16


def rivals_of(space: ParameterSpace, found: Sequence[StartResult], theta: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where other starts converged, the best first. Networks have as many equal optima as their units can be exchanged: of models
    with networks nothing is kept."""
    if len(theta) > space.size or not space.size:
        return ()
    best = min((r.objective for r in found), default=np.inf)
    rivals: list[np.ndarray] = []
    for r in sorted(found, key=lambda r: r.objective):
        near = r.status == "converged" and r.objective < best + _WITHIN
        if near and all(np.max(np.abs(r.theta - other)) > _APART for other in (theta, *rivals)):
            rivals.append(r.theta)
    return tuple(rivals[:_MOST])


def rivals_table(space: ParameterSpace, rivals: Sequence[np.ndarray]) -> pd.DataFrame:
    """One row each, natural values by name."""
    return pd.DataFrame([space.vector(z) for z in rivals], columns=list(space.names))


def rivals_in(space: ParameterSpace, table: pd.DataFrame | None) -> tuple[np.ndarray, ...]:
    """Back from the table; none where it has other parameters."""
    if table is None or list(table.columns) != list(space.names):
        return ()
    return tuple(space.unconstrain_vector(row) for row in table.to_numpy(float))
