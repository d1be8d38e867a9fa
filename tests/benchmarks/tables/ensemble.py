"""Throughput of one processor on 10,000 trajectories of POLLU, each with its own parameters."""

from __future__ import annotations

import resource

import numpy as np

from tests.benchmarks.measure import Effort, seconds
from tests.benchmarks.peers.ensembles import ensembles
from tests.benchmarks.peers.text import equations, numbers
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text
from tests.problems import problems

RTOL, ATOL = 1e-6, 1e-10
FEW = 20  # trajectories whose results are compared with a solve that is much finer


def measure(effort: Effort) -> Data:
    """{"rows": {solver: {"trajectories", "each" (seconds), "first", "error", "note"}}, "memory": MB that our ensemble added}."""
    problem = problems()["pollu"]
    p = np.array(numbers(equations(problem.text))[0])
    parameters = p * np.random.default_rng(0).uniform(0.7, 1.3, (effort.trajectories, len(p)))
    rows: Data = {}
    runs = {}
    peers = ensembles()
    exact = next(e for e in peers if e.name.startswith("CVODES")).prepare
    try:
        reference = exact(problem, 1e-11, 1e-15)(parameters[:FEW])
    except Exception as error:
        print(f"no reference: {first_line(error)}")
        reference = None
    memory = None
    for peer in peers:
        count = min(peer.most, effort.trajectories)
        rows[peer.name] = {"trajectories": count, "each": None, "first": None, "error": None, "note": ""}
        try:
            run = peer.prepare(problem, RTOL, ATOL)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            rows[peer.name]["first"] = seconds(lambda run=run, count=count: run(parameters[:count]))
            memory = memory or (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            found = run(parameters[:count])[:FEW]
            if reference is not None:
                rows[peer.name]["error"] = float(np.max(np.abs(found - reference) / np.abs(reference)))
            runs[peer.name] = (run, count)
        except Exception as error:  # a peer may fail in any way: it is a row that says so
            rows[peer.name]["note"] = f"{type(error).__name__}: {first_line(error)}"
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(max(3, effort.rounds // 3)):
        for name, (run, count) in runs.items():
            samples[name].append(seconds(lambda run=run, count=count: run(parameters[:count])) / count)
    for name, values in samples.items():
        rows[name]["each"] = float(np.median(values))
    return {"rows": rows, "memory": memory, "trajectories": effort.trajectories}


def fastest(data: Data, words: str) -> float | None:
    """Seconds a trajectory of our quickest with these words in its name."""
    found = [r["each"] for name, r in data["rows"].items() if name.startswith("hybridode") and words in name and r["each"]]
    return min(found) if found else None


def goals(data: Data) -> list[tuple[str, float | None]]:
    batch, single = fastest(data, "vmap"), fastest(data, "one by one")
    return [("ensemble", single / batch if batch and single else None)]


def write(data: Data) -> list[str]:
    batch = fastest(data, "vmap")
    rows = []
    for name, r in data["rows"].items():
        each = r["each"]
        error = r["note"] if r["error"] is None else f"{r['error']:.1e}"
        ratio = ratio_text(each / batch) if each and batch else "–"
        rows.append([name, f"{r['trajectories']:,}", time_text(each), ratio, error, time_text(r["first"])])
    return [
        "rtol = 1e-6, atol = 1e-10, one processor. The error is the largest relative one over the states at the end of "
        f"{FEW} trajectories. Our ensemble of {data['trajectories']:,} added {data['memory'] or 0:.0f} MB to the process.",
        "",
        *grid(["solver", "trajectories", "a trajectory", "to ours", "error", "first call"], rows),
    ]


TABLE = Table("ensemble", "Ensembles: throughput of one processor", measure, write, goals)
