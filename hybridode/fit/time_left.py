"""How long a fit may still take, as far as that can be known: from the starts that have ended, and from the limit of time."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from hybridode.fit.progress import Progress


@dataclass(eq=False)
class TimeLeft:
    """Hears iterations and endings; `seconds(now)` is None while nothing can be known.

    A start takes as many iterations as those that have ended (their median), and half as many again as it has had already if
    that is more; an iteration takes as long as they did so far. Of the first start nothing is known before it ends: iterations
    until convergence cannot be foretold. `limit`: seconds (by the same clock) at which the search is ended.
    """

    limit: float | None = None
    iterations: dict[int, int] = field(default_factory=dict)  # by start
    ended: set[int] = field(default_factory=set)
    starts: int = 1
    began: float | None = None

    def hear(self, progress: Progress) -> None:
        """An iteration."""
        if self.began is None:
            self.began = progress.elapsed
        self.iterations[progress.start] = progress.iteration
        self.starts = progress.starts

    def end(self, start: int) -> None:
        """A start has ended, whatever it came to."""
        self.iterations.setdefault(start, 0)
        self.ended.add(start)

    def seconds(self, now: float) -> float | None:
        """Seconds left at `now`, None when nothing is known."""
        known = [n for n in (self._by_starts(now), None if self.limit is None else self.limit - now) if n is not None]
        return max(0.0, min(known)) if known else None

    def _by_starts(self, now: float) -> float | None:
        done = sum(self.iterations.values())
        lengths = [self.iterations[k] for k in self.ended]
        if self.began is None or not any(lengths):
            return None
        usual = statistics.median(lengths)
        expected = sum(
            self.iterations[k] if k in self.ended else max(usual, 1.5 * self.iterations.get(k, 0))
            for k in {*range(1, self.starts + 1), *self.iterations}
        )
        if expected <= done:
            return None  # all have ended: what comes after them is not known before it begins
        return (expected - done) * (now - self.began) / done

    def words(self, now: float) -> str:
        """`about 2 min left`, `at most 40 s left`, `time left unknown`."""
        guess, limit = self._by_starts(now), None if self.limit is None else max(0.0, self.limit - now)
        if guess is None and limit is None:
            return "time left unknown"
        if guess is None or (limit is not None and limit < guess):
            return f"at most {duration(limit or 0.0)} left"
        return f"about {duration(guess)} left"


def duration(seconds: float) -> str:
    """Seconds in words of a size that is read at a glance: `8 s`, `3 min`, `2.5 h`."""
    for most, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}" if seconds / unit >= 10 or unit < 3600 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 86400:.1f} days"
