"""What the data determine: profiles, stiff and sloppy directions, and whatever else was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.blocks import Figures, Fold, Section, Text
from hybridode.report.chart import Cells, Chart, Mark
from hybridode.report.design import DIVERGING
from hybridode.report.figures import MOST, file_name
from hybridode.report.saved import Saved, with_unit
from hybridode.report.sections.generic import finding_blocks
from hybridode.report.words import brief, counted, listed

_ALIKE = 3  # parameters of which each has a sentence of its own, though they are alike
HOW = (
    "Rise of the negative log-likelihood when one parameter is held and all others are fitted again; where it passes the dashed "
    "line, the 95 % interval ends."
)


def identifiability(saved: Saved) -> Section:
    """Profiles, directions, and whatever else was found out about identifiability."""
    blocks: list[Any] = []
    profiles = saved.findings.get("profiles")
    if profiles:
        blocks += _verdicts(profiles)
        charts = profile_charts(profiles, {str(r["name"]): r["unit"] or "" for r in saved.parameter_rows()})
        if charts:
            blocks += [Text(HOW, "muted"), Figures(charts[:MOST], small=True)]
            blocks += (
                [Fold(f"{len(charts) - MOST} more profiles", [Figures(charts[MOST:], small=True)])] if len(charts) > MOST else []
            )
    spectrum = saved.findings.get("spectrum")
    if spectrum:
        blocks += (
            [*finding_blocks(spectrum), Figures(spectrum_charts(spectrum))]
            if len(spectrum.get("directions") or ()) > 1
            else finding_blocks(spectrum)
        )
    blocks += finding_blocks(saved.findings.get("identifiability"))
    return Section("identifiability", "What the data determine", blocks)


def _verdicts(found: Mapping[str, Any]) -> list[Any]:
    """What is not identified and what would settle it; the rest as one sentence (its intervals are in the table)."""
    parameters, said = found.get("parameters", {}), [str(s) for s in found.get("sentences", ())]
    settled = {f"`{name}`: {p['sentence']}" for name, p in parameters.items() if p["verdict"] == "identified"}
    alike = _alike(parameters)
    doubts = [*alike, *(s for s in said if s not in settled and not any(s.endswith(f": {end}") for end in alike.values()))]
    if not doubts and settled:
        doubts = [f"{'All ' if len(settled) > 1 else ''}{counted(len(settled), 'parameter')} profiled: identified."]
    elif settled:
        doubts.append(f"Identified: {listed([n for n, p in parameters.items() if p['verdict'] == 'identified'], 12)}.")
    return finding_blocks({**found, "sentences": doubts}, frozenset({"parameters"}))


def _alike(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What is said of more than _ALIKE parameters in the same words, as one sentence: the sentence -> those words."""
    names: dict[str, list[str]] = {}
    for name, p in parameters.items():
        if p["verdict"] != "identified":
            names.setdefault(str(p["sentence"]), []).append(name)
    return {f"{listed(of)}: {words}": words for words, of in names.items() if len(of) > _ALIKE}


def profile_charts(found: Mapping[str, Any], units: Mapping[str, str]) -> list[Chart]:
    """One chart for each parameter."""
    limit = float(found.get("rise_of_interval") or 1.92)
    charts = []
    for name, p in found.get("parameters", {}).items():
        curve = p.get("curve") or {}
        value, rise = (np.array([np.nan if v is None else v for v in curve.get(k, ())], float) for k in ("value", "rise"))
        if np.isfinite(value * rise).sum() < 2:
            continue
        wide = bool(value.min() > 0 and value.max() / value.min() > 30)
        x = axis(with_unit(name, units.get(name, "")), value, log=wide, room=0.02)
        y = Axis("rise of the objective", -0.04 * limit, 1.6 * limit)
        ends = np.array([x.low, x.high])
        marks = [
            Mark("limit", ends, np.full(2, limit)),
            Mark("line", value, rise, 1, "rise"),
            Mark("small", value, rise, 1),
        ]
        marks += [Mark("dots", np.array([p["value"]]), np.zeros(1), 2)]
        alt = f"Profile of {name}: best at {brief(p['value'])}; {_ends(p)}"
        charts.append(Chart(f"profile_{file_name(name)}", f"{name}: profile", alt, x, y, tuple(marks),
                            data={"value": [*value], "rise": [*rise]}, height=220))  # fmt: skip
    return charts


def _ends(p: Mapping[str, Any]) -> str:
    parts = []
    for side, word in (("lower95", "below"), ("upper95", "above")):
        reason = p.get(f"{side}_reason") or "open"
        parts.append(
            f"the 95 % interval ends {word} at {brief(p[side])}" if p.get(side) is not None else f"open {word}: {reason}"
        )
    return ", ".join(parts) + "."


def spectrum_charts(found: Mapping[str, Any]) -> list[Chart]:
    """Eigenvalues of the information, and what each direction is made of."""
    directions = [d for d in found["directions"] if d.get("eigenvalue")]
    names = list(found.get("parameters", ()))
    if not directions:
        return []
    values = np.array([d["eigenvalue"] for d in directions], float)
    rank = np.arange(1, len(values) + 1)
    good = np.array([bool(d.get("determined", True)) for d in directions])
    marks = [Mark("thin", rank, values)]
    marks += [Mark("dots", rank[good], values[good], 1, "determined")] if good.any() else []
    marks += [Mark("rings", rank[~good], values[~good], 2, "not determined (sloppy)")] if not good.all() else []
    ends = (
        f"from {brief(values.max())} (stiff: {directions[0]['text']}) to {brief(values.min())} (sloppy: {directions[-1]['text']})"
    )
    alt = f"Eigenvalues of the information: {ends}."
    x = Axis("direction, the stiffest first", 0.4, len(values) + 0.6, whole=True)
    data = {"rank": [*rank], "eigenvalue": [*values], "direction": [d["text"] for d in directions]}
    y = axis("information (eigenvalue)", values, log=True, room=0.08)
    eigenvalues = Chart("spectrum", "Stiff and sloppy directions", alt, x, y, tuple(marks), data=data)
    return [eigenvalues, *_components(directions[:16], names[:24])]


def _components(directions: list[Mapping[str, Any]], names: list[str]) -> list[Chart]:
    """Which parameters a direction moves, as a map: rows are parameters, columns directions."""
    if len(names) < 2 or not all(d.get("components") for d in directions):
        return []
    grid = np.array([[float(d["components"].get(name) or 0) for d in directions] for name in reversed(names)])
    strongest = [names[::-1][int(np.argmax(np.abs(column)))] for column in grid.T]
    alt = (
        f"Weights of {len(names)} parameters in {len(directions)} directions; strongest in each, the stiffest first: "
        f"{', '.join(strongest)}."
    )
    x = Axis("direction, the stiffest first", 0.5, len(directions) + 0.5, whole=True)
    y = Axis("", 0.5, len(names) + 0.5, ticks=tuple((k + 1.0, n) for k, n in enumerate(reversed(names))))
    data = {
        "parameter": [n for n in reversed(names) for _ in directions],
        "direction": [k + 1 for _ in names for k in range(len(directions))],
        "weight": [*grid.ravel()],
    }
    cells = Cells(np.arange(len(directions) + 1) + 0.5, np.arange(len(names) + 1) + 0.5, grid, -1.0, 1.0, DIVERGING, "weight")
    return [Chart("spectrum_components", "What the directions are made of", alt, x, y, (), data=data, cells=cells)]
