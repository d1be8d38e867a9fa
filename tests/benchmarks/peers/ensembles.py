"""Ensembles of POLLU: each trajectory has its own 25 parameters, within 30 % of the published ones.

`prepare(problem, rtol, atol) -> run`, and `run(parameters (B, m)) -> states at the end (B, n)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import hybridode as ho
from tests.benchmarks.peers import casadi as casadi_peer
from tests.benchmarks.peers import diffrax as diffrax_peer
from tests.benchmarks.peers import ours, roadrunner
from tests.benchmarks.peers import pydiffsol as pydiffsol_peer
from tests.benchmarks.peers.generated import values
from tests.benchmarks.peers.text import equations, numbers
from tests.problems import Problem

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ensemble:
    """`most`: more trajectories than this take too long; throughput does not depend on it."""

    name: str
    package: str
    most: int
    prepare: Callable[[Problem, float, float], Run]


def prepare_ours(problem: Problem, rtol: float, atol: float, method: str, batched: bool = True) -> Run:
    import jax

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    names = ours.parameter_names(model)
    solve = ours.solver(model, problem.end, rtol, atol, method)

    def one(p: Any) -> Any:
        return solve(dict(zip(names, p, strict=True))).states[-1]

    if batched:
        every = jax.jit(jax.vmap(one))
        return lambda parameters: np.asarray(every(parameters))
    single = jax.jit(one)
    return lambda parameters: np.array([np.asarray(single(p)) for p in parameters])


def prepare_diffrax(problem: Problem, rtol: float, atol: float, solver: str) -> Run:
    import diffrax
    import jax

    jax.config.update("jax_enable_x64", True)
    y0 = jax.numpy.array(values(problem.text)[1])
    solve = diffrax_peer.solve_function(problem.text, problem.end, solver, adjoint=diffrax.ForwardMode())
    every = jax.jit(jax.vmap(lambda p: diffrax_peer.last(solve(p, y0, rtol, atol))))
    return lambda parameters: np.asarray(every(parameters))


def prepare_pydiffsol(problem: Problem, rtol: float, atol: float) -> Run:
    import pydiffsol

    ode = pydiffsol_peer.model(equations(problem.text))
    ode.ode_solver, ode.rtol, ode.atol = pydiffsol.bdf, rtol, atol
    return lambda parameters: np.array([ode.solve(p, problem.end).ys[:, -1] for p in parameters])


def prepare_casadi(problem: Problem, rtol: float, atol: float) -> Run:
    system = equations(problem.text)
    y0 = numbers(system)[1]
    solve = casadi_peer.integrator(system, "cvodes", problem.end, rtol, atol)
    return lambda parameters: np.array([np.array(solve(x0=y0, p=p)["xf"]).ravel() for p in parameters])


def prepare_roadrunner(problem: Problem, rtol: float, atol: float) -> Run:
    system = equations(problem.text)
    model = roadrunner.compiled(system, True, rtol, atol)
    names, inner = [roadrunner.name(s) for s in system.parameters], model.model
    places = [list(inner.getGlobalParameterIds()).index(name) for name in names]

    def one(p: np.ndarray) -> np.ndarray:
        model.reset()
        inner.setGlobalParameterValues(places, p)
        return np.array(model.simulate(0.0, problem.end, 2)[-1])

    return lambda parameters: np.array([one(p) for p in parameters])


def ensembles() -> list[Ensemble]:
    own = [("Rodas4", "rodas4"), ("Rodas5P", "rodas5p")]
    return [
        *(Ensemble(f"hybridode {title}, vmap", "hybridode", 10**6, partial(prepare_ours, method=m)) for title, m in own),
        *(Ensemble(f"hybridode {title}, one by one", "hybridode", 1000, partial(prepare_ours, method=m, batched=False))
          for title, m in own),
        Ensemble("pydiffsol BDF, one by one", "pydiffsol", 500, prepare_pydiffsol),
        Ensemble("libRoadRunner (CVODE BDF), one by one", "libroadrunner", 500, prepare_roadrunner),
        Ensemble("CVODES (CasADi), one by one", "casadi", 300, prepare_casadi),
        *(Ensemble(f"Diffrax {s}, vmap", "diffrax", 1000, partial(prepare_diffrax, solver=s)) for s in ("Kvaerno3", "Kvaerno5")),
    ]  # fmt: skip
