"""Value and gradient of POLLU with respect to 25 parameters and 20 initial values, at rtol = 1e-6, atol = 1e-10."""

from __future__ import annotations

import time

import numpy as np

from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers import ours
from tests.benchmarks.peers.gradients import peers
from tests.benchmarks.peers.peer import Runner
from tests.benchmarks.peers.text import equations, numbers
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, time_text
from tests.problems import pollu_gradient, problems

RTOL, ATOL = 1e-6, 1e-10


def measure(effort: Effort) -> Data:
    """{"rows": {solver: {"first", "seconds", "error", "note"}}, "forward": seconds of our fastest forward solve}."""
    problem = problems()["pollu"]
    p, y0 = numbers(equations(problem.text))
    sizes, exact = np.array([*p, *np.ones(len(y0))]), pollu_gradient()
    rows: Data = {}
    runners: dict[str, Runner] = {}
    for peer in peers():
        rows[peer.name] = {"first": None, "seconds": None, "error": None, "note": peer.missing or ""}
        if peer.missing:
            continue
        try:
            began = time.perf_counter()
            runners[peer.name] = peer.prepare(problem)(RTOL, ATOL)
            runners[peer.name]()
            rows[peer.name]["first"] = time.perf_counter() - began
            found = runners[peer.name]()[1:] * sizes
            rows[peer.name]["error"] = float(np.max(np.abs(found - exact * sizes)) / np.max(np.abs(exact * sizes)))
        except Exception as error:  # a peer may fail in any way: it is a row that says so
            runners.pop(peer.name, None)
            rows[peer.name]["note"] = f"{type(error).__name__}: {first_line(error)}"
    forward = {f"forward {m}": ours.prepare(problem, m)(RTOL, ATOL) for m in ("rodas4", "rodas5p")}
    times = interleaved({**forward, **runners}, effort)
    for name in runners:
        rows[name]["seconds"] = times[name].median
    return {"rows": rows, "forward": min(times[name].median for name in forward)}


def best(data: Data) -> float | None:
    own = [r["seconds"] for name, r in data["rows"].items() if name.startswith("hybridode") and r["seconds"] is not None]
    return min(own) if own else None


def goals(data: Data) -> list[tuple[str, float | None]]:
    mine = best(data)
    return [("gradient", mine and mine / data["forward"]), ("gradient_seconds", mine and 1e6 * mine)]


def write(data: Data) -> list[str]:
    rows = []
    for name, r in data["rows"].items():
        solves = "–" if r["seconds"] is None else f"{r['seconds'] / data['forward']:.1f}"
        error = r["note"] if r["error"] is None else f"{r['error']:.1e}"
        rows.append([name, time_text(r["seconds"]), solves, error, time_text(r["first"])])
    return [
        f"Our fastest forward solve: {time_text(data['forward'])}. The error is that of the gradient, each entry times its "
        "parameter's size, over the largest; the reference comes from variational equations. \"First\": from the text to the "
        "first gradient, all compilation included.",
        "",
        *grid(["solver", "value and gradient", "in our forward solves", "error", "first"], rows),
    ]  # fmt: skip


TABLE = Table("gradient", "POLLU: value and gradient with respect to 45 numbers", measure, write, goals)
