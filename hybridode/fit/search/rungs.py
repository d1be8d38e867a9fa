"""The rungs of the ladder (`ladder` says when): multiple shooting, joint polish from there, or the pieces themselves.

Ctrl-C and the limit of time end them early with the best that there is by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import locations
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.ask import Ask, Optimum, Point, run_alone
from hybridode.fit.search.attainable import Attained, compared
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.linearised import linearised
from hybridode.fit.search.matching import noise_scales, starts_from_curves, with_noise_scales
from hybridode.fit.search.nodes import first_nodes
from hybridode.fit.search.pieces import Pieces, cut, numbers_of_pieces
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.fit.search.shooting import Problem, Shot, shoot
from hybridode.fit.search.smooth import Curve
from hybridode.fit.search.starts import StartResult, best_of

LOSS = 10.0  # log-likelihood by which residuals that follow each other, or are larger than those of a curve, are evidence
SAME = 0.5  # differences in log-likelihood up to this make two results the same
_ENOUGH = 1.2  # an attempt that comes as near as this to the curve ends the search
_AGREEING = 3  # as do so many attempts that end at the same objective
_ATTEMPTS = 5  # starts of multiple shooting, at most,
_SHORTER, _ATTEMPTS_SHORTER = 2.0, 3  # and with so many times more pieces
_UNKNOWNS = 20_000
POLISHED = "multiple shooting, joint polish"  # the stages that the result may come from
SHOT = "multiple shooting"

Curves = Callable[[], Sequence[Mapping[Symbol, Curve]]]


def early_of(stop: BaseException) -> str:
    """Why a search ended early, of the exception that ended it."""
    return "interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time"


@dataclass(frozen=True, eq=False)
class InPieces:
    """A solution of multiple shooting that is the result: parameters at theta, every piece from its node."""

    pieces: Pieces
    shot: Shot


@dataclass(frozen=True, eq=False)
class Climbed:
    """All starts, those of the ladder at the end; why it ended early ("" if it did not); the stage of those that are not direct;
    why it climbed, or did not; the solution in pieces if it won."""

    found: list[StartResult]
    early: str = ""
    stages: Mapping[int, str] = field(default_factory=dict)
    evidence: str = ""
    in_pieces: InPieces | None = None

    def entry(self) -> dict[str, Any]:
        """What result.json says about the search: which stage the best result comes from, why there were more than one."""
        best = best_of(self.found)
        entry: dict[str, Any] = {
            "stage": None if best is None else self.stages.get(best.start, "direct"),
            "evidence": self.evidence,
        }
        if best is None:
            entry["stage_reason"] = "no start could be evaluated"
        if self.in_pieces is not None:
            entry |= {"pieces": self.in_pieces.pieces.count, "largest_gap": self.in_pieces.shot.gap}
        return entry


@dataclass(frozen=True, eq=False)
class Stage:
    """What the rungs of the ladder share."""

    lanes: Lanes
    curves: Curves
    recorder: Recorder
    track: Track

    @property
    def objective(self) -> Objective:
        return self.lanes.objective

    @property
    def batch(self) -> Batch:
        return self.lanes.batch

    def box(self, count: int) -> Box:
        """Of `count` numbers: weights, the last of them, have no bounds."""
        low, high = self.objective.space.box()
        rest = np.full(count - len(low), np.inf)
        return Box(np.concatenate([low, -rest]), np.concatenate([high, rest]))

    def compared(self, theta: np.ndarray) -> list[Attained]:
        """What the fit at theta leaves of each column, against what a smooth curve leaves."""
        return compared(self.objective, self.batch, self.batch, locations(self.objective, self.batch, theta))

    def polished(self, theta: np.ndarray) -> Optimum:
        """Single shooting from theta. Ctrl-C and the limit of time end it with an exception, as every rung."""

        def point(theta: np.ndarray) -> Point:
            self.track.check_time()
            return self.lanes.point(theta)

        self.track.begin_stage("joint polish")
        return run_alone(fisher_scoring(theta, self.track, box=self.box(len(theta))), point)

    def result(self, end: Optimum, status: str = "") -> StartResult:
        track = self.track
        return StartResult(track.start, end.theta, end.value, status or end.status, end.message, track.iteration, track.rejected)


@dataclass(eq=False)
class _Shots:
    """What multiple shooting has found so far: solutions that are closed, and others."""

    closed: list[tuple[Pieces, Shot]] = field(default_factory=list)
    open: list[Shot] = field(default_factory=list)

    @property
    def best(self) -> tuple[Pieces, Shot]:
        return min(self.closed, key=lambda found: found[1].value)


def shooting(stage: Stage, direct: Climbed, points: Sequence[np.ndarray]) -> Climbed:
    """Multiple shooting from several of the points, then joint polish; the best so far where it is ended early."""
    shots = _Shots()
    try:
        return _climbed(stage, direct, _distinct(points), shots)
    except (KeyboardInterrupt, OutOfTime) as stop:
        return _ended_early(stage, direct, shots, early_of(stop))


def _climbed(stage: Stage, direct: Climbed, points: Sequence[np.ndarray], shots: _Shots) -> Climbed:
    objective, batch, recorder = stage.objective, stage.batch, stage.recorder
    counts = numbers_of_pieces(objective, batch)
    if max(counts) < 2 or sum(counts) * objective.compiled.size > _UNKNOWNS:
        recorder.say(f"ladder: the records cannot be cut into pieces ({max(counts)} of a series)")
        return direct
    enough = _attempts(stage, direct, counts, points[:_ATTEMPTS], shots)
    shorter = numbers_of_pieces(objective, batch, _SHORTER)
    if not enough and sum(shorter) >= 1.5 * sum(counts) and sum(shorter) * objective.compiled.size <= _UNKNOWNS:
        reached = [shot.theta for _, shot in sorted(shots.closed, key=lambda f: f[1].value)[:1]]
        _attempts(stage, direct, shorter, _distinct([points[0], *reached, *points[1:]])[:_ATTEMPTS_SHORTER], shots)
    if shots.closed:
        return _polished(stage, direct, *shots.best)
    recorder.say("ladder: multiple shooting did not close its gaps")
    return _from_open(stage, direct, shots.open)


def _attempts(stage: Stage, direct: Climbed, counts: Sequence[int], points: Sequence[np.ndarray], shots: _Shots) -> bool:
    """Multiple shooting from each of the points, until one comes near the curve or several agree: whether that came about."""
    objective, batch, recorder = stage.objective, stage.batch, stage.recorder
    compiled = objective.compiled
    pieces = cut(batch, counts, compiled.events is not None or bool(compiled.system.when_events))
    recorder.say(f"ladder: multiple shooting with {pieces.count} pieces of {batch.count} series")
    evaluate, scales = linearised(objective, pieces), noise_scales(objective, batch)
    curves, held = stage.curves(), np.array(sorted(scales), int)
    best = best_of(direct.found)
    for number, theta in enumerate(points):
        theta = with_noise_scales(objective, starts_from_curves(objective, batch, curves, theta), scales)
        nodes, spread = first_nodes(objective, pieces, curves, theta)
        stage.track.begin_stage("multiple shooting")
        problem = Problem(objective, pieces, spread, evaluate)
        shot = shoot(problem, theta, nodes, held, stage.box(len(theta)), stage.track)
        recorder.say(f"ladder: multiple shooting, attempt {number + 1}: objective {shot.value:.6g}, {shot.reason}")
        if not shot.closed:
            shots.open += [shot] if np.isfinite(shot.value) else []
            continue
        shots.closed.append((pieces, shot))
        others = [s.value for _, s in shots.closed] + ([] if best is None else [best.objective])
        agreeing = sum(abs(shot.value - value) <= SAME for value in others)
        if agreeing >= _AGREEING or _near_enough(stage, pieces, shot):
            return True
    return False


def _distinct(points: Sequence[np.ndarray]) -> list[np.ndarray]:
    kept: list[np.ndarray] = []
    for theta in points:
        if not any(np.array_equal(theta, other) for other in kept):
            kept.append(theta)
    return kept


def _near_enough(stage: Stage, pieces: Pieces, shot: Shot) -> bool:
    """Whether the pieces follow the data about as well as a smooth curve does."""
    found = locations(stage.objective, pieces.batch, shot.theta, shot.nodes)
    reached = compared(stage.objective, stage.batch, pieces.batch, found)
    return all(a.ratio <= _ENOUGH and a.structure <= LOSS for a in reached)


def _polished(stage: Stage, direct: Climbed, pieces: Pieces, shot: Shot) -> Climbed:
    """Single shooting from where multiple shooting ended; the pieces themselves where it is worse."""
    recorder, best = stage.recorder, best_of(direct.found)
    end = stage.polished(shot.theta)
    before = "" if best is None else f"; the best direct start has {best.objective:.6g}"
    if np.isfinite(end.value) and end.value <= shot.value + SAME:
        recorder.say(f"ladder: joint polish from the pieces: objective {end.value:.6g}{before}")
        return _won(direct, stage.result(end), POLISHED)
    words = f"{end.value:.6g}" if np.isfinite(end.value) else f"no value ({end.message})"
    recorder.say(f"ladder: in pieces the objective is {shot.value:.6g}, solved from the start alone {words}{before}")
    if best is not None and best.objective <= shot.value:
        return direct
    recorder.say(
        f"ladder: the model forgets its start within the record, so the solution in {pieces.count} pieces is the result; "
        f"its gaps are at most {shot.gap:.1e} of a state's spread"
    )
    return _won(direct, stage.result(_of_pieces(shot)), SHOT, InPieces(pieces, shot))


def _from_open(stage: Stage, direct: Climbed, shots: Sequence[Shot]) -> Climbed:
    """Single shooting from parameters at which pieces were still apart: jumps that move from piece to piece have no slopes."""
    recorder, best = stage.recorder, best_of(direct.found)
    ends = [stage.polished(shot.theta) for shot in sorted(shots, key=lambda s: s.gap)[:_ATTEMPTS_SHORTER]]
    end = min(ends, key=lambda e: e.value, default=None)
    if end is None or not np.isfinite(end.value) or (best is not None and end.value >= best.objective):
        recorder.say("ladder: the direct result stays")
        return direct
    recorder.say(f"ladder: joint polish from its parameters: objective {end.value:.6g}")
    return _won(direct, stage.result(end), POLISHED)


def _ended_early(stage: Stage, direct: Climbed, shots: _Shots, early: str) -> Climbed:
    """The best of what there is: the direct starts, the parameters that the rungs have passed, solved from the start alone, a
    solution in pieces that is closed."""
    status = "interrupted" if early == "interrupted" else "stopped"
    passed = [shot.theta for _, shot in shots.closed] + [shot.theta for shot in shots.open]
    passed += [] if stage.track.best is None else [stage.track.best]
    points = stage.lanes([Ask(theta) for theta in passed]) if passed else []
    ends = [Optimum(p.theta, p.value, p.gradient, p.fisher, status, early, stage.track.iteration) for p in points if not p.failed]
    end, before = min(ends, key=lambda e: e.value, default=None), best_of(direct.found)
    known = min([np.inf if before is None else before.objective, np.inf if end is None else end.value])
    direct = replace(direct, early=early)
    if shots.closed and shots.best[1].value < known - SAME:
        pieces, shot = shots.best
        return _won(direct, stage.result(_of_pieces(shot), status), SHOT, InPieces(pieces, shot))
    better = end is not None and (before is None or end.value < before.objective)
    return _won(direct, stage.result(end), POLISHED) if end is not None and better else direct


def _of_pieces(shot: Shot) -> Optimum:
    reason = f"multiple shooting: {shot.reason}"
    return Optimum(shot.theta, shot.value, np.zeros_like(shot.theta), None, "converged", reason, shot.iterations)


def _won(direct: Climbed, result: StartResult, stage: str, in_pieces: InPieces | None = None) -> Climbed:
    """With one more result, which is the best."""
    found, stages = [*direct.found, result], {**direct.stages, result.start: stage}
    return replace(direct, found=found, stages=stages, in_pieces=in_pieces)
