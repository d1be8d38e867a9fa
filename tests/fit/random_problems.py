"""Random estimation problems: reaction networks with known truth, simulated by SciPy, fitted from a start that is far off.

python -m tests.fit.random_problems 0 20        # fits problems 0 … 19 by default flags and prints a line each
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

from hybridode.errors import Source
from hybridode.fit.run import FitRun, fit
from hybridode.language.check import declare

Rate = Callable[[np.ndarray, dict[str, float]], float]
Terms = list[tuple[Rate, dict[int, int]]]  # a rate, and how it changes states
GAIN = 0.5  # log-likelihood by which another optimum must be better to count as missed


@dataclass
class Problem:
    """A model text with its declared (wrong) values, the truth, and noisy data of 1-3 experiments."""

    seed: int
    text: str
    truth: dict[str, float]
    data: pd.DataFrame
    noise: float
    start: np.ndarray
    terms: Terms = field(repr=False)

    @property
    def states(self) -> int:
        return self.text.count("\nstate ")


@dataclass
class _Draft:
    rng: np.random.Generator
    n: int
    parameters: dict[str, float] = field(default_factory=dict)
    terms: Terms = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, text: str, rate: Rate, change: dict[int, int]) -> None:
        self.texts.append(text)
        self.terms.append((rate, change))

    def parameter(self, low: float, high: float) -> str:
        name = f"k{len(self.parameters) + 1}"
        self.parameters[name] = float(np.exp(self.rng.uniform(np.log(low), np.log(high))))
        return name


def _conversion(d: _Draft, i: int, j: int) -> None:
    k = d.parameter(0.1, 2)
    d.add(f"{k}*x{i}", lambda x, p: p[k] * x[i], {i: -1, j: 1})


def _saturated(d: _Draft, i: int, j: int) -> None:
    v, km = d.parameter(0.2, 3), d.parameter(0.3, 3)
    d.add(f"{v}*x{i}/({km} + x{i})", lambda x, p: p[v] * x[i] / (p[km] + x[i]), {i: -1, j: 1})


def _catalysed(d: _Draft, i: int, j: int) -> None:
    k, c = d.parameter(0.1, 1), int(d.rng.integers(d.n))
    d.add(f"{k}*x{i}*x{c}", lambda x, p: p[k] * x[i] * x[c], {i: -1, j: 1})


def _inhibited(d: _Draft, i: int, j: int) -> None:
    k, ki, c = d.parameter(0.2, 3), d.parameter(0.3, 3), int(d.rng.integers(d.n))
    d.add(f"{k}*x{i}/(1 + (x{c}/{ki})^2)", lambda x, p: p[k] * x[i] / (1 + (x[c] / p[ki]) ** 2), {i: -1, j: 1})


def _loss(d: _Draft, i: int, j: int) -> None:
    k = d.parameter(0.02, 0.5)
    d.add(f"{k}*x{i}", lambda x, p: p[k] * x[i], {i: -1})


def _supply(d: _Draft, i: int, j: int) -> None:
    k = d.parameter(0.1, 1)
    d.add(f"{k}*u", lambda x, p: p[k] * p["u"], {i: 1})


_KINDS = (_conversion, _conversion, _saturated, _catalysed, _inhibited, _loss, _supply)


def problem(seed: int) -> Problem:
    """2-8 states, 3-15 parameters, 1-3 experiments, some cells missing; declared values off by up to a factor of ten."""
    rng = np.random.default_rng(seed)
    d = _Draft(rng, int(rng.integers(2, 9)))
    wanted = int(rng.integers(3, 14))
    for i in range(d.n - 1):  # every state takes part
        if len(d.parameters) < wanted:
            _conversion(d, i, i + 1)
    while len(d.parameters) < wanted:
        i, j = rng.choice(d.n, 2, replace=False)
        _KINDS[rng.integers(len(_KINDS))](d, int(i), int(j))
    start = rng.uniform(0.5, 4, d.n) * (rng.random(d.n) < 0.7)
    start[0] = rng.uniform(2, 5)
    start = np.array([float(f"{s:.4g}") for s in start])  # as the text says
    experiments = int(rng.integers(1, 4))
    levels = np.round(np.exp(rng.uniform(-1, 1, experiments)), 3)
    observed = sorted(rng.choice(d.n, max(1, int(np.ceil(d.n * rng.uniform(0.5, 1)))), replace=False).tolist())
    common = bool(rng.random() < 0.7)  # one scale, estimated; else known
    data, noise = _data(d, start, levels, observed, rng)
    scales = {"s": noise} if common else {}
    truth = {**d.parameters, **scales}
    declared = {k: v * 10 ** rng.uniform(-1, 1) for k, v in truth.items()}
    lines = [f"model random_{seed}", "const u = 1"]
    lines += [f"param {k} = {v:.4g} in (1e-4, 1e3) log" for k, v in declared.items()]
    lines += [f"state x{i} = {s:.4g}" for i, s in enumerate(start)]
    for i in range(d.n):
        terms = [f"{'+' if by[i] > 0 else '-'} {text}" for text, (_, by) in zip(d.texts, d.terms, strict=True) if i in by]
        lines.append(f"x{i}' = {' '.join(terms) if terms else '0'}")
    lines += [f"observe x{i} ~ normal(x{i}, {'s' if common else f'{noise:.6g}'})" for i in observed]
    return Problem(seed, "\n".join(lines) + "\n", truth, data, noise, start, d.terms)


def curve(terms: Terms, start: np.ndarray, p: dict[str, float], times: np.ndarray) -> np.ndarray:
    """States (T, n) by SciPy."""

    def right(t: float, x: np.ndarray) -> np.ndarray:
        out = np.zeros(len(x))
        for rate, change in terms:
            r = rate(x, p)
            for k, s in change.items():
                out[k] += s * r
        return out

    found = solve_ivp(right, (0, max(times)), start, "LSODA", t_eval=times, rtol=1e-9, atol=1e-11)
    assert found.success
    return found.y.T


def _data(
    d: _Draft, start: np.ndarray, levels: np.ndarray, observed: list[int], rng: np.random.Generator
) -> tuple[pd.DataFrame, float]:
    count = int(rng.integers(10, 26))
    times = [np.concatenate([[0], np.unique(np.round(rng.uniform(0.1, 10, count), 3))]) for _ in levels]
    curves = [
        curve(d.terms, start, {**d.parameters, "u": u}, t)[:, observed] for u, t in zip(levels.tolist(), times, strict=True)
    ]
    noise = float(f"{0.05 * np.mean([np.std(c) for c in curves]) + 1e-3:.4g}")
    frames = []
    for number, (u, t, values) in enumerate(zip(levels, times, curves, strict=True)):
        values = values + noise * rng.standard_normal(values.shape)
        values[rng.random(values.shape) < 0.1] = np.nan
        frame = pd.DataFrame(values, columns=[f"x{i}" for i in observed])
        frame.insert(0, "t", t)
        frame["experiment"], frame["u"] = f"e{number + 1}", u
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), noise


def negative_log_likelihood(one: Problem, values: dict[str, float]) -> float:
    """Of the data by SciPy's solution."""
    total, s = 0.0, values.get("s", one.noise)
    for _, rows in one.data.groupby("experiment"):
        times = rows["t"].to_numpy()
        x = curve(one.terms, one.start, {**values, "u": float(rows["u"].iloc[0])}, times)
        for column in (c for c in rows.columns if c.startswith("x")):
            z = (rows[column].to_numpy() - x[:, int(column[1:])]) / s
            total += np.nansum(0.5 * z**2 + np.log(s) + 0.5 * np.log(2 * np.pi))
    return float(total)


