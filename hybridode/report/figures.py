"""The charts of a fit: data and curves, residuals, hidden states, how the search went. From the tables of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hybridode.report.alt import fit_words, residual_words, span_words
from hybridode.report.axes import Axis, axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.class_figure import class_chart
from hybridode.report.design import SERIES
from hybridode.report.saved import Rows, class_columns_of, names_in, where, with_unit
from hybridode.report.words import brief, counted

MOST = 12  # columns that have a chart
MOST_SERIES = 24  # series that have a chart of their own
_BANDS = 3  # series in one chart whose bands are drawn: more would hide one another
EMPTY = np.zeros(0)


def file_name(text: str) -> str:
    """A column's name as part of a file name: letters and digits stay, the rest becomes `_`."""
    return re.sub(r"[^\w]+", "_", text).strip("_") or "column"


def colors_of(rows: Rows) -> dict[str, int]:
    """A colour for each series of a whole table, so that it keeps it in every figure."""
    return {name: i % SERIES + 1 for i, name in enumerate(names_in(rows, "series"))}


def at_times(rows: Rows) -> Rows:
    """Without steady states, which have no place on an axis of time."""
    return where(rows, np.isfinite(rows["time"]))


def fit_charts(
    predictions: Rows,
    residuals: Rows,
    time_label: str,
    columns: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    bands: Rows | None = None,
) -> list[Chart]:
    """Per observed column the data, the fitted location and its 95 % band; held-out data are hollow on a shaded ground, limits
    are triangles that point to where the value is. `units` are those of the columns, `bands` the uncertainty of the curves."""
    predictions, residuals = at_times(predictions), at_times(residuals)
    colors, charts = colors_of(residuals), []
    for column in columns if columns is not None else names_in(residuals, "column")[:MOST]:
        seen = where(residuals, residuals["column"] == column)
        label, classes = with_unit(column, (units or {}).get(column, "")), class_columns_of(predictions, column)
        name, title = f"fit_{file_name(column)}", f"{column}: data and fit"
        if classes:
            curves = where(predictions, predictions["kind"] == "curve")
            charts.append(class_chart(name, column, seen, curves, classes, time_label, label))
        elif seen["time"].size:
            curve = where(predictions, (predictions["column"] == column) & (predictions["kind"] == "curve"))
            known = None if bands is None else where(bands, (bands["column"] == column) & (bands["kind"] == "observed"))
            charts.append(_fit_chart(name, title, column, seen, curve, known, time_label, label, colors))
    return charts


def series_charts(predictions: Rows, residuals: Rows, time_label: str, column: str, unit: str, bands: Rows | None) -> list[Chart]:
    """One column, each of the first series in a chart of its own, on the same scale."""
    predictions, residuals = at_times(predictions), at_times(residuals)
    curves = where(predictions, (predictions["column"] == column) & (predictions["kind"] == "curve"))
    rows = where(residuals, residuals["column"] == column)
    charts, y = [], _limited(with_unit(column, unit), rows["observed"], curves)
    x = axis(time_label, rows["time"], curves["time"], room=0.015)
    for k, series in enumerate(names_in(rows, "series")[:MOST_SERIES], 1):
        seen, curve = where(rows, rows["series"] == series), where(curves, curves["series"] == series)
        known = None
        if bands is not None:
            mine = (bands["column"] == column) & (bands["kind"] == "observed") & (bands["series"] == series)
            known = where(bands, mine)
        name = f"fit_{file_name(column)}_series_{k}"
        chart = _fit_chart(name, f"{column}: {series}", column, seen, curve, known, time_label, y.label, {series: 1})
        charts.append(replace(chart, x=x, y=y, height=220))
    return charts


