"""Draws two subjects' concentrations with the fit: python plot_doses.py RUN doses.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

HERE = Path(__file__).parent
TITLES = {"2": "an infusion, tablets from 48 h", "5": "a tablet of many: steady state"}


def draw(run: Path) -> Figure:
    """A panel per subject: data, fit with the band of 95 % of new observations, doses as marks below."""
    curves = pd.read_csv(run / "predictions.csv", dtype={"series": str})
    data = pd.read_csv(HERE / "data.csv", na_values=".", dtype={"ID": str})
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    for axes, (subject, title) in zip(figure.subplots(1, 2, width_ratios=[2, 1]), TITLES.items(), strict=True):
        curve = curves[(curves["series"] == subject) & (curves["kind"] == "curve")]
        axes.fill_between(curve["time"], curve["lower95"], curve["upper95"], color="#2763b5", alpha=0.15, linewidth=0)
        axes.plot(curve["time"], curve["location"], color="#2763b5", linewidth=1.2)
        mine = data[data["ID"] == subject]
        axes.plot(mine["TIME"], mine["DV"], ".", color="#1b1f24", markersize=4)
        for _, dose in mine[mine["EVID"] == 1].iterrows():
            more = 0 if pd.isna(dose["ADDL"]) else int(dose["ADDL"])
            times = [dose["TIME"] + k * (0 if pd.isna(dose["II"]) else dose["II"]) for k in range(more + 1)]
            axes.plot(times, [0.06] * len(times), "^", color="#c2542d", markersize=5, clip_on=False)
        axes.set(xlabel="time, h", yscale="log", ylim=(0.06, 12))
        axes.set_title(title, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("concentration, mg/L")
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
