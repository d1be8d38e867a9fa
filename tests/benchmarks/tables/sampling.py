"""Draws from one posterior: hybridode, Stan, NumPyro on Diffrax; each in a process of its own, on one processor."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import QUICK, Effort
from tests.benchmarks.sampling.contenders import CONTENDERS, MINE, missing
from tests.benchmarks.sampling.problem import CHAINS, DRAWS
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text

ROOT = Path(__file__).parents[3]
FEWER = {"numpyro": 500}  # draws of a chain of who needs minutes for more
LIMITS = {"stan": 420.0, "numpyro": 420.0}  # seconds; of others
LIMIT = 240.0
QUICK_DRAWS = 200

_HEAD = (
    "Lynx and hare with the priors of B. Carpenter's case study, {chains} chains, on one processor; times are processor time. "
    "hybridode: {draws} draws of each chain after 500 of warm-up, solves to 1e-6 and 1e-8. Stan (PyStan): {draws} after 1000, "
    "NumPyro + Diffrax (Tsit5, forward derivatives, full mass matrix, chains side by side, begun at the published means): 500 "
    "after 300; both solve to 1e-5 and 1e-3 as the case study does. "
    '"Effective draws" is the least over the 8 parameters (bulk), "a second" counts warm-up and draws, "with compiling" what was '
    'compiled as well, with an empty cache (hybridode: without the fit, which takes {fit}). "Off": how many Monte Carlo errors '
    "the farthest posterior mean is from the published one."
)


def measure(effort: Effort) -> Data:
    """{contender: {"seconds": {"compile", "sample", …}, "ess", "ess_tail", "rhat", "off", "draws"} or {"note"}}."""
    draws = QUICK_DRAWS if effort is QUICK else DRAWS
    return {"contenders": {name: _alone(name, min(draws, FEWER.get(name, draws))) for name in CONTENDERS}}


def _alone(name: str, draws: int) -> dict[str, Any]:
    if missing(name):
        return {"note": missing(name)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "tests.benchmarks.sampling", name, "--draws", str(draws), "--json", str(path)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMITS.get(name, LIMIT))
        except subprocess.TimeoutExpired:
            return {"note": f"not done after {LIMITS.get(name, LIMIT):g} s"}
        if done.returncode or not path.exists():
            return {"note": (done.stderr.strip().splitlines() or ["it ended without a word"])[-1][:200]}
        return json.loads(path.read_text(encoding="utf-8"))


def rate(row: Data, compiling: bool = False) -> float | None:
    """Effective draws a second; None where nothing was measured."""
    if "note" in row or (compiling and row["seconds"]["compile"] is None):
        return None
    return row["ess"] / (row["seconds"]["sample"] + (row["seconds"]["compile"] if compiling else 0.0))


def ratio(data: Data, other: str, compiling: bool = False) -> float | None:
    """How many times more hybridode makes a second."""
    mine, theirs = (rate(data["contenders"][name], compiling) for name in (MINE, other))
    return None if mine is None or theirs is None else mine / theirs


def goals(data: Data) -> list[tuple[str, float | None]]:
    found: list[tuple[str, float | None]] = [(f"sampling_{name}", ratio(data, name)) for name in CONTENDERS if name != MINE]
    return [*found, ("sampling_off", data["contenders"][MINE].get("off"))]


def write(data: Data) -> list[str]:
    rows, notes = [], []
    for name, module in CONTENDERS.items():
        row = data["contenders"][name]
        if "note" in row:
            notes.append(f"- {module.TITLE}: {row['note']}")
            continue
        if "remark" in row:
            notes.append(f"- {module.TITLE}: {row['remark']}")
        s = row["seconds"]
        others = ["", ""] if name == MINE else [ratio_text(ratio(data, name)), ratio_text(ratio(data, name, compiling=True))]
        whole = rate(row, compiling=True)
        cells = [time_text(s["compile"]), time_text(s["sample"]), f"{row['ess']:.0f}", f"{rate(row) or 0:.3g}", others[0]]
        cells += ["–" if whole is None else f"{whole:.3g}", others[1], f"{row['rhat']:.3f}", f"{row['off']:.1f}"]
        rows.append([module.TITLE, *cells])
    heading = ["", "compiling", "warm-up and draws", "effective draws", "a second", "hybridode is", "a second, with compiling",
               "hybridode is", "R-hat", "off"]  # fmt: skip
    fit = data["contenders"][MINE].get("seconds", {}).get("fit")
    lines = [_HEAD.format(chains=CHAINS, draws=DRAWS, fit=time_text(fit)), "", *grid(heading, rows)]
    return [*lines, *(["Not measured:", "", *notes, ""] if notes else [])]


TABLE = Table("sampling", "Draws from a posterior", measure, write, goals)