def _fit_chart(
    name: str, title: str, column: str, seen: Rows, curve: Rows, bands: Rows | None, time_label: str, label: str,
    colors: Mapping[str, int],
) -> Chart:  # fmt: skip
    names = names_in(seen, "series")
    one, many = len(names) == 1, len(names) > SERIES
    held = seen["used"] == "hold_out"
    marks = [*_held_span(seen["time"], held)]
    lines = {series: _line(curve, series) for series in names}
    for series in names if len(names) <= _BANDS else ():
        line, color = lines[series], colors[series]
        new = "95 % of new observations" if one else ""
        marks.append(Mark("band", line["time"], line["lower95"], color, new, upper=line["upper95"]))
        if bands is not None and bands["time"].size:
            known = _line(bands, series)
            said = "95 % of the curve itself" if one else ""
            marks.append(Mark("known", known["time"], known["lower95"], color, said, upper=known["upper95"]))
    for series in names:
        said = "fitted model" if one else str(series)
        marks.append(Mark("thin" if many else "line", lines[series]["time"], lines[series]["location"], colors[series], said))
    for series in names:
        marks += _records(seen, seen["series"] == series, held, 2 if one else colors[series], "" if one else series)
    y = _limited(label, seen["observed"], curve)
    x = axis(time_label, seen["time"], curve["time"], room=0.015)
    return Chart(name, title, fit_words(column, seen, curve, time_label), x, y, tuple(marks), data=_table(seen, curve))


def _line(curve: Rows, series: str) -> Rows:
    rows = where(curve, curve["series"] == series)
    return where(rows, np.argsort(rows["time"], kind="stable"))


def _records(seen: Rows, mine: np.ndarray, held: np.ndarray, color: int, name: str) -> list[Mark]:
    """Data as dots, what was held out hollow, limits as triangles (of an interval the lower end)."""
    censored = seen["censored"].astype(int)
    parts = (
        ("dots", mine & (censored == 0) & ~held, "data"),
        ("rings", mine & (censored == 0) & held, "held out"),
        ("down", mine & (censored < 0), "below this limit"),
        ("up", mine & (censored > 0), "above this limit"),
    )
    return [Mark(kind, seen["time"][p], seen["observed"][p], color, name or word) for kind, p, word in parts if p.any()]


def _held_span(times: np.ndarray, held: np.ndarray) -> list[Mark]:
    if not held.any():
        return []
    first = float(np.min(times[held]))
    before = times[~held & (times < first)]
    left = (first + float(np.max(before))) / 2 if before.size else first
    return [Mark("span", np.zeros(1), np.array([left]), upper=np.array([float(np.max(times))]))]


def _limited(label: str, observed: np.ndarray, curve: Rows) -> Axis:
    """The band of a wide distribution must not squeeze the data: at most half their range is shown beyond them."""
    inner = axis(label, observed, curve["location"])
    width = inner.high - inner.low
    band = axis(label, observed, curve["location"], curve["lower95"], curve["upper95"])
    low, high = max(band.low, inner.low - width / 2), min(band.high, inner.high + width / 2)
    room = 0.04 * (high - low)
    return Axis(label, low - (room if low != 0 else 0.0), high + room)


def _table(seen: Rows, curve: Rows) -> dict[str, list[Any]]:
    """Curve and data below one another: what the chart shows, as one table."""
    n, m = len(curve["time"]), len(seen["time"])
    used = {"fit": "data", "hold_out": "held out", "left_out": "left out"}
    return {
        "what": ["curve"] * n + [used.get(u, u) for u in seen["used"]],
        "series": [*curve["series"], *seen["series"]],
        "time": [*curve["time"], *seen["time"]],
        "value": [*curve["location"], *seen["observed"]],
        "lower95": [*curve["lower95"], *[np.nan] * m],
        "upper95": [*curve["upper95"], *[np.nan] * m],
    }


def residual_charts(residuals: Rows, time_label: str, columns: Sequence[str] | None = None) -> list[Chart]:
    """Standardised residuals over time with the band that holds 95 % of them when the noise model is right."""
    residuals = at_times(residuals)
    colors, charts = colors_of(residuals), []
    for column in columns if columns is not None else names_in(residuals, "column")[:MOST]:
        seen = where(residuals, (residuals["column"] == column) & np.isfinite(residuals["residual"]))
        if seen["time"].size:
            charts.append(_residual_chart(column, seen, time_label, colors))
    return charts