@dataclass(frozen=True)
class Outcome:
    """Objectives by default flags and from the truth; `found` when the default is not worse by more than GAIN."""

    run: FitRun
    value: float
    from_truth: float
    seconds: float

    @property
    def found(self) -> bool:
        return bool(self.value <= self.from_truth + GAIN)


def attempt(one: Problem) -> Outcome:
    """Fits by default flags; then one start from the truth, which is near the best optimum."""
    model = declare(Source("model.ode", one.text))
    began = time.perf_counter()
    run = fit(model, one.data)
    seconds = time.perf_counter() - began
    reference = fit(model, one.data, set=one.truth, starts=1)
    value, best = (r.result["objective"]["value"] for r in (run, reference))
    return Outcome(run, np.inf if value is None else value, np.inf if best is None else best, seconds)


def main(first: int, last: int) -> None:
    found, seconds = 0, 0.0
    for seed in range(first, last):
        one = problem(seed)
        outcome = attempt(one)
        found, seconds = found + outcome.found, seconds + outcome.seconds
        print(
            f"{seed:4d} {one.states} states {len(one.truth):2d} parameters  "
            f"{'found ' if outcome.found else 'MISSED'} {outcome.value:12.5f} {outcome.from_truth:12.5f} "
            f"{outcome.seconds:6.2f} s  {outcome.run.status}: {outcome.run.result['status_reason']}",
            flush=True,
        )
    print(f"{found} of {last - first} found, {seconds / max(last - first, 1):.2f} s each")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
