"""Writes data.csv: a cart that is let go at 1 m and pushed with 1.3 m/s² towards a line at 0.15 m, from formulas, with noise of
5 cm."""

from __future__ import annotations

from pathlib import Path

import numpy as np

LINE, PUSH = 0.15, 1.3
TIMES = 0.1 * np.arange(201)


def truth(line: float = LINE, push: float = PUSH, times: np.ndarray = TIMES) -> np.ndarray:
    """The places at `times`, without noise. A swing is four parabolas, each `quarter` long: down from 1 m to the line, on beyond
    it until the cart stands, back to the line, and up to 1 m."""
    quarter = np.sqrt(2 * (1 - line) / push)
    which, s = np.divmod(times % (4 * quarter), quarter)
    fall, rise = 1 - line - push * s**2 / 2, push * quarter * s - push * s**2 / 2
    return line + np.choose(which.astype(int), [fall, -rise, -fall, rise])


def text() -> str:
    """The file."""
    noisy = truth() + 0.05 * np.random.default_rng(5).normal(size=len(TIMES))
    return "\n".join(["t,place", *(f"{t:.1f},{x:.3f}" for t, x in zip(TIMES, noisy, strict=True))]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
