"""Charts whose rows have names: values, and intervals, along x for each of them, the first row at the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hybridode.report.axes import Axis
from hybridode.report.chart import Chart, Mark

_ROW, _AROUND = 24, 82  # pixels of a row, and of what is above and below all rows


def places(count: int) -> np.ndarray:
    """Where the rows stand along y (n,)."""
    return np.arange(count, 0, -1, dtype=float)


def reaches(low: np.ndarray, high: np.ndarray, y: np.ndarray, color: int, name: str = "") -> Mark:
    """A line from `low` to `high` in each row; none where one of them is missing."""
    nothing = np.full(len(y), np.nan)
    whole = np.isfinite(low + high)
    x = np.stack([np.where(whole, low, np.nan), np.where(whole, high, np.nan), nothing], axis=1).ravel()
    return Mark("reach", x, np.repeat(y, 3), color, name)


def rows_chart(
    name: str,
    title: str,
    alt: str,
    rows: Sequence[str],
    x: Axis,
    marks: Sequence[Mark],
    data: Mapping[str, Sequence[object]] | None = None,
    note: str = "",
) -> Chart:
    """A chart with `rows` along y; `marks` stand at `places`."""
    at = places(len(rows))
    y = Axis("", 0.4, len(rows) + 0.6, ticks=tuple((float(p), text) for p, text in zip(at, rows, strict=True)))
    height = _AROUND + _ROW * len(rows)
    return Chart(name, title, alt, x, y, tuple(marks), data=data or {}, note=note, height=height)


def stems(value: np.ndarray, base: float, color: int) -> Mark:
    """A thin line from `base` to the value of each row."""
    return reaches(np.full(len(value), base), value, places(len(value)), color)
