"""Which method suits a model: measured, with NumPy and SciPy only, before anything is compiled.

A trial solve at a loose tolerance gives the steps that accuracy asks for; the eigenvalues of the Jacobian along the way
give the steps that stability would ask of an explicit method (its stability region reaches to about 3.3 on the negative
axis for Tsit5). A model is stiff where the second count is well above the first: Hairer & Wanner, Solving Ordinary
Differential Equations II, section IV.2.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings
from hybridode.types import FloatArray

REACH = 3.3  # of the stability region of a fifth-order explicit method along the negative real axis
COSTLIER = 3.0  # a step of an implicit method against one of an explicit method
HIGH_ORDER = 2e-7  # relative tolerance below which methods of order 8 are quicker than those of order 5
SECONDS = 0.5  # for the trial solve
_DENSE_UP_TO = 100  # states up to which LSODA and dense eigenvalues are used; above, BDF with a sparse Jacobian
_SAMPLES = 40


@dataclass
class _Trial:
    """What the trial solve saw: times and states after every step."""

    times: list[float] = field(default_factory=list)
    states: list[FloatArray] = field(default_factory=list)
    note: str = ""


def choose_method(compiled: Compiled, args: Arguments, t0: float, t1: float, settings: Settings,
                  y0: FloatArray | None = None) -> tuple[str, str, dict[str, Any]]:  # fmt: skip
    """(method, the reason in words, measurements) for a solve from t0 to t1 at these concrete numbers.

    Follows `settings.method` unless it is "auto". Measurements: `spectral_radius`, `accuracy_steps`, `stability_steps`,
    `reached`, `seconds`; empty when nothing had to be measured. Bounded in time; compiles nothing with JAX.
    """
    if settings.method != "auto":
        return settings.method, f"{METHODS[settings.method].title} was asked for", {}
    if compiled.size == 0 or t1 <= t0:
        return "tsit5", "there is nothing to integrate", {}
    began = time.perf_counter()
    args = _plain(args).at_start(t0)
    start = compiled.numbers("start", t0, np.zeros(0), args) if y0 is None else np.asarray(y0, float)
    if not np.all(np.isfinite(start)):
        return "tsit5", "the start is not finite", {}
    trial = _try(compiled, args, float(t0), float(t1), start, settings)
    radius, needed = _stability(compiled, args, trial)
    accuracy = max(len(trial.times) - 1, 1)
    measured = {"spectral_radius": radius, "accuracy_steps": accuracy, "stability_steps": needed, "reached": trial.times[-1],
                "seconds": time.perf_counter() - began}  # fmt: skip
    stiff = needed > max(COSTLIER * accuracy, 50)
    words = (f"stability would ask an explicit method for about {needed:.4g} steps, accuracy asks for about {accuracy} "
             f"(fastest decay {radius:.3g} per unit of {compiled.declarations.time}{trial.note})")  # fmt: skip
    if stiff:
        return _implicit(compiled, settings), f"stiff: {words}", measured
    return ("dopri8" if settings.rtol < HIGH_ORDER else "tsit5"), f"not stiff: {words}", measured


def _implicit(compiled: Compiled, settings: Settings) -> str:
    if compiled.landing_signals:
        return "kencarp4"  # Kvaerno's methods evaluate past the end of a step, where an input may have jumped
    return "kvaerno3" if settings.rtol >= 1e-3 else "kvaerno5"


def _plain(args: Arguments) -> Arguments:
    import jax

    return jax.tree_util.tree_map(lambda leaf: np.asarray(leaf, np.float64), args)


def _try(compiled: Compiled, args: Arguments, t0: float, t1: float, start: FloatArray, settings: Settings) -> _Trial:
    """A trial solve over the stretches between `at` events, stopped after SECONDS."""
    trial = _Trial([t0], [start])
    deadline = time.perf_counter() + SECONDS
    y = start
    for a, b, statements in _stretches(compiled, args, t0, t1):
        y = _stretch(compiled, args, a, b, y, settings, trial, deadline)
        if trial.note:
            break
        for statement in statements:
            y = _assigned(compiled, args, b, y, statement)
            trial.times.append(b)
            trial.states.append(y)
    return trial


def _stretch(compiled: Compiled, args: Arguments, a: float, b: float, y: FloatArray, settings: Settings, trial: _Trial,
             deadline: float) -> FloatArray:  # fmt: skip
    from scipy.integrate import BDF, LSODA, RK45

    if b <= a:
        return y
    method, jacobian = (LSODA, _dense) if compiled.size <= _DENSE_UP_TO else (BDF, _sparse)
    if "jacobian" not in compiled.tapes:  # too many entries: whole Jacobians by differences would take the time that there is
        method, jacobian = RK45, None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        rtol = max(settings.rtol, 1e-6)
        options: dict[str, Any] = {} if jacobian is None else {"jac": lambda t, v: jacobian(compiled, t, v, args)}
        solver = method(lambda t, v: compiled.numbers("rates", t, v, args), a, y, b, rtol=rtol, atol=settings.atol, **options)
        while solver.status == "running":
            solver.step()
            if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
                trial.note = f"; the trial solve ended at {trial.times[-1]:.4g}"
                break
            if solver.t - trial.times[-1] < 1e-13 * abs(solver.t):
                trial.note = f"; the trial solve ended at {solver.t:.4g}"  # it blows up there
                break
            trial.times.append(float(solver.t))
            trial.states.append(solver.y.copy())
            if time.perf_counter() > deadline:
                trial.note = f"; measured up to {solver.t:.4g}"
                break
    return trial.states[-1]


def _stretches(compiled: Compiled, args: Arguments, t0: float, t1: float) -> list[tuple[float, float, list[int]]]:
    """(from, to, the statements that fire at its end) between t0 and t1; firings at t0 end an empty stretch."""
    fired: dict[float, list[int]] = {}
    if "at_times" in compiled.tapes:
        times = compiled.interpreters["at_times"]({"p": args.parameters})
        for i, (first, every, until) in enumerate(zip(times["time"], times["every"], times["until"], strict=True)):
            count = 1 if not 0 < every < math.inf else int(min((min(until, t1) - first) / every + 1e-9, 10_000)) + 1
            for k in range(count):
                at = float(first + k * every) if k else float(first)
                if t0 <= at <= t1:
                    fired.setdefault(at, []).append(i)
    ends = sorted(fired)
    bounds = [t0, *ends]
    return [*((a, b, fired[b]) for a, b in zip(bounds[:-1], ends, strict=True)), (bounds[-1], t1, [])]


def _assigned(compiled: Compiled, args: Arguments, t: float, y: FloatArray, statement: int) -> FloatArray:
    assert compiled.events is not None
    values, out = compiled.numbers("at_values", t, y, args), y.copy()
    for value, owner, state in zip(values, compiled.events.statement, compiled.events.state, strict=True):
        if owner == statement:
            out[state] = value
    return out


def _stability(compiled: Compiled, args: Arguments, trial: _Trial) -> tuple[float, float]:
    """(largest rate of decay, number of steps for stability) over the trial solve, from up to _SAMPLES of its steps."""
    times = np.array(trial.times)
    if len(times) < 2:
        return 0.0, 0.0
    ends = np.unique(np.linspace(0, len(times) - 1, min(_SAMPLES, len(times))).astype(int))
    radii = np.array([_radius(compiled, float(times[i]), trial.states[i], args) for i in ends])
    stretch = np.diff(times[ends])
    return float(radii.max()), float(np.sum(stretch * np.maximum(radii[:-1], radii[1:])) / REACH)


def _radius(compiled: Compiled, t: float, y: FloatArray, args: Arguments) -> float:
    """Size of the largest eigenvalue that does not grow."""
    if "jacobian" not in compiled.tapes:
        return _power_iteration(_along(compiled, t, y, args), compiled.size)
    if compiled.size > _DENSE_UP_TO:
        matrix = _sparse(compiled, t, y, args)
        return _power_iteration(lambda v: matrix @ v, compiled.size)
    matrix = _dense(compiled, t, y, args)
    if not np.all(np.isfinite(matrix)):
        return 0.0
    values = np.linalg.eigvals(matrix)
    return float(np.max(np.abs(values[values.real <= 0]), initial=0.0))


def _dense(compiled: Compiled, t: float, y: FloatArray, args: Arguments) -> FloatArray:
    matrix = np.zeros((compiled.size, compiled.size))
    entries = compiled.system.jacobian or ()
    matrix[[e.row for e in entries], [e.column for e in entries]] = compiled.numbers("jacobian", t, y, args)
    return matrix


def _sparse(compiled: Compiled, t: float, y: FloatArray, args: Arguments) -> Any:
    from scipy.sparse import csc_matrix

    entries = compiled.system.jacobian or ()
    place = ([e.row for e in entries], [e.column for e in entries])
    return csc_matrix((compiled.numbers("jacobian", t, y, args), place), (compiled.size, compiled.size))


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
