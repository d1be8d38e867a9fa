"""The report: one page that needs no network, a pure function of what lies in the run directory."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hybridode.report.blocks import Section
from hybridode.report.chart import Chart, csv_text, page_svg, sample
from hybridode.report.design import style_sheet
from hybridode.report.saved import Saved
from hybridode.report.sections import (
    baselines,
    bootstrap,
    compared,
    determined,
    discovered,
    ensemble,
    fit,
    hold_outs,
    learnt,
    made,
    model,
    parameters,
    posterior,
    summary,
)
from hybridode.report.words import sentence, with_code

TEMPLATES = Path(__file__).parent / "templates"
COMMANDS = frozenset({"profile", "ensemble", "bootstrap", "sample", "compare", "discover"})  # what a run can be given to


SECTIONS: tuple[Callable[[Saved], Section | None], ...] = (  # in the order of the page; one without blocks is left out
    summary.summary,
    model.equations,
    model.data,
    fit.fit,
    fit.residuals,
    learnt.learnt,
    fit.states,
    parameters.parameters,
    determined.identifiability,
    ensemble.ensemble,
    bootstrap.bootstrap,
    posterior.posterior,
    hold_outs.hold_outs,
    baselines.baselines,
    compared.compared,
    discovered.discovery,
    fit.search,
    lambda saved: made.made(saved, COMMANDS),
)


def sections(saved: Saved) -> list[Section]:
    """All sections that have something to show."""
    found = [make(saved) for make in SECTIONS]
    return [section for section in found if section is not None and section.blocks]


def report_html(saved: Saved, found: Sequence[Section] | None = None) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = with_code
    environment.filters["sentence"] = sentence
    environment.filters["kind"] = lambda block: type(block).__name__.lower()
    environment.filters["figure"] = figure_parts
    script = (TEMPLATES / "chart.js").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        name=saved.declarations.name,
        doc=saved.declarations.doc,
        version=saved.result["versions"].get("hybridode", ""),
        sections=sections(saved) if found is None else found,
        style=Markup(whole_style()),
        script=Markup(script),
        policy=content_policy(script),
    )


def whole_style() -> str:
    """Colours, marks and the rules of the page, as both pages have them."""
    return style_sheet() + (TEMPLATES / "style.css").read_text(encoding="utf-8")


def content_policy(script: str) -> str:
    """Nothing may be fetched, and no script may run but our own, whatever a name in a model says."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def figure_parts(chart: Chart) -> dict[str, Any]:
    """What the template shows of a chart."""
    key = [(Markup(sample(kind, color)), color, name) for color, kind, name in chart.key]
    return {"svg": Markup(page_svg(chart)), "key": key, "csv": Markup(csv_text(chart).replace("&", "&amp;").replace("<", "&lt;"))}
