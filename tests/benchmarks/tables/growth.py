"""Growth with the number of states: chains and grids written out line by line, each state with its neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import hybridode as ho
from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers import casadi, diffrax, ours, pydiffsol, sundae
from tests.benchmarks.peers.peer import At, Runner
from tests.benchmarks.tables.single import first_line
from tests.benchmarks.tables.table import Data, Table, grid, time_text
from tests.problems import CHAIN_END, GRID_END, Problem, chain
from tests.problems import grid as grid_text

RTOL, ATOL = 1e-6, 1e-8
LONGEST = 12.0  # seconds to the first result, after which a solver is not tried on ten times as many states


def chain_solvers() -> dict[str, Callable[[Problem], At]]:
    """What is compared; `auto` takes the engine that the product would take."""
    return {
        "hybridode, stiff": lambda p: ours.prepare(p, ours_method(p, True), "auto"),
        "hybridode, explicit": lambda p: ours.prepare(p, "tsit5", "auto"),
        "pydiffsol BDF": lambda p: pydiffsol.prepare(p, "bdf"),
        "CVODE, banded (scikit-sundae, rates in NumPy)": lambda p: sundae.sparse(p, chain_rates, "band"),
        "CVODES (CasADi)": lambda p: casadi.prepare(p, "cvodes", True),
        "Diffrax Tsit5": lambda p: diffrax.prepare(p, "Tsit5"),
    }


def grid_solvers() -> dict[str, Callable[[Problem], At]]:
    return {
        "hybridode, stiff": lambda p: ours.prepare(p, "rodas5p", "auto"),
        "hybridode, explicit": lambda p: ours.prepare(p, "tsit5", "auto"),
        "CVODE, sparse (scikit-sundae, rates in NumPy)": lambda p: sundae.sparse(p, grid_rates, "sparse"),
    }


def chain_rates(t: float, y: np.ndarray, out: np.ndarray) -> None:
    """`tests.problems.chain` in NumPy."""
    padded = np.concatenate([y[:1], y, y[-1:]])
    out[:] = 10.0 * (padded[:-2] - 2.0 * y + padded[2:]) - y / (0.5 + y)


def grid_rates(t: float, y: np.ndarray, out: np.ndarray) -> None:
    """`tests.problems.grid` in NumPy."""
    m = int(np.sqrt(len(y) / 2))
    cells, rates = y.reshape(m, m, 2), out.reshape(m, m, 2)
    near = sum(np.roll(cells, by, axis) for axis in (0, 1) for by in (1, -1))
    rates[...] = 0.002 * m * m * (near - 4.0 * cells)
    u, product = cells[..., 0], cells[..., 0] ** 2 * cells[..., 1]
    rates[..., 0] += 1.0 + product - 4.4 * u
    rates[..., 1] += 3.4 * u - product


def ours_method(problem: Problem, stiff: bool) -> str:
    """Rodas4 where the native engine can, else the stiff method of the other engine."""
    from hybridode.solve.native import cannot_run
    from hybridode.solve.settings import Settings

    return "rodas4" if cannot_run(ho.parse(problem.text).compiled(), Settings()) is None else "kvaerno5"


def chain_of(n: int) -> Problem:
    return Problem("chain", chain(n), CHAIN_END, True, 1e-2, 1e-3, 1e-6, "", np.zeros(n))


def grid_of(m: int) -> Problem:
    return Problem("grid", grid_text(m), GRID_END, True, 1e-2, 1e-3, 1e-6, "", np.zeros(2 * m * m))


def measure(effort: Effort) -> Data:
    """{"rows": [{"name", "kind", "n", "first", "seconds", "steps", "note"}]}"""
    rows = measure_all("chain", [chain_of(n) for n in effort.states], chain_solvers(), effort)
    return {"rows": rows + measure_all("grid", [grid_of(m) for m in effort.grids], grid_solvers(), effort)}


def measure_all(kind: str, problems: list[Problem], solvers: dict[str, Callable[[Problem], At]], effort: Effort) -> list[Data]:
    rows, runners, slow = [], {}, set()
    for problem in problems:
        n = len(problem.reference)
        for name, prepare in solvers.items():
            row: Data = {"name": name, "kind": kind, "n": n, "first": None, "seconds": None, "steps": None, "note": ""}
            rows.append(row)
            if name in slow:
                row["note"] = "compilation too slow"
                continue
            try:
                began = time.perf_counter()
                run: Runner = prepare(problem)(RTOL, ATOL)
                run()
                row["first"] = time.perf_counter() - began
                runners[f"{name} {n}"] = run
                if row["first"] > LONGEST:
                    slow.add(name)
                if name.startswith("hybridode"):
                    row |= steps(problem, "stiff" in name)
            except Exception as error:  # a peer may fail in any way: it is a row that says so
                row["note"] = f"{type(error).__name__}: {first_line(error)}"
                slow.add(name)
    times = interleaved(runners, effort)
    for row in rows:
        key = f"{row['name']} {row['n']}"
        if key in times:
            row["seconds"] = times[key].median
    return rows


def steps(p: Problem, stiff: bool) -> Data:
    """Steps and engine of our solve."""
    method = ("rodas5p" if p.name == "grid" else ours_method(p, True)) if stiff else "tsit5"
    stats = ho.parse(p.text).simulate(at=[p.end], rtol=RTOL, atol=ATOL, method=method).stats
    return {"steps": int(stats["steps"]), "engine": str(stats["engine"])}


def write(data: Data) -> list[str]:
    lines = [f'rtol = {RTOL:g}, atol = {ATOL:g}. "First": text to first result, all compilation included.', ""]
    for kind, title in (("chain", f"chain, to t = {CHAIN_END:g}"), ("grid", f"grid of two species, to t = {GRID_END:g}")):
        lines += grid([title, "first", "a solve", "a step", "a step and state"], rows_of(data, kind))
    return lines


def rows_of(data: Data, kind: str) -> list[list[str]]:
    rows = []
    for r in data["rows"]:
        if r.get("kind", "chain") != kind:
            continue
        step = time_text(r["seconds"] / r["steps"]) if r["seconds"] and r["steps"] else "–"
        each = time_text(r["seconds"] / r["steps"] / r["n"]) if r["seconds"] and r["steps"] else "–"
        name = f"{r['name']} ({r['engine']})" if r.get("engine") else r["name"]
        rows.append([f"{r['n']:,} states, {name}", r["note"] or time_text(r["first"]), time_text(r["seconds"]), step, each])
    return rows


TABLE = Table("growth", "Growth with the number of states", measure, write, lambda data: [])
