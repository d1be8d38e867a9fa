"""A dataset as padded arrays, so that all series are solved by one vectorised program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from hybridode.data.experiments import Dataset, Series
from hybridode.declarations import entry_names
from hybridode.fit.objective.assignment import assignment
from hybridode.fit.parameters import ParameterSpace
from hybridode.solve.doses import Doses, stack_doses
from hybridode.solve.problem import Compiled
from hybridode.solve.pytree import pytree
from hybridode.solve.signals import Signals, build_signals, no_signals, stack_signals

GRID = 50  # times per series at which constraints are looked at, besides those of the data


@pytree
class Column:
    """The records of one observation, padded: which time (S, R), value, censored (-1, 0, 1, 2), used, upper.

    `used` is the weight of a record, 0 where it is not in use (held out, outside the horizon, padding). Where censored is 2 the
    true value lies between `value` and `upper`; elsewhere `upper` is `value`.
    """

    time: Any
    value: Any
    censored: Any
    used: Any
    upper: Any


@pytree
class Before:
    """What holds before the series (see `data/equilibria`): `index` (S, m) and `numbers` (S, c) as those of the batch, inputs,
    the time `infinity` (S,) that stands for it, which series are `resting` (S,), which states (S, n) `kept`."""

    index: Any
    numbers: Any
    signals: Signals
    infinity: Any
    resting: Any
    kept: Any


@pytree
class Batch:
    """All S series. ts (S, T) is padded with the last time; after `horizon` (S,) nothing is solved (times are clipped to it).

    `index` (S, m) and `numbers` (S, c) say where the parameter vector of each series comes from (see `assignment`).
    """

    t0: Any
    ts: Any
    horizon: Any
    index: Any
    numbers: Any
    signals: Signals
    columns: tuple[Column, ...]
    doses: Doses | None = None
    steady: Any = None  # (S,) the times that stand for infinity (NaN: of this series nothing is asked there), None: of none
    before: Before | None = None  # None: no series begins in a steady state

    @property
    def count(self) -> int:
        """Number of series."""
        return self.t0.shape[0]


@dataclass(frozen=True, eq=False)
class RecordPlaces:
    """Where the records of each observation stand: series (N,), place (N,) in the padded row."""

    series: np.ndarray
    place: np.ndarray


def signals_of(compiled: Compiled, series: Series) -> Signals:
    """The inputs of one series in the order of the system."""
    inputs = compiled.declarations.inputs
    names = [n for i in inputs for n in entry_names(i.name, i.shape)]
    kinds = [i.interpolation for i in inputs for _ in i.columns]
    return build_signals(names, kinds, series.inputs) if names else no_signals()


def doses_of(batch: Batch, row: int) -> Doses | None:
    """The doses of one series."""
    return jax.tree_util.tree_map(lambda leaf: leaf[row], batch.doses)


def build_batch(
    compiled: Compiled,
    dataset: Dataset,
    space: ParameterSpace,
    values: Mapping[str, Any] | None = None,
    constraints: int = 0,
) -> tuple[Batch, tuple[RecordPlaces, ...]]:
    """The padded arrays of a dataset, all records in use, and where each record went. The columns of so many `constraints` stand
    behind those of the data."""
    series = dataset.series
    times = [grid_of(s.times, s.start) if constraints else s.times for s in series]
    longest = max(map(len, times))
    ts = np.stack([np.pad(t, (0, longest - len(t)), mode="edge") for t in times])
    index, numbers = assignment(compiled, space, dataset, values)
    columns, back = [], []
    for k in range(len(dataset.declarations.observations)):
        column, where = _column(series, times, k)
        columns.append(column)
        back.append(where)
    columns += [constraint_column(ts, [len(t) for t in times], [len(s.times) for s in series]) for _ in range(constraints)]
    batch = Batch(np.array([s.start for s in series]), ts, ts[:, -1].copy(), index, numbers,
                  stack_signals([signals_of(compiled, s) for s in series]), tuple(columns),
                  stack_doses([None if s.doses is None else Doses(**vars(s.doses)) for s in series]),
                  np.array([s.steady for s in series]) if any(s.has_steady for s in series) else None)  # fmt: skip
    return batch, tuple(back)


def _column(series: tuple[Series, ...], times: Sequence[np.ndarray], k: int) -> tuple[Column, RecordPlaces]:
    mine = [np.flatnonzero(s.records.column == k) for s in series]
    width = max((len(i) for i in mine), default=0)
    time, value = np.zeros((len(series), width), int), np.ones((len(series), width))
    censored, used = np.zeros((len(series), width), int), np.zeros((len(series), width))
    upper = np.ones((len(series), width))
    for row, (s, index) in enumerate(zip(series, mine, strict=True)):
        n = len(index)
        time[row, :n] = np.searchsorted(times[row], s.solved(s.records.time[index]))
        value[row, :n], upper[row, :n] = s.records.value[index], s.records.upper[index]
        censored[row, :n], used[row, :n] = s.records.censored[index], s.records.weight[index]
    where = RecordPlaces(
        np.repeat(np.arange(len(series)), [len(i) for i in mine]),
        np.concatenate([*(np.arange(len(i)) for i in mine), np.zeros(0, int)]).astype(int),
    )
    return Column(time, value, censored, used, upper), where


def grid_of(times: np.ndarray, start: float) -> np.ndarray:
    """The times at which constraints of a series are looked at: those of its data and evenly spaced ones."""
    return np.union1d(times, np.linspace(start, times[-1], GRID))


def constraint_column(ts: np.ndarray, counts: Sequence[int], own: Sequence[int]) -> Column:
    """The records of one constraint: at the first `counts` of the times ts (S, T) of every series, together as much as one at
    each of the `own` times of its data."""
    series, width = np.shape(ts)
    place = np.tile(np.arange(width), (series, 1))
    there = place < np.asarray(counts)[:, None]
    weight = np.where(there, (np.asarray(own) / np.asarray(counts))[:, None], 0.0)
    return Column(place, np.zeros((series, width)), np.zeros((series, width), int), weight, np.zeros((series, width)))


def with_use(batch: Batch, use: Mapping[int, np.ndarray]) -> Batch:
    """The batch with only some records in use (per observation a mask (S, R)), solved no further than the last of them."""
    columns = tuple(replace(c, used=np.asarray(c.used) * use[k]) if k in use else c for k, c in enumerate(batch.columns))
    horizon = np.array(batch.t0, float)
    for c in columns:
        last = np.where(np.asarray(c.used) > 0, np.take_along_axis(np.asarray(batch.ts), np.asarray(c.time), axis=1), -np.inf)
        horizon = np.maximum(horizon, last.max(axis=1, initial=-np.inf))
    return replace(batch, columns=columns, horizon=horizon)


def up_to(batch: Batch, fraction: float) -> Batch:
    """The batch with the records of the first part of each series' time only. No shape changes."""
    if fraction >= 1:
        return batch
    end = batch.t0 + fraction * (np.asarray(batch.horizon) - batch.t0)
    use = {
        k: np.take_along_axis(np.asarray(batch.ts), np.asarray(c.time), axis=1) <= end[:, None]
        for k, c in enumerate(batch.columns)
    }
    return with_use(batch, use)


def first_series(batch: Batch, count: int) -> Batch:
    """The first `count` series of a batch."""
    return batch if count == batch.count else jax.tree_util.tree_map(lambda leaf: leaf[:count], batch)


def series_of(batch: Batch, row: int) -> Any:
    """One series of a batch without its leading axis."""
    return jax.tree_util.tree_map(lambda leaf: leaf[row], batch)
