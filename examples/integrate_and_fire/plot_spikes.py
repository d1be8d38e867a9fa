"""Draws the cell's voltage with the fit, and who fires when: python plot_spikes.py RUN spikes.svg"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Above all spikes that nobody recorded, as the fit has them and as they were; below the record and the fit."""
    sol = ho.load(run / "fitted.ode").simulate(to=50, points=1001)
    data = pd.read_csv(HERE / "data.csv")
    _, times, who = runpy.run_path(str(HERE / "make_data.py"))["truth"]()
    at, neuron = np.nonzero(np.diff(sol["V"], axis=0) < -5)
    figure = Figure(figsize=(8.2, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    above.plot(times, who + 1, ".", color="#1b1f24", markersize=5, label="truth")
    above.plot(sol.t[at + 1], neuron + 1, ".", color="#7fb2ff", markersize=2, label="fit")
    above.set(ylabel="neuron")
    below.plot(data["t"], data["electrode"], ".", color="#1b1f24", markersize=4, label="data")
    below.plot(sol.t, sol["cell"], color="#2763b5", linewidth=1.2, label="fit")
    below.set(xlabel="time, ms", ylabel="cell, mV")
    for axes in (above, below):
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
