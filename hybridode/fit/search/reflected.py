"""Steps in a trust region between walls, from which they are reflected: T. F. Coleman, Y. Li, SIAM J. Optim. 6 (1996) 418, with
the choice of M. A. Branch, T. F. Coleman, Y. Li, SIAM J. Sci. Comput. 21 (1999) 1, as SciPy's `least_squares` makes it.

What moves towards a wall is scaled by the root of its distance from it, so that nothing is thrown onto a wall in one step, and
a curvature says how this scale changes. A step that would go through a wall becomes the best of three: itself up to the wall,
itself and then back from the wall, and the steepest descent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.fit.search.region import Box, Quadratic, Step

_PART = 0.95  # of the way to a wall that a step goes at the most, near the optimum more


@dataclass(frozen=True, eq=False)
class _Scaled:
    """The problem in scaled coordinates p / scale: gradient, Hessian with what the scale bends it by, and the radius."""

    theta: np.ndarray
    scale: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    walls: Box
    radius: float
    part: float

    def value(self, p: np.ndarray) -> float:
        return float(self.gradient @ p + 0.5 * p @ self.hessian @ p)

    def least_along(self, start: np.ndarray, direction: np.ndarray, low: float, high: float) -> np.ndarray:
        """The best of start + t direction with low <= t <= high."""
        bend, slope = float(direction @ self.hessian @ direction), float((self.gradient + start @ self.hessian) @ direction)
        ts = [low, high, *([-slope / bend] if bend > 0 and low < -slope / bend < high else [])]
        return min((start + t * direction for t in ts), key=self.value)

    def to_wall(self, theta: np.ndarray, p: np.ndarray) -> tuple[float, np.ndarray]:
        """How often p fits between theta and the first wall, and which entries meet it."""
        step = self.scale * p
        with np.errstate(divide="ignore", invalid="ignore"):
            often = np.maximum((self.walls.low - theta) / step, (self.walls.high - theta) / step)
        often = np.where(step == 0, np.inf, often)
        return float(np.min(often, initial=np.inf)), often == np.min(often, initial=np.inf)

    def reflected(self, p: np.ndarray, often: float, hit: np.ndarray) -> np.ndarray | None:
        """The step up to the wall and from there back, None where there is no room."""
        start, direction = often * p, np.where(hit, -p, p)
        a, b, c = float(direction @ direction), float(start @ direction), float(start @ start) - self.radius**2
        rest = (-b + np.sqrt(max(b * b - a * c, 0.0))) / a
        room, _ = self.to_wall(self.theta + self.scale * start, direction)
        most = min(rest, room)
        if not most > 0:
            return None
        low, high = (1 - self.part) * often / most, self.part * room if room <= rest else rest
        return self.least_along(start, direction, low, high) if low <= high else None


def distances(theta: np.ndarray, gradient: np.ndarray, walls: Box) -> np.ndarray:
    """Of each entry (d,) from the wall that descent leads to; 1 where there is none."""
    far = np.where(gradient < 0, walls.high - theta, theta - walls.low)
    return np.where(np.isfinite(far) & (gradient != 0), far, 1.0)


def reflected_step(theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, radius: float, walls: Box) -> Step:
    """The step from theta (d,), which lies strictly between the walls, to a point that does too. `gain` and `length` are those on
    the scaled problem; `bend` is the part of the gain that comes from the scale."""
    v = distances(theta, gradient, walls)
    scale, towards = np.sqrt(v), np.isfinite(np.where(gradient < 0, walls.high, walls.low))
    bends = np.abs(gradient) * towards
    part = max(_PART, 1.0 - float(np.max(np.abs(gradient) * v, initial=0.0)))
    g, h = scale * gradient, scale[:, None] * hessian * scale + np.diag(bends)
    problem, model = _Scaled(theta, scale, g, h, walls, radius, part), Quadratic.of(g, h)
    p, _ = model.least(radius)
    often, hit = problem.to_wall(theta, p)
    if often <= 1:
        choices = [part * often * p, problem.reflected(p, often, hit)]
        room, _ = problem.to_wall(theta, -g)
        choices.append(problem.least_along(0 * g, -g, 0.0, min(part * room, radius / max(float(np.linalg.norm(g)), 1e-300))))
        p = min((c for c in choices if c is not None), key=problem.value)
    bend = 0.5 * float(np.sum(bends * p * p))
    return Step(theta + scale * p, -problem.value(p), float(np.linalg.norm(p)), model.decrement(), bend)
