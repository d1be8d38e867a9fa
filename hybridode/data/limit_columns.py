"""Limits of a long table that stand in columns of their own: `lower`, `upper`, `censored`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridode.data import cells
from hybridode.data.cells import Cell
from hybridode.data.columns import LongForm
from hybridode.data.problems import Problems, short
from hybridode.data.table import Table

_WORDS: dict[str, int] = {
    **dict.fromkeys(("", "no", "none", "false", "0", "uncensored", "observed", "na", "nan"), cells.NONE),
    **dict.fromkeys(("below", "left", "<"), cells.BELOW),
    **dict.fromkeys(("above", "right", ">"), cells.ABOVE),
    **dict.fromkeys(("between", "interval"), cells.BETWEEN),
}


def cell_with_limits(table: Table, problems: Problems, row: int, long: LongForm, read: Callable[[int], Cell]) -> Cell:
    """What a row of a long table says, `read` giving the cell under a header.

    An empty value between `lower` and `upper` (or beyond one of them) is censored; beside a value they are error bars, unless
    `censored` says otherwise. Notes a problem (E0644) for words that it does not know.
    """
    value = read(long.value)
    kind = _kind(table, problems, row, long)
    if kind is None or (kind == cells.NONE and not np.isnan(value.value)):
        return value
    low, high = (cells.EMPTY if j is None else read(j) for j in (long.lower, long.upper))
    if kind in (cells.BELOW, cells.ABOVE) and value.censored == cells.NONE:
        limit = (high if kind == cells.BELOW else low) if np.isnan(value.value) else value
        return _checked(table, problems, row, long, Cell(limit.value, kind))
    if kind == cells.BETWEEN:
        low, high = (value if np.isnan(low.value) else low), (value if np.isnan(high.value) else high)
    known = (not np.isnan(low.value), not np.isnan(high.value))
    if known == (True, True):
        cell = Cell(low.value, cells.BETWEEN, upper=high.value, closed=(True, True))
        return _checked(table, problems, row, long, cell)
    if kind == cells.BETWEEN:
        return _checked(table, problems, row, long, cells.EMPTY)
    return Cell(low.value, cells.ABOVE) if known[0] else Cell(high.value, cells.BELOW) if known[1] else cells.EMPTY


def _kind(table: Table, problems: Problems, row: int, long: LongForm) -> int | None:
    """How the row is censored as its word says; None after a problem."""
    if long.censored is None:
        return cells.NONE
    text = table.rows[row][long.censored]
    kind = _WORDS.get(text.lower())
    if kind is None:
        remedy = "write `below`, `above`, `interval` or nothing"
        if text in ("1", "-1", "true", "TRUE", "True"):
            remedy += "; what 1 and -1 mean differs between programs"
        problems.cell("E0644", row, long.censored, f"`{short(text)}` does not say how the value is censored", remedy)
    return kind


def _checked(table: Table, problems: Problems, row: int, long: LongForm, cell: Cell) -> Cell:
    if np.isnan(cell.value) or (cell.censored == cells.BETWEEN and not cell.value < cell.upper):
        remedy = "give the limit in `value`, or `lower` and `upper`, the smaller first"
        problems.cell("E0644", row, long.value, "the row is censored, but its limits are not there or not in order", remedy)
        return cells.EMPTY
    return cell
