"""Draws the record with the fit, and the learnt leak beside the truth: python plot_leak.py RUN leak.svg"""

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
    """Left the output over time, measured and fitted; right the leak over the diode's voltage."""
    sol = ho.load(run / "fitted.ode").simulate(to=60, points=1501)
    data, leak = pd.read_csv(HERE / "data.csv"), runpy.run_path(str(HERE / "make_data.py"))["leak"]
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    left.plot(sol.t, sol["vs"], color="#b0b5bb", linewidth=0.8, label="source")
    left.plot(sol.t, sol["vc"], color="#2763b5", linewidth=1.2, label="fit")
    left.plot(data["t"], data["v_out"], ".", color="#1b1f24", markersize=3, label="data")
    left.set(xlabel="time, ms", ylabel="voltage, V")
    left.legend(frameon=False, fontsize=8, ncols=3, loc="lower center")
    voltage = np.asarray(sol["vd"])
    order = np.argsort(voltage)
    right.plot(voltage[order], np.asarray(sol["leak(vd)"])[order], color="#2763b5", label="learnt")
    right.plot(voltage[order], leak(voltage[order]), "--", color="#1b1f24", linewidth=1, label="truth")
    right.set(xlabel="across the diode, V", ylabel="leak, mA")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
