"""Gradients where a network is most of the work: 2-32-32-2, single and a batch of 256, and the spiral; on all processors."""

from __future__ import annotations

import time

import numpy as np

from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers.network import ATOL, PROBLEMS, RTOL, contenders, flat
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text

MAIN, REFERENCE = "Lotka–Volterra", "Diffrax Tsit5"
CASES = ((MAIN, 1), (MAIN, 256), ("spiral", 1))


def measure(effort: Effort) -> Data:
    """{"rows": [{"name", "problem", "batch", "first", "seconds", "difference", "note"}]}: difference of the gradient from
    Diffrax's."""
    rows, runs, gradients = [], {}, {}
    for title, batch in CASES:
        problem = PROBLEMS[title]
        layers, y0 = problem.weights(), problem.starts(batch)
        for name, prepare in contenders(problem).items():
            row: Data = {"name": name, "problem": title, "batch": batch, "first": None, "seconds": None, "difference": None}
            rows.append({**row, "note": ""})
            try:
                began = time.perf_counter()
                call = prepare()(layers, y0)
                gradients[title, batch, name] = flat(*call())
                rows[-1]["first"] = time.perf_counter() - began
                runs[f"{title} {batch} {name}"] = call
            except Exception as error:  # a peer may fail in any way: it is a row that says so
                rows[-1]["note"] = f"{type(error).__name__}: {first_line(error)}"
    times = interleaved(runs, effort)
    for row in rows:
        case = row["problem"], row["batch"]
        key, reference = f"{case[0]} {case[1]} {row['name']}", gradients.get((*case, REFERENCE))
        if key in times:
            row["seconds"] = times[key].median
            if reference is not None:
                found = gradients[*case, row["name"]]
                row["difference"] = float(np.max(np.abs(found - reference)) / np.max(np.abs(reference)))
    return {"rows": rows}


def _seconds(data: Data, title: str, batch: int) -> dict[str, float | None]:
    return {r["name"]: r["seconds"] for r in data["rows"] if (r.get("problem", MAIN), r["batch"]) == (title, batch)}


def ratio(data: Data, title: str, batch: int) -> float | None:
    """Diffrax's seconds over those of our default."""
    times = _seconds(data, title, batch)
    mine, other = times.get("hybridode") or times.get("hybridode, engine diffrax"), times.get(REFERENCE)
    return other / mine if mine and other else None


def goals(data: Data) -> list[tuple[str, float | None]]:
    return [("network", ratio(data, MAIN, 1)), ("network_batch", ratio(data, MAIN, 256))]


def write(data: Data) -> list[str]:
    rows = []
    for r in data["rows"]:
        title = r.get("problem", MAIN)
        other = _seconds(data, title, r["batch"]).get(REFERENCE)
        faster = ratio_text(other / r["seconds"]) if other and r["seconds"] else "–"
        difference = r["note"] if r["difference"] is None else f"{r['difference']:.1e}"
        case = f"{title}, {'single' if r['batch'] == 1 else 'batch of ' + str(r['batch'])}"
        rows.append([case, r["name"], time_text(r["seconds"]), faster, difference, time_text(r["first"])])
    sizes = "; ".join(f"{title}: {p.layers}, {len(p.times)} points to t = {p.times[-1]:g}" for title, p in PROBLEMS.items())
    return [
        f"Value and gradient by all weights of the sum of squares at the points, rtol = {RTOL:g}, atol = {ATOL:g}, float64, "
        f"arrays given and taken as each solver has them ({sizes}; the spiral is y' = network(y³) from (2, 0), DiffEqFlux's). "
        "\"Difference\": of the gradient from Diffrax's, both at this tolerance.",
        "",
        *grid(["problem", "solver", "value and gradient", "times Diffrax", "difference", "first"], rows),
    ]  # fmt: skip


TABLE = Table("network", "Gradients of a network", measure, write, goals, cores=0)
