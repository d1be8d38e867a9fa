"""A finished fit as a notebook shows it: the table of parameters, the statistics, data and fit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from hybridode.report.ending import parameter_cells, statistics_text
from hybridode.report.figures import columns_of, fit_figures, time_label_of

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun

FIGURES = 4  # at most: a notebook is no report


def notebook_html(name: str, run: FitRun) -> str:
    """HTML without scripts or styles of its own; what the user wrote is escaped."""
    headers, rows = parameter_cells(run)
    cell = Markup('<td style="text-align:left">{}</td>').format
    head = Markup("").join(Markup('<th style="text-align:left">{}</th>').format(h) for h in headers)
    body = Markup("").join(Markup("<tr>{}</tr>").format(Markup("").join(map(cell, row))) for row in rows)
    table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body) if rows else Markup("")
    lines = Markup("<br>").join(statistics_text(run).split("\n"))
    return str(Markup("<div><h4>{}</h4>{}<p>{}</p>{}</div>").format(f"Fit of {name}", table, lines, _figures(run)))


def _figures(run: FitRun) -> Markup:
    tables = (run.predictions, run.residuals)  # a steady state has no place on an axis of time
    predictions, residuals = (columns_of(t.loc[t["time"] < math.inf]) for t in tables)
    drawings = fit_figures(predictions, residuals, time_label_of(run.declarations), FIGURES)
    return Markup("").join(Markup(d.svg[d.svg.index("<svg") :]) for d in drawings)
