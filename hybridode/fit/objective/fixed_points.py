"""Steady states y by what defines them: f(y, p) = 0 and L y = L y0(p), with L the linear conservation laws of the model.

A solve without derivatives comes near; two steps of Newton's method do the rest. The matrix of the second is held fixed, so that
differentiating the step alone gives the derivatives of the implicit function theorem, in either mode:

    (J + L^T L) dy = -df/dp dp + L^T L dy0/dp dp              (regular exactly when J and L have no common null)

What is conserved is learnt from the model itself: L spans all vectors with L f(y, p) = 0 at more points and parameters than
there are states. Where that does not determine the steady state (an epidemic's end depends on the whole way there), or events
move what is conserved, the derivatives go through the solve instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.solve import results
from hybridode.solve.problem import Compiled

_SPREAD = 0.5  # of the logarithms of the points and numbers at which rates are compared
_RANK = 1e-9  # singular values below this share of the largest are 0
_SETTLED = 0.1  # rates below this share of 1/time are none
_NEAR = 1e-2  # how far from the steady state the solve may end, as a share of each state's size


Sizes = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """How the steady states of a fit are found: `laws` (m, n), all that is conserved; `alone`: nothing is observed before."""

    laws: np.ndarray
    alone: bool

    @property
    def words(self) -> str:
        """For the log."""
        count = {0: "nothing is conserved", 1: "one quantity is conserved"}.get(
            len(self.laws), f"{len(self.laws)} quantities are conserved"
        )
        return f"steady states: derivatives by the implicit function theorem; {count}"


def conserved(
    compiled: Compiled, args: Any, moved: np.ndarray, t0: float, ahead: float, ys: np.ndarray
) -> tuple[np.ndarray | None, str]:
    """L (m, n), and why there is none in words. ys (k, n): states on the way, the last one steady, `ahead` after the start t0;
    `moved` are the places of the parameters that may change.

    What had settled by then fell at a rate of more than 10/ahead; directions in which the rates change by less than a hundredth
    of that have no rate of their own: the steady states form a family there.
    """
    n, t, rng = compiled.size, t0 + ahead, np.random.default_rng(0)
    size = np.maximum(np.max(np.abs(ys), axis=0), 1e-3 * np.max(np.abs(ys), initial=0.0)) + 1e-300
    wanted = 3 * n + 10
    columns = []
    with np.errstate(all="ignore"):
        for _ in range(2 * wanted):
            p = np.array(args.parameters, float)
            p[moved] *= np.exp(_SPREAD * rng.normal(size=len(moved)))
            weights = jax.tree_util.tree_map(lambda a: np.asarray(a) + _SPREAD * rng.normal(size=np.shape(a)), args.weights)
            y = ys[rng.integers(len(ys))] * np.exp(_SPREAD * rng.normal(size=n)) + 0.1 * size * rng.random(n)
            f = compiled.numbers("rates", t, y, replace(args, parameters=p, weights=weights)) / size
            if np.all(np.isfinite(f)) and np.any(f):
                columns.append(f / np.max(np.abs(f)))
            if len(columns) == wanted:
                break
        else:
            return None, "its rates are not finite near the steady state"
        left, values, _ = np.linalg.svd(np.array(columns).T)
        laws = left[:, np.sum(values > _RANK * values[0]) :].T
        jacobian = np.zeros((n, n))
        jacobian[compiled.jacobian_places] = compiled.numbers("jacobian", t, ys[-1], args)
    scaled = jacobian * size / size[:, None]
    if not np.all(np.isfinite(scaled)):
        return None, "its Jacobian is not finite there"
    both = np.concatenate([scaled, laws * (np.max(np.abs(scaled)) or 1.0)])
    if np.linalg.svd(both, compute_uv=False)[-1] <= _SETTLED / ahead:
        return None, "the rates and what they conserve do not determine it: it depends on the way there"
    if len(laws) and (compiled.events is not None or compiled.system.when_events):
        return None, "events may change what is conserved"
    return laws / size, ""


def at_infinity(
    compiled: Compiled, args: Any, series: Any, ts: Any, found: FixedPoints, solve: Callable[[Any, Any, Any], Any], sizes: Sizes,
    start: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """States (T, n) at the times ts of one series (a batch without its leading axis) and the result. `solve(args, ts, start)` is
    one solve, `sizes(start, ys)` those of the states (n,), `start` that of the series."""
    infinite = ts >= series.steady  # false for series without such records (NaN), and on earlier horizons
    fixed = jax.lax.stop_gradient(args)
    far = jax.lax.stop_gradient(solve(fixed, ts[-1:], jax.lax.stop_gradient(start)))
    y, code = steady_state(compiled, args, start, ts[-1], far, found.laws, sizes)
    result = jnp.where(infinite[-1], code, far.result)
    if found.alone:
        return jnp.where(infinite[:, None], y, far.ys_left), result
    last = jnp.max(jnp.where(infinite, series.t0, ts))
    way = solve(args, jnp.where(infinite, last, ts), start)
    ys = jnp.where(infinite[:, None], y, way.ys_left)
    return ys, jnp.where(way.result == results.SUCCESS, result, way.result)


def steady_state(compiled: Compiled, args: Any, start: Any, t: Any, far: Any, laws: np.ndarray, sizes: Sizes) -> tuple[Any, Any]:
    """The steady state (n,) near the end, at t, of the solve `far` from `start`, with its derivatives, and the result."""
    size = jax.lax.stop_gradient(sizes(start, far.ys_left))
    scaled = laws * size

    def step(y: Any, args: Any, start: Any) -> Any:
        """Newton's from a constant y. Its derivative is that of the steady state."""
        rates = lambda y, args: compiled.plain_rates(t, y, args) / size  # noqa: E731
        jacobian = jax.jacfwd(rates)(y, jax.lax.stop_gradient(args)) * size
        most = jnp.max(jnp.abs(jacobian))
        weight = jnp.where(most > 0, most, 1.0)
        away = rates(y, args) + weight * scaled.T @ (laws @ (y - start))
        return -size * jnp.linalg.solve(jacobian + weight * scaled.T @ scaled, away)

    y = jnp.where(jnp.all(jnp.isfinite(far.ys_left[0])), far.ys_left[0], size)
    first = step(y, jax.lax.stop_gradient(args), jax.lax.stop_gradient(start))
    near = jnp.all(jnp.abs(first) <= _NEAR * size)  # false for NaN
    y = y + jnp.where(near, first, 0.0)
    y = y + step(y, args, start)
    code = jnp.where(near & jnp.all(jnp.isfinite(y)), results.SUCCESS, results.UNSTEADY)
    return y, jnp.where(far.result == results.SUCCESS, code, far.result)
