"""What an evaluation of the objective reads that does not change with theta: made once for a batch of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybridode.fit.objective.alike import Kind
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.direct.scores import Score, score_of
from hybridode.solve.native import signal_vector
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.signals import Signals

NOBODY = -1  # in the place of a trained number that a series does not have


@dataclass(frozen=True, eq=False)
class Directions:
    """By which trained numbers the series are differentiated: `numbers` (S, K), those that move the solve first (`moving` of
    them); `mask` (S, K, m) is 1 where a parameter is that number. `same`: all series have the same ones."""

    numbers: np.ndarray
    moving: int
    mask: np.ndarray
    same: bool


def directions(index: np.ndarray, trained: int, solve_reads: Sequence[int], others_read: Sequence[int]) -> Directions:
    """Of series whose parameters stand at index (S, m) (see `assignment`), the first `trained` of which are learnt; from the
    parameters that the solve reads, and those that only what is observed reads."""
    rows = []
    for places in index:
        first = _distinct(places[list(solve_reads)], trained)
        rows.append((first, [k for k in _distinct(places[list(others_read)], trained) if k not in first]))
    moving, others = (max((len(row[part]) for row in rows), default=0) for part in (0, 1))
    numbers = np.full((len(index), moving + others), NOBODY)
    for out, (first, rest) in zip(numbers, rows, strict=True):
        out[: len(first)], out[moving : moving + len(rest)] = first, rest
    mask = (index[:, None, :] == numbers[:, :, None]).astype(float)
    same = bool(np.all(numbers == numbers[:1]) and not np.any(numbers == NOBODY))
    return Directions(numbers, moving, mask, same)


def _distinct(places: np.ndarray, trained: int) -> list[int]:
    return [k for k in dict.fromkeys(sorted(places.tolist())) if k < trained]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The input signals of all series: the operand s (S, c), values at the start u0 (S, k), values and rates at the times
    u, du (S, T, k)."""

    s: np.ndarray
    u0: np.ndarray
    u: np.ndarray
    du: np.ndarray


def inputs_of(compiled: Compiled, signals: Any, t0: np.ndarray, ts: np.ndarray) -> Inputs:
    """Of stacked signals, from t0 (S,) and times (S, T)."""
    series, times = ts.shape
    knots, coefficients = np.asarray(signals.knots), np.asarray(signals.coefficients)
    k = knots.shape[1]
    if not k:
        nothing = np.zeros((series, 0))
        return Inputs(nothing, nothing, np.zeros((series, times, 0)), np.zeros((series, times, 0)))
    own = [Signals(knots[row], coefficients[row]) for row in range(series)]
    s = [signal_vector(compiled, Arguments(np.zeros(0), {}, one, np.zeros(k)), np) for one in own]
    at = [[one(t) for t in row] for one, row in zip(own, ts, strict=True)]
    u, du = (np.array([[pair[part] for pair in row] for row in at], float) for part in (0, 1))
    return Inputs(np.stack(s), np.stack([one(t)[0] for one, t in zip(own, t0, strict=True)]), u, du)


@dataclass(frozen=True, eq=False)
class Records:
    """The records of one observation: its number, its noise, where its arguments stand among the observables, which times
    (S, R) were observed (None: all, in order), values (S, R), weights (S, R), all of them used."""

    number: int
    score: Score
    places: tuple[int, ...]
    time: np.ndarray | None
    value: np.ndarray
    weight: np.ndarray
    whole: bool

    def at(self, found: Any) -> Any:
        """Of what is (…, S, T) at the times, or (…, S, 1) at all: at the records (…, S, R)."""
        found = np.asarray(found)
        if self.time is None or found.ndim == 0 or found.shape[-1] == 1:
            return found
        rows = np.arange(len(self.time))[:, None]
        return found[..., rows, self.time] if found.shape[-2] == len(rows) else found[..., 0, :][..., self.time]


def records_of(kinds: Sequence[Kind], batch: Batch) -> tuple[Records, ...]:
    """Those of all observations, by kind of noise, which all have a score."""
    times, found = np.shape(batch.ts)[1], []
    for kind in kinds:
        score = score_of(kind.row)
        assert score is not None, f"{kind.row.name} has no score"
        for k, places in zip(kind.members, kind.places, strict=True):
            c = replace(batch.columns[k])
            time, weight = np.asarray(c.time), np.asarray(c.used, float)
            every = time.shape[1] == times and bool(np.all(time == np.arange(times)))
            found.append(Records(k, score, tuple(int(p) for p in places), None if every else time, np.asarray(c.value, float),
                                 weight, bool(np.all(weight > 0))))  # fmt: skip
    return tuple(found)
