"""What a long fit leaves on the disk while it runs: the trace as it grows, checkpoints, and `live.json` for those who watch.

A `Keeper` hears of every iteration. Whatever goes wrong with the disk is told once and never ends a fit: it goes on in memory
and tries again.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridode.files import write_whole
from hybridode.fit.checkpoint import Checkpoint
from hybridode.fit.live import finite
from hybridode.fit.memory import Memory
from hybridode.fit.progress import Describe, Progress
from hybridode.fit.time_left import TimeLeft

LIVE, TRACE = "live.json", "trace.csv"
LIVE_SCHEMA = 1
EVERY = 3.0  # seconds between checkpoints; more where writing one takes long, but
AT_MOST = 8.0  # never more: kill -9 loses less than ten seconds
MOST_FRESH = 32 << 20  # bytes of answers that wait in memory at most
FIRST_CURVES = 6.0  # seconds of search before curves are drawn: who watches a fit that is about to end?
_SHARE = 0.02  # of the time that curves for those who watch may cost
TRACE_HEADER = "start,stage,iteration,objective,gradient_norm,seconds\n"
_MOST_ROWS = 60  # starts that `live.json` lists


@dataclass
class Keeper:
    """Keeps a run in its directory. `before`: seconds that earlier processes spent on it. `warn` hears what cannot be written."""

    directory: Path
    checkpoint: Checkpoint
    memory: Memory
    before: float = 0.0
    warn: Callable[[str], None] = lambda message: None
    log: list[str] = field(default_factory=list)
    left: TimeLeft = field(default_factory=TimeLeft)
    asked_to_stop: Callable[[], bool] = lambda: False
    closed: bool = False
    phase: str = "preparing"  # then "searching", then "finishing"
    describe: Describe | None = None
    fitted: bytes = b""  # the hash of the data that are fitted
    _began: float = field(default_factory=time.perf_counter)
    _due: float = math.inf
    _rows: dict[int, Progress] = field(default_factory=dict)  # the last iteration of each start
    _lines: list[str] = field(default_factory=list)
    _written: int = 0  # bytes of the trace that are on the disk
    _shown: tuple[float, Mapping[str, Any]] = (math.inf, {})  # objective and description of the best point shown
    _curves_due: float = math.inf
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._due = self.seconds + EVERY
        self.memory.keeping, self.memory.seconds = True, lambda: self.seconds

    @property
    def seconds(self) -> float:
        """Seconds spent on the fit, those of earlier processes included."""
        return self.before + time.perf_counter() - self._began

    def ready(self, fitted: bytes, describe: Describe) -> None:
        """The search begins. `fitted` is the memory's hash of the data, see `Memory.best`."""
        self.fitted, self.describe, self.phase = fitted, describe, "searching"
        self._curves_due = self.seconds + FIRST_CURVES

    def searched(self) -> None:
        """The search has ended; what comes now is quick."""
        self.phase = "finishing"

    # ---- while it runs --------------------------------------------------------------------------------------------------
    @property
    def elapsed(self) -> float:
        """The time for the trace: where an earlier process has been here, when it was."""
        return self.memory.clock if self.memory.replaying else self.seconds

    def hear(self, progress: Progress) -> None:
        """An iteration."""
        self.left.hear(progress)
        self._rows[progress.start] = progress
        self._lines.append(trace_line(progress))

    def end_start(self, start: int) -> None:
        """A start has ended."""
        self.left.end(start)

    def tick(self) -> None:
        """Writes what is due. Raises KeyboardInterrupt where the user asked for the end."""
        if self.phase == "searching" and self.asked_to_stop():
            raise KeyboardInterrupt
        if self.seconds >= self._due or self.memory.fresh_bytes > MOST_FRESH:
            self.write()

    def write(self) -> None:
        """Writes everything now."""
        began = self.seconds
        self._try("checkpoint", self._write_checkpoint)
        self._try(TRACE, self._append_trace)
        self._try(LIVE, lambda: self._write_live("running"))
        now = self.seconds
        self._due = now + min(max(EVERY, 20 * (now - began)), AT_MOST)

    def close(self, complete: bool, written: bool = False) -> None:
        """The process ends. `complete`: the search came to its end, and what only a fit that goes on would need is taken away;
        else everything is written, so that it can go on, unless there is nothing yet that would be lost. `written`: the run
        has its result, and its trace with it."""
        self.closed = True
        if complete:
            self.checkpoint.remove()
        elif self.phase != "preparing":
            self._try("checkpoint", self._write_checkpoint)
            if not written:
                self._try(TRACE, self._append_trace)
            self.checkpoint.close()
        else:
            self.checkpoint.remove()
        (self.directory / LIVE).unlink(missing_ok=True)

    def _try(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if what not in self._told:
                self._told.add(what)
                message = (
                    f"`{self.directory / what}` cannot be written ({error.strerror}): the fit goes on without and tries again"
                )
                self.log.append(f"warning W0770: {message}")
                self.warn(message)

    def _write_checkpoint(self) -> None:
        answers = self.memory.take()
        try:
            self.checkpoint.write(answers, self.elapsed)
        except OSError:
            if sum(a.nbytes for answer in answers.values() for a in answer.values()) < MOST_FRESH:
                self.memory.give_back(answers)  # else they are computed again by a fit that goes on
            raise

    def _append_trace(self) -> None:
        """Whole lines only: what a full disk cut off is taken back and tried again."""
        if not self._lines:
            return
        content = ("" if self._written else TRACE_HEADER) + "".join(self._lines)
        path = self.directory / TRACE
        try:
            with open(path, "r+b" if self._written else "wb") as file:
                file.seek(self._written)
                file.write(content.encode())
                file.truncate()
        except OSError:
            if path.exists():
                os.truncate(path, self._written)
            if len(self._lines) > 100_000:  # memory stays bounded on a disk that stays full
                del self._lines[::2]
            raise
        self._written += len(content.encode())
        self._lines.clear()

    def _write_live(self, status: str) -> None:
        value, theta = self.memory.best.get(self.fitted, (math.inf, None))
        if self.describe is not None and theta is not None and value < self._shown[0]:
            began = self.seconds
            curves = began >= self._curves_due
            found = dict(self.describe(theta, curves))
            if curves:
                self._curves_due = self.seconds + max(EVERY, (self.seconds - began) / _SHARE)
            self._shown = (value if curves else self._shown[0], {**self._shown[1], **found})
        rows = sorted(self._rows.values(), key=lambda p: (p.objective, p.start))[:_MOST_ROWS]
        state = {
            "schema": LIVE_SCHEMA, "status": status, "written": time.time(), "elapsed": self.seconds,
            "seconds_left": self.left.seconds(self.seconds), "time_left": self.left.words(self.seconds),
            "starts": max((p.starts for p in rows), default=0), "begun": len(self._rows), "ended": len(self.left.ended),
            "rows": [
                {"start": p.start, "stage": p.stage, "iteration": p.iteration, "objective": finite(p.objective),
                 "gradient_norm": finite(p.gradient_norm), "ended": p.start in self.left.ended} for p in rows
            ],
            "best": {"objective": finite(value), **self._shown[1]},
        }  # fmt: skip
        write_whole(self.directory / LIVE, json.dumps(state, ensure_ascii=False, allow_nan=False).encode())


def trace_line(p: Progress) -> str:
    """A row of trace.csv; what is not finite is empty."""
    numbers = ("" if not math.isfinite(x) else repr(float(x)) for x in (p.objective, p.gradient_norm, p.elapsed))
    stage = f'"{p.stage}"' if "," in p.stage else p.stage
    return f"{p.start},{stage},{p.iteration},{','.join(numbers)}\n"
