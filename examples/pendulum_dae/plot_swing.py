"""Draws the record with the fit, and the rod's force, which nobody measured: python plot_swing.py RUN swing.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Left the coordinates over time, measured and fitted; right the rod's pull by mass, with gravity's for comparison."""
    sol = ho.load(run / "fitted.ode").simulate(to=6, points=601)
    data = pd.read_csv(HERE / "data.csv")
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    for name, column, colour in (("x", "px", "#2763b5"), ("y", "py", "#c1121f")):
        left.plot(sol.t, sol[name], color=colour, linewidth=1.2, label=name)
        left.plot(data["t"], data[column], ".", color=colour, markersize=3)
    left.set(xlabel="time, s", ylabel="position, m")
    left.legend(frameon=False, fontsize=8)
    right.plot(sol.t, np.asarray(sol["pull*L"]), color="#2763b5", linewidth=1.2)
    right.axhline(9.81, color="#b0b5bb", linewidth=0.8)
    right.set(xlabel="time, s", ylabel="pull of the rod by mass, m/s²")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
