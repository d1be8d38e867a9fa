"""What a fit tells while it runs, and what it keeps for the tables: one line per iteration, reasons for rejected steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Progress:
    """One iteration. `elapsed` is in seconds since the fit began."""

    stage: str
    start: int
    starts: int
    iteration: int
    objective: float
    gradient_norm: float
    elapsed: float


class OutOfTime(Exception):
    """`max_seconds` have passed; the best point so far is kept by the recorder."""


@dataclass
class Recorder:
    """Collects the trace and the log of a fit, calls `listener`, remembers the best point of the current start."""

    listener: Callable[[Progress], None] | None = None
    max_seconds: float | None = None
    starts: int = 1
    start: int = 1
    stage: str = ""
    iteration: int = 0
    rows: list[Progress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    best: np.ndarray | None = None
    best_value: float = float("inf")
    rejected: int = 0
    began: float = field(default_factory=time.perf_counter)

    def begin_start(self, number: int) -> None:
        self.start, self.iteration, self.rejected = number, 0, 0
        self.best, self.best_value = None, float("inf")

    def begin_stage(self, stage: str) -> None:
        """A new stage may have another objective, so that its values are not compared with what was before."""
        self.stage, self.best_value = stage, float("inf")

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def accept(self, theta: np.ndarray, value: float, gradient: np.ndarray) -> None:
        """An iteration that counts. Raises OutOfTime when the time is up."""
        self.iteration += 1
        if value <= self.best_value:
            self.best, self.best_value = np.array(theta), value
        norm = float(np.max(np.abs(gradient), initial=0.0))
        self._tell(Progress(self.stage, self.start, self.starts, self.iteration, float(value), norm, self.elapsed))

    def reject(self, reason: str) -> None:
        """A step that was not taken because it could not be computed."""
        self.rejected += 1
        if self.rejected <= 20:
            self.log.append(f"start {self.start}, {self.stage}, after iteration {self.iteration}: step rejected, {reason}")
        elif self.rejected == 21:
            self.log.append(f"start {self.start}: further rejected steps are counted, not listed")
        self.check_time()

    def check_time(self) -> None:
        if self.max_seconds is not None and self.elapsed > self.max_seconds:
            raise OutOfTime

    def _tell(self, progress: Progress) -> None:
        self.rows.append(progress)
        if self.listener is not None:
            self.listener(progress)
        self.check_time()
