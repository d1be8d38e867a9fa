"""Fits of the other models of the same data: the physics alone, and a network alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from hybridode.declarations import Declarations
from hybridode.errors import HybridodeError
from hybridode.fit.criticism.clock import Clock
from hybridode.fit.criticism.pretrained import first_weights
from hybridode.fit.criticism.refits import refitted
from hybridode.fit.criticism.simpler import RATES, learnt_names, no_pure_network, physics_alone, pure_network
from hybridode.fit.run import Finished, FitRun, fit
from hybridode.solve.settings import Settings

_SEARCH, _SETTLE, _TRAIN = 0.35, 0.4, 0.8  # shares of the time that is left


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model of the same data. `run` is None where there is none, and `reason` says why. `early`: it was cut short after so many
    `seconds`; `unfinished`: where it is is no optimum."""

    run: FitRun | None = None
    reason: str = ""
    early: bool = False
    unfinished: bool = False
    seconds: float = 0.0

    @property
    def finished(self) -> Finished | None:
        """What goes on working."""
        return None if self.run is None else self.run.finished


@dataclass(frozen=True)
class _Begun:
    """A model whose networks begin with these weights (as a `hybridode.Model` that was fitted before)."""

    declarations: Declarations
    _weights: Mapping[str, Mapping[str, Any]]


def physics_fitted(run: FitRun, clock: Clock) -> Fitted:
    """The physics alone: by a search with all that a fit does, and from the hybrid's optimum."""
    found = _fitted(run, physics_alone(run.dataset.declarations), clock, clock.part(_SEARCH), constraints=True)
    return found if found.finished is None else _settled(found, run, clock)


def _settled(found: Fitted, run: FitRun, clock: Clock) -> Fitted:
    """At the best optimum that is reached from the hybrid's numbers and, if the search was cut short, from where it was."""
    assert run.finished is not None and found.run is not None and found.run.finished is not None, "finished fits"
    prepared, best = found.run.finished.prepared, found.run.finished.theta
    of = run.finished.prepared.objective
    begins = [best] if found.early else []
    if prepared.objective.space.names == of.space.names:
        begins.append(run.finished.theta[: of.n_parameters])
    unfinished = found.early
    try:
        with jax.enable_x64(True):
            value = float(prepared.lanes.evaluation(best).value)
            for begin in begins:
                end = refitted(prepared, begin, prepared.fitted, clock.part(_SETTLE))
                if end.value < value - 1e-3 or (begin is best and not end.early):
                    best, value, unfinished = end.theta, end.value, end.early
    except KeyboardInterrupt:
        clock.interrupted = True
    settled = replace(found.run, finished=Finished(prepared, best))
    return replace(found, run=settled, unfinished=unfinished)


def network_fitted(run: FitRun, clock: Clock) -> Fitted:
    """A network alone: from the weights that follow the hybrid's curves, and with all the time also as any network begins."""
    why = no_pure_network(run.dataset.declarations)
    if why:
        return Fitted(reason=why)
    d = pure_network(run.dataset.declarations)
    try:
        weights = first_weights(run, d, run.result["settings"]["used"]["seed"])
    except KeyboardInterrupt:
        clock.interrupted = True
        return Fitted(reason=clock.why, early=True)
    found = Fitted() if weights is None else _fitted(run, d, clock, clock.part(_TRAIN), constraints=False, weights=weights)
    if clock.over or (found.finished is not None and clock.deadline is not None):
        return found if found.run is not None or found.reason else Fitted(reason=clock.why, early=True)
    return min(_fitted(run, d, clock, clock.part(_TRAIN), constraints=False), found, key=_objective)


def _objective(found: Fitted) -> float:
    return np.inf if found.finished is None or found.run is None else float(found.run.result["objective"]["value"])


def _fitted(
    run: FitRun, d: Declarations, clock: Clock, seconds: float | None, constraints: bool,
    weights: Mapping[str, np.ndarray] | None = None,
) -> Fitted:  # fmt: skip
    """The fit of other declarations to the data of a run, told what that was told. weights: where the network RATES begins; then
    learnt starts begin at those of the run."""
    if clock.over:
        return Fitted(reason=clock.why, early=True)
    used, known = run.result["settings"]["used"], learnt_names(d)
    told = {name: value for name, value in used["set"].items() if name in known}
    fixed = {n: None for n in used["fix"] if n in known}
    settings = Settings(**used.get("settings", {}))
    model: Any = d
    if weights is not None:
        others = {n.name: run.weights[n.name] for n in d.networks if n.name != RATES}
        model = _Begun(d, {RATES: dict(weights), **others})
        told |= {p.name: run.parameters[p.name] for p in d.parameters if p.start_of and not p.fixed and not p.by}
    began = time.perf_counter()
    try:
        found = fit(model, replace(run.dataset, declarations=d), set=told, fix=fixed, seed=used["seed"],
                    hold_out=used["hold_out"], loss=used.get("loss"),
                    constraints=(used.get("constraints") or {}) if constraints else {},
                    settings=settings, max_seconds=seconds)  # fmt: skip
    except HybridodeError as error:
        return Fitted(reason=error.diagnostics[0].message)
    except KeyboardInterrupt:  # while it was compiled
        clock.interrupted = True
        return Fitted(reason=clock.why, early=True)
    clock.interrupted |= found.cut_short == "interrupted"
    if found.finished is None:
        return Fitted(reason=found.result["status_reason"] if found.status == "failed" else "its solution is in pieces")
    cut = found.cut_short != ""
    return Fitted(found, early=cut, unfinished=cut, seconds=time.perf_counter() - began)
