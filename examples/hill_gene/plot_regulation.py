"""Draws the records with the fit, and the learnt regulation beside the truth: python plot_regulation.py RUN regulation.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent


def learnt(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """The concentrations that a fitted run visits, ordered, and the regulation that it has learnt there."""
    model, data = ho.load(run / "fitted.ode"), HERE / "data.csv"
    solutions = [model.simulate(at=np.linspace(0, 24, 241), data=data, series=str(k)) for k in range(1, 7)]
    x = np.concatenate([np.asarray(sol["x"]) for sol in solutions])
    order = np.argsort(x)
    return x[order], np.concatenate([np.asarray(sol["regulation"]) for sol in solutions])[order]


def draw(run: Path) -> Figure:
    """Left all series; right the regulation over all concentrations that occur, with the decay that it has to overcome."""
    curves, data = pd.read_csv(run / "predictions.csv"), pd.read_csv(HERE / "data.csv", comment="#")
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    for number, seen in data.groupby("experiment"):
        curve = curves[(curves["series"] == number) & (curves["kind"] == "curve")]
        left.plot(curve["time"], curve["location"], color="#2763b5", linewidth=1.2)
        left.plot(seen["t"], seen["x"], ".", color="#1b1f24", markersize=4)
    left.set(xlabel="time, h", ylabel="protein, nM", ylim=(0, None))
    x, regulation = learnt(run)
    right.plot(x, regulation, color="#2763b5", label="regulation, learnt")
    right.plot(x, 1.1 * x**3 / (2**3 + x**3), "--", color="#1b1f24", linewidth=1, label="truth")
    right.plot(x, 0.25 * x, ":", color="#c4570f", linewidth=1, label="decay")
    right.set(xlabel="protein, nM", ylabel="nM/h", ylim=(0, 1.35))
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
