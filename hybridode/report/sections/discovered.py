"""Formulas for what the networks have learnt: the winner typeset, the ranking, the comparison."""

from __future__ import annotations

from typing import Any

from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.report.blocks import Figures, Fold, Heading, Items, Section, Text
from hybridode.report.discovery_charts import formula_charts, length_chart, term_chart
from hybridode.report.equations import equation_groups, math_blocks
from hybridode.report.figures import MOST
from hybridode.report.saved import Saved
from hybridode.report.sections.generic import finding_blocks, table_of

_TABLES = (  # field -> caption
    ("numbers", "Numbers of the formula, refitted in the whole model"),
    ("comparison", "Formula, network and the physics alone"),
    ("not_refitted", "Laws that could not be fitted in the whole model"),
)
FORMULA = "The formula where the data reach, beside what the network has learnt there with its 95 % band."
JUDGED = (
    "Description length: the objective, and what it costs to write the formula and its numbers down, in natural units; 10 less "
    "is strong evidence. Terms: the share of bootstrap samples in which the regression keeps a term, and its weight in the whole "
    "model."
)
_TYPESET = ("Dynamics", "Equations that hold together", "Definitions")


def discovery(saved: Saved) -> Section | None:
    """The finding `discovery`, with the model that came of it."""
    found = saved.findings.get("discovery")
    if not found:
        return None
    blocks: list[Any] = finding_blocks({"sentences": found.get("sentences", ())})
    stated = [str(f["stated"]) for f in found.get("formulas", ()) if f.get("stated")]
    if stated:
        blocks += [Text("With 95 % intervals of its numbers:", "muted"), Items(stated)]
    path = saved.directory / str(found.get("model") or "")
    if found.get("model") and path.is_file():
        text = path.read_text(encoding="utf-8")
        groups = equation_groups(declare(Source(str(path), text)))
        blocks.append(Heading("The model with the formula in the network's place"))
        blocks += [block for g in groups if g.title in _TYPESET for block in math_blocks(g)]
        blocks.append(Text(f"`{found['model']}` in the run's directory is this model, accepted by every command.", "muted"))
    curves = formula_charts(saved.findings.get("learnt", {}))
    blocks += [Text(FORMULA, "muted"), Figures(curves[:MOST])] if curves else []
    charts = [*length_chart(found), *term_chart(found)]
    blocks += [Text(JUDGED, "muted"), Figures(charts)] if charts else []
    blocks += [table_of(caption, found[name]) for name, caption in _TABLES if found.get(name, {}).get("rows")]
    if found.get("candidates", {}).get("rows"):
        ranking = table_of("Ranked by description length (dl), the shortest first", found["candidates"])
        blocks.append(ranking if len(ranking.rows) <= 8 else Fold(f"The {len(ranking.rows)} best formulas", [ranking]))
    shown = frozenset({*dict(_TABLES), "candidates"})
    return Section("discovery", "Discovery", [*blocks, *finding_blocks({**found, "sentences": ()}, shown)])
