"""The ladder: the cheap way first, and a more robust one only where the result is worse than a smooth curve through the data.

    direct starts ─► compared with a smooth curve ─► multiple shooting ─► joint polish from there, or the pieces themselves

Every decision is a line of the log with its numbers. What multiple shooting finds is polished by single shooting; where that is
worse (trajectories that lose their past within the record, as chaotic ones do), the solution in pieces is the result: the same
model, the same parameters, continuous to within a tolerance, but not computable from its start alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.predicted import cannot_predict
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.matching import Matched, match, noise_scales, with_noise_scales
from hybridode.fit.search.rungs import LOSS, SAME, Climbed, Curves, Stage, early_of, shooting
from hybridode.fit.search.starts import StartResult, best_of
from hybridode.solve.constrained import is_constrained

WORSE = 1.5  # how much more than a smooth curve a fit leaves, in scatter, that is evidence to climb
_TANGENTS = 80  # numbers that a piece depends on, at most
_AGREEING = 3  # starts that end at one optimum are evidence for it,
_EXPLAINED = (
    0.5  # unless it leaves more than this share of the records' standard deviation (all may have found the same flat line)
)


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


def matched_start(objective: Objective, batch: Batch, curves: Curves, theta: np.ndarray, recorder: Recorder) -> np.ndarray | None:
    """The start that smoothed states suggest (of models without networks), or None with a line in the log."""
    if len(theta) != objective.n_parameters or not len(theta) or not objective.compiled.size:
        return None
    memory = objective.memory
    asked = [objective.identity, memory.hash_of(batch), theta] if memory.in_use else []
    found = Matched.of(memory.once(b"gradient matching", asked, lambda: match(objective, batch, curves(), theta).plain()))
    recorder.log.append(f"gradient matching: {found.words}" + ("; it is one more start" if found.theta is not None else ""))
    return None if found.theta is None else with_noise_scales(objective, found.theta, noise_scales(objective, batch))


def climb(
    lanes: Lanes, curves: Curves, found: list[StartResult], begun: Sequence[np.ndarray], matched: bool, recorder: Recorder
) -> Climbed:
    """What the direct starts `found` is compared with a smooth curve; where it is far from it, multiple shooting begins where the
    last of them `begun` (from matching if it is `matched`), at the best, and at others, until one comes near the curve."""
    stage = Stage(lanes, curves, recorder, Track(recorder, len(found) + 1))
    climb, evidence = _evidence(stage, found)
    direct = Climbed(found, stages={len(begun): "gradient matching"} if matched else {}, evidence=evidence)
    reason = cannot_shoot(lanes.objective, len(begun[0]), lanes.batch) if climb else ""
    recorder.say(f"ladder: {evidence}" + (f"; {reason}" if reason else "" if climb else ": the direct starts are enough"))
    if not climb or reason:
        return direct
    try:
        first = begun[-1] if matched else matched_start(lanes.objective, lanes.batch, curves, begun[0], recorder)
        chosen = [begun[-1] if first is None else first, *([best.theta] if (best := best_of(found)) else []), *begun]
        return shooting(stage, direct, chosen)
    except (KeyboardInterrupt, OutOfTime) as stop:
        return replace(direct, early=early_of(stop))
    finally:
        recorder.gather([stage.track])


def _evidence(stage: Stage, found: Sequence[StartResult]) -> tuple[bool, str]:
    """Whether to climb, and why or why not, in words with numbers."""
    best = best_of(found)
    if best is None and stage.batch.steady is not None:
        return False, "no start could be evaluated, and a series that ends in its steady state is not cut"
    if best is None:
        return True, f"none of {len(found)} starts could be evaluated"
    unknown = cannot_predict(stage.objective, stage.batch)
    if unknown is not None:
        return False, unknown
    attained = stage.compared(best.theta)
    worst = max(attained, key=lambda a: a.loss, default=None)
    if worst is None:
        return False, "no column has numbers enough to compare the fit with a smooth curve"
    words = f"the fit leaves {worst.model:.3g} of `{worst.column}` (root mean square), a smooth curve {worst.curve:.3g}"
    far = worst.ratio > WORSE and worst.loss > LOSS
    if not far:
        worst = max(attained, key=lambda a: a.structure)
        far = worst.structure > LOSS
        words += f"; its residuals of `{worst.column}` follow each other ({worst.follow:.2g} of the one before)" if far else ""
    agreeing = sum(r.objective <= best.objective + SAME for r in found)
    if far and agreeing >= _AGREEING and worst.model < _EXPLAINED * worst.spread:
        return False, f"{words}, but {agreeing} of {len(found)} starts agree: it is the model that does not follow"
    return far, words
