"""Draws the height after 15 s over the restitution, with the places where a fit can end: python plot_heights.py heights.svg"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import hybridode as ho

MODEL = ho.load(Path(__file__).parent / "bouncing_ball.ode")


def height(e: float) -> float:
    """After 15 s."""
    return float(MODEL.simulate(at=[15.0], set={"e": e}, rtol=1e-9, atol=1e-9)["h"][0])


def draw() -> Figure:
    """The curve, the answer and the local optimum."""
    es = np.linspace(0.7, 0.9999, 900)
    figure = Figure(figsize=(6.2, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(es, [height(e) for e in es], color="#2763b5", linewidth=1.2)
    axes.axhline(20, color="#b0b5bb", linewidth=0.8)
    for e, words in ((0.9880083920248757, "20 m"), (0.866554, "19.37 m: a local optimum")):
        axes.plot(e, height(e), "o", color="#c1121f", markersize=4)
        axes.annotate(words, (e, height(e)), textcoords="offset points", xytext=(-6, 8), ha="right", fontsize=8)
    axes.set(xlabel="restitution e", ylabel="height after 15 s, m")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw().savefig(sys.argv[1], metadata={"Date": None} if sys.argv[1].endswith(".svg") else None)
