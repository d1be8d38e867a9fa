"""The ladder: the cheap way first, and a more robust one only where the result is worse than a smooth curve through the data.

    direct starts ─► compared with a smooth curve ─► multiple shooting ─► joint polish from there, or the pieces themselves

Every decision is a line of the log with its numbers. What multiple shooting finds is polished by single shooting; where that is
worse (trajectories that lose their past within the record, as chaotic ones do), the solution in pieces is the result: the same
model, the same parameters, continuous to within a tolerance, but not computable from its start alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hybridode.expr import Symbol
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.ask import run_alone
from hybridode.fit.search.attainable import Attained, compared
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.linearised import linearised
from hybridode.fit.search.matching import Matched, match, noise_scales, starts_from_curves, with_noise_scales
from hybridode.fit.search.nodes import first_nodes
from hybridode.fit.search.pieces import Pieces, cut, numbers_of_pieces
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.fit.search.shooting import Problem, Shot, shoot
from hybridode.fit.search.smooth import Curve
from hybridode.fit.search.starts import StartResult, best_of
from hybridode.solve.constrained import is_constrained

WORSE, LOSS = 1.5, 10.0  # how much worse than a smooth curve, in scatter and in log-likelihood, is evidence to climb
_ENOUGH = 1.2  # an attempt that comes as near as this to the curve ends the search
_ATTEMPTS = 5  # starts of multiple shooting, at most,
_SHORTER, _ATTEMPTS_SHORTER = 2.0, 3  # and with so many times more pieces
_TANGENTS = 80  # numbers that a piece depends on, at most
_UNKNOWNS = 20_000
_SAME = 0.5  # differences in log-likelihood up to this make two results the same
_AGREEING = 3  # starts that end at one optimum are evidence for it,
_EXPLAINED = (
    0.5  # unless it leaves more than this share of the records' standard deviation (all may have found the same flat line)
)


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


def cannot_shoot(objective: Objective, numbers: int, batch: Batch | None = None) -> str | None:
    """Why multiple shooting cannot be used on a model, in words, or None."""
    compiled, d = objective.compiled, objective.compiled.declarations
    if objective.settings.engine != "native":
        return "multiple shooting needs the native engine"
    if is_constrained(compiled):
        return "multiple shooting does not cut models with algebraic equations"
    if batch is not None and batch.doses is not None and batch.doses.interval.shape[-1]:
        return "multiple shooting does not cut series that begin in a steady state"
    if any(event.stop for event in (*d.at_events, *d.when_events)):
        return "multiple shooting does not cut models with events that end the run"
    if any(event.at_start for event in d.when_events):
        return "multiple shooting does not cut models with events that fire where a solve begins"
    if any(i.name == "u0" for tape in compiled.tapes.values() for i in tape.inputs):
        return "multiple shooting does not cut models that read an input at the start"
    if numbers + compiled.size > _TANGENTS:
        return f"multiple shooting takes up to {_TANGENTS} numbers and states, here are {numbers} and {compiled.size}"
    return None


Curves = Callable[[], Sequence[Mapping[Symbol, Curve]]]


def matched_start(objective: Objective, batch: Batch, curves: Curves, theta: np.ndarray, recorder: Recorder) -> np.ndarray | None:
    """The start that smoothed states suggest (of models without networks), or None with a line in the log."""
    if len(theta) != objective.n_parameters or not len(theta) or not objective.compiled.size:
        return None
    memory = objective.memory
    asked = [objective.identity, memory.hash_of(batch), theta] if memory.in_use else []
    found = Matched.of(memory.once(b"gradient matching", asked, lambda: match(objective, batch, curves(), theta).plain()))
    recorder.log.append(f"gradient matching: {found.words}" + ("; it is one more start" if found.theta is not None else ""))
    return None if found.theta is None else with_noise_scales(objective, found.theta, noise_scales(objective, batch))


@dataclass(frozen=True, eq=False)
class _Stage:
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


def climb(
    lanes: Lanes, curves: Curves, found: list[StartResult], begun: Sequence[np.ndarray], matched: bool, recorder: Recorder
) -> Climbed:
    """What the direct starts `found` is compared with a smooth curve; where it is far from it, multiple shooting begins where the
    last of them `begun` (from matching if it is `matched`), at the best, and at others, until one comes near the curve."""
    stage = _Stage(lanes, curves, recorder, Track(recorder, len(found) + 1))
    climb, evidence = _evidence(stage, found)
    direct = Climbed(found, stages={len(begun): "gradient matching"} if matched else {}, evidence=evidence)
    reason = cannot_shoot(lanes.objective, len(begun[0]), lanes.batch) if climb else ""
    recorder.say(f"ladder: {evidence}" + (f"; {reason}" if reason else "" if climb else ": the direct starts are enough"))
    if not climb or reason:
        return direct
    try:
        first = begun[-1] if matched else matched_start(lanes.objective, lanes.batch, curves, begun[0], recorder)
        chosen = [begun[-1] if first is None else first, *([best.theta] if (best := best_of(found)) else []), *begun]
        return _shooting(stage, direct, _distinct(chosen))
    except (KeyboardInterrupt, OutOfTime) as stop:
        return replace(direct, early="interrupted" if isinstance(stop, KeyboardInterrupt) else "out of time")
    finally:
        recorder.gather([stage.track])


def _evidence(stage: _Stage, found: Sequence[StartResult]) -> tuple[bool, str]:
    """Whether to climb, and why or why not, in words with numbers."""
    best = best_of(found)
    if best is None and stage.batch.steady is not None:
        return False, "no start could be evaluated, and a series that ends in its steady state is not cut"
    if best is None:
        return True, f"none of {len(found)} starts could be evaluated"
    unknown = cannot_predict(stage.objective, stage.batch)
    if unknown is not None:
        return False, unknown
    attained = _compared(stage, best.theta)
    worst = max(attained, key=lambda a: a.loss, default=None)
    if worst is None:
        return False, "no column has numbers enough to compare the fit with a smooth curve"
    words = f"the fit leaves {worst.model:.3g} of `{worst.column}` (root mean square), a smooth curve {worst.curve:.3g}"
    far = worst.ratio > WORSE and worst.loss > LOSS
    if not far:
        worst = max(attained, key=lambda a: a.structure)
        far = worst.structure > LOSS
        words += f"; its residuals of `{worst.column}` follow each other ({worst.follow:.2g} of the one before)" if far else ""
    agreeing = sum(r.objective <= best.objective + _SAME for r in found)
    if far and agreeing >= _AGREEING and worst.model < _EXPLAINED * worst.spread:
        return False, f"{words}, but {agreeing} of {len(found)} starts agree: it is the model that does not follow"
    return far, words


def _compared(stage: _Stage, theta: np.ndarray) -> list[Attained]:
    return compared(stage.objective, stage.batch, stage.batch, locations(stage.objective, stage.batch, theta))


@dataclass(frozen=True, eq=False)
class _Shots:
    """What multiple shooting has found: solutions that are closed; theta of others, by their value; whether that is enough."""

    closed: tuple[tuple[Pieces, Shot], ...] = ()
    open: tuple[Shot, ...] = ()
    enough: bool = False

    @property
    def best(self) -> tuple[Pieces, Shot]:
        return min(self.closed, key=lambda found: found[1].value)


def _shooting(stage: _Stage, direct: Climbed, points: Sequence[np.ndarray]) -> Climbed:
    objective, batch, recorder = stage.objective, stage.batch, stage.recorder
    found, counts = _Shots(), numbers_of_pieces(objective, batch)
    if max(counts) < 2 or sum(counts) * objective.compiled.size > _UNKNOWNS:
        recorder.say(f"ladder: the records cannot be cut into pieces ({max(counts)} of a series)")
        return direct
    found = _attempts(stage, direct, counts, points[:_ATTEMPTS], found)
    shorter = numbers_of_pieces(objective, batch, _SHORTER)
    if not found.enough and sum(shorter) >= 1.5 * sum(counts) and sum(shorter) * objective.compiled.size <= _UNKNOWNS:
        reached = [shot.theta for _, shot in sorted(found.closed, key=lambda f: f[1].value)[:1]]
        found = _attempts(stage, direct, shorter, _distinct([points[0], *reached, *points[1:]])[:_ATTEMPTS_SHORTER], found)
    if found.closed:
        return _polished(stage, direct, *found.best)
    recorder.say("ladder: multiple shooting did not close its gaps")
    return _from_open(stage, direct, found.open)


def _attempts(stage: _Stage, direct: Climbed, counts: Sequence[int], points: Sequence[np.ndarray], found: _Shots) -> _Shots:
    """Multiple shooting from each of the points, until one comes near the curve or several agree."""
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
            found = replace(found, open=(*found.open, shot) if np.isfinite(shot.value) else found.open)
            continue
        found = replace(found, closed=(*found.closed, (pieces, shot)))
        others = [s.value for _, s in found.closed] + ([] if best is None else [best.objective])
        agreeing = sum(abs(shot.value - value) <= _SAME for value in others)
        if agreeing >= _AGREEING or _near_enough(stage, pieces, shot):
            return replace(found, enough=True)
    return found


def _distinct(points: Sequence[np.ndarray]) -> list[np.ndarray]:
    kept: list[np.ndarray] = []
    for theta in points:
        if not any(np.array_equal(theta, other) for other in kept):
            kept.append(theta)
    return kept


def _near_enough(stage: _Stage, pieces: Pieces, shot: Shot) -> bool:
    """Whether the pieces follow the data about as well as a smooth curve does."""
    found = locations(stage.objective, pieces.batch, shot.theta, shot.nodes)
    reached = compared(stage.objective, stage.batch, pieces.batch, found)
    return all(a.ratio <= _ENOUGH and a.structure <= LOSS for a in reached)


def _polished(stage: _Stage, direct: Climbed, pieces: Pieces, shot: Shot) -> Climbed:
    """Single shooting from where multiple shooting ended; the pieces themselves where it is worse."""
    recorder, track, best = stage.recorder, stage.track, best_of(direct.found)
    track.begin_stage("joint polish")
    end = run_alone(fisher_scoring(shot.theta, track, box=stage.box(len(shot.theta))), stage.lanes.point)
    number, counts = track.start, (track.iteration, track.rejected)
    before = "" if best is None else f"; the best direct start has {best.objective:.6g}"
    if np.isfinite(end.value) and end.value <= shot.value + _SAME:
        recorder.say(f"ladder: joint polish from the pieces: objective {end.value:.6g}{before}")
        result = StartResult(number, end.theta, end.value, end.status, end.message, *counts)
        return replace(direct, found=[*direct.found, result], stages={**direct.stages, number: "multiple shooting, joint polish"})
    words = f"{end.value:.6g}" if np.isfinite(end.value) else f"no value ({end.message})"
    recorder.say(f"ladder: in pieces the objective is {shot.value:.6g}, solved from the start alone {words}{before}")
    if best is not None and best.objective <= shot.value:
        return direct
    recorder.say(
        f"ladder: the model forgets its start within the record, so the solution in {pieces.count} pieces is the result; "
        f"its gaps are at most {shot.gap:.1e} of a state's spread"
    )
    result = StartResult(number, shot.theta, shot.value, "converged", f"multiple shooting: {shot.reason}", *counts)
    return replace(
        direct,
        found=[*direct.found, result],
        stages={**direct.stages, number: "multiple shooting"},
        in_pieces=InPieces(pieces, shot),
    )


def _from_open(stage: _Stage, direct: Climbed, shots: Sequence[Shot]) -> Climbed:
    """Single shooting from parameters at which pieces were still apart: jumps that move from piece to piece have no slopes."""
    recorder, track, best = stage.recorder, stage.track, best_of(direct.found)
    ends = []
    for shot in sorted(shots, key=lambda s: s.gap)[:_ATTEMPTS_SHORTER]:
        track.begin_stage("joint polish")
        ends.append(run_alone(fisher_scoring(shot.theta, track, box=stage.box(len(shot.theta))), stage.lanes.point))
    end = min(ends, key=lambda e: e.value, default=None)
    if end is None or not np.isfinite(end.value) or (best is not None and end.value >= best.objective):
        recorder.say("ladder: the direct result stays")
        return direct
    recorder.say(f"ladder: joint polish from its parameters: objective {end.value:.6g}")
    result = StartResult(track.start, end.theta, end.value, end.status, end.message, track.iteration, track.rejected)
    stages = {**direct.stages, track.start: "multiple shooting, joint polish"}
    return replace(direct, found=[*direct.found, result], stages=stages)
