"""Steps in a trust region inside bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DAMPING = 1e-12
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

    `decrement`: what the model expects of the best step of all in the directions that it knows well, within the bounds.
    """

    theta: np.ndarray
    gain: float
    length: float
    decrement: float


def trust_region_step(gradient: np.ndarray, hessian: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """argmin g.p + p.H.p/2 with |p| <= radius for a symmetric H (negative eigenvalues count as 0), and the expected decrease."""
    return _in_region(gradient, *np.linalg.eigh(hessian), radius)


def _in_region(gradient: np.ndarray, weights: np.ndarray, vectors: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """The step for the eigenvalues and eigenvectors of H."""
    top = max(float(weights[-1]), 0.0) if len(weights) else 0.0
    weights = np.maximum(weights, _DAMPING * top)
    g = vectors.T @ gradient

    def length(damping: float) -> float:
        return float(np.linalg.norm(g / np.maximum(weights + damping, 1e-300)))

    damping = 0.0
    if length(0.0) > radius:
        low, high = 0.0, float(np.linalg.norm(g)) / radius
        for _ in range(200):  # the length falls monotonically in the damping
            damping = 0.5 * (low + high) if low == 0.0 or high / low < 4 else float(np.sqrt(low * high))
            low, high = (damping, high) if length(damping) > radius else (low, damping)
            if high - low <= 1e-3 * high:
                break
        damping = high
    p = -g / np.maximum(weights + damping, 1e-300)
    return vectors @ p, float(-(g @ p) - 0.5 * (weights * p) @ p)


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
        weights, vectors = np.linalg.eigh(h)
        step[free] = _in_region(g, weights, vectors, radius)[0] / scale[free]
        trial = theta + step
        leaving = ~fixed & ((trial < box.low) | (trial > box.high))
        if not leaving.any():
            break
        fixed = fixed | leaving
        step = np.where(leaving, box.clip(trial) - theta, step)
    gain = float(-(gradient @ step) - 0.5 * step @ hessian @ step)
    return Step(box.clip(theta + step), gain, float(np.linalg.norm(step * scale)), _decrement(g, weights, vectors))


def _decrement(gradient: np.ndarray, weights: np.ndarray, vectors: np.ndarray) -> float:
    known = weights > _KNOWN * max(float(weights[-1]), 1e-300) if len(weights) else np.zeros(0, bool)
    return float(0.5 * np.sum((vectors.T @ gradient)[known] ** 2 / weights[known]))
