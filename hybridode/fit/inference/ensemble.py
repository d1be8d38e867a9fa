"""An ensemble of networks, trained after the fit: each member from first weights and parameters of its own.

Member i of a run begins where start i of a longer multi-start might have: networks initialised anew, parameters by turns near
the declared values and anywhere within bounds or priors. It goes through all that a start goes through. Those that end within
`WITHIN` of the best objective follow the data as well as the fit and are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.outcome.members import WITHIN
from hybridode.fit.parameters import pack, trainable_weights
from hybridode.fit.progress import Progress, Recorder
from hybridode.fit.run import FitRun
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.multistart import starting_points
from hybridode.fit.search.starts import StartResult, run_starts
from hybridode.kernels.programs import programs_kept
from hybridode.networks.initialise import initialise


@dataclass(frozen=True, eq=False)
class Member:
    """How one ended: its `number`, vector, objective (infinite where it failed), status and reason as of a start."""

    number: int
    theta: np.ndarray
    objective: float
    status: str
    reason: str


@dataclass(frozen=True, eq=False)
class Ensemble:
    """`objective` of the fit, all members that were `trained`, and why it ended `early`, or ""."""

    objective: float
    trained: tuple[Member, ...]
    early: str

    @property
    def kept(self) -> tuple[Member, ...]:
        """Those that follow the data as well as the best."""
        best = min([self.objective, *(m.objective for m in self.trained)])
        return tuple(m for m in self.trained if m.objective <= best + WITHIN)

    def sentences(self) -> list[str]:
        """How many there are, and whether one is better than the fit."""
        kept, all_ = len(self.kept), len(self.trained)
        said = [f"{kept} of {all_} members follow the data as well as the fit (within {WITHIN:g} of the best objective)"
                + (f"; {self.early}" if self.early else "")]  # fmt: skip
        best = min(self.trained, key=lambda m: m.objective, default=None)
        if best is not None and best.objective < self.objective - WITHIN:
            said.append(f"member {best.number} is better than the fit by {self.objective - best.objective:.3g} in the objective: "
                        f"fit again with `--starts {best.number + 1}`")  # fmt: skip
        if all_ and not kept:
            said.append("the bands are those of the fit alone: train more members")
        return said


def ensemble(
    run: FitRun,
    members: int,
    recorder: Recorder | None = None,
    done: Sequence[Member] = (),
    keep: Callable[[Ensemble], None] | None = None,
) -> Ensemble:
    """Members 1 … `members` of a fit with networks; those `done` are not trained again. `keep` is told after each. Ctrl-C and the
    recorder's limit of time end it early, and drop the member that is being trained.

    Raises UsageError E0781 (no optimum), E0792 (no network that is learnt)."""
    finished = run.finished
    if finished is None:
        raise UsageError(Diagnostic("E0781", "there is no ensemble: the fit has no optimum"))
    objective = finished.prepared.objective
    if not trainable_weights(objective.networks, objective.weights):
        raise UsageError(Diagnostic("E0792", "there is no ensemble: the model has no network that is learnt",
                                    hint="`hybridode profile RUN` says how well its parameters are known"))  # fmt: skip
    own, trained, early = recorder or Recorder(), list(done[:members]), ""
    own.starts = members
    used = run.result["settings"]["used"]
    before = finished.prepared.lanes
    lanes = Lanes(replace(objective, trained=False), before.batch, before.implicit, before.most_steps)
    value = float(run.result["objective"]["value"])
    with jax.enable_x64(True), programs_kept():
        for number in range(len(trained) + 1, members + 1):
            point = _begins(run, number, dict(used["set"]), int(used["seed"]))
            (found,), early = run_starts(lanes, [point], finished.prepared.curves(), _of_member(own, number, members))
            if early:
                break
            trained.append(_member(number, found))
            if keep is not None:
                keep(Ensemble(value, tuple(trained), ""))
    return Ensemble(value, tuple(trained), early)


def _begins(run: FitRun, number: int, values: dict[str, Any], seed: int) -> np.ndarray:
    """Where a member begins: it does not depend on how many there are."""
    assert run.finished is not None
    objective = run.finished.prepared.objective
    mine = seed + (run.result["settings"]["used"]["starts"] or 1) + number - 1
    first = objective.space.unconstrain(values)
    z = starting_points(objective.space, objective.priors, first, 3, mine)[2 - number % 2]
    weights = {n.name: dict(objective.weights[n.name]) for n in objective.networks}
    for n in objective.networks:
        if not n.freeze:
            weights[n.name] |= initialise(n, mine)
    return np.asarray(pack(z, objective.networks, weights))


def _of_member(recorder: Recorder, number: int, members: int) -> Recorder:
    """What a member is told and tells: the time of all, its own number."""
    listener = recorder.listener

    def heard(progress: Progress) -> None:
        if listener is not None:
            listener(replace(progress, start=number, starts=members))

    return Recorder(heard, recorder.max_seconds, began=recorder.began)


def _member(number: int, found: StartResult) -> Member:
    return Member(number, found.theta, found.objective, found.status, found.reason)
