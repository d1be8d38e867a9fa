"""How the search went: where the starts ended, and the way there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.report.axes import Axis, axis
from hybridode.report.chart import Chart, Mark
from hybridode.report.saved import Rows, names_in, where
from hybridode.report.words import brief, counted

_FLOOR = 1e-3  # in negative log-likelihood: what is nearer to the best is the best
_MOST_TRACKS = 60


def waterfall_chart(starts: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """The objective of every start above the best, in order: a plateau at the left is an optimum that many found."""
    ended = sorted((s["objective"], s["status"]) for s in starts if s["objective"] is not None and math.isfinite(s["objective"]))
    if len(ended) < 2:
        return []
    gaps = np.maximum(np.array([value for value, _ in ended]) - ended[0][0], _FLOOR)
    good = np.array([status == "converged" for _, status in ended])
    rank = np.arange(1, len(ended) + 1)
    marks = [Mark("thin", rank, gaps, 0)]
    marks += [Mark("dots", rank[good], gaps[good], 1, "converged")] if good.any() else []
    marks += [Mark("rings", rank[~good], gaps[~good], 2, "ended before an optimum")] if not good.all() else []
    there = int((gaps <= 1e-2).sum())
    alt = (
        f"Final objective of {len(ended)} starts above the best, in order: {there} within 0.01 of the best, "
        f"the worst {brief(gaps[-1])} above it."
    )
    x = Axis("start, in order of its end", 0.4, len(ended) + 0.6, whole=True)
    y = axis("objective above the best", gaps, log=True, room=0.06, within=(_FLOOR, 10 * _FLOOR))
    data = {"rank": [*rank], "objective": [v for v, _ in ended], "status": [s for _, s in ended]}
    return [Chart("waterfall", "Where the starts ended", alt, x, y, tuple(marks), data=data)]


def convergence_chart(trace: Rows) -> list[Chart]:
    """The objective above the best of its stage, iteration by iteration; the best start in colour."""
    trace = where(trace, np.isfinite(trace["objective"]) & (trace["gradient_norm"] != 0.0))  # both 0: nothing was evaluated
    if not trace["objective"].size:
        return []
    best = {stage: float(np.min(trace["objective"][trace["stage"] == stage])) for stage in names_in(trace, "stage")}
    floor = max(1e-8 * max(1.0, *(abs(v) for v in best.values())), 1e-9)
    gap = trace["objective"] - np.array([best[s] for s in trace["stage"]]) + floor
    starts = names_in(trace, "start")
    ends = {s: float(trace["objective"][trace["start"] == s][-1]) for s in starts}
    order = sorted(starts, key=lambda s: -ends[s])[-_MOST_TRACKS:]
    marks, longest = [], 1
    for start in order:
        mine = trace["start"] == start
        steps = np.arange(1, int(mine.sum()) + 1, dtype=float)
        track, stages = gap[mine], trace["stage"][mine]
        cut = np.flatnonzero(stages[1:] != stages[:-1]) + 1  # another stage has another best: the line is broken there
        last = start == order[-1]
        longest = max(longest, len(steps))
        name = f"start {int(start)}, the best" if last else ("other starts" if len(order) > 1 else "")
        marks.append(
            Mark("line" if last else "thin", np.insert(steps, cut, np.nan), np.insert(track, cut, np.nan), 1 if last else 0, name)
        )
    stages = " then ".join(dict.fromkeys(trace["stage"][trace["start"] == order[-1]]))
    alt = f"Objective above its best over the iterations of {counted(len(starts), 'start')}; the best took {stages}."
    x = Axis("iteration", 1, max(longest, 2), whole=True)
    y = axis("objective above the best of its stage", gap, log=True, room=0.03)
    data = {
        "start": [int(s) for s in trace["start"]],
        "stage": [*trace["stage"]],
        "iteration": [int(i) for i in trace["iteration"]],
        "above_best": [*gap],
    }
    return [Chart("convergence", "The way there", alt, x, y, tuple(marks), data=data)]
