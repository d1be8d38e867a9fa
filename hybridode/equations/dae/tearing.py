"""Tearing: a few unknowns of a loop are taken as known, so that the others follow one after the other.

The choice is greedy (Cellier & Kofman, Continuous System Simulation, 2006, 7.3; Steward 1965): what has one unknown left is
solved for it; when nothing has, that unknown is torn which lets most of the shortest equations be solved. Only divisions that
cannot fail are made: an unknown is solved for where its coefficient cannot vanish.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

DEEPEST = 8  # unknowns solved one from the other: what is solved far along a chain multiplies errors at every link


class Torn(NamedTuple):
    """`solved`: (row, column) in the order of evaluation; `columns` are torn, and `rows`, as many, stay as residuals."""

    solved: list[tuple[int, int]]
    columns: list[int]
    rows: list[int]


def tear(reads: Sequence[Collection[int]], solvable: Sequence[Collection[int]], last: Collection[int] = ()) -> Torn:
    """Tears a loop: `reads[r]` are the columns of row r, `solvable[r]` those that it can be solved for.

    Columns in `last` are torn only where nothing else is left.
    """
    return _Tearing(reads, solvable, last).run()


class _Tearing:
    def __init__(self, reads: Sequence[Collection[int]], solvable: Sequence[Collection[int]], last: Collection[int]) -> None:
        self.open = [set(columns) for columns in reads]  # the unknowns left in each row
        self.solvable = [set(columns) for columns in solvable]
        self.last = set(last)
        self.reads = reads
        self.depth: dict[int, int] = {}  # of a column that is known: how many are solved before it
        self.readers: dict[int, list[int]] = {}
        for row, columns in enumerate(reads):
            for c in columns:
                self.readers.setdefault(c, []).append(row)
        self.by_length: list[dict[int, None]] = [{} for _ in range(1 + max(map(len, self.open), default=0))]
        for row, columns in enumerate(self.open):
            self.by_length[len(columns)][row] = None
        self.found = Torn([], [], [])

    def run(self) -> Torn:
        known = 0
        while known < len(self.readers):
            column = self._solve() if self.by_length[1:2] and self.by_length[1] else None
            if column is None:
                column = self._choose()
                self.found.columns.append(column)
                self.depth[column] = 0
            known += 1
            self._settle(column)
        self.found.rows.extend(self.by_length[0])
        return self.found

    def _solve(self) -> int | None:
        """Takes a row with one unknown that it can be solved for."""
        row = next((r for r in self.by_length[1] if self.open[r] <= self.solvable[r] and self._depth(r) <= DEEPEST), None)
        if row is None:
            return None
        (column,) = self.open[row]
        self.depth[column] = self._depth(row)
        del self.by_length[1][row]
        self.open[row] = set()
        self.found.solved.append((row, column))
        return column

    def _depth(self, row: int) -> int:
        return 1 + max((self.depth[c] for c in self.reads[row] if c in self.depth), default=0)

    def _settle(self, column: int) -> None:
        """Counts a column as known."""
        for row in self.readers[column]:
            if column in self.open[row]:
                n = len(self.open[row])
                self.open[row].discard(column)
                del self.by_length[n][row]
                self.by_length[n - 1][row] = None

    def _choose(self) -> int:
        shortest = next(rows for rows in self.by_length[1:] if rows)
        freed: dict[int, int] = {}  # column -> how many of the shortest rows have something else to be solved for
        for row in shortest:
            for c in sorted(self.open[row]):
                freed[c] = freed.get(c, 0) + bool((self.open[row] & self.solvable[row]) - {c})
        return max(freed, key=lambda c: (c not in self.last, freed[c], self._uses(c), -c))

    def _uses(self, column: int) -> int:
        return sum(column in self.open[row] for row in self.readers[column])
