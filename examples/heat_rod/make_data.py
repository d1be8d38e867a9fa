"""Writes data.csv: five thermometers on a rod that is heated at its left end and whose conductivity is 0.5 + T^2/2.

Method of lines on the model's own 20 slices, by SciPy; heat flow 1.5; every 0.05 up to 1; normal noise of 0.01.
Run: python examples/heat_rod/make_data.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

N, HEAT = 20, 1.5
TIMES = np.arange(1, 21) * 0.05
SEEN = (2, 6, 10, 14, 18)
HEAD = "# Written by make_data.py (seed 1): a heated rod of conductivity 0.5 + T^2/2, noise 0.01.\n"


def truth() -> np.ndarray:
    """(slices, times): temperatures without noise."""

    def rates(_: float, u: np.ndarray) -> np.ndarray:
        middle = (u[:-1] + u[1:]) / 2
        flow = (0.5 + middle**2 / 2) * (u[:-1] - u[1:]) * N
        return N * (np.concatenate([[HEAT], flow]) - np.concatenate([flow, [0.0]]))

    return solve_ivp(rates, (0, 1), np.zeros(N), t_eval=TIMES, method="BDF", rtol=1e-9, atol=1e-11).y


def text(seed: int = 1) -> str:
    """The file's text."""
    exact = truth()[[i - 1 for i in SEEN]]
    noisy = exact + np.random.default_rng(seed).normal(size=exact.shape) * 0.01
    names = ",".join(f"T[{i}]" for i in SEEN)
    rows = (f"{t:.2f}," + ",".join(f"{v:.4f}" for v in row) + "\n" for t, row in zip(TIMES, noisy.T, strict=True))
    return f"{HEAD}t,{names}\n" + "".join(rows)


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(), encoding="utf-8")
