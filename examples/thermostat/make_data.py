"""Writes data.csv: a house whose loss grows a little faster than the difference of temperatures, solved by SciPy from switch to
switch, with noise of 0.05 K."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

LOW, HIGH, HEAT, OUTSIDE = 18.0, 21.5, 9.0, 5.0
TIMES = np.arange(0, 12.01, 0.15)


def loss(difference: float) -> float:
    """Kelvin per hour."""
    return 0.15 * difference + 0.01 * difference**2


def truth() -> np.ndarray:
    """The temperatures at TIMES, without noise."""
    out, t, y, on = np.full(len(TIMES), 15.0), 0.0, 15.0, 1.0
    while t < TIMES[-1]:

        def rate(_: float, u: np.ndarray, on: float = on) -> list[float]:
            return [HEAT * on - loss(u[0] - OUTSIDE)]

        def switch(_: float, u: np.ndarray, on: float = on) -> float:
            return u[0] - (HIGH if on else LOW)

        switch.terminal = True  # type: ignore[attr-defined]
        found = solve_ivp(rate, (t, TIMES[-1]), [y], "DOP853", rtol=1e-11, atol=1e-12, events=switch, dense_output=True)
        inside = (TIMES > t) & (TIMES <= found.t[-1])
        out[inside] = found.sol(TIMES[inside])[0]
        t, y, on = found.t[-1], found.y[0, -1], 1 - on
        y += 1e-12 * (1 if on else -1)
    return out


def text() -> str:
    """The file."""
    noisy = truth() + 0.05 * np.random.default_rng(1).normal(size=len(TIMES))
    rows = [f"{t:.2f},{T:.3f}" for t, T in zip(TIMES, noisy, strict=True)]
    return "\n".join(["t,room", *rows]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
