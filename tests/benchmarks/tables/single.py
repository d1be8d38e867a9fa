"""Single solves of published problems by every solver at many tolerances: work-precision curves."""

from __future__ import annotations

import math
import re
import time
import warnings
from functools import partial

import numpy as np

from tests.benchmarks.measure import Effort, Timing, interleaved
from tests.benchmarks.peers import peers
from tests.benchmarks.peers.peer import At, CannotSolve, Peer, Runner
from tests.benchmarks.tables.single_report import draw, goals, write
from tests.benchmarks.tables.table import Data, Table
from tests.problems import NONSTIFF, STIFF, Problem, problems

# family → the problems that it can do in reasonable time (AMICI compiles C++ for a minute each)
SLOW_FAMILIES = {"torchdiffeq": ("lotka_volterra",), "AMICI": ("pollu",)}


def measure(effort: Effort, stiff: bool) -> Data:
    """{"problems": {problem: {solver: {"family", "points": [{rtol, error, seconds, least}], "note"}}}}"""
    chosen = STIFF if stiff else NONSTIFF
    return {"stiff": stiff, "problems": {name: measure_problem(problems()[name], peers(stiff), effort) for name in chosen}}


def measure_problem(problem: Problem, solvers: list[Peer], effort: Effort) -> Data:
    """All solvers on one problem."""
    rows: Data = {}
    runners: dict[str, tuple[str, float, float, Runner]] = {}
    for peer in solvers:
        rows[peer.name] = {"family": peer.family, "points": [], "note": peer.missing or ""}
        if problem.name not in SLOW_FAMILIES.get(peer.family, (problem.name,)):
            rows[peer.name]["note"] = "too slow to be measured here"
        if not rows[peer.name]["note"]:
            found, rows[peer.name]["note"] = accuracies(problem, peer, effort)
            runners |= {f"{peer.name} {rtol:g}": (peer.name, rtol, error, run) for rtol, error, run in found}
    by_tolerance = dict(sorted(runners.items(), key=lambda item: -item[1][1]))
    times = interleaved({key: run for key, (*_, run) in by_tolerance.items()}, effort)
    for key, (name, rtol, error, _) in by_tolerance.items():
        rows[name]["points"].append(point(rtol, error, times[key]))
    return rows


def point(rtol: float, error: float, timing: Timing) -> Data:
    return {"rtol": rtol, "error": error, "seconds": timing.median, "least": timing.least, "rounds": timing.rounds}


def accuracies(problem: Problem, peer: Peer, effort: Effort) -> tuple[list[tuple[float, float, Runner]], str]:
    """[(rtol, error, runner)] where the solver arrives, and what went wrong elsewhere."""
    found: list[tuple[float, float, Runner]] = []
    failures: dict[str, list[str]] = {}
    try:
        at = peer.prepare(problem)
    except Exception as error:  # a peer may fail in any way: it is a row that says so
        return [], f"{type(error).__name__}: {first_line(error)}"
    for rtol in effort.tolerances:
        try:
            run, error, spent = first_solve(problem, at, rtol)
        except Exception as failure:
            kind = "" if isinstance(failure, CannotSolve) else f"{type(failure).__name__}: "
            failures.setdefault(kind + sum_up(failure), []).append(f"{rtol:.0e}")
            continue
        found.append((rtol, error, run))
        if spent > effort.longest:
            failures["too slow"] = [f"finer than {rtol:.0e}"]
            break
    return found, "; ".join(f"rtol {span(rtols)}: {words}" for words, rtols in failures.items())


def span(rtols: list[str]) -> str:
    """Tolerances as a range."""
    return rtols[0] if len(rtols) == 1 else f"{rtols[0]} … {rtols[-1]}"


def first_solve(problem: Problem, at: At, rtol: float) -> tuple[Runner, float, float]:
    """(runner, error, seconds) of the second call. Raises CannotSolve, or whatever a peer raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        run = at(rtol, rtol * problem.scale)
        run()
        began = time.perf_counter()
        error = problem.error(run())
        spent = time.perf_counter() - began
    if not math.isfinite(error):
        raise CannotSolve("did not arrive")
    return run, error, spent


def sum_up(failure: Exception) -> str:
    """Its first words, without the numbers that differ from tolerance to tolerance."""
    return re.sub(r",? (at|and) (t|time|h) = \S+", "", first_line(failure)).strip().rstrip(".")


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:160]


def table(name: str, title: str, stiff: bool) -> Table:
    return Table(name, title, partial(measure, stiff=stiff), write, goals, draw)


STIFF_TABLE = table("stiff", "Stiff problems, single solves", True)
NONSTIFF_TABLE = table("nonstiff", "Problems that are not stiff, single solves", False)
