"""Draws the record with the fit, and the cart's swings in the plane of place and speed: python plot_cart.py RUN cart.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Left the place over time, measured and fitted; right place and speed, coloured by the jet that pushes."""
    sol = ho.load(run / "fitted.ode").simulate(to=20, points=4001)
    data = pd.read_csv(HERE / "data.csv")
    line = float(sol["line"][0])
    x, v = np.asarray(sol["x"]), np.asarray(sol["v"])
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    left.axhline(line, color="#b0b5bb", linewidth=0.8)
    left.plot(sol.t, x, color="#2763b5", linewidth=1.2, label="fit")
    left.plot(data["t"], data["place"], ".", color="#1b1f24", markersize=3, label="data")
    left.set(xlabel="time, s", ylabel="place x, m", ylim=(-1.05, 1.6))
    left.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    right.axvline(line, color="#b0b5bb", linewidth=0.8)
    for side, colour, words in ((x > line, "#c1121f", "pushed to the left"), (x <= line, "#2763b5", "pushed to the right")):
        right.plot(np.where(side, x, np.nan), np.where(side, v, np.nan), color=colour, linewidth=1.2, label=words)
    right.set(xlabel="place x, m", ylabel="speed v, m/s", ylim=(-1.8, 2.9))
    right.legend(frameon=False, fontsize=8, loc="upper right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
