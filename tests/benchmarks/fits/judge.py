"""Who arrived, and when: the outcomes of all contenders on one problem, held against the best objective that anyone found."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.benchmarks.fits.problem import NEAR, FitProblem

MINE = "hybridode"
Judged = dict[str, Any]
TIGHT = 1e-10


def referee(problem: FitProblem, p: np.ndarray) -> float | None:
    """The objective at p by LSODA at tight tolerances; None where that fails."""
    from tests.benchmarks.fits.by_scipy import solver

    outputs = solver(problem, TIGHT, TIGHT)(p)
    return None if outputs is None else float(problem.objective(outputs, p))


def judged(problem: FitProblem, outcomes: dict[str, dict[str, Any]], starts: int) -> dict[str, Any]:
    """{"target", "contenders": {name: {"done", "arrived", "share", "seconds", "setup", "total", "first", "best", "checked",
    "note"}}}; {"note"} of those without an outcome."""
    best = {name: min(o["ended"], key=lambda e: e["objective"]) for name, o in outcomes.items() if o.get("ended")}
    answers = {name: outcomes[name].get("answer") or e for name, e in best.items()}
    checked = {name: referee(problem, np.array(e["p"])) for name, e in answers.items()}
    known = [v for v in checked.values() if v is not None and math.isfinite(v)]
    target = (problem.at_truth if problem.network else min(known, default=math.inf)) + NEAR
    rows: dict[str, Judged] = {}
    for name, o in outcomes.items():
        if name not in best:
            rows[name] = {"note": o.get("note") or "no start ended"}
            continue
        done = len(o["ended"])
        arrivals = [_when(e, target) for e in o["ended"] if e["objective"] <= target]
        rows[name] = {
            "done": done, "arrived": len(arrivals), "share": len(arrivals) / done, "first": min(arrivals, default=None),
            "setup": o["setup"], "total": o["total"], "seconds": o["setup"] + (o["total"] - o["setup"]) * max(starts / done, 1.0),
            "processor": o["processor"], "best": answers[name]["objective"], "checked": checked[name], "note": o["note"],
        }  # fmt: skip
    return {"target": target, "contenders": rows}


def _when(ended: dict[str, Any], target: float) -> float:
    """When a start first was at the target."""
    return next((s for s, value in ended["trace"] if value <= target), ended["seconds"])


def ratio(problem: dict[str, Any], other: str) -> float | None:
    """Another contender's seconds for all starts over ours."""
    mine, its = (problem["contenders"][name].get("seconds") for name in (MINE, other))
    return its / mine if mine and its else None


def share_ratio(problem: dict[str, Any], other: str) -> float | None:
    """Our share of arrivals over another's; None where it has none."""
    mine, its = (problem["contenders"][name].get("share") for name in (MINE, other))
    return mine / its if mine is not None and its else None
