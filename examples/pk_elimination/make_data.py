"""Writes data.csv: tablets of 50 to 800 mg, cleared by Michaelis and Menten's law (an enzyme that is saturated at high
concentrations), solved by SciPy, with noise of 8 % and 0.02 mg/L."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

KA, V, VMAX, KM, PROP = 0.9, 25.0, 30.0, 4.0, 0.08
TABLETS = (50, 100, 200, 400, 800)
TIMES = np.array([0.5, 1.0, 2.0, 3.0, 4.5, 6.0, 9.0, 12.0, 16.0, 20.0, 24.0, 30.0, 36.0])


def truth(amount: float) -> np.ndarray:
    """mg/L at TIMES after a tablet of so many mg."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        c = u[1] / V
        return [-KA * u[0], KA * u[0] - VMAX * c / (KM + c)]

    return solve_ivp(rates, (0, TIMES[-1]), [amount, 0.0], "DOP853", TIMES, rtol=1e-10, atol=1e-10).y[1] / V


def text(seed: int = 4) -> str:
    """The file."""
    rng, lines = np.random.default_rng(seed), ["ID,t,conc,AMT"]
    for subject, amount in enumerate(TABLETS, 1):
        lines.append(f"{subject},0,.,{amount}")
        exact = truth(amount)
        noisy = exact + np.hypot(0.02, PROP * exact) * rng.normal(size=len(TIMES))
        lines += [f"{subject},{t:g},{value:.4g},." for t, value in zip(TIMES, noisy, strict=True)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
