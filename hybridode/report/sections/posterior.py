"""The posterior: verdict on the sampling, marginals, the pairs that hang together, energies."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.axes import axis
from hybridode.report.blocks import Figures, Fold, Heading, Section, Table, Text
from hybridode.report.chart import Chart, Mark
from hybridode.report.figures import MOST, file_name
from hybridode.report.findings import FOLDER
from hybridode.report.saved import Rows, Saved, read_numbers, with_unit
from hybridode.report.sections.generic import finding_blocks, table_of
from hybridode.report.words import brief, significant

_PAIRS, _POINTS = 6, 700  # pairs that are drawn, and draws in each
_VALUE = re.compile(r"`[^`]+` is [-\d.e+]+, with ")
_DRAWN = frozenset({"parameters", "marginals", "energy", "checks"})


def posterior(saved: Saved) -> Section | None:
    """Everything about the draws."""
    found = saved.findings.get("posterior")
    if not found:
        return None
    units = {str(r["name"]): r["unit"] or "" for r in saved.parameter_rows()}
    said = [str(s) for s in found.get("sentences", ())]
    values = [s for s in said if _VALUE.match(s)]  # which the table shows as well
    told = {**found, "sentences": [s for s in said if s not in values]}
    blocks: list[Any] = [*finding_blocks(told, _DRAWN)]
    blocks += [table_of(f"{found.get('chains')} chains of {found.get('draws')} draws", found["parameters"])]
    charts = [_marginal(name, m, units.get(name, "")) for name, m in found.get("marginals", {}).items()]
    blocks += [Heading("Marginals"), Figures(charts[:MOST], small=True)]
    blocks += [Fold(f"{len(charts) - MOST} more marginals", [Figures(charts[MOST:], small=True)])] if len(charts) > MOST else []
    pairs = pair_charts(saved, units)
    how = "Of all pairs those with the largest correlation (of ranks)."
    blocks += [Heading("Pairs that hang together"), Text(how, "muted"), Figures(pairs, small=True)] if pairs else []
    if found.get("energy"):
        blocks += [Heading("Diagnostics"), Figures([_energy(found["energy"])])]
    if found.get("sampler"):
        rows = [[name.replace("_", " "), _said(value)] for name, value in found["sampler"].items()]
        blocks.append(Fold("How the sampler did", [Table("The sampler", ["what", "value"], rows, code=frozenset())]))
    if found.get("checks"):
        blocks.append(Fold("Posterior predictive checks", [table_of("Posterior predictive checks", found["checks"])]))
    return Section("posterior", "Posterior", blocks)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_said(v) for v in value)
    return significant(value, 4) if isinstance(value, float) else str(value)


def _marginal(name: str, found: Mapping[str, Any], unit: str) -> Chart:
    edges, density = np.array(found["edges"], float), np.array(found["density"], float)
    middle, width = (edges[1:] + edges[:-1]) / 2, float(np.mean(np.diff(edges)))
    top = int(np.argmax(density))
    alt = f"Posterior density of {name}: from {brief(edges[0])} to {brief(edges[-1])}, greatest at {brief(middle[top])}."
    marks = (Mark("bars", middle, np.zeros(len(middle)), 1, "density", upper=density, width=width),)
    y = axis("density", density, within=(0.0, float(density.max()) * 1.06 or 1.0))
    data = {"low": [*edges[:-1]], "high": [*edges[1:]], "density": [*density]}
    x = axis(with_unit(name, unit), edges)
    return Chart(f"marginal_{file_name(name)}", name, alt, x, y, marks, data=data, height=200)


def pair_charts(saved: Saved, units: Mapping[str, str]) -> list[Chart]:
    """Draws of the pairs of parameters with the largest rank correlation."""
    path = saved.directory / FOLDER / "posterior.csv"
    if not path.is_file():
        return []
    draws: Rows = {name: values for name, values in read_numbers(path).items() if name not in ("chain", "draw")}
    names = [name for name, values in draws.items() if len(values) > 2 and np.ptp(values) > 0]
    if len(names) < 2:
        return []
    ranks = np.array([np.argsort(np.argsort(draws[name])) for name in names], float)
    correlation = np.corrcoef(ranks)
    order = sorted(itertools.combinations(range(len(names)), 2), key=lambda p: -abs(correlation[p]))[:_PAIRS]
    return [_pair(names[i], names[j], float(correlation[i, j]), draws, units) for i, j in order]


def _pair(first: str, second: str, correlation: float, draws: Rows, units: Mapping[str, str]) -> Chart:
    keep = np.linspace(0, len(draws[first]) - 1, min(len(draws[first]), _POINTS)).astype(int)
    x, y = draws[first][keep], draws[second][keep]
    alt = f"{len(x)} draws of {first} and {second}: rank correlation {correlation:.2f}."
    labels = [with_unit(name, units.get(name, "")) for name in (first, second)]
    return Chart(f"pair_{file_name(first)}_{file_name(second)}", f"{first} and {second} (correlation {correlation:.2f})", alt,
                 axis(labels[0], x, room=0.03), axis(labels[1], y, room=0.03), (Mark("small", x, y, 1, second),),
                 data={first: [*x], second: [*y]}, height=240)  # fmt: skip


def _energy(found: Mapping[str, Any]) -> Chart:
    """Energies and their steps from draw to draw: alike where the tails are explored well (M. Betancourt, arXiv:1701.02434)."""
    edges = np.array(found["edges"], float)
    middle = (edges[1:] + edges[:-1]) / 2
    both = {name: np.array(found[name], float) for name in ("energy", "steps")}
    shares = {name: counts / max(counts.sum(), 1) for name, counts in both.items()}
    marks = (
        Mark("line", middle, shares["energy"], 1, "energies"),
        Mark("line", middle, shares["steps"], 2, "steps from draw to draw"),
    )
    widths = {name: float(np.sqrt(np.sum(share * middle**2))) for name, share in shares.items()}
    spreads = f"(spread {brief(widths['energy'])}) and their steps (spread {brief(widths['steps'])})"
    alt = f"Energies of the draws {spreads}: alike is good."
    y = axis("share of the draws", *shares.values(), within=(0.0, 0.01), room=0.03)
    data = {"middle": [*middle], "energy": [*both["energy"]], "steps": [*both["steps"]]}
    return Chart("energy", "Energy", alt, axis("energy, centred", edges), y, marks, data=data, height=240)
