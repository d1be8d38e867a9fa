"""A solve to look at before anything is compiled: times and states after every step, in NumPy, within a given time.

Rodas4 with the model's Jacobian (dense up to a hundred states), so that a step is what a step of the real solve would be; beyond,
SciPy's methods for large systems. Errors do not matter here but for the number of steps, so signals may jump within one.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hybridode.methods.rosenbrock_tableaux import RODAS4
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import Settings
from hybridode.solve.stretches import Firing, assigned, firings
from hybridode.types import FloatArray

SECONDS = 0.5  # of the processor for the trial solve: what else it does must not change a choice
MOST_STEPS = 600  # by then it is known what kind of solve it is
LOOSEST, FINEST = 1e-4, 1e-6  # relative tolerance of the trial; beyond the finest, what is asked of it grows no more
DENSE_UP_TO = 100  # states up to which Jacobians are dense
_LEAST_STEP = 1e-13  # of the time: below, the solution blows up
_STAGES, _MEMORY = (np.array([[*row, *[0.0] * (RODAS4.stages - len(row))] for row in rows]) for rows in (RODAS4.a, RODAS4.C))
_NEW, _ERROR = np.array(RODAS4.b), np.array(RODAS4.error)


@dataclass
class Trial:
    """What the trial solve saw: times and states after every step."""

    times: list[float] = field(default_factory=list)
    states: list[FloatArray] = field(default_factory=list)
    note: str = ""
    late: bool = False  # the time was up: another run may see more

    def accuracy_steps(self, settings: Settings) -> int:
        """How many steps accuracy asks for at the tolerance of these settings: those of the trial, grown as for order 5."""
        growth = (trial_tolerance(settings)[0] / max(settings.rtol, FINEST)) ** 0.2
        return max(round((len(self.times) - 1) * max(growth, 1.0)), 1)

    def step(self, t: float, y: FloatArray, deadline: float) -> None:
        self.times.append(float(t))
        self.states.append(y)
        self.late = time.thread_time() > deadline
        if self.late or len(self.times) > MOST_STEPS:
            self.note = f"; measured up to {t:.4g}"


def trial_tolerance(settings: Settings) -> tuple[float, float]:
    """(rtol, atol) of a trial: LOOSEST, or looser where looser is asked for; atol in the same ratio."""
    rtol = max(settings.rtol, LOOSEST)
    return rtol, settings.atol * min(rtol / settings.rtol, 1e4) if settings.rtol else settings.atol


def trial_solve(compiled: Compiled, args: Arguments, t0: float, t1: float, start: FloatArray, settings: Settings) -> Trial:
    """A trial solve over the stretches between `at` events, stopped after SECONDS."""
    trial = Trial([t0], [start])
    deadline = time.thread_time() + SECONDS
    solve = _large if compiled.size > DENSE_UP_TO or "jacobian" not in compiled.tapes else _rosenbrock
    fired = firings(compiled, args, t0, np.array([t1]))[0] if compiled.events is not None else []
    a = t0
    for b, statement, amount in [*fired, Firing(t1, -1)]:
        if b > a:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                solve(compiled, args, a, b, settings, trial, deadline)
        if trial.note:
            break
        if statement >= 0:
            trial.step(b, assigned(compiled, args, b, trial.states[-1], statement, amount), math.inf)
        a = b
    return trial


def _rosenbrock(compiled: Compiled, args: Arguments, a: float, b: float, settings: Settings, trial: Trial,
                deadline: float) -> None:  # fmt: skip
    """Rodas4 from the trial's last state to b."""
    rates, entries = compiled.along("rates", args), compiled.along("jacobian", args)
    (rtol, atol), y, t = trial_tolerance(settings), trial.states[-1], a
    moves = any(i.name in ("t", "u", "du") for i in compiled.tapes["rates"].inputs)
    h = min(b - a, max(_first_step(rates(t, y), y, rtol, atol), 1e-12 * (b - a)))
    while t < b and not trial.note:
        slope, jacobian = rates(t, y), dense(compiled, entries(t, y))
        drift = (rates(t + 1e-7 * h, y) - slope) / (1e-7 * h) if moves else 0.0
        while True:
            last = h * (1 + 1e-10) >= b - t
            h = b - t if last else h
            new, error = _step(rates, t, y, h, slope, jacobian, drift)
            size = atol + rtol * np.maximum(np.abs(y), np.abs(new))
            norm = float(np.sqrt(np.mean((error / size) ** 2)))
            factor = min(5.0, max(0.2, 0.9 * max(norm, 1e-10) ** -0.25)) if math.isfinite(norm) else 0.1
            if norm <= 1.0:
                break
            h *= min(factor, 0.9)
            if h < _LEAST_STEP * max(abs(t), abs(b - a) * _LEAST_STEP):
                trial.note = f"; the trial solve ended at {t:.4g}"
                return
            if time.thread_time() > deadline:
                trial.note, trial.late = f"; measured up to {t:.4g}", True
                return
        t, y, h = b if last else t + h, new, h * factor
        trial.step(t, y, deadline)


