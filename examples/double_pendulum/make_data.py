"""Writes data.csv: a double pendulum with friction in its joints, released twice, both angles every 0.05 s, noise of 0.002 rad.

Two rods of 0.5 m with 1 kg at the end of each; the friction in both joints is 0.02*w + 0.1*tanh(w), in N m. Solved by SciPy from
Lagrange's equations in matrix form. Run: python examples/double_pendulum/make_data.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

LENGTH, MASS, GRAVITY, NOISE = 0.5, 1.0, 9.81, 0.002
RELEASES = ((1.2, 1.2), (0.9, -0.9))
TIMES = np.arange(1, 121) * 0.05
HEAD = "# Written by make_data.py: a double pendulum with friction 0.02*w + 0.1*tanh(w), noise of 0.002 rad.\n"


def friction(w: np.ndarray | float) -> np.ndarray | float:
    """N m at w rad/s."""
    return 0.02 * w + 0.1 * np.tanh(w)


def truth(release: tuple[float, float], times: np.ndarray = TIMES) -> np.ndarray:
    """(5, times): both angles, both speeds, and the energy that friction has taken."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        a, b, p, q, _ = u
        first, second = friction(p), friction(q - p)
        across = MASS * LENGTH**2 * np.cos(a - b)
        turn, weight = MASS * LENGTH**2 * np.sin(a - b), MASS * GRAVITY * LENGTH
        torques = [second - first - turn * q**2 - 2 * weight * np.sin(a), -second + turn * p**2 - weight * np.sin(b)]
        speed = np.linalg.solve([[2 * MASS * LENGTH**2, across], [across, MASS * LENGTH**2]], torques)
        return [p, q, *speed, first * p + second * (q - p)]

    return solve_ivp(rates, (0, times[-1]), [*release, 0, 0, 0], "DOP853", times, rtol=1e-10, atol=1e-12).y


def text(seed: int = 1) -> str:
    """The file's text."""
    rng, lines = np.random.default_rng(seed), ["experiment,a0,b0,t,a,b"]
    for number, release in enumerate(RELEASES, 1):
        noisy = truth(release)[:2] + NOISE * rng.normal(size=(2, len(TIMES)))
        start = ",".join(f"{angle:g}" for angle in release)
        lines += [f"{number},{start},{t:.2f},{a:.4f},{b:.4f}" for t, a, b in zip(TIMES, *noisy, strict=True)]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(*map(int, sys.argv[1:])), encoding="utf-8")
