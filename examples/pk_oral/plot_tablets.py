"""Draws four subjects' concentrations with the fit: python plot_tablets.py RUN tablets.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

HERE = Path(__file__).parent


def draw(run: Path) -> Figure:
    """A panel per subject: data, limits of quantification as triangles, fit with the band of 95 % of new observations."""
    curves = pd.read_csv(run / "predictions.csv", dtype={"series": str})
    data = pd.read_csv(HERE / "data.csv", dtype=str)
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    for axes, subject in zip(figure.subplots(1, 4, sharey=True), ("1", "2", "3", "4"), strict=True):
        curve = curves[(curves["series"] == subject) & (curves["kind"] == "curve")]
        axes.fill_between(curve["time"], curve["lower95"], curve["upper95"], color="#2763b5", alpha=0.15, linewidth=0)
        axes.plot(curve["time"], curve["location"], color="#2763b5", linewidth=1.2)
        seen = data[(data["ID"] == subject) & (data["EVID"] == "0")]
        below = seen["conc [mg/L]"].str.startswith("<").to_numpy()
        time, value = seen["t [h]"].astype(float).to_numpy(), seen["conc [mg/L]"].str.strip("<").astype(float).to_numpy()
        axes.plot(time[~below], value[~below], ".", color="#1b1f24", markersize=4)
        axes.plot(time[below], value[below], "v", color="#8a8f98", markersize=4)
        given = data[(data["ID"] == subject) & (data["EVID"] == "1")].iloc[0]
        axes.set_title(f"{given['AMT [mg]']} mg, {given['WT [kg]']} kg", fontsize=9)
        axes.set(xlabel="time, h", yscale="log", ylim=(0.1, 20), xlim=(0, np.max(time) + 1))
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("concentration, mg/L")
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
