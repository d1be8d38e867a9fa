"""Gradients where a network is most of the work: 2-32-32-2, single and a batch of 256, on all processors."""

from __future__ import annotations

import time

import numpy as np

from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers.network import ATOL, RTOL, TIMES, contenders, starts, weights
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text

BATCHES = (1, 256)


def measure(effort: Effort) -> Data:
    """{"rows": [{"name", "batch", "first", "seconds", "difference", "note"}]}: difference of the gradient from Diffrax's."""
    layers, rows, runs, gradients = weights(), [], {}, {}
    for batch in BATCHES:
        y0 = starts(batch)
        for name, prepare in contenders().items():
            row: Data = {"name": name, "batch": batch, "first": None, "seconds": None, "difference": None, "note": ""}
            rows.append(row)
            try:
                began = time.perf_counter()
                run = prepare()
                gradients[name, batch] = run(layers, y0)
                row["first"] = time.perf_counter() - began
                runs[f"{name} {batch}"] = lambda run=run, y0=y0: run(layers, y0)
            except Exception as error:  # a peer may fail in any way: it is a row that says so
                row["note"] = f"{type(error).__name__}: {first_line(error)}"
    times = interleaved(runs, effort)
    for row in rows:
        key, reference = f"{row['name']} {row['batch']}", gradients.get(("Diffrax Tsit5", row["batch"]))
        if key in times:
            row["seconds"] = times[key].median
            if reference is not None:
                found = gradients[row["name"], row["batch"]]
                row["difference"] = float(np.max(np.abs(found - reference)) / np.max(np.abs(reference)))
    return {"rows": rows}


def ratio(data: Data, batch: int) -> float | None:
    """Diffrax's seconds over those of our default."""
    times = {r["name"]: r["seconds"] for r in data["rows"] if r["batch"] == batch}
    mine, other = times.get("hybridode") or times.get("hybridode, engine diffrax"), times.get("Diffrax Tsit5")
    return other / mine if mine and other else None


def goals(data: Data) -> list[tuple[str, float | None]]:
    return [("network", ratio(data, 1)), ("network_batch", ratio(data, 256))]


def write(data: Data) -> list[str]:
    rows = []
    for r in data["rows"]:
        other = next((x["seconds"] for x in data["rows"] if (x["name"], x["batch"]) == ("Diffrax Tsit5", r["batch"])), None)
        faster = ratio_text(other / r["seconds"]) if other and r["seconds"] else "–"
        difference = r["note"] if r["difference"] is None else f"{r['difference']:.1e}"
        rows.append([f"{r['name']}, {'single' if r['batch'] == 1 else 'batch of ' + str(r['batch'])}", time_text(r["seconds"]),
                     faster, difference, time_text(r["first"])])  # fmt: skip
    return [
        f"Value and gradient by the 1,218 weights of the sum of squares at {len(TIMES)} points, t = 0 … {TIMES[-1]:g}, "
        f"rtol = {RTOL:g}, atol = {ATOL:g}, float64. \"Difference\": of the gradient from Diffrax's, both at this tolerance.",
        "",
        *grid(["solver", "value and gradient", "times Diffrax", "difference", "first"], rows),
    ]  # fmt: skip


TABLE = Table("network", "Gradients of a network", measure, write, goals, cores=0)
