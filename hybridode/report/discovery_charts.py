"""The charts of a discovery: which formula is shortest, which terms are kept, the formula over what the network has learnt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.figures import file_name
from hybridode.report.rows_chart import places, reaches, rows_chart, stems
from hybridode.report.saved import Rows
from hybridode.report.sections.generic import column_of
from hybridode.report.sections.learnt import curve_chart, term_rows
from hybridode.report.words import brief, counted

_MOST, _MOST_TERMS = 10, 16  # formulas, and terms, that have a row
_NEAR = 0.1  # in natural units: descriptions that differ by less are equally long
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?")


def length_chart(found: Mapping[str, Any]) -> list[Chart]:
    """Description lengths of the best formulas, of the network and of the physics alone, above the shortest."""
    candidates, rivals = found.get("candidates") or {}, found.get("comparison") or {}
    if not candidates.get("rows"):
        return []
    at = list(candidates["columns"]).index("formula")
    named = [(str(row[at]), dl, 1) for row, dl in zip(candidates["rows"], column_of(candidates, "dl"), strict=True)][:_MOST]
    others = zip(rivals["rows"], column_of(rivals, "dl"), strict=True) if rivals.get("rows") else ()
    named += [(f"the {row[0]}", dl, 3 if row[0] == "network" else 2) for row, dl in others if row[0] != "formula"]
    named = sorted((n for n in named if np.isfinite(n[1])), key=lambda n: n[1])
    if len(named) < 2:
        return []
    above = np.maximum(np.array([dl for _, dl, _ in named]) - named[0][1], _NEAR)
    x = axis("description length above the shortest", above, log=True, within=(_NEAR, 100 * _NEAR), room=0.03)
    y, marks = places(len(named)), [stems(above, x.low, 0)]
    marks += [Mark("dots", above[k : k + 1], y[k : k + 1], color, "above the shortest") for k, (_, _, color) in enumerate(named)]
    names = [name for name, _, _ in named]
    rows = [brief_formula(name) for name in names]
    second = f"{names[1]}, {brief(above[1])} longer"
    alt = f"Description lengths of {counted(len(named), 'model')}: the shortest is {names[0]}, then {second}."
    data = {"model": names, "description_length": [dl for _, dl, _ in named]}
    return [rows_chart("discovery_lengths", "Which description is shortest?", alt, rows, x, marks, data)]


def brief_formula(text: str) -> str:
    """The right sides of `a = -0.9003*x*y, b = 0.7976*x*y` with two digits of each number: what there is room for in a row."""
    right = re.sub(r"(?:(?<=^)|(?<=, ))[^=,]+ = ", "", text)
    return _NUMBER.sub(lambda m: f"{float(m[0]):.2g}", right)


def term_chart(found: Mapping[str, Any]) -> list[Chart]:
    """In what share of bootstrap samples the regression keeps a term, and its weight in the whole model."""
    table = found.get("terms") or {}
    if not table.get("rows"):
        return []
    regression, whole = column_of(table, "regression"), column_of(table, "whole")
    order = np.argsort(-np.fmax(np.nan_to_num(regression), np.nan_to_num(whole)), kind="stable")[:_MOST_TERMS]
    several = len({row[0] for row in table["rows"]}) > 1
    names = [f"{table['rows'][i][0]}: {table['rows'][i][1]}" if several else str(table["rows"][i][1]) for i in order]
    y = places(len(names))
    marks = [
        reaches(np.fmin(regression, whole)[order], np.fmax(regression, whole)[order], y, 0),
        Mark("dots", regression[order], y, 1, "kept by the regression"),
        Mark("rings", whole[order], y, 2, "weight in the whole model"),
    ]
    best = [f"{n} {brief(v, 2)}" for n, v in zip(names, regression[order], strict=True)][:5]
    alt = f"Share of samples in which {counted(len(names), 'term')} are kept by the regression: {', '.join(best)}."
    data = {"term": names, "regression": [*regression[order]], "whole": [*whole[order]]}
    return [rows_chart("discovery_terms", "Which terms are needed?", alt, names, Axis("probability", -0.02, 1.02), marks, data)]


def formula_charts(learnt: Mapping[str, Any]) -> list[Chart]:
    """Of each learnt output the formula over it: along its argument, or of several arguments point against point."""
    charts = []
    for term in learnt.get("terms", ()):
        rows = term_rows(term)
        if not rows["learnt"].size or not np.isfinite(rows["formula"]).any():
            continue
        if len(term["arguments"]) == 1:
            chart = curve_chart(term, rows, term["arguments"][0])
            charts.append(
                replace(chart, name=f"discovery_{file_name(str(term['of']))}", title=f"{term['of']}: formula and network")
            )
        else:
            charts.append(_against(term, rows))
    return charts


def _against(term: Mapping[str, Any], rows: Rows) -> Chart:
    formula, value, low, high = (rows[k] for k in ("formula", "learnt", "lower95", "upper95"))
    both = axis(str(term["of"]), formula, value, low, high, room=0.03)
    ends = np.array([both.low, both.high])
    marks = [Mark("rule", ends, ends)]
    marks += [Mark("stem", formula, low, 1, upper=high)] if np.isfinite(low).any() else []
    marks.append(Mark("small", formula, value, 1, "network"))
    inside = int(((formula >= low) & (formula <= high)).sum())
    alt = (
        f"{term['of']} as the network learnt it against the formula at {len(value)} points where the data reach, from "
        f"{brief(np.nanmin(formula))} to {brief(np.nanmax(formula))}: the formula lies in {inside} of the bands."
    )
    data = {name: [*values] for name, values in rows.items()}
    x, y = Axis("formula", both.low, both.high), Axis("network, with its 95 % band", both.low, both.high)
    name = f"discovery_{file_name(str(term['of']))}"
    return Chart(name, f"{term['of']}: formula and network", alt, x, y, tuple(marks), data=data)
