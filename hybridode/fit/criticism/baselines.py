"""Does a network earn its place? The hybrid beside the physics alone, a network alone and a constant, on the same data.

The physics alone is the same model with every network's output at 0, its parameters fitted again with all that a fit does (and
from the hybrid's optimum). The pure network (a neural ODE: R. T. Q. Chen et al., NeurIPS 2018) has the same states, starts and
observations, and one network in the place of all rates. All are judged by the likelihood of the fitted records with the effective
number of parameters, and by records that refits have not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd

from hybridode.errors import HybridodeError
from hybridode.fit.criticism.alternatives import Fitted, network_fitted, physics_fitted
from hybridode.fit.criticism.clock import Clock
from hybridode.fit.criticism.constant import constant_score, constants_of
from hybridode.fit.criticism.earned import Judged, Verdict, earned
from hybridode.fit.criticism.folds import Fold, by_origins, by_series, default_spec
from hybridode.fit.criticism.freedom import effective_number
from hybridode.fit.criticism.hold_outs import HoldOuts, hold_outs
from hybridode.fit.criticism.records import rows_of
from hybridode.fit.criticism.scores import Scored, joined, scored
from hybridode.fit.criticism.side_by_side import constant_run, free_run
from hybridode.fit.objective.predicted import cannot_predict, locations
from hybridode.fit.prepare import Prepared
from hybridode.fit.run import Finished, FitRun
from hybridode.fit.search.attainable import compared

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
    interrupted: bool = False

    def content(self) -> dict[str, Any]:
        """As a finding."""
        columns = ["model", "nll", "n_data", "n_free", "aic", "bic", "log_score", "rmse", "crps", "coverage95", "n_hold_out",
                   "early", "reason"]  # fmt: skip
        rows = [j.row() for j in self.judged]
        return {"sentences": list(self.verdict.sentences), "verdict": self.verdict.kind,
                "provisional": self.verdict.provisional, "hold_out": self.spec,
                "log_likelihood_gained": self.verdict.gain, "bic_gained": self.verdict.bic,
                "relative_error": self.verdict.relative,
                "models": {"columns": columns, "rows": rows},
                "residuals": {"columns": ["column", "scale", "constant", "physics", "hybrid", "smooth_curve"],
                              "rows": [list(r) for r in self.residuals]}}  # fmt: skip


def baselines(run: FitRun, seconds: float | None = None, alone: bool = True) -> Baselines:
    """Of a fit of a model with networks, within about so many seconds; what there is no time for has a reason in its place, and
    Ctrl-C keeps what there is. What the verdict needs most comes first. alone: also a network without the physics."""
    assert run.finished is not None and run.dataset.declarations.networks, "a finished fit of a hybrid"
    clock = Clock.of(seconds)
    spec, folds = _folds(run)
    fitted = {"physics": physics_fitted(run, clock), "hybrid": Fitted(run)}
    unseen, missing = _unseen(fitted["hybrid"], fitted["physics"], spec, folds, clock)
    if alone:
        fitted["network"] = network = network_fitted(run, clock)
        made = unseen["hybrid"]
        mine = folds if made is None else folds[: len(made.folds)]
        unseen["network"] = _held(network.finished, spec, mine, clock, 1.0)
    judged = [_constant(run.finished, spec, folds if unseen["hybrid"] is None else folds[: len(unseen["hybrid"].folds)])]
    judged += [_judged(name, found, unseen[name], spec) for name, found in fitted.items()]
    names = [n.name for n in run.dataset.declarations.networks if not n.freeze]
    verdict = earned(names, {j.name: j for j in judged}, missing)
    curves = _curves(run.finished, fitted)
    residuals = _residuals(run.finished, fitted["physics"].finished)
    return Baselines(tuple(judged), spec, tuple(residuals), verdict, tuple(curves), clock.interrupted)


def _curves(hybrid: Finished, fitted: Mapping[str, Fitted]) -> list[pd.DataFrame]:
    """Free runs of the models that there are, the constant first."""
    with jax.enable_x64(True):
        rows = [r.seen() for r in rows_of(hybrid.prepared, hybrid.prepared.solve_curves(hybrid.theta))]
        constants = constants_of(rows)
        out = [] if constants is None else [constant_run(hybrid, constants)]
        return out + [free_run(name, f.finished) for name, f in fitted.items() if f.finished is not None]


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


def _unseen(
    hybrid: Fitted, physics: Fitted, spec: str, folds: Sequence[Fold], clock: Clock
) -> tuple[dict[str, HoldOuts | None], str]:
    """How hybrid and physics predict the parts that refits of both have not seen, and what is missing of that, in words."""
    if not folds or physics.finished is None:
        return {"hybrid": None, "physics": None}, ""
    first = _held(hybrid.finished, spec, folds, clock, 0.3)
    second = None if first is None else _held(physics.finished, spec, folds[: len(first.folds)], clock, 0.5)
    if first is None or second is None:
        return {"hybrid": None, "physics": None}, f"no records were held out, as {clock.why}"
    count = len(second.folds)
    few = "" if count == len(folds) else f"only {count} of {len(folds)} parts {'was' if count == 1 else 'were'} held out"
    return {"hybrid": first.cut(count), "physics": second}, few and f"{few}, as {clock.why}"


def _held(finished: Finished | None, spec: str, folds: Sequence[Fold], clock: Clock, share: float) -> HoldOuts | None:
    """With the parts that were predicted by a refit which came to its end; None where there are none."""
    if finished is None or not folds or clock.over:
        return None
    found = hold_outs(finished.prepared, finished.theta, spec, clock.part(share), folds)
    clock.interrupted |= found.interrupted
    done = next((i for i, f in enumerate(found.folds) if f.early), len(found.folds))
    return found.cut(done) if done else None


# ---- one model each -------------------------------------------------------------------------------------------------------
def _judged(name: str, found: Fitted, out: HoldOuts | None, spec: str) -> Judged:
    if found.finished is None:
        return Judged(name, reason=found.reason, early=found.early)
    prepared, theta = found.finished.prepared, found.finished.theta
    with jax.enable_x64(True):
        rows = rows_of(prepared, prepared.solve_curves(theta))
        fitted = scored([r.seen() for r in rows])
        own = scored([r.seen("hold_out") for r in rows]) if spec == OWN else None
    nll = -float(np.sum(fitted.density))
    criteria = prepared.objective.no_criteria(prepared.fitted) == ""
    unseen = own if own is not None else None if out is None else out.whole
    reason = f"its search was cut short after {found.seconds:.2g} s" if found.early else ""
    return Judged(name, nll, fitted.count, effective_number(prepared, theta), criteria, unseen, found.early, reason,
                  found.unfinished)  # fmt: skip


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


def _residuals(of_hybrid: Finished, of_physics: Finished | None) -> list[tuple[Any, ...]]:
    """column, scale, and the root mean square that a constant, the physics, the hybrid and a smooth curve leave on it."""
    hybrid = _attained(of_hybrid.prepared, of_hybrid.theta)
    other = {} if of_physics is None else _attained(of_physics.prepared, of_physics.theta)
    scales = {"lognormal": "logarithm", "poisson": "2 sqrt", "negbinomial": "logarithm of 1 + x"}
    kinds = {o.column: scales.get(o.distribution, "value") for o in of_hybrid.prepared.dataset.declarations.observations}
    return [
        (c, kinds[c], a.spread, other[c].model if c in other else None, a.model, a.curve) for c, a in hybrid.items()
    ]  # fmt: skip


def _attained(prepared: Prepared, theta: np.ndarray) -> dict[str, Any]:
    objective, batch = prepared.objective, prepared.fitted
    if cannot_predict(objective, batch) is not None:
        return {}
    return {a.column: a for a in compared(objective, batch, batch, locations(objective, batch, theta))}
