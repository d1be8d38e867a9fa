"""Parametric bootstrap: the fit repeated on data that the fitted model could have given.

Replicates are drawn by `simulated` and fitted again from the optimum by Fisher scoring, all side by side in the lanes of the fit:
a lane has records of its own. Replicate i of a seed is always the same, whatever ran before it. Intervals are basic (pivotal)
bootstrap intervals on the scale of the search z, logarithms for scales and rates: [2 z - q(97.5 %), 2 z - q(2.5 %)] of the
replicates' quantiles q, which takes the bias out that plain percentiles double. (A. C. Davison, D. V. Hinkley, Bootstrap Methods
and their Application, 1997, section 5.2; B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.inference.simulated import Records, simulator
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Evaluation, Objective
from hybridode.fit.objective.xla import SOME, compiler_options
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask, Point
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring

_BLOCKS = 4  # of lanes that are worked on together: what is done between two moments at which results are kept
_ITERATIONS = 100
_RANKS = "weibull"  # quantiles at p (n + 1): of few replicates others lie too far inside
_LEAST = 20  # replicates without which there are no intervals


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """`estimates`: sample (its number), converged, objective, and the entries in natural units; `value` (k,) of the fit;
    `early`: why it ended before its end."""

    space: ParameterSpace
    value: np.ndarray
    estimates: pd.DataFrame
    early: str

    @property
    def good(self) -> pd.DataFrame:
        """The replicates that converged."""
        return self.estimates.loc[self.estimates["converged"]]

    @cached_property
    def table(self) -> pd.DataFrame:
        """name, value, se, bias, lower95, upper95 (basic intervals), lower95_plain, upper95_plain (percentiles)."""
        names, rows = self.space.names, []
        x = self.good[list(names)].to_numpy(float)
        enough = len(x) >= _LEAST
        basic = basic_interval(self.space, self.value, x) if enough else np.full((len(names), 2), np.nan)
        for k, (name, value) in enumerate(zip(names, self.value, strict=True)):
            spread = (np.std(x[:, k], ddof=1), np.mean(x[:, k]) - value) if enough else (np.nan, np.nan)
            plain = np.quantile(x[:, k], [0.025, 0.975], method=_RANKS) if enough else (np.nan, np.nan)
            rows.append((name, float(value), *map(float, (*spread, *basic[k], *plain))))
        columns = ["name", "value", "se", "bias", "lower95", "upper95", "lower95_plain", "upper95_plain"]
        return pd.DataFrame(rows, columns=columns)

    def sentences(self) -> list[str]:
        """How many replicates there are, and which estimates are biased."""
        good, all_ = len(self.good), len(self.estimates)
        found = [f"{good} of {all_} replicates converged" + (f"; {self.early}" if self.early else "")]
        table = self.table
        for name, bias, se in zip(table["name"], table["bias"].to_numpy(float), table["se"].to_numpy(float), strict=True):
            if np.isfinite(se) and abs(bias) > 0.25 * se:  # Efron and Tibshirani, section 10.3
                part = f"{abs(bias) / se:.2g} of its standard error"
                found.append(f"the estimate of `{name}` is too {'large' if bias > 0 else 'small'} in the mean, by {part}")
        return found


def basic_interval(space: ParameterSpace, value: np.ndarray, x: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Basic bootstrap intervals (k, 2) of estimates (k,) with replicates x (n, k), natural, on the scale of the search."""
    z = space.unconstrain_vector(value)
    found = np.array([space.unconstrain_vector(row) for row in x])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0, method=_RANKS)
    return np.stack([space.vector(2 * z - high), space.vector(2 * z - low)], axis=1)


def bootstrap(
    lanes: Lanes,
    theta: np.ndarray,
    samples: int,
    seed: int = 0,
    done: pd.DataFrame | None = None,
    recorder: Recorder | None = None,
    keep: Callable[[Bootstrap], None] | None = None,
) -> Bootstrap:
    """Replicates 1 … `samples` of a seed round the optimum theta (d,); those in `done` are not fitted again. `keep` is told after
    every few. Ctrl-C and the recorder's limit of time end it early.

    Raises UsageError E0785 with more numbers than the Fisher matrix is computed for."""
    objective = lanes.objective
    if len(theta) > FISHER_MOST:
        raise UsageError(Diagnostic("E0785", f"replicates need the Fisher matrix, and {len(theta)} numbers are learnt: more than "
                                    f"{FISHER_MOST}", hint="make the networks smaller, or freeze them"))  # fmt: skip
    space, recorder = objective.space, Recorder() if recorder is None else recorder
    value = space.vector(theta[: space.size])
    rows: list[pd.DataFrame] = [] if done is None else [done.loc[done["sample"] <= samples]]
    have = set() if done is None else set(done["sample"])
    missing = [i for i in range(1, samples + 1) if i not in have]
    recorder.starts = samples
    early = ""
    with jax.enable_x64(True):
        draws, fits = simulator(objective, lanes.batch, theta), Replicates(objective, lanes.batch, lanes.width)
        together = _BLOCKS * lanes.width
        for at in range(0, len(missing), together):
            some = missing[at : at + together]
            fits.records = {i: draws.draw(np.random.default_rng([seed, i])) for i in some}
            found, early = refits(fits, theta, some, recorder)
            if len(found):
                rows.append(found)
            if keep is not None:
                keep(_joined(space, value, rows, early))
            if early:
                break
    return _joined(space, value, rows, early)


