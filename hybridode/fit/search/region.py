"""Steps in a trust region inside bounds."""

from __future__ import annotations

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
class Quadratics:
    """Models g.p + p.H.p/2, each in the eigenvectors of its symmetric H: eigenvalues (B, d) in ascending order, eigenvectors
    (B, d, d), g (B, d) there. Every operation works row by row: a row's bits do not depend on the others."""

    weights: np.ndarray
    vectors: np.ndarray
    gradient: np.ndarray

    @staticmethod
    def of(gradient: np.ndarray, hessian: np.ndarray) -> Quadratics:
        """Of gradients (B, d) and matrices (B, d, d)."""
        weights, vectors = np.linalg.eigh(hessian)
        return Quadratics(weights, vectors, np.add.reduce(vectors * gradient[:, :, None], axis=1))

    @property
    def top(self) -> np.ndarray:
        """The largest eigenvalues (B,), at least 0."""
        return np.max(self.weights, axis=1, initial=0.0)

    def least(self, radius: np.ndarray) -> np.ndarray:
        """argmin with |p| <= radius (B,) (negative eigenvalues count as 0): (B, d)."""
        top = self.top
        weights = np.maximum(self.weights, _DAMPING * top[:, None])
        damping = _damping(self.gradient**2, weights, top, radius)
        p = -self.gradient / np.maximum(weights + damping[:, None], 1e-300)
        return np.add.reduce(self.vectors * p[:, None, :], axis=2)

    def decrement(self) -> np.ndarray:
        """The decreases (B,) that are expected of the best steps of all in the directions that are known well."""
        known = self.weights > _KNOWN * np.maximum(self.top, 1e-300)[:, None]
        return 0.5 * np.add.reduce(np.where(known, self.gradient**2, 0.0) / np.where(known, self.weights, 1.0), axis=1)


def _damping(squares: np.ndarray, weights: np.ndarray, top: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """What is added to the eigenvalues (B, d) so that the step has the length of the radius (B,), 0 where it is not longer.

    Newton's method on 1/|p| - 1/radius, which is nearly straight, from where |p| is too long (J. J. Moré, D. C. Sorensen, SIAM J.
    Sci. Stat. Comput. 4 (1983) 553): it comes nearer from one side in every step."""
    damping, aim = np.zeros(len(squares)), radius / (1 + _LENGTH)
    lower = np.sqrt(np.add.reduce(squares, axis=1)) / aim - top  # the step is too long up to here
    for _ in range(_NEWTON):
        shifted = np.maximum(weights + damping[:, None], 1e-100)
        ratios = squares / shifted / shifted
        square = np.add.reduce(ratios, axis=1)
        long = ~(square <= radius * radius)
        if not np.logical_or.reduce(long):
            break
        slope = np.add.reduce(ratios / shifted, axis=1)
        newer = damping + square / slope * (np.sqrt(square) / aim - 1)
        newer = np.where((slope > 0) & (slope < np.inf), newer, 0.0)
        damping = np.where(long, np.maximum(np.maximum(newer, lower), damping), damping)
    return damping


def trust_region_step(gradient: np.ndarray, hessian: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """argmin g.p + p.H.p/2 with |p| <= radius for a symmetric H (negative eigenvalues count as 0), and the expected decrease."""
    with np.errstate(all="ignore"):
        model = Quadratics.of(gradient[None], hessian[None])
        p = model.least(np.array([radius]))[0]
    along = model.vectors[0].T @ p
    weights = np.maximum(model.weights[0], 0.0)
    return p, float(-(model.gradient[0] @ along) - 0.5 * (weights * along) @ along)


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
        with np.errstate(all="ignore"):
            model = Quadratics.of(g[None], h[None])
            step[free] = model.least(np.array([radius]))[0] / scale[free]
        trial = theta + step
        leaving = ~fixed & ((trial < box.low) | (trial > box.high))
        if not leaving.any():
            break
        fixed = fixed | leaving
        step = np.where(leaving, box.clip(trial) - theta, step)
    gain = float(-(gradient @ step) - 0.5 * step @ hessian @ step)
    return Step(box.clip(theta + step), gain, float(np.linalg.norm(step * scale)), float(model.decrement()[0]))
