"""Fits from the same fifty starts: hybridode, pyPESTO + AMICI, Diffrax by hand, SciPy; each in a process of its own."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.fits.contenders import CONTENDERS
from tests.benchmarks.fits.judge import MINE, Judged, judged, ratio, share_ratio
from tests.benchmarks.fits.problem import NEAR, STARTS
from tests.benchmarks.fits.problems import PROBLEMS
from tests.benchmarks.measure import QUICK, Effort
from tests.benchmarks.precision import geometric_mean
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text

ROOT = Path(__file__).parents[3]
LIMITS = {MINE: 60.0, "amici": 30.0, "diffrax": 30.0, "scipy": 30.0}  # seconds after which no start begins, without compiling
GRACE = 75.0  # seconds beside that: imports, compiling, the last start
FEW, SHORT = 4, 5.0  # starts and seconds of a quick run

_HEAD = (
    "The same data, bounds, objective (negative log-likelihood, scales of the noise estimated) and {starts} starting points, "
    'evenly random in the logarithms of the bounds; one processor. "All starts" is the time from the equations, as text or as '
    "Python functions, to the end of the last start, compiling included (~: of those that fitted into the limit, scaled to all); "
    'imports are not counted, caches are empty. "First arrival": until the first start is within {near:g} of the best objective '
    'that anyone found (with the network: of that of the truth). "Arrived": how many did; a start that hybridode stopped early '
    'has not; "the fit did": by multiple shooting, after them. The best objective of each is computed again by LSODA at 1e-10.'
)
_WAYS = (
    "- hybridode: `ho.fit(model, data, starts=points)`, no other option.",
    "- pyPESTO + AMICI: the model from SBML, forward sensitivities, Fides with the Fisher matrix, on a log scale.",
    "- Diffrax + Optimistix: Levenberg-Marquardt with forward sensitivities in one jitted function, Tsit5 or Kvaerno5; with the "
    "network Adam, then BFGS. One start after the other: side by side under `vmap` all wait for the slowest.",
    "- SciPy: `least_squares` (trust region reflective) with `odeint` (LSODA) and finite differences.",
)


def measure(effort: Effort) -> Data:
    """{"starts", "problems": {name: {"title", "target", "contenders": {name: outcome with "checked", or {"note"}}}}}."""
    starts = FEW if effort is QUICK else STARTS
    problems: Data = {}
    for name, problem in PROBLEMS.items():
        rows = {}
        for contender, entry in CONTENDERS.items():
            limit = min(SHORT, LIMITS[contender]) if effort is QUICK else LIMITS[contender]
            rows[contender] = {"note": entry.missing} if entry.missing else _alone(contender, name, starts, limit)
        problems[name] = {"title": problem.title, **judged(problem, rows, starts)}
    return {"starts": starts, "problems": problems}


def _alone(contender: str, problem: str, starts: int, limit: float) -> dict[str, Any]:
    """What a contender hands back; a note where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcome.json"
        options = ["--starts", str(starts), "--limit", str(limit), "--json", str(path)]
        command = [sys.executable, "-m", "tests.benchmarks.fits", contender, problem, *options]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit + GRACE)
        except subprocess.TimeoutExpired:
            return {"note": f"not done after {limit + GRACE:g} s"}
        if done.returncode:
            return {"note": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]}
        return json.loads(path.read_text(encoding="utf-8"))


def goals(data: Data) -> list[tuple[str, float | None]]:
    problems = data["problems"].values()
    found: list[tuple[str, float | None]] = []
    for other in CONTENDERS:
        if other != MINE:
            ratios = [r for p in problems if (r := ratio(p, other)) is not None]
            found.append((f"fits_{other}", min(ratios, default=None)))
    shares = [r for p in problems for other in CONTENDERS if other != MINE and (r := share_ratio(p, other)) is not None]
    return [*found, ("fits_share", min(shares, default=None))]


def write(data: Data) -> list[str]:
    rows = []
    for p in data["problems"].values():
        for name, entry in CONTENDERS.items():
            row = p["contenders"][name]
            rows.append([p["title"], entry.title, *_cells(row, p, name, data["starts"])])
    heading = ["problem", "", "all starts", "hybridode is", "compiling", "first arrival", "arrived", "best objective"]
    lines = [_HEAD.format(starts=data["starts"], near=NEAR), "", *grid(heading, rows), *_WAYS, ""]
    for other, entry in CONTENDERS.items():
        ratios = [r for p in data["problems"].values() if (r := ratio(p, other)) is not None and other != MINE]
        if ratios:
            mean, least = ratio_text(geometric_mean(ratios)), ratio_text(min(ratios))
            lines.append(f"- Against {entry.title}: {mean} in the geometric mean, {least} at the least.")
    notes = {f"{CONTENDERS[c].title}: {r['note']} ({p['title']})" for p in data["problems"].values()
             for c, r in p["contenders"].items() if not r.get("done")}  # fmt: skip
    return [*lines, "", *(["Not measured:", "", *(f"- {n}" for n in sorted(notes)), ""] if notes else [])]


def _cells(row: Judged, problem: Data, name: str, starts: int) -> list[str]:
    if not row.get("done"):
        return ["–"] * 6
    partly = "~" if row["done"] < starts else ""
    alone = not row["arrived"] and row["best"] <= problem["target"]
    arrived = f"{row['arrived']} of {row['done']}{', the fit did' * alone}"
    checked = row["checked"]
    best = "–" if checked is None else f"{checked:.2f}"
    wrong = "" if checked is None or abs(checked - row["best"]) < NEAR else f" (says {row['best']:.2f})"
    faster = "" if name == MINE else ratio_text(ratio(problem, name))
    first = row["first"] if row["first"] is not None and math.isfinite(row["first"]) else None
    return [partly + time_text(row["seconds"]), faster, time_text(row["setup"]), time_text(first), arrived, best + wrong]


TABLE = Table("fits", "Fits from the same starts", measure, write, goals)
