"""Writes data.csv: an atmosphere of two scales (Lorenz 1996), of which only the eight slow variables are recorded.

    x_k' = -x_{k-1} (x_{k-2} - x_{k+1}) - x_k + F - (h c/b) sum_j y_{j,k}
    y_j' = -c b y_{j+1} (y_{j+2} - y_{j-1}) - c y_j + (h c/b) x_k

with 8 slow variables and 32 fast ones for each, F = 20, h = 1, b = c = 10 (D. S. Wilks, Q. J. R. Meteorol. Soc. 131 (2005) 389).
20 windows of half a time unit (about 2.5 days) from a long run, records every 0.05, noise of 0.1 where the slow variables
scatter by 5.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

SLOW, FAST, FORCING, COUPLING = 8, 32, 20.0, 1.0  # COUPLING is h c/b
B = C = 10.0
NOISE, STEP, RECORDS, WINDOWS = 0.1, 0.05, 11, 20
APART = 1.0  # time units between the starts of windows


def rates(_: float, u: np.ndarray) -> np.ndarray:
    """Of the slow variables (8,), then the fast ones (256,)."""
    x, y = u[:SLOW], u[SLOW:]
    slow = -np.roll(x, 1) * (np.roll(x, 2) - np.roll(x, -1)) - x + FORCING - COUPLING * y.reshape(SLOW, FAST).sum(axis=1)
    fast = -C * B * np.roll(y, -1) * (np.roll(y, -2) - np.roll(y, 1)) - C * y + COUPLING * np.repeat(x, FAST)
    return np.concatenate([slow, fast])


def truth(seed: int, to: float) -> np.ndarray:
    """(264, times) every STEP, on the attractor: 5 time units after a random start."""
    random = np.random.default_rng(seed)
    start = np.concatenate([6 * random.normal(size=SLOW), 0.1 * random.normal(size=SLOW * FAST)])
    start = solve_ivp(rates, (0, 5), start, "DOP853", rtol=1e-6, atol=1e-6).y[:, -1]
    return solve_ivp(rates, (0, to), start, "DOP853", STEP * np.arange(round(to / STEP) + 1), rtol=1e-8, atol=1e-8).y


def text(seed: int = 0) -> str:
    """The file: a series per window."""
    apart = round(APART / STEP)
    slow = truth(seed, WINDOWS * APART)[:SLOW]
    slow = slow + NOISE * np.random.default_rng([seed, 1]).normal(size=slow.shape)
    lines = ["experiment,t," + ",".join(f"x[{k}]" for k in range(1, SLOW + 1))]
    for window in range(WINDOWS):
        for i in range(RECORDS):
            values = ",".join(f"{v:.2f}" for v in slow[:, window * apart + i])
            lines.append(f"{window + 1},{i * STEP:g},{values}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(), encoding="utf-8")
