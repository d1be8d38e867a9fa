"""Diffrax as its documentation says, under jax.jit; tolerances are traced, so that each solver compiles once a problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.peers.generated import function, values
from tests.benchmarks.peers.peer import At, Peer, Runner
from tests.problems import Problem

STIFF, NONSTIFF = ("Kvaerno3", "Kvaerno5", "Kvaerno4"), ("Tsit5", "Dopri8")


def solve_function(text: str, end: float, solver: str, **options: Any) -> Callable[[Any, Any, Any, Any], Any]:
    """(p, y0, rtol, atol) -> Diffrax's solution at `end`, to be traced. `options` go to `diffeqsolve`."""
    import diffrax
    import jax.numpy as jnp

    rates = function(text, jnp)

    def solve(p: Any, y0: Any, rtol: Any, atol: Any) -> Any:
        term = diffrax.ODETerm(lambda t, y, p: jnp.stack(rates(y, p, t)))
        controller = diffrax.PIDController(rtol=rtol, atol=atol)
        method = getattr(diffrax, solver)()
        given = {"max_steps": 2**20, "throw": False, **options}
        return diffrax.diffeqsolve(term, method, 0.0, end, None, y0, p, stepsize_controller=controller, **given)

    return solve


def last(solution: Any) -> Any:
    """The states at the end, NaN where a solve failed."""
    import diffrax
    import jax.numpy as jnp

    return jnp.where(solution.result == diffrax.RESULTS.successful, solution.ys[-1], jnp.nan)


def prepare(problem: Problem, solver: str) -> At:
    import jax

    jax.config.update("jax_enable_x64", True)
    import diffrax

    # Quicker than the default adjoint where no derivative is wanted: a plain while loop.
    function = solve_function(problem.text, problem.end, solver, adjoint=diffrax.ForwardMode())
    solve = jax.jit(lambda *numbers: last(function(*numbers)))
    p, y0 = (jax.numpy.array(v) for v in values(problem.text))

    def at(rtol: float, atol: float) -> Runner:
        return lambda: np.asarray(solve(p, y0, rtol, atol))

    return at


def peers(stiff: bool) -> list[Peer]:
    return [Peer(f"Diffrax {s}", "Diffrax", "diffrax", partial(prepare, solver=s)) for s in (STIFF if stiff else NONSTIFF)]
