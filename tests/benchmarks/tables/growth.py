"""Growth with the number of states: chains written out line by line, each state with its two neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import hybridode as ho
from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers import casadi, diffrax, ours, pydiffsol
from tests.benchmarks.peers.peer import At, Runner
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, time_text
from tests.problems import CHAIN_END, Problem, chain

RTOL, ATOL = 1e-6, 1e-8
LONGEST = 120.0  # seconds of compilation, after which a solver is not tried on more states


def solvers() -> dict[str, Callable[[Problem], At]]:
    """What is compared; `auto` takes the engine that the product would take."""
    return {
        "hybridode, stiff": lambda p: ours.prepare(p, ours_method(p, True), "auto"),
        "hybridode, explicit": lambda p: ours.prepare(p, "tsit5", "auto"),
        "pydiffsol BDF": lambda p: pydiffsol.prepare(p, "bdf"),
        "CVODES (CasADi)": lambda p: casadi.prepare(p, "cvodes", True),
        "Diffrax Tsit5": lambda p: diffrax.prepare(p, "Tsit5"),
    }


def ours_method(problem: Problem, stiff: bool) -> str:
    """Rodas4 where the native engine can, else the stiff method of the other engine."""
    from hybridode.solve.native import cannot_run
    from hybridode.solve.settings import Settings

    return "rodas4" if cannot_run(ho.parse(problem.text).compiled(), Settings()) is None else "kvaerno5"


def problem(n: int) -> Problem:
    return Problem("chain", chain(n), CHAIN_END, True, 1e-2, 1e-3, 1e-6, "", np.zeros(n))


def measure(effort: Effort) -> Data:
    """{"rows": [{"name", "n", "first", "seconds", "steps", "note"}]}"""
    rows, runners, slow = [], {}, set()
    for n in effort.states:
        for name, prepare in solvers().items():
            row: Data = {"name": name, "n": n, "first": None, "seconds": None, "steps": None, "note": ""}
            rows.append(row)
            if name in slow:
                row["note"] = "compilation too slow"
                continue
            try:
                began = time.perf_counter()
                run: Runner = prepare(problem(n))(RTOL, ATOL)
                run()
                row["first"] = time.perf_counter() - began
                runners[f"{name} {n}"] = run
                if row["first"] > LONGEST:
                    slow.add(name)
                if name.startswith("hybridode"):
                    row |= steps(n, "stiff" in name)
            except Exception as error:  # a peer may fail in any way: it is a row that says so
                row["note"] = f"{type(error).__name__}: {first_line(error)}"
                slow.add(name)
    times = interleaved(runners, effort)
    for row in rows:
        key = f"{row['name']} {row['n']}"
        if key in times:
            row["seconds"] = times[key].median
    return {"rows": rows}


def steps(n: int, stiff: bool) -> Data:
    """Steps and engine of our solve."""
    p = problem(n)
    method = ours_method(p, True) if stiff else "tsit5"
    stats = ho.parse(p.text).simulate(at=[p.end], rtol=RTOL, atol=ATOL, method=method).stats
    return {"steps": int(stats["steps"]), "engine": str(stats["engine"])}


def write(data: Data) -> list[str]:
    rows = []
    for r in data["rows"]:
        step = time_text(r["seconds"] / r["steps"]) if r["seconds"] and r["steps"] else "–"
        each = time_text(r["seconds"] / r["steps"] / r["n"]) if r["seconds"] and r["steps"] else "–"
        name = f"{r['name']} ({r['engine']})" if r.get("engine") else r["name"]
        rows.append([f"{r['n']:,} states, {name}", r["note"] or time_text(r["first"]), time_text(r["seconds"]), step, each])
    return [
        f"rtol = {RTOL:g}, atol = {ATOL:g}, to t = {CHAIN_END:g}. \"First\": text to first result, all compilation included.", "",
        *grid(["chain", "first", "a solve", "a step", "a step and state"], rows),
    ]  # fmt: skip


TABLE = Table("growth", "Growth with the number of states", measure, write, lambda data: [])
