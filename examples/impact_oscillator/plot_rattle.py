"""Draws the record with the fit, and the first seconds closely: python plot_rattle.py RUN rattle.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Left the place over time, measured and fitted, with the hits and the reset; right the place of the first hits."""
    sol = ho.load(run / "fitted.ode").simulate(to=20, points=4001)
    data = pd.read_csv(HERE / "data.csv")
    wall = float(sol["wall"][0])
    hits = np.flatnonzero(np.diff(sol["hits"]) > 0)
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    for axes in (left, right):
        axes.axhspan(wall, wall + 25, color="#e4e6e9", linewidth=0)
        axes.plot(sol.t, sol["x"], color="#2763b5", linewidth=1.2, label="fit")
        axes.plot(data["t"], data["place"], ".", color="#1b1f24", markersize=3, label="data")
        axes.plot(sol.t[hits], np.full(len(hits), wall), "v", color="#c1121f", markersize=4, label="hit")
        axes.spines[["top", "right"]].set_visible(False)
    left.axvline(10, color="#b0b5bb", linewidth=0.8, linestyle="--")
    left.annotate("put back to rest", (10, wall + 16), textcoords="offset points", xytext=(4, 0), fontsize=8, va="center")
    left.set(xlabel="time, s", ylabel="place, mm", xlim=(0, 20), ylim=(-85, wall + 25))
    left.legend(frameon=False, fontsize=8, loc="lower right", ncols=3)
    right.set(xlabel="time, s", xlim=(3.8, 5.2), ylim=(2, wall + 2))
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
