"""CasADi: CVODES and IDAS of SUNDIALS, right-hand side and Jacobian as C compiled by the system's compiler where there is one."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache, partial, reduce
from operator import mul
from typing import Any

import numpy as np

from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, postorder
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.benchmarks.peers.text import equations, numbers
from tests.problems import Problem


def symbolic(system: EquationSystem) -> dict[str, Any]:
    """The system in CasADi's own symbols."""
    import casadi

    y, p = casadi.SX.sym("y", len(system.states)), casadi.SX.sym("p", len(system.parameters))
    t = casadi.SX.sym("t")
    known: dict[Any, Any] = {s: y[i] for i, s in enumerate(system.states)} | {s: p[i] for i, s in enumerate(system.parameters)}
    operations: dict[str, Any] = {
        "add": lambda *a: sum(a[1:], a[0]), "mul": lambda *a: reduce(mul, a), "div": lambda a, b: a / b,
        "neg": lambda a: -a, "pow": lambda a, b: a**b,
    }  # fmt: skip

    def value(e: Expr) -> Any:
        done: dict[Expr, Any] = {}
        for x in postorder((e,)):
            if x.op == "const":
                done[x] = x.data
            elif x.op == "sym":
                done[x] = t if x.data.kind == "time" else known[x.data]
            else:
                operation = operations.get(x.op) or getattr(casadi, x.op)
                done[x] = operation(*(done[k] for k in x.args))
        return done[e]

    for d in system.definitions:
        known[d.symbol] = value(d.expr)
    return {"x": y, "p": p, "t": t, "ode": casadi.vertcat(*(value(e) for e in system.rates))}


def integrator(system: EquationSystem, plugin: str, end: float, rtol: float, atol: float, stiff: bool = True) -> Any:
    """An integrator of CasADi from 0 to `end`."""
    import casadi

    options: dict[str, Any] = {"reltol": rtol, "abstol": atol, "max_num_steps": 1_000_000}
    dae, (p, y0) = symbolic(system), numbers(system)
    if plugin == "idas":
        slope = casadi.Function("slope", [dae["x"], dae["p"], dae["t"]], [dae["ode"]])
        options |= {"calc_ic": False, "init_xdot": np.array(slope(y0, p, 0.0)).ravel().tolist()}
    elif not stiff:
        options |= {"linear_multistep_method": "adams", "nonlinear_solver_iteration": "functional"}
    return compiled_integrator(plugin, dae, end, options)


def compiled_integrator(plugin: str, dae: dict[str, Any], end: float, options: dict[str, Any]) -> Any:
    """An integrator of CasADi from 0 to `end`, its functions in machine code where there is a compiler."""
    import casadi

    options = {"disable_internal_warnings": True, **options}
    if shutil.which("gcc"):
        options |= {"jit": True, "compiler": "shell", "jit_options": {"flags": ["-O3", "-march=native"]}}
    here = os.getcwd()
    os.chdir(_folder().name)  # it writes its C where it is
    try:
        return casadi.integrator("peer", plugin, dae, 0.0, [end], options)
    finally:
        os.chdir(here)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def prepare(problem: Problem, plugin: str, stiff: bool) -> At:
    system = equations(problem.text)
    p, y0 = numbers(system)

    def at(rtol: float, atol: float) -> Runner:
        solve = integrator(system, plugin, problem.end, rtol, atol, stiff)

        def runner() -> np.ndarray:
            try:
                return np.array(solve(x0=y0, p=p)["xf"]).ravel()
            except RuntimeError as error:
                raise CannotSolve(str(error).strip().splitlines()[-1]) from error

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    rows = [("CVODES (CasADi)", "cvodes", stiff)]
    rows += [("IDAS (CasADi)", "idas", True)] if stiff else [("CVODES BDF (CasADi)", "cvodes", True)]
    return [Peer(title, "CVODES (CasADi)" if plugin == "cvodes" else title, "casadi", partial(prepare, plugin=plugin, stiff=kind))
            for title, plugin, kind in rows]  # fmt: skip
