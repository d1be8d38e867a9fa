"""Draws the concentrations with the fit, and the learnt clearance beside the truth: python plot_clearance.py RUN clearance.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """Left all series; right the clearance over the concentration, where the largest tablet has been."""
    curves, data = pd.read_csv(run / "predictions.csv"), pd.read_csv(HERE / "data.csv", na_values=".")
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    for subject, seen in data.groupby("ID"):
        curve = curves[(curves["series"] == subject) & (curves["kind"] == "curve")]
        left.plot(curve["time"], curve["location"], color="#2763b5", linewidth=1.2)
        left.plot(seen["t"], seen["conc"], ".", color="#1b1f24", markersize=4)
    left.set(xlabel="time, h", ylabel="concentration, mg/L", yscale="log", ylim=(0.02, 30))
    model = ho.load(run / "fitted.ode")
    sol = model.simulate(at=np.linspace(0.2, 36, 400), data=HERE / "data.csv", series="5")
    order = np.argsort(sol["C"])
    c = np.asarray(sol["C"])[order]
    right.plot(c, np.asarray(sol["clearance(C)"])[order], color="#2763b5", label="learnt")
    right.plot(c, 30 / (4 + c), "--", color="#1b1f24", linewidth=1, label="truth")
    right.set(xlabel="concentration, mg/L", ylabel="clearance, L/h", ylim=(0, 9))
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
