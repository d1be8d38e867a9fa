"""What a fit tells while it runs, and what it keeps for the tables: one line per iteration, reasons for rejected steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
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
    """What all starts of a fit share: the log, the listener, the time; and, once `gather` was called, the trace of all starts."""

    listener: Callable[[Progress], None] | None = None
    max_seconds: float | None = None
    starts: int = 1
    rows: list[Progress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def check_time(self) -> None:
        """Raises OutOfTime when the time is up."""
        if self.max_seconds is not None and self.elapsed > self.max_seconds:
            raise OutOfTime

    def tell(self, progress: Progress) -> None:
        if self.listener is not None:
            self.listener(progress)

    def gather(self, tracks: Iterable[Track]) -> None:
        """Rows and lines of the starts, in the order given: the same whatever ran beside what."""
        for track in tracks:
            self.rows += track.rows
            self.log += track.log


@dataclass
class Track:
    """One start: its trace and log, its best point, its rejected steps. Plain data but for the recorder."""

    recorder: Recorder
    start: int = 1
    stage: str = ""
    iteration: int = 0
    rejected: int = 0
    best: np.ndarray | None = None
    best_value: float = float("inf")
    rows: list[Progress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def begin_stage(self, stage: str) -> None:
        """A new stage may have another objective, so that its values are not compared with what was before."""
        self.stage, self.best_value = stage, float("inf")

    def accept(self, theta: np.ndarray, value: float, gradient: np.ndarray) -> None:
        """An iteration that counts."""
        self.iteration += 1
        if value <= self.best_value:
            self.best, self.best_value = np.array(theta), float(value)
        norm = float(np.max(np.abs(gradient), initial=0.0))
        shared = self.recorder
        row = Progress(self.stage, self.start, shared.starts, self.iteration, float(value), norm, shared.elapsed)
        self.rows.append(row)
        shared.tell(row)

    def reject(self, reason: str) -> None:
        """A step that was not taken because it could not be computed."""
        self.rejected += 1
        if self.rejected <= 20:
            self.log.append(f"start {self.start}, {self.stage}, after iteration {self.iteration}: step rejected, {reason}")
        elif self.rejected == 21:
            self.log.append(f"start {self.start}: further rejected steps are counted, not listed")

    def check_time(self) -> None:
        """Raises OutOfTime when the time is up: for what runs long without asking the pool."""
        self.recorder.check_time()
