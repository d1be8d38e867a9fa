"""What a fit tells while it runs, and what it keeps for the tables: one line per iteration, reasons for rejected steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from hybridode.fit.memory import Memory

MOST_ROWS = 200_000  # of the trace of all starts that are kept in memory


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
    rejected: int = 0  # steps of this start so far that could not be computed


class OutOfTime(Exception):
    """`max_seconds` have passed; the best point so far is kept by the recorder."""


class Describe(Protocol):
    """What those who watch see of the model at theta, as JSON: `parameters` in natural units by name, `panels` with `curves`."""

    def __call__(self, theta: np.ndarray, curves: bool) -> Mapping[str, Any]: ...


class Keeps(Protocol):
    """Who writes down a fit while it runs (`fit/keeper.py`)."""

    memory: Memory

    def ready(self, fitted: bytes, describe: Describe) -> None:
        """The search begins, on data with this hash (`Memory.hash_of`)."""

    def searched(self) -> None:
        """The search has ended."""

    @property
    def elapsed(self) -> float:
        """Seconds since the fit began, in whatever process."""
        ...

    def hear(self, progress: Progress) -> None:
        """An iteration."""

    def end_start(self, start: int) -> None:
        """A start has ended."""

    def tick(self) -> None:
        """A moment at which a fit may be written down, or ended: raises KeyboardInterrupt when that was asked for."""


@dataclass
class Recorder:
    """What all starts of a fit share: the log, the listener, the time; and, once `gather` was called, the trace of all starts."""

    listener: Callable[[Progress], None] | None = None
    max_seconds: float | None = None
    starts: int = 1
    rows: list[Progress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)
    keeper: Keeps | None = None
    planned: Callable[[Any], None] | None = None  # is told the `Plan` before the search begins

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.began if self.keeper is None else self.keeper.elapsed

    @property
    def seconds_left(self) -> float:
        """Until the limit of time of this process."""
        return np.inf if self.max_seconds is None else self.max_seconds - (time.perf_counter() - self.began)

    def check_time(self) -> None:
        """Raises OutOfTime when the time of this process is up, KeyboardInterrupt when the end was asked for."""
        if self.keeper is not None:
            self.keeper.tick()
        if self.seconds_left < 0:
            raise OutOfTime

    def tell(self, progress: Progress) -> None:
        if self.keeper is not None:
            self.keeper.hear(progress)
        if self.listener is not None:
            self.listener(progress)

    def say(self, line: str) -> None:
        """A line of the log that whoever waits is told at once."""
        self.log.append(line)
        note = getattr(self.listener, "note", None)
        if note is not None:
            note(line)

    def end_start(self, start: int) -> None:
        """A start has ended, by itself or because it was stopped."""
        if self.keeper is not None:
            self.keeper.end_start(start)

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
    partial: bool = False
    rows: list[Progress] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def begin_stage(self, stage: str, partial: bool = False) -> None:
        """A new stage may have another objective, so that its values are not compared with what was before. `partial`: that of
        some of the records, which other starts are not compared by."""
        self.stage, self.best_value, self.partial = stage, float("inf"), partial

    def accept(self, theta: np.ndarray, value: float, gradient: np.ndarray) -> None:
        """An iteration that counts."""
        self.iteration += 1
        if value <= self.best_value:
            self.best, self.best_value = np.array(theta), float(value)
        norm = float(np.abs(gradient).max(initial=0.0))
        shared = self.recorder
        row = Progress(self.stage, self.start, shared.starts, self.iteration, float(value), norm, shared.elapsed, self.rejected)
        self.rows.append(row)
        if len(self.rows) > max(1000, MOST_ROWS // max(shared.starts, 1)):
            del self.rows[1 : len(self.rows) // 2 : 2]  # the older half is thinned: memory stays bounded
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
