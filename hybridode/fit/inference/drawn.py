"""What the draws of a posterior say of the records: the noise's arguments, log-likelihoods, data simulated anew, curves.

Each draw is one solve per series, at the records' times and on a dense grid; many share a call, in lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.limits import kinds_of, log_likelihood
from hybridode.fit.objective.noise import Noise
from hybridode.fit.objective.xla import SOME, compiler_options
from hybridode.fit.outcome.tables import grid_of
from hybridode.fit.prepare import Prepared
from hybridode.kernels.programs import programs_kept
from hybridode.solve import results

BLOCK = 64  # draws in a call
MOST_NUMBERS = 4_000_000  # of draws times records, which are kept
MOST_CURVES = 400  # draws whose curves are kept


@dataclass(frozen=True, eq=False)
class Observed:
    """The records of one observation in all series, one behind the other: `series`, `line` in the file, time, value, `upper`,
    `censored`, `fitted` (not held out, not left out), each (R,), and the noise's arguments at `draws` (N, R, a)."""

    column: str
    noise: Noise
    series: np.ndarray
    line: np.ndarray
    time: np.ndarray
    value: np.ndarray
    upper: np.ndarray
    censored: np.ndarray
    fitted: np.ndarray
    arguments: np.ndarray

    @property
    def eta(self) -> tuple[np.ndarray, ...]:
        """The arguments one by one, each (N, R)."""
        return tuple(np.moveaxis(self.arguments, -1, 0))


@dataclass(frozen=True, eq=False)
class Drawn:
    """`picked` (chains, m): which draws of each chain were solved; `solved` (N,) with N = chains * m, chain by chain: whether
    they could be. `observed`: one for each observed column. `ts` (S, T); `curves` (n, S, T, k) the locations of the observed
    columns at some of the draws."""

    picked: np.ndarray
    solved: np.ndarray
    observed: tuple[Observed, ...]
    ts: np.ndarray
    curves: np.ndarray
    arguments: tuple[np.ndarray, ...]  # of each column's noise along the curves, (n, S, T, a)


def drawn(prepared: Prepared, thetas: np.ndarray, tell: Callable[[int, int], None] | None = None) -> Drawn:
    """From draws theta (chains, draws, d): as many of each chain, evenly spaced, as MOST_NUMBERS allows."""
    chains, draws, d = thetas.shape
    records = max(prepared.dataset.n_records, 1)
    most = max(int(MOST_NUMBERS / records / chains), 1)
    picked = np.unique(np.linspace(0, draws - 1, min(draws, most)).round().astype(int))
    chosen = thetas[:, picked].reshape(-1, d)
    shown = np.unique(np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_CURVES)).round().astype(int))
    places = [_records(prepared, k) for k in range(len(prepared.dataset.columns))]
    ts = grid_of(prepared.dataset)
    at = [np.minimum([np.searchsorted(ts[s], t) for s, t in zip(p[0], p[2], strict=True)], ts.shape[1] - 1).astype(int)
          for p in places]  # fmt: skip
    kept: list[list[np.ndarray]] = [[] for _ in places]
    curves: list[np.ndarray] = []
    ok = []
    with jax.enable_x64(True), programs_kept():
        program = _solver(prepared)
        for begin in range(0, len(chosen), BLOCK):
            block = chosen[begin : begin + BLOCK]
            full = np.concatenate([block, np.repeat(block[:1], BLOCK - len(block), axis=0)])
            observed, result = (np.asarray(a)[: len(block)] for a in program(full, prepared.batch, ts))
            ok.append(np.all(result == results.SUCCESS, axis=1))
            for k, (place, where) in enumerate(zip(places, at, strict=True)):
                kept[k].append(observed[:, place[0], where][..., prepared.objective.argument_places[k]])
            rows = shown[(shown >= begin) & (shown < begin + len(block))] - begin
            curves.append(observed[rows])
            if tell is not None:
                tell(begin + len(block), len(chosen))
    objective = prepared.objective
    columns = tuple(
        Observed(name, objective.rows[k], *places[k], arguments=np.concatenate(kept[k]))
        for k, name in enumerate(prepared.dataset.columns)
    )
    all_curves = np.concatenate(curves)
    along = tuple(all_curves[..., objective.argument_places[k]] for k in range(len(columns)))
    with np.errstate(all="ignore"):
        locations = np.stack([c.noise.location(*np.moveaxis(a, -1, 0)) for c, a in zip(columns, along, strict=True)], axis=-1)
    return Drawn(np.tile(picked, (chains, 1)), np.concatenate(ok), columns, ts, locations, along)


def _solver(prepared: Prepared) -> Callable[..., Any]:
    """Of thetas (B, d): the observables (B, S, T, q) and the results (B, S)."""
    objective = prepared.objective

    def of_series(theta: Any, series: Batch, ts: Any) -> Any:
        _, observed, _, result = objective.along(theta, series, ts)
        return observed, result

    def one(theta: Any, batch: Batch, ts: Any) -> Any:
        return jax.vmap(of_series, (None, 0, 0))(theta, batch, ts)

    return jax.jit(jax.vmap(one, (0, None, None)), compiler_options=compiler_options(SOME))


def _records(prepared: Prepared, k: int) -> tuple[np.ndarray, ...]:
    """series, line, time, value, upper, censored, fitted of the records of observation k."""
    parts = []
    for row, (series, held) in enumerate(zip(prepared.dataset.series, prepared.held, strict=True)):
        r = series.records
        mine = np.flatnonzero(r.column == k)
        fitted = ~held[mine] & (r.weight[mine] > 0)
        parts.append(
            (np.full(len(mine), row), r.line[mine], r.time[mine], r.value[mine], r.upper[mine], r.censored[mine], fitted)
        )
    return tuple(np.concatenate(a) for a in zip(*parts, strict=True))


# ---- likelihood and new data ---------------------------------------------------------------------------------------------
_log_likelihood = partial(jax.jit, static_argnums=(0, 5))(log_likelihood)


def log_likelihoods(column: Observed) -> np.ndarray:
    """log p(record | draw), (N, R)."""
    kinds = kinds_of(column.censored, np.ones(len(column.value)))
    with jax.enable_x64(True), programs_kept():
        return np.asarray(_log_likelihood(column.noise, column.value, column.upper, column.censored, column.eta, kinds))


def simulated(noise: Noise, eta: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """New values from the noise at arguments of one shape."""
    with np.errstate(all="ignore"):
        if noise.name in _QUICK:
            return _QUICK[noise.name](random, *eta)
        shape = np.broadcast_shapes(*(np.shape(e) for e in eta))
        possible = np.logical_and.reduce([np.isfinite(e) for e in eta])
        safe = [np.where(possible, e, n) for e, n in zip(eta, noise.neutral, strict=True)]
        return np.where(possible, noise.frozen(*safe).rvs(size=shape, random_state=random), np.nan)


_QUICK: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda random, m, s: m + s * random.standard_normal(np.shape(m)),
    "lognormal": lambda random, m, s: m * np.exp(s * random.standard_normal(np.shape(m))),
    "laplace": lambda random, m, b: m + b * random.laplace(size=np.shape(m)),
}
