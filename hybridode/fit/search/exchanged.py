"""Whether a fit that does not follow the data would follow them with two observations exchanged: the mark of swapped columns.

Such a fit converges as calmly as any other. When the result is worse than a smooth curve, pairs of observations of one kind are
exchanged and fitted from where the search began. It is a remark, not a repair: the data are never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.ask import Point, run_alone
from hybridode.fit.search.attainable import SCALES, Attained, compared
from hybridode.fit.search.ladder import WORSE
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.region import Box
from hybridode.fit.search.rungs import LOSS
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.fit.search.starts import StartResult, best_of

_PAIRS, _BEGINNINGS, _ITERATIONS = 3, 2, 60
_APART = 3.0  # how far apart two observations must be, in the noise of one, to be told from each other
_LONGEST = 10.0  # seconds that the attempts may take together


def exchange_warning(lanes: Lanes, found: Sequence[StartResult], begun: Sequence[np.ndarray], seconds: float = _LONGEST) -> str:
    """What to say to the user, "" when nothing speaks for an exchange, or it takes more than `seconds` to find out. `begun` are
    vectors where the search began."""
    best = best_of(found)
    names = [o.column for o in lanes.objective.compiled.declarations.observations]
    if best is None or len(names) < 2 or lanes.objective.networks or lanes.objective.settings.engine != "native":
        return ""
    if cannot_predict(lanes.objective, lanes.batch) is not None:
        return ""
    attained = _compared(lanes, lanes.batch, best.theta)
    if not _far(attained):
        return ""
    noise = {a.column: a.curve for a in attained}
    recorder = Recorder(max_seconds=min(seconds, _LONGEST))
    try:
        for k, other in [pair for pair in _pairs(lanes) if _differ(lanes, *pair, noise)][:_PAIRS]:
            batch = _swapped(lanes.batch, k, other)
            value, theta = _fitted(lanes, batch, begun[:_BEGINNINGS], recorder)
            if value < best.objective - LOSS and not _far(_compared(lanes, batch, theta)):
                if _fitted(lanes, lanes.batch, [theta], recorder)[0] < best.objective - LOSS:
                    return ""  # what the exchange found is a better optimum of the data as they are
                return (
                    f"with the columns of `{names[k]}` and `{names[other]}` exchanged the fit follows the data (objective "
                    f"{value:.4g} instead of {best.objective:.4g}): are they named the wrong way round?"
                )
    except OutOfTime:
        return ""
    return ""


def _compared(lanes: Lanes, batch: Batch, theta: np.ndarray) -> list[Attained]:
    return compared(lanes.objective, batch, batch, locations(lanes.objective, batch, theta))


def _far(attained: Sequence[Attained]) -> bool:
    return any(a.ratio > WORSE and a.loss > LOSS for a in attained)


def _pairs(lanes: Lanes) -> Iterator[tuple[int, int]]:
    """Observations whose records can stand for each other's: of one distribution, unit and shape, with the same limits."""
    objective, columns = lanes.objective, lanes.batch.columns
    about = [(o.distribution, o.unit, o.at) for o in objective.compiled.declarations.observations]
    for k, other in combinations(range(len(about)), 2):
        same = about[k] == about[other] and objective.limits[k] == objective.limits[other]
        if same and np.shape(columns[k].value) == np.shape(columns[other].value):
            yield k, other


def _differ(lanes: Lanes, k: int, other: int, noise: Mapping[str, float]) -> bool:
    """Whether two observations differ by more than the scatter about a smooth curve: exchanging the same values says nothing."""
    a, b = lanes.batch.columns[k], lanes.batch.columns[other]
    both = (np.asarray(a.used) > 0) & (np.asarray(b.used) > 0)
    names = [lanes.objective.compiled.declarations.observations[i] for i in (k, other)]
    scale = SCALES.get(names[0].distribution)
    if scale is None or not both.any() or not np.array_equal(np.asarray(a.time)[both], np.asarray(b.time)[both]):
        return True
    apart = scale(np.asarray(a.value)[both]) - scale(np.asarray(b.value)[both])
    return bool(np.sqrt(np.mean(apart**2)) > _APART * max(noise.get(o.column, 0.0) for o in names))


def _swapped(batch: Batch, k: int, other: int) -> Batch:
    columns = list(batch.columns)
    columns[k], columns[other] = columns[other], columns[k]
    return replace(batch, columns=tuple(columns))


def _fitted(lanes: Lanes, batch: Batch, begun: Sequence[np.ndarray], recorder: Recorder) -> tuple[float, np.ndarray]:
    """The least objective that the beginnings lead to, and where."""

    def point(theta: np.ndarray) -> Point:
        recorder.check_time()
        return lanes.point_on(batch, theta)

    results = []
    for number, theta in enumerate(begun, start=1):
        search = fisher_scoring(theta, Track(recorder, number), _ITERATIONS, box=Box(*lanes.objective.space.box()))
        results.append(run_alone(search, point))
    optimum = min(results, key=lambda r: r.value if np.isfinite(r.value) else np.inf)
    return optimum.value, optimum.theta
