"""Starts that are stopped early: far behind the best one, and falling too slowly to get there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybridode.fit.progress import Track

FIRST = 20  # evaluations on all records that every start has
BACK = 8  # rounds over which the fall is measured
ROUNDS = 150  # that a start would have at its present pace to reach the best one
MARGIN = 5.0  # of log-likelihood: nobody is stopped who is as near as this


class Hopeless:
    """Asked after every round. It counts the evaluations of each start, so it does not matter what ran where."""

    def __init__(self) -> None:
        self.values: dict[int, list[float]] = {}
        self.best = np.inf
        self.stopped = 0

    def __call__(self, round_: int, tracks: Mapping[int, Track]) -> dict[int, str]:
        """The starts to stop, and why; never the best of those that go on."""
        tracks = {k: track for k, track in tracks.items() if not track.partial and np.isfinite(track.best_value)}
        for number, track in tracks.items():
            self.values.setdefault(number, []).append(track.best_value)
        self.best = min([self.best, *(v[-1] for v in self.values.values())])
        out = {}
        leader = min(tracks, key=lambda k: self.values[k][-1], default=0)
        for number in tracks:
            values = self.values[number]
            if number == leader or len(values) < FIRST:
                continue
            gap, fall = values[-1] - self.best, values[-1 - BACK] - values[-1]
            if gap > MARGIN and fall * ROUNDS < gap * BACK:
                out[number] = f"stopped early: {gap:.3g} behind the best start and falling by {fall / BACK:.2g} a step"
        self.stopped += len(out)
        return out
