"""How long pieces of work may take that share one allowance, and whether the user wants no more of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

LEAST, SHARE = 0.5, 0.1  # seconds that a piece has in any case, and of all the time


@dataclass
class Clock:
    """`deadline`: when all is to be done (of `time.perf_counter`), None: whenever. `interrupted`: Ctrl-C was pressed."""

    deadline: float | None = None
    interrupted: bool = False
    least: float = LEAST

    @classmethod
    def of(cls, seconds: float | None) -> Clock:
        """With so many seconds from now on."""
        return cls() if seconds is None else cls(time.perf_counter() + seconds, least=max(LEAST, SHARE * seconds))

    def part(self, share: float) -> float | None:
        """Seconds of a piece of work that may take this share of what is left; None: all that it needs."""
        return None if self.deadline is None else max(share * (self.deadline - time.perf_counter()), self.least)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.interrupted or (self.deadline is not None and time.perf_counter() >= self.deadline)

    @property
    def why(self) -> str:
        """Why not, in words."""
        return "it was interrupted" if self.interrupted else "there was no time"
