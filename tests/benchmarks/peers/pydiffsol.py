"""pydiffsol: DiffSL text to LLVM, solvers in Rust (BDF, TR-BDF2, ESDIRK34, Tsit45). Dense up to 100 states, then sparse."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from hybridode.equations.system import EquationSystem
from hybridode.expr import Symbol
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.benchmarks.peers.text import DIFFSL, equations, lines, numbers
from tests.problems import Problem

STIFF, NONSTIFF = {"BDF": "bdf", "TR-BDF2": "tr_bdf2", "ESDIRK34": "esdirk34"}, {"Tsit45": "tsit45"}


def spelled(word: str) -> str:
    """Names of letters only, digits at the end: DiffSL's rule."""
    return "v" + "".join(c if c.isalnum() else "z" for c in word)


def model_text(system: EquationSystem, starts: bool = False) -> str:
    """DiffSL; with `starts` the initial values are inputs behind the parameters."""

    def name(symbol: Symbol) -> str:
        return "t" if symbol.kind == "time" else spelled(symbol.name)

    definitions, rates = lines(system, DIFFSL, name)
    p, y0 = numbers(system)
    given = [f"{name(s)} = {v!r}" for s, v in zip(system.parameters, p, strict=True)]
    given += [f"start{i} = {v!r}" for i, v in enumerate(y0)] if starts else []
    begin = [f"{name(s)} = {f'start{i}' if starts else repr(y0[i])}" for i, s in enumerate(system.states)]
    parts = [f"in_i {{ {', '.join(given)} }}", f"u_i {{ {', '.join(begin)} }}"]
    parts += [f"{left} {{ {right} }}" for left, right in definitions]
    return "\n".join([*parts, f"F_i {{ {', '.join(rates)} }}"])


def model(system: EquationSystem, starts: bool = False) -> Any:
    """The compiled model."""
    import pydiffsol

    few = len(system.states) <= 100
    matrix = pydiffsol.nalgebra_dense if few else pydiffsol.faer_sparse
    return pydiffsol.Ode(model_text(system, starts), matrix_type=matrix, linear_solver=pydiffsol.lu if few else pydiffsol.default)


def prepare(problem: Problem, method: str) -> At:
    import pydiffsol

    system = equations(problem.text)
    ode, p = model(system), np.array(numbers(system)[0])

    def at(rtol: float, atol: float) -> Runner:
        def runner() -> np.ndarray:
            ode.ode_solver, ode.rtol, ode.atol = getattr(pydiffsol, method), rtol, atol
            try:
                return ode.solve(p, problem.end).ys[:, -1]
            except Exception as error:
                raise CannotSolve(str(error)) from error

        return runner

    return at


def peers(stiff: bool) -> list[Peer]:
    rows = STIFF if stiff else NONSTIFF
    return [Peer(f"pydiffsol {title}", "pydiffsol", "pydiffsol", partial(prepare, method=m)) for title, m in rows.items()]
