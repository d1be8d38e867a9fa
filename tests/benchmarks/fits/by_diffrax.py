"""Diffrax by hand: Levenberg and Marquardt's method of Optimistix on residuals with forward sensitivities, all in one jitted
function; with a network Adam of Optax, then BFGS of Optimistix, gradients backwards. Bounds by a logistic function."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from tests.benchmarks.fits.outcome import Ended, Outcome, Watch
from tests.benchmarks.fits.problem import FitProblem
from tests.benchmarks.fits.residuals import finished, profiled, residuals

RTOL, ATOL, MOST = 1e-6, 1e-8, 4096
ITERATIONS = 200
ADAM, RATE, BFGS = 1000, 1e-2, 500
BAD = 1e8  # a residual where a solve fails


def simulation(problem: FitProblem, adjoint: Any) -> Callable[[Any], tuple[Any, Any]]:
    """p -> (outputs (columns, times), whether the solve arrived)."""
    import diffrax
    import jax
    import jax.numpy as jnp

    solver = diffrax.Kvaerno5() if problem.stiff else diffrax.Tsit5()
    term = diffrax.ODETerm(lambda t, y, p: jnp.stack(problem.rates(jnp, t, y, p)))
    times = jnp.array(problem.times)

    def solve(p: Any) -> tuple[Any, Any]:
        found = diffrax.diffeqsolve(
            term, solver, 0.0, problem.times[-1], None, jnp.array(problem.y0), p, saveat=diffrax.SaveAt(ts=times),
            adjoint=adjoint, stepsize_controller=diffrax.PIDController(rtol=RTOL, atol=ATOL), max_steps=MOST, throw=False,
        )  # fmt: skip
        outputs = jnp.stack(jax.vmap(lambda y: jnp.stack(problem.outputs(y, p)))(found.ys), axis=1)
        ok = (found.result == diffrax.RESULTS.successful) & jnp.all(jnp.isfinite(outputs))
        return outputs, ok

    return solve


def unbounded(problem: FitProblem) -> tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]:
    """(z -> p, p -> z): a logistic function of the logarithms between their bounds; weights as they are."""
    import jax
    import jax.numpy as jnp

    k = problem.count
    low, high = (b[:k] for b in problem.bounds)

    def forward(z: Any) -> Any:
        return problem.from_log(jnp.concatenate([low + (high - low) * jax.nn.sigmoid(z[:k]), z[k:]]), jnp)

    def back(p: np.ndarray) -> np.ndarray:
        u = (np.log(p[:k]) - low) / (high - low)
        return np.concatenate([np.log(u / (1 - u)), p[k:]])

    return forward, back


def least_squares(problem: FitProblem) -> Callable[[Any], Any]:
    """z -> the best z, by Levenberg and Marquardt's method."""
    import diffrax
    import jax.numpy as jnp
    import optimistix as optx

    solve, (forward, _) = simulation(problem, diffrax.ForwardMode()), unbounded(problem)
    solver = optx.LevenbergMarquardt(rtol=1e-6, atol=1e-6)
    fixed = np.array([profiled(problem) and i in problem.scales for i in range(problem.size)])

    def of(z: Any, first: Any) -> Any:
        p = forward(jnp.where(fixed, first, z))
        outputs, ok = solve(p)
        return jnp.where(ok, residuals(problem, jnp.where(ok, outputs, 1.0), p, jnp), BAD)

    def descend(z: Any) -> Any:
        found = optx.least_squares(of, solver, z, z, options={"jac": "fwd"}, max_steps=ITERATIONS, throw=False)
        return jnp.where(fixed, z, found.value)

    return descend


def trained(problem: FitProblem) -> Callable[[Any], Any]:
    """z -> the best z, by Adam and then BFGS."""
    import diffrax
    import jax
    import jax.numpy as jnp
    import optax
    import optimistix as optx

    solve, (forward, _) = simulation(problem, diffrax.RecursiveCheckpointAdjoint()), unbounded(problem)

    def loss(z: Any, _: Any = None) -> Any:
        p = forward(z)
        outputs, ok = solve(p)
        return jnp.where(ok, problem.objective(jnp.where(ok, outputs, 0.0), p, jnp), BAD)

    adam = optax.adam(RATE)

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        z, state, best, least = carry
        value, slope = jax.value_and_grad(loss)(z)
        slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
        best, least = jnp.where(value < least, z, best), jnp.minimum(value, least)
        update, state = adam.update(slope, state)
        return (z + update, state, best, least), None

    def descend(z: Any) -> Any:
        (_, _, best, _), _ = jax.lax.scan(step, (z, adam.init(z), z, jnp.inf), None, ADAM)
        found = optx.minimise(loss, optx.BFGS(rtol=1e-6, atol=1e-6), best, max_steps=BFGS, throw=False)
        return jnp.where(loss(found.value) < loss(best), found.value, best)

    return descend


def run(problem: FitProblem, starts: list[np.ndarray], limit: float) -> Outcome:
    import diffrax
    import jax

    for heavy in ("optax", "optimistix"):  # imports are not counted
        import_module(heavy)
    jax.config.update("jax_enable_x64", True)
    watch, outcome = Watch(), Outcome()
    forward, back = unbounded(problem)
    simulate = jax.jit(simulation(problem, diffrax.ForwardMode()))
    descend = jax.jit((trained if problem.network else least_squares)(problem))
    z = np.stack([back(p) for p in starts])
    compiled = descend.lower(z[0]).compile()
    outcome.setup = watch.elapsed
    for number, first in enumerate(z, 1):
        if watch.elapsed - outcome.setup > limit:
            break
        p = np.asarray(forward(np.asarray(compiled(first))))
        outputs, ok = simulate(p)
        p, value = finished(problem, np.asarray(outputs), p) if ok else (p, float("inf"))
        outcome.ended.append(Ended(number, watch.elapsed, p.tolist(), value))
    outcome.total = watch.elapsed
    return outcome
