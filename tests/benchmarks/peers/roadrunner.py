"""libRoadRunner: SBML (from Antimony) to LLVM, CVODE."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from hybridode.equations.system import EquationSystem
from hybridode.expr import Symbol
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.benchmarks.peers.text import ANTIMONY, equations, lines, numbers
from tests.problems import Problem


def name(symbol: Symbol) -> str:
    """Prefixed: some letters mean something in SBML."""
    return "time" if symbol.kind == "time" else f"v_{symbol.name}"


def model_text(system: EquationSystem) -> str:
    """Rate rules and assignment rules in Antimony."""
    definitions, rates = lines(system, ANTIMONY, name)
    p, y0 = numbers(system)
    body = [f"{left} := {right};" for left, right in definitions]
    body += [f"{name(s)}' = {rate};" for s, rate in zip(system.states, rates, strict=True)]
    body += [f"{name(s)} = {v!r};" for s, v in zip((*system.states, *system.parameters), (*y0, *p), strict=True)]
    return "\n".join(["model peer", *body, "end"])


def compiled(system: EquationSystem, stiff: bool, rtol: float = 1e-6, atol: float = 1e-12) -> Any:
    """The model in machine code, reporting all states in order."""
    import antimony
    import roadrunner

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(model_text(system)) < 0:
        raise CannotSolve(antimony.getLastError())
    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_FATAL)
    model = roadrunner.RoadRunner(antimony.getSBMLString("peer"))
    model.timeCourseSelections = [name(s) for s in system.states]
    set_up(model, stiff, rtol, atol)
    return model


def set_up(model: Any, stiff: bool, rtol: float, atol: float) -> None:
    integrator = model.getIntegrator()
    integrator.stiff, integrator.maximum_num_steps = stiff, 1_000_000
    integrator.relative_tolerance, integrator.absolute_tolerance = rtol, atol


def prepare(problem: Problem, stiff: bool) -> At:
    model = compiled(equations(problem.text), stiff)
    given: list[float] = []

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            if given != [rtol, atol]:  # asked here, because reading a setting of the integrator takes as long as a solve
                set_up(model, stiff, rtol, atol)
                given[:] = rtol, atol
            model.reset()
            try:
                return np.array(model.simulate(0.0, problem.end, 2)[-1])
            except RuntimeError as error:
                raise CannotSolve(str(error).strip().splitlines()[-1]) from error

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    method = "BDF" if stiff else "Adams"
    return [Peer(f"libRoadRunner (CVODE {method})", "libRoadRunner", "libroadrunner", partial(prepare, stiff=stiff))]
