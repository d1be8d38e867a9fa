"""Writes data.csv, in NONMEM's columns: an infusion over an hour, after two days tablets; a patient who has been on tablets for
long (SS = 1). The linear system is solved by matrix exponentials, with noise of 10 % and 0.02 mg/L."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.linalg import expm

TRUTH = {"ka": 1.1, "CL": 4.0, "Vc": 25.0, "Q": 6.0, "Vp": 70.0, "F": 0.72, "tlag": 0.35, "prop": 0.1}
SOON, LATER = (0.5, 1.0, 1.25, 2.0, 3.0, 5.0, 8.0, 12.0, 24.0, 36.0, 48.0), (48.6, 49.0, 50.0, 52.0, 56.0, 60.0, 66.0, 72.0, 84.0)
GUT, CENTRAL = 0, 1


def flow(t: float) -> np.ndarray:
    """What becomes of gut, central, tissue and a rate into central after t hours: (4, 4)."""
    p = TRUTH
    a = np.zeros((4, 4))
    a[0, 0] = -p["ka"]
    a[1] = p["ka"], -(p["CL"] + p["Q"]) / p["Vc"], p["Q"] / p["Vp"], 1.0
    a[2, 1:3] = p["Q"] / p["Vc"], -p["Q"] / p["Vp"]
    return expm(a * t)


def response(t: np.ndarray, state: int, duration: float) -> np.ndarray:
    """Central amount at times t (T,) after a unit into a state, at once or over a duration."""
    out = np.zeros(len(t))
    for i, since in enumerate(t):
        if since <= 0:
            continue
        unit = np.zeros(4)
        unit[state if not duration else 3] = 1.0 if not duration else 1.0 / duration
        if duration:
            unit = flow(min(since, duration)) @ unit
            unit[3] = 0.0
        out[i] = (flow(max(since - duration, 0.0)) @ unit)[1]
    return out


def infused(t: np.ndarray, amount: float, hours: float) -> np.ndarray:
    """mg/L after an infusion at 0."""
    return amount / TRUTH["Vc"] * response(t, CENTRAL, hours)


def tablets(t: np.ndarray, amount: float, first: float, interval: float, count: int, before: int = 0) -> np.ndarray:
    """mg/L of tablets at `first` and every interval after it, and of so many before it."""
    given = first + interval * np.arange(-before, count) + TRUTH["tlag"]
    return TRUTH["F"] * amount / TRUTH["Vc"] * sum(response(t - at, GUT, 0.0) for at in given)


def text() -> str:
    """The file."""
    rng, lines = np.random.default_rng(2), ["ID,TIME,DV,AMT,RATE,CMT,EVID,II,ADDL,SS"]

    def records(subject: int, t: np.ndarray, exact: np.ndarray) -> None:
        noisy = exact + np.hypot(0.02, TRUTH["prop"] * exact) * rng.normal(size=len(t))
        lines.extend(f"{subject},{time:g},{value:.4g},.,.,.,0,.,.,." for time, value in zip(t, noisy, strict=True))

    for subject, (dose, tablet) in enumerate([(100, 100), (200, 100), (100, 200), (200, 200)], 1):
        t = np.array([*SOON, *LATER])
        lines.append(f"{subject},0,.,{dose},{dose},1,1,.,.,.")
        lines.append(f"{subject},48,.,{tablet},.,2,1,12,2,.")
        records(subject, t, infused(t, dose, 1.0) + tablets(t, tablet, 48.0, 12.0, 3))
    for subject, tablet in ((5, 100), (6, 150)):
        t = np.array([0.3, 0.8, 1.5, 3.0, 5.0, 8.0, 12.0, 24.0, 48.0])
        lines.append(f"{subject},0,.,{tablet},.,2,1,12,.,1")
        records(subject, t, tablets(t, tablet, 0.0, 12.0, 1, before=120))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