def _step(rates: Callable[[float, FloatArray], FloatArray], t: float, y: FloatArray, h: float, slope: FloatArray,
          jacobian: FloatArray, drift: Any) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """(new state, error estimate) of one step of Rodas4, see `methods.tableau.RosenbrockTableau`."""
    m, n = RODAS4, len(y)
    memory = _MEMORY / h
    try:
        inverse = np.linalg.inv(np.eye(n) / (h * m.gamma) - jacobian)
    except np.linalg.LinAlgError:
        return y, np.full(n, np.nan)
    u = np.zeros((m.stages, n))
    for i in range(m.stages):
        right = slope if i == 0 else rates(t + m.c[i] * h, y + _STAGES[i, :i] @ u[:i])
        u[i] = inverse @ (right + memory[i, :i] @ u[:i] + h * m.d[i] * drift)
    return y + _NEW @ u, _ERROR @ u


def _first_step(slope: FloatArray, y: FloatArray, rtol: float, atol: float) -> float:
    """A hundredth of the time in which the slope moves the state by its size (Hairer, Norsett & Wanner I, II.4)."""
    size = atol + rtol * np.abs(y)
    d0, d1 = (float(np.sqrt(np.mean((x / size) ** 2))) for x in (y, slope))
    return 0.01 * max(d0, 1.0) / max(d1, 1e-10) if math.isfinite(d1) else 1e-6


def _large(compiled: Compiled, args: Arguments, a: float, b: float, settings: Settings, trial: Trial,
           deadline: float) -> None:  # fmt: skip
    """SciPy's BDF with a sparse Jacobian from the trial's last state to b."""
    from scipy.integrate import BDF, RK45

    rtol, atol = trial_tolerance(settings)
    rates = compiled.along("rates", args)
    if not np.all(np.isfinite(rates(a, trial.states[-1]))):  # SciPy's RK45 would shrink a step of NaN for ever
        trial.note = f"; the rates are not finite at {a:.4g}"
        return
    # Without entries (too many) whole Jacobians by differences would take the time that there is.
    with_jacobian = "jacobian" in compiled.tapes
    options: dict[str, Any] = {"jac": lambda t, v: sparse(compiled, t, v, args)} if with_jacobian else {}
    solver = (BDF if with_jacobian else RK45)(rates, a, trial.states[-1], b, rtol=rtol, atol=atol, **options)
    while solver.status == "running" and not trial.note:
        solver.step()
        if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
            trial.note = f"; the trial solve ended at {trial.times[-1]:.4g}"
        elif solver.t - trial.times[-1] < _LEAST_STEP * abs(solver.t):
            trial.note = f"; the trial solve ended at {solver.t:.4g}"  # it blows up there
        else:
            trial.step(solver.t, solver.y.copy(), deadline)


def dense(compiled: Compiled, entries: FloatArray) -> FloatArray:
    """The Jacobian (n, n) of its entries."""
    matrix = np.zeros((compiled.size, compiled.size))
    matrix[compiled.jacobian_places] = entries
    return matrix


def sparse(compiled: Compiled, t: float, y: FloatArray, args: Arguments) -> Any:
    """The Jacobian as a matrix of SciPy's."""
    from scipy.sparse import csc_matrix

    return csc_matrix((compiled.numbers("jacobian", t, y, args), compiled.jacobian_places), (compiled.size, compiled.size))
