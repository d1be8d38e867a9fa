"""Steps in a trust region between walls, from which they are reflected: T. F. Coleman, Y. Li, SIAM J. Optim. 6 (1996) 418, with
the choice of M. A. Branch, T. F. Coleman, Y. Li, SIAM J. Sci. Comput. 21 (1999) 1, as SciPy's `least_squares` makes it.

What moves towards a wall is scaled by the root of its distance from it, so that nothing is thrown onto a wall in one step, and
a curvature says how this scale changes. A step that would go through a wall becomes the best of three: itself up to the wall,
itself and then back from the wall, and the steepest descent.

All of it for many starts at once, row by row: a row's bits do not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hybridode.fit.search.region import Box, Quadratics, Step

_PART = 0.95  # of the way to a wall that a step goes at the most, near the optimum more


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products (B,) of rows (B, d)."""
    return np.add.reduce(a * b, axis=1)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Problems in scaled coordinates p / scale: gradients (B, d), Hessians (B, d, d) with what the scale bends them by, radii
    (B,) and the part (B,) of the way to a wall."""

    theta: np.ndarray
    scale: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    walls: Box
    radius: np.ndarray
    part: np.ndarray

    def at(self, rows: np.ndarray) -> _Scaled:
        """Some of them."""
        return _Scaled(self.theta[rows], self.scale[rows], self.gradient[rows], self.hessian[rows], self.walls,
                       self.radius[rows], self.part[rows])  # fmt: skip

    def times(self, p: np.ndarray) -> np.ndarray:
        """H p (B, d)."""
        return np.add.reduce(self.hessian * p[:, None, :], axis=2)

    def value(self, p: np.ndarray) -> np.ndarray:
        return _dot(self.gradient + 0.5 * self.times(p), p)

    def least_along(self, start: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The best of start + t direction with low <= t <= high, (B, d)."""
        bend, slope = _dot(direction, self.times(direction)), _dot(self.gradient + self.times(start), direction)
        middle = -slope / bend
        middle = np.where((bend > 0) & (low < middle) & (middle < high), middle, low)
        return self.best([start + t[:, None] * direction for t in (low, high, middle)])

    def best(self, choices: list[np.ndarray]) -> np.ndarray:
        """The best of steps, each (B, d); NaN in what is none."""
        values = np.array([self.value(p) for p in choices])
        first = np.argmin(np.where(np.isnan(values), np.inf, values), axis=0)
        return np.array(choices)[first, np.arange(len(first))]

    def to_wall(self, theta: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How often (B,) p fits between theta and the first wall, and which entries (B, d) meet it."""
        step = self.scale * p
        often = np.maximum((self.walls.low - theta) / step, (self.walls.high - theta) / step)
        often = np.where(step == 0, np.inf, often)
        first = np.minimum.reduce(often, axis=1, initial=np.inf)
        return first, often == first[:, None]

    def reflected(self, p: np.ndarray, often: np.ndarray, hit: np.ndarray) -> np.ndarray:
        """The steps up to the wall and from there back, NaN where there is no room."""
        start, direction = often[:, None] * p, np.where(hit, -p, p)
        a, b, c = _dot(direction, direction), _dot(start, direction), _dot(start, start) - self.radius**2
        rest = (-b + np.sqrt(np.maximum(b * b - a * c, 0.0))) / a
        room, _ = self.to_wall(self.theta + self.scale * start, direction)
        most = np.minimum(rest, room)
        low, high = (1 - self.part) * often / most, np.where(room <= rest, self.part * room, rest)
        found = self.least_along(start, direction, low, high)
        return np.where(((most > 0) & (low <= high))[:, None], found, np.nan)

    def inside(self, p: np.ndarray) -> np.ndarray:
        """The steps p (B, d) where they stay between the walls, and what becomes of the others."""
        often, hit = self.to_wall(self.theta, p)
        rows = np.flatnonzero(often <= 1)
        if not len(rows):
            return p
        out, own, p, often, hit = np.array(p), self.at(rows), p[rows], often[rows], hit[rows]
        room, _ = own.to_wall(own.theta, -own.gradient)
        far = own.radius / np.maximum(np.sqrt(_dot(own.gradient, own.gradient)), 1e-300)
        steepest = own.least_along(0 * p, -own.gradient, 0 * room, np.minimum(own.part * room, far))
        out[rows] = own.best([(own.part * often)[:, None] * p, own.reflected(p, often, hit), steepest])
        return out


def distances(theta: np.ndarray, gradient: np.ndarray, walls: Box) -> np.ndarray:
    """Of each entry (…, d) from the wall that descent leads to; 1 where there is none."""
    far = np.where(gradient < 0, walls.high - theta, theta - walls.low)
    return np.where(np.isfinite(far) & (gradient != 0), far, 1.0)


def reflected_steps(theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, radius: np.ndarray, walls: Box,
                    told: Callable[[np.ndarray], np.ndarray] = lambda found: found) -> list[Step]:  # fmt: skip
    """The steps from theta (B, d), which lie strictly between the walls, to points that do too, with gradients (B, d), Hessians
    (B, d, d) and radii (B,). `gain` and `length` are those on the scaled problems; `bend` is the part of the gain that comes from
    the scale. told: what is said of the points (B, d), in other coordinates."""
    with np.errstate(all="ignore"):
        v = distances(theta, gradient, walls)
        scale, towards = np.sqrt(v), np.isfinite(np.where(gradient < 0, walls.high, walls.low))
        bends, d = np.abs(gradient) * towards, np.arange(theta.shape[1])
        part = np.maximum(_PART, 1.0 - np.max(np.abs(gradient) * v, axis=1, initial=0.0))
        g, h = scale * gradient, scale[:, :, None] * hessian * scale[:, None, :]
        h[:, d, d] += bends
        problem, model = _Scaled(theta, scale, g, h, walls, radius, part), Quadratics.of(g, h)
        p = problem.inside(model.least(radius))
        numbers = [-problem.value(p), np.sqrt(_dot(p, p)), model.decrement(), 0.5 * _dot(bends, p * p)]
        return [Step(*row) for row in zip(told(theta + scale * p), *(n.tolist() for n in numbers), strict=True)]


def reflected_step(theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, radius: float, walls: Box) -> Step:
    """One of them: theta (d,), gradient (d,), Hessian (d, d)."""
    return reflected_steps(theta[None], gradient[None], hessian[None], np.array([radius]), walls)[0]
