"""The posterior: Lotka-Volterra with lognormal scatter and the priors of Stan's case study, and its published means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[3] / "examples" / "lynx_hare"
MODEL, DATA = FOLDER / "lynx_hare_bayes.ode", FOLDER / "pelts.csv"
CHAINS, DRAWS = 4, 1000
RTOL, ATOL = 1e-5, 1e-3  # of Stan and NumPyro, as in the case study; hybridode has its own, 1e-6 and 1e-8

# posteriordb, hudson_lynx_hare-lotka_volterra (CC0): means of the reference draws, and their Monte Carlo errors
NAMES = ("alpha", "beta", "gamma", "delta", "hare(0)", "lynx(0)", "sigma_hare", "sigma_lynx")
MEANS = np.array([0.546864499783931, 0.0277472877678081, 0.800095360233122, 0.0240859152534545, 34.0352224770469,
                  5.93589713368062, 0.24805686320252, 0.251016914583618])  # fmt: skip
ERRORS = np.array([0.00062626907415417, 4.11604266143508e-05, 0.000884603225898987, 3.50047668143892e-05, 0.0293082761729642,
                   0.00533872103038814, 0.000439337727695207, 0.000439525598676463])  # fmt: skip


def records() -> np.ndarray:
    """(21, 2) hares and lynxes, thousands, 1900 to 1920."""
    return pd.read_csv(DATA, comment="#")[["hare", "lynx"]].to_numpy(float)


def judged(draws: np.ndarray) -> dict[str, float]:
    """From draws (chains, n, 8) in the order of NAMES: the least effective number (bulk, and tail), the largest R-hat, and how
    many Monte Carlo errors the farthest mean is from the published one."""
    from hybridode.fit.inference.sample import summarised

    table = summarised(NAMES, draws)
    off = np.abs(table["mean"].to_numpy() - MEANS) / np.hypot(table["mcse"].to_numpy(), ERRORS)
    return {"ess": float(table["ess_bulk"].min()), "ess_tail": float(table["ess_tail"].min()), "rhat": float(table["rhat"].max()),
            "off": float(off.max())}  # fmt: skip
