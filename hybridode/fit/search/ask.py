"""What optimisers and the pool say to each other: an optimiser asks for a point's value and derivatives and gets a `Point`.

An optimiser is a generator:

    def descend(theta, track):                      # theta (d,)
        point = yield Ask(theta)                    # the pool evaluates what all its starts ask for in one call
        while …:
            trial = yield Ask(point.theta + step, state={"point": point.plain(), "radius": radius})
            …
        return Optimum(…)

`state` holds all that the optimiser would need to ask this again in another process: plain numbers, texts, lists, dictionaries
and arrays. A checkpoint keeps it, a worker process is sent it; without one a start can only begin again.

Instead of a theta an optimiser may give the step that leads to it (`leap`): then the steps of all starts are made in one call
(`answered`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hybridode.fit.search.leaps import Leap, make, place


@dataclass(frozen=True)
class View:
    """Which objective is meant: that of the records in the first `horizon` (0 to 1) of each series' time."""

    horizon: float = 1.0


WHOLE = View()


@dataclass(frozen=True, eq=False)
class Ask:
    """Please evaluate at theta (d,), or where `leap` leads from there. `view`: anything hashable that the evaluator understands,
    asks of one view share a call."""

    theta: np.ndarray
    view: Any = WHOLE
    state: Mapping[str, Any] | None = None
    leap: Leap | None = None


@dataclass(frozen=True, eq=False)
class Point:
    """An evaluation in NumPy. `fisher` (d, d), or (0, 0) where only the gradient (d,) was computed. `reason` says why the value
    is inf; `postponed`: because only an implicit method could solve it, which nobody has tried yet."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    fisher: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    reason: str = ""
    postponed: bool = False

    @property
    def failed(self) -> bool:
        return not np.isfinite(self.value)

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "theta": self.theta, "value": self.value, "gradient": self.gradient, "fisher": self.fisher, "reason": self.reason
        }  # fmt: skip

    @staticmethod
    def from_plain(data: Mapping[str, Any]) -> Point:
        theta, gradient, fisher = (np.asarray(data[k], float) for k in ("theta", "gradient", "fisher"))
        return Point(theta, float(data["value"]), gradient, fisher, reason=str(data["reason"]))


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where an optimisation ended. status: "converged" or "stopped" (with the reason in `message`)."""

    theta: np.ndarray
    value: float
    gradient: np.ndarray
    fisher: np.ndarray | None
    status: str
    message: str
    iterations: int


Search = Generator[Ask, Point, Optimum]
EvaluateMany = Callable[[Sequence[Ask]], list[Point]]


def answered(asks: Sequence[Ask], evaluate_many: EvaluateMany) -> list[Point]:
    """The points asked for, in order, the leaps made."""
    make([ask.leap for ask in asks if ask.leap is not None])
    points = evaluate_many([ask if ask.leap is None else Ask(ask.leap.made.theta, ask.view, ask.state) for ask in asks])
    evaluated = [(ask.leap, point) for ask, point in zip(asks, points, strict=True) if not point.failed]
    place([(leap, p.theta, p.gradient, p.fisher) for leap, p in evaluated if leap is not None and leap.way is not None])
    return points


def run_alone(search: Search, evaluate: Callable[[np.ndarray], Point]) -> Optimum:
    """One optimiser by itself, on one objective whatever the views."""
    try:
        ask = next(search)
        while True:
            (point,) = answered([ask], lambda asks: [evaluate(asks[0].theta)])
            ask = search.send(point)
    except StopIteration as end:
        return end.value
