"""Networks that nothing needs: data of the physics alone, fitted by a hybrid. Is the verdict "not supported"?

    python -m tests.fit.false_networks [FIRST] [LAST] [MODEL …] [--at-the-end]

Four models, a seed a line; data by SciPy, fits with default flags. --at-the-end: what `hybridode fit` says by itself, in the time
that it has for that; else all that is compared has the time it needs. docs/criticism.md keeps the table of seeds 0 to 9; seeds
from 100 on are those that were looked at while the rule was made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

import hybridode.api as ho
from hybridode.commands.afterwards import seconds_of_baselines
from hybridode.fit.criticism.baselines import Baselines, baselines

RIVALS = """model rivals
time t from 0
param alpha = 0.8 in (0.05, 10) log
param beta = 0.3 in (0.05, 10) log
param gamma = 0.8 in (0.05, 10) log
param delta = 0.3 in (0.05, 10) log
param s = 0.2 in (0.01, 2) log
state x = 2 in (0.1, 20) log
state y = 1 in (0.1, 20) log
nn U: 2 -> 1, hidden=[6], reg=l2(0.1)
x' = alpha*x - beta*x*y + U(x, y)
y' = delta*x*y - gamma*y
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
"""

GROWTH = """model growth
time t from 0
param r = 0.5 in (0.01, 10) log
param K = 5 in (0.5, 100) log
param s = 0.3 in (0.01, 5) log
state x = 0.5 in (0.01, 5) log
x' = r*x*(1 - x/K) + NN(x, hidden=[5], reg=l2(0.1))
observe x ~ normal(x, s)
"""

SWING = """model swing
time t from 0
param w2 = 5 in (0.5, 50) log
param c = 0.2 in (0.01, 5) log
param s = 0.1 in (0.005, 2) log
state th = 1
state om = 0
th' = om
om' = -w2*sin(th) - c*om + NN(om, hidden=[5], symmetry=odd, reg=l2(0.1))
observe th ~ normal(th, s)
"""

DRUG = """model drug
time t from 0
const dose = 1
param ka = 1 in (0.05, 20) log
param k = 0.3 in (0.01, 5) log
param s = 0.2 in (0.01, 2) log
state gut
state c = 0.05
gut(0) = dose
gut' = -ka*gut
c' = ka*gut - k*c + NN(c, hidden=[5], zero_at=[0], reg=l2(0.1))
observe c ~ lognormal(c, s)
"""


def rivals(random: np.random.Generator) -> pd.DataFrame:
    t = np.linspace(0.5, 20, 40)
    flow = lambda t, u: [1.1 * u[0] - 0.4 * u[0] * u[1], 0.25 * u[0] * u[1] - 0.6 * u[1]]  # noqa: E731
    y = solved(flow, [3.0, 1.5], t)
    x, y = y * np.exp(0.1 * random.standard_normal(y.shape))
    return pd.DataFrame({"t": t, "x": x, "y": y})


def growth(random: np.random.Generator) -> pd.DataFrame:
    t = np.linspace(0, 12, 30)
    (x,) = solved(lambda t, u: [0.8 * u[0] * (1 - u[0] / 7)], [0.3], t)
    return pd.DataFrame({"t": t, "x": x + 0.25 * random.standard_normal(len(t))})


def swing(random: np.random.Generator) -> pd.DataFrame:
    t = np.linspace(0.1, 8, 60)
    th, _ = solved(lambda t, u: [u[1], -9.81 * np.sin(u[0]) - 0.3 * u[1]], [1.0, 0.0], t)
    return pd.DataFrame({"t": t, "th": th + 0.05 * random.standard_normal(len(t))})


def drug(random: np.random.Generator) -> pd.DataFrame:
    t, tables = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12.0]), []
    for series, dose in zip("ABCDE", (0.5, 1, 2, 4, 8), strict=True):
        _, c = solved(lambda t, u: [-1.4 * u[0], 1.4 * u[0] - 0.35 * u[1]], [dose, 0.05], t)
        tables.append(
            pd.DataFrame({"experiment": series, "t": t, "dose": dose, "c": c * np.exp(0.15 * random.standard_normal(len(t)))})
        )
    return pd.concat(tables)


def solved(flow: Callable[..., list[float]], start: list[float], t: np.ndarray) -> np.ndarray:
    found = solve_ivp(flow, (0, t[-1]), start, t_eval=t, rtol=1e-9, atol=1e-9)
    assert found.success
    return found.y


MODELS = {"rivals": (RIVALS, rivals), "growth": (GROWTH, growth), "swing": (SWING, swing), "drug": (DRUG, drug)}


def verdict(model: str, seed: int, at_the_end: bool = False) -> Baselines:
    """What is said of a seed; at_the_end: within the time that a fit has for it."""
    text, make = MODELS[model]
    data = make(np.random.default_rng((seed, list(MODELS).index(model))))
    run = ho.fit(ho.parse(text), data)
    assert run.status in ("converged", "stopped"), run.result["status_reason"]
    return baselines(run.fitted, seconds_of_baselines(run.fitted)) if at_the_end else baselines(run.fitted, alone=False)


def main(first: int, last: int, models: list[str], at_the_end: bool) -> int:
    right = dict.fromkeys(models, 0)
    for seed in range(first, last + 1):
        for model in models:
            began = time.perf_counter()
            found = verdict(model, seed, at_the_end)
            v, models_there = found.verdict, sum(bool(np.isfinite(j.nll)) for j in found.judged)
            right[model] += v.kind == "not supported"
            sure = "provisional" if v.provisional else ""
            print(f"{model:8} seed {seed:3}  {v.kind:14} log-likelihood {v.gain:+.2f}  BIC {v.bic:+.1f}  error {v.relative:.3f}  "
                  f"{models_there} models, {time.perf_counter() - began:.1f} s {sure}", flush=True)  # fmt: skip
    for model, count in right.items():
        print(f"{model:8} not supported in {count} of {last - first + 1}")
    return int(any(count < 0.9 * (last - first + 1) for count in right.values()))


if __name__ == "__main__":
    numbers = [int(a) for a in sys.argv[1:] if a.isdecimal()]
    names = [a for a in sys.argv[1:] if a in MODELS] or list(MODELS)
    sys.exit(main(numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 9, names, "--at-the-end" in sys.argv))
