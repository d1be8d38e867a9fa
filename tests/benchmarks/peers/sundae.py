"""scikit-sundae: CVODE with the right-hand side in Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

import hybridode as ho
from tests.benchmarks.peers.generated import function, values
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.problems import Problem


def prepare(problem: Problem, method: str) -> At:
    from sksundae.cvode import CVODE

    rates, (p, y0) = function(problem.text), values(problem.text)

    def right(t: float, y: Any, out: Any) -> None:
        out[:] = rates(y.tolist(), p, t)

    def at(rtol: float, atol: float) -> Runner:
        solver = CVODE(right, method=method, rtol=rtol, atol=atol, max_num_steps=1_000_000)
        times, start = np.array([0.0, problem.end]), np.array(y0)

        def runner() -> np.ndarray:
            found = solver.solve(times, start)
            if not found.success:
                raise CannotSolve(found.message)
            return found.y[-1]

        return runner

    return at


def sparse(problem: Problem, rates: Callable[[float, np.ndarray, np.ndarray], None], solver: str) -> At:
    """CVODE's BDF for a large system, rates in NumPy, with its banded ("band": one neighbour) or its sparse linear solver."""
    from sksundae.cvode import CVODE

    options: dict[str, Any] = {"linsolver": solver, "lband": 1, "uband": 1}
    if solver == "sparse":
        compiled = ho.parse(problem.text).compiled()
        rows, columns = compiled.jacobian_places
        options = {"linsolver": solver, "sparsity": csc_matrix((np.ones(len(rows)), (rows, columns)))}
    start = np.array(values(problem.text)[1])

    def at(rtol: float, atol: float) -> Runner:
        made = CVODE(rates, method="BDF", rtol=rtol, atol=atol, max_num_steps=1_000_000, **options)

        def runner() -> np.ndarray:
            found = made.solve(np.array([0.0, problem.end]), start)
            if not found.success:
                raise CannotSolve(found.message)
            return found.y[-1]

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    name = "CVODE (scikit-sundae)"
    return [Peer(name, name, "scikit-sundae", partial(prepare, method="BDF" if stiff else "Adams"))]
