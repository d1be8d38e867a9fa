"""`fit`: a model and a data file in, a `FitRun` out. The stages stand in `_fit`, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.data.experiments import Dataset, experiments
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.live import panels, rows_of
from hybridode.fit.objective.assignment import assigned, shared_at
from hybridode.fit.objective.batch import doses_of, signals_of
from hybridode.fit.objective.constraints import constraint_entries
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.robust import read_loss
from hybridode.fit.outcome import result as results
from hybridode.fit.outcome.ending import gradient_entry, status_of, uncertainty_of
from hybridode.fit.outcome.in_pieces import curves_in_pieces, value_in_pieces
from hybridode.fit.outcome.members import members_of
from hybridode.fit.outcome.rivals import rivals_of
from hybridode.fit.outcome.shares import network_shares, share_sentences
from hybridode.fit.outcome.tables import (
    hold_out_scores,
    impossible_row,
    likelihood_of,
    parameters_table,
    predictions_table,
    residuals_table,
    trace_table,
)
from hybridode.fit.outcome.values import constants_of_fit, named_values, shared_values, values_by_group
from hybridode.fit.parameters import check_names, trainable_weights, unpack
from hybridode.fit.plan import Plan, plan_of
from hybridode.fit.prepare import FALLBACK, Options, Prepared, Spread, points_of, prepare
from hybridode.fit.progress import Keeps, Progress, Recorder
from hybridode.fit.search.agreement import agreement_entry, doubt_of, optima_notes, starts_note
from hybridode.fit.search.exchanged import exchange_warning
from hybridode.fit.search.given import check_seed, check_starts, read_starts
from hybridode.fit.search.influence import without_influence
from hybridode.fit.search.ladder import climb, matched_start
from hybridode.fit.search.lanes import FISHER_MOST, Lanes
from hybridode.fit.search.multistart import drawing
from hybridode.fit.search.rungs import Climbed
from hybridode.fit.search.starts import StartResult, best_of, run_starts
from hybridode.kernels.programs import programs_kept
from hybridode.solve.engines import choose, chosen
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.switches import sliding_ifs
from hybridode.solve.tapes import state_names

if TYPE_CHECKING:
    import pandas as pd

STARTS = 8  # by default, of a model without networks: a start costs little beside compiling, and local optima are common
STARTS_IN_LANES = 24  # where starts share a call


@dataclass(frozen=True, eq=False)
class Finished:
    """What goes on working after a fit (profiles, samples): everything that it was made with, and the vector where it ended.
    `members`: of fits with networks where other starts ended that follow the data as well (an ensemble)."""

    prepared: Prepared
    theta: np.ndarray
    members: tuple[np.ndarray, ...] = ()
    rivals: tuple[np.ndarray, ...] = ()  # other points nearly as good, see `outcome/rivals`


@dataclass
class FitRun:
    """A finished fit. `parameters` are in natural units, by parameter (with `by`: by label), `shared` too, but with one value for
    all groups; `weights` hold each network's arrays with shift, scale and out_scale; `result` is `result.json`. The tables are
    described in docs/run-directory.md."""

    declarations: Declarations
    compiled: Compiled
    dataset: Dataset
    parameters: dict[str, Any]
    weights: dict[str, dict[str, np.ndarray]]
    result: dict[str, Any]
    predictions: pd.DataFrame
    residuals: pd.DataFrame
    trace: pd.DataFrame
    parameters_table: pd.DataFrame
    log: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)  # those that `set` gave another value
    cut_short: str = ""  # why the search ended before its end: "interrupted", "out of time"
    shared: dict[str, Any] = field(default_factory=dict)
    finished: Finished | None = None

    @property
    def status(self) -> str:
        """converged, stopped, interrupted or failed."""
        return self.result["status"]


def fit(
    model: Any,
    data: str | Path | pd.DataFrame | Dataset,
    *,
    set: Mapping[str, Any] | None = None,
    fix: Iterable[str] | None = None,
    starts: int | Sequence[Mapping[str, Any]] | pd.DataFrame | None = None,
    seed: int = 0,
    hold_out: str | None = None,
    columns: Mapping[str, str] | None = None,
    sources: Mapping[str, str | Path | pd.DataFrame] | None = None,
    conditions: str | Path | pd.DataFrame | None = None,
    numbers: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Settings | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_seconds: float | None = None,
    keeper: Keeps | None = None,
    weights: Mapping[str, float | str] | None = None,
    loss: str | None = None,
    constraints: Mapping[str, Mapping[str, float]] | None = None,
    equilibrate: Mapping[str, Mapping[str, float]] | None = None,
    planned: Callable[[Plan], None] | None = None,
    spread: Spread | None = None,
) -> FitRun:
    """Fits a model (`Model` or `Declarations`) to data: a CSV file, a DataFrame, or a Dataset already read. Runs in float64.

    set: other values to begin with (params, consts, learnt starts; consts stay constant). fix: names that are not learnt; a
    mapping sets them too. starts: None: 24 (8 without lanes, 1 with networks); or the points themselves in natural units, as
    mappings `[{"alpha": 0.5, "U": {"W0": …}}, …]` or a table with a row each. hold_out: `last:5`, or `fraction:0.2`.
    columns: names of the model -> columns of the file. sources: names -> files of inputs. conditions: a table with a row per
    experiment; numbers: the same by label, `{"WT": {"dose": 3}}`. Ctrl-C and `max_seconds` end the
    search; the best point so far is reported (status "interrupted", "stopped"). keeper: writes the run down while it runs.
    weights: observed column (`*`: all) -> how much its records count, a number or a column of the file. loss: `huber`, `soft_l1`,
    `cauchy`, in place of the likelihood of residuals. constraints: expression -> {"equals" | "at_least" | "at_most": …, "sd": …}.
    equilibrate: `{"WT": {"dose": 0}}`: before the experiment WT the model is in its steady state under these numbers.
    spread: evaluates points elsewhere, see `workers`.
    planned: is told what will be done before the search begins; an exception from it ends the fit there. A model that cannot be
    solved at any start gives status "failed" and what could be computed. Raises DataError (E06), UsageError (E08), ModelError.
    """
    began = time.perf_counter()
    declarations: Declarations = getattr(model, "declarations", model)
    check_seed(seed)
    fix = [fix] if isinstance(fix, str) else fix
    fixed = dict(fix) if isinstance(fix, Mapping) else dict.fromkeys(fix or ())
    values = {**(set or {}), **{k: v for k, v in fixed.items() if v is not None}}
    count, given = read_starts(starts)
    chosen = settings or Settings()
    used: dict[str, Any] = {"starts": count, "seed": seed, "hold_out": hold_out, "max_seconds": max_seconds, "fix": list(fixed),
                            "set": {name: np.asarray(value).tolist() for name, value in values.items()}}  # fmt: skip
    used |= {"loss": loss, "constraints": {text: dict(says) for text, says in (constraints or {}).items()}}
    used["settings"] = {f.name: getattr(chosen, f.name) for f in fields(chosen) if getattr(chosen, f.name) != f.default}
    options = Options(values, frozenset(fixed), count, seed, hold_out, chosen, getattr(model, "_weights", None), used,
                       None if loss is None else read_loss(loss), constraints or {}, spread, given)  # fmt: skip
    with jax.enable_x64(True), programs_kept():
        if isinstance(data, Dataset):
            _check_read(columns=columns, sources=sources, conditions=conditions, numbers=numbers, weights=weights,
                        equilibrate=equilibrate)  # fmt: skip
        else:
            folder = Path(declarations.source.name).parent
            data = experiments(declarations, data, columns, sources, folder, conditions, numbers, weights, equilibrate)
        check_names(data.declarations, values, "set", data.groups)
        check_names(data.declarations, fixed, "fix", data.groups)
        check_starts(given, data.declarations, data.groups)
        return _fit(declarations, data, options, Recorder(progress, max_seconds, began=began, keeper=keeper, planned=planned))


def _check_read(**reading: Any) -> None:
    """Raises UsageError E0856 for what would have had to be said when the data were read."""
    late = [f"`{name}`" for name, said in reading.items() if said]
    if late:
        message = f"the data are already read: {', '.join(late)} would change nothing"
        hint = "give it to `hybridode.data.experiments.experiments`, which read them, or give the file or frame to the fit"
        raise UsageError(Diagnostic("E0856", message, hint=hint))


def _fit(declarations: Declarations, dataset: Dataset, options: Options, recorder: Recorder) -> FitRun:
    recorder.log += dataset.notes
    prepared = prepare(dataset, options, recorder)
    dataset, objective = prepared.dataset, prepared.objective
    if options.spread is not None:
        prepared.lanes.spread = options.spread(prepared, options)
    if recorder.keeper is not None:
        recorder.keeper.ready(objective.memory.hash_of(prepared.fitted), partial(_described, prepared, dataset))
    networks = bool(trainable_weights(objective.networks, objective.weights))
    several = STARTS_IN_LANES if prepared.lanes.width > 1 else STARTS
    count = options.starts or (1 if networks or not objective.n_parameters else several)
    recorder.starts = count
    points = points_of(objective, options, count)
    declared = objective.theta(objective.space.unconstrain(dict(options.values))) if options.begin else points[0]
    prepared = _first_evaluation(prepared, declared, dataset, recorder)
    if recorder.planned is not None:
        recorder.planned(plan_of(prepared.lanes, points, prepared.seconds, recorder.log[len(dataset.notes) :]))
    match = count > 1 and not options.begin
    matched = matched_start(objective, prepared.fitted, prepared.curves, points[0], recorder) if match else None
    begun = points if matched is None else [*points, matched]
    recorder.starts = len(begun)
    draw = None if networks or options.begin else drawing(objective.space, objective.priors, points[0], options.seed)
    found, early = run_starts(prepared.lanes, begun, prepared.curves() if networks else [], recorder, draw)
    if not early and options.settings.method == "auto":
        prepared, found, early = _with_better_method(prepared, found, points, dataset, options.settings, recorder)
    if prepared.lanes.stiff:
        method = METHODS[str(prepared.lanes.implicit)].title
        recorder.log.append(f"{prepared.lanes.stiff} points of the search were stiff and solved with {method}")
    recorder.log += [starts_note(found, len(begun)), *optima_notes(found, objective.space)]
    cut = early or any(
        s.has_steady or s.before is not None for s in dataset.series
    )  # a smooth curve says nothing about steady states
    climbed = (
        climb(prepared.lanes, prepared.curves, found, begun, matched is not None, recorder) if not cut else Climbed(found, early)
    )
    if climbed.in_pieces is None:
        settled, names = without_influence(prepared.lanes, climbed.found, declared)
        climbed = replace(climbed, found=settled)
        for name in names:
            recorder.log.append(f"warning W0760: `{name}` has no influence on any record: it stays at its declared value")
    if recorder.keeper is not None:
        recorder.keeper.searched()
    unsure = "" if climbed.early or climbed.in_pieces else doubt_of(prepared.lanes, climbed.found)
    recorder.log += [f"warning W0761: {unsure}"] * bool(unsure)
    swap = (
        ""
        if climbed.early or climbed.in_pieces
        else exchange_warning(prepared.lanes, climbed.found, begun, recorder.seconds_left)
    )
    recorder.log += [f"warning W0646: {swap}"] * bool(swap)
    return _finish(declarations, dataset, prepared, climbed, options, recorder)


def _first_evaluation(prepared: Prepared, theta: np.ndarray, dataset: Dataset, recorder: Recorder) -> Prepared:
    """Compiles the objective, which takes most of a short fit, and says what is impossible at the declared values."""
    began = time.perf_counter()
    objective = prepared.objective
    if len(theta) <= FISHER_MOST:
        recorder.log.append(f"sensitivities {objective.mode(len(theta), prepared.fitted).reason}")
    e = prepared.lanes.evaluation(theta)
    if not np.isfinite(float(e.value)):
        where = impossible_row(objective, dataset, prepared.fitted, theta) if np.any(np.asarray(e.impossible)) else ""
        recorder.log.append(f"warning W0751: the declared values give no likelihood: {objective.why(e)}{where}")
    return replace(prepared, seconds=prepared.seconds + time.perf_counter() - began)


# ---- the search -----------------------------------------------------------------------------------------------------------
def _with_better_method(
    prepared: Prepared,
    found: list[StartResult],
    points: list[np.ndarray],
    dataset: Dataset,
    settings: Settings,
    recorder: Recorder,
) -> tuple[Prepared, list[StartResult], str]:
    """The choice of method measured again where the search ended; another method continues from there. And why it ended early."""
    objective, best = prepared.objective, best_of(found)
    if best is None:
        if METHODS[objective.method].implicit:
            return prepared, found, ""
        method, points = chosen(objective.settings.engine, FALLBACK, "", objective.settings).method, points[:1]
        recorder.log.append(
            f"no start could be solved with {METHODS[objective.method].title}: {METHODS[method].title} tries the first again"
        )
    else:
        args: Any = arguments_at(objective, best.theta)
        row = int(np.argmax(prepared.batch.horizon - prepared.batch.t0))
        x = objective.space.vector(best.theta[: objective.n_parameters])
        p = assigned(x, objective.base, prepared.batch.numbers[row], prepared.batch.index[row])
        args = Arguments(p, args.weights, signals_of(objective.compiled, dataset.series[row]), args.inputs_at_start,
                         doses_of(prepared.batch, row))  # fmt: skip
        end = float(prepared.batch.ts[row, -1])
        choice = choose(objective.compiled, args, float(prepared.batch.t0[row]), end, settings)
        method, reason = choice.method, choice.reason
        if METHODS[method].implicit == METHODS[objective.method].implicit:
            return prepared, found, ""
        recorder.log.append(f"at the optimum the method is {METHODS[method].title}: {reason}; the search continues with it")
        points = [best.theta]
    objective, lanes = replace(objective, method=method), prepared.lanes
    lanes = (
        lanes.other if method == lanes.implicit else Lanes(objective, prepared.fitted)
    )  # that has been compiled for stiff points
    prepared = replace(prepared, objective=objective, lanes=lanes)
    again, early = run_starts(prepared.lanes, points, [], recorder)
    if best is None:
        return prepared, [*found, *(replace(r, start=len(found) + r.start) for r in again)], early
    others = [r for r in found if r.start != best.start]
    return prepared, [*others, replace(again[0], start=best.start, resampled=best.resampled)], early


def arguments_at(objective: Objective, theta: np.ndarray) -> Arguments:
    """Arguments of no series in particular at theta, without inputs, in NumPy."""
    z, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
    p = shared_at(objective.compiled, objective.space, objective.base, z)
    k = len(objective.compiled.system.inputs)
    return Arguments(p, weights, None, np.zeros(k))  # type: ignore[arg-type]


# ---- while it searches, for those who watch --------------------------------------------------------------------------------
def _described(prepared: Prepared, dataset: Dataset, theta: np.ndarray, curves: bool) -> dict[str, Any]:
    """The parameters at theta by name, and with `curves` the panels of what is observed (see `Describe`)."""
    objective = prepared.objective
    natural = named_values(objective, dataset, theta, np.asarray(arguments_at(objective, theta).parameters))
    found: dict[str, Any] = {"parameters": {name: np.asarray(value).tolist() for name, value in natural.items()}}
    if curves:
        solved = prepared.solve_curves(theta)
        table = predictions_table(objective, dataset, solved, prepared.held)
        rows = rows_of(table[table["kind"] == "curve"], ("series", "column", "time", "location", "lower95", "upper95"))
        records = [
            (s.name, dataset.columns[k], t, v, held)
            for s, out in zip(dataset.series, prepared.held, strict=True)
            for k, t, v, held in zip(s.records.column, s.records.time, s.records.value, out, strict=True)
            if np.isfinite(t)
        ]
        found["panels"] = panels(rows, records)
    return found


# ---- after the search -------------------------------------------------------------------------------------------------------
def _finish(
    declarations: Declarations, dataset: Dataset, prepared: Prepared, climbed: Climbed, options: Options, recorder: Recorder
) -> FitRun:  # fmt: skip
    objective, found, early, in_pieces = prepared.objective, climbed.found, climbed.early, climbed.in_pieces
    best = best_of(found)
    theta = found[0].theta if best is None else best.theta
    status, reason = status_of(found, best, early)
    searched = recorder.elapsed
    if in_pieces is None:
        evaluation, unknown = uncertainty_of(prepared.lanes, theta, best is not None, early)
        curves = prepared.solve_curves(theta)
    else:
        evaluation, unknown = value_in_pieces(objective, in_pieces)
        curves = curves_in_pieces(objective, dataset, prepared.batch, in_pieces)
    recorder.log += [f"warning {d.code}: {d.span and f'line {d.span.line}: '}{d.message}"
                     for d in sliding_ifs(objective.compiled, curves.sliding)]  # fmt: skip
    residuals = residuals_table(objective, dataset, curves, prepared.held)
    numbers = arguments_at(objective, theta)
    groups = values_by_group(objective, dataset, theta[: objective.n_parameters], options.values)
    shared = shared_values(objective, np.asarray(numbers.parameters))
    table = parameters_table(dataset, objective, theta, unknown, groups)
    weights = {name: {key: np.asarray(a) for key, a in arrays.items()} for name, arrays in numbers.weights.items()}
    n_data = int(sum(np.sum(np.asarray(c.used) > 0) for c in prepared.fitted.columns[: objective.n_observed]))
    parts = np.asarray(evaluation.parts)
    nll = likelihood_of(residuals) if best else np.nan
    no_criteria = objective.no_criteria(prepared.fitted)
    result: dict[str, Any] = {
        "schema": results.SCHEMA, "model": declarations.name, "status": status, "status_reason": reason,
        "objective": results.objective_entry(nll, float(evaluation.value), parts, n_data, len(theta), reason, no_criteria),
        "parameters": results.parameter_entries(dataset.declarations, table, dataset.groups),
        "networks": results.network_entries(
            objective.networks, weights, network_shares(objective, prepared.batch, curves, theta), best is None
        ),
        "constraints": constraint_entries(objective.constraints, curves.observed, objective.constraint_places, curves.ts),
        "hold_out": hold_out_scores(residuals, options.hold_out, objective.columns_of_classes),
        "seed": options.seed, "starts": results.start_entries(found),
        "search": {**climbed.entry(), **agreement_entry(found, prepared.lanes.stiff)},
        "settings": {"engine": objective.settings.engine, "method": objective.method,
                     **gradient_entry(objective, prepared.fitted, len(theta)),
                     "rtol": objective.settings.rtol, "atol": objective.settings.atol,
                     "checkpoints": objective.settings.checkpoints, "used": {**options.used, **dataset.reading}},
        "data": results.data_entry(dataset, state_names(objective.compiled.system), curves.states[:, 0]),
        "timing": {"compile": prepared.seconds, "fit": searched - prepared.seconds, "total": recorder.elapsed},
        "versions": results.versions(),
    }  # fmt: skip
    recorder.log += share_sentences(result["networks"])
    if result["hold_out"] is None:
        result["hold_out_reason"] = "nothing was held out"
    whole = None
    if best is not None and in_pieces is None:
        whole = Finished(
            prepared, theta, members_of(objective.n_parameters, found, best), rivals_of(objective.space, found, theta)
        )
    return FitRun(
        declarations, objective.compiled, dataset, {**shared, **groups}, weights, result,
        predictions_table(objective, dataset, curves, prepared.held), residuals, trace_table(recorder), table, recorder.log,
        constants_of_fit(objective, dataset, np.asarray(numbers.parameters)), early, shared,
        whole,
    )  # fmt: skip
