"""Hold-outs: what refits that did not see some records predict of them, and how well, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.blocks import Figures, Fold, Section, Text
from hybridode.report.chart import Chart, Mark
from hybridode.report.design import SERIES
from hybridode.report.figures import MOST, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.rows_chart import places, rows_chart, stems
from hybridode.report.saved import Rows, Saved, names_in, read_table, where, with_unit
from hybridode.report.sections.generic import column_of, finding_blocks
from hybridode.report.spread import is_wide
from hybridode.report.words import brief, counted

HOW = (
    "Each record stands where a fit that had not seen it expected it (along x), with what was seen along y: on the line the two "
    "agree. Bars: where 95 % of new records were expected."
)
_TEXT = frozenset({"fold", "series", "column"})
_SCORES = (("crps", "CRPS (in units of the record; less is better)"), ("rmse", "root mean square error"))


def hold_outs(saved: Saved) -> Section | None:
    """Sentences, predicted against seen by column, the scores of each part."""
    found = saved.findings.get("hold_outs")
    if not found:
        return None
    blocks: list[Any] = finding_blocks({"sentences": found.get("sentences", ())})
    charts = seen_charts(saved)
    blocks += [Text(HOW, "muted"), Figures(charts[:MOST])] if charts else []
    blocks += [Fold(f"{len(charts) - MOST} more columns", [Figures(charts[MOST:])])] if len(charts) > MOST else []
    scores = score_chart(found)
    blocks += [Figures(scores)] if scores else []
    return Section("hold-outs", "Hold-outs", [*blocks, *finding_blocks({**found, "sentences": ()})])


def seen_charts(saved: Saved) -> list[Chart]:
    """One chart for each column: seen against predicted."""
    path = saved.directory / FOLDER / "hold_outs.csv"
    if not path.is_file():
        return []
    rows = read_table(path, _TEXT)
    rows = where(rows, (rows["censored"] == 0) & np.isfinite(rows["location"]) & np.isfinite(rows["lower95"]))
    return [_seen(c, where(rows, rows["column"] == c), saved.units.get(c, "")) for c in names_in(rows, "column")]


def _seen(column: str, rows: Rows, unit: str) -> Chart:
    predicted, seen, low, high = (rows[k] for k in ("location", "observed", "lower95", "upper95"))
    folds, label = names_in(rows, "fold"), with_unit(column, unit)
    log = is_wide(predicted, seen)
    both = axis(label, predicted, seen, log=log, room=0.04)
    ends = np.array([both.low, both.high])
    marks = [Mark("rule", ends, ends)]
    for k, fold in enumerate(folds):
        mine, color = rows["fold"] == fold, k % SERIES + 1
        marks.append(Mark("stem", predicted[mine], low[mine], color, upper=high[mine]))
        marks.append(Mark("dots", predicted[mine], seen[mine], color, fold if len(folds) > 1 else "record"))
    inside = int(((seen >= low) & (seen <= high)).sum())
    alt = (
        f"{counted(len(seen), 'record')} of {column} that {counted(len(folds), 'refit')} did not see, against what was expected "
        f"of them, {brief(predicted.min())} to {brief(predicted.max())}: {inside} lie in their 95 % intervals."
    )
    data = {k: [*rows[k]] for k in ("fold", "series", "time", "observed", "location", "lower95", "upper95")}
    x = Axis(f"{label}, predicted without it", both.low, both.high, log)
    y = Axis(f"{label}, seen", both.low, both.high, log)
    return Chart(f"hold_out_{file_name(column)}", f"{column}: predicted without it, and seen", alt, x, y, tuple(marks), data=data)


def score_chart(found: Mapping[str, Any]) -> list[Chart]:
    """The error of each part, beside that of all and of the fit that saw them."""
    folds = found.get("folds") or {"columns": (), "rows": ()}
    known = [(key, label) for key, label in _SCORES if np.isfinite(column_of(folds, key)).sum() > 1]
    if not known:
        return []
    key, label = known[0]
    values = column_of(folds, key)
    names = [str(row[0]) for row in folds["rows"]]
    inside, overall = (float((found.get(part) or {}).get(key) or np.nan) for part in ("fitted", "overall"))
    rows, every = [*names, "all of them"], np.append(values, overall)
    x = axis(label, every, [inside], within=(0.0, 0.0), room=0.03)
    x = Axis(label, 0.0, x.high)
    marks = [stems(every, 0.0, 0), Mark("dots", every, places(len(rows)), 1, "not seen by the fit")]
    if np.isfinite(inside):
        marks.insert(0, Mark("ends", np.array([inside]), np.zeros(1), 2, "where all are fitted"))
    worst = int(np.nanargmax(values))
    alt = (
        f"{label} of {counted(len(names), 'part')}: {brief(np.nanmin(values))} to {brief(values[worst])} ({names[worst]}), all "
        f"{brief(overall)}; {brief(inside)} where all records are fitted."
    )
    return [rows_chart("hold_out_scores", "Errors by part", alt, rows, x, marks, {"part": rows, key: [*every]})]
