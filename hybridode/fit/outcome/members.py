"""An ensemble: other starts of a fit with networks that follow the data about as well as the best. Where there are no data they
learnt other functions, and bands widen (B. Lakshminarayanan et al., NeurIPS 2017)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hybridode.fit.search.starts import StartResult

FILE = "ensemble.npy"  # in the run directory: a row each, unconstrained parameters, then weights
WITHIN = 10.0  # objective over the best up to which another start is a member


def members_of(n_parameters: int, found: Sequence[StartResult], best: StartResult) -> tuple[np.ndarray, ...]:
    """Where the other starts ended that are members; none without networks."""
    if len(best.theta) == n_parameters:
        return ()
    return tuple(r.theta for r in found if r is not best and r.objective <= best.objective + WITHIN)


def members_bytes(members: Sequence[np.ndarray]) -> bytes:
    """The content of the file."""
    stream = io.BytesIO()
    np.save(stream, np.array(members, float), allow_pickle=False)
    return stream.getvalue()


def members_in(path: Path, numbers: int) -> tuple[np.ndarray, ...]:
    """Back from the file; none where there is no file, or one of vectors of another length."""
    if not path.is_file():
        return ()
    rows = np.load(path, allow_pickle=False)
    return tuple(rows) if rows.ndim == 2 and rows.shape[1] == numbers else ()
