"""Does the network earn its place: hybrid, physics alone, network alone and a constant side by side, as free runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.alt import span_words
from hybridode.report.axes import Axis, axis
from hybridode.report.blocks import Figures, Fold, Section, Text
from hybridode.report.chart import Chart, Mark
from hybridode.report.figures import MOST, at_times, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.rows_chart import places, rows_chart, stems
from hybridode.report.saved import Rows, Saved, names_in, read_table, where, with_unit
from hybridode.report.sections.generic import column_of, finding_blocks
from hybridode.report.words import brief

COLORS = {"hybrid": 1, "physics": 2, "network": 3, "constant": 8, "smooth curve": 4}  # of each model, in every figure
NAMES = {"physics": "physics alone", "network": "network alone"}
HOW = "Free runs: each model starts where the series starts and is never told the data again."
_TEXT = frozenset({"model", "series", "column", "kind"})
_SERIES = 6  # that have charts


def baselines(saved: Saved) -> Section | None:
    """The verdict, the curves over the data, errors as rows, the tables."""
    found = saved.findings.get("baselines")
    if not found:
        return None
    blocks: list[Any] = finding_blocks({"sentences": found.get("sentences", ())})
    first, *others = curve_charts(saved) or [[]]
    blocks += [Text(HOW, "muted"), Figures(first)] if first else []
    blocks += [Fold(f"{len(others)} more series", [Figures([c for charts in others for c in charts])])] if others else []
    charts = error_charts(found)
    blocks += [Figures(charts)] if charts else []
    rest = finding_blocks({**found, "sentences": ()})
    blocks += [Fold("The numbers", rest)] if rest and first else rest
    return Section("baselines", "Baselines", blocks)


def curve_charts(saved: Saved) -> list[list[Chart]]:
    """Of each of the first series its columns: the data and a curve for each model."""
    path = saved.directory / FOLDER / "baselines.csv"
    if not path.is_file():
        return []
    curves = at_times(read_table(path, _TEXT))
    curves, seen = where(curves, curves["kind"] == "curve"), at_times(saved.residuals)
    found = []
    for number, series in enumerate(names_in(curves, "series")[:_SERIES], 1):
        mine, data = where(curves, curves["series"] == series), where(seen, seen["series"] == series)
        columns = [c for c in names_in(mine, "column") if c in set(data["column"])][:MOST]
        many = len(names_in(curves, "series")) > 1
        title = f" in {series}" if many else ""
        found.append([_curves(c, mine, data, saved, title, f"_{number}" if many else "") for c in columns])
    return found


def _curves(column: str, curves: Rows, seen: Rows, saved: Saved, title: str, ending: str) -> Chart:
    curves, seen = where(curves, curves["column"] == column), where(seen, seen["column"] == column)
    marks, ends = [], []
    order = [m for m in reversed(COLORS) if m in names_in(curves, "model")]
    for model in order:  # the hybrid last, on top
        line = where(curves, curves["model"] == model)
        line = where(line, np.argsort(line["time"], kind="stable"))
        marks.append(Mark("line", line["time"], line["location"], COLORS[model], NAMES.get(model, model)))
        ends.append(f"{NAMES.get(model, model)} ends at {brief(line['location'][-1])}")
    exact = seen["censored"] == 0
    for kind, keep, name in (
        ("dots", exact & (seen["used"] != "hold_out"), "data"),
        ("rings", exact & (seen["used"] == "hold_out"), "held out"),
    ):
        if keep.any():
            marks.append(Mark(kind, seen["time"][keep], seen["observed"][keep], 5, name))
    label = with_unit(column, saved.units.get(column, ""))
    alt = (
        f"Free runs of {len(order)} models over {len(seen['time'])} records of {column}{title} "
        f"{span_words(seen['time'], seen['observed'], saved.time_label)}. At the end: {', '.join(ends)}."
    )
    data = {k: [*curves[k]] for k in ("model", "time", "location")}
    return Chart(f"baselines_{file_name(column)}{ending}", f"{column}{title}: the models side by side", alt,
                 axis(saved.time_label, seen["time"], curves["time"], room=0.015), _height(label, seen, curves), tuple(marks),
                 data=data)  # fmt: skip


def _height(label: str, seen: Rows, curves: Rows) -> Axis:
    """A model that runs away must not squeeze the others: at most one range of the data is shown beyond them."""
    inner, whole = axis(label, seen["observed"]), axis(label, seen["observed"], curves["location"], room=0.04)
    width = inner.high - inner.low
    return Axis(label, max(whole.low, inner.low - width), min(whole.high, inner.high + width))


def error_charts(found: Mapping[str, Any]) -> list[Chart]:
    """What the models leave of unseen records, what they cost, and what they leave of each column."""
    models = found.get("models") or {"columns": (), "rows": ()}
    names = [str(row[0]) for row in models["rows"]]
    charts = []
    for key, title, label in (
        ("crps", "Errors in records that no fit had seen", "CRPS (less is better)"),
        ("rmse", "Errors in records that no fit had seen", "root mean square error"),
    ):
        values = column_of(models, key)
        if np.isfinite(values).sum() > 1:
            charts.append(_rows("baselines_unseen", title, label, names, values, 0.0))
            break
    bic = column_of(models, "bic")
    if np.isfinite(bic).sum() > 1:
        charts.append(
            _rows("baselines_bic", "Cost of fit and numbers together", "BIC above the best", names, bic - np.nanmin(bic), 0.0)
        )
    return charts + _left(found.get("residuals") or {"columns": (), "rows": ()})


def _rows(name: str, title: str, label: str, names: list[str], values: np.ndarray, base: float) -> Chart:
    """A row for each model in its colour."""
    y = places(len(names))
    x = axis(label, values, within=(base, base), room=0.03)
    x = Axis(label, base, x.high)
    marks = [stems(values, base, 0)]
    said = [NAMES.get(n, n) for n in names]
    for k, model in enumerate(names):
        if np.isfinite(values[k]):
            marks.append(Mark("dots", values[k : k + 1], y[k : k + 1], COLORS.get(model, 6), label.partition(" (")[0]))
    words = ", ".join(f"{n} {brief(v)}" for n, v in zip(said, values, strict=True))
    chart = rows_chart(name, title, f"{label}: {words}.", said, x, marks, {"model": names, "value": [*values]})
    return chart


def _left(table: Mapping[str, Any]) -> list[Chart]:
    """Root mean squares by column, on the scale of the noise."""
    if not table["rows"]:
        return []
    rows = [f"{row[0]} ({row[1]})" if row[1] not in (None, "value") else str(row[0]) for row in table["rows"]][:24]
    marks, every = [], []
    for model, key in (("constant", "constant"), ("physics", "physics"), ("hybrid", "hybrid"), ("smooth curve", "smooth_curve")):
        values = column_of(table, key)[:24]
        if np.isfinite(values).any():
            every.append(values)
            kind = "rings" if model == "smooth curve" else "dots"
            marks.append(Mark(kind, values, places(len(rows)), COLORS[model], NAMES.get(model, model)))
    if not marks:
        return []
    stacked = np.array(every)
    x = axis("root mean square of what is left", stacked, log=True, room=0.05)
    words = "; ".join(f"{m.name}: {', '.join(f'{r} {brief(v)}' for r, v in zip(rows[:6], m.x, strict=False))}" for m in marks)
    data = {"column": rows, **{m.name: [*m.x] for m in marks}}
    return [
        rows_chart(
            "baselines_left",
            "What each leaves of the data it was fitted to",
            f"Root mean squares of what is left. {words}.",
            rows,
            x,
            marks,
            data,
        )
    ]
