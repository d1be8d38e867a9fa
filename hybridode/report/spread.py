"""Charts of draws: a histogram with the values and intervals that belong to it, and two quantities against one another."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.figures import file_name
from hybridode.report.saved import Rows, with_unit

MOST_BINS, _LEAST_BINS, _WIDE = 40, 8, 30  # bars, and the ratio from which on a range of positive values is drawn in decades
PAIRS, POINTS = 6, 700  # pairs that are drawn, and points in each


def is_wide(*values: np.ndarray) -> bool:
    """Whether positive values span so much that they are read in decades."""
    every = np.concatenate([np.ravel(v) for v in values])
    every = every[np.isfinite(every)]
    return bool(every.size and every.min() > 0 and every.max() / every.min() > _WIDE)


def binned(x: np.ndarray, log: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Edges (n + 1,) and counts (n,) of about the square root of as many bars as there are values."""
    x = x[np.isfinite(x) & ((x > 0) | (not log))]
    bins = int(np.clip(np.sqrt(len(x)), _LEAST_BINS, MOST_BINS))
    counts, edges = np.histogram(np.log10(x) if log else x, bins)
    return (10.0**edges if log else edges), counts


def histogram(
    name: str,
    title: str,
    alt: str,
    label: str,
    edges: np.ndarray,
    heights: np.ndarray,
    lines: Sequence[Mark],
    what: tuple[str, str],
    log: bool = False,
) -> Chart:
    """Bars between edges (n + 1,), and `lines` (of kind `at` and `ends`) over them. what: the label of y, the name of a bar."""
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    top = float(heights.max(initial=0.0)) * 1.06 or 1.0
    bars = Mark("bars", middle, np.zeros(len(middle)), 1, what[1], upper=np.asarray(heights, float), width=width)
    x = axis(label, edges, *(line.x for line in lines), log=log, room=0.02)
    data = {"low": [*edges[:-1]], "high": [*edges[1:]], what[0]: [*heights]}
    return Chart(name, title, alt, x, Axis(what[0], 0.0, top), (bars, *lines), data=data, height=220)


def line_at(value: object, color: int, name: str, kind: str = "at") -> list[Mark]:
    """A line at a value (or at each of several), none where there is none."""
    x = np.atleast_1d(np.array([np.nan if v is None else v for v in np.atleast_1d(np.array(value, dtype=object))], float))
    return [Mark(kind, x[np.isfinite(x)], np.zeros(int(np.isfinite(x).sum())), color, name)] if np.isfinite(x).any() else []


def pair_charts(
    draws: Rows, units: Mapping[str, str], what: str, file: str, at: Mapping[str, float] | None = None
) -> list[Chart]:
    """The pairs with the largest rank correlation. what: `draws`; at: values that are marked in them."""
    names = [name for name, values in draws.items() if len(values) > 2 and np.isfinite(values).all() and np.ptp(values) > 0]
    if len(names) < 2:
        return []
    ranks = np.array([np.argsort(np.argsort(draws[name])) for name in names], float)
    correlation = np.corrcoef(ranks)
    order = sorted(itertools.combinations(range(len(names)), 2), key=lambda p: -abs(correlation[p]))[:PAIRS]
    found = []
    for i, j in order:
        pair = names[i], names[j]
        known = at is not None and set(pair) <= at.keys()
        mark = [Mark("rings", np.array([at[pair[0]]]), np.array([at[pair[1]]]), 2, "estimate")] if at and known else []
        found.append(_pair(pair, float(correlation[i, j]), draws, units, what, file, mark))
    return found


def _pair(
    names: tuple[str, str], correlation: float, draws: Rows, units: Mapping[str, str], what: str, file: str, more: list[Mark]
) -> Chart:
    first, second = names
    keep = np.linspace(0, len(draws[first]) - 1, min(len(draws[first]), POINTS)).astype(int)
    x, y = draws[first][keep], draws[second][keep]
    alt = f"{len(x)} {what} of {first} and {second}: rank correlation {_signed(correlation)}."
    labels = [with_unit(name, units.get(name, "")) for name in names]
    ax, ay = (axis(label, v, *(m for m in ms), log=is_wide(v), room=0.03)
              for label, v, ms in zip(labels, (x, y), ([m.x for m in more], [m.y for m in more]), strict=True))  # fmt: skip
    title = f"{first} and {second} (correlation {_signed(correlation)})"
    return Chart(f"{file}_{file_name(first)}_{file_name(second)}", title, alt, ax, ay,
                 (Mark("small", x, y, 1, second if not more else what), *more),
                 data={first: [*x], second: [*y]}, height=240)  # fmt: skip


def _signed(correlation: float) -> str:
    return f"{correlation:.2f}".replace("-", "−")
