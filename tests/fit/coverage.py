"""Do 95 % intervals hold the truth in 95 % of data sets? Three models, simulated again and again.

python -m tests.fit.coverage [DATASETS] [REPLICATES] [SEED]      # 200 200 0: a table for docs/uncertainty.md

Draws by NUTS need bounds: there the parameters are flat in their logarithm between 1e-3 and 1e4. A cell is rejected by the exact
binomial test at 0.001, and marked. All data sets of a model go through one compiled program.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import scipy.stats

import hybridode as ho
from hybridode.fit.inference.bootstrap import Bootstrap, Replicates, refits
from hybridode.fit.inference.profiles import profiles
from hybridode.fit.inference.sampling import Sampler
from hybridode.fit.inference.simulated import arguments_program, simulator
from hybridode.fit.objective.batch import Batch
from hybridode.fit.outcome.uncertainty import uncertainty
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.prepare import Prepared
from hybridode.fit.progress import Recorder
from hybridode.fit.search.ask import Ask, Point
from hybridode.fit.search.region import Box

REJECTED = 0.001
DRAWS, WARMUP = 250, 300  # of each of 4 chains


@dataclass(frozen=True)
class Model:
    """A text whose declared values are the truth; the columns are simulated at `times`; below `limit` nothing is measured."""

    name: str
    text: str
    times: np.ndarray
    columns: tuple[str, ...]
    limit: float | None = None


MODELS = (
    Model("decay, normal noise, limit of detection", """model decay
time t from 0
param k = 0.5 in (0, inf) log
param x0 = 3 in (0, inf) log
param s = 0.2 in (0.001, 10) log
state x
x(0) = x0
x' = -k*x
observe x ~ normal(x, s)
""", np.linspace(0.05, 4, 100), ("x",), 0.4),
    Model("logistic growth, counts", """model growth
time t from 0
param r = 0.9 in (0, inf) log
param K = 80 in (0, inf) log
param x0 = 4 in (0, inf) log
state x
x(0) = x0
x' = r*x*(1 - x/K)
observe x ~ poisson(x)
""", np.linspace(0.3, 9, 30), ("x",)),
    Model("predator and prey, lognormal noise", """model prey
