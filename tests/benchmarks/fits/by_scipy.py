"""SciPy alone: `odeint` (LSODA), `least_squares` (trust region reflective, with bounds), its finite differences."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.benchmarks.fits.outcome import Ended, Outcome, Watch
from tests.benchmarks.fits.problem import FitProblem
from tests.benchmarks.fits.residuals import finished, profiled, residuals

RTOL, ATOL = 1e-8, 1e-8  # finite differences need digits
BAD = 1e8  # a residual where the solve fails
SCALARS = SimpleNamespace(exp=math.exp)  # quicker than NumPy on single numbers


def solver(problem: FitProblem, rtol: float = RTOL, atol: float = ATOL) -> Any:
    """p -> outputs (columns, times), or None where LSODA fails."""
    from scipy.integrate import odeint

    first = problem.times[0] > 0
    times = np.concatenate([[0.0], problem.times]) if first else problem.times
    y0, xp = problem.y0, np if problem.network else SCALARS

    def solve(p: np.ndarray) -> np.ndarray | None:
        given = p if problem.network else p.tolist()

        def rates(y: np.ndarray, t: float) -> Any:
            return problem.rates(xp, t, y if problem.network else y.tolist(), given)

        try:
            ys, said = odeint(rates, y0, times, rtol=rtol, atol=atol, mxstep=5000, full_output=True)
        except (OverflowError, ZeroDivisionError, TypeError):  # complex powers of negative states are a TypeError
            return None
        if said["message"] != "Integration successful." or not np.all(np.isfinite(ys)):
            return None
        return np.array(problem.outputs(ys[1 if first else 0 :].T, p))

    return solve


def run(problem: FitProblem, starts: list[np.ndarray], limit: float) -> Outcome:
    from scipy.optimize import least_squares

    watch, outcome, solve = Watch(), Outcome(), solver(problem)
    kept = [i for i in range(problem.size) if not (profiled(problem) and i in problem.scales)]
    low, high = (b[kept] for b in problem.bounds)
    columns, times = problem.data.shape

    def vector(z: np.ndarray, whole: np.ndarray) -> np.ndarray:
        full = problem.to_log(whole)
        full[kept] = z
        return problem.from_log(full)

    for number, start in enumerate(starts, 1):
        if watch.elapsed > limit:
            break
        watch.renew()

        def of(z: np.ndarray, start: np.ndarray = start) -> np.ndarray:
            p = vector(z, start)
            with np.errstate(all="ignore"):
                outputs = solve(p)
                if outputs is None or not np.all(np.isfinite(outputs)):
                    return residuals(problem, np.full((columns, times), BAD), p)
                watch.hear(finished(problem, outputs, p)[1])
                return residuals(problem, outputs, p)

        found = least_squares(of, problem.to_log(start)[kept], bounds=(low, high), x_scale="jac", diff_step=1e-5, max_nfev=300)
        p = vector(found.x, start)
        outputs = solve(p)
        p, value = (p, math.inf) if outputs is None else finished(problem, outputs, p)
        outcome.ended.append(Ended(number, watch.elapsed, p.tolist(), value, watch.trace, str(found.message)))
    outcome.total = watch.elapsed
    return outcome
