"""scikit-sundae: CVODE with the right-hand side in Python."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

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


def peers(stiff: bool) -> list[Peer]:
    name = "CVODE (scikit-sundae)"
    return [Peer(name, name, "scikit-sundae", partial(prepare, method="BDF" if stiff else "Adams"))]
