"""L-BFGS whose line search turns back from points that cannot be evaluated.

The two loops of J. Nocedal, Math. Comp. 35 (1980) 773; steps that satisfy the weak Wolfe conditions, found by bracketing
(A. S. Lewis, M. L. Overton, Math. Program. 141 (2013) 135). A trial without a value ends the bracket as one with a large value
would, and the next one is much nearer: such points are as a rule beyond a wall, and dear.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MEMORY = 30
_FALL, _FLATTER = 1e-4, 0.9  # Wolfe's conditions
_TRIALS = 30
_NOTHING = 1e-12  # relative fall of the value that is none
_NEARER, _FARTHER = 0.1, 4.0  # how a step that failed shrinks, and one that is too short grows

Value = Callable[[np.ndarray], tuple[float, np.ndarray]]  # inf where it cannot be evaluated


@dataclass(frozen=True, eq=False)
class Place:
    """A point (d,), its value and gradient (d,)."""

    x: np.ndarray
    value: float
    gradient: np.ndarray


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended, whether at an optimum, why, and after how many iterations."""

    place: Place
    converged: bool
    message: str
    iterations: int


def descend(evaluate: Value, start: Place, iterations: int, accept: Callable[[Place], str | None], goal: float = 1e-6) -> Descent:
    """Minimises from a point with a finite value. `accept` is told each iterate, and ends the descent with a text: why it is
    enough. `goal`: of the largest entry of the gradient."""
    here, pairs = start, deque[tuple[np.ndarray, np.ndarray]](maxlen=_MEMORY)
    for iteration in range(1, iterations + 1):
        if float(np.max(np.abs(here.gradient), initial=0.0)) <= goal:
            return Descent(here, True, f"gradient below {goal:g}", iteration - 1)
        direction = _direction(here.gradient, pairs)
        if not direction @ here.gradient < 0:
            pairs.clear()
            direction = _direction(here.gradient, pairs)
        found, walled = _line_search(evaluate, here, direction)
        if not _fell(here, found) and pairs:  # what was learnt of the curvature leads nowhere: once more straight down
            pairs.clear()
            found, walled = _line_search(evaluate, here, _direction(here.gradient, pairs))
        if found is None or not _fell(here, found):
            words = "no step from here lowers the objective" + (", those beyond cannot be evaluated" if walled else "")
            return Descent(found or here, not walled, words, iteration)
        step, change = found.x - here.x, found.gradient - here.gradient
        if step @ change > 1e-10 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            pairs.append((step, change))
        here = found
        enough = accept(here)
        if enough is not None:
            return Descent(here, True, enough, iteration)
    return Descent(here, False, f"{iterations} iterations", iterations)


def _fell(here: Place, found: Place | None) -> bool:
    return found is not None and here.value - found.value > _NOTHING * max(abs(here.value), 1.0)


def _direction(gradient: np.ndarray, pairs: deque[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Minus the inverse Hessian of the last steps and changes of the gradient times the gradient; without any, 1 long at most."""
    if not pairs:
        return -gradient / max(float(np.linalg.norm(gradient)), 1.0)
    q, factors = np.array(gradient), []
    for step, change in reversed(pairs):
        factor = step @ q / (step @ change)
        factors.append(factor)
        q -= factor * change
    step, change = pairs[-1]
    q *= step @ change / (change @ change)
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        q += (factor - change @ q / (step @ change)) * step
    return -q


def _line_search(evaluate: Value, here: Place, direction: np.ndarray) -> tuple[Place | None, bool]:
    """A point along the direction that is low and flat enough, or just low enough if none is found that is both; None if none is
    lower. The second value: points could not be evaluated."""
    slope = float(direction @ here.gradient)
    low, high, length = 0.0, np.inf, 1.0
    best, walled, before = None, False, here.value
    for _ in range(_TRIALS):
        x = here.x + length * direction
        if np.array_equal(x, here.x):
            break
        value, gradient = evaluate(x)
        if not np.isfinite(value):
            walled, high = True, length
            if best is not None:
                break
            length = low + _NEARER * (high - low)
        elif value > here.value + _FALL * length * slope or (best is not None and value > before):
            high = length
            # where the parabola through the value and slope at the beginning and this value is lowest
            lowest = -0.5 * slope * length**2 / (value - here.value - slope * length)
            length = low + float(np.clip((lowest - low) / (high - low), _NEARER, 0.5)) * (high - low)
        else:
            best, before, low = Place(x, value, gradient), value, length
            if direction @ gradient >= _FLATTER * slope:
                break
            length = _FARTHER * length if np.isinf(high) else 0.5 * (low + high)
    return best, walled
