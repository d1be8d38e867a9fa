"""Fisher scoring in a trust region: the optimiser for parameters.

The Fisher matrix stands in for the Hessian: it is positive semidefinite, it needs first sensitivities only, and it is
exact in expectation for every noise model, estimated scales included (for normal noise with known scales this is
Levenberg-Marquardt). The step solves the trust-region problem exactly by an eigendecomposition; the region is an
ellipsoid with MINPACK's scaling (J. J. Moré, LNM 630 (1978) 105). Near the optimum, where differences of values drown in
the solver's error, a step also counts when it lowers the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybridode.fit.progress import Track
from hybridode.fit.search.ask import WHOLE, Ask, Optimum, Point, Search
from hybridode.fit.search.chart import Chart
from hybridode.fit.search.leaps import Here
from hybridode.fit.search.region import Box
from hybridode.fit.search.ways import Inside, Reflected

GRADIENT_GOAL = 1e-8
DECREMENT_GOAL = 1e-9  # expected gain in log-likelihood at which an optimum counts as found
_NOISE = 1e-7  # relative error of values that comes from the solver
SPHERE, ELLIPSOID = 1.0, 0.1  # floors of the scales, see `fisher_scoring`
_POLISH = 15
_STALL, _STALLED = 20, 0.5  # networks: iterations in which at least this much log-likelihood must be gained


def fisher_scoring(
    theta: np.ndarray,
    track: Track,
    max_iterations: int = 200,
    floor: float = ELLIPSOID,
    stalling: bool = False,
    view: Any = WHOLE,
    box: Box | None = None,
    goal: float = DECREMENT_GOAL,
    state: Mapping[str, Any] | None = None,
    chart: Chart | None = None,
    polish: int = _POLISH,
    careful: bool = False,
) -> Search:
    """Minimises from theta, or goes on from `state`. The value at theta must be finite; failed trial points shrink the region.

    `floor`: a number that the objective hardly depends on is scaled like one that it depends on by this share of the most: SPHERE
    takes one scale for all, right for weights, which are of one kind, and many of which hardly matter; a smaller one lets such
    numbers go far in one step. `stalling`: to end where little was gained for long, as networks ever gain a little. `box`:
    bounds, which no point that is evaluated leaves. `goal`: an optimum is where the objective is expected to fall by less.
    `polish`: how many steps that gain less are made in a row. `chart`: coordinates in which to step, all on one scale, with walls
    in the place of the box. `careful`: there the first step moves no number further than all records together notice by one
    standard deviation, so that it stays in the basin where it begins.
    """
    way = Inside(Box.unbounded(len(theta)) if box is None else box, floor) if chart is None else Reflected(chart, careful)
    theta, here = way.clip(theta), None
    if state is None:
        point = yield Ask(theta, view)
        if point.failed:
            track.reject(point.reason)
            return replace(_end(point, "stopped", f"the start cannot be evaluated: {point.reason}", 0), theta=theta, fisher=None)
        track.accept(point.theta, point.value, point.gradient)
        here = way.here(point)
        state = _beginning(point, way.first_radius(here))
    point, radius, scale = Point.from_plain(state["point"]), float(state["radius"]), np.asarray(state["scale"], float)
    polishing, values, first = int(state["polishing"]), list(state["values"]), int(state["iteration"])
    walled = bool(state["walled"])  # the region shrank because points in it could not be evaluated
    here = way.here(point) if here is None else here
    for iteration in range(first, max_iterations + 1):
        if here.slope <= GRADIENT_GOAL:
            return _end(point, "converged", f"gradient {here.slope:.1e}", iteration - 1)
        now = {"point": point.plain(), "radius": radius, "scale": scale, "polishing": polishing, "walled": walled,
               "values": values[-_STALL - 1 :], "iteration": iteration}  # fmt: skip
        scale, safe = way.scales(scale, here)
        leap = way.leap(here, safe, radius)
        trial = yield Ask(point.theta if leap.step is None else leap.step.theta, view, now, leap)
        step = leap.made
        gain, length, small = step.gain, step.length, step.gain <= goal
        if trial.failed:
            track.reject(trial.reason)
            radius, walled = 0.25 * min(radius, length), True
        else:
            actual = point.value - trial.value
            noise = _NOISE * (1 + abs(point.value))
            there = leap.there or way.here(trial)
            ratio = (actual - step.bend) / gain if gain > 0 else 0.0
            lower = actual > 1e-3 * gain and actual > 0.01 * noise
            if lower or (actual > -noise and gain < 10 * noise and _flatter(there, here, safe)):
                point, here = trial, there
                track.accept(point.theta, point.value, point.gradient)
                polishing, walled = polishing + 1 if small else 0, False
            elif small or gain < noise:
                far = step.decrement > 1e3 * max(noise, goal) and length > 0.5 * radius  # the region is small, not the gain
                words = "no step from here lowers the objective" if far else f"expected gain {gain:.1e}"
                words += ", those beyond cannot be evaluated" if far and walled else ""
                return _end(point, "stopped" if far and walled else "converged", words, iteration)
            else:
                walled = False
            if ratio < 0.25 and gain > noise:
                radius = 0.3 * min(radius, length)
            elif ratio > 0.75:
                radius = max(radius, 3 * length)
        values.append(point.value)
        if stalling and len(values) > _STALL and values[-1 - _STALL] - point.value < _STALLED:
            return _end(point, "converged", f"the objective fell by less than {_STALLED} in {_STALL} iterations", iteration)
        if polishing > polish:
            return _end(point, "converged", f"expected gain {gain:.1e}", iteration)
        if radius < 1e-12:
            return _end(point, "stopped", "no step from here lowers the objective", iteration)
    return _end(point, "stopped", f"{max_iterations} iterations", max_iterations)


def _flatter(there: Here, here: Here, scale: np.ndarray) -> bool:
    """Whether the gradient is clearly smaller there."""
    return bool(np.linalg.norm(there.gradient / scale) < 0.9 * np.linalg.norm(here.gradient / scale))


def polished(end: Optimum, track: Track, chart: Chart, **how: Any) -> Search:
    """An optimum that was found coarsely, found well: no point is evaluated twice. how: of `fisher_scoring`."""
    begin = Point(end.theta, end.value, end.gradient, np.zeros((0, 0)) if end.fisher is None else end.fisher)
    return fisher_scoring(end.theta, track, chart=chart, state=_beginning(begin, 1.0), **how)


def _beginning(point: Point, radius: float) -> dict[str, Any]:
    """The state of a search whose first point was evaluated."""
    return {"point": point.plain(), "radius": radius, "scale": np.zeros(len(point.theta)), "polishing": 0, "walled": False,
            "values": [point.value], "iteration": 1}  # fmt: skip


def _end(point: Point, status: str, message: str, iterations: int) -> Optimum:
    return Optimum(point.theta, point.value, point.gradient, point.fisher, status, message, iterations)
