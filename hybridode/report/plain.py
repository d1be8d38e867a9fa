"""Numbers and tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def short(value: Any, digits: int = 5) -> str:
    """A number with `digits` significant figures; `–` for what does not exist."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{float(value):.{digits}g}"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Aligned columns, those in `right` to the right."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        cells = [cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(headers), line(["─" * w for w in widths]), *(line(row) for row in rows)])
