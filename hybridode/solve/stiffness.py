"""Which method suits a model: measured, with NumPy only, before anything is compiled.

A trial solve at a loose tolerance gives the steps that accuracy asks for; the eigenvalues of the Jacobian along the way
give the steps that stability would ask of an explicit method (its stability region reaches to about 3.3 on the negative
axis for Tsit5). A model is stiff where the second count is well above the first: Hairer & Wanner, Solving Ordinary
Differential Equations II, section IV.2.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hybridode.solve.consistent import consistent_start
from hybridode.solve.constrained import method_for_unknowns
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.trial import DENSE_UP_TO, Trial, dense, sparse, trial_solve
from hybridode.store import digest, of_sources, read_json, write_json
from hybridode.tape.identity import identity
from hybridode.types import FloatArray

REACH = 3.3  # of the stability region of a fifth-order explicit method along the negative real axis
COSTLIER = 3.0  # a step of an implicit method against one of an explicit method
HIGH_ORDER = 2e-7  # relative tolerance below which methods of order 8 are quicker than those of order 5
_SAMPLES = 40


def choose_method(compiled: Compiled, args: Arguments, t0: float, t1: float, settings: Settings,
                  y0: FloatArray | None = None) -> tuple[str, str, dict[str, Any]]:  # fmt: skip
    """(method, the reason in words, measurements) for a solve from t0 to t1 at these concrete numbers.

    Follows `settings.method` unless it is "auto". Measurements: `spectral_radius`, `accuracy_steps`, `stability_steps`,
    `reached`, `seconds`; empty when nothing had to be measured. Bounded in time; compiles nothing with JAX. What was measured
    to the end is kept in the store, by the model and all these numbers.
    """
    if settings.method != "auto":
        return settings.method, f"{METHODS[settings.method].title} was asked for", {}
    if compiled.system.unknowns:
        return method_for_unknowns(settings), "its algebraic unknowns ask for an implicit method", {}
    if compiled.size == 0 or t1 <= t0:
        return "tsit5", "there is nothing to integrate", {}
    began = time.perf_counter()
    args = _plain(args).at_start(t0)
    start = compiled.numbers("start", t0, np.zeros(0), args) if y0 is None else np.asarray(y0, float)
    start, _ = consistent_start(compiled, args, t0, start) if np.all(np.isfinite(start)) else (start, 0)
    if not np.all(np.isfinite(start)):
        return "tsit5", "the start is not finite", {}
    key = _key(compiled, args, float(t0), float(t1), start, settings)
    kept = read_json(key) if key else None
    if kept is not None:
        return kept["method"], kept["reason"], kept["measured"]
    trial = trial_solve(compiled, args, float(t0), float(t1), start, settings)
    radius, needed = _stability(compiled, args, trial)
    accuracy = trial.accuracy_steps(settings)
    measured = {"spectral_radius": radius, "accuracy_steps": accuracy, "stability_steps": needed, "reached": trial.times[-1],
                "seconds": time.perf_counter() - began}  # fmt: skip
    stiff = needed > max(COSTLIER * accuracy, 50)
    words = (f"stability would ask an explicit method for about {needed:.4g} steps, accuracy asks for about {accuracy} "
             f"(fastest decay {radius:.3g} per unit of {compiled.declarations.time}{trial.note})")  # fmt: skip
    explicit = "dopri8" if settings.rtol < HIGH_ORDER else "tsit5"
    method, reason = (_implicit(compiled, settings), f"stiff: {words}") if stiff else (explicit, f"not stiff: {words}")
    if key and not trial.late:
        write_json(key, {"method": method, "reason": reason, "measured": measured})
    return method, reason, measured


def _key(compiled: Compiled, args: Arguments, t0: float, t1: float, start: FloatArray, settings: Settings) -> str:
    """The name of all that a choice depends on, "" where a part has none."""
    import jax

    tapes = [identity(tape) for name, tape in sorted(compiled.tapes.items()) if name not in ("definitions", "observables")]
    if not all(tapes):
        return ""
    numbers = [np.asarray(x).tobytes().hex() for x in (*jax.tree_util.tree_leaves(args), t0, t1, start)]
    places = repr((compiled.jacobian_places, compiled.landing_signals, compiled.declarations.time, settings))
    return digest("method", of_sources("solve", "tape", "methods"), places, *numbers, *tapes)


def _implicit(compiled: Compiled, settings: Settings) -> str:
    if compiled.landing_signals:
        return "kencarp4"  # Kvaerno's methods evaluate past the end of a step, where an input may have jumped
    return "kvaerno3" if settings.rtol >= 1e-3 else "kvaerno5"


def _plain(args: Arguments) -> Arguments:
    import jax

    return jax.tree_util.tree_map(lambda leaf: np.asarray(leaf, np.float64), args)


def _stability(compiled: Compiled, args: Arguments, trial: Trial) -> tuple[float, float]:
    """(largest rate of decay, number of steps for stability) over the trial solve, from up to _SAMPLES of its steps."""
    times = np.array(trial.times)
    if len(times) < 2:
        return 0.0, 0.0
    ends = np.unique(np.linspace(0, len(times) - 1, min(_SAMPLES, len(times))).astype(int))
    radii = _radii(compiled, times[ends], [trial.states[i] for i in ends], args)
    stretch = np.diff(times[ends])
    return float(radii.max()), float(np.sum(stretch * np.maximum(radii[:-1], radii[1:])) / REACH)


def _radii(compiled: Compiled, times: FloatArray, states: list[FloatArray], args: Arguments) -> FloatArray:
    """Size of the largest eigenvalue that does not grow, at each time."""
    if "jacobian" not in compiled.tapes:
        return np.array(
            [_power_iteration(_along(compiled, t, y, args), compiled.size) for t, y in zip(times, states, strict=True)]
        )
    if compiled.size > DENSE_UP_TO:
        matrices = [sparse(compiled, t, y, args) for t, y in zip(times, states, strict=True)]
        return np.array([_power_iteration(lambda v, matrix=matrix: matrix @ v, compiled.size) for matrix in matrices])
    found = np.array([dense(compiled, entries) for entries in _entries(compiled, times, states, args)])
    known = np.all(np.isfinite(found), axis=(1, 2))
    values = np.linalg.eigvals(np.where(known[:, None, None], found, 0.0))
    return np.max(np.abs(np.where(values.real <= 0, values, 0.0)), axis=1, initial=0.0)


def _entries(compiled: Compiled, times: FloatArray, states: list[FloatArray], args: Arguments) -> list[FloatArray]:
    """The Jacobian's entries at each time."""
    entries = compiled.along("jacobian", args)
    with np.errstate(all="ignore"):
        return [entries(float(t), y) for t, y in zip(times, states, strict=True)]


def _along(compiled: Compiled, t: float, y: FloatArray, args: Arguments) -> Callable[[FloatArray], FloatArray]:
    """The product of the Jacobian with a vector of length 1, by a difference of the rates."""
    rates, step = compiled.numbers("rates", t, y, args), 1e-7 * (1 + float(np.linalg.norm(y)))
    return lambda v: (compiled.numbers("rates", t, y + step * v, args) - rates) / step


def _power_iteration(product: Callable[[FloatArray], FloatArray], n: int) -> float:
    """The size of the largest eigenvalue, roughly: the mean growth over the last half of 24 products."""
    v = np.cos(np.arange(n) * 1.7)
    v = v / np.linalg.norm(v)
    growth = []
    for _ in range(24):
        v = product(v)
        size = float(np.linalg.norm(v))
        if not 0 < size < math.inf:
            return 0.0
        growth.append(size)
        v = v / size
    return float(np.exp(np.mean(np.log(growth[12:]))))
