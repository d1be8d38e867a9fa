"""From starting points to the best optimum: which optimiser works on what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask, Optimum, Search, View
from hybridode.fit.search.descent import descent
from hybridode.fit.search.hopeless import Hopeless
from hybridode.fit.search.horizons import Horizons
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.multistart import Draw, evaluated_starts
from hybridode.fit.search.pool import Ending, Pool, Snapshot
from hybridode.fit.search.postponed import Postponing
from hybridode.fit.search.scoring import SPHERE, fisher_scoring, polished
from hybridode.fit.search.smooth import Curve
from hybridode.fit.search.stages import physics_first, worth_it
from hybridode.fit.search.training import Misfit, adam, lbfgs, match_gradients, misfit_of_slopes

HORIZONS = (0.3, 0.6)  # parts of the time that networks see first
HORIZON_ITERATIONS = 8
_POLISHING = 60  # iterations of the best start
MOST_ITERATIONS = 600  # on all records: a search that gains little ends by itself before


@dataclass(frozen=True)
class StartResult:
    """How one start ended: status "converged", "stopped", "failed", "interrupted"; objective inf when nothing was computed.
    `resampled`: how many points were drawn in place of ones that could not be evaluated; `stopped_early`: as hopeless;
    `waited`: it led to where the model is stiff, and was not continued."""

    start: int
    theta: np.ndarray
    objective: float
    status: str
    reason: str
    iterations: int
    rejected: int
    resampled: int = 0
    stopped_early: bool = False
    waited: bool = False


def run_starts(
    lanes: Lanes,
    points: Sequence[np.ndarray],
    curves: Sequence[Mapping[Symbol, Curve]],
    recorder: Recorder,
    draw: Draw | None = None,
) -> tuple[list[StartResult], str]:
    """All starts side by side. The second value says why it ended before the last one did, "" if it did not."""
    tracks = [Track(recorder, number) for number in range(1, len(points) + 1)]
    postponing = Postponing(lanes)
    if draw is not None:  # starts that somebody gave all have their turn
        postponing.begin()
    begun, drawn = evaluated_starts(lanes, points, draw, tracks)
    starts = [Snapshot(track.start, point.theta, None, track) for track, point in zip(tracks, begun, strict=True)]
    misfit = cache(lambda: misfit_of_slopes(lanes.objective, lanes.batch, curves))
    pool = Pool(starts, lambda start: one_start(lanes, misfit, start), lanes, recorder, postpones=postponing)
    ours = draw is not None and begun[0].theta.size == lanes.objective.n_parameters
    pool.run(hopeless=Hopeless() if ours else None)
    endings, early = _best_polished(lanes, pool.endings(), pool.early, recorder)
    postponing.end()
    recorder.gather(tracks)
    return [_result(e, drawn[e.number - 1], early) for e in endings], early


def _best_polished(lanes: Lanes, endings: list[Ending], early: str, recorder: Recorder) -> tuple[list[Ending], str]:
    """The endings with the best one found as well as the solver allows, where starts end as soon as they can be compared; and why
    that ended before its end."""
    best = min((e for e in endings if e.finished and e.optimum.fisher is not None), key=lambda e: e.optimum.value, default=None)
    alone = lanes.objective.n_parameters == len(endings[0].optimum.theta) <= FISHER_MOST
    if early or not alone or best is None or not np.isfinite(best.optimum.value):
        return endings, early
    start = Snapshot(best.number, best.optimum.theta, None, best.track)
    polish = lambda s: polished(best.optimum, s.track, lanes.chart, max_iterations=_POLISHING)  # noqa: E731
    pool = Pool([start], polish, lanes, recorder).run()
    (found,) = pool.endings()
    if found.optimum.status != "converged":  # in a valley too flat to be followed to its end: it had converged before
        found = replace(found, optimum=replace(found.optimum, status=best.optimum.status, message=best.optimum.message))
    found = found if found.finished and found.optimum.value < np.inf else best
    return [found if e is best else e for e in endings], pool.early


def _result(ending: Ending, resampled: int, early: str) -> StartResult:
    optimum, track = ending.optimum, ending.track
    failed = not np.isfinite(optimum.value) and not ending.waited
    interrupted = not ending.finished and early == "interrupted"
    status = "failed" if failed else "interrupted" if interrupted else optimum.status
    return StartResult(
        ending.number,
        optimum.theta,
        optimum.value,
        status,
        optimum.message,
        track.iteration,
        track.rejected,
        resampled,
        ending.hopeless,
        ending.waited,
    )


def one_start(lanes: Lanes, misfit: Callable[[], Misfit | None], start: Snapshot) -> Search:
    """The optimiser of a start: Fisher scoring for parameters; with networks what comes before it, or instead of it."""
    objective, track, theta = lanes.objective, start.track, start.theta
    if len(theta) == objective.n_parameters > FISHER_MOST:
        return _by_gradients(lanes, theta, track)
    if len(theta) == objective.n_parameters:
        return (yield from descent(lanes.chart, theta, track, start.state))
    if objective.trained and not (yield Ask(theta)).failed:
        track.log.append(f"start {track.start}: the networks were trained before and go on from their weights, on all records")
        return (yield from _jointly(lanes, theta, track))
    physics = yield from physics_first(lanes, theta, track)
    if physics is not None:
        return worth_it(lanes, physics, (yield from _jointly(lanes, physics.theta, track)), track)
    matched = match_gradients(objective, lanes.batch, misfit(), theta, track)
    if matched is not None and len(theta) <= FISHER_MOST:
        end = yield from _scoring_on_horizons(matched, track)
        if np.isfinite(end.value):
            return end
    theta = theta if matched is None else matched
    theta = adam(lanes.impatient(theta), lanes.batch, theta, track)
    return (yield from _jointly(lanes, theta, track))


def _jointly(lanes: Lanes, theta: np.ndarray, track: Track) -> Search:
    """Parameters and networks together, on all records."""
    if len(theta) <= FISHER_MOST:
        return (yield from _scoring_on_horizons(theta, track, horizons=()))
    return _by_gradients(lanes, theta, track)


def _by_gradients(lanes: Lanes, theta: np.ndarray, track: Track) -> Optimum:
    """Of more numbers than the Fisher matrix is worth its sensitivities."""
    track.begin_stage("l-bfgs")
    return lbfgs(lanes.impatient(theta), lanes.batch, theta, track)


def _scoring_on_horizons(theta: np.ndarray, track: Track, horizons: Sequence[float] = HORIZONS) -> Search:
    """Fisher scoring on the first part of the records, then on more, then on all. A part that cannot be evaluated where the one
    before it ended waits until one between them is trained."""
    left = Horizons.of((*horizons, 1.0))
    while True:
        whole = left.next == 1.0
        track.begin_stage("fisher scoring" if whole else f"fisher scoring {round(100 * left.next)} %")
        part = {"max_iterations": MOST_ITERATIONS} if whole else {"max_iterations": HORIZON_ITERATIONS, "view": View(left.next)}
        end = yield from fisher_scoring(theta, track, floor=SPHERE, stalling=True, **part)
        if np.isfinite(end.value):
            theta, left = end.theta, left.trained()
        elif (nearer := left.nearer()) is not None:
            left = nearer
        else:
            return end
        if not left.ahead:
            return end


def best_of(results: Sequence[StartResult]) -> StartResult | None:
    """The start with the smallest objective; None when all failed."""
    good = [r for r in results if np.isfinite(r.objective)]
    return min(good, key=lambda r: r.objective) if good else None
