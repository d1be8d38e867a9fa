"""Does a network earn its place? The hybrid beside the physics alone, a network alone and a constant, on the same data.

The physics alone is the same model with every network's output at 0, its parameters fitted again with all that a fit does (and
from the hybrid's optimum). The pure network (a neural ODE: R. T. Q. Chen et al., NeurIPS 2018) has the same states, starts and
observations, and one network in the place of all rates. All are judged by the likelihood of the fitted records with the effective
number of parameters, and by records that refits have not seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd

from hybridode.declarations import Declarations
from hybridode.errors import HybridodeError
from hybridode.fit.criticism.constant import constant_score, constants_of
from hybridode.fit.criticism.earned import Judged, Verdict, earned
from hybridode.fit.criticism.folds import Fold, by_origins, by_series, default_spec
from hybridode.fit.criticism.freedom import effective_number
from hybridode.fit.criticism.hold_outs import HoldOuts, hold_outs
from hybridode.fit.criticism.records import rows_of
from hybridode.fit.criticism.refits import refitted
from hybridode.fit.criticism.scores import Scored, joined, scored
from hybridode.fit.criticism.side_by_side import constant_run, free_run
from hybridode.fit.criticism.simpler import learnt_names, no_pure_network, physics_alone, pure_network
from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.prepare import Prepared
from hybridode.fit.run import Finished, FitRun, fit
from hybridode.fit.search.attainable import compared
from hybridode.solve.settings import Settings

OWN = "held out by the fit"
_PARTS, _ORIGINS = 4, 2  # fewer than `compare --cross-validate` makes: every model is refitted for each


@dataclass(frozen=True, eq=False)
class Baselines:
    """The models in order, what was held out, root mean squares by column and model, the verdict, free runs of each model that
    there is (see `side_by_side`)."""

    judged: tuple[Judged, ...]
    spec: str
    residuals: tuple[tuple[Any, ...], ...]
    verdict: Verdict
    curves: tuple[pd.DataFrame, ...]

    def content(self) -> dict[str, Any]:
        """As a finding."""
        columns = ["model", "nll", "n_data", "n_free", "aic", "bic", "log_score", "rmse", "crps", "coverage95", "n_hold_out",
                   "early", "reason"]  # fmt: skip
        rows = [j.row() for j in self.judged]
        return {"sentences": list(self.verdict.sentences), "verdict": self.verdict.kind, "hold_out": self.spec,
                "log_likelihood_gained": self.verdict.gain, "bic_gained": self.verdict.bic,
                "relative_error": self.verdict.relative,
                "models": {"columns": columns, "rows": rows},
                "residuals": {"columns": ["column", "scale", "constant", "physics", "hybrid", "smooth_curve"],
                              "rows": [list(r) for r in self.residuals]}}  # fmt: skip


def baselines(run: FitRun, seconds: float | None = None, alone: bool = True) -> Baselines:
    """Of a fit of a model with networks, within about so many seconds; what there is no time for has a reason in its place.
    alone: also a network without the physics."""
    assert run.finished is not None and run.dataset.declarations.networks, "a finished fit of a hybrid"
    deadline = None if seconds is None else time.perf_counter() + seconds
    hybrid = run.finished
    spec, folds = _folds(run)
    physics, why = _fitted(run, physics_alone(run.dataset.declarations), _part(deadline, 0.6), True)
    if physics is not None and physics.finished is not None:
        physics = _from_hybrid(physics, run, _part(deadline, 0.5))
    outs: dict[str, HoldOuts | None] = {"hybrid": None, "physics": None}
    for name, finished in (("hybrid", hybrid), ("physics", None if physics is None else physics.finished)):
        if folds and finished is not None:
            folds = folds[: len(outs["hybrid"].folds)] if outs["hybrid"] is not None else folds
            outs[name] = _held(finished, spec, folds, _part(deadline, 0.5))
    judged = [
        _constant(hybrid, spec, folds),
        _judged("physics", physics, outs["physics"], spec, why),
        _judged("hybrid", run, outs["hybrid"], spec, ""),
    ]
    network = None
    if alone:
        network, one = _network(run, spec, folds, deadline)
        judged.append(one)
    names = [n.name for n in run.dataset.declarations.networks if not n.freeze]
    verdict = earned(names, {j.name: j for j in judged}, spec)
    runs = {"physics": physics, "hybrid": run, "network": network}
    return Baselines(tuple(judged), spec, tuple(_residuals(run, physics)), verdict, tuple(_curves(hybrid, runs)))


def _curves(hybrid: Finished, runs: Mapping[str, FitRun | None]) -> list[pd.DataFrame]:
    """Free runs of the models that there are, the constant first."""
    with jax.enable_x64(True):
        rows = [r.seen() for r in rows_of(hybrid.prepared, hybrid.prepared.solve_curves(hybrid.theta))]
        constants = constants_of(rows)
        out = [] if constants is None else [constant_run(hybrid, constants)]
        return out + [free_run(name, r.finished) for name, r in runs.items() if r is not None and r.finished is not None]


def _part(deadline: float | None, share: float) -> float | None:
    """Seconds that the next piece of work may take."""
    return None if deadline is None else max(share * (deadline - time.perf_counter()), 0.5)


def _folds(run: FitRun) -> tuple[str, list[Fold]]:
    """What is held out, and how: nothing more where the fit has held out some; ("", []) where there are too few records."""
    assert run.finished is not None, "a finished fit"
    if any(h.any() for h in run.finished.prepared.held):
        return OWN, []
    try:
        if default_spec(run.dataset) == "series":
            return f"{_PARTS} parts of the series", by_series(run.dataset, _PARTS)
        return f"forecasts from {_ORIGINS} times", by_origins(run.dataset, _ORIGINS)
    except HybridodeError:
        return "", []


# ---- fits ---------------------------------------------------------------------------------------------------------------
def _fitted(run: FitRun, d: Declarations, seconds: float | None, constraints: bool) -> tuple[FitRun | None, str]:
    """The fit of other declarations to the data of a run, told what that was told, or why there is none."""
    used, known = run.result["settings"]["used"], learnt_names(d)
    told = {name: value for name, value in used["set"].items() if name in known}
    fixed = {n: None for n in used["fix"] if n in known}
    settings = Settings(**used.get("settings", {}))
    try:
        found = fit(d, replace(run.dataset, declarations=d), set=told, fix=fixed, seed=used["seed"], hold_out=used["hold_out"],
                    loss=used.get("loss"), constraints=(used.get("constraints") or {}) if constraints else {},
                    settings=settings, max_seconds=seconds)  # fmt: skip
    except HybridodeError as error:
        return None, error.diagnostics[0].message
    if found.cut_short == "interrupted":
        raise KeyboardInterrupt
    if found.finished is None:
        return None, found.result["status_reason"] if found.status == "failed" else "its solution is in pieces"
    return found, ""


def _from_hybrid(physics: FitRun, run: FitRun, seconds: float | None) -> FitRun:
    """The physics also from the hybrid's optimum, where that is better."""
    assert physics.finished is not None and run.finished is not None, "finished fits"
    prepared, of = physics.finished.prepared, run.finished.prepared.objective
    if prepared.objective.space.names != of.space.names:
        return physics
    with jax.enable_x64(True):
        end = refitted(prepared, run.finished.theta[: of.n_parameters], prepared.fitted, seconds)
        before = float(prepared.lanes.evaluation(physics.finished.theta).value)
    return replace(physics, finished=Finished(prepared, end.theta)) if end.value < before - 1e-3 else physics


