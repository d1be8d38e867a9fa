"""Writes data.csv: a gene that activates itself by Hill's law (v = 1.1 nM/h, K = 2 nM, n = 3), begun at six concentrations.

The protein decays at 0.25 per hour; below 1.7 nM at the beginning the gene goes out, above it goes to 3.9 nM. Solved by SciPy,
every hour and a half for a day, noise of 2 %. Run: python examples/hill_gene/make_data.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

TRUTH = {"v": 1.1, "K": 2.0, "n": 3.0}
DECAY, NOISE = 0.25, 0.02
BEGINS = (0.8, 1.4, 1.6, 1.9, 2.8, 5.0)
TIMES = np.arange(1, 17) * 1.5
HEAD = "# Written by make_data.py: a gene that activates itself by Hill's law, noise of 2 %.\n"


def truth(begin: float) -> np.ndarray:
    """nM at TIMES without noise."""
    v, k, n = TRUTH.values()
    rates = lambda _, x: v * x**n / (k**n + x**n) - DECAY * x  # noqa: E731
    return solve_ivp(rates, (0, TIMES[-1]), [begin], "DOP853", TIMES, rtol=1e-10, atol=1e-12).y[0]


def text(seed: int = 1) -> str:
    """The file's text."""
    rng, lines = np.random.default_rng(seed), ["experiment,begin,t,x"]
    for number, begin in enumerate(BEGINS, 1):
        noisy = truth(begin) * np.exp(NOISE * rng.normal(size=len(TIMES)))
        lines += [f"{number},{begin:g},{t:g},{value:.4g}" for t, value in zip(TIMES, noisy, strict=True)]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(*map(int, sys.argv[1:])), encoding="utf-8")
