"""Writes data.csv: a shaken mass that hits a stop at 10 mm with restitution 0.8 and is put back to rest after 10 s. Between hits
the solution of a forced linear oscillator is a formula, hits are its roots; noise of 0.5 mm."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import brentq

SHAKE, OMEGA, DAMPING, WALL, RESTITUTION, RESET = 100.0, 2.8, 0.05, 10.0, 0.8, 10.0
TIMES = 0.05 + 0.1 * np.arange(200)
GRID = 2e-3  # seconds between which at most one root is looked for


def free(t: float, x: float, v: float) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Place and speed at later times of a mass that nothing hits, from (x, v) at t: x'' + 2*DAMPING*x' + x =
    SHAKE*cos(OMEGA*t)."""
    size = SHAKE / ((1 - OMEGA**2) ** 2 + (2 * DAMPING * OMEGA) ** 2)
    C, D, w = size * (1 - OMEGA**2), size * 2 * DAMPING * OMEGA, math.sqrt(1 - DAMPING**2)
    A = x - C * math.cos(OMEGA * t) - D * math.sin(OMEGA * t)
    B = (v + DAMPING * A + C * OMEGA * math.sin(OMEGA * t) - D * OMEGA * math.cos(OMEGA * t)) / w

    def at(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        s, forced = times - t, OMEGA * times
        c, n, fade = np.cos(w * s), np.sin(w * s), np.exp(-DAMPING * s)
        place = fade * (A * c + B * n) + C * np.cos(forced) + D * np.sin(forced)
        own = fade * ((B * w - DAMPING * A) * c - (A * w + DAMPING * B) * n)
        return place, own + OMEGA * (D * np.cos(forced) - C * np.sin(forced))

    return at


def part(start: float, end: float, wall: float, r: float) -> tuple[np.ndarray, list[float]]:
    """The places at those TIMES that lie from `start`, where the mass rests at 0, to `end`, and the times of the hits."""
    times = TIMES[(start <= TIMES) & (end > TIMES)]
    out, hits, t, x, v = np.empty(len(times)), [], start, 0.0, 0.0
    while True:
        path = free(t, x, v)
        out[times >= t] = path(times[times >= t])[0]
        grid = np.arange(t + 1e-4, end + GRID, GRID)
        beyond = np.flatnonzero(path(grid)[0] > wall)
        if not len(beyond):
            return out, hits
        first = grid[beyond[0]]
        before = max(first - GRID, t + 1e-9)
        t = float(brentq(lambda s, path=path: float(path(s)[0]) - wall, before, first, xtol=1e-14))  # type: ignore[arg-type]
        if t > end:
            return out, hits
        hits.append(t)
        x, v = wall, -r * float(path(np.array(t))[1])


def truth(wall: float = WALL, r: float = RESTITUTION) -> tuple[np.ndarray, list[float]]:
    """The places at TIMES without noise, and the times of the hits."""
    before, after = part(0.0, RESET, wall, r), part(RESET, TIMES[-1] + 1e-9, wall, r)
    return np.append(before[0], after[0]), before[1] + after[1]


def text() -> str:
    """The file."""
    noisy = truth()[0] + 0.5 * np.random.default_rng(4).normal(size=len(TIMES))
    return "\n".join(["t,place", *(f"{t:.2f},{x:.2f}" for t, x in zip(TIMES, noisy, strict=True))]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
