"""Equations, and what was understood of the data."""

from __future__ import annotations

from typing import Any

from hybridode.report.blocks import Fold, Items, Section, Table, Text
from hybridode.report.called import arguments_of, inputs_text
from hybridode.report.equations import equation_groups, math_blocks
from hybridode.report.saved import Saved, names_in, unit_text, where
from hybridode.report.words import significant


def equations(saved: Saved) -> Section:
    """All equations typeset; what a network gives is marked."""
    d = saved.declarations
    blocks: list[Any] = [block for group in equation_groups(d) for block in math_blocks(group)]
    if d.networks:
        blocks.insert(0, Text("Underlined in colour: what was learnt by a network instead of being written down.", "learnt-key"))
        blocks.append(_networks(saved))
    return Section("model", "Equations", blocks)


def _networks(saved: Saved) -> Table:
    described, called = saved.result["networks"], arguments_of(saved.declarations)
    rows = []
    for n in saved.declarations.networks:
        found = described.get(n.name, {})
        layers = " → ".join(map(str, found["layers"])) if found.get("layers") else None
        share = found.get("share")
        said = None if share is None else f"{100 * share:.3g} %"
        rows.append([n.name, n.doc or "", inputs_text(n, called[n.name]), layers, n.act, found.get("n_weights"), said])
    columns = ["network", "meaning", "of", "layers", "activation", "weights", "largest share of a rate"]
    return Table("Networks", columns, rows, frozenset({5, 6}))


def data(saved: Saved) -> Section:
    """What was read, and the records of each series."""
    blocks: list[Any] = []
    notes = saved.result.get("data", {}).get("notes")
    if notes:
        blocks.append(Items([str(n) for n in notes]))
    blocks.append(_columns(saved))
    series = names_in(saved.residuals, "series")
    if len(series) > 1:
        blocks.append(Fold(f"The {len(series)} series", [_series(saved, series)]))
    return Section("data", "Data", blocks)


def _columns(saved: Saved) -> Table:
    rows = []
    for column in names_in(saved.residuals, "column"):
        mine = where(saved.residuals, saved.residuals["column"] == column)
        seen = mine["observed"]
        limits, held = int((mine["censored"] != 0).sum()), int((mine["used"] == "hold_out").sum())
        of_classes = saved.classes.get(column)
        number = seen.size and not of_classes
        ends = [significant(float(seen.min())), significant(float(seen.max()))] if number else [None, None]
        classes = ", ".join(of_classes) if of_classes else None
        rows.append([column, unit_text(saved.units.get(column, "")), len(seen), *ends, classes, limits or None, held or None])
    columns = ["column", "unit", "records", "least", "greatest", "classes", "limits", "held out"]
    return Table("What was observed", columns, rows, frozenset({2, 3, 4, 6, 7}), shown=8)


def _series(saved: Saved, names: list[str]) -> Table:
    entries = {e["name"]: e for e in saved.result.get("data", {}).get("experiments", ())}
    rows = []
    for name in names:
        entry = entries.get(name, {})
        count = int((saved.residuals["series"] == name).sum())
        groups = ", ".join(f"{k} {v}" for k, v in entry.get("groups", {}).items())
        numbers = ", ".join(f"{k} = {significant(v)}" for k, v in entry.get("numbers", {}).items())
        rows.append([str(name), count, entry.get("start"), groups, numbers])
    return Table("Series", ["series", "records", "starts at", "groups", "set by the data"], rows, frozenset({1, 2}))
