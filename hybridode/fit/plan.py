"""What a fit is about to do and what it may cost: known after the first evaluation, before anything is searched."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.solve.settings import METHODS

# Evaluations that a start takes, from quick ones to long ones; those of many numbers are of gradients only.
EVALUATIONS = {"parameters": (20, 120), "networks": (40, 250), "many numbers": (700, 3000)}
BETWEEN = 2e-4  # seconds of the search itself between two evaluations of a start
COMPILED = (1.0, 5.0)  # seconds to compile what networks need besides: matching of slopes, parts of the time
_MEASURED = 0.3  # seconds of evaluations that are timed


@dataclass(frozen=True)
class Plan:
    """`evaluation`: seconds for the value and derivatives of one start, measured, beside its neighbours (`width` starts are
    evaluated in one call). `least`, `most`: seconds of the search, a rough estimate. `why` says how engine and derivatives were
    chosen."""

    engine: str
    method: str
    why: tuple[str, ...]
    parameters: tuple[str, ...]
    weights: int
    records: int
    series: int
    starts: int
    width: int
    preparing: float
    evaluation: float
    objective: float
    least: float
    most: float

    @property
    def numbers(self) -> int:
        """How many numbers are learnt."""
        return len(self.parameters) + self.weights


def plan_of(lanes: Lanes, points: list[np.ndarray], preparing: float, log: list[str]) -> Plan:
    """The plan of a search from these points, whose evaluation is compiled. `log`: what was chosen so far, and why."""
    objective, count = lanes.objective, len(points)
    block = np.stack(points[: min(lanes.width, count)])
    value = float(lanes.evaluations(block).value[0])
    seconds, rounds = math.inf, 0
    until = time.perf_counter() + _MEASURED
    while rounds < 3 or time.perf_counter() < until:
        began = time.perf_counter()
        lanes.evaluations(block)
        seconds, rounds = min(seconds, time.perf_counter() - began), rounds + 1
        if seconds > _MEASURED:
            break
    dimension = len(points[0])
    least, most = _span(objective.networks != (), dimension, count * BETWEEN + math.ceil(count / lanes.width) * seconds)
    used = sum(int(np.sum(np.asarray(c.used))) for c in lanes.batch.columns)
    how = f"each evaluation: value and gradient{' by an adjoint' if dimension > FISHER_MOST else ', Fisher matrix'}"
    return Plan(
        objective.settings.engine, METHODS[objective.method].title, (*log, how), tuple(e.name for e in objective.space.entries),
        dimension - objective.n_parameters, used, lanes.batch.count, count, lanes.width, preparing, seconds / len(block), value,
        least, most,
    )  # fmt: skip


def _span(networks: bool, dimension: int, round_of_starts: float) -> tuple[float, float]:
    """Seconds of a search, at least and at most, of those that an evaluation of all starts takes."""
    kind = "many numbers" if dimension > FISHER_MOST else "networks" if networks else "parameters"
    least, most = (n * round_of_starts for n in EVALUATIONS[kind])
    return (least + COMPILED[0], most + COMPILED[1]) if networks else (least, most)
