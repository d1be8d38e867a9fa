"""pyPESTO with AMICI: CVODES with forward sensitivities, Fides with the Fisher matrix in the place of the Hessian.

This is what pyPESTO's authors recommend for such problems (https://doi.org/10.1371/journal.pcbi.1010322); the model is compiled
from SBML, parameters are searched on a log scale within their bounds.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.fits.outcome import Ended, Outcome, Watch
from tests.benchmarks.fits.problem import FitProblem

RTOL, ATOL = 1e-6, 1e-8


def weight_names(problem: FitProblem) -> list[str]:
    return [f"w{k}" for k in range(problem.size - problem.count)]


def network_text(problem: FitProblem) -> list[str]:
    """A network written out, a line for each unit."""
    n = problem.network
    if n is None:
        return []
    names = iter(weight_names(problem))
    before = [f"({x} - {m!r})/{s!r}" for x, m, s in zip(n.inputs, n.shift, n.scale, strict=True)]
    lines = []
    for layer, (inside, outside) in enumerate(zip(n.sizes[:-1], n.sizes[1:], strict=True)):
        last = layer == len(n.sizes) - 2
        matrix = [[next(names) for _ in range(inside)] for _ in range(outside)]
        sums = [" + ".join(f"{w}*({x})" for w, x in zip(row, before, strict=True)) + f" + {next(names)}" for row in matrix]
        made = list(n.outputs) if last else [f"unit_{layer}_{k}" for k in range(outside)]
        lines += [f"{u} := " + (f"{n.out_scale!r}*({s})" if last else f"tanh({s})") for u, s in zip(made, sums, strict=True)]
        before = made
    return lines


def antimony_text(problem: FitProblem) -> str:
    lines = [f"{name} := {expression.format(t='time')}" for name, expression in problem.definitions]
    lines += network_text(problem)
    lines += [f"{name}' = {rate}; {name} = {y0!r}" for (name, y0), rate in zip(problem.states, problem.equations, strict=True)]
    lines += [f"{p.name} = {float(np.sqrt(p.low * p.high))!r}" for p in problem.parameters]
    lines += [f"{name} = 0.1" for name in weight_names(problem)]
    return "\n".join(["model peer", *(f"  {line};" for line in lines), "end"])


def compiled(problem: FitProblem) -> Any:
    import antimony
    from amici import MeasurementChannel, SbmlImporter

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(antimony_text(problem)) < 0:
        raise RuntimeError(antimony.getLastError())
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # SWIG of the version it was built with
    importer = SbmlImporter(antimony.getSBMLString("peer"), from_file=False)
    channels = [
        MeasurementChannel(f"observed_{column}", formula=expression, sigma=s) for column, expression, s in problem.observed
    ]
    made = importer.sbml2amici(
        f"fit_{problem.name}",
        tempfile.mkdtemp(prefix="hybridode-amici-"),
        observation_model=channels,
        compute_conservation_laws=False,
    )
    if made is None:
        raise RuntimeError("the model was not compiled")
    return made


def objective(problem: FitProblem, model: Any) -> Any:
    """pyPESTO's problem, searched on a log scale (weights: on their own)."""
    import pypesto
    from amici.sim.sundials import (
        ExpData,
        ParameterScaling,
        SensitivityMethod,
        SensitivityOrder,
        parameter_scaling_from_int_vector,
    )

    wanted = [*problem.names, *weight_names(problem)]
    known = list(model.get_free_parameter_ids())
    assert sorted(wanted) == sorted(known), f"{known}"
    scale = [ParameterScaling.none if name.startswith("w") and name[1:].isdigit() else ParameterScaling.ln for name in known]
    model.set_parameter_scale(parameter_scaling_from_int_vector([int(s) for s in scale]))
    model.set_timepoints(problem.times.tolist())
    solver = model.create_solver()
    solver.set_relative_tolerance(RTOL)
    solver.set_absolute_tolerance(ATOL)
    solver.set_sensitivity_order(SensitivityOrder.first)
    solver.set_sensitivity_method(SensitivityMethod.forward)
    data = ExpData(model)
    data.set_timepoints(problem.times.tolist())
    data.set_measurements(problem.data.T.ravel().tolist())
    order = [wanted.index(name) for name in known]
    made = pypesto.AmiciObjective(model, solver, [data], max_sensi_order=1)
    low, high = (b[order] for b in problem.bounds)
    return pypesto.Problem(made, lb=low, ub=high, x_names=known, x_scales=["lin"] * len(known)), order


def run(problem: FitProblem, starts: list[np.ndarray], limit: float) -> Outcome:
    for heavy in ("amici", "amici.sim.sundials", "antimony", "petab.v1"):  # imports are not counted
        import_module(heavy)
    import fides
    import pypesto
    import pypesto.optimize

    warnings.simplefilter("ignore")
    for name in ("pypesto", "amici", "fides"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    watch, outcome = Watch(), Outcome()
    fit, order = objective(problem, compiled(problem))
    optimizer = pypesto.optimize.FidesOptimizer(verbose=logging.CRITICAL, options={fides.Options.MAXITER: 300})
    outcome.setup = watch.elapsed
    recording = pypesto.HistoryOptions(trace_record=True)
    for number, start in enumerate(starts, 1):
        if watch.elapsed - outcome.setup > limit:
            break
        began = watch.elapsed
        fit.set_x_guesses(problem.to_log(start)[order][None])
        found = pypesto.optimize.minimize(
            fit, optimizer, n_starts=1, history_options=recording, progress_bar=False,
            filename=None,
        ).optimize_result.list[0]  # fmt: skip
        z = np.empty(problem.size)
        z[order] = found.x
        history = found.history
        values = np.minimum.accumulate(np.nan_to_num(np.asarray(history.get_fval_trace(), float), nan=np.inf))
        trace = [(began + float(s), float(v)) for s, v in zip(history.get_time_trace(), values, strict=True) if np.isfinite(v)]
        value = float(found.fval) if found.fval is not None and np.isfinite(found.fval) else float("inf")
        outcome.ended.append(Ended(number, watch.elapsed, problem.from_log(z).tolist(), value, trace, str(found.message)))
    outcome.total = watch.elapsed
    return outcome
