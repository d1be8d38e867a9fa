"""Differential-algebraic problems: work-precision against IDA, what steps cost beside plain equations', value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import hybridode as ho
from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers import ours
from tests.benchmarks.peers.daes import peers
from tests.benchmarks.precision import geometric_mean, time_at
from tests.benchmarks.tables.dae_twins import twins
from tests.benchmarks.tables.single import measure_problem
from tests.benchmarks.tables.single_report import ERRORS, comparisons, curves, draw, is_other, notes, ratios
from tests.benchmarks.tables.table import Data, Table, grid, ratio_text, time_text
from tests.problems.dae import dae_problems

EXPLICIT = ("caraxis", "pendulum", "slider_crank")
RTOL, ATOL = 1e-8, 1e-10  # of the solves whose steps are timed
TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)  # every solver compiles at each of them
SHORT = 0.02  # of a solve: what a call costs beside its steps


def measure(effort: Effort) -> Data:
    """{"problems": as in the tables of single solves, "steps": {title: {"dae", "plain"}}, "gradients": {problem: {…}}}"""
    fewer = effort if len(effort.tolerances) < 4 else replace(effort, tolerances=TOLERANCES)
    found = {name: measure_problem(p, peers(name in EXPLICIT), fewer) for name, p in dae_problems().items()}
    return {"problems": found, "steps": measure_steps(effort), "gradients": measure_gradients(effort)}


def measure_steps(effort: Effort) -> Data:
    """Seconds a step: the least of interleaved runs, a short run taken off."""
    runs: dict[str, Callable[[], object]] = {}
    counts: dict[str, int] = {}
    for twin in twins():
        for kind, text in (("dae", twin.dae), ("plain", twin.plain)):
            for part, share in (("whole", 1.0), ("short", SHORT)):
                call, key = counted(text, twin.method, twin.end * share, twin.name), f"{twin.title} {kind} {part}"
                counts[key] = int(call(0.0)[1])
                runs[key] = lambda call=call: np.asarray(call(0.0)[0])
    # A step is the difference of two least times: many short samples rather than few long ones.
    times, rows = interleaved(runs, replace(effort, rounds=100, sample=0.0, budget=2.0)), {}
    for twin in twins():
        rows[twin.title] = {}
        for kind in ("dae", "plain"):
            whole, short = (f"{twin.title} {kind} {part}" for part in ("whole", "short"))
            rows[twin.title][kind] = (times[whole].least - times[short].least) / (counts[whole] - counts[short])
    return rows


def counted(text: str, method: str, end: float, name: str) -> Callable[[float], Any]:
    """(anything) -> (one value at the end, steps)."""
    import jax

    jax.config.update("jax_enable_x64", True)
    solve = ours.solver(ho.parse(text), end, RTOL, ATOL, method)

    def one(nothing: Any) -> Any:
        solution = solve({})
        return solution[name][-1] + nothing, solution.counts["steps"]

    return jax.jit(one)


def measure_gradients(effort: Effort) -> Data:
    """Value and gradient of the sum of what is compared, by all parameters, in seconds."""
    import jax

    jax.config.update("jax_enable_x64", True)
    runs: dict[str, Callable[[], object]] = {}
    for name, problem in dae_problems().items():
        model = ho.parse(problem.text)
        names, p = ours.parameter_names(model), jax.numpy.array([p.values[0] for p in model.declarations.parameters])
        solve = ours.solver(model, problem.end / (10 if name == "transamp" else 1), 1e-6, 1e-6 * problem.scale, "rodas5p")

        def loss(p: Any, solve: Any = solve, names: Any = names, problem: Any = problem) -> Any:
            solution = solve(dict(zip(names, p, strict=True)))
            return sum(solution[n][-1] for n in problem.names)

        for kind, f in (("value", jax.jit(loss)), ("gradient", jax.jit(jax.value_and_grad(loss)))):
            runs[f"{name} {kind}"] = lambda f=f, p=p: jax.block_until_ready(f(p))
    times = interleaved(runs, effort)
    return {name: {kind: times[f"{name} {kind}"].median for kind in ("value", "gradient")} for name in dae_problems()}


def goals(data: Data) -> list[tuple[str, float | None]]:
    every = [r for values in ratios(data, is_other).values() for r in values]
    return [("dae", geometric_mean(every)), ("dae_step", max(row["dae"] / row["plain"] for row in data["steps"].values()))]


def write(data: Data) -> list[str]:
    lines = [
        "Times at equal achieved error of everything that is compared, algebraic unknowns too. `hybridode` starts from the texts "
        "in tests/problems/dae; IDAS and IDA are given mechanical systems in a form of index 1 that was derived by hand (and "
        "IDAS the amplifier with voltages of capacitors), IDAS's functions in compiled C, IDA's in Python.",
        "",
        *grid(["problem and error", "hybridode", "quickest other", "ratio"], compared(data)),
        *(f"![{name}](benchmarks/{name}.svg)" for name in data["problems"]),
        "",
        "A step with algebraic equations beside one of the same system written as plain equations by hand, same method:",
        "",
    ]
    rows = [
        [title, time_text(r["dae"]), time_text(r["plain"]), f"{r['dae'] / r['plain']:.2f}"] for title, r in data["steps"].items()
    ]
    lines += grid(["class", "a step", "plain", "ratio"], rows)
    rows = [[name, time_text(r["value"]), time_text(r["gradient"]), f"{r['gradient'] / r['value']:.1f}"]
            for name, r in data["gradients"].items()]  # fmt: skip
    lines += ["The sum of what is compared, and that with its gradient by all parameters, rtol = 1e-6, Rodas5P:", ""]
    lines += grid(["problem", "value", "value and gradient", "ratio"], rows)
    return [*lines, *notes(data)]


def compared(data: Data) -> list[list[str]]:
    """A row for every problem and error."""
    rows = []
    for name, problem in data["problems"].items():
        points = curves(problem)
        best = [p for solver, row in problem.items() if row["family"] == ours.FAMILY for p in points[solver]]
        for error in ERRORS:
            other = comparisons(problem, is_other, error)
            mine = f"{time_text(other.ours)} ({time_text(time_at(best, error))})"
            rows.append(
                [f"{name} to {error:.0e}", mine, f"{time_text(other.others)} {other.other or ''}", ratio_text(other.ratio)]
            )
    return rows


TABLE = Table("dae", "Differential-algebraic problems", measure, write, goals, draw)
