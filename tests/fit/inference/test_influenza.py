"""Influenza in a boarding school (1978): R0 and the recovery rate with profile intervals, against SciPy's constrained minima."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

import hybridode as ho

FOLDER = Path(__file__).parents[3] / "examples" / "influenza_sir"


def negative_log_likelihood(z: np.ndarray, days: np.ndarray, counts: np.ndarray) -> float:
    """z: logarithms of R0, gamma, k, I0."""
    r0, gamma, k, i0 = np.exp(z)

    def rates(t: float, y: np.ndarray) -> list[float]:
        infection = r0 * gamma * y[0] * y[1] / 763
        return [-infection, infection - gamma * y[1]]

    found = scipy.integrate.solve_ivp(rates, (0, days[-1]), [763 - i0, i0], t_eval=days, rtol=1e-9, atol=1e-9)
    mean = np.maximum(found.y[1], 1e-12)
    return -float(np.sum(scipy.stats.nbinom.logpmf(counts, k, k / (k + mean))))


@pytest.mark.slow
def test_r0_and_recovery():
    text = (FOLDER / "influenza_sir.ode").read_text()
    line = next(line for line in text.splitlines() if line.startswith("param beta"))
    text = text.replace(line, "param R0 = 3.5 in (1, 20) log").replace("R0 = beta/gamma", "beta = R0*gamma")
    run = ho.fit(ho.parse(text), FOLDER / "boarding_school.csv")
    assert run.status == "converged"
    table = run.profiles().table.set_index("name")
    assert set(table["kind"]) == {"identified"}
    data = pd.read_csv(FOLDER / "boarding_school.csv", comment="#")
    days, counts = data["day"].to_numpy(float), data["in_bed"].to_numpy(float)
    names = ["R0", "gamma", "k", "I0"]
    best = np.log(table.loc[names, "value"].to_numpy(float))
    least = negative_log_likelihood(best, days, counts)
    for name in ("R0", "gamma"):
        i = names.index(name)
        for end in ("lower95", "upper95"):
            held = float(np.log(table.loc[name, end]))
            others = scipy.optimize.minimize(
                lambda x, i=i, held=held: negative_log_likelihood(np.insert(x, i, held), days, counts),
                np.delete(best, i), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-7, "maxiter": 2000},
            )  # fmt: skip
            assert others.fun - least == pytest.approx(1.9207, abs=0.01)
    assert table.loc["R0", "lower95"] < 3.65 < table.loc["R0", "upper95"]  # Keeling and Rohani, 2008, box 2.1: 1.66/day, 2.2 days
    assert table.loc["gamma", "lower95"] < 1 / 2.2 + 0.03 and table.loc["gamma", "upper95"] > 1 / 2.2
    print(table[["value", "lower95", "upper95"]])
