"""Optimisation with networks: gradient matching, Adam on a growing horizon, L-BFGS, and Fisher scoring where it is small enough.

Matching: the rates at smoothed states are fitted to the slopes of the smoothing curves, without a solve (J. M. Varah, SIAM J.
Sci. Stat. Comput. 3 (1982) 28); it only chooses where the solves begin. Adam: D. P. Kingma, J. Ba, arXiv:1412.6980.
A growing horizon masks later records and clips the times of the solve; shapes stay, so nothing is compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.objective.batch import Batch, up_to
from hybridode.fit.objective.objective import Evaluation, Objective
from hybridode.fit.progress import Track
from hybridode.fit.search.ask import Optimum
from hybridode.fit.search.horizons import Horizons
from hybridode.fit.search.lbfgs import Place, descend
from hybridode.fit.search.smooth import Curve

HORIZONS = (0.2, 0.4, 0.7, 1.0)  # parts of the time that Adam sees, one after the other
ADAM_STEPS = 150  # on each horizon
ADAM_RATE = 5e-3
_LBFGS_ITERATIONS = 4000
_STALL, _STALLED = 100, 0.5  # iterations in which at least so much log-likelihood must be gained: weights have no sharp optimum
_MATCHING_POINTS = 80
_MATCHING_ITERATIONS = 400
_TIE = 1e-3  # how strongly matching holds parameters to where they were, per squared unit

Evaluate = Callable[[np.ndarray, Batch], Evaluation]


Misfit = Callable[[np.ndarray, np.ndarray], Any]  # value and gradient (1 + d,): one array is fetched from JAX quicker than two


def misfit_of_slopes(objective: Objective, batch: Batch, curves: Sequence[Mapping[Symbol, Curve]]) -> Misfit | None:
    """How far the rates along the smoothed states are from their slopes, with its gradient, at theta (d,) tied to the parameters
    of another vector (d,): compiled once for all starts. None when a state has no curve or some states are algebraic."""
    states = objective.compiled.system.states
    if objective.compiled.system.unknowns:
        return None  # a residual has no slope to be matched to
    if not states or not curves or any(s not in c for c in curves for s in states):
        return None
    t, y, slopes = [], [], []
    for c in curves:
        start, end = max(c[s].start for s in states), min(c[s].end for s in states)
        if not end > start:
            return None
        grid = np.linspace(start, end, _MATCHING_POINTS)
        t.append(grid)
        y.append(np.stack([c[s].value(grid) for s in states], axis=1))
        slopes.append(np.stack([c[s].slope(grid) for s in states], axis=1))
    times, values, targets = np.stack(t), np.stack(y), np.stack(slopes)
    size = np.sqrt(np.mean(targets**2, axis=(0, 1)))
    size = np.where(size > 0, size, 1.0)
    k = objective.n_parameters

    def loss(x: Any, tied: Any) -> Any:
        def of_series(series: Batch, t: Any, y: Any, target: Any) -> Any:
            args: Any = objective.numbers(x, series)
            args = args.at_start(series.t0)
            rates = jax.vmap(lambda t, y: objective.compiled.plain_rates(t, y, args))(t, y)
            return jnp.mean(((rates - target) / size) ** 2)

        fit = jnp.mean(jax.vmap(of_series)(batch, times, values, targets))
        penalty = objective.prior_and_regulariser(x)[1] / max(times.size, 1)
        return fit + penalty + _TIE * jnp.sum((x[:k] - tied[:k]) ** 2)

    def value_and_slope(x: Any, tied: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(x, tied)
        return jnp.concatenate([value[None], slope])

    return jax.jit(value_and_slope)


def match_gradients(
    objective: Objective, batch: Batch, misfit: Misfit | None, theta: np.ndarray, track: Track
) -> np.ndarray | None:
    """theta at which the rates along the smoothed states come closest to their slopes; None without a misfit, or where it does
    not fall."""
    if misfit is None:
        return None

    def numpy(x: np.ndarray) -> tuple[float, np.ndarray]:
        found = np.asarray(misfit(x, theta), float)
        track.check_time()
        return (float(found[0]), found[1:]) if np.isfinite(found).all() else (1e10, np.zeros_like(x))

    def matched() -> dict[str, Any]:
        import scipy.optimize

        before = numpy(theta)[0]
        found = scipy.optimize.minimize(numpy, theta, jac=True, method="L-BFGS-B", options={"maxiter": _MATCHING_ITERATIONS})
        return {"theta": found.x, "before": before, "after": found.fun}

    memory = objective.memory
    found = memory.once(b"slopes", [objective.identity, memory.hash_of(batch), theta] if memory.in_use else [], matched)
    before, after = float(found["before"]), float(found["after"])
    track.log.append(
        f"start {track.start}: rates matched to smoothed slopes, misfit {before:.3g} -> {after:.3g} of their squares"
    )
    return found["theta"] if after < before else None


def adam(objective: Objective, batch: Batch, theta: np.ndarray, track: Track, steps: int = ADAM_STEPS) -> np.ndarray:
    """Adam on each horizon in turn; the best point of the last one. Failed steps go back and halve the rate; a horizon that
    cannot be evaluated where the one before it ended waits until one between them is trained."""
    horizons: Horizons | None = Horizons.of(HORIZONS)
    while horizons is not None and horizons.ahead:
        part = up_to(batch, horizons.next)
        if any(np.any(c.used) for c in part.columns):
            track.begin_stage(f"adam {round(100 * horizons.next)} %")
            found = _adam(objective, part, theta, track, steps)
            if found is None:
                horizons = horizons.nearer()
                continue
            theta = found
        horizons = horizons.trained()
    return theta


def _adam(objective: Objective, batch: Batch, theta: np.ndarray, track: Track, steps: int) -> np.ndarray | None:
    """The best point; None where theta itself cannot be evaluated."""
    rate = ADAM_RATE
    import optax  # half a second with SciPy's optimisers: only where there are networks

    optimiser = optax.scale_by_adam()
    update = jax.jit(optimiser.update)
    state: Any = optimiser.init(theta)
    good, best, best_value = theta, theta, np.inf
    for step in range(steps):
        track.check_time()
        e = objective.with_gradient(theta, batch)
        value = float(e.value)
        if not np.isfinite(value):
            track.reject(objective.why(e))
            if step == 0:
                return None
            rate *= 0.5
            theta, state = good, optimiser.init(good)
            if rate < 1e-6:
                break
            continue
        gradient = np.asarray(e.gradient)
        track.accept(theta, value, gradient)
        if value < best_value:
            best, best_value = theta, value
        direction, state = update(gradient, state)
        good = theta
        theta = theta - rate * (1 - 0.9 * step / steps) * np.asarray(direction)
    return best


def lbfgs(
    objective: Objective, batch: Batch, theta: np.ndarray, track: Track, iterations: int = _LBFGS_ITERATIONS,
    moving: int | None = None,
) -> Optimum:  # fmt: skip
    """L-BFGS on all records; of the first `moving` numbers only, if that is given."""
    count = len(theta) if moving is None else moving
    held, values = theta[count:], []

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        track.check_time()
        e = objective.with_gradient(np.concatenate([x, held]), batch)
        value, gradient = float(e.value), np.asarray(e.gradient, float)
        if not np.isfinite(value):
            track.reject(objective.why(e))
        return value, gradient[:count]

    def accept(place: Place) -> str | None:
        track.accept(np.concatenate([place.x, held]), place.value, place.gradient)
        values.append(place.value)
        stalled = len(values) > _STALL and values[-1 - _STALL] - place.value < _STALLED
        return f"the objective fell by less than {_STALLED} in {_STALL} iterations" if stalled else None

    value, gradient = evaluate(theta[:count])
    if not np.isfinite(value):
        return Optimum(theta, np.inf, np.zeros_like(theta), None, "stopped", "the start of L-BFGS cannot be evaluated", 0)
    start = Place(theta[:count], value, gradient)
    accept(start)
    end = descend(evaluate, start, iterations, accept)
    found = np.concatenate([end.place.x, held])
    status = "converged" if end.converged else "stopped"
    return Optimum(found, end.place.value, end.place.gradient, None, status, end.message, end.iterations)
