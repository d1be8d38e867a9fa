"""From starting points to the best optimum: which optimiser works on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask, Search, View
from hybridode.fit.search.hopeless import Hopeless
from hybridode.fit.search.horizons import Horizons
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.multistart import Draw, evaluated_starts
from hybridode.fit.search.pool import Ending, Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import ELLIPSOID, SPHERE, fisher_scoring
from hybridode.fit.search.smooth import Curve
from hybridode.fit.search.stages import physics_first, worth_it
from hybridode.fit.search.training import adam, lbfgs, match_gradients

HORIZONS = (0.3, 0.6)  # parts of the time that networks see first
HORIZON_ITERATIONS = 8
_SAME = 1e-3  # starts whose log-likelihoods differ by less ended at one optimum
_LISTED, _NAMED = 4, 8  # other optima that the log lists, with so many parameters


@dataclass(frozen=True)
class StartResult:
    """How one start ended: status "converged", "stopped", "failed", "interrupted"; objective inf when nothing was computed.
    `resampled`: how many points were drawn in place of ones that could not be evaluated."""

    start: int
    theta: np.ndarray
    objective: float
    status: str
    reason: str
    iterations: int
    rejected: int
    resampled: int = 0


def run_starts(
    lanes: Lanes,
    points: Sequence[np.ndarray],
    curves: Sequence[Mapping[Symbol, Curve]],
    recorder: Recorder,
    draw: Draw | None = None,
) -> tuple[list[StartResult], str]:
    """All starts side by side. The second value says why it ended before the last one did, "" if it did not."""
    tracks = [Track(recorder, number) for number in range(1, len(points) + 1)]
    begun, drawn = evaluated_starts(lanes, points, draw, tracks)
    starts = [Snapshot(track.start, point.theta, None, track) for track, point in zip(tracks, begun, strict=True)]
    pool = Pool(starts, lambda start: one_start(lanes, curves, start), lanes, recorder)
    pool.run(hopeless=Hopeless() if begun[0].theta.size == lanes.objective.n_parameters else None)
    endings = pool.endings()
    recorder.gather(tracks)
    return [_result(e, drawn[e.number - 1], pool.early) for e in endings], pool.early


def _result(ending: Ending, resampled: int, early: str) -> StartResult:
    optimum, track = ending.optimum, ending.track
    failed = not np.isfinite(optimum.value)
    interrupted = not ending.finished and early == "interrupted"
    status = "failed" if failed else "interrupted" if interrupted else optimum.status
    return StartResult(
        ending.number, optimum.theta, optimum.value, status, optimum.message, track.iteration, track.rejected, resampled
    )


def one_start(lanes: Lanes, curves: Sequence[Mapping[Symbol, Curve]], start: Snapshot) -> Search:
    """The optimiser of a start: Fisher scoring for parameters; with networks what comes before it, or instead of it."""
    objective, track, theta = lanes.objective, start.track, start.theta
    if len(theta) == objective.n_parameters:
        if start.state is None:
            track.begin_stage("fisher scoring")
        floor = SPHERE if start.number % 2 else ELLIPSOID  # neither is better on all problems
        box = Box(*objective.space.box())
        return (yield from fisher_scoring(theta, track, floor=floor, box=box, state=start.state))
    if objective.trained and not (yield Ask(theta)).failed:
        track.log.append(f"start {track.start}: the networks were trained before and go on from their weights, on all records")
        return (yield from _jointly(lanes, theta, track))
    physics = yield from physics_first(lanes, theta, track)
    if physics is not None:
        return worth_it(lanes, physics, (yield from _jointly(lanes, physics.theta, track)), track)
    matched = match_gradients(objective, lanes.batch, curves, theta, track)
    if matched is not None and len(theta) <= FISHER_MOST:
        end = yield from _scoring_on_horizons(matched, track)
        if np.isfinite(end.value):
            return end
    theta = adam(objective, lanes.batch, theta if matched is None else matched, track)
    return (yield from _jointly(lanes, theta, track))


def _jointly(lanes: Lanes, theta: np.ndarray, track: Track) -> Search:
    """Parameters and networks together, on all records."""
    if len(theta) <= FISHER_MOST:
        return (yield from _scoring_on_horizons(theta, track, horizons=()))
    track.begin_stage("l-bfgs")
    return lbfgs(lanes.objective, lanes.batch, theta, track)


def _scoring_on_horizons(theta: np.ndarray, track: Track, horizons: Sequence[float] = HORIZONS) -> Search:
    """Fisher scoring on the first part of the records, then on more, then on all. A part that cannot be evaluated where the one
    before it ended waits until one between them is trained."""
    left = Horizons.of((*horizons, 1.0))
    while True:
        whole = left.next == 1.0
        track.begin_stage("fisher scoring" if whole else f"fisher scoring {round(100 * left.next)} %")
        part = {} if whole else {"max_iterations": HORIZON_ITERATIONS, "view": View(left.next)}
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


def starts_note(results: Sequence[StartResult], planned: int) -> str:
    """One line on how the starts compare."""
    good = sorted(r.objective for r in results if np.isfinite(r.objective))
    failed = sum(r.status == "failed" for r in results)
    resampled = sum(r.resampled for r in results)
    same = sum(v - good[0] < _SAME for v in good) if good else 0
    parts = [f"{same} of {len(results)} starts reached the best objective {good[0]:.6g}" if good else "no start succeeded"]
    if len(good) > same:
        parts.append(f"the next best is {good[same]:.6g}")
    if failed:
        parts.append(f"{failed} failed")
    early = sum(r.reason.startswith("stopped early") for r in results)
    if early:
        parts.append(f"{early} were stopped early, far behind the best")
    if resampled:
        parts.append(f"{resampled} starting points that could not be evaluated were drawn anew")
    if len(results) < planned:
        parts.append(f"{planned - len(results)} were not begun")
    return "; ".join(parts)


def optima_notes(results: Sequence[StartResult], space: ParameterSpace) -> list[str]:
    """A line on each other optimum that starts converged to (duplicates merged), best first, with its parameters."""
    good = sorted((r for r in results if np.isfinite(r.objective) and r.status == "converged"), key=lambda r: r.objective)
    groups: list[list[StartResult]] = []
    for r in good:
        if groups and r.objective - groups[-1][0].objective < _SAME:
            groups[-1].append(r)
        else:
            groups.append([r])
    lines = []
    for group in groups[1 : 1 + _LISTED]:
        x = space.vector(group[0].theta[: space.size])
        values = ", ".join(f"{name} = {v:.6g}" for name, v in list(zip(space.names, x, strict=True))[:_NAMED])
        more = ", …" if space.size > _NAMED else ""
        count = f"{len(group)} starts" if len(group) > 1 else f"start {group[0].start}"
        lines.append(f"local optimum of {count}: objective {group[0].objective:.6g} at {values}{more}")
    return lines