def _held(finished: Finished, spec: str, folds: Sequence[Fold], seconds: float | None) -> HoldOuts:
    found = hold_outs(finished.prepared, finished.theta, spec, seconds, folds)
    if found.interrupted:
        raise KeyboardInterrupt
    return found


# ---- one model each -------------------------------------------------------------------------------------------------------
def _judged(name: str, run: FitRun | None, out: HoldOuts | None, spec: str, why: str) -> Judged:
    if run is None or run.finished is None:
        return Judged(name, reason=why)
    prepared, theta = run.finished.prepared, run.finished.theta
    with jax.enable_x64(True):
        rows = rows_of(prepared, prepared.solve_curves(theta))
        fitted = scored([r.seen() for r in rows])
        own = scored([r.seen("hold_out") for r in rows]) if spec == OWN else None
    nll = -float(np.sum(fitted.density))
    criteria = prepared.objective.no_criteria(prepared.fitted) == ""
    unseen = own if own is not None else None if out is None or not out.folds else out.whole
    early = run.cut_short != "" or (out is not None and (out.unmade > 0 or any(f.early for f in out.folds)))
    return Judged(name, nll, fitted.count, effective_number(prepared, theta), criteria, unseen, early,
                  run.result["status_reason"] if run.status == "failed" else "", run.cut_short != "")  # fmt: skip


