"""The best fit so far for those who watch: a panel for each observed column of each series, as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

MOST_PANELS = 24  # more cannot be looked at, and a page with them would be slow
MOST_POINTS = 2000  # of the records in a panel


def panels(curves: Iterable[tuple[Any, ...]], records: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Curves (series, column, time, location, lower, upper) and records (series, column, time, observed, held out) joined by
    series and column, in the order in which the curves come."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for series, column, time, location, lower, upper in curves:
        key = (series, column)
        if key not in found:
            if len(found) == MOST_PANELS:
                break
            lists: dict[str, Any] = {name: [] for name in ("t", "location", "lower", "upper", "at", "observed", "held")}
            found[key] = {"series": series, "column": column, **lists}
        panel = found[key]
        for name, value in (("t", time), ("location", location), ("lower", lower), ("upper", upper)):
            panel[name].append(finite(value))
    for series, column, time, observed, held in records:
        panel = found.get((series, column))
        if panel is not None and len(panel["at"]) < MOST_POINTS:
            for name, value in (("at", finite(time)), ("observed", finite(observed)), ("held", bool(held))):
                panel[name].append(value)
    return list(found.values())


def finite(x: float) -> float | None:
    """A number as JSON can hold it."""
    return float(x) if math.isfinite(x) else None


def rows_of(table: Any, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """The rows of a DataFrame as tuples of these columns."""
    return zip(*(table[name] for name in names), strict=True)
