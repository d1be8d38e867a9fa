"""Which equation determines which unknown: a largest matching of rows and columns, and what is left over.

Rows are equations, given by the columns (unknowns) that they read. Hopcroft & Karp, "An n^(5/2) algorithm for maximum matchings
in bipartite graphs", SIAM J. Comput. 2 (1973) 225; the parts that are left over are those of Dulmage & Mendelsohn (1958).
All walks are iterative: a chain of equations may be as long as the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Rows = Sequence[Sequence[int]]
NONE = -1


def maximum_matching(rows: Rows, columns: int, first: Sequence[int] = ()) -> list[int]:
    """The column of each row in a matching that no other exceeds, -1 for rows without one.

    `first`: a matching to begin with (-1: none), for instance what is evident. What it matches stays matched, though perhaps
    otherwise.
    """
    column_of = list(first) if first else [NONE] * len(rows)
    row_of = [NONE] * columns
    for row, column in enumerate(column_of):
        if column != NONE:
            row_of[column] = row
    for row, read in enumerate(rows):  # most matchings are found without a search
        if column_of[row] == NONE:
            column = next((c for c in read if row_of[c] == NONE), NONE)
            if column != NONE:
                column_of[row], row_of[column] = column, row
    while True:
        free = [row for row, column in enumerate(column_of) if column == NONE]
        level = _levels(rows, row_of, free) if free else None
        if level is None:
            return column_of
        ways = [iter(read) for read in rows]
        for row in free:
            _augment(row, ways, level, column_of, row_of)


def _levels(rows: Rows, row_of: Sequence[int], free: Sequence[int]) -> list[int] | None:
    """The distance of each row from the free ones along alternating ways (-1: none); None if no way ends in a free column."""
    level = [NONE] * len(rows)
    for row in free:
        level[row] = 0
    here, found = list(free), False
    while here and not found:
        there: list[int] = []
        for row in here:
            for column in rows[row]:
                owner = row_of[column]
                if owner == NONE:
                    found = True
                elif level[owner] == NONE:
                    level[owner] = level[row] + 1
                    there.append(owner)
        here = there
    return level if found else None


def _augment(start: int, ways: list, level: list[int], column_of: list[int], row_of: list[int]) -> bool:
    """Looks for a way from a free row to a free column, along growing levels, and turns it over."""
    path, taken = [start], []
    while path:
        row = path[-1]
        column = next(ways[row], NONE)
        if column == NONE:
            path.pop()
            if taken:
                taken.pop()
            continue
        owner = row_of[column]
        if owner == NONE:
            for r, c in zip(path, [*taken, column], strict=True):
                column_of[r], row_of[c] = c, r
            return True
        if level[owner] == level[row] + 1:
            path.append(owner)
            taken.append(column)
    return False


def rows_in_excess(rows: Rows, columns: int, column_of: Sequence[int]) -> list[list[int]]:
    """The over-determined parts: for each row without a column, that row (first) and all rows that share its columns with it."""
    row_of = _inverse(column_of, columns)
    found = []
    for row in (r for r, c in enumerate(column_of) if c == NONE):
        seen = {row: None}
        work = [row]
        while work:
            for column in rows[work.pop()]:
                owner = row_of[column]
                if owner not in seen:  # a free column would have been matched
                    seen[owner] = None
                    work.append(owner)
        found.append(list(seen))
    return found


def columns_in_excess(rows: Rows, columns: int, column_of: Sequence[int]) -> list[list[int]]:
    """The under-determined parts: for each column without a row, that column (first) and all columns that could be left over in
    its place."""
    row_of = _inverse(column_of, columns)
    readers: list[list[int]] = [[] for _ in range(columns)]
    for row, read in enumerate(rows):
        for column in read:
            readers[column].append(row)
    found = []
    for column in (c for c, r in enumerate(row_of) if r == NONE):
        seen = {column: None}
        work = [column]
        while work:
            for row in readers[work.pop()]:
                other = column_of[row]
                if other not in seen:
                    seen[other] = None
                    work.append(other)
        found.append(list(seen))
    return found


def _inverse(column_of: Iterable[int], columns: int) -> list[int]:
    row_of = [NONE] * columns
    for row, column in enumerate(column_of):
        if column != NONE:
            row_of[column] = row
    return row_of