def _joined(space: ParameterSpace, value: np.ndarray, rows: Sequence[pd.DataFrame], early: str) -> Bootstrap:
    whole = pd.concat(rows, ignore_index=True).sort_values("sample", ignore_index=True) if rows else (
        pd.DataFrame(columns=["sample", "converged", "objective", *space.names]).astype({"converged": bool}))  # fmt: skip
    return Bootstrap(space, value, whole, early)


def refits(fits: Replicates, theta: np.ndarray, numbers: Sequence[int], recorder: Recorder) -> tuple[pd.DataFrame, str]:
    """Those of the replicates that ended, fitted from theta (d,): sample, converged, objective, natural values; why it ended."""
    space = fits.objective.space
    low, high = space.box()
    free = np.full(len(theta) - space.size, np.inf)
    box = Box(np.concatenate([low, -free]), np.concatenate([high, free]))
    starts = [Snapshot(i, theta, None, Track(recorder, i, "bootstrap")) for i in numbers]

    def begin(start: Snapshot) -> Any:
        return fisher_scoring(start.theta, start.track, _ITERATIONS, view=start.number, box=box)

    pool = Pool(starts, begin, fits, recorder).run()
    rows = []
    for number, ending in sorted(pool.ended.items()):
        best = ending.optimum
        natural = space.vector(best.theta[: space.size])
        rows.append((number, best.status == "converged", best.value, *natural))
    return pd.DataFrame(rows, columns=["sample", "converged", "objective", *space.names]), pool.early


class Replicates:
    """The objective on records that differ from lane to lane: `view` of an ask is the number of its replicate."""

    def __init__(self, objective: Objective, batch: Batch, width: int) -> None:
        self.objective, self.batch, self.width = objective, batch, width
        self.records: dict[int, Records] = {}

    @cached_property
    def _program(self) -> Callable[..., Evaluation]:
        def one(theta: Any, active: Any, records: Any, batch: Batch) -> Evaluation:
            pairs = zip(batch.columns, records, strict=True)
            columns = tuple(replace(c, value=v, censored=z, upper=u) for c, (v, z, u) in pairs)
            horizon = jnp.where(active, batch.horizon, batch.t0)
            return self.objective.value_and_fisher(theta, replace(batch, columns=columns, horizon=horizon))

        program = one if self.width == 1 else jax.vmap(one, (0, 0, 0, None))
        return jax.jit(program, compiler_options=compiler_options(SOME))

    def __call__(self, asks: Sequence[Ask]) -> list[Point]:
        """The points asked for, in order."""
        points: list[Point] = []
        for at in range(0, len(asks), self.width):
            points += self._block(asks[at : at + self.width])
        return points

    def _block(self, asks: Sequence[Ask]) -> list[Point]:
        if self.width == 1:
            e = self._program(asks[0].theta, True, self.records[asks[0].view], self.batch)
            return [self._point(asks[0].theta, jax.tree_util.tree_map(np.asarray, e))]
        filled = [*asks, *[asks[0]] * (self.width - len(asks))]
        records = jax.tree_util.tree_map(lambda *leaves: np.stack(leaves), *(self.records[a.view] for a in filled))
        thetas = np.stack([a.theta for a in filled])
        found = jax.tree_util.tree_map(np.asarray, self._program(thetas, np.arange(self.width) < len(asks), records, self.batch))
        return [self._point(a.theta, jax.tree_util.tree_map(lambda x, i=i: x[i], found)) for i, a in enumerate(asks)]

    def _point(self, theta: np.ndarray, e: Evaluation) -> Point:
        value = float(e.value)
        reason = "" if np.isfinite(value) else self.objective.why(e)
        return Point(np.array(theta), value, np.asarray(e.gradient, float), np.asarray(e.fisher, float), reason)
