"""Solvers of differential-algebraic problems: ours from the text, IDA and IDAS from the residuals written by hand for them."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

import hybridode as ho
from hybridode.solve.settings import METHODS
from tests.benchmarks.peers import casadi as casadi_peer
from tests.benchmarks.peers import ours
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.problems.dae import DaeProblem
from tests.problems.dae.residuals import WRITTEN
from tests.solve.dae_oracle import consistent, of_problem


def prepare_ours(problem: DaeProblem, method: str = "auto") -> At:
    """The names that are compared, at the end."""
    import jax

    jax.config.update("jax_enable_x64", True)
    model = ho.parse(problem.text)
    names, values = ours.parameter_names(model), jax.numpy.array([p.values[0] for p in model.declarations.parameters])

    def at(rtol: float, atol: float) -> Runner:
        solve = ours.solver(model, problem.end, rtol, atol, method)

        def compared(p: Any) -> Any:
            solution = solve(dict(zip(names, p, strict=True)))
            return jax.numpy.stack([solution[name][-1] for name in problem.names])

        run = jax.jit(compared)
        return lambda: np.asarray(run(values))

    return at


def places(problem: DaeProblem) -> list[int]:
    """Where what is compared stands among the unknowns of the written form."""
    return [WRITTEN[problem.name].names.index(name) for name in problem.names]


def prepare_ida(problem: DaeProblem) -> At:
    """scikit-sundae: the residual in Python, its Jacobian by IDA's differences."""
    from sksundae.ida import IDA

    written, dae, kept = WRITTEN[problem.name], of_problem(problem.name), places(problem)
    y0, yp0 = consistent(dae, 0.0, np.zeros(0))

    def residual(t: float, y: Any, yp: Any, out: Any) -> None:
        out[:] = written.residual(t, y.tolist(), yp.tolist(), math)

    def at(rtol: float, atol: float) -> Runner:
        solver = IDA(residual, rtol=rtol, atol=atol, algebraic_idx=list(written.algebraic) or None, max_num_steps=100_000)

        def runner() -> np.ndarray:
            found = solver.solve(np.array([0.0, problem.end / 2, problem.end]), y0, yp0)
            if not found.success:
                raise CannotSolve(found.message)
            return found.y[-1][kept]

        return runner

    return at


# (a, b): derivatives occur only as y_b' - y_a'; the difference is then the unknown b, and a is algebraic.
DIFFERENCES = {"transamp": ((0, 1), (3, 4), (6, 7))}


def semi_explicit(name: str) -> tuple[dict[str, Any], list[int]]:
    """(x' = f(t, x, z), 0 = g(t, x, z) in CasADi's symbols, the places of x): rows with derivatives are solved for them."""
    import casadi

    written, n = WRITTEN[name], len(WRITTEN[name].names)
    pairs = DIFFERENCES.get(name, ())
    still = [*written.algebraic, *(a for a, _ in pairs)]
    moving = [i for i in range(n) if i not in still]
    t, y, w = casadi.SX.sym("t"), casadi.SX.sym("y", n), casadi.SX.sym("w", len(moving))
    slopes, values = [casadi.SX(0)] * n, [y[i] for i in range(n)]
    for k, i in enumerate(moving):
        slopes[i] = w[k]
    for a, b in pairs:
        values[b] = y[a] + y[b]
    rows = casadi.vertcat(*written.residual(t, values, slopes, casadi))
    mass, free = casadi.jacobian(rows, w), []
    for k in range(len(moving)):
        free.append(next(i for i in range(n) if i not in free and mass.sparsity().has_nz(i, k)))
    rates = -casadi.solve(mass[free, :], casadi.substitute(rows, w, casadi.SX.zeros(len(moving)))[free])
    algebraic = casadi.substitute(rows[[i for i in range(n) if i not in free]], w, rates)
    return {"x": y[moving], "z": y[still], "t": t, "ode": rates, "alg": algebraic}, moving


def prepare_idas(problem: DaeProblem) -> At:
    """CasADi's IDAS, right-hand side and Jacobian in compiled C."""
    dae, moving = semi_explicit(problem.name)
    pairs, kept = DIFFERENCES.get(problem.name, ()), places(problem)
    y0, yp0 = consistent(of_problem(problem.name), 0.0, np.zeros(0))
    still = [i for i in range(len(y0)) if i not in moving]
    for a, b in pairs:
        y0[b], yp0[b] = y0[b] - y0[a], yp0[b] - yp0[a]
    order = np.argsort([*moving, *still])

    def at(rtol: float, atol: float) -> Runner:
        options = {"reltol": rtol, "abstol": atol, "max_num_steps": 200_000, "calc_ic": False, "init_xdot": yp0[moving].tolist()}
        options["suppress_algebraic"] = (
            True  # their slopes at the start, which it cannot be given, would fail its first error test
        )
        solve = casadi_peer.compiled_integrator("idas", dae, problem.end, options)

        def runner() -> np.ndarray:
            try:
                found = solve(x0=y0[moving], z0=y0[still])
            except RuntimeError as error:
                raise CannotSolve(str(error).strip().splitlines()[-1]) from error
            y = np.concatenate([np.array(found["xf"]).ravel(), np.array(found["zf"]).ravel()])[order]
            for a, b in pairs:
                y[b] += y[a]
            return y[kept]

        return runner

    return at


def peers(explicit: bool) -> list[Peer]:
    """`explicit`: methods for plain equations too, where no algebraic unknown is left."""
    names = ["rodas4", "rodas5p", *(["tsit5", "dop853"] if explicit else [])]
    own = [
        Peer(f"hybridode {METHODS[name].title}", ours.FAMILY, "hybridode", partial(prepare_ours, method=name)) for name in names
    ]
    return [
        Peer("hybridode auto", ours.FAMILY, "hybridode", prepare_ours),
        *own,
        Peer("IDAS (CasADi)", "IDAS (CasADi)", "casadi", prepare_idas),
        Peer("IDA (scikit-sundae)", "CVODE (scikit-sundae)", "scikit-sundae", prepare_ida),
    ]
