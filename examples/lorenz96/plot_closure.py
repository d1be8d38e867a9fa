"""Compares closures by forecasts from starts that no fit has seen: python plot_closure.py RUN closure.svg

Prints the errors of the forecasts with no closure, with the best constant, line and quartic that the fast variables themselves
give (which nobody can measure), and with the learnt one; draws the learnt closure and the errors over time.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

import hybridode as ho

MADE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("make_data.py")))
SEED, STARTS, AHEAD = 77, 36, 21  # of the test: another run of the atmosphere; records ahead, every 0.05
SHOWN = (0.2, 0.5, 1.0)
COLORS = {"none": "#8a8f98", "constant": "#b59a27", "line": "#5f8f2f", "quartic": "#c4570f", "learnt": "#2763b5"}

Closure = Callable[[np.ndarray], np.ndarray]


def learnt(run: Path) -> Closure:
    """U(x) of a fitted run, as a table: its model with x' = 1 passes every x."""
    lines = (run / "fitted.ode").read_text(encoding="utf-8").splitlines()
    (network,) = (line for line in lines if line.startswith("nn U"))
    text = f"model closure\ntime t\nstate x = -20\n{network}\nx' = 1\nu = U(x)\n"
    sol = ho.parse(text, str(run / "closure.ode")).simulate(at=np.linspace(0, 45, 4501))
    x, u = np.asarray(sol["x"]), np.asarray(sol["u"])
    return lambda at: np.interp(at, x, u)


def forecast(starts: np.ndarray, closure: Closure) -> np.ndarray:
    """(starts, 8, AHEAD) from (starts, 8), by SciPy."""

    def rates(_: float, u: np.ndarray) -> np.ndarray:
        x = u.reshape(starts.shape)
        advected = -np.roll(x, 1, 1) * (np.roll(x, 2, 1) - np.roll(x, -1, 1))
        return (advected - x + MADE["FORCING"] - closure(x)).ravel()

    at = MADE["STEP"] * np.arange(AHEAD)
    return solve_ivp(rates, (0, at[-1]), starts.ravel(), "DOP853", at, rtol=1e-6, atol=1e-6).y.reshape(*starts.shape, AHEAD)


def judged(closure: Closure) -> tuple[dict[str, np.ndarray], dict[str, Closure], np.ndarray, np.ndarray]:
    """Root mean square errors (AHEAD,) of all closures by name; the closures; x and the truth of U in the test (n,)."""
    slow, fast = np.split(MADE["truth"](SEED, 0.5 * STARTS + 1), [MADE["SLOW"]])
    taken = MADE["COUPLING"] * fast.reshape(MADE["SLOW"], MADE["FAST"], -1).sum(axis=1)
    closures: dict[str, Closure] = {"none": np.zeros_like}
    for name, degree in (("constant", 0), ("line", 1), ("quartic", 4)):
        closures[name] = np.polynomial.Polynomial.fit(slow.ravel(), taken.ravel(), degree)
    closures["learnt"] = closure
    first = 10 * np.arange(STARTS)
    seen = np.stack([slow[:, i : i + AHEAD] for i in first])
    errors = {name: forecast(seen[:, :, 0], u) - seen for name, u in closures.items()}
    return {name: np.sqrt(np.mean(e**2, axis=(0, 1))) for name, e in errors.items()}, closures, slow.ravel(), taken.ravel()


def table(errors: dict[str, np.ndarray]) -> str:
    lines = [f"| closure | {' | '.join(f'error at {t:g}' for t in SHOWN)} |", "|---" * (1 + len(SHOWN)) + "|"]
    at = [round(t / MADE["STEP"]) for t in SHOWN]
    lines += [f"| {name} | {' | '.join(f'{e[i]:.2f}' for i in at)} |" for name, e in errors.items()]
    return "\n".join(lines)


def draw(errors: dict[str, np.ndarray], closures: dict[str, Closure], x: np.ndarray, taken: np.ndarray) -> Figure:
    """Left what the fast variables take, learnt and true; right the errors of the forecasts."""
    figure = Figure(figsize=(8.2, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(x[::9], taken[::9], ".", color="#8a8f98", markersize=2, alpha=0.7, label="in the two-scale model")
    grid = np.linspace(x.min(), x.max(), 200)
    for name, words in (("line", "line through it"), ("learnt", "learnt from the slow variables")):
        left.plot(grid, closures[name](grid), color=COLORS[name], linewidth=1.4, label=words)
    left.set(xlabel="slow variable x", ylabel="what the fast ones take")
    left.legend(frameon=False, fontsize=8)
    for name, e in errors.items():
        right.plot(MADE["STEP"] * np.arange(AHEAD), e, color=COLORS[name], linewidth=1.4, label=name)
    right.set(xlabel="time ahead", ylabel="error of the forecast (rms)", ylim=(0, 6), xlim=(0, 1))
    right.legend(frameon=False, fontsize=8, title="closure", title_fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    found = judged(learnt(Path(sys.argv[1])))
    print(table(found[0]))
    draw(*found).savefig(sys.argv[2], metadata={"Date": None} if sys.argv[2].endswith(".svg") else None)
