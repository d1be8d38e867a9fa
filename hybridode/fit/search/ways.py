"""The two ways of stepping that `fisher_scoring` knows: inside a box, and reflected from the walls of a chart, which all
starts that share the chart are in one call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridode.fit.search.ask import Point
from hybridode.fit.search.chart import Chart
from hybridode.fit.search.leaps import Here, Leap
from hybridode.fit.search.region import Box, step_inside


@dataclass(frozen=True, eq=False)
class Inside:
    """Steps on the scales of the vector itself, in an ellipsoid; what would leave the box is held at its bound."""

    box: Box
    floor: float

    def clip(self, theta: np.ndarray) -> np.ndarray:
        return self.box.clip(theta)

    def here(self, point: Point) -> Here:
        """An evaluation in the coordinates of the steps."""
        held = self.box.held(point.theta, point.gradient)
        slope = float(np.max(np.abs(point.gradient[~held]), initial=0.0))
        return Here(point.theta, point.gradient, point.fisher, slope)

    def first_radius(self, here: Here) -> float:
        return 1.0

    def scales(self, before: np.ndarray, here: Here) -> tuple[np.ndarray, np.ndarray]:
        """To remember (d,), and those of the step: forgotten slowly, as a start far off must not shorten all later steps."""
        scale = np.maximum(before * 0.9, np.sqrt(np.maximum(np.diag(here.fisher), 0.0)))
        return scale, np.maximum(scale, self.floor * max(scale.max(initial=0.0), 1e-300))

    def leap(self, here: Here, scale: np.ndarray, radius: float) -> Leap:
        """The step from here, made or to be made."""
        step = step_inside(here.theta, here.gradient, here.fisher, scale, radius, self.box)
        return Leap(here, radius, step=step)


@dataclass(frozen=True, eq=False)
class Reflected:
    """Steps in the coordinates of a chart, in a sphere but for the distance from walls."""

    chart: Chart
    careful: bool = False

    def clip(self, theta: np.ndarray) -> np.ndarray:
        return self.chart.box.clip(theta)

    def here(self, point: Point) -> Here:
        return self.chart.heres(point.theta[None], point.gradient[None], point.fisher[None])[0]

    def first_radius(self, here: Here) -> float:
        noticed = float(np.sqrt(np.max(np.diag(here.fisher), initial=0.0))) if self.careful else 0.0
        return 1.0 / max(noticed, 1.0)

    def scales(self, before: np.ndarray, here: Here) -> tuple[np.ndarray, np.ndarray]:
        return before, self.chart.units

    def leap(self, here: Here, scale: np.ndarray, radius: float) -> Leap:
        return Leap(here, radius, self.chart)