time t from 0
param a = 0.55 in (0, inf) log
param b = 0.03 in (0, inf) log
param c = 0.8 in (0, inf) log
param d = 0.025 in (0, inf) log
param s = 0.2 in (0.001, 10) log
state x = 30
state y = 6
x' = a*x - b*x*y
y' = d*x*y - c*y
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
""", np.linspace(0.5, 20, 40), ("x", "y")),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class One:
    """A data set and its fit: the evaluator of its objective, the optimum, and what bootstraps it."""

    prepared: Prepared
    evaluate: Callable[[Sequence[Ask]], list[Point]]
    best: Point
    box: Box
    replicates: Callable[[np.ndarray], pd.DataFrame]
    draws: Callable[[], np.ndarray]  # (n, k) natural, from the posterior

    @property
    def space(self) -> ParameterSpace:
        return self.prepared.objective.space


def by_profile(one: One) -> np.ndarray:
    """Ends (k, 2) of intervals in natural units."""
    found, _ = profiles(one.space, one.best, one.evaluate, box=one.box)
    ends = np.array([p.interval(one.space) for p in found])
    return np.where(np.isnan(ends), [-np.inf, np.inf], ends)


def by_laplace(one: One) -> np.ndarray:
    found = uncertainty(one.space, one.best.theta, one.best.fisher)
    return np.stack([found.lower, found.upper], axis=1)


def by_bootstrap(one: One) -> np.ndarray:
    boot = Bootstrap(one.space, one.space.vector(one.best.theta), one.replicates(one.best.theta), "")
    return boot.table[["lower95", "upper95"]].to_numpy(float)


def by_nuts(one: One) -> np.ndarray:
    return np.quantile(one.draws(), [0.025, 0.975], axis=0).T


METHODS: dict[str, Callable[[One], np.ndarray]] = {"profile": by_profile, "Laplace": by_laplace, "bootstrap": by_bootstrap,
                                                       "NUTS": by_nuts}  # fmt: skip


def bounded(model: Model) -> Model:
    """With bounds on both sides of every parameter, without which there is no posterior."""
    return replace(model, text=model.text.replace("in (0, inf) log", "in (1e-3, 1e4) log"))


def with_records(batch: Batch, records: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Batch:
    """The same places with other values, signs of limits and upper limits."""
    columns = (replace(c, value=v, censored=z, upper=u) for c, (v, z, u) in zip(batch.columns, records, strict=True))
    return replace(batch, columns=tuple(columns))


def prepared_of(model: Model) -> Prepared:
    """One fit, whose compiled programs all data sets of its shape share."""
    frame: dict[str, object] = {"t": model.times, **{c: np.full(len(model.times), 1.0) for c in model.columns}}
    if model.limit is not None:
        cells = ["1.0"] * len(model.times)
        cells[-1] = f"<{model.limit}"
        frame |= dict.fromkeys(model.columns, cells)
    run = ho.fit(ho.parse(model.text), pd.DataFrame(frame), starts=[{}])
    assert run.fitted.finished is not None
    return run.fitted.finished.prepared


def coverage(model: Model, datasets: int, replicates: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Per method how many intervals of each entry held the truth (k,); how many data sets could be fitted as `fits`."""
    with jax.enable_x64(True):
        prepared = prepared_of(model)
        objective, lanes = prepared.objective, prepared.lanes
        space = objective.space
        truth = space.unconstrain()
        box = Box(*space.box())
        program = arguments_program(objective, lanes.batch)
        draws, fits = simulator(objective, lanes.batch, truth, program), Replicates(objective, lanes.batch, lanes.width)
        flat = prepared_of(bounded(model))
        begin = flat.objective.space.unconstrain()
        sampler = Sampler(flat, begin)
        held = {name: np.zeros(space.size, int) for name in METHODS} | {"fits": np.zeros(1, int)}
        for i in range(1, datasets + 1):
            fits.records = {0: draws.draw(np.random.default_rng([seed, i]))}
            found, _ = refits(fits, truth, [0], Recorder())
            if not bool(found["converged"].to_numpy()[0]):
                continue
            theta = space.unconstrain_vector(found[list(space.names)].to_numpy(float)[0])

            def evaluate(asks: Sequence[Ask]) -> list[Point]:
                return fits([replace(ask, view=0) for ask in asks])

            def again(theta: np.ndarray, i: int = i) -> pd.DataFrame:
                mine = simulator(objective, with_records(lanes.batch, fits.records[0]), theta, program)
                numbers = range(1, replicates + 1)
                fits.records = {n: mine.draw(np.random.default_rng([seed, i, n])) for n in numbers}
                return refits(fits, theta, numbers, Recorder())[0]

            def draws_of(records: Any = fits.records[0], i: int = i) -> np.ndarray:
                drawn = sampler.draw(DRAWS, seed=i, warmup=WARMUP, theta=begin, batch=with_records(flat.fitted, records))
                return drawn.natural.reshape(-1, space.size)

            one = One(prepared, evaluate, evaluate([Ask(theta)])[0], box, again, draws_of)
            natural = space.vector(truth)
            held["fits"] += 1
            for name, intervals in METHODS.items():
                if name == "bootstrap" and not replicates:
                    continue
                ends = intervals(one)
                held[name] += (ends[:, 0] <= natural) & (natural <= ends[:, 1])
        return held | {"names": np.array(space.names)}


def main(datasets: int = 200, replicates: int = 200, seed: int = 0) -> int:
    wrong = 0
    print(f"| model | parameter | {' | '.join(METHODS)} |\n|---|---|{'---|' * len(METHODS)}")
    for model in MODELS:
        began = time.process_time()
        held = coverage(model, datasets, replicates, seed)
        n = int(held["fits"][0])
        for k, name in enumerate(held["names"]):
            cells = []
            for method in METHODS:
                count = int(held[method][k])
                bad = scipy.stats.binomtest(count, n, 0.95).pvalue < REJECTED
                wrong += bad
                cells.append(f"{100 * count / n:.1f} %{' rejected' if bad else ''}")
            print(f"| {model.name} | `{name}` | {' | '.join(cells)} |", flush=True)
        print(f"{model.name}: {n} of {datasets} data sets, {time.process_time() - began:.0f} s of CPU", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:])))
