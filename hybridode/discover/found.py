"""What a discovery leaves in the run directory: the findings `discovery` and `learnt` (docs/run-directory.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.discover.discovery import SHOWN, Discovery
from hybridode.discover.joined import NAME as DATA
from hybridode.discover.latex import formula_latex
from hybridode.discover.refitted import Candidate
from hybridode.discover.samples import Samples
from hybridode.discover.shared import MODEL as TOGETHER
from hybridode.discover.shared import Shared, learnt_rows
from hybridode.discover.slots import Slot

Z95 = 1.959963984540054
MODEL = "discovered.ode"


def discovery_content(found: Discovery) -> dict[str, Any]:
    """The finding `discovery` but for `command` and `seconds`."""
    content = _content(found)
    stated = with_intervals(content) if found.fit is not None else []
    return (
        content | {"formulas": [{**f, "stated": s} for f, s in zip(content["formulas"], stated, strict=True)]}
        if stated
        else content
    )


def _content(found: Discovery) -> dict[str, Any]:
    return {
        "sentences": list(found.sentences),
        "verdict": found.verdict,
        "model": MODEL if found.fit is not None else None,
        **({} if found.fit is not None else {"model_reason": found.sentences[0]}),
        "formulas": _formulas(found),
        "numbers": _numbers(found),
        "candidates": _candidates(found),
        "not_refitted": {"columns": ["formula", "reason"], "rows": [[c.text(), c.failed] for c in found.failed]},
        "comparison": _comparison(found),
        "terms": {
            "columns": ["of", "term", "regression", "whole"],
            "rows": [[i.slot.title, i.term.times("k"), i.regression, i.whole] for i in found.terms],
        },
        "seed": found.seed,
        "early": found.early,
        **({} if found.shared is None else {"together": _together(found.shared)}),
    }


def _together(shared: Shared) -> dict[str, Any]:
    """The model of several runs: its numbers, those by run as `k[north]`."""
    rows = [[name, *row] for name, row in learnt_rows(shared.fit).items()]
    return {"columns": ["name", "value", "se", "lower95", "upper95", "unit"], "rows": rows, "caption": "All runs together",
            "model": TOGETHER, "data": DATA, "runs": list(shared.labels), "common": list(shared.common),
            "by_run": list(shared.by_run), "dl": shared.dl, "dl_apart": shared.apart}  # fmt: skip


def _formulas(found: Discovery) -> list[dict[str, Any]]:
    if found.winner is None:
        return []
    fitted = {} if found.fit is None else {k: float(v) for k, v in found.fit.shared.items() if np.ndim(v) == 0}
    out = []
    for slot, formula in found.winner.formulas.items():
        now = formula.at(fitted)
        out.append({"of": slot.title, "network": slot.network.name, "output": slot.output + 1, "kind": now.kind,
                    "text": now.text, "filled": now.filled(), "latex": formula_latex(slot, now),
                    "numbers": [n.name for n in now.numbers]})  # fmt: skip
    return out


def _numbers(found: Discovery) -> dict[str, Any]:
    """Of each number its interval: by profile likelihood, else Laplace's."""
    columns = ["name", "value", "se", "lower95", "upper95", "unit", "interval"]
    if found.fit is None or found.winner is None:
        return {"columns": columns, "rows": []}
    entries, rows = found.fit.result["parameters"], []
    for name in (n.name for f in found.winner.formulas.values() for n in f.numbers):
        e, profiled = entries[name], found.intervals.get(name)
        ends = list(profiled) if profiled is not None else e["interval95"] or [None, None]
        rows.append([name, e["value"], e["se"], *ends, e["unit"], "profile likelihood" if profiled is not None else "Laplace"])
    return {"columns": columns, "rows": rows}


def with_intervals(content: dict[str, Any]) -> list[str]:
    """Each formula with the intervals of its numbers, in words, from the finding."""
    rows = {row[0]: row for row in content["numbers"]["rows"]}
    found = []
    for f in content["formulas"]:
        mine = [rows[name] for name in f["numbers"] if name in rows]
        said = ", ".join(f"{name} = {value:.4g} ({_end(low)} … {_end(high)})" for name, value, _, low, high, *_ in mine)
        found.append(f"{f['of']} = {f['text']}" + (f" with {said}" if said else ""))
    return found


def _end(value: float | None) -> str:
    return "?" if value is None else f"{value:.4g}"


def _candidates(found: Discovery) -> dict[str, Any]:
    best = min((c.dl for c in found.candidates), default=0.0)
    rows = [
        [k, c.text(), c.kind, c.how, c.numbers, c.value, c.dl, c.dl - best] for k, c in enumerate(found.candidates[:SHOWN], 1)
    ]
    return {"columns": ["rank", "formula", "kind", "proposed_by", "numbers", "objective", "dl", "dl_above_best"], "rows": rows}


def _comparison(found: Discovery) -> dict[str, Any]:
    columns = ["model", "objective", "numbers", "bic", "dl", "hold_out_rmse", "hold_out_log_score"]
    rows = []
    named: tuple[tuple[str, Candidate | None], ...] = (
        ("formula", found.winner), ("network", found.network), ("physics alone", found.physics),
    )  # fmt: skip
    for name, c in named:
        if c is not None:
            score = found.hold_outs.get(name) or {}
            bic = 2 * c.value + c.numbers * math.log(max(found.records, 2))
            rows.append([name, c.value, c.numbers, bic, c.dl, score.get("rmse"), score.get("log_score")])
    return {"columns": columns, "rows": rows}


def learnt_content(slots: Sequence[Slot], samples: Mapping[str, Samples], winner: Candidate | None = None) -> dict[str, Any]:
    """The finding `learnt`: of each output of each network its samples with a band, and the winner's curve there."""
    terms = []
    for slot in slots:
        s = samples[slot.network.name]
        values, sd = s.values[:, slot.output], (s.sd if s.doubt is None else s.doubt)[:, slot.output]
        curve = np.full(len(values), np.nan)
        if winner is not None:
            formula = winner.formulas[slot]
            curve = formula.curve(s.points, formula.values)
        names = [a.strip("()") for a in slot.arguments]
        columns = [*names, "learnt", "lower95", "upper95", "formula", "count"]
        rows = np.column_stack([s.points, values, values - Z95 * sd, values + Z95 * sd, curve, s.counts])
        entry = {"of": slot.title, "network": slot.network.name, "arguments": names, "columns": columns, "rows": rows}
        terms.append(entry | ({"band_reason": s.reason} if s.reason and s.doubt is None else {}))
    titles = ", ".join(f"`{slot.title}`" for slot in slots)
    count = sum(len(s.points) for s in samples.values())
    sentence = (
        f"{titles}: sampled at {count} points along the fitted trajectories, with the band in which the network is known to lie."
    )
    return {"sentences": [sentence], "terms": terms}
