"""Data and fit, residuals, states without data, held-out records, and how the starts ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridode.report import heat
from hybridode.report.blocks import Figures, Fold, Section, Table, Text
from hybridode.report.figures import (
    MOST,
    agreement_charts,
    fit_charts,
    quantile_chart,
    residual_charts,
    series_charts,
    state_charts,
)
from hybridode.report.saved import Saved, names_in, where
from hybridode.report.search_charts import convergence_chart, waterfall_chart
from hybridode.report.sections.generic import finding_blocks
from hybridode.report.words import significant

BAND = "Line: the fitted model. Band: where 95 % of new observations are expected at these parameters; "
KNOWN = "the narrow, darker one: the uncertainty of the curve itself."
UNSOLVED = "The model could not be solved where the fit ended: these are the data alone."
UNKNOWN = "their own uncertainty is not in it."
CLASSES = "Lines: the probability of each class in the fitted model. Dots above: the class of each record."
STANDARDISED = (
    "Standardised by the noise model: 95 % of them lie in the shaded band when it is right, and neighbours do not resemble each "
    "other."
)
STAGES = {  # stage in result.json -> where the best result comes from
    "direct": "a start that was followed directly (single shooting)",
    "gradient matching": "the start that smoothed states suggest (gradient matching)",
}


def fit(saved: Saved) -> Section:
    """The curves over the data."""
    curves = np.isfinite(saved.predictions["location"][saved.predictions["kind"] == "curve"])
    solved = saved.result["status"] != "failed" or (len(curves) > 0 and bool(curves.all()))
    said = BAND + (KNOWN if saved.bands is not None else UNKNOWN) if solved else UNSOLVED
    if solved and len(saved.classes) == len(names_in(saved.residuals, "column")):
        said = CLASSES
    if (saved.residuals["censored"] != 0).any():
        said += " Triangles: limits, which point to where the value is."
    if saved.result["hold_out"]:
        said += " Hollow points on a shaded ground were held out: the fit did not see them."
    blocks: list[Any] = [Text(said, "muted")]
    single, maps = _split(names_in(saved.residuals, "column"))
    rows = (saved.predictions, saved.residuals, saved.time_label)
    for name, entries in maps.items():
        span = heat.span_of(entries, saved.predictions, saved.residuals)
        vector = heat.vector_of(name, entries, saved.time_label, saved.units)
        drawn = heat.fitted_map(vector, saved.predictions, span) + heat.observed_map(vector, saved.residuals, span)
        some = fit_charts(*rows, heat.few(entries), saved.units)
        blocks += [Figures(drawn), Fold(f"{len(some)} of the {len(entries)} entries of {name} over time", [Figures(some)])]
    charts = fit_charts(*rows, single[:MOST], saved.units, saved.bands) + agreement_charts(saved.residuals, saved.units)
    blocks += [Figures(charts)] if charts else []
    blocks += [*_more(single), *_each_series(saved, single), *finding_blocks(saved.findings.get("bands"), shown=3)]
    if saved.result["hold_out"]:
        blocks.append(_hold_out(saved.result["hold_out"]))
    return Section("fit", "Data and fit", blocks)


def _split(columns: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Columns with a chart of their own, and vectors with a map."""
    maps = heat.vectors(columns)
    mapped = {entry for entries in maps.values() for entry in entries}
    return [c for c in columns if c not in mapped], maps


def _each_series(saved: Saved, single: list[str]) -> list[Any]:
    """Many series in one chart hide one another: each by itself, behind a fold."""
    count = len(names_in(saved.residuals, "series"))
    if count <= 3:
        return []
    rows = (saved.predictions, saved.residuals, saved.time_label)
    folds = []
    for column in single[:4]:
        charts = series_charts(*rows, column, saved.units.get(column, ""), saved.bands)
        shown = f"the first {len(charts)} of {count}" if count > len(charts) else f"the {count}"
        folds += [Fold(f"{column} in each of {shown} series", [Figures(charts)])] if charts else []
    return folds


def _more(single: list[str]) -> list[Any]:
    more = len(single) - MOST
    return [Text(f"and {more} more columns, in `predictions.csv` and `residuals.csv`.", "muted")] if more > 0 else []


def _hold_out(found: dict[str, Any]) -> Table:
    scores = [(name, s) for name, s in found["by_column"].items()]
    if len(scores) > 1:
        scores.append(("all", found))
    rows = [[name, s["n"], significant(s["rmse"]), significant(s["log_score"])] for name, s in scores]
    caption = (
        f"Held out (`{found['spec']}`): kept from the fit and predicted by it. The log score is the mean log-density that the "
        "model gave them; higher is better."
    )
    return Table(caption, ["column", "records", "root mean square error", "log score per record"], rows, frozenset({1, 2, 3}))


def residuals(saved: Saved) -> Section:
    """Standardised residuals, and what tests say of them."""
    blocks = finding_blocks(saved.findings.get("residual_tests"))
    rows = saved.numbers
    if not np.isfinite(rows["residual"]).any():
        return Section("residuals", "Residuals", blocks)
    blocks.append(Text(STANDARDISED, "muted"))
    single, maps = _split(names_in(rows, "column"))
    charts = []
    for name, entries in maps.items():
        charts += heat.residual_map(heat.vector_of(name, entries, saved.time_label, saved.units), rows)
    charts += residual_charts(rows, saved.time_label, single[:MOST]) + quantile_chart(rows)
    blocks.append(Figures(charts))
    return Section("residuals", "Residuals", [*blocks, *_more(single)])


def states(saved: Saved) -> Section:
    """States that no column shows, by their own name or by another."""
    centres = [o.arguments[0][1] for o in saved.declarations.observations if o.arguments]
    seen = {*names_in(saved.residuals, "column"), *(str(e.data) for e in centres if e.op == "sym")}
    rows = where(saved.predictions, saved.predictions["kind"] == "state")
    hidden = [name for name in names_in(rows, "column") if name not in seen]
    single, maps = _split(hidden)
    charts = []
    for name, entries in maps.items():
        charts += heat.fitted_map(heat.vector_of(name, entries, saved.time_label, saved.units), saved.predictions)
    charts += state_charts(saved.predictions, single[:MOST], saved.time_label, saved.units)
    blocks = [Figures(charts), *_more(single)] if charts else []
    return Section("states", "States without data", blocks)


def search(saved: Saved) -> Section:
    """Where the starts ended and the way there."""
    starts = saved.result["starts"]
    blocks: list[Any] = [Figures([*waterfall_chart(starts), *convergence_chart(saved.trace)])]
    found = saved.result.get("search", {})
    if found.get("stage"):
        pieces = f", {found['pieces']} pieces" if found.get("pieces") else ""
        evidence = f" {found['evidence'][:1].upper() + found['evidence'][1:]}." if found.get("evidence") else ""
        stage = STAGES.get(found["stage"], found["stage"])
        blocks.insert(0, Text(f"The best result comes from {stage}{pieces}.{evidence}"))
    if len(starts) > 1:
        rows = [
            [s.get("start", k), significant(s["objective"], 7), s["status"] + (f": {s['reason']}" if s.get("reason") else "")]
            for k, s in enumerate(sorted(starts, key=lambda s: (s["objective"] is None, s["objective"])), 1)
        ]
        table = Table("Starts, the best first", ["start", "objective", "how it ended"], rows, frozenset({0, 1}), frozenset(), 60)
        blocks.append(Fold(f"The {len(starts)} starts", [table]))
    return Section("search", "Search", blocks)
