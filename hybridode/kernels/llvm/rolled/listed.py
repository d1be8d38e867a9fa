"""Numbers of the members of a family, by the shortest rule that gives them: the code of single members reads as little as it can.

Member k of a family is the one numbered `at` in it, and `own` among those that belong to the same event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.emitter import RolledEmitter


@dataclass(frozen=True)
class Listed:
    """`by`: "shared" (one number for all), "own" (all events have the same row of numbers) or "at". `run`: where the numbers rise
    by 1, the first of them."""

    by: str
    numbers: np.ndarray
    run: int | None = None

    def place(self, at: str, own: str) -> str:
        """Where a member's number stands in `numbers`."""
        return {"shared": "0", "own": own, "at": at}[self.by]

    def whole(self, e: RolledEmitter, at: str, own: str) -> str:
        """A member's number, an i64."""
        w = e.w
        if self.by == "shared":
            return str(int(self.numbers[0]))
        k = self.place(at, own)
        if self.run is not None:
            return w.value(f"add i64 {k}, {self.run}")
        return w.value(f"sext i32 {w.load(e.table(self.numbers), k, 'i32', 4)} to i64")


def listed(values: Sequence[float], first: Sequence[int]) -> Listed:
    """The rule for the numbers of all members, of which event e has first[e] … first[e + 1] - 1."""
    numbers = np.asarray(values)
    if (numbers == numbers[0]).all():
        return Listed("shared", numbers[:1])
    counts = np.diff(np.asarray(first))
    longest = int(counts.max())
    some = numbers[: len(numbers) // longest * longest].reshape(-1, longest)
    if longest > 1 and some.size == len(numbers) and set(counts.tolist()) <= {0, longest} and (some == some[0]).all():
        return Listed("own", some[0], _run(some[0]))
    return Listed("at", numbers, _run(numbers))


def _run(numbers: np.ndarray) -> int | None:
    return int(numbers[0]) if numbers.dtype.kind != "f" and (np.diff(numbers) == 1).all() else None
