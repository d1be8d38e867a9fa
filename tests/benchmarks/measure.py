"""Times of things that are compared: medians of interleaved runs, so that what else the machine does hits all alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How long to look. `rounds` of all contenders in turn; a sample lasts `sample` seconds at least (short calls are repeated
    within it); who has used `budget` seconds and 3 rounds is left out of later rounds."""

    rounds: int = 15
    sample: float = 2e-3
    budget: float = 0.5
    longest: float = 0.7  # seconds of one solve, beyond which finer tolerances are not tried
    tolerances: tuple[float, ...] = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11)
    trajectories: int = 10_000
    states: tuple[int, ...] = (10, 100, 1000, 10_000)
    grids: tuple[int, ...] = (8, 16, 32)


QUICK = Effort(rounds=5, sample=5e-4, budget=0.3, tolerances=(1e-4, 1e-6, 1e-8), trajectories=256, states=(10, 100), grids=(8,))


@dataclass(frozen=True)
class Timing:
    """Seconds a call: median and least over `rounds` samples of `repeats` calls."""

    median: float
    least: float
    rounds: int
    repeats: int


def seconds(call: Callable[[], object]) -> float:
    """One call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def interleaved(calls: Mapping[str, Callable[[], object]], effort: Effort) -> dict[str, Timing]:
    """A B C A B C …: each contender once a round, in the order given, after one call each that is not counted."""
    repeats, samples, used = {}, {}, {}
    for name, call in calls.items():
        call()
        once = min(seconds(call), seconds(call))
        repeats[name] = max(1, math.ceil(effort.sample / max(once, 1e-9)))
        samples[name], used[name] = [], 0.0
    for _ in range(effort.rounds):
        for name, call in calls.items():
            if used[name] > effort.budget and len(samples[name]) >= 3:
                continue
            began = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            spent = time.perf_counter() - began
            samples[name].append(spent / repeats[name])
            used[name] += spent
    return {name: Timing(statistics.median(s), min(s), len(s), repeats[name]) for name, s in samples.items()}
