"""Compares runs that held out the last years: python compare.py compared.svg RUN [RUN …]

Prints a table from the runs' result.json and draws what each forecasts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

TITLES = {
    "lynx_hare": "known physics",
    "lynx_hare_hybrid": "learnt interactions",
    "lynx_hare_neural": "nothing known (pure neural ODE)",
}
COLORS = ("#2763b5", "#c4570f", "#5f8f2f")


def table(runs: Sequence[Path]) -> str:
    """A row per run: its fit to the years before, and how it forecasts those that were kept from it."""
    fitted, forecast = "negative log-likelihood of 1900 to 1915", "error of the forecast 1916 to 1920 (rmse)"
    heads = ("model", fitted, forecast, "of hare", "of lynx", "log score")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for run in runs:
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
        held = result["hold_out"]
        each = [f"{held['by_column'][column]['rmse']:.2f}" for column in ("hare", "lynx")]
        numbers = [f"{result['objective']['nll']:.2f}", f"{held['rmse']:.2f}", *each, f"{held['log_score']:.2f}"]
        lines.append(f"| {TITLES[result['model']]} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def draw(runs: Sequence[Path]) -> Figure:
    """Both species, the records, and each run's curve; the years that were kept from the fits are shaded."""
    data = pd.read_csv(Path(__file__).with_name("pelts.csv"), comment="#")
    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    for axes, column in zip(figure.subplots(2, 1, sharex=True), ("hare", "lynx"), strict=True):
        for run, color in zip(runs, COLORS, strict=False):
            curve = pd.read_csv(run / "predictions.csv").query(f"kind == 'curve' and column == '{column}'")
            title = TITLES[json.loads((run / "result.json").read_text(encoding="utf-8"))["model"]]
            axes.plot(curve["time"], curve["location"], color=color, linewidth=1.3, label=title)
        axes.plot(data["year"], data[column], "o", color="#1b1f24", markersize=3.5, label="records")
        axes.axvspan(1915.5, 1920.3, color="#1b1f24", alpha=0.06, linewidth=0)
        axes.set(ylabel=f"{column}, thousands", ylim=(0, 110 if column == "hare" else 80), xlim=(1899.7, 1920.3))
        axes.spines[["top", "right"]].set_visible(False)
        if column == "hare":
            axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    axes.set(xlabel="year", xticks=range(1900, 1921, 5))
    return figure


if __name__ == "__main__":
    paths = [Path(name) for name in sys.argv[2:]]
    print(table(paths))
    draw(paths).savefig(sys.argv[1], metadata={"Date": None} if sys.argv[1].endswith(".svg") else None)
