"""Draws the learnt conductivity beside the truth: python plot_conductivity.py RUN conductivity.svg"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import hybridode as ho


def draw(run: Path) -> Figure:
    """The conductivity that a fitted run has learnt, over the temperatures of the heated end, with 0.5 + T^2/2."""
    sol = ho.load(run / "fitted.ode").simulate(to=1, points=301)
    figure = Figure(figsize=(5.2, 3.1), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sol["T[1]"], sol["K(T[1])"], color="#2763b5", label="learnt")
    axes.plot(sol["T[1]"], sol["0.5 + T[1]^2/2"], "--", color="#1b1f24", linewidth=1, label="0.5 + T²/2, the truth")
    axes.set_xlabel("temperature T")
    axes.set_ylabel("conductivity")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