def _constant(hybrid: Finished, spec: str, folds: Sequence[Fold]) -> Judged:
    prepared = hybrid.prepared
    with jax.enable_x64(True):
        curves = prepared.solve_curves(hybrid.theta)
        rows = rows_of(prepared, curves)
        fitted = [r.seen() for r in rows]
        found = constant_score(fitted, fitted)
        if found is None:
            return Judged("constant", reason="no constant describes the records")
        parts: list[Scored] = []
        if spec == OWN:
            score = constant_score(fitted, [r.seen("hold_out") for r in rows])
            parts += [] if score is None else [score[0]]
        for fold in folds:
            seen = [r.seen() for r in rows_of(prepared, curves, [u | h for u, h in zip(fold.unseen, prepared.held, strict=True)])]
            unseen = [r.seen("hold_out") for r in rows_of(prepared, curves, fold.judged)]
            score = constant_score(seen, unseen)
            parts += [] if score is None else [score[0]]
    out = joined(parts) if parts else None
    criteria = prepared.objective.no_criteria(prepared.fitted) == ""
    return Judged("constant", -float(np.sum(found[0].density)), found[0].count, float(found[1]), criteria, out)


def _network(run: FitRun, spec: str, folds: Sequence[Fold], deadline: float | None) -> tuple[FitRun | None, Judged]:
    d = run.dataset.declarations
    why = no_pure_network(d)
    if why:
        return None, Judged("network", reason=f"no network alone was fitted: {why}")
    left = None if deadline is None else deadline - time.perf_counter()
    if left is not None and left < 2.0:
        return None, Judged("network", reason="there was no time: `hybridode compare RUN --baselines` takes it")
    found, why = _fitted(run, pure_network(d), None if left is None else 0.7 * left, False)
    out = None
    if found is not None and found.finished is not None and folds:
        out = _held(found.finished, spec, folds, _part(deadline, 1.0))
        out = out if out.unmade == 0 else None
    return found, _judged("network", found, out, spec, why)


def _residuals(run: FitRun, physics: FitRun | None) -> list[tuple[Any, ...]]:
    """column, scale, and the root mean square that a constant, the physics, the hybrid and a smooth curve leave on it."""
    assert run.finished is not None, "a finished fit"
    hybrid = _attained(run.finished.prepared, run.finished.theta)
    other = {} if physics is None or physics.finished is None else _attained(physics.finished.prepared, physics.finished.theta)
    scales = {"lognormal": "logarithm", "poisson": "2 sqrt", "negbinomial": "logarithm of 1 + x"}
    kinds = {o.column: scales.get(o.distribution, "value") for o in run.dataset.declarations.observations}
    return [
        (c, kinds[c], a.spread, other[c].model if c in other else None, a.model, a.curve) for c, a in hybrid.items()
    ]  # fmt: skip


def _attained(prepared: Prepared, theta: np.ndarray) -> dict[str, Any]:
    objective, batch = prepared.objective, prepared.fitted
    if cannot_predict(objective, batch) is not None:
        return {}
    return {a.column: a for a in compared(objective, batch, batch, locations(objective, batch, theta))}
