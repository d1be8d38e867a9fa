"""Draws the record with the fit, and the learnt loss beside the truth: python plot_loss.py RUN loss.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Left the room's temperature, measured and fitted; right the loss over the difference of temperatures."""
    sol = ho.load(run / "fitted.ode").simulate(to=12, points=1201)
    data = pd.read_csv(HERE / "data.csv")
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    left.plot(sol.t, sol["T"], color="#2763b5", linewidth=1.2, label="fit")
    left.plot(data["t"], data["room"], ".", color="#1b1f24", markersize=4, label="data")
    left.set(xlabel="time, h", ylabel="temperature, °C")
    left.legend(frameon=False, fontsize=8)
    rising = sol.t < 1.2  # the first heating covers all differences
    difference = sol["T - outside"][rising]
    right.plot(difference, sol["loss(T - outside)"][rising], color="#2763b5", label="learnt")
    right.plot(difference, 0.15 * difference + 0.01 * difference**2, "--", color="#1b1f24", linewidth=1, label="truth")
    right.set(xlabel="difference, K", ylabel="loss, K/h")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
