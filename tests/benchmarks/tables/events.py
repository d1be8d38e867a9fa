"""Systems with located events by every solver that locates them, and values with gradients, at equal achieved error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers.events import gradient_peers, peers
from tests.benchmarks.peers.peer import Peer, Runner
from tests.benchmarks.precision import compare, geometric_mean
from tests.benchmarks.tables.single import accuracies, point
from tests.benchmarks.tables.single_report import AUTO, OURS, curves
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text
from tests.problems import Problem
from tests.problems.events import EventProblem, event_problems

ERRORS = (1e-4, 1e-6, 1e-8)
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
LEFT_OUT = {("100 neurons", "torchdiffeq"): 2}  # a loop in Python: only so many tolerances
STEP = 5e-7  # of the differences of exact solutions, in sizes of the parameters


def measure(effort: Effort) -> Data:
    """{"values": {problem: {solver: {"family", "points", "note"}}}, "gradients": the same}"""
    some = TOLERANCES[:2] if len(effort.tolerances) < 5 else TOLERANCES
    effort = replace(effort, rounds=min(effort.rounds, 7), budget=0.2, longest=2.0, tolerances=some)
    chosen = event_problems()
    return {
        "values": {name: measure_problem(problem, peers(), effort) for name, problem in chosen.items()},
        "gradients": {name: measure_problem(with_gradient(p), gradient_peers(), effort) for name, p in chosen.items()},
        "firings": {name: problem.firings for name, problem in chosen.items()},
    }


def with_gradient(problem: EventProblem) -> EventProblem:
    """The problem whose answer is the sum of the states at the end and its slopes, times the parameters' sizes, so that one
    error says both."""
    p, sizes = np.array(problem.p), np.abs(np.array(problem.p))

    def slope(i: int) -> float:
        """A difference of fourth order: the impact oscillator's slope by omega bends within a part of 1e-6 of omega."""
        change = np.zeros(len(sizes))
        change[i] = STEP * sizes[i]
        near, far = (problem.exact(p + k * change).sum() - problem.exact(p - k * change).sum() for k in (1, 2))
        return (8 * near - far) / (12 * STEP)

    reference = np.array([problem.reference.sum(), *(slope(i) for i in range(len(sizes)))])
    return replace(problem, reference=reference, sizes=(1.0, *sizes.tolist()))


def measure_problem(problem: Problem, solvers: list[Peer], effort: Effort) -> Data:
    rows: Data = {}
    runners: dict[str, tuple[str, float, float, Runner]] = {}
    for peer in solvers:
        rows[peer.name] = {"family": peer.family, "points": [], "note": peer.missing or ""}
        if not rows[peer.name]["note"]:
            coarsest = LEFT_OUT.get((problem.name, peer.family))
            fewer = effort if coarsest is None else replace(effort, tolerances=effort.tolerances[:coarsest])
            found, rows[peer.name]["note"] = accuracies(problem, peer, fewer)
            runners |= {f"{peer.name} {rtol:g}": (peer.name, rtol, error, run) for rtol, error, run in found}
    times = interleaved({key: run for key, (*_, run) in runners.items()}, effort)
    for key, (name, rtol, error, _) in runners.items():
        rows[name]["points"].append(point(rtol, error, times[key]))
    return rows


def ratios(part: Data) -> list[float]:
    found = [compare(curves(p).get(AUTO, []), others(p), error).ratio for p in part.values() for error in ERRORS]
    return [r for r in found if r is not None]


def others(problem: Data, family: str = "") -> dict:
    points = curves(problem)
    wanted = lambda f: f != OURS and family in ("", f)  # noqa: E731
    return {name: points[name] for name, row in problem.items() if wanted(row["family"])}


def goals(data: Data) -> list[tuple[str, float | None]]:
    return [("events", geometric_mean(ratios(data["values"]))), ("events_gradient", geometric_mean(ratios(data["gradients"])))]


def write(data: Data) -> list[str]:
    lines = [
        'Times at equal achieved error of the state at the end, against exact solutions; `hybridode` is `method="auto"`. Others '
        "stop at an event and are started again after it: in Python, by Diffrax in a compiled scan. All but Diffrax have "
        "right-hand sides in Python; of 100 guards they watch the largest alone. A dash: not reached at any tolerance that was "
        "tried (an event was missed, or a solve took seconds).",
        "",
    ]  # fmt: skip
    families = {"values": ("CVODE", "SciPy", "Diffrax", "torchdiffeq"), "gradients": ("Diffrax", "torchdiffeq")}
    for part, names in families.items():
        rows = []
        for name, problem in data[part].items():
            for error in ERRORS:
                own = compare(curves(problem).get(AUTO, []), others(problem), error)
                row = [f"{name} ({data['firings'][name]} events) to {error:.0e}", time_text(own.ours)]
                for family in names:
                    found = compare(curves(problem).get(AUTO, []), others(problem, family), error)
                    row.append(f"{time_text(found.others)} ({ratio_text(found.ratio)})" if found.others else "–")
                rows.append(row)
        words = {"values": "state at the end", "gradients": "value and gradient by all parameters"}[part]
        lines += grid([words, "hybridode", *names], rows)
    for part in families:
        for name, problem in data[part].items():
            lines += [f"- {name}, {solver}: {row['note']}." for solver, row in problem.items() if row["note"]]
    return [*lines, ""]


TABLE = Table("events", "Located events", measure, write, goals)
