"""Whether the chains of a sampler have mixed: R-hat and effective draws by parameter, energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.report.axes import axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.rows_chart import places, rows_chart, stems
from hybridode.report.sections.generic import column_of
from hybridode.report.words import brief, counted

GOOD_RHAT, GOOD_DRAWS = 1.01, 100  # A. Vehtari et al., Bayesian Analysis 16 (2021) 667: R-hat, and effective draws of each chain
MOST_ROWS = 24


def mixing_charts(found: Mapping[str, Any]) -> list[Chart]:
    """R-hat and the effective draws of each parameter, the worst first where they are many."""
    table = found["parameters"]
    names = np.array([str(row[list(table["columns"]).index("name")]) for row in table["rows"]], dtype=object)
    rhat, bulk, tail = (column_of(table, name) for name in ("rhat", "ess_bulk", "ess_tail"))
    charts = []
    if np.isfinite(rhat).any():
        keep = _worst(-np.nan_to_num(rhat, nan=np.inf))
        charts.append(_rhat(names[keep], rhat[keep]))
    if np.isfinite(bulk).any():
        keep = _worst(np.fmin(bulk, tail))
        charts.append(_effective(names[keep], bulk[keep], tail[keep], int(found.get("chains") or 1)))
    return charts


def _worst(order: np.ndarray) -> np.ndarray:
    """Places of all in their order, or of too many those with the least in `order`."""
    return np.arange(len(order)) if len(order) <= MOST_ROWS else np.argsort(order, kind="stable")[:MOST_ROWS]


def _rhat(names: np.ndarray, rhat: np.ndarray) -> Chart:
    x = axis("R-hat", rhat, within=(1.0, 1.012), room=0.03)
    ends = np.array([0.4, len(names) + 0.6])
    marks = [Mark("limit", np.full(2, GOOD_RHAT), ends), stems(rhat, x.low, 0)]
    marks.append(Mark("dots", rhat, places(len(names)), 1, "R-hat"))
    worst = int(np.nanargmax(rhat))
    good = int((rhat <= GOOD_RHAT).sum())
    most = f"the largest {brief(rhat[worst], 5)} of {names[worst]}"
    alt = f"R-hat of {counted(len(names), 'parameter')}: {good} at most {GOOD_RHAT}, {most}."
    data = {"parameter": [*names], "rhat": [*rhat]}
    return rows_chart("rhat", f"Do the chains agree? R-hat, at most {GOOD_RHAT}", alt, names.tolist(), x, marks, data)


def _effective(names: np.ndarray, bulk: np.ndarray, tail: np.ndarray, chains: int) -> Chart:
    needed = GOOD_DRAWS * chains
    x = axis("effective draws", bulk, tail, within=(0.0, 1.1 * needed), room=0.02)
    y = places(len(names))
    marks = [
        Mark("limit", np.full(2, float(needed)), np.array([0.4, len(names) + 0.6])),
        stems(np.fmax(bulk, tail), 0.0, 0),
        Mark("dots", bulk, y, 1, "of the middle"),
        Mark("rings", tail, y, 2, "of the tails"),
    ]
    least = int(np.nanargmin(np.fmin(bulk, tail)))
    alt = (
        f"Effective draws of {counted(len(names), 'parameter')}: least {brief(min(bulk[least], tail[least]))} of {names[least]}, "
        f"where {needed} are enough."
    )
    data = {"parameter": [*names], "ess_bulk": [*bulk], "ess_tail": [*tail]}
    return rows_chart("effective_draws", f"How many independent draws is it worth? At least {needed}", alt, names.tolist(), x,
                      marks, data)  # fmt: skip


def energy_chart(found: Mapping[str, Any]) -> Chart:
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
