"""Draws what the network has learnt beside the truth: python plot_interactions.py RUN interactions.svg"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import hybridode as ho


def draw(run: Path) -> Figure:
    """The learnt interactions of a fitted run along its trajectory, with -0.9*x*y and 0.8*x*y."""
    sol = ho.load(run / "fitted.ode").simulate(to=3, points=301)
    figure = Figure(figsize=(5.2, 3.1), layout="constrained")
    axes = figure.add_subplot()
    for name, truth, color in (("interaction_x", "-0.9*x*y", "#2763b5"), ("interaction_y", "0.8*x*y", "#c4570f")):
        axes.plot(sol.t, sol[name], color=color, label=f"{name}, learnt")
        axes.plot(sol.t, sol[truth], "--", color="#1b1f24", linewidth=1, label=f"{truth}, the truth")
    axes.set_xlabel("t")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
