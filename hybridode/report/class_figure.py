"""The figure of a column that holds classes: the probability of each over time, and which were observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def class_columns_of(predictions: Mapping[str, Any], column: str) -> list[str]:
    """`sleep[REM]`, … where `sleep` is predicted by class, in their order; nothing where it is predicted itself."""
    names = list(dict.fromkeys(predictions["column"].tolist()))
    return [] if column in names else [n for n in names if n.startswith(f"{column}[") and n.endswith("]")]


def paint_classes(
    axes: Axes, seen: Mapping[str, Any], curves: Mapping[str, Any], columns: Sequence[str], label: str, colors: Sequence[str]
) -> None:
    """A line for each class and series; above them a tick for each record in the colour of its class (hollow: held out)."""
    series = list(dict.fromkeys(curves["series"].tolist()))
    for i, column in enumerate(columns):
        color = colors[i % len(colors)]
        for number, name in enumerate(series):
            mine = (curves["column"] == column) & (curves["series"] == name)
            order = np.argsort(curves["time"][mine], kind="stable")
            title = column[column.index("[") + 1 : -1] if number == 0 else None
            axes.plot(curves["time"][mine][order], curves["location"][mine][order], color=color, linewidth=1.6,
                      alpha=1.0 if len(series) <= 3 else 0.5, label=title)  # fmt: skip
        for held in (False, True):
            rows = (seen["observed"] == i + 1) & ((seen["used"] == "hold_out") == held)
            height = np.full(int(rows.sum()), 1.06)
            axes.plot(seen["time"][rows], height, "o" if held else "|", color=color, ms=4 if held else 7, mfc="none")
    axes.set_ylim(-0.03, 1.12)
    axes.set_ylabel(f"probability of {label}")
    if len(columns) <= len(colors):
        axes.legend()
