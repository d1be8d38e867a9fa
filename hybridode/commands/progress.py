"""What a fit shows while it runs: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridode.fit.progress import Progress

PLAIN_EVERY = 5.0  # seconds between plain lines of one stage
LIVE_EVERY = 0.1  # seconds between updates of the live line


class ProgressDisplay:
    """A context manager that is called with each `Progress`. Writes to standard error; silent when `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._status: Any = None
        self._last: tuple[int, str] = (0, "")
        self._shown = -math.inf

    def __enter__(self) -> ProgressDisplay:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("compiling", spinner="dots")
            self._status.start()
        elif not self._quiet:
            print("compiling", file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, progress: Progress) -> None:
        if self._quiet:
            return
        stage = (progress.start, progress.stage)
        due = LIVE_EVERY if self._status is not None else PLAIN_EVERY
        if stage == self._last and progress.elapsed - self._shown < due:
            return
        self._last, self._shown = stage, progress.elapsed
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(line(progress), no_wrap=True, overflow="ellipsis"))
        else:
            print(line(progress), file=sys.stderr, flush=True)


def line(progress: Progress) -> str:
    """Stage, start, iteration, objective and elapsed time in one line."""
    start = f"start {progress.start} of {progress.starts} · " if progress.starts > 1 else ""
    gradient = f" · gradient {progress.gradient_norm:.1e}" if math.isfinite(progress.gradient_norm) else ""
    objective = f"{progress.objective:.6g}" if math.isfinite(progress.objective) else "–"
    return (
        f"{start}{progress.stage} · iteration {progress.iteration} · objective {objective}{gradient} · {progress.elapsed:.0f} s"
    )
