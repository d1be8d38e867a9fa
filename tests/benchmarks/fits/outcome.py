"""What a contender hands back: how its starts ended, and when. Seconds count from its beginning, after imports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tests.benchmarks.fits.problem import FitProblem


@dataclass(frozen=True)
class Ended:
    """A start: its number, when it ended, where (p, in natural units), and the objective there by the contender's own numbers.
    Of all but the best p may be left out. `trace`: (seconds, objective) whenever it fell; `note`: what the contender says."""

    start: int
    seconds: float
    p: list[float]
    objective: float
    trace: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""


@dataclass
class Outcome:
    """`setup`: seconds until the first evaluation, compiling and all; `total`: until everything was done; `processor`: of
    processors, its children's too. `answer`: what is handed to the user, where that may be none of the starts' ends."""

    ended: list[Ended] = field(default_factory=list)
    setup: float = 0.0
    total: float = 0.0
    processor: float = 0.0
    note: str = ""
    answer: Ended | None = None

    def plain(self) -> dict[str, Any]:
        return asdict(self)


Contender = Callable[[FitProblem, list[np.ndarray], float], Outcome]  # problem, starts, seconds after which no start begins


@dataclass
class Watch:
    """The clock of a contender, and the falling objective of the start that it works on."""

    began: float = field(default_factory=time.perf_counter)
    trace: list[tuple[float, float]] = field(default_factory=list)
    best: float = float("inf")

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def renew(self) -> None:
        self.trace, self.best = [], float("inf")

    def hear(self, objective: float) -> None:
        if objective < self.best:
            self.best = objective
            self.trace.append((self.elapsed, float(objective)))
