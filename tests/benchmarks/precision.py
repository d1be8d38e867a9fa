"""Work-precision curves, and solvers compared at equal achieved error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """One solve: the tolerance asked for, the error achieved, the seconds it took."""

    rtol: float
    error: float
    seconds: float


def front(points: Iterable[Point]) -> list[Point]:
    """The points that no other is both quicker and more accurate than, from coarse and quick to fine and slow."""
    kept: list[Point] = []
    for p in sorted(points, key=lambda p: (p.seconds, p.error)):
        if not kept or p.error < kept[-1].error:
            kept.append(p)
    return kept


def time_at(points: Iterable[Point], error: float) -> float | None:
    """Seconds to an error of at most this, between points on straight lines in logarithms; None if it was never reached.

    A solver whose coarsest point is better already has the time of its quickest point.
    """
    curve = front(points)
    if not curve or curve[-1].error > error:
        return None
    for coarse, fine in zip([None, *curve], curve, strict=False):
        if fine.error <= error:
            if coarse is None:
                return fine.seconds
            share = math.log(coarse.error / error) / math.log(coarse.error / fine.error)
            return coarse.seconds * (fine.seconds / coarse.seconds) ** share
    return None


def geometric_mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


@dataclass(frozen=True)
class Comparison:
    """At one error: our seconds, the quickest other's name and seconds. None where nobody gets there."""

    error: float
    ours: float | None
    other: str | None
    others: float | None

    @property
    def ratio(self) -> float | None:
        """How many times quicker we are."""
        return None if self.ours is None or self.others is None else self.others / self.ours


def compare(ours: Sequence[Point], others: dict[str, Sequence[Point]], error: float) -> Comparison:
    """Ours against the quickest of the others at one achieved error."""
    times = {name: t for name, points in others.items() if (t := time_at(points, error)) is not None}
    best = min(times, key=lambda name: times[name]) if times else None
    return Comparison(error, time_at(ours, error), best, times[best] if best else None)
