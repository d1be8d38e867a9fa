"""Measurements in the steady state: the time that stands for infinity, and the test that the state is steady there.

The solve simply goes on until the rates have vanished; an implicit method takes a few steps per decade. Derivatives are those of
the steady state itself where rates and conservation laws determine it (see `fixed_points`), else they go through the solve. The
model is steady at t when, for each state,

    |y'| (t - t0) <= 1e-4 max|y|          (max over the solve; what still changes at this rate changes little in as long again)

at five neighbouring times of a logarithmic grid: oscillations and growth never pass. Infinity is a thousand times later, so that
parameters may slow the model down while they are learnt; every solve tests again (see `checked`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.data.experiments import Dataset, Series
from hybridode.data.groups import nameable
from hybridode.errors import Diagnostic, NumericsError
from hybridode.fit.objective.assignment import assigned, assignment
from hybridode.fit.objective.fixed_points import FixedPoints, conserved
from hybridode.fit.parameters import ParameterSpace
from hybridode.solve import results
from hybridode.solve.engines import choose, chosen, integrate
from hybridode.solve.problem import Compiled
from hybridode.solve.settings import Settings

LATER = 1e3  # infinity, in units of the time at which the state is steady for the first time
_STEADY = 1e-4  # what a state may still change, as a share of its size
_LOOSE = 1e-2  # the same for a solve of the search, whose time is not chosen for it
_DECADES = (-2.0, 8.0)  # of the model's own time scale that are looked at
_PER_DECADE = 4
_NEIGHBOURS = 5
_SINGULAR = 1e-10  # singular values of the Jacobian below this share belong to conserved quantities
METHOD = "kvaerno5"  # the implicit one: `chosen` takes the native engine's own


def with_steady_times(
    compiled: Compiled, dataset: Dataset, space: ParameterSpace, values: Mapping[str, Any], settings: Settings
) -> tuple[Dataset, FixedPoints | None, str]:
    """The dataset with the times that stand for infinity, found at the parameters where the search begins (`values` were set);
    how derivatives of steady states are computed (None: through the solve), and that in words.

    Raises NumericsError E0713 for a series that does not become steady, and for models that cannot be tested.
    """
    if not any(s.has_steady for s in dataset.series):
        return dataset, None, ""
    shared = nameable(dataset.declarations, {})
    index, own = assignment(compiled, space, dataset, values)
    x = space.vector(space.unconstrain(values))
    out, laws, reason = [], None, ""
    for row, s in enumerate(dataset.series):
        if not s.has_steady:
            out.append(s)
            continue
        args = compiled.arguments({n: v for n, v in values.items() if n in shared}, dict(s.inputs) or None)
        args = replace(args, parameters=assigned(x, np.asarray(args.parameters, float), own[row], index[row]))
        which = f"series `{s.name}`" if s.name else "the model"
        _check_alone(compiled, s, which)
        ahead, ys = time_until_steady(compiled, s, args, settings, which)
        out.append(replace(s, steady=s.start + ahead * LATER))
        if not reason:
            moved = np.flatnonzero(index[row] < space.size)
            laws, reason = conserved(compiled, args.at_start(s.start), moved, s.start, ahead, ys)
    found = replace(dataset, series=tuple(out))
    if laws is None or reason:
        return found, None, f"steady states: derivatives go through the solve: {reason}"
    fixed_points = FixedPoints(laws, all(s.has_steady and not np.isfinite(s.records.time).any() for s in out))
    return found, fixed_points, fixed_points.words


def _check_alone(compiled: Compiled, series: Series, which: str) -> None:
    """Raises NumericsError E0713 for a series that never comes to rest."""
    if any(e.every is not None for e in compiled.declarations.at_events) or series.doses is not None:
        raise _failed(f"{which} is observed in its steady state (time inf), and something happens to it again and again",
                      "under repeated events there is no steady state: measure at late times")  # fmt: skip


def time_until_steady(compiled: Compiled, series: Series, args: Any, settings: Settings, which: str) -> tuple[float, np.ndarray]:
    """How long a series takes to become steady, and its states until then. `which` says in words what does.

    Raises NumericsError E0713 where it does not.
    """
    if compiled.system.unknowns or compiled.system.declarations.equations:
        raise _failed(f"{which} comes to its steady state, and has algebraic equations",
                      "steady states are found for models of explicit rates only: measure at late times")  # fmt: skip
    args = args.at_start(series.start)
    rates = jax.jit(jax.vmap(lambda t, y: compiled.plain_rates(t, y, args), in_axes=(0, 0)))
    y0 = np.asarray(compiled.start(series.start, args), float)
    scale = _scale(y0, np.asarray(rates(np.array([series.start]), y0[None]), float)[0], series, settings)
    low, high = _DECADES
    ahead = scale * np.logspace(low, high, round((high - low) * _PER_DECADE) + 1)
    choice = choose(compiled, args, series.start, series.start + float(ahead[0]), replace(settings, method="auto"))
    choice = chosen(choice.settings.engine, METHOD, "", choice.settings)
    raw = integrate(compiled, args, series.start, series.start + ahead, choice.method, choice.settings, "forward")
    ys = np.asarray(raw.ys_left, float)
    slopes = np.abs(np.asarray(rates(series.start + ahead, ys), float))
    size = np.maximum(np.fmax.accumulate(np.abs(np.concatenate([y0[None], ys])))[1:], settings.atol)
    with np.errstate(invalid="ignore"):
        still = np.all(slopes * ahead[:, None] <= _STEADY * size, axis=1)
    for k in range(len(still) - _NEIGHBOURS + 1):
        if still[k : k + _NEIGHBOURS].all():
            return float(ahead[k]), np.concatenate([y0[None], ys[: k + 1]])
    known = np.flatnonzero(np.all(np.isfinite(ys), axis=1))
    last = int(known[-1]) if len(known) else 0
    worst = int(np.argmax(slopes[last] * ahead[last] / size[last])) if len(known) else 0
    why = results.RESULTS[int(raw.result)] if int(raw.result) != results.SUCCESS else "it is not steady there"
    raise _failed(
        f"{which} does not become steady at the declared values: `{compiled.system.states[worst]}` still changes at "
        f"t = {series.start + ahead[last]:.4g} ({why})",
        "is the model one that settles? other values may be given with --set; measurements at finite times need no steady state",
    )


def _scale(y0: np.ndarray, f0: np.ndarray, series: Series, settings: Settings) -> float:
    """How long the states need to change as much as they are large, or the time that was measured, if that is longer."""
    moving = np.abs(f0) > 0
    size = np.abs(y0) + np.max(np.abs(y0), initial=0.0) + settings.atol
    return max(float(np.median(size[moving] / np.abs(f0)[moving])) if moving.any() else 1.0, series.end - series.start)


def _failed(message: str, hint: str) -> NumericsError:
    return NumericsError(Diagnostic("E0713", message, None, hint))


def checked(result: Any, compiled: Compiled, args: Any, series: Any, t: Any, ys: Any, settings: Settings) -> Any:
    """The result of a solve (a traced integer): UNSTEADY where infinity was reached and the state still changes. `series` is a
    batch without its leading axis, `t` its last time, `ys` (T, n) its states.

    Rates that are small say little (a model slowed down a millionfold has small rates too): what counts is how far the steady
    state is, by the step that Newton's method would take to it. Conserved quantities make the Jacobian singular; the step of
    least length leaves them as they are.
    """
    size = sizes(settings, compiled.start(series.t0, args), ys)
    still = is_still(compiled, args, t, ys[-1], size, (series.steady - series.t0) / LATER)
    asked = series.horizon >= series.steady  # false for series without such records (NaN), and on earlier horizons
    return jnp.where((result == results.SUCCESS) & asked & ~still, results.UNSTEADY, result)


def is_still(compiled: Compiled, args: Any, t: Any, y: Any, size: Any, span: Any) -> Any:
    """Whether y (n,), states of these sizes, is steady: neither far from where Newton's method goes, nor moving in this span."""
    rates, jacobian = (jax.lax.stop_gradient(v) for v in (compiled.plain_rates(t, y, args), _jacobian(compiled, t, y, args)))
    finite = jnp.all(jnp.isfinite(jacobian)) & jnp.all(jnp.isfinite(rates))
    scaled = jnp.where(finite, jacobian * size, 0.0)  # columns in units of the states
    step = jnp.linalg.lstsq(scaled, jnp.where(finite, rates, 0.0), rcond=_SINGULAR)[0]
    slow = jnp.abs(rates) * span > _LOOSE * size
    return finite & jnp.all(jnp.abs(step) <= _LOOSE) & ~jnp.any(slow)


def sizes(settings: Settings, start: Any, ys: Any) -> Any:
    """How large the states are (n,)."""
    size = jnp.max(jnp.abs(jnp.concatenate([start[None], ys])), axis=0)
    return jnp.maximum(size, 1e-3 * jnp.max(size)) + settings.atol


def _jacobian(compiled: Compiled, t: Any, y: Any, args: Any) -> Any:
    y, args = jax.lax.stop_gradient((y, args))
    return jax.jacfwd(lambda y: compiled.plain_rates(t, y, args))(y)
