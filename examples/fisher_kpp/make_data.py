"""Writes data.csv: Fisher and Kolmogorov's equation on a ring of 26 nodes, 11 snapshots up to t = 5, normal noise of 0.001.

Diffusion 0.01, growth rho*(1 - rho), as in the universal differential equations paper (Rackauckas et al., arXiv:2001.04385).
Method of lines on the model's own nodes, by SciPy. Run: python examples/fisher_kpp/make_data.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

NODES, STEP, DIFFUSION, NOISE = 26, 0.04, 0.01, 0.001
PLACES = np.arange(NODES) * STEP
TIMES = np.linspace(0, 5, 11)
HEAD = "# Written by make_data.py: growth rho*(1 - rho), diffusion 0.01, noise 0.001.\n"


def truth() -> np.ndarray:
    """(nodes, times): densities without noise."""

    def rates(_: float, rho: np.ndarray) -> np.ndarray:
        return DIFFUSION * (np.roll(rho, 1) - 2 * rho + np.roll(rho, -1)) / STEP**2 + rho * (1 - rho)

    start = 0.9 * np.exp(-(((PLACES - 0.5) / 0.15) ** 2))
    return solve_ivp(rates, (0, TIMES[-1]), start, "DOP853", TIMES, rtol=1e-10, atol=1e-12).y


def text(seed: int = 1) -> str:
    """The file's text."""
    exact = truth()
    noisy = exact + np.random.default_rng(seed).normal(size=exact.shape) * NOISE
    names = ",".join(f"rho[{i}]" for i in range(1, NODES + 1))
    rows = (f"{t:.1f}," + ",".join(f"{v:.4f}" for v in row) + "\n" for t, row in zip(TIMES, noisy.T, strict=True))
    return f"{HEAD}t,{names}\n" + "".join(rows)


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(*map(int, sys.argv[1:])), encoding="utf-8")
