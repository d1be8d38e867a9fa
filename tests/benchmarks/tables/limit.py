"""How far a step of POLLU is from what the processor could do: instructions of the step's tape ÷ (FMA width × clock)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

import hybridode as ho
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.machine import host_lanes
from hybridode.solve.native import program_of
from tests.benchmarks.machine import instructions_per_second
from tests.benchmarks.measure import Effort, interleaved
from tests.benchmarks.peers import ours
from tests.benchmarks.tables.table import Data, Table, grid, time_text
from tests.problems import problems

RTOL, ATOL = 1e-6, 1e-10
METHODS = ("rodas4", "rodas5p")
MOST_BATCH = 512
SHORT = 1e-9  # a solve of a step or two: what a call costs beside its steps


def arithmetic(program: Program) -> tuple[int, int]:
    """(instructions that compute, divisions and functions among them) of a step."""
    free = {"input", "constant", "const", "gather", "concat", "reshape", "broadcast"}
    cheap = {"add", "sub", "mul", "neg", "fma", "min", "max", "abs"}
    sizes = [(i.op, prod(i.shape)) for i in program.method.step.instructions if i.op not in free]
    return sum(n for _, n in sizes), sum(n for op, n in sizes if op not in cheap)


def measure(effort: Effort) -> Data:
    """{"rows": [{"method", "lanes", "step" (seconds a trajectory-step), "call", "instructions", "slow", "limit"}], "peaks"}"""
    import jax

    jax.config.update("jax_enable_x64", True)
    model, end = ho.parse(problems()["pollu"].text), problems()["pollu"].end
    p = jax.numpy.array([p.values[0] for p in model.declarations.parameters])
    rows, runs = [], {}
    for method in METHODS:
        count, slow = arithmetic(program_of(model.compiled(), method))
        for lanes in (1, host_lanes()):
            batch = 1 if lanes == 1 else MOST_BATCH
            row: Data = {"method": method, "lanes": lanes, "batch": batch, "instructions": count, "slow": slow}
            for part, last in (("whole", end), ("short", SHORT)):
                call = partial(solves(model, method, last, batch), p if batch == 1 else jax.numpy.tile(p, (batch, 1)))
                row[part] = int(np.ravel(call()[1])[0])
                runs[f"{method} {lanes} {part}"] = call
            rows.append(row)
    times = interleaved({name: lambda call=call: np.asarray(call()[0]) for name, call in runs.items()}, effort)
    peaks = {lanes: instructions_per_second(lanes) for lanes in (1, host_lanes())}
    for row in rows:
        whole, short = (times[f"{row['method']} {row['lanes']} {part}"].least for part in ("whole", "short"))
        row["step"] = (whole - short) / row["batch"] / (row["whole"] - row["short"])
        row["call"] = short - row["short"] * row["step"] * row["batch"]
        row["limit"] = row["instructions"] / peaks[row["lanes"]] / row["lanes"]
    return {"rows": rows, "peaks": {str(k): v for k, v in peaks.items()}}


def solves(model: ho.Model, method: str, end: float, batch: int) -> Callable[[Any], Any]:
    """Parameters (m,) or (batch, m) -> states at the end and numbers of steps."""
    import jax

    names, solve = ours.parameter_names(model), ours.solver(model, end, RTOL, ATOL, method)

    def one(p: Any) -> Any:
        solution = solve(dict(zip(names, p, strict=True)))
        return solution.states[-1], solution.counts["steps"]

    return jax.jit(one if batch == 1 else jax.vmap(one))


def goals(data: Data) -> list[tuple[str, float | None]]:
    single = min(r["step"] for r in data["rows"] if r["lanes"] == 1)
    wide = [r for r in data["rows"] if r["lanes"] > 1]
    ratio = min(r["step"] / r["limit"] for r in wide)
    return [("step", 1e6 * single), ("lane_step", 1e6 * min(r["step"] for r in wide)), ("limit", ratio)]


def write(data: Data) -> list[str]:
    rows = []
    for r in data["rows"]:
        ratio = f"{r['step'] / r['limit']:.2f}"
        name = f"{r['method']}, {'single' if r['lanes'] == 1 else str(r['lanes']) + ' lanes'}"
        count = f"{r['instructions']:,} ({r['slow']:,})"
        rows.append([name, time_text(r["step"]), time_text(r["limit"]), ratio, count, str(r["whole"])])
    peaks = ", ".join(f"{float(v) / 1e9:.2f} a nanosecond of {k} lane{'s' * (k != '1')}" for k, v in data["peaks"].items())
    return [
        "The least of interleaved runs, one processor, what a call costs beside its steps taken off. The limit starts every "
        "instruction of the step's tape (divisions and functions, in brackets, counted as one; a multiplication and an addition "
        "that the processor fuses as two) at the rate of independent fused multiply-adds measured on this "
        f"processor: {peaks}.",
        "",
        *grid(["POLLU", "a trajectory-step", "limit", "times the limit", "instructions", "steps"], rows),
    ]


TABLE = Table("limit", "Fraction of the physical limit", measure, write, goals)