def _residual_chart(column: str, seen: Rows, time_label: str, colors: Mapping[str, int]) -> Chart:
    z, names = seen["residual"], names_in(seen, "series")
    x = axis(time_label, seen["time"], room=0.03)
    ends = np.array([x.low, x.high])
    marks = [
        Mark("zone", ends, np.full(2, -1.96), 0, upper=np.full(2, 1.96)),
        Mark("rule", ends, np.zeros(2)),
    ]
    for name in names:
        for used, kind in (("fit", "dots"), ("hold_out", "rings")):
            part = (seen["series"] == name) & (seen["used"] == used)
            if part.any():
                said = name if len(names) > 1 else {"fit": "fitted", "hold_out": "held out"}[used]
                t = seen["time"][part]
                marks.append(Mark("stem", t, np.zeros(len(t)), colors[name], upper=z[part]))
                marks.append(Mark(kind, t, z[part], colors[name], said))
    y = axis("standardised residual", z, room=0.06, within=(-2.4, 2.4))
    data = {"series": [*seen["series"]], "time": [*seen["time"]], "residual": [*z], "used": [*seen["used"]]}
    return Chart(f"residuals_{file_name(column)}", f"{column}: residuals", residual_words(column, seen, time_label), x, y,
                 tuple(marks), data=data)  # fmt: skip


def quantile_chart(residuals: Rows) -> list[Chart]:
    """Residuals against what as many normal ones would be: a straight line where the noise model is right."""
    from scipy.special import ndtri

    z = np.sort(residuals["residual"][(residuals["used"] == "fit") & np.isfinite(residuals["residual"])])
    if len(z) < 8:
        return []
    normal = ndtri((np.arange(1, len(z) + 1) - 0.375) / (len(z) + 0.25))  # G. Blom (1958)
    x = axis("expected of normal residuals", normal, room=0.05)
    y = axis("standardised residual", z, normal, room=0.05)
    ends = np.array([max(x.low, y.low), min(x.high, y.high)])
    marks = (Mark("rule", ends, ends), Mark("dots", normal, z, 1, "residual"))
    outer = (
        f"the lowest is {brief(z[0])} where {brief(normal[0])} is expected, the highest {brief(z[-1])} for {brief(normal[-1])}"
    )
    alt = f"{len(z)} standardised residuals in order against normal quantiles: {outer}."
    data = {"expected": [*normal], "residual": [*z]}
    return [Chart("residuals_quantiles", "All residuals against a normal distribution", alt, x, y, marks, data=data)]


def agreement_charts(residuals: Rows, units: Mapping[str, str]) -> list[Chart]:
    """Observed against predicted, for columns all of whose records are steady states."""
    charts = []
    for column in names_in(residuals, "column")[:MOST]:
        seen = where(residuals, residuals["column"] == column)
        if np.isfinite(seen["time"]).any() or not seen["time"].size:
            continue
        label = with_unit(column, units.get(column, ""))
        x = axis(f"{label}, predicted", seen["predicted"], seen["observed"], room=0.04)
        ends = np.array([x.low, x.high])
        marks = (Mark("rule", ends, ends), Mark("dots", seen["predicted"], seen["observed"], 1, "steady state"))
        alt = f"Observed against predicted {column} of {counted(len(seen['time']), 'steady state')}; the line is agreement."
        data = {"series": [*seen["series"]], "predicted": [*seen["predicted"]], "observed": [*seen["observed"]]}
        y = Axis(f"{label}, observed", x.low, x.high)
        charts.append(Chart(f"fit_{file_name(column)}", f"{column}: observed and predicted", alt, x, y, marks, data=data))
    return charts


def state_charts(
    predictions: Rows, states: Sequence[str], time_label: str, units: Mapping[str, str] | None = None
) -> list[Chart]:
    """The given states along the fitted trajectory."""
    rows = at_times(predictions)
    rows = where(rows, rows["kind"] == "state")
    colors, charts = colors_of(rows), []
    for state in states:
        mine = where(rows, rows["column"] == state)
        names = names_in(mine, "series")
        lines = {name: _line(mine, name) for name in names}
        marks = [Mark("line", p["time"], p["location"], colors[n], str(n) or "fitted model") for n, p in lines.items()]
        label = with_unit(state, (units or {}).get(state, ""))
        alt = f"{state}, which no column shows, {span_words(mine['time'], mine['location'], time_label)}."
        data = {"series": [*mine["series"]], "time": [*mine["time"]], "value": [*mine["location"]]}
        x, y = axis(time_label, mine["time"], room=0.015), axis(label, mine["location"], room=0.05)
        charts.append(Chart(f"state_{file_name(state)}", f"{state} (not observed)", alt, x, y, tuple(marks), data=data))
    return charts
