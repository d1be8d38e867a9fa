"""SciPy, the right-hand side in Python: ODEPACK's LSODA (`odeint`, the quickest way to it), Radau, DOP853."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np

from tests.benchmarks.peers.generated import function, values
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.problems import Problem


def prepare(problem: Problem, method: str) -> At:
    """`solve_ivp`."""
    from scipy.integrate import solve_ivp

    rates, (p, y0) = function(problem.text), values(problem.text)

    def right(t: float, y: np.ndarray) -> list[float]:
        return rates(y.tolist(), p, t)

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            found = solve_ivp(right, (0.0, problem.end), y0, method, [problem.end], rtol=rtol, atol=atol)
            if not found.success:
                raise CannotSolve(found.message)
            return found.y[:, -1]

        return runner

    return at


def prepare_odeint(problem: Problem) -> At:
    """`odeint`: LSODA with the loop in Fortran."""
    from scipy.integrate import ODEintWarning, odeint

    rates, (p, y0), times = function(problem.text), values(problem.text), [0.0, problem.end]

    def right(t: float, y: np.ndarray) -> list[float]:
        return rates(y.tolist(), p, t)

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            with warnings.catch_warnings():
                warnings.simplefilter("error", ODEintWarning)
                try:
                    found = odeint(right, y0, times, rtol=rtol, atol=atol, tfirst=True, mxstep=1_000_000)
                except ODEintWarning as warning:
                    raise CannotSolve(str(warning)) from warning
            return found[-1]

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    lsoda = Peer("SciPy LSODA", "SciPy LSODA", "scipy", prepare_odeint)
    name = "Radau" if stiff else "DOP853"
    return [lsoda, Peer(f"SciPy {name}", f"SciPy {name}", "scipy", partial(prepare, method=name))]
