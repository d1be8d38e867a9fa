"""A fit whose result is a solution in pieces: its curves, its value, its standard errors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Evaluation, Objective
from hybridode.fit.objective.predicted import numpy_arguments
from hybridode.fit.outcome.tables import Curves, grid_of
from hybridode.fit.outcome.uncertainty import Uncertainty, uncertainty
from hybridode.fit.search.rungs import InPieces
from hybridode.fit.search.shooting import covariance
from hybridode.solve import native


def curves_in_pieces(objective: Objective, dataset: Dataset, batch: Batch, solution: InPieces) -> Curves:
    """As `solve_curves`: every time is solved from the start of the piece that it lies in; the last piece goes on to the end."""
    pieces, shot, compiled = solution.pieces, solution.shot, objective.compiled
    ts = grid_of(dataset)
    states = np.full((*ts.shape, compiled.size), np.nan)
    observed = np.full((*ts.shape, len(compiled.observable_index)), np.nan)
    codes, sliding = np.zeros(len(ts), int), np.zeros(len(ts), int)
    for row in range(len(ts)):
        args = numpy_arguments(objective, batch, row, shot.theta)
        observe = compiled.along("observables", args)
        lanes = np.flatnonzero(pieces.owner == row)
        which = np.searchsorted(pieces.batch.t0[lanes], ts[row], side="right") - 1
        for place, lane in enumerate(lanes):
            mine = np.flatnonzero(which == place)
            if not len(mine):
                continue
            t0 = float(pieces.batch.t0[lane])
            raw = native.solve_numbers(compiled, args, t0, ts[row, mine], objective.method, objective.settings, shot.nodes[lane])
            codes[row] = codes[row] or int(raw.result)
            sliding[row] |= int(raw.stats["sliding"])
            states[row, mine] = raw.ys_left
            with np.errstate(all="ignore"):
                observed[row, mine] = [observe(t, y) for t, y in zip(ts[row, mine], raw.ys_left, strict=True)]
    return Curves(ts, states, observed, codes, sliding)


def value_in_pieces(objective: Objective, solution: InPieces) -> tuple[Evaluation, Uncertainty]:
    """Value with its parts, and standard errors from the constrained problem (Bock 1981)."""
    shot = solution.shot
    parts = np.array([float(shot.linear.value), *(float(x) for x in objective.prior_and_regulariser(jnp.asarray(shot.theta)))])
    spread = covariance(solution.pieces, shot)
    fisher = np.linalg.pinv(0.5 * (spread + spread.T), hermitian=True)
    found = uncertainty(objective.space, shot.theta[: objective.n_parameters], fisher)
    return Evaluation(shot.value, np.zeros(len(shot.theta)), fisher, shot.linear.results, shot.linear.impossible, parts), found
