"""A fitted run made by hand: lynx and hare integrated by SciPy at values near the published ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from hybridode.errors import Source
from hybridode.language.check import declare

EXAMPLES = Path(__file__).parents[2] / "examples"
VALUES = {
    "alpha": 0.5469,
    "beta": 0.02775,
    "gamma": 0.8001,
    "delta": 0.02409,
    "hare(0)": 34.04,
    "lynx(0)": 5.936,
    "sigma_hare": 0.2481,
    "sigma_lynx": 0.2510,
}


def model(name: str) -> Any:
    path = EXAMPLES / name
    return declare(Source(str(path), path.read_text(encoding="utf-8")))


def integrate(times: np.ndarray) -> np.ndarray:
    """(2, T): hare and lynx at the values above."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        hare, lynx = u
        a, b, c, d = VALUES["alpha"], VALUES["beta"], VALUES["gamma"], VALUES["delta"]
        return [a * hare - b * hare * lynx, d * hare * lynx - c * lynx]

    start = [VALUES["hare(0)"], VALUES["lynx(0)"]]
    return solve_ivp(rates, (1900, 1921), start, t_eval=times, rtol=1e-9, atol=1e-9).y


def fitted_run(hybrid: bool = False) -> Any:
    """What a fit returns, for the report; with `hybrid` the model has networks and the last five years are held out."""
    declarations = model("lynx_hare/lynx_hare_hybrid.ode" if hybrid else "lynx_hare/lynx_hare.ode")
    data = pd.read_csv(EXAMPLES / "lynx_hare" / "pelts.csv", comment="#")
    grid = np.linspace(1900, 1920, 201)
    names = [p.name for p in declarations.parameters]
    weights = {}
    for i, network in enumerate(declarations.networks):
        rng = np.random.default_rng(i)
        weights[network.name] = {
            "W0": rng.normal(size=(6, 2)), "b0": rng.normal(size=6), "W1": rng.normal(size=(1, 6)), "b1": rng.normal(size=1),
            "shift": np.array([34.0, 20.2]), "scale": np.array([20.9, 16.7]), "out_scale": np.float64(0.3 + i),
        }  # fmt: skip
    return SimpleNamespace(
        declarations=declarations,
        dataset=SimpleNamespace(
            declarations=declarations,
            clock=None,
            notes=("time: column `year`, 1900 to 1920, 21 rows", "hare, lynx: observed, lognormal", "learnt: 8 numbers"),
            series=(SimpleNamespace(name="", start=1900.0),),
            given=frozenset(),
            summary=None,
            files={},
            origin={},
        ),
        constants={},
        finished=None,
        parameters={name: np.float64(VALUES[name]) for name in names},
        shared={name: np.float64(VALUES[name]) for name in names},
        weights=weights,
        predictions=_predictions(grid),
        residuals=_residuals(data, hybrid),
        trace=_trace(),
        parameters_table=_table(declarations),
        result=_result(declarations, hybrid),
        log=["method tsit5: not stiff at the declared values", "start 2, lm, after iteration 3: step rejected, max_steps"],
    )


def _predictions(grid: np.ndarray) -> pd.DataFrame:
    rows = []
    for column, location in zip(("hare", "lynx"), integrate(grid), strict=True):
        s = VALUES[f"sigma_{column}"]
        frame = {"series": "", "time": grid, "column": column, "location": location}
        rows.append(
            pd.DataFrame(
                {**frame, "lower95": location * np.exp(-1.96 * s), "upper95": location * np.exp(1.96 * s), "kind": "curve"}
            )
        )
        rows.append(pd.DataFrame({**frame, "lower95": np.nan, "upper95": np.nan, "kind": "state"}))
    return pd.concat(rows, ignore_index=True)


def _residuals(data: pd.DataFrame, hybrid: bool) -> pd.DataFrame:
    rows = []
    for column, predicted in zip(("hare", "lynx"), integrate(data["year"].to_numpy(float)), strict=True):
        z = np.log(data[column] / predicted) / VALUES[f"sigma_{column}"]
        used = np.where(data["year"] > 1915, "hold_out", "fit") if hybrid else "fit"
        rows.append(
            pd.DataFrame(
                {
                    "series": "",
                    "row": np.arange(5, 26),
                    "time": data["year"].astype(float),
                    "column": column,
                    "observed": data[column],
                    "predicted": predicted,
                    "residual": z,
                    "log_density": -(z**2) / 2,
                    "used": used,
                    "censored": 0,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _trace() -> pd.DataFrame:
    rows = []
    for start in (1, 2, 3):
        for i in range(30):
            stage = "growing horizon" if i < 12 else "levenberg-marquardt"
            objective = 130.0 + 40 * np.exp(-0.4 * i) + (start - 1) * 3 * (i > 25)
            rows.append((start, stage, i + 1, objective, np.exp(-0.3 * i), 0.05 * i))
    return pd.DataFrame(rows, columns=["start", "stage", "iteration", "objective", "gradient_norm", "seconds"])


def _table(declarations: Any) -> pd.DataFrame:
    rows = []
    for p in declarations.parameters:
        value, fixed = VALUES[p.name], p.name == "gamma"
        se = np.nan if fixed else 0.08 * value
        rows.append(
            {
                "name": p.name,
                "value": value,
                "se": se,
                "lower95": value - 1.96 * se,
                "upper95": value + 1.96 * se,
                "lower_bound": p.lower,
                "upper_bound": p.upper,
                "unit": p.unit,
                "at_bound": p.name == "sigma_lynx",
                "fixed": fixed,
                "reason": "fixed" if fixed else "",
            }
        )
    return pd.DataFrame(rows)


def _result(declarations: Any, hybrid: bool) -> dict[str, Any]:
    score = {"n": 5, "rmse": 12.3, "log_score": -3.81}
    return {
        "schema": 1,
        "model": declarations.name,
        "status": "stopped" if hybrid else "converged",
        "status_reason": "the limit of 60 seconds was reached" if hybrid else None,
        "objective": {"nll": 131.4821, "n_data": 42, "aic": 278.96, "bic": 292.86},
        "parameters": {},
        "networks": {n.name: {"layers": [n.inputs, *n.hidden, 1], "n_weights": 25} for n in declarations.networks},
        "hold_out": {"spec": "last:5", **score, "by_column": {"hare": score, "lynx": score}} if hybrid else None,
        "seed": 0,
        "starts": [{"start": i, "objective": 131.5 + i, "status": "converged", "reason": None} for i in (1, 2, 3)],
        "settings": {"used": {"starts": 3}},
        "timing": {"compile": 3.2, "fit": 5.1, "total": 9.4},
        "versions": {"hybridode": "0.1.0", "jax": "0.10.2", "python": "3.11.7"},
    }
