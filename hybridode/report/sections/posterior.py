"""The posterior: verdict on the sampling, marginals, the pairs that hang together, energies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.blocks import Figures, Fold, Heading, Section, Table, Text
from hybridode.report.chart import Chart
from hybridode.report.figures import MOST, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.mixing_charts import energy_chart, mixing_charts
from hybridode.report.predictive import band_charts, check_charts
from hybridode.report.saved import Rows, Saved, read_numbers, with_unit
from hybridode.report.sections.generic import finding_blocks, records_of, table_of
from hybridode.report.spread import histogram, line_at, pair_charts
from hybridode.report.words import brief, significant

_COLUMNS = 2  # columns whose predictive checks are shown before a fold
BANDS = "Narrow band: 95 % of the draws' curves. Wide band: where 95 % of new records are expected, whatever the draw."
CHECKS = (
    "Bars: what data sets have that were simulated from the draws. Solid line: what the records have (of residuals the mean over "
    "the draws). A line far from the bars is something the model cannot do."
)
_VALUE = re.compile(r"`[^`]+` is [-\d.e+]+, with ")
_DRAWN = frozenset({"parameters", "marginals", "energy", "checks", "check_histograms"})


def posterior(saved: Saved) -> Section | None:
    """Everything about the draws."""
    found = saved.findings.get("posterior")
    if not found:
        return None
    units = {str(r["name"]): r["unit"] or "" for r in saved.parameter_rows()}
    said = [str(s) for s in found.get("sentences", ())]
    values = [s for s in said if _VALUE.match(s)]  # which the table shows as well
    told = {**found, "sentences": [s for s in said if s not in values]}
    blocks: list[Any] = [*finding_blocks(told, _DRAWN)]
    blocks += [table_of(f"{found.get('chains')} chains of {found.get('draws')} draws", found["parameters"])]
    bands = band_charts(saved)
    blocks += [Heading("What it expects beside what was seen"), Text(BANDS, "muted"), Figures(bands)] if bands else []
    rows = records_of(found["parameters"], "name")
    charts = [_marginal(n, m, rows.get(n, {}), units.get(n, "")) for n, m in found.get("marginals", {}).items()]
    blocks += [Heading("Marginals"), Figures(charts[:MOST], small=True)]
    blocks += [Fold(f"{len(charts) - MOST} more marginals", [Figures(charts[MOST:], small=True)])] if len(charts) > MOST else []
    pairs = pair_charts(_draws(saved), units, "draws", "pair")
    how = "Of all pairs those with the largest correlation (of ranks)."
    blocks += [Heading("Pairs that hang together"), Text(how, "muted"), Figures(pairs, small=True)] if pairs else []
    return Section("posterior", "Posterior", [*blocks, *_checks(found), *_diagnostics(found)])


def _checks(found: Mapping[str, Any]) -> list[Any]:
    """Statistics of the records in the distribution of simulated ones."""
    if not (found.get("checks") or {}).get("rows"):
        return []
    by_column = check_charts(found)
    table = table_of("Posterior predictive checks", found["checks"])
    figures = [Figures(charts, small=True) for charts in by_column.values()]
    titles = [f"{column}: {len(charts)} checks" for column, charts in by_column.items()]
    shown = figures[:_COLUMNS] + [Fold(title, [f]) for title, f in zip(titles[_COLUMNS:], figures[_COLUMNS:], strict=True)]
    head = [Heading("Predictive checks"), Text(CHECKS, "muted")] if figures else []
    return [*head, *shown, Fold(f"Posterior predictive checks as a table ({len(table.rows)} rows)", [table])]


def _diagnostics(found: Mapping[str, Any]) -> list[Any]:
    """Whether the chains have mixed."""
    charts = [*mixing_charts(found), *([energy_chart(found["energy"])] if found.get("energy") else [])]
    blocks: list[Any] = [Heading("Diagnostics of the sampler"), Figures(charts)] if charts else []
    if found.get("sampler"):
        rows = [[name.replace("_", " "), _said(value)] for name, value in found["sampler"].items()]
        blocks.append(Fold("How the sampler did", [Table("The sampler", ["what", "value"], rows, code=frozenset())]))
    return blocks


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(v) for v in value)
    return significant(value, 4) if isinstance(value, float) else str(value)


def _marginal(name: str, found: Mapping[str, Any], row: Mapping[str, Any], unit: str) -> Chart:
    edges, density = np.array(found["edges"], float), np.array(found["density"], float)
    top = int(np.argmax(density))
    known = row.get("lower95") is not None
    words = f"; 95 % of it between {brief(row['lower95'])} and {brief(row['upper95'])}" if known else ""
    where = f"from {brief(edges[0])} to {brief(edges[-1])}, greatest at {brief((edges[top] + edges[top + 1]) / 2)}"
    lines = [
        *line_at((row.get("lower95"), row.get("upper95")), 1, "95 % of the draws", "ends"),
        *line_at(row.get("median"), 2, "median"),
    ]
    return histogram(f"marginal_{file_name(name)}", name, f"Posterior density of {name}: {where}{words}.", with_unit(name, unit),
                     edges, density, lines, ("density", "density"))  # fmt: skip


def _draws(saved: Saved) -> Rows:
    path = saved.directory / FOLDER / "posterior.csv"
    return {n: values for n, values in read_numbers(path).items() if n not in ("chain", "draw")} if path.is_file() else {}
