"""The table of parameters: values, intervals, verdicts, where they lie between their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from hybridode.report.axes import Axis
from hybridode.report.blocks import Section, Table, Text
from hybridode.report.saved import Saved, unit_text
from hybridode.report.words import brief, significant, with_power

WORDS = {  # verdicts of the finding `profiles`, for a cell
    "identified": "identified", "bounded below": "bounded only from below", "bounded above": "bounded only from above",
    "combination": "only in a combination", "not identified": "not identified", "unknown": "not known",
}  # fmt: skip
TONES = {"identified": "good", "combination": "bad", "not identified": "bad"}  # the others are a warning


def parameters(saved: Saved) -> Section:
    """The table, with what the profiles and the draws say where they are there."""
    profiles = saved.findings.get("profiles", {}).get("parameters", {})
    rows = saved.parameter_rows()
    columns = ["parameter", "value", "95 % interval", "unit", "std. error", "within its bounds", "remark"]
    if profiles:
        columns[3:3] = ["verdict"]
    docs = {p.name: p.doc for p in saved.declarations.parameters}
    said: set[str] = set()
    cells = []
    for row in rows:  # of the entries of a vector, or of values by group, the first says what they mean
        name = str(row["name"])
        base = name if name in docs else name.partition("[")[0]
        cells.append(_row(row, profiles, "" if base in said else docs.get(base, "")))
        said.add(base)
    blocks: list[Any] = [Table("", columns, cells, frozenset({1, 2, 5} if profiles else {1, 2, 4}), shown=60)]
    if not rows:
        return Section("parameters", "Parameters", [Text("The model has no parameters to learn.")])
    known = any(row["se"] is not None for row in rows)
    return Section("parameters", "Parameters", [*blocks, *([Text(_how(saved), "muted")] if known else [])])


def _row(row: Mapping[str, Any], profiles: Mapping[str, Any], doc: str) -> list[Any]:
    name = str(row["name"])
    found = profiles.get(name)
    head = Markup('{}<span class="doc">{}</span>').format(name, doc) if doc else name
    said = row["reason"] if not found or found["verdict"] == "unknown" else ""  # else the verdict says it better
    remark = said or ("fixed" if row["fixed"] else "at its bound" if row["at_bound"] else "")
    limits = _interval(row["lower95"], row["upper95"])
    if found and found["verdict"] != "unknown":
        limits = _interval(found.get("lower95"), found.get("upper95"), found)
    elif profiles and limits is not None:
        limits = Markup("{} (std. error)").format(limits)
    verdict = Markup('<span class="{}">{}</span>').format(TONES.get(found["verdict"], "warn"), _verdict(found)) if found else None
    extra = [verdict] if profiles else []
    number = with_power(significant(row["value"], 5))
    error = with_power(significant(row["se"], 2))
    return [head, number, limits, *extra, unit_text(row["unit"] or ""), error, _bar(row), remark]


def _verdict(found: Mapping[str, Any]) -> str:
    known = found.get("combination")
    if known and found["verdict"] == "combination":
        return f"only {known['text']} is identified"
    return WORDS.get(str(found["verdict"]), str(found["verdict"]))


def _interval(low: Any, high: Any, found: Mapping[str, Any] | None = None) -> Any:
    if low is None and high is None:
        return "open on both sides" if found is not None and found["verdict"] != "unknown" else None
    if found is not None and (low is None or high is None):
        return Markup("{} {}").format("≥" if high is None else "≤", with_power(significant(low if high is None else high)))
    return Markup("{} … {}").format(with_power(significant(low)), with_power(significant(high)))


def _bar(row: Mapping[str, Any]) -> Markup | None:
    """Where value and interval lie between the bounds, on a log scale where the bounds span more than a factor of 20."""
    numbers = [row.get(k) for k in ("lower_bound", "lower95", "value", "upper95", "upper_bound")]
    if any(n is None or not math.isfinite(n) for n in numbers):
        return None
    low, left, value, right, high = (float(n) for n in numbers if n is not None)
    if not low < high:
        return None
    scale = Axis("", low, high, low > 0 and high / low > 20)
    a, b, c = (float(np.clip(np.nan_to_num(scale.place(max(x, low))), 0, 1)) * 120 for x in (left, value, right))
    drawing = (
        '<svg class="bar" viewBox="0 0 120 14" role="img" aria-label="{}"><path class="grid" d="M0 7H120"/>'
        '<path class="band m1" d="M{:.1f} 3H{:.1f}V11H{:.1f}Z"/><path class="line m1" d="M{:.1f} 1V13"/></svg>'
    )
    where = f"at {b / 1.2:.0f} % of the way from {brief(low)} to {brief(high)}"
    return Markup(drawing).format(where, a, max(c, a + 1), a, b)


def _how(saved: Saved) -> str:
    converged = saved.result["status"] == "converged"
    text = f"Standard errors come from the Fisher information{' at the optimum' if converged else ''}"
    text += ", priors included" if saved.declarations.priors else ""
    text += "; the networks' weights count as unknown too (a Schur complement)" if saved.declarations.networks else ""
    text += (
        ". They hold as far as the likelihood is parabolic there." if converged
        else ". The fit has not reached an optimum: they are those of the point where it ended, no measure of what the data say."
    )  # fmt: skip
    if saved.findings.get("profiles"):
        text += " Intervals are of profile likelihoods, which hold one number and fit all others again."
    return f"{text} The bar shows value and interval between the bounds (logarithmic where they span more than a factor of 20)."
