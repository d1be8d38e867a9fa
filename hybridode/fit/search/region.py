"""Steps in a trust region inside bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_DAMPING = 1e-12
_NEWTON, _LENGTH = 50, 1e-3  # iterations for the length of a step, and its relative error
_KNOWN = 1e-8  # share of the largest curvature from which a direction is known well: noise is larger than what lies below


@dataclass(frozen=True, eq=False)
class Box:
    """Closed bounds of a vector (d,), infinite where there are none. Trial points never leave them."""

    low: np.ndarray
    high: np.ndarray

    @staticmethod
    def unbounded(size: int) -> Box:
        return Box(np.full(size, -np.inf), np.full(size, np.inf))

    def clip(self, theta: np.ndarray) -> np.ndarray:
        return np.clip(theta, self.low, self.high)

    def held(self, theta: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Which entries stand at a bound that they press against (d,)."""
        return ((theta <= self.low) & (gradient > 0)) | ((theta >= self.high) & (gradient < 0))


@dataclass(frozen=True, eq=False)
class Step:
    """A trial point, the decrease that the quadratic model expects of it, and its length on the scale of the region.

    `decrement`: what the model expects of the best step of all in the directions that it knows well, within the bounds. `bend`:
    what the model has beside the objective (see `reflected`).
    """

    theta: np.ndarray
    gain: float
    length: float
    decrement: float
    bend: float = 0.0


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The model g.p + p.H.p/2 in the eigenvectors of a symmetric H (d, d): its eigenvalues in ascending order, g (d,) there."""

    weights: np.ndarray
    vectors: np.ndarray
    gradient: np.ndarray

    @staticmethod
    def of(gradient: np.ndarray, hessian: np.ndarray) -> Quadratic:
        weights, vectors = np.linalg.eigh(hessian)
        return Quadratic(weights, vectors, vectors.T @ gradient)

    @property
    def top(self) -> float:
        """The largest eigenvalue, at least 0."""
        return max(float(self.weights[-1]), 0.0) if len(self.weights) else 0.0

    def least(self, radius: float) -> tuple[np.ndarray, float]:
        """argmin with |p| <= radius (negative eigenvalues count as 0), and the expected decrease."""
        weights = np.maximum(self.weights, _DAMPING * self.top)
        p = -self.gradient / np.maximum(weights + _damping(self.gradient**2, weights, self.top, radius), 1e-300)
        return self.vectors @ p, float(-(self.gradient @ p) - 0.5 * (weights * p) @ p)

    def decrement(self) -> float:
        """The decrease that is expected of the best step of all in the directions that are known well."""
        least = _KNOWN * max(self.top, 1e-300)
        pairs = zip(self.gradient.tolist(), self.weights.tolist(), strict=True)
        return 0.5 * sum(g * g / weight for g, weight in pairs if weight > least)


def _damping(squares: np.ndarray, weights: np.ndarray, top: float, radius: float) -> float:
    """What is added to the eigenvalues so that the step has the length of the radius, 0 where it is not longer.

    Newton's method on 1/|p| - 1/radius, which is nearly straight, from where |p| is too long (J. J. Moré, D. C. Sorensen, SIAM J.
    Sci. Stat. Comput. 4 (1983) 553): it comes nearer from one side in every step. On Python's numbers: of the few that a fit
    learns a call of NumPy takes longer than all of them."""
    damping, aim = 0.0, radius / (1 + _LENGTH)
    pairs = list(zip(squares.tolist(), weights.tolist(), strict=True))
    lower = math.sqrt(sum(part for part, _ in pairs)) / aim - top  # the step is too long up to here
    for _ in range(_NEWTON):
        square = slope = 0.0
        for part, weight in pairs:
            shifted = max(weight + damping, 1e-100)
            ratio = part / shifted / shifted
            square += ratio
            slope += ratio / shifted
        if square <= radius * radius:
            break
        newer = damping + square / slope * (math.sqrt(square) / aim - 1) if 0.0 < slope < math.inf else 0.0
        damping = max(newer, lower, damping)
    return damping


def trust_region_step(gradient: np.ndarray, hessian: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """argmin g.p + p.H.p/2 with |p| <= radius for a symmetric H (negative eigenvalues count as 0), and the expected decrease."""
    return Quadratic.of(gradient, hessian).least(radius)


def step_inside(theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, scale: np.ndarray, radius: float, box: Box) -> Step:
    """The step of the region |scale p| <= radius from theta. What would leave the box stops at its bound, and the others step
    once more without it."""
    fixed = box.held(theta, gradient)
    step = np.zeros(len(theta))  # of what is fixed: to the bound
    while True:
        free = np.flatnonzero(~fixed)
        g = (gradient + hessian @ (step * fixed))[free] / scale[free]
        h = hessian[np.ix_(free, free)] / np.outer(scale[free], scale[free])
        step = step * fixed
        model = Quadratic.of(g, h)
        step[free] = model.least(radius)[0] / scale[free]
        trial = theta + step
        leaving = ~fixed & ((trial < box.low) | (trial > box.high))
        if not leaving.any():
            break
        fixed = fixed | leaving
        step = np.where(leaving, box.clip(trial) - theta, step)
    gain = float(-(gradient @ step) - 0.5 * step @ hessian @ step)
    return Step(box.clip(theta + step), gain, float(np.linalg.norm(step * scale)), model.decrement())
