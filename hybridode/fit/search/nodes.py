"""Where the pieces of multiple shooting begin: observed states on their smooth curves, others where the model puts them.

A state that nobody observes is carried by the model from piece to piece, which a wrong parameter leads astray. Where the rates of
observed states depend on it, their slopes say what it is (for x' = s (y - x) with x observed: y = x + x'/s): it is moved to where
rates and slopes agree best, as far as they determine it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import numpy_arguments
from hybridode.fit.search.pieces import Pieces
from hybridode.fit.search.smooth import Curve
from hybridode.solve import native

_ITERATIONS = 4
_TIE = 0.01  # how strongly a state is held where the model takes it, per its size, against slopes in their spread
_STEP = 1e-5

Rates = Callable[[float, np.ndarray], np.ndarray]


def first_nodes(
    objective: Objective, pieces: Pieces, curves: Sequence[Mapping[Symbol, Curve]], theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the pieces begin (L, n) and the spread of each state (n,) at theta."""
    compiled, lanes = objective.compiled, pieces.batch
    states = compiled.system.states
    nodes, y = np.zeros((pieces.count, compiled.size)), np.zeros(compiled.size)
    values, slopes = _on_curves(pieces, curves, states)
    sizes = np.array([np.std(column[np.isfinite(column)]) if np.any(np.isfinite(column)) else 0.0 for column in slopes.T])
    sizes = np.where(sizes > 0, sizes, 1.0)
    for lane in range(pieces.count):
        args = numpy_arguments(objective, lanes, lane, theta)
        t0 = float(lanes.t0[lane])
        if pieces.first[lane]:
            y = np.array(compiled.numbers("start", t0, np.zeros(0), args))
        seen = np.isfinite(values[lane])
        y[seen] = values[lane, seen]
        if not np.all(seen) and np.any(seen) and not compiled.system.unknowns:
            y = _by_slopes(compiled.along("rates", args), t0, y, seen, slopes[lane], sizes)
        nodes[lane] = y
        if not np.all(seen):
            end = np.array([float(lanes.horizon[lane])])
            raw = native.solve_numbers(compiled, args, t0, end, objective.method, objective.settings, np.array(y))
            y = np.array(raw.ys[-1]) if np.all(np.isfinite(raw.ys[-1])) else np.array(y)
    spread = np.std(nodes, axis=0)
    size = np.mean(np.abs(nodes), axis=0)
    return nodes, np.maximum(spread, np.where(size > 0, 1e-3 * size, 1.0))


def _on_curves(
    pieces: Pieces, curves: Sequence[Mapping[Symbol, Curve]], states: Sequence[Symbol]
) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes (L, n) of the curves where the pieces begin; NaN of states without one."""
    values, slopes = (np.full((pieces.count, len(states)), np.nan) for _ in range(2))
    for row in np.unique(pieces.owner):
        mine = np.flatnonzero(pieces.owner == row)
        for i, s in enumerate(states):
            if s in curves[row]:
                curve = curves[row][s]
                t = np.clip(np.asarray(pieces.batch.t0)[mine], curve.start, curve.end)
                values[mine, i], slopes[mine, i] = curve.value(t), curve.slope(t)
    return values, slopes


def _by_slopes(rates: Rates, t: float, y: np.ndarray, seen: np.ndarray, slopes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """y with the unseen states where the rates of the seen ones come nearest to their slopes (Gauss and Newton, held to where
    they were); y itself where that cannot be computed or brings nothing."""
    free = np.flatnonzero(~seen)
    size = np.maximum(np.abs(y[free]), float(np.mean(np.abs(y[seen]))) or 1.0)  # one near 0 is not held there

    def misfit(u: np.ndarray) -> np.ndarray:
        at = np.array(y)
        at[free] = y[free] + u * size
        with np.errstate(all="ignore"):
            left = (np.asarray(rates(t, at), float)[seen] - slopes[seen]) / sizes[seen]
        return np.concatenate([left, _TIE * u])

    u = np.zeros(len(free))
    r = misfit(u)
    for _ in range(_ITERATIONS):
        if not np.all(np.isfinite(r)):
            break
        jacobian = np.stack([(misfit(u + _STEP * e) - r) / _STEP for e in np.eye(len(free))], axis=1)
        if not np.all(np.isfinite(jacobian)):
            break
        trial = u - np.linalg.lstsq(jacobian, r, rcond=None)[0]
        left = misfit(trial)
        if not np.sum(left**2) < np.sum(r**2):
            break
        u, r = trial, left
    out = np.array(y)
    out[free] += u * size
    return out
