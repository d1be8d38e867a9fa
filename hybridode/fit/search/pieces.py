"""Series cut into pieces for multiple shooting: each piece is a lane of one batch, with its own start.

How many pieces a series needs is read off its records: two for every oscillation of the column that oscillates most, so that no
piece is long enough for errors of the parameters to move an extreme past another one, but never so many that a piece has fewer
records than would determine its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import jax
import numpy as np

from hybridode.fit.objective.batch import Batch, Column
from hybridode.fit.objective.objective import Objective
from hybridode.fit.search.attainable import SCALES, records_of, scatter, turns

FEWEST, MOST = 4, 400  # pieces of one series
_GOLDEN = (np.sqrt(5) - 1) / 2  # where a distance between records is cut: hardly ever where something happens


@dataclass(frozen=True, eq=False)
class Pieces:
    """L pieces as a batch whose last time is the end of each piece. owner (L,): which series; first (L,) bool: whether the piece
    begins its series, else it continues the piece before it; origin (L,): when its series begins."""

    batch: Batch
    owner: np.ndarray
    first: np.ndarray
    origin: np.ndarray

    @property
    def count(self) -> int:
        return len(self.owner)


def numbers_of_pieces(objective: Objective, batch: Batch, finer: float = 1.0) -> list[int]:
    """How many pieces each series is cut into; `finer` times as many where its records allow."""
    n, out = objective.compiled.size, []
    for row in range(batch.count):
        most, values, times, jumps = 0, 0, np.zeros(0), objective.jumps_of(row)
        for k, o in enumerate(objective.compiled.declarations.observations):
            t, y, _ = records_of(batch, k, row)
            scale = SCALES.get(o.distribution)
            values, times = values + len(y), np.union1d(times, t)
            if scale is not None and len(y):
                most = max(most, turns(t, scale(y), scatter(t, scale(y), jumps)))
        allowed = min(values // (2 * n + 1), len(times) // 2, MOST)
        out.append(int(max(min(finer * max(most + 1, FEWEST), allowed), 1)))
    return out


def cut(batch: Batch, counts: Sequence[int], between: bool = False) -> Pieces:
    """Series `row` in `counts[row]` pieces of about as many times each. A record at a cut belongs to the piece that begins
    there. `between`: cut between the times of records, as models with events must be, which fire at such times."""
    owner, spans = [], []
    for row, count in enumerate(counts):
        bounds = _bounds(batch, row, count, between)
        owner += [row] * (len(bounds) - 1)
        spans += list(pairwise(bounds))
    rows = np.array(owner)
    first = np.concatenate([[True], rows[1:] != rows[:-1]])
    last = np.concatenate([rows[1:] != rows[:-1], [True]])
    begins, ends = (np.array(x) for x in zip(*spans, strict=True))
    lanes: Batch = jax.tree_util.tree_map(lambda leaf: np.asarray(leaf)[rows], batch)
    times = [
        np.unique(t[(t >= a) & ((t <= b) if z else (t < b))]) for t, a, b, z in zip(lanes.ts, begins, ends, last, strict=True)
    ]
    longest = max(len(t) for t in times) + 1
    ts = np.stack([np.concatenate([t, np.full(longest - len(t), b)]) for t, b in zip(times, ends, strict=True)])
    columns = tuple(_column(c, lanes.ts, ts, begins, ends, last) for c in lanes.columns)
    return Pieces(replace(lanes, t0=begins, ts=ts, horizon=ends, columns=columns), rows, first, np.asarray(batch.t0)[rows])


def _bounds(batch: Batch, row: int, count: int, between: bool) -> np.ndarray:
    """Where the pieces of a series begin, and where the last one ends."""
    start, end = float(batch.t0[row]), float(batch.horizon[row])
    times = np.unique(np.asarray(batch.ts)[row])
    times = times[(times > start) & (times < end)]
    places = np.unique(np.round(np.linspace(0, len(times), count + 1)[1:-1]).astype(int))
    inner = times[places] if count > 1 else times[:0]
    if between and count > 1:
        before = np.concatenate([[start], times])[places]
        inner = before + _GOLDEN * (inner - before)
    return np.concatenate([[start], inner, [end]])


def _column(c: Column, old: np.ndarray, new: np.ndarray, begins: np.ndarray, ends: np.ndarray, last: np.ndarray) -> Column:
    """The records of every lane that lie in its piece."""
    time = np.take_along_axis(old, np.asarray(c.time), axis=1)
    inside = (time >= begins[:, None]) & ((time < ends[:, None]) | (last[:, None] & (time <= ends[:, None])))
    mine = [np.flatnonzero(x) for x in inside & (np.asarray(c.used) > 0)]
    width = max((len(m) for m in mine), default=0)
    places = np.stack([np.pad(m, (0, width - len(m))) for m in mine])
    there = np.arange(width)[None, :] < np.array([len(m) for m in mine])[:, None]
    out = {f.name: np.take_along_axis(np.asarray(getattr(c, f.name)), places, axis=1) for f in fields(Column)}
    at = np.take_along_axis(time, places, axis=1)
    out["time"] = np.stack([np.minimum(np.searchsorted(t, x), len(t) - 1) for t, x in zip(new, at, strict=True)])
    out["used"] = np.where(there, out["used"], 0.0)
    return Column(**out)
