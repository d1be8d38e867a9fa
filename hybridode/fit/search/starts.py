"""From starting points to the best optimum: which optimiser works on what, start by start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.objective.batch import Batch, up_to
from hybridode.fit.objective.objective import Objective
from hybridode.fit.progress import OutOfTime, Recorder
from hybridode.fit.search.scoring import Optimum, Point, fisher_scoring
from hybridode.fit.search.smooth import Curve
from hybridode.fit.search.training import adam, lbfgs, match_gradients

HORIZONS = (0.3, 0.6)  # parts of the time that networks see first
HORIZON_ITERATIONS = 8
FISHER_MOST = 160  # trainable numbers up to which the Fisher matrix is worth its forward sensitivities in every iteration


@dataclass(frozen=True)
class StartResult:
    """How one start ended: status "converged", "stopped", "failed", "interrupted"; objective inf when nothing was computed."""

    start: int
    theta: np.ndarray
    objective: float
    status: str
    reason: str
    iterations: int
    rejected: int


def evaluate_point(objective: Objective, batch: Batch, theta: np.ndarray) -> Point:
    """Value, gradient and Fisher matrix in NumPy."""
    e = objective.with_fisher(theta, batch)
    value = float(e.value)
    reason = "" if np.isfinite(value) else objective.why(e)
    return Point(np.array(theta), value, np.asarray(e.gradient, float), np.asarray(e.fisher, float), reason)


def run_starts(
    objective: Objective,
    batch: Batch,
    points: Sequence[np.ndarray],
    curves: Sequence[Mapping[Symbol, Curve]],
    recorder: Recorder,
) -> tuple[list[StartResult], str]:
    """All starts, one after the other. The second value says why it ended before the last one, "" if it did not."""
    done: list[StartResult] = []
    for number, theta in enumerate(points, start=1):
        recorder.begin_start(number)
        early = ""
        try:
            theta = _towards_first(objective, batch, theta, points[0], recorder) if number > 1 else theta
            optimum = _one_start(objective, batch, theta, curves, recorder)
        except (KeyboardInterrupt, OutOfTime) as stop:
            early = "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time"
            optimum = _best_so_far(objective, batch, theta, recorder, early)
        failed = not np.isfinite(optimum.value)
        status = "failed" if failed else "interrupted" if early == "interrupted" else optimum.status
        done.append(
            StartResult(number, optimum.theta, optimum.value, status, optimum.message, recorder.iteration, recorder.rejected)
        )
        if early:
            return done, early
    return done, ""


def _towards_first(objective: Objective, batch: Batch, theta: np.ndarray, first: np.ndarray, recorder: Recorder) -> np.ndarray:
    """A start that cannot be evaluated is brought nearer to the declared values, at most three times by half."""
    if len(theta) > objective.n_parameters:
        return theta
    for _ in range(3):
        point = evaluate_point(objective, batch, theta)
        if np.isfinite(point.value):
            break
        recorder.log.append(f"start {recorder.start} was moved half way to the declared values: {point.reason}")
        theta = 0.5 * (theta + first)
    return theta


def _best_so_far(objective: Objective, batch: Batch, theta: np.ndarray, recorder: Recorder, why: str) -> Optimum:
    """The best point of a start that was cut short, valued on all records (its stage may have seen only some)."""
    best = theta if recorder.best is None else recorder.best
    few = len(best) == objective.n_parameters
    e = (objective.with_fisher if few else objective.with_gradient)(best, batch)
    return Optimum(best, float(e.value), np.asarray(e.gradient, float), None, "stopped", why, recorder.iteration)


def _one_start(
    objective: Objective, batch: Batch, theta: np.ndarray, curves: Sequence[Mapping[Symbol, Curve]], recorder: Recorder
) -> Optimum:
    if len(theta) == objective.n_parameters:
        recorder.begin_stage("fisher scoring")
        return fisher_scoring(lambda x: evaluate_point(objective, batch, x), theta, recorder)
    matched = match_gradients(objective, batch, curves, theta, recorder)
    if matched is not None and len(theta) <= FISHER_MOST:
        return _scoring_on_horizons(objective, batch, matched, recorder)
    theta = adam(objective, batch, theta if matched is None else matched, recorder)
    if len(theta) <= FISHER_MOST:
        return _scoring_on_horizons(objective, batch, theta, recorder, horizons=())
    return lbfgs(objective, batch, theta, recorder)


def _scoring_on_horizons(
    objective: Objective, batch: Batch, theta: np.ndarray, recorder: Recorder, horizons: Sequence[float] = HORIZONS
) -> Optimum:
    """Fisher scoring on the first part of the records, then on all. A part that cannot be evaluated is passed over."""
    for fraction in horizons:
        part = up_to(batch, fraction)
        recorder.begin_stage(f"fisher scoring {round(100 * fraction)} %")
        early = fisher_scoring(
            lambda x, part=part: evaluate_point(objective, part, x), theta, recorder, HORIZON_ITERATIONS, sphere=True
        )
        theta = early.theta
    recorder.begin_stage("fisher scoring")
    return fisher_scoring(lambda x: evaluate_point(objective, batch, x), theta, recorder, sphere=True)


def best_of(results: Sequence[StartResult]) -> StartResult | None:
    """The start with the smallest objective; None when all failed."""
    good = [r for r in results if np.isfinite(r.objective)]
    return min(good, key=lambda r: r.objective) if good else None


def starts_note(results: Sequence[StartResult], planned: int) -> str:
    """One line on how the starts compare."""
    good = sorted(r.objective for r in results if np.isfinite(r.objective))
    failed = sum(r.status == "failed" for r in results)
    same = sum(v - good[0] < 1e-3 for v in good) if good else 0
    parts = [f"{same} of {len(results)} starts reached the best objective {good[0]:.6g}" if good else "no start succeeded"]
    if len(good) > same:
        parts.append(f"the next best is {good[same]:.6g}")
    if failed:
        parts.append(f"{failed} failed")
    if len(results) < planned:
        parts.append(f"{planned - len(results)} were not begun")
    return "; ".join(parts)
