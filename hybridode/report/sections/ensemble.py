"""The ensemble: how the networks ended that were trained again from other first weights."""

from __future__ import annotations

from typing import Any

from hybridode.report.blocks import Fold, Section, Text
from hybridode.report.saved import Saved
from hybridode.report.sections.generic import finding_blocks, table_of

HOW = "Bands of curves and of learnt functions hold the spread of the members that are kept."


def ensemble(saved: Saved) -> Section | None:
    """Sentences, and the table of members."""
    found = saved.findings.get("ensemble")
    if not found:
        return None
    blocks: list[Any] = [*finding_blocks({"sentences": found.get("sentences", ())}), Text(HOW, "muted")]
    if found.get("members"):
        blocks.append(Fold("Members", [table_of("Members", found["members"])]))
    return Section("ensemble", "Ensemble", blocks)
