"""Several runs side by side, as `hybridode compare` found them; this one is marked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.blocks import Figures, Fold, Section
from hybridode.report.chart import Chart, Mark
from hybridode.report.design import SERIES
from hybridode.report.figures import MOST, at_times, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.rows_chart import places, rows_chart, stems
from hybridode.report.saved import Rows, Saved, names_in, read_table, where, with_unit
from hybridode.report.sections.generic import column_of, finding_blocks, table_of
from hybridode.report.words import brief, counted

_TEXT = frozenset({"run", "series", "column"})
_SCORES = (  # column of the table, title, label
    ("hold_out_crps", "Errors in records that were held out", "CRPS (less is better)"),
    ("hold_out_rmse", "Errors in records that were held out", "root mean square error (less is better)"),
)
_TABLES = frozenset({"runs", "likelihood_ratios"})


def compared(saved: Saved) -> Section | None:
    """The sentences, information criteria and errors by run, the curves over the data, the tables."""
    found = saved.findings.get("comparison")
    if not found:
        return None
    names = short_names([str(row[0]) for row in found["runs"]["rows"]], str(found.get("run", "")))
    charts = [*_criteria(found, list(names.values())), *_errors(found, list(names.values())), *_curves(saved, names)]
    blocks: list[Any] = [*finding_blocks(found, _TABLES), *([Figures(charts)] if charts else [])]
    tables = [table_of("The runs", found["runs"]).without_empty()]
    if found["likelihood_ratios"]["rows"]:
        tables.append(table_of("Likelihood ratios of nested models", found["likelihood_ratios"]))
    return Section("comparison", "Comparison of runs", [*blocks, Fold("The numbers", tables)])


def short_names(names: Sequence[str], this: str) -> dict[str, str]:
    """Names of runs without the folders that all share; `this` one is said to be."""
    folders = [os.path.dirname(os.path.normpath(name)) for name in names]
    shared = os.path.commonpath(folders) if len({os.path.isabs(f) for f in folders}) == 1 else ""
    shown = {name: os.path.relpath(name, shared) if shared else name for name in names}
    return {name: f"{text} (this)" if name == this else text for name, text in shown.items()}


def _criteria(found: Mapping[str, Any], names: Sequence[str]) -> list[Chart]:
    """AIC and BIC above the best run's; nothing for runs of different data."""
    both = {key: column_of(found["runs"], key) for key in ("dbic", "daic")}
    if np.isfinite(both["dbic"]).sum() < 2:
        return []
    x = axis("above the best run", *both.values(), within=(0.0, 1.0), room=0.03)
    y = places(len(names))
    marks = [
        stems(both["dbic"], 0.0, 0),
        Mark("dots", both["dbic"], y, 1, "BIC"),
        Mark("rings", both["daic"], y, 2, "AIC"),
    ]
    words = ", ".join(f"{n} {brief(b)}" for n, b in zip(names, both["dbic"], strict=True))
    data = {"run": [*names], "bic_above_best": [*both["dbic"]], "aic_above_best": [*both["daic"]]}
    alt = f"BIC above the best of {counted(len(names), 'run')}: {words}."
    return [
        rows_chart("comparison_criteria", "Cost of fit and numbers together", alt, names, Axis(x.label, 0.0, x.high), marks, data)
    ]


def _errors(found: Mapping[str, Any], names: Sequence[str]) -> list[Chart]:
    for key, title, label in _SCORES:
        values = column_of(found["runs"], key)
        if np.isfinite(values).sum() > 1:
            x = axis(label, values, within=(0.0, 0.0), room=0.03)
            marks = [stems(values, 0.0, 0), Mark("dots", values, places(len(names)), 1, label.partition(" (")[0])]
            words = ", ".join(f"{n} {brief(v)}" for n, v in zip(names, values, strict=True))
            data = {"run": [*names], key: [*values]}
            return [rows_chart("comparison_errors", title, f"{label}: {words}.", names, Axis(label, 0.0, x.high), marks, data)]
    return []


def _curves(saved: Saved, names: Mapping[str, str]) -> list[Chart]:
    """The fitted curves of all runs over this run's data, of its first series."""
    path = saved.directory / FOLDER / "comparison.csv"
    if not path.is_file():
        return []
    rows = at_times(read_table(path, _TEXT))
    seen = at_times(saved.residuals)
    if not len(seen["time"]):
        return []
    series = names_in(seen, "series")
    first = series[0]
    rows, seen = (where(table, table["series"] == first) for table in (rows, seen))
    title = f" in {first}" if len(series) > 1 else ""
    columns = [c for c in names_in(seen, "column") if c in set(rows["column"])][:MOST]
    return [_curve(c, where(rows, rows["column"] == c), where(seen, seen["column"] == c), saved, names, title) for c in columns]


def _curve(column: str, rows: Rows, seen: Rows, saved: Saved, names: Mapping[str, str], title: str) -> Chart:
    marks, order = [], list(names)
    runs = [run for run in order if run in set(rows["run"])]
    for run in runs:
        line = where(rows, rows["run"] == run)
        line = where(line, np.argsort(line["time"], kind="stable"))
        marks.append(Mark("line", line["time"], line["location"], order.index(run) % SERIES + 1, names[run]))
    exact = seen["censored"] == 0
    marks.append(Mark("dots", seen["time"][exact], seen["observed"][exact], 0, "data"))
    label = with_unit(column, saved.units.get(column, ""))
    alt = f"{column}{title} in {counted(len(runs), 'run')} over {counted(int(exact.sum()), 'record')}."
    inner = axis(label, seen["observed"])
    whole = axis(label, seen["observed"], rows["location"], room=0.04)
    wide = inner.high - inner.low
    y = Axis(label, max(whole.low, inner.low - wide), min(whole.high, inner.high + wide))
    data = {k: [*rows[k]] for k in ("run", "time", "location")}
    x = axis(saved.time_label, seen["time"], rows["time"], room=0.015)
    return Chart(f"comparison_{file_name(column)}", f"{column}{title}: the runs side by side", alt, x, y, tuple(marks), data=data)
