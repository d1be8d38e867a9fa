"""A run directory with every kind of finding, made without a fit: for tests of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hybridode.report.findings import FOLDER, write_finding
from hybridode.report.rebuild import rebuild_report
from hybridode.report.run_directory import write_run
from tests.report.fake import VALUES, fitted_run

NAMES = ("alpha", "beta", "gamma", "delta")


def whole_run(directory: Path, hybrid: bool = True) -> Path:
    """Writes the run and its findings, and builds the report."""
    directory.mkdir(parents=True, exist_ok=True)
    write_run(fitted_run(hybrid), directory, "hybridode fit lynx_hare.ode pelts.csv")
    for kind, content in findings().items():
        write_finding(directory, kind, {"command": f"hybridode {kind} RUN", "seconds": 1.5, **content})
    rng = np.random.default_rng(0)
    draws = rng.normal([VALUES[n] for n in NAMES], [0.1 * VALUES[n] for n in NAMES], (500, 4))
    rows = [",".join(["1", str(i), *map(repr, row)]) for i, row in enumerate(draws.tolist(), 1)]
    (directory / FOLDER / "posterior.csv").write_text("\n".join([",".join(("chain", "draw", *NAMES)), *rows]) + "\n")
    rebuild_report(directory)
    return directory


def findings() -> dict[str, dict[str, Any]]:
    """The content of each, but for command and seconds."""
    x = np.linspace(-2, 2, 17)
    profile = {"curve": {"value": list(1 + 0.1 * x), "rise": list(x**2 / 2)}, "value": 1.0, "lower95": 0.804, "upper95": 1.196}
    edges = np.linspace(-3, 3, 21)
    middle = (edges[1:] + edges[:-1]) / 2
    density = np.exp(-(middle**2) / 2)
    grid = np.linspace(5, 80, 60)
    plane = [(h, y, 0.02 * h - 0.01 * y) for h in grid[::6] for y in grid[::6]]
    points = [[h, y, v, v - 0.1, v + 0.1, None, 3] for h, y, v in plane]
    curve = [[h, np.log(h), np.log(h) - 0.1, np.log(h) + 0.1, np.log(h) + 0.02, 2] for h in grid]
    return {
        "profiles": {
            "sentences": ["`alpha`: identified", "`beta`: only `beta*delta` is identified", "a record at 1906 would tell most"],
            "rise_of_interval": 1.92,
            "parameters": {
                "alpha": {**profile, "verdict": "identified", "sentence": "identified", "combination": None},
                "beta": {**profile, "verdict": "combination", "sentence": "only `beta*delta` is identified",
                         "upper95": None, "upper95_reason": "no value on this side can be excluded",
                         "combination": {"text": "beta*delta"}},
            },
        },
        "spectrum": {
            "sentences": ["the data determine 3 of 4 directions"], "parameters": list(NAMES), "condition": 1e6,
            "directions": [
                {"eigenvalue": 10.0 ** (4 - 2 * k), "text": f"{NAMES[k]}^1", "determined": k < 3,
                 "components": {n: float(n == NAMES[k]) for n in NAMES}} for k in range(4)],
        },
        "residual_tests": {
            "sentences": ["the residuals of `hare` look independent"],
            "tests": {"columns": ["column", "test", "p"], "rows": [["hare", "runs", 0.4], ["lynx", "runs", 0.03]]},
        },
        "posterior": {
            "sentences": ["the chains have mixed", "`alpha` is 0.5, with 95 % probability between 0.4 and 0.6"],
            "chains": 4, "draws": 500,
            "parameters": {"columns": ["name", "mean", "sd", "rhat"], "rows": [[n, VALUES[n], 0.1, 1.0005] for n in NAMES]},
            "marginals": {n: {"edges": edges, "density": density} for n in NAMES},
            "energy": {"edges": edges, "energy": 100 * density, "steps": 90 * density},
            "sampler": {"divergences": 0, "e_bfmi": [1.0, 0.9]},
        },
        "learnt": {
            "sentences": ["`NN_hare`: sampled at 100 points"],
            "terms": [
                {"of": "NN_hare", "network": "NN_hare", "arguments": ["hare", "lynx"], "rows": points,
                 "columns": ["hare", "lynx", "learnt", "lower95", "upper95", "formula", "count"]},
                {"of": "NN_lynx", "network": "NN_lynx", "arguments": ["hare"], "rows": curve,
                 "columns": ["hare", "learnt", "lower95", "upper95", "formula", "count"]},
            ],
        },
        "baselines": {
            "sentences": ["the network earns its place: it predicts held-out records better than the physics alone"],
            "models": {"columns": ["model", "aic", "log_score"], "rows": [["hybrid", 261.9, -3.1], ["physics", 290.2, None]]},
        },
        "hold_outs": {
            "sentences": ["held out by time: rmse 4.2"], "folds": {"columns": ["fold", "rmse"], "rows": [[1, 4.2], [2, 3.9]]},
        },
        "bootstrap": {
            "sentences": ["200 refits"], "table": {"columns": ["name", "lower95", "upper95"], "rows": [["alpha", 0.4, 0.6]]},
        },
        "discovery": {
            "sentences": ["`NN_lynx` is `log(hare)`"], "model": None,
            "candidates": {"columns": ["rank", "formula", "dl"], "rows": [[k, f"k*hare^{k}", 10.0 + k] for k in range(1, 12)]},
            "numbers": {"columns": ["name", "value", "lower95", "upper95"], "rows": [["k", 1.0, 0.9, 1.1]]},
        },
    }  # fmt: skip
