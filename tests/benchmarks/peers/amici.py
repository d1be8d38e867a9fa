"""AMICI: SBML (from Antimony) to C++, CVODES with symbolic Jacobian (KLU) and forward sensitivities.

It is compiled from source, and so is every model (a minute each), so it is an extra of its own and does one problem.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hybridode.equations.system import EquationSystem
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.benchmarks.peers.roadrunner import name
from tests.benchmarks.peers.text import ANTIMONY, equations, lines, numbers
from tests.problems import Problem


def model_text(system: EquationSystem) -> str:
    """Antimony, where every start is a parameter of its own."""
    definitions, rates = lines(system, ANTIMONY, name)
    p, y0 = numbers(system)
    body = [f"{left} := {right};" for left, right in definitions]
    body += [f"{name(s)}' = {rate}; {name(s)} = start_{name(s)};" for s, rate in zip(system.states, rates, strict=True)]
    body += [f"start_{name(s)} = {v!r};" for s, v in zip(system.states, y0, strict=True)]
    body += [f"{name(s)} = {v!r};" for s, v in zip(system.parameters, p, strict=True)]
    return "\n".join(["model peer", *body, "end"])


@cache
def model(text: str) -> Any:
    """The compiled model of a text of ours; once a process."""
    import antimony
    from amici import SbmlImporter

    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(model_text(equations(text))) < 0:
        raise CannotSolve(antimony.getLastError())
    os.environ["PATH"] = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # SWIG, of the version it was built with
    )
    folder = tempfile.mkdtemp(prefix="hybridode-amici-")
    importer = SbmlImporter(antimony.getSBMLString("peer"), from_file=False)
    made = importer.sbml2amici("hybridode_peer", folder, compute_conservation_laws=False)
    if made is None:
        raise CannotSolve("the model was not compiled")
    return made


def simulate(made: Any, solver: Any) -> Any:
    from amici.sim.sundials import run_simulation

    found = run_simulation(made, solver)
    if found.status != 0:
        raise CannotSolve(f"status {found.status}")
    return found


def solver_of(made: Any, end: float, rtol: float, atol: float) -> Any:
    made.set_timepoints([end])
    solver = made.create_solver()
    solver.set_relative_tolerance(rtol)
    solver.set_absolute_tolerance(atol)
    solver.set_max_steps(1_000_000)
    return solver


def prepare(problem: Problem) -> At:
    made, system = model(problem.text), equations(problem.text)
    known = list(made.get_state_ids())
    order = [known.index(name(s)) for s in system.states]

    def at(rtol: float, atol: float) -> Runner:
        solver = solver_of(made, problem.end, rtol, atol)
        return lambda: np.array(simulate(made, solver).x[-1])[order]

    return at


def prepare_gradient(problem: Problem) -> At:
    """[value, parameters…, initial values…] of the sum of the states at the end, by forward sensitivities."""
    from amici.sim.sundials import SensitivityMethod, SensitivityOrder

    made, system = model(problem.text), equations(problem.text)
    wanted = [*(name(s) for s in system.parameters), *(f"start_{name(s)}" for s in system.states)]
    known = list(made.get_free_parameter_ids())
    order = [known.index(n) for n in wanted]

    def at(rtol: float, atol: float) -> Runner:
        solver = solver_of(made, problem.end, rtol, atol)
        solver.set_sensitivity_order(SensitivityOrder.first)
        solver.set_sensitivity_method(SensitivityMethod.forward)

        def runner() -> np.ndarray:
            found = simulate(made, solver)
            return np.concatenate([[np.sum(found.x[-1])], np.sum(found.sx[-1], axis=-1)[order]])

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    return [Peer("AMICI (CVODES)", "AMICI", "amici", prepare)] if stiff else []
