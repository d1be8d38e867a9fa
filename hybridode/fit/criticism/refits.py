"""A fit again on a part of its records: from its optimum, with what is compiled (masks; no shape changes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.fit.objective.batch import Batch, with_use
from hybridode.fit.prepare import Prepared
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.ask import Optimum, Point, run_alone
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import SPHERE, fisher_scoring
from hybridode.fit.search.training import lbfgs

_ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Refitted:
    """Where a refit ended (d,): `reason` says why there is no result, "" where there is one; `early`: it was cut short."""

    theta: np.ndarray
    value: float
    reason: str = ""
    early: bool = False


def without(prepared: Prepared, unseen: Sequence[np.ndarray]) -> Batch:
    """The records of a fit but for those held out by it and those `unseen` (masks per series)."""
    use = {}
    for k in range(len(prepared.dataset.columns)):
        mask = np.zeros(np.shape(prepared.batch.columns[k].used), bool)
        for row, (series, own, hidden) in enumerate(zip(prepared.dataset.series, prepared.held, unseen, strict=True)):
            mine = series.records.column == k
            mask[row, : int(mine.sum())] = ~(own | hidden)[mine]
        use[k] = mask
    return with_use(prepared.batch, use)


def typical(prepared: Prepared, records: Batch, theta: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """theta with values by group that none of the records tells anything about in the middle of the others, as a new group has
    them; and names of what only unseen records know and what has no others."""
    space, theta = prepared.objective.space, np.array(theta, float)
    used = np.zeros(records.count, bool)
    for c in records.columns[: prepared.objective.n_observed]:
        used |= (np.asarray(c.used) > 0).any(axis=1)
    reached = set(np.unique(np.asarray(records.index)[used]).tolist())
    lost = []
    for i, e in enumerate(space.entries):
        if e.group and i not in reached:
            others = [j for j, o in enumerate(space.entries) if o.entry == e.entry and j in reached]
            if others:
                theta[i] = float(np.mean(theta[others]))
            else:
                lost.append(e.name)
    return theta, lost


def refitted(prepared: Prepared, theta: np.ndarray, records: Batch, seconds: float | None = None) -> Refitted:
    """The optimum on `records` that is reached from theta (d,)."""
    recorder = Recorder(max_seconds=seconds)
    track, lanes = Track(recorder), prepared.lanes
    try:
        end = _search(prepared, lanes, theta, records, track)
        if not np.isfinite(end.value) and lanes.implicit is not None:
            end = _search(prepared, lanes.other, theta, records, track)
    except OutOfTime:
        if track.best is None:
            return Refitted(theta, np.inf, "there was no time for the refit", True)
        return Refitted(track.best, track.best_value, "", True)
    return Refitted(end.theta, end.value, "" if np.isfinite(end.value) else end.message)


def _search(prepared: Prepared, lanes: Lanes, theta: np.ndarray, records: Batch, track: Track) -> Optimum:
    objective = prepared.objective
    if len(theta) > FISHER_MOST:
        return lbfgs(lanes.impatient(theta), records, theta, track)

    def evaluate(x: np.ndarray) -> Point:
        track.check_time()
        return lanes.point_on(records, x)

    low, high = objective.space.box()
    free = np.full(len(theta) - objective.n_parameters, np.inf)
    box = Box(np.concatenate([low, -free]), np.concatenate([high, free]))
    networks = len(free) > 0
    how = {"floor": SPHERE, "stalling": True} if networks else {}
    return run_alone(fisher_scoring(theta, track, _ITERATIONS, box=box, **how), evaluate)
