"""The two ways of stepping that `fisher_scoring` knows: inside a box, and reflected from the walls of a chart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybridode.fit.search.ask import Point
from hybridode.fit.search.chart import Chart
from hybridode.fit.search.reflected import distances, reflected_step
from hybridode.fit.search.region import Box, Step, step_inside


@dataclass(frozen=True, eq=False)
class Inside:
    """Steps on the scales of the vector itself, in an ellipsoid; what would leave the box is held at its bound."""

    box: Box
    floor: float

    def clip(self, theta: np.ndarray) -> np.ndarray:
        return self.box.clip(theta)

    def first_radius(self, point: Point) -> float:
        return 1.0

    def local(self, point: Point) -> Point:
        """An evaluation in the coordinates of the steps."""
        return point

    def slope(self, point: Point) -> float:
        """The steepest entry of the gradient that is not held."""
        return float(np.max(np.abs(point.gradient[~self.box.held(point.theta, point.gradient)]), initial=0.0))

    def scales(self, before: np.ndarray, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """To remember (d,), and those of the step: forgotten slowly, as a start far off must not shorten all later steps."""
        scale = np.maximum(before * 0.9, np.sqrt(np.maximum(np.diag(point.fisher), 0.0)))
        return scale, np.maximum(scale, self.floor * max(scale.max(initial=0.0), 1e-300))

    def step(self, point: Point, scale: np.ndarray, radius: float) -> Step:
        return step_inside(point.theta, point.gradient, point.fisher, scale, radius, self.box)


@dataclass(frozen=True, eq=False)
class Reflected:
    """Steps in the coordinates of a chart, in a sphere but for the distance from walls."""

    chart: Chart
    careful: bool = False

    def clip(self, theta: np.ndarray) -> np.ndarray:
        return self.chart.box.clip(theta)

    def first_radius(self, point: Point) -> float:
        noticed = float(np.sqrt(np.max(np.diag(self.local(point).fisher), initial=0.0))) if self.careful else 0.0
        return 1.0 / max(noticed, 1.0)

    def local(self, point: Point) -> Point:
        return self.chart.local(point)

    def slope(self, here: Point) -> float:
        """The steepest entry of the gradient, one towards a near wall times its distance."""
        far = np.minimum(distances(here.theta, here.gradient, self.chart.walls), 1.0)
        return float(np.max(np.abs(here.gradient) * far, initial=0.0))

    def scales(self, before: np.ndarray, here: Point) -> tuple[np.ndarray, np.ndarray]:
        return before, np.ones(len(before))

    def step(self, here: Point, scale: np.ndarray, radius: float) -> Step:
        step = reflected_step(here.theta, here.gradient, here.fisher, radius, self.chart.walls)
        return replace(step, theta=self.chart.theta(step.theta))
