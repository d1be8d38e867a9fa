"""The coordinates in which a start searches: a parameter's logarithm, or its own scale, between two walls.

On the unconstrained scale of a parameter with two bounds (a logit) both ends are infinitely far and everything flattens out on
the way there: a start that is thrown towards a bound stays. In the logarithm itself a bound is a wall, which `reflected` turns
back from. Other numbers are searched on the scales that they have. Starts that share a chart step together (see `leaps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.search.ask import Point
from hybridode.fit.search.leaps import Here, Leap
from hybridode.fit.search.reflected import distances, reflected_steps
from hybridode.fit.search.region import Box, Step

_LINEAR = 4.0  # length of a range that is searched on a linear scale: as steep in its middle as its logit


@dataclass(frozen=True, eq=False)
class Chart:
    """places (m,): entries of the vector that lie between walls low (m,) and high (m,); the others stay what they are. `box`: of
    the whole vector theta, `walls`: the same in coordinates."""

    places: np.ndarray
    low: np.ndarray
    high: np.ndarray
    box: Box

    @staticmethod
    def of(space: ParameterSpace) -> Chart:
        """Of the parameters of a model without networks."""
        ends = {
            i: (np.log(e.lower), np.log(e.upper)) if e.log else (0.0, _LINEAR)
            for i, e in enumerate(space.entries)
            if e.transform in ("between", "log between")
        }
        low, high = np.array([*ends.values()], float).reshape(-1, 2).T
        return Chart(np.array([*ends], int), low, high, Box(*space.box()))

    @cached_property
    def walls(self) -> Box:
        return Box(self.coordinates(self.box.low), self.coordinates(self.box.high))

    @cached_property
    def units(self) -> np.ndarray:
        """Its one scale for all numbers (d,)."""
        return np.ones(len(self.box.low))

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """Of vectors (…, d)."""
        found, z = np.array(theta, float), theta[..., self.places]
        near = (self.high - self.low) * np.exp(-np.logaddexp(0.0, np.abs(z)))  # the distance from the nearer wall
        found[..., self.places] = np.where(z < 0, self.low + near, self.high - near)
        return found

    def theta(self, found: np.ndarray) -> np.ndarray:
        """The vectors with these coordinates (…, d), inside the box."""
        theta, x = np.array(found, float), found[..., self.places]
        least = 1e-12 * (self.high - self.low)  # rounding may have carried it onto a wall
        theta[..., self.places] = np.log(np.maximum(x - self.low, least)) - np.log(np.maximum(self.high - x, least))
        return self.box.clip(theta)

    def slopes(self, theta: np.ndarray) -> np.ndarray:
        """d coordinates/d theta (…, d)."""
        size, slope = np.abs(theta[..., self.places]), np.ones_like(theta)
        slope[..., self.places] = (self.high - self.low) * np.exp(-size - 2 * np.logaddexp(0.0, -size))
        return slope

    def local(self, point: Point) -> Point:
        """An evaluation in coordinates: gradient and Fisher matrix with respect to them."""
        slope = self.slopes(point.theta)
        fisher = point.fisher / np.outer(slope, slope) if point.fisher.size else point.fisher
        return replace(point, theta=self.coordinates(point.theta), gradient=point.gradient / slope, fisher=fisher)

    def heres(self, theta: np.ndarray, gradient: np.ndarray, fisher: np.ndarray) -> list[Here]:
        """Evaluations at theta (B, d) in coordinates."""
        slope, found = self.slopes(theta), self.coordinates(theta)
        with np.errstate(all="ignore"):
            gradient, fisher = gradient / slope, fisher / (slope[:, :, None] * slope[:, None, :])
            far = np.minimum(distances(found, gradient, self.walls), 1.0)  # a slope towards a near wall counts times its distance
            steepest = np.max(np.abs(gradient) * far, axis=1, initial=0.0)
        return [Here(*row) for row in zip(found, gradient, fisher, steepest.tolist(), strict=True)]

    def steps(self, leaps: Sequence[Leap]) -> list[Step]:
        """The steps of leaps, to points between the walls."""
        theta, gradient = (np.array([getattr(leap.here, name) for leap in leaps]) for name in ("theta", "gradient"))
        fisher, radius = np.array([leap.here.fisher for leap in leaps]), np.array([leap.radius for leap in leaps])
        return reflected_steps(theta, gradient, fisher, radius, self.walls, self.theta)
