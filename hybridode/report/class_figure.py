"""The chart of a column that holds classes: the probability of each over time, and which were observed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.design import SERIES
from hybridode.report.saved import Rows, names_in
from hybridode.report.words import counted

_ABOVE = 1.06  # where the records stand, above all probabilities


def class_chart(name: str, column: str, seen: Rows, curves: Rows, columns: Sequence[str], time_label: str, label: str) -> Chart:
    """A line for each class and series; above them a tick for each record in the colour of its class (hollow: held out)."""
    marks, held = [], seen["used"] == "hold_out"
    many = len(names_in(curves, "series")) > 3
    for i, entry in enumerate(columns):
        title, color = entry[entry.index("[") + 1 : -1], i % SERIES + 1
        for series in names_in(curves, "series"):
            mine = np.flatnonzero((curves["column"] == entry) & (curves["series"] == series))
            mine = mine[np.argsort(curves["time"][mine], kind="stable")]
            marks.append(Mark("thin" if many else "line", curves["time"][mine], curves["location"][mine], color, title))
        for kind, keep in (("dots", ~held), ("rings", held)):
            times = seen["time"][(seen["observed"] == i + 1) & keep]
            if times.size:
                marks.append(Mark(kind, times, np.full(len(times), _ABOVE), color, title))
    counts = ", ".join(f"{int((seen['observed'] == i + 1).sum())} {entry}" for i, entry in enumerate(columns))
    alt = f"Probabilities of {counted(len(columns), 'class', 'classes')} of {column} over {time_label}. Records: {counts}."
    mine = np.isin(curves["column"], columns)
    data = {"what": [*curves["column"][mine]], "series": [*curves["series"][mine]], "time": [*curves["time"][mine]],
            "probability": [*curves["location"][mine]]}  # fmt: skip
    x, y = axis(time_label, seen["time"], curves["time"][mine], room=0.015), Axis(f"probability of {label}", -0.03, 1.12)
    return Chart(name, f"{column}: classes and their probabilities", alt, x, y, tuple(marks), data=data)
