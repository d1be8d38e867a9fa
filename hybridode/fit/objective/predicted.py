"""What a model predicts at theta in NumPy: nothing is compiled beside the machine code of a solve."""

from __future__ import annotations

import jax
import numpy as np

from hybridode.fit.objective.assignment import assigned
from hybridode.fit.objective.batch import Batch, series_of
from hybridode.fit.objective.direct.evaluate import Direct, cannot
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import unpack
from hybridode.solve import native, results
from hybridode.solve.problem import Arguments


def cannot_predict(objective: Objective, batch: Batch) -> str | None:
    """Why `locations` cannot be had, in words, or None."""
    if objective.settings.engine != "native":
        return "a fit by Diffrax is not compared with a smooth curve"
    if batch.steady is not None:
        return "a fit with steady states is not compared with a smooth curve"
    if batch.before is not None:
        return "a fit whose series begin in a steady state is not compared with a smooth curve"
    return None


def numpy_arguments(objective: Objective, batch: Batch, row: int, theta: np.ndarray) -> Arguments:
    """The numbers of one series at theta, in NumPy, with the inputs' values at its start."""
    series: Batch = jax.tree_util.tree_map(np.asarray, series_of(batch, row))
    z, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
    p = assigned(objective.space.vector(z), objective.base, series.numbers, series.index)
    args = Arguments(p, weights, series.signals, np.zeros(series.signals.count), series.doses)
    return args.at_start(float(series.t0))


def locations(objective: Objective, batch: Batch, theta: np.ndarray, starts: np.ndarray | None = None) -> list[np.ndarray]:
    """Per observation its predicted location at the records (S, R); NaN where a solve failed. `starts` (S, n): of each series,
    in the place of the model's own. For models that the native engine solves."""
    found = [np.full(np.shape(c.value), np.nan) for c in batch.columns]
    if starts is None and cannot(objective, batch) is None:
        _, observed, codes = Direct(objective).along(theta, batch, np.minimum(batch.ts, np.asarray(batch.horizon)[:, None]))
        for k, (c, where, noise) in enumerate(zip(batch.columns, objective.argument_places, objective.rows, strict=True)):
            at = observed[np.arange(batch.count)[:, None], np.asarray(c.time)][..., where]
            with np.errstate(all="ignore"):
                located = noise.location(*np.moveaxis(at, -1, 0))
            found[k] = np.where((codes == results.SUCCESS)[:, None], located, np.nan)
        return found
    for row in range(batch.count):
        args = numpy_arguments(objective, batch, row, theta)
        ts = np.minimum(np.asarray(batch.ts)[row], float(batch.horizon[row]))
        y0 = None if starts is None else starts[row]
        raw = native.solve_numbers(objective.compiled, args, float(batch.t0[row]), ts, objective.method, objective.settings, y0)
        if int(raw.result) != results.SUCCESS:
            continue
        with np.errstate(all="ignore"):
            observe = objective.compiled.along("observables", args)
            values = np.stack([observe(t, y) for t, y in zip(ts, np.asarray(raw.ys_left), strict=True)])
            for k, (c, where, noise) in enumerate(zip(batch.columns, objective.argument_places, objective.rows, strict=True)):
                found[k][row] = noise.location(*np.moveaxis(values[np.asarray(c.time)[row]][:, where], -1, 0))
    return found
