"""Growing horizons: networks see the first part of the time, then more of it, then all.

What was trained on one part may leave the model's domain right behind it (a population below 0). Then the next part is too far
away, and one in the middle comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_LEAST = 0.04  # of the time: what cannot be evaluated so little behind a trained part is given up


@dataclass(frozen=True)
class Horizons:
    """Parts of the time to be trained on in turn, `ahead`, and the part that was trained `reached`."""

    ahead: tuple[float, ...]
    reached: float = 0.0

    @staticmethod
    def of(fractions: Sequence[float]) -> Horizons:
        return Horizons(tuple(fractions))

    @property
    def next(self) -> float:
        return self.ahead[0]

    def trained(self) -> Horizons:
        """Behind the next part."""
        return Horizons(self.ahead[1:], self.next)

    def nearer(self) -> Horizons | None:
        """With a part in the middle before the next one; None where nothing lies between."""
        middle = (self.reached + self.next) / 2
        return None if self.next - self.reached < 2 * _LEAST else replace(self, ahead=(middle, *self.ahead))
