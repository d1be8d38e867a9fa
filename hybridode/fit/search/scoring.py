"""Fisher scoring in a trust region: the optimiser for parameters.

The Fisher matrix stands in for the Hessian: it is positive semidefinite, it needs first sensitivities only, and it is
exact in expectation for every noise model, estimated scales included (for normal noise with known scales this is
Levenberg-Marquardt). The step solves the trust-region problem exactly by an eigendecomposition; the region is an
ellipsoid with MINPACK's scaling (J. J. Moré, LNM 630 (1978) 105). Near the optimum, where differences of values drown in
the solver's error, a step also counts when it lowers the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.fit.progress import Track
from hybridode.fit.search.ask import WHOLE, Ask, Optimum, Point, Search
from hybridode.fit.search.region import Box, step_inside

GRADIENT_GOAL = 1e-8
DECREMENT_GOAL = 1e-9  # expected gain in log-likelihood at which an optimum counts as found
_NOISE = 1e-7  # relative error of values that comes from the solver
SPHERE, ELLIPSOID = 1.0, 0.1  # floors of the scales, see `fisher_scoring`
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
) -> Search:
    """Minimises from theta, or goes on from `state`. The value at theta must be finite; failed trial points shrink the region.

    `floor`: a number that the objective hardly depends on is scaled like one that it depends on by this share of the most: SPHERE
    takes one scale for all, right for weights, which are of one kind, and many of which hardly matter; a smaller one lets such
    numbers go far in one step. `stalling`: to end where little was gained for long, as networks ever gain a little. `box`:
    bounds, which no point that is evaluated leaves. `goal`: an optimum is where the objective is expected to fall by less.
    """
    box = Box.unbounded(len(theta)) if box is None else box
    theta = box.clip(theta)
    if state is None:
        point = yield Ask(theta, view)
        if point.failed:
            track.reject(point.reason)
            return Optimum(
                theta, point.value, point.gradient, None, "stopped", f"the start cannot be evaluated: {point.reason}", 0
            )
        track.accept(point.theta, point.value, point.gradient)
        radius, scale, polishing, values, first = 1.0, np.zeros(len(theta)), 0, [point.value], 1
        walled = False  # the region shrank because points in it could not be evaluated
    else:
        point, radius, scale = Point.from_plain(state["point"]), float(state["radius"]), np.asarray(state["scale"], float)
        polishing, values, first = int(state["polishing"]), list(state["values"]), int(state["iteration"])
        walled = bool(state["walled"])
    for iteration in range(first, max_iterations + 1):
        norm = float(np.max(np.abs(point.gradient[~box.held(point.theta, point.gradient)]), initial=0.0))
        if norm <= GRADIENT_GOAL:
            return _end(point, "converged", f"gradient {norm:.1e}", iteration - 1)
        now = {"point": point.plain(), "radius": radius, "scale": scale, "polishing": polishing, "walled": walled,
               "values": values[-_STALL - 1 :], "iteration": iteration}  # fmt: skip
        diagonal = np.sqrt(np.maximum(np.diag(point.fisher), 0.0))
        scale = np.maximum(scale * 0.9, diagonal)  # forget slowly: a start far off must not shorten all later steps
        safe = np.maximum(scale, floor * max(scale.max(initial=0.0), 1e-300))
        step = step_inside(point.theta, point.gradient, point.fisher, safe, radius, box)
        trial = yield Ask(step.theta, view, now)
        gain, length, small = step.gain, step.length, step.gain <= goal
        if trial.failed:
            track.reject(trial.reason)
            radius, walled = 0.25 * min(radius, length), True
        else:
            actual = point.value - trial.value
            noise = _NOISE * (1 + abs(point.value))
            flatter = np.linalg.norm(trial.gradient / safe) < 0.9 * np.linalg.norm(point.gradient / safe)
            ratio = actual / gain if gain > 0 else 0.0
            if (ratio > 1e-3 and actual > 0.01 * noise) or (flatter and actual > -noise and gain < 10 * noise):
                point = trial
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
        if polishing > 15:
            return _end(point, "converged", f"expected gain {gain:.1e}", iteration)
        if radius < 1e-12:
            return _end(point, "stopped", "no step from here lowers the objective", iteration)
    return _end(point, "stopped", f"{max_iterations} iterations", max_iterations)


def _end(point: Point, status: str, message: str, iterations: int) -> Optimum:
    return Optimum(point.theta, point.value, point.gradient, point.fisher, status, message, iterations)
