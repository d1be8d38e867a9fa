"""Value and gradient of the sum of the states at the end, with respect to all parameters and all initial values.

A runner gives [value, parameters…, initial values…].
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import hybridode as ho
from tests.benchmarks.peers import amici as amici_peer
from tests.benchmarks.peers import casadi as casadi_peer
from tests.benchmarks.peers import diffrax as diffrax_peer
from tests.benchmarks.peers import ours
from tests.benchmarks.peers import pydiffsol as pydiffsol_peer
from tests.benchmarks.peers.generated import values
from tests.benchmarks.peers.peer import At, Peer, Runner
from tests.benchmarks.peers.text import equations, numbers
from tests.problems import Problem


def _flat(value_and_gradient: Any, p: Any, y0: Any) -> Runner:
    """A runner of a jitted function (p, y0) -> (value, (by p, by y0))."""

    def runner() -> np.ndarray:
        value, gradient = value_and_gradient(p, y0)
        return np.concatenate([[value], *(np.asarray(g) for g in gradient)])

    return runner


def prepare_ours(problem: Problem, method: str) -> At:
    import jax

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    names, (p, y0) = ours.parameter_names(model), (jax.numpy.array(v) for v in values(problem.text))

    def at(rtol: float, atol: float) -> Runner:
        solve = ours.solver(model, problem.end, rtol, atol, method)

        def loss(p: Any, y0: Any) -> Any:
            return solve(dict(zip(names, p, strict=True)), y0).states[-1].sum()

        return _flat(jax.jit(jax.value_and_grad(loss, (0, 1))), p, y0)

    return at


def prepare_diffrax(problem: Problem, solver: str) -> At:
    import jax

    jax.config.update("jax_enable_x64", True)
    p, y0 = (jax.numpy.array(v) for v in values(problem.text))
    solve = diffrax_peer.solve_function(problem.text, problem.end, solver, max_steps=4096)

    def at(rtol: float, atol: float) -> Runner:
        def loss(p: Any, y0: Any) -> Any:
            return solve(p, y0, rtol, atol).ys[-1].sum()

        return _flat(jax.jit(jax.value_and_grad(loss, (0, 1))), p, y0)

    return at


def prepare_casadi(problem: Problem) -> At:
    import casadi

    system = equations(problem.text)
    p, y0 = numbers(system)

    def at(rtol: float, atol: float) -> Runner:
        solve = casadi_peer.integrator(system, "cvodes", problem.end, rtol, atol)
        x, q = casadi.MX.sym("x", len(y0)), casadi.MX.sym("q", len(p))
        value = casadi.sum1(solve(x0=x, p=q)["xf"])
        run = casadi.Function("gradient", [x, q], [casadi.vertcat(value, casadi.gradient(value, q), casadi.gradient(value, x))])
        return lambda: np.array(run(y0, p)).ravel()

    return at


def prepare_pydiffsol(problem: Problem, adjoint: bool) -> At:
    import pydiffsol

    system = equations(problem.text)
    ode = pydiffsol_peer.model(system, starts=True)
    p, y0 = numbers(system)
    given, times, ones = np.array([*p, *y0]), np.array([problem.end]), np.ones((len(y0), 1))

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            ode.ode_solver, ode.rtol, ode.atol = pydiffsol.bdf, rtol, atol
            if adjoint:
                solution, checkpoint = ode.solve_adjoint_fwd(given, times)
                slopes = np.ravel(ode.solve_adjoint_bkwd(solution, checkpoint, ones))
            else:
                solution = ode.solve_fwd_sens(given, times)
                slopes = np.array([s[:, -1].sum() for s in solution.sens])
            return np.concatenate([[solution.ys[:, -1].sum()], slopes])

        return runner

    return at


def peers() -> list[Peer]:
    """Those that differentiate stiff solves."""
    own = [("Rodas4", "rodas4"), ("Rodas5P", "rodas5p")]
    return [
        *(Peer(f"hybridode {title}", "hybridode", "hybridode", partial(prepare_ours, method=m)) for title, m in own),
        *(Peer(f"pydiffsol BDF, {words}", "pydiffsol", "pydiffsol", partial(prepare_pydiffsol, adjoint=adjoint))
          for words, adjoint in (("forward", False), ("adjoint", True))),
        Peer("AMICI (CVODES), forward", "AMICI", "amici", amici_peer.prepare_gradient),
        Peer("CVODES (CasADi), adjoint", "CVODES (CasADi)", "casadi", prepare_casadi),
        *(Peer(f"Diffrax {s}, reverse", "Diffrax", "diffrax", partial(prepare_diffrax, solver=s))
          for s in ("Kvaerno3", "Kvaerno5")),
    ]  # fmt: skip
