"""Steps that are made for many starts in one call: a start says from where and how far, whoever answers it makes the step.

On the few numbers of a plain model a call of NumPy takes longer than its arithmetic, so the steps of all starts cost hardly more
than one. Every operation works row by row: a step's bits do not depend on how many others are made beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from hybridode.fit.search.region import Step

Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True, eq=False)
class Here:
    """An evaluation in the coordinates in which steps are made: theta (d,), gradient (d,), Fisher matrix (d, d), and the steepest
    entry of the gradient that nothing holds."""

    theta: np.ndarray
    gradient: np.ndarray
    fisher: np.ndarray
    slope: float


class Together(Protocol):
    """A way of stepping that is quicker for many starts than for one after the other."""

    def steps(self, leaps: Sequence[Leap]) -> list[Step]: ...

    def heres(self, theta: np.ndarray, gradient: np.ndarray, fisher: np.ndarray) -> list[Here]:
        """Of evaluations (B, d), (B, d), (B, d, d)."""
        ...


@dataclass(eq=False)
class Leap:
    """A step of this length (on the scale of the region) from here. Who answers fills in `step`, and `there` once the point that
    it leads to is evaluated; both may be there before. `way`: who can make it beside others, None where it is made."""

    here: Here
    radius: float
    way: Together | None = None
    step: Step | None = None
    there: Here | None = None

    @property
    def made(self) -> Step:
        assert self.step is not None, "whoever answers makes the step"
        return self.step


def make(leaps: Sequence[Leap]) -> None:
    """Makes the steps that are not made."""
    for way, mine in _by_way([(leap,) for leap in leaps if leap.step is None]):
        for (leap,), step in zip(mine, way.steps([leap for (leap,) in mine]), strict=True):
            leap.step = step


def place(evaluated: Sequence[tuple[Leap, np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """Tells leaps where they have led: with each the theta (d,), gradient (d,) and Fisher matrix (d, d) there."""
    for way, mine in _by_way(evaluated):
        leaps, *found = zip(*mine, strict=True)
        for leap, there in zip(leaps, way.heres(*(np.array(values) for values in found)), strict=True):
            leap.there = there


def _by_way(rows: Sequence[Row]) -> list[tuple[Together, list[Row]]]:
    """Rows that begin with a leap, by the way that they share."""
    found: dict[int, tuple[Together, list[Row]]] = {}
    for row in rows:
        way = row[0].way
        assert way is not None, "who cannot be made together is made"
        found.setdefault(id(way), (way, []))[1].append(row)
    return list(found.values())
