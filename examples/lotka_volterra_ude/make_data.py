"""Writes data.csv: scenario 1 of the universal differential equations paper (Rackauckas et al., arXiv:2001.04385).

Lotka and Volterra's equations with p = (1.3, 0.9, 0.8, 1.8) from (0.44249296, 4.6280594), every 0.1 up to 3; normal noise of
0.5 % of each column's mean. Run: python examples/lotka_volterra_ude/make_data.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

START = (0.44249296, 4.6280594)
TIMES = np.arange(31) * 0.1
HEAD = "# Written by make_data.py (seed 1): scenario 1 of arXiv:2001.04385, noise 0.5 % of the mean.\nt,x,y\n"


def truth() -> np.ndarray:
    """(2, 31): prey and predator without noise."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        x, y = u
        return [1.3 * x - 0.9 * x * y, 0.8 * x * y - 1.8 * y]

    return solve_ivp(rates, (0, 3), START, t_eval=TIMES, method="DOP853", rtol=1e-12, atol=1e-12).y


def text(seed: int = 1) -> str:
    """The file's text."""
    exact = truth()
    noise = np.random.default_rng(seed).normal(size=exact.shape) * 0.005 * exact.mean(axis=1, keepdims=True)
    rows = (f"{t:.1f},{x:.6f},{y:.6f}\n" for t, x, y in zip(TIMES, *(exact + noise), strict=True))
    return HEAD + "".join(rows)


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(), encoding="utf-8")
