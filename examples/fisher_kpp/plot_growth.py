"""Draws the snapshots with the fit, and the learnt growth beside the truth: python plot_growth.py RUN growth.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent
PLACES = np.arange(26) * 0.04


def learnt(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The densities that a fitted run visits, ordered, and the growth that it has learnt there."""
    sol = ho.load(run / "fitted.ode").simulate(to=5, points=101)
    density = np.ravel(sol["rho"])
    order = np.argsort(density)
    return density[order], np.ravel([sol[f"growth(rho[{i}])"] for i in range(1, 27)], "F")[order]


def draw(run: Path) -> Figure:
    """Left every second snapshot; right the growth over all densities that occur."""
    data = pd.read_csv(HERE / "data.csv", comment="#")
    sol = ho.load(run / "fitted.ode").simulate(at=data["t"].to_numpy())
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    for row in range(0, len(data), 2):
        left.plot(PLACES, np.asarray(sol["rho"])[row], color="#2763b5", linewidth=1.2)
        left.plot(PLACES, data.iloc[row, 1:], ".", color="#1b1f24", markersize=4)
        end = (PLACES[-1], float(data.iloc[row, -1]))
        left.annotate(f"t = {data['t'][row]:g}", end, (5, -2), textcoords="offset points", fontsize=8)
    left.set(xlabel="place", ylabel="density", xlim=(-0.03, 1.09))
    density, growth = learnt(run)
    right.plot(density, growth, color="#2763b5", label="learnt")
    right.plot(density, density * (1 - density), "--", color="#1b1f24", linewidth=1, label="truth")
    right.set(xlabel="density", ylabel="growth", ylim=(0, 0.3))
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
