"""One start of a model without networks: the first part of the records, more of them, all; then across what lost its influence.

A trajectory over many periods fits its records in as many wrong ways; over its first part it has few, and what fits that is near
enough for the next (growing horizons). Every fourth start sees all records from the beginning: it stays near where it was put.

A search often ends where a number no longer matters: a rate so quick that only its being quick counts. Its gradient is 0 there,
so nothing leads back, though the better optimum may lie on the other side. So each such number in turn is put to the other side
of its range, and what is found from there counts if it is better.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from hybridode.fit.progress import Track
from hybridode.fit.search.ask import Ask, Optimum, Point, Search, View
from hybridode.fit.search.chart import Chart
from hybridode.fit.search.horizons import Horizons
from hybridode.fit.search.scoring import fisher_scoring, polished

PARTS = (0.25, 0.5)  # of the time that are seen first
PART_ITERATIONS = 10
STRAIGHT = 4  # one start in so many sees all records at once
FLAT = 0.05  # standard deviations of all records together that a number moves them by, in a unit of its chart, without influence
ACROSS, ACROSS_ITERATIONS = 4, 60  # attempts of a start, and their length
_COARSE: dict[str, Any] = {"goal": 0.1, "polish": 1}  # as well as an optimum is found before others are tried from it
_NEARLY: dict[str, Any] = {"goal": 1e-7, "polish": 1}  # as well as starts are compared; the best is polished after all
BETTER = 0.01  # of log-likelihood
_PATIENCE, _BACK, _AHEAD, _MARGIN = 12, 8, 40, 0.5  # see `_while_promising`


def descent(chart: Chart, theta: np.ndarray, track: Track, state: Mapping[str, Any] | None = None) -> Search:
    """From theta, or on from a `state` of its search on all records."""
    if state is None:
        straight = track.start % STRAIGHT == 1
        first = theta if straight else (yield from _on_parts(chart, theta, track))
        track.begin_stage("fisher scoring")
        end = yield from fisher_scoring(first, track, chart=chart, careful=straight, **_COARSE)
        if not (straight or np.isfinite(end.value)):
            end = yield from fisher_scoring(theta, track, chart=chart, **_COARSE)
    else:
        end = yield from fisher_scoring(theta, track, chart=chart, state=state)
    if not np.isfinite(end.value):
        return end
    end = yield from _across(chart, end, track)
    return (yield from polished(end, track, chart, **_NEARLY))


def _on_parts(chart: Chart, theta: np.ndarray, track: Track) -> Generator[Ask, Point, np.ndarray]:
    """Where the first parts lead. One that cannot be evaluated where the one before it ended waits for one between them."""
    left: Horizons | None = Horizons.of(PARTS)
    while left is not None and left.ahead:
        view = View(left.next)
        track.begin_stage(f"fisher scoring {round(100 * left.next)} %", partial=True)
        end = yield from _stateless(fisher_scoring(theta, track, PART_ITERATIONS, view=view, chart=chart))
        if np.isfinite(end.value):
            theta, left = end.theta, left.trained()
        else:
            left = left.nearer()
    return theta


def _across(chart: Chart, end: Optimum, track: Track) -> Search:
    """The best of an optimum and those that are found with a number without influence on the other side of its range."""
    tried: set[int] = set()
    for _ in range(ACROSS):
        flat = [i for i in _without_influence(chart, end) if i not in tried]
        if not flat:
            break
        tried.add(flat[0])
        track.stage = "across"  # the objective is the same
        begin = opposite(chart, end.theta, flat[0])
        search = fisher_scoring(begin, track, ACROSS_ITERATIONS, chart=chart, **_COARSE)
        found = yield from _while_promising(search, end.value)
        if found is not None and found.value < end.value - BETTER:
            end, tried = found, set()
    track.stage = "fisher scoring"
    if tried:  # the trace goes back to where it goes on
        track.accept(end.theta, end.value, end.gradient)
    return end


def _without_influence(chart: Chart, end: Optimum) -> list[int]:
    """Entries between walls that hardly move any record, the least first."""
    fisher = np.zeros((0, 0)) if end.fisher is None else end.fisher
    if not fisher.size:
        return []
    moved = np.sqrt(np.maximum(np.diag(chart.local(Point(end.theta, end.value, end.gradient, fisher)).fisher), 0.0))
    return sorted((int(i) for i in chart.places if moved[i] < FLAT), key=lambda i: moved[i])


def opposite(chart: Chart, theta: np.ndarray, i: int) -> np.ndarray:
    """The vector with entry i as far on the other side of the middle of its range, at least half of the way to the wall."""
    found, walls = chart.coordinates(theta), chart.walls
    middle, half = (walls.low[i] + walls.high[i]) / 2, (walls.high[i] - walls.low[i]) / 2
    away = found[i] - middle
    found[i] = middle - np.copysign(max(abs(away), half / 2), away)
    return chart.theta(found)


def _while_promising(search: Search, goal: float) -> Generator[Ask, Point, Optimum | None]:
    """The end of a search, None where it would not fall below the goal in a while at its pace."""
    ask, best = next(search), [np.inf]
    while True:
        point = yield Ask(ask.theta, ask.view, None, ask.leap)
        best.append(min(best[-1], point.value))
        gap = best[-1] - goal
        if len(best) > _PATIENCE and gap > _MARGIN and (best[-1 - _BACK] - best[-1]) * _AHEAD < gap * _BACK:
            search.close()
            return None
        try:
            ask = search.send(point)
        except StopIteration as end:
            return end.value


def _stateless(search: Search) -> Search:
    """A search whose asks have no state: taken over by another process, the start begins again."""
    ask = next(search)
    while True:
        point = yield Ask(ask.theta, ask.view, None, ask.leap)
        try:
            ask = search.send(point)
        except StopIteration as end:
            return end.value
