"""What the draws of a posterior predict beside what was seen: bands over the data, statistics of simulated data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybridode.report.chart import Chart
from hybridode.report.figures import MOST, fit_charts
from hybridode.report.findings import FOLDER
from hybridode.report.saved import Saved, names_in, read_table
from hybridode.report.spread import histogram, line_at
from hybridode.report.words import brief

BANDS = "posterior.bands.csv"


def band_charts(saved: Saved) -> list[Chart]:
    """Of each observed column the data, the median curve of the draws, its band, and the band of new records."""
    path = saved.directory / FOLDER / BANDS
    if not path.is_file():
        return []
    rows = read_table(path)
    count = len(rows["time"])
    known = {**rows, "kind": np.array(["observed"] * count, dtype=object)}
    new = {
        **{name: rows[name] for name in ("series", "time", "column", "location")},
        "lower95": rows["new_lower95"], "upper95": rows["new_upper95"], "kind": np.array(["curve"] * count, dtype=object),
    }  # fmt: skip
    columns = [c for c in names_in(saved.residuals, "column") if c in set(rows["column"])][:MOST]
    charts = fit_charts(new, saved.residuals, saved.time_label, columns, saved.units, known)
    return [_renamed(chart, column) for chart, column in zip(charts, columns, strict=False)]


def _renamed(chart: Chart, column: str) -> Chart:
    """A chart of `fit_charts` as one of the posterior."""
    words = {"fitted model": "median of the curves"}
    marks = tuple(replace(mark, name=words.get(mark.name, mark.name)) for mark in chart.marks)
    name, title = chart.name.replace("fit_", "posterior_", 1), f"{column}: data and what the posterior expects"
    return replace(chart, name=name, title=title, marks=marks, alt=f"{chart.alt} Curve and bands are of the posterior's draws.")


def check_charts(found: Mapping[str, Any]) -> dict[str, list[Chart]]:
    """By column: of each statistic its histogram in data simulated from the draws, and where that of the records lies."""
    rows = [dict(zip(found["checks"]["columns"], row, strict=True)) for row in found["checks"]["rows"]]
    known = {(row["column"], row["statistic"]): row for row in rows}
    charts: dict[str, list[Chart]] = {}
    for k, drawn in enumerate(found.get("check_histograms") or ()):
        row = known.get((drawn["column"], drawn["statistic"]))
        if row is not None:
            charts.setdefault(str(drawn["column"]), []).append(_check(f"check_{k + 1}", drawn, row))
    return charts


def _check(name: str, drawn: Mapping[str, Any], row: Mapping[str, Any]) -> Chart:
    edges, counts = np.array(drawn["edges"], float), np.array(drawn["counts"], float)
    lines = [
        *line_at((row["lower95"], row["upper95"]), 1, "95 % of them", "ends"),
        *line_at(row["observed"], 2, "the records"),
    ]
    column, statistic, odd = row["column"], row["statistic"], 2 * min(row["p"], 1 - row["p"])
    title = f"{column}: {statistic}" + (f" (p = {brief(odd, 2)})" if odd > 0 else " (p = 0)")
    alt = (
        f"{statistic.capitalize()} of {column}: {brief(row['observed'])} in the records; in simulated data sets 95 % lie between "
        f"{brief(row['lower95'])} and {brief(row['upper95'])}."
    )
    return histogram(name, title, alt, str(statistic), edges, counts, lines, ("data sets", "simulated"))
