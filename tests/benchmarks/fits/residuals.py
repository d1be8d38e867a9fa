"""The objective as a sum of squares, for those who minimise sums of squares.

One estimated scale: it drops out, s^2 is the mean of the squares at their minimum. Several: beside the standardised residuals
one number for each scale, whose square is 2 n log s up to a constant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.fits.problem import FitProblem


def profiled(problem: FitProblem) -> bool:
    """Whether the one scale of all columns drops out."""
    return len(problem.scales) == 1 and None not in problem.noise_places


def residuals(problem: FitProblem, outputs: Any, p: Any, xp: Any = np) -> Any:
    """(m,) whose sum of squares is to be made small; outputs (columns, times)."""
    if profiled(problem):
        return (outputs - problem.data).ravel()
    noise = problem.noise(p)
    parts = [(outputs[k] - problem.data[k]) / s for k, s in enumerate(noise)]
    for k, s in enumerate(noise):
        if problem.noise_places[k] is not None:
            low = problem.parameters[problem.noise_places[k]].low  # type: ignore[index]
            parts.append(xp.sqrt(len(problem.times) * (2 * xp.log(s / low) + 1))[None])
    return xp.concatenate(parts)


def finished(problem: FitProblem, outputs: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, float]:
    """p with a scale that dropped out at its best, inside its bounds, and the objective."""
    p = np.array(p, float)
    if profiled(problem):
        at = problem.scales[0]
        bounds = problem.parameters[at]
        p[at] = np.clip(np.sqrt(np.mean((outputs - problem.data) ** 2)), bounds.low, bounds.high)
    return p, float(problem.objective(outputs, p))
