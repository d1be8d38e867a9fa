"""A finished fit as a notebook shows it: the table of parameters, the statistics, data and fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from hybridode.report.chart import file_svg
from hybridode.report.ending import parameter_cells, statistics_text
from hybridode.report.figures import fit_charts
from hybridode.report.saved import Rows, names_in, with_unit

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
    return str(Markup("<div><h4>{}</h4>{}<p>{}</p>{}</div>").format(f"Fit of {name}", table, lines, figures(run)))


def figures(run: FitRun) -> Markup:
    """Data and fit of the first columns as SVG."""
    predictions, residuals = (columns_of(table) for table in (run.predictions, run.residuals))
    label = with_unit(run.declarations.time, run.declarations.time_unit)
    charts = fit_charts(predictions, residuals, label, names_in(residuals, "column")[:FIGURES])
    return Markup("").join(Markup(file_svg(chart)) for chart in charts)


def columns_of(table: Any) -> Rows:
    """A DataFrame as arrays by column name."""
    return {str(name): table[name].to_numpy() for name in table.columns}
