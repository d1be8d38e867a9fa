"""A run directory with every kind of finding, made without a fit: for tests of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hybridode.report.findings import FOLDER, write_finding
from hybridode.report.rebuild import rebuild_report
from hybridode.report.run_directory import write_run
from tests.report.fake import VALUES, fitted_run

HELD = ["fold", "series", "row", "time", "column", "observed", "location", "lower95", "upper95", "censored"]
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
    for name, text in tables().items():
        (directory / FOLDER / name).write_text(text)
    rebuild_report(directory)
    return directory


def tables() -> dict[str, str]:
    """What stands beside the findings, by file."""
    rng = np.random.default_rng(1)
    years = np.arange(1900.0, 1921.0)
    of = {"hare": 30 + 20 * np.sin(years), "lynx": 20 + 15 * np.cos(years)}
    boot = [[k, k != 3, 130.0, *(VALUES[n] * (1 + 0.1 * rng.normal()) for n in NAMES)] for k in range(1, 121)]
    held = [["from 1910", "", k, y, c, v, v + 1, v - 9, v + 11, 0] for c, vs in of.items()
            for k, (y, v) in enumerate(zip(years[10:].tolist(), vs[10:].tolist(), strict=True))]  # fmt: skip
    runs = [(m, c, y, v * f) for m, f in (("constant", 0.0), ("physics", 0.8), ("hybrid", 1.0), ("network", 1.1))
            for c, vs in of.items() for y, v in zip(years.tolist(), vs.tolist(), strict=True)]  # fmt: skip
    bands = [
        ["", y, c, v, v - 3, v + 3, v - 9, v + 9]
        for c, vs in of.items()
        for y, v in zip(years.tolist(), vs.tolist(), strict=True)
    ]
    return {
        "bootstrap.csv": _csv(["sample", "converged", "objective", *NAMES], boot),
        "hold_outs.csv": _csv(HELD, held),
        "baselines.csv": _csv(["model", "series", "time", "column", "kind", "location", "lower95", "upper95"],
                              [[m, "", y, c, "curve", v, v - 9, v + 9] for m, c, y, v in runs]),
        "comparison.csv": _csv(["run", "series", "time", "column", "location"],
                               [[f"runs/{m}", "", y, c, v] for m, c, y, v in runs if m in ("physics", "hybrid")]),
        "posterior.bands.csv": _csv(["series", "time", "column", "location", "lower95", "upper95", "new_lower95", "new_upper95"],
                                    bands),
    }  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


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
            "parameters": {"columns": ["name", "mean", "sd", "lower95", "median", "upper95", "rhat", "ess_bulk", "ess_tail"],
                           "rows": [[n, VALUES[n], 0.1, VALUES[n] - 0.2, VALUES[n], VALUES[n] + 0.2, 1.0005, 900.0, 700.0]
                                    for n in NAMES]},
            "checks": {"columns": ["column", "statistic", "observed", "simulated", "lower95", "upper95", "p"],
                       "rows": [["hare", "mean", 1.0, 0.0, -2.0, 2.0, 0.2], ["lynx", "largest", 9.0, 0.0, -2.0, 2.0, 0.0]]},
            "check_histograms": [{"column": c, "statistic": s, "edges": edges, "counts": np.round(100 * density)}
                                 for c, s in (("hare", "mean"), ("lynx", "largest"))],
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
        **_compared(),
    }  # fmt: skip


def _compared() -> dict[str, dict[str, Any]]:
    """Findings of refits and of other models."""
    return {
        "baselines": {
            "sentences": ["the network earns its place: it predicts held-out records better than the physics alone"],
            "models": {"columns": ["model", "aic", "bic", "crps"],
                       "rows": [["constant", 400.0, 402.0, 9.0], ["physics", 290.2, 295.0, 4.0], ["hybrid", 261.9, 270.0, 2.0],
                                ["network", None, None, None]]},
            "residuals": {"columns": ["column", "scale", "constant", "physics", "hybrid", "smooth_curve"],
                          "rows": [["hare", "logarithm", 0.9, 0.4, 0.2, 0.19], ["lynx", "value", 0.8, None, 0.3, 0.25]]},
        },
        "hold_outs": {
            "sentences": ["held out by time: rmse 4.2"], "overall": {"crps": 4.0}, "fitted": {"crps": 3.0},
            "folds": {"columns": ["fold", "crps", "rmse"], "rows": [["from 1910", 4.2, 6.0], ["from 1915", 3.9, 5.0]]},
        },
        "comparison": {
            "sentences": ["runs/hybrid is the better description by BIC"], "run": "runs/hybrid", "same_data": True,
            "runs": {"columns": ["run", "bic", "dbic", "daic", "hold_out_crps"],
                     "rows": [["runs/hybrid", 270.0, 0.0, 0.0, 2.0], ["runs/physics", 295.0, 25.0, 28.3, 4.0]]},
            "likelihood_ratios": {"columns": ["small", "large", "p"], "rows": [["runs/physics", "runs/hybrid", 0.001]]},
        },
        "bootstrap": {
            "sentences": ["120 refits"],
            "parameters": {"columns": ["name", "value", "se", "bias", "lower95", "upper95", "lower95_plain", "upper95_plain"],
                           "rows": [[n, VALUES[n], 0.1, 0.01, 0.8 * VALUES[n], 1.2 * VALUES[n], 0.82 * VALUES[n],
                                     1.22 * VALUES[n]] for n in NAMES]},
        },
        "discovery": {
            "sentences": ["`NN_lynx` is `log(hare)`"], "model": None,
            "candidates": {"columns": ["rank", "formula", "dl"],
                           "rows": [[k, f"NN_lynx = 0.12345*hare^{k}", 10.0 + k] for k in range(1, 12)]},
            "comparison": {"columns": ["model", "dl"], "rows": [["formula", 11.0], ["network", 20.0], ["physics alone", 900.0]]},
            "terms": {"columns": ["of", "term", "regression", "whole"],
                      "rows": [["NN_lynx", "k*hare", 0.98, 1.0], ["NN_lynx", "k*hare^2", 0.1, 0.02]]},
            "numbers": {"columns": ["name", "value", "lower95", "upper95"], "rows": [["k", 1.0, 0.9, 1.1]]},
        },
    }  # fmt: skip
