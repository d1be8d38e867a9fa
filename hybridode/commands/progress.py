"""What a fit shows while it runs: one live table on a terminal, a plain line now and then elsewhere, lines of JSON on demand."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hybridode.fit.progress import Progress
    from hybridode.fit.time_left import TimeLeft

PLAIN_EVERY = 5.0  # seconds between plain lines
_MOST_ROWS = 8  # starts in the live table: the best ones
_WIDE, _STAGE = 76, 20  # columns of a terminal from which on there is room for all; letters of a stage in a narrower one


class ProgressDisplay:
    """A context manager that is called with each `Progress`. Writes to standard error; silent when `quiet`.

    `left` knows how long the fit may still take and which starts have ended. `lines` prints a JSON object per line instead.
    """

    def __init__(self, quiet: bool = False, left: TimeLeft | None = None, lines: bool = False) -> None:
        self._silent = quiet and not lines
        self._left = left
        self._lines = lines
        self._live: Any = None
        self._rows: dict[int, Progress] = {}
        self._stage = ""
        self._shown = -math.inf
        self._elapsed, self._told = 0.0, None  # seconds of the fit at the last iteration, and when that was told
        self._said = ""
        self._spinner: Any = None

    def __enter__(self) -> ProgressDisplay:
        if self._silent or self._lines:
            return self
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live
            from rich.spinner import Spinner

            self._spinner = Spinner("dots")
            self._live = Live(self, console=Console(stderr=True), transient=True, refresh_per_second=8)
            self._live.start()
        else:
            print("compiling", file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        if self._silent:
            return
        self._rows = {**self._rows, progress.start: progress}  # another one: the table is drawn by a thread of its own
        self._elapsed, self._told = progress.elapsed, time.perf_counter()
        if self._live is not None:
            return
        new_stage = progress.starts == 1 and progress.stage != self._stage
        if not new_stage and progress.elapsed - self._shown < PLAIN_EVERY:
            return
        self._stage, self._shown = progress.stage, progress.elapsed
        if self._lines:
            print(json.dumps(self._as_data(progress.elapsed)), file=sys.stderr, flush=True)
        else:
            print(self.line(progress.elapsed), file=sys.stderr, flush=True)

    def note(self, words: str) -> None:
        """A decision of the fit, in words."""
        self._said = words
        if self._live is None and not self._silent and not self._lines:
            print(words, file=sys.stderr, flush=True)

    # ---- what is shown --------------------------------------------------------------------------------------------------
    def _best(self) -> Progress:
        """Of the starts that go on: those that have ended have nothing new to tell."""
        active = [p for p in self._rows.values() if p.start not in self._ended()]
        return min(active or self._rows.values(), key=lambda p: (p.objective, p.start))

    def _before(self, best: Progress) -> str:
        """What a start that has ended had reached, where that is better."""
        ended = [p.objective for p in self._rows.values() if p.start in self._ended()]
        reached = min(ended, default=math.inf)
        return f" (another start {reached:.6g})" if reached < best.objective else ""

    def _ended(self) -> set[int]:
        return set() if self._left is None else self._left.ended

    def _count(self) -> int:
        """How many starts there are: one more than planned where a stage adds its own."""
        return max(self._best().starts, *self._rows)

    def _words(self, elapsed: float) -> str:
        """`2 of 8 starts ended · 12 s · about 40 s left`."""
        starts = self._count()
        ended = f"{len(self._ended())} of {starts} starts ended · " if starts > 1 else ""
        left = "" if self._left is None else f" · {self._left.words(elapsed)}"
        return f"{ended}{elapsed:.0f} s{left}"

    def line(self, elapsed: float) -> str:
        """The best start and how far all are in one line."""
        p = self._best()
        start = f"start {p.start} of {self._count()} · " if p.starts > 1 else ""
        rejected = f" · {p.rejected} steps rejected" if p.rejected else ""
        return (
            f"{start}{p.stage} · iteration {p.iteration} · objective {_number(p.objective, '.6g')}{self._before(p)}"
            f" · gradient {_number(p.gradient_norm, '.1e')}{rejected} · {self._words(elapsed)}"
        )

    def _as_data(self, elapsed: float) -> dict[str, Any]:
        p = self._best()
        left = None if self._left is None else self._left.seconds(elapsed)
        found = {
            "event": "progress", "start": p.start, "starts": p.starts, "ended": len(self._ended()), "stage": p.stage,
            "iteration": p.iteration, "objective": p.objective, "gradient_norm": p.gradient_norm, "rejected_steps": p.rejected,
            "seconds": round(elapsed, 3), "seconds_left": left,
        }  # fmt: skip
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}

    # ---- the live table -------------------------------------------------------------------------------------------------
    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """What the terminal shows, drawn anew several times a second: the clock runs while nothing is told."""
        from rich.text import Text

        now = 0.0 if self._told is None else self._elapsed + time.perf_counter() - self._told
        words = self._words(now) if self._rows else "compiling"
        self._spinner.update(text=Text(words, overflow="ellipsis", no_wrap=True))
        yield self._spinner
        if self._rows:
            yield self._table(options.max_width)
        if self._said:
            yield Text(self._said, style="dim", overflow="ellipsis", no_wrap=True)

    def _table(self, width: int) -> Any:
        from rich.table import Table
        from rich.text import Text

        wide = width >= _WIDE
        table = Table(box=None, pad_edge=False, header_style="dim")
        names = ("start", "stage", "iteration" if wide else "iter.", "objective", "gradient", *(["rejected"] if wide else []), "")
        for name in names:
            table.add_column(name, justify="left" if name in ("stage", "") else "right", no_wrap=True)
        rows = sorted(self._rows.values(), key=lambda p: (p.objective, p.start))
        digits = ".8g" if wide else ".6g"
        for p in rows[:_MOST_ROWS]:
            ended = "ended" if p.start in self._ended() else ""
            rejected = [str(p.rejected or "")] if wide else []
            numbers = (str(p.iteration), _number(p.objective, digits), _number(p.gradient_norm, ".1e"))
            stage = p.stage if wide or len(p.stage) <= _STAGE else p.stage[: _STAGE - 1] + "…"
            table.add_row(str(p.start), Text(stage), *numbers, *rejected, ended)
        if len(rows) > _MOST_ROWS:
            table.add_row("", Text(f"and {len(rows) - _MOST_ROWS} more starts", style="dim"), *[""] * (len(names) - 2))
        return table


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "–"
