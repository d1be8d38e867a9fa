"""Formulas for what the networks have learnt: the winner typeset, the ranking, the comparison."""

from __future__ import annotations

from typing import Any

from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.report.blocks import Fold, Heading, Math, Section, Text
from hybridode.report.equations import equation_groups
from hybridode.report.saved import Saved
from hybridode.report.sections.generic import finding_blocks, table_of

_TABLES = (  # field -> caption
    ("numbers", "Numbers of the formula, refitted in the whole model"),
    ("comparison", "Formula, network and the physics alone"),
)
_TYPESET = ("Dynamics", "Equations that hold together", "Definitions")


def discovery(saved: Saved) -> Section | None:
    """The finding `discovery`, with the model that came of it."""
    found = saved.findings.get("discovery")
    if not found:
        return None
    blocks: list[Any] = finding_blocks({"sentences": found.get("sentences", ())})
    path = saved.directory / str(found.get("model") or "")
    if found.get("model") and path.is_file():
        text = path.read_text(encoding="utf-8")
        groups = equation_groups(declare(Source(str(path), text)))
        blocks.append(Heading("The model with the formula in the network's place"))
        blocks += [Math(g.title, g.math, g.more) for g in groups if g.title in _TYPESET]
        blocks.append(Text(f"`{found['model']}` in the run's directory is this model, accepted by every command.", "muted"))
    blocks += [table_of(caption, found[name]) for name, caption in _TABLES if found.get(name, {}).get("rows")]
    if found.get("candidates", {}).get("rows"):
        ranking = table_of("Ranked by description length (dl), the shortest first", found["candidates"])
        blocks.append(ranking if len(ranking.rows) <= 8 else Fold(f"The {len(ranking.rows)} best formulas", [ranking]))
    shown = frozenset({"numbers", "comparison", "candidates"})
    return Section("discovery", "Discovery", [*blocks, *finding_blocks({**found, "sentences": ()}, shown)])
