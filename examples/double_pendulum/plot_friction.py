"""Draws the learnt friction beside the truth, and where the energy goes: python plot_friction.py RUN friction.svg"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import hybridode as ho

HERE = Path(__file__).parent
TIMES = np.linspace(0, 6, 601)


def learnt(run: Path, series: str) -> dict[str, np.ndarray]:
    """Of a release, at TIMES: `speed` of both joints and `friction` there (1202,), the `energy` and what was `lost` (601,)."""
    sol = ho.load(run / "fitted.ode").simulate(at=TIMES, data=HERE / "data.csv", series=series, rtol=1e-9, atol=1e-9)
    of = lambda *names: np.concatenate([np.asarray(sol[name]) for name in names])  # noqa: E731
    return {"speed": of("a'", "b' - a'"), "friction": of("first", "second"), "energy": of("energy"), "lost": of("lost")}


def draw(run: Path) -> Figure:
    """Left the friction over all speeds that occur; right the energy of the second release, as it is and what friction took."""
    truth = runpy.run_path(str(HERE / "make_data.py"))["friction"]
    figure = Figure(figsize=(8.2, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    found = [learnt(run, series) for series in ("1", "2")]
    speed, friction = (np.concatenate([f[name] for f in found]) for name in ("speed", "friction"))
    order = np.argsort(speed)
    left.plot(speed[order], friction[order], color="#2763b5", label="learnt")
    left.plot(speed[order], truth(speed[order]), "--", color="#1b1f24", linewidth=1, label="truth")
    left.set(xlabel="speed of a joint, rad/s", ylabel="friction, N m")
    energy, lost = found[1]["energy"], found[1]["lost"]
    right.plot(TIMES, energy - energy[0], color="#2763b5", label="energy, from the angles and speeds")
    right.plot(TIMES, -lost, "--", color="#c4570f", label="− integral of the friction's power")
    right.set(xlabel="time, s", ylabel="J")
    for axes in (left, right):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1])).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
