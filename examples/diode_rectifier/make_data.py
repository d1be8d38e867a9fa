"""Writes data.csv: a rectifier whose diode leaks in proportion to its voltage and breaks down beyond -5 V, as one equation for
the capacitor's voltage, the diode's current found by bisection at every time, with noise of 20 mV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

SATURATION, VOLT, SERIES, CAPACITY, LOAD = 2e-6, 0.05, 0.1, 10.0, 3.0  # mA, V, kohm, uF, kohm
TIMES = np.arange(0, 60.01, 0.4)  # ms


def leak(v: float | np.ndarray) -> np.ndarray:
    """mA at v volts across the diode, beside the ideal diode's."""
    return 0.03 * v - 0.3 * np.logaddexp(0, (-v - 5) / 0.4)


def current(u: float) -> float:
    """The current where `u` volts are left for the diode and the source's resistance."""

    def excess(v: float) -> float:
        return SERIES * float(SATURATION * np.expm1(v / VOLT) + leak(v)) + v - u

    v = brentq(excess, min(u, 0) - 1, 1, xtol=1e-15, rtol=1e-14)
    return (u - float(v)) / SERIES


def truth(times: np.ndarray = TIMES) -> np.ndarray:
    """The capacitor's voltage, without noise."""

    def rates(t: float, v: np.ndarray) -> list[float]:
        return [(current(5 * np.sin(2 * np.pi * 0.05 * t) - float(v[0])) - float(v[0]) / LOAD) / CAPACITY]

    return solve_ivp(rates, (0, times[-1]), [0.0], "DOP853", times, rtol=1e-9, atol=1e-10, max_step=0.1).y[0]


def text() -> str:
    """The file."""
    noisy = truth() + 0.02 * np.random.default_rng(2).normal(size=len(TIMES))
    return "\n".join(["t,v_out", *(f"{t:.1f},{v:.4f}" for t, v in zip(TIMES, noisy, strict=True))]) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
