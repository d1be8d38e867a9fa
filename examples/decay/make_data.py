"""Writes data.csv: 10*exp(-0.4*t) with 3 % relative noise. Run: python examples/decay/make_data.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np

HEAD = "# Written by make_data.py (seed 1): 10*exp(-0.4*t) with 3 % relative noise.\nt,c\n"


def text(seed: int = 1) -> str:
    """The file's text."""
    times = np.arange(0.5, 8.5, 0.5)
    values = 10 * np.exp(-0.4 * times + 0.03 * np.random.default_rng(seed).normal(size=times.size))
    return HEAD + "".join(f"{t:.1f},{c:.4f}\n" for t, c in zip(times, values, strict=True))


if __name__ == "__main__":
    Path(__file__).with_name("data.csv").write_text(text(), encoding="utf-8")
