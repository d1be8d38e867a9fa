"""Writes data.csv: ten subjects swallow tablets at 0, 12, 24, … h; concentrations by the closed form, superposed, with noise
of 12 % and 0.05 mg/L. What is below the limit of quantification of 0.3 mg/L is written as such."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TRUTH = {"ka": 1.4, "CL": 4.2, "V": 35.0, "tlag": 0.4, "prop": 0.12, "add": 0.05}
LOQ, INTERVAL = 0.3, 12.0
TIMES = np.array([0.25, 0.6, 1.0, 1.5, 2.5, 4.0, 6.0, 9.0, 12.0, 12.9, 14.0, 18.0, 24.0, 36.0, 37.5, 42.0, 48.0, 60.0, 84.0])


def concentration(t: np.ndarray, amount: float, weight: float, doses: int) -> np.ndarray:
    """mg/L at times t (T,), before a dose of that time."""
    volume = TRUTH["V"] * weight / 70
    k, ka = TRUTH["CL"] * (weight / 70) ** 0.75 / volume, TRUTH["ka"]
    since = np.maximum(t[:, None] - TRUTH["tlag"] - INTERVAL * np.arange(doses), 0.0)
    return amount / volume * ka / (ka - k) * (np.exp(-k * since) - np.exp(-ka * since)).sum(axis=1)


def text() -> str:
    """The file."""
    rng, lines = np.random.default_rng(3), ["ID,t [h],conc [mg/L],AMT [mg],II [h],ADDL,EVID,WT [kg]"]
    for subject in range(1, 11):
        weight, amount, doses = round(rng.uniform(48, 104)), float(rng.choice([100, 200])), int(rng.choice([1, 4]))
        lines.append(f"{subject},0,.,{amount:g},{INTERVAL if doses > 1 else 0:g},{doses - 1},1,{weight}")
        times = TIMES if doses > 1 else TIMES[:13]
        exact = concentration(times, amount, weight, doses)
        noisy = exact + np.hypot(TRUTH["add"], TRUTH["prop"] * exact) * rng.normal(size=len(times))
        for t, value in zip(times, noisy, strict=True):
            cell = f"<{LOQ:g}" if value < LOQ else f"{value:.3g}"
            lines.append(f"{subject},{t:g},{cell},.,.,.,0,{weight}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "data.csv").write_text(text(), encoding="utf-8")
