"""The coordinates in which a start searches: a parameter's logarithm, or its own scale, between two walls.

On the unconstrained scale of a parameter with two bounds (a logit) both ends are infinitely far and everything flattens out on
the way there: a start that is thrown towards a bound stays. In the logarithm itself a bound is a wall, which `reflected` turns
back from. Other numbers are searched on the scales that they have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.search.ask import Point
from hybridode.fit.search.region import Box

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

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """Of a vector (d,)."""
        found, z = np.array(theta, float), theta[self.places]
        near = (self.high - self.low) * np.exp(-np.logaddexp(0.0, np.abs(z)))  # the distance from the nearer wall
        found[self.places] = np.where(z < 0, self.low + near, self.high - near)
        return found

    def theta(self, found: np.ndarray) -> np.ndarray:
        """The vector with these coordinates, inside the box."""
        theta, x = np.array(found, float), found[self.places]
        least = 1e-12 * (self.high - self.low)  # rounding may have carried it onto a wall
        theta[self.places] = np.log(np.maximum(x - self.low, least)) - np.log(np.maximum(self.high - x, least))
        return self.box.clip(theta)

    def local(self, point: Point) -> Point:
        """An evaluation in coordinates: gradient and Fisher matrix with respect to them."""
        size = np.abs(point.theta[self.places])
        slope = np.ones(len(point.theta))  # d coordinates/d theta
        slope[self.places] = (self.high - self.low) * np.exp(-size - 2 * np.logaddexp(0.0, -size))
        fisher = point.fisher / np.outer(slope, slope) if point.fisher.size else point.fisher
        return replace(point, theta=self.coordinates(point.theta), gradient=point.gradient / slope, fisher=fisher)
