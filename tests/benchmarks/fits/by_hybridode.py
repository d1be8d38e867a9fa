"""hybridode by its public interface: one call of `ho.fit`, from the points given, from a cold cache."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.fits.outcome import Ended, Outcome, Watch
from tests.benchmarks.fits.problem import FitProblem

# Imports are not counted: all that a fit loads when it is first called, parts of SymPy and pandas that they load late too.
IMPORTED = ("hybridode.fit.run", "hybridode.api", "hybridode.kernels.llvm.module", "hybridode.language.check",
            "hybridode.methods.explicit_tableaux", "hybridode.methods.rosenbrock_tableaux", "pandas.core.methods.to_dict",
            "pyarrow.pandas_compat", "sympy.assumptions.wrapper", "sympy.sets.setexpr", "sympy.tensor.tensor")  # fmt: skip


def model_text(problem: FitProblem) -> str:
    """The model as a user writes it."""
    lines = [f"model {problem.name}", "time t from 0"]
    for p in problem.parameters:
        middle = float(np.sqrt(p.low * p.high))
        lines.append(f"param {p.name} = {middle!r} in ({p.low!r}, {p.high!r}) log")
    lines += [f"state {name} = {value!r}" for name, value in problem.states]
    lines += [f"{name} = {expression.format(t='t')}" for name, expression in problem.definitions]
    if problem.network is not None:
        n = problem.network
        lines.append(f"nn U: {n.sizes[0]} -> {n.sizes[-1]}, hidden={list(n.sizes[1:-1])}, act=tanh, shift={list(n.shift)}, "
                     f"scale={list(n.scale)}, out_scale={n.out_scale}")  # fmt: skip
        lines.append(f"[{', '.join(n.outputs)}] = U({', '.join(n.inputs)})")
    lines += [f"d{name}/dt = {rate}" for (name, _), rate in zip(problem.states, problem.equations, strict=True)]
    lines += [f"observe {column} ~ normal({expression}, {s})" for column, expression, s in problem.observed]
    return "\n".join(lines) + "\n"


def point(problem: FitProblem, p: np.ndarray) -> dict[str, object]:
    """A start as `ho.fit` takes it."""
    found: dict[str, object] = dict(zip(problem.names, p.tolist(), strict=False))
    if problem.network is not None:
        arrays = problem.network.arrays(p[problem.count :])
        found["U"] = {f"{'Wb'[k % 2]}{k // 2}": a for k, a in enumerate(arrays)}
    return found


def fitted(problem: FitProblem, done: Any) -> list[float]:
    """p of a finished fit."""
    found = [float(done.parameters[name]) for name in problem.names]
    if problem.network is not None:
        for k in range(len(problem.network.sizes) - 1):
            found += [x for kind in "Wb" for x in np.ravel(done.weights["U"][f"{kind}{k}"]).tolist()]
    return found


def run(problem: FitProblem, starts: list[np.ndarray], limit: float) -> Outcome:
    import hybridode as ho

    for heavy in IMPORTED:
        import_module(heavy)
    watch = Watch()
    columns = [column for column, *_ in problem.observed]
    data = pd.DataFrame({"t": problem.times, **dict(zip(columns, problem.data, strict=True))})
    done = ho.fit(ho.parse(model_text(problem)), data, starts=[point(problem, p) for p in starts], max_seconds=limit)
    outcome = Outcome(total=watch.elapsed, note="; ".join(line for line in done.log if "starts" in line))
    outcome.setup = float(done.trace["seconds"].min())
    whole = done.trace[~done.trace["stage"].str.endswith("%")]  # other stages see some of the records
    traces = dict(list(whole.groupby("start")))
    for entry in done.result["starts"]:
        value, rows = entry["objective"], traces.get(entry["start"])
        if value is None or rows is None or entry["start"] > len(starts):  # what the ladder found is none of the starts
            continue
        own = list(zip(rows["seconds"].tolist(), rows["objective"].cummin().tolist(), strict=True))
        outcome.ended.append(Ended(entry["start"], own[-1][0], [], value, own, f"{entry['status']}: {entry['reason']}"))
    value = done.result["objective"]["value"]
    if value is not None:
        outcome.answer = Ended(0, outcome.total, fitted(problem, done), value)
    return outcome
