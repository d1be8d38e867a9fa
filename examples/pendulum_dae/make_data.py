"""Writes data.csv: a pendulum of 0.7 m with friction 0.15 1/s, let go at 1.2 rad, solved as one equation for its angle by SciPy,
with noise of 1 cm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

LENGTH, FRICTION, ANGLE = 0.7, 0.15, 1.2
TIMES = np.arange(0, 6.01, 0.08)


def truth(times: np.ndarray = TIMES) -> np.ndarray:
    """(times, [x, y]) without noise."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        return [u[1], -9.81 / LENGTH * np.sin(u[0]) - FRICTION * u[1]]

    angle = solve_ivp(rates, (0, times[-1]), [ANGLE, 0], "DOP853", times, rtol=1e-11, atol=1e-12).y[0]
    return LENGTH * np.stack([np.sin(angle), -np.cos(angle)], 1)


def text() -> str:
    """The file."""
    noisy = truth() + 0.01 * np.random.default_rng(3).normal(size=(len(TIMES), 2))
    return "\n".join(["t,px,py", *(f"{t:.2f},{x:.4f},{y:.4f}" for t, (x, y) in zip(TIMES, noisy, strict=True))]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
