"""`fit`: a model and a data file in, a `FitRun` out. The stages stand in `_fit`, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.compile import compile_model
from hybridode.data.experiments import Dataset, experiments
from hybridode.data.groups import nameable
from hybridode.data.holdout import held_out
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, UsageError
from hybridode.expr import Symbol
from hybridode.fit.live import panels, rows_of
from hybridode.fit.memory import Memory
from hybridode.fit.objective.assignment import assigned, parameter_places, shared_at
from hybridode.fit.objective.batch import Batch, RecordPlaces, build_batch, doses_of, signals_of, with_use
from hybridode.fit.objective.constraints import constraint_entries, read_constraints, with_constraints
from hybridode.fit.objective.limits import kinds_of
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.priors import bind_priors
from hybridode.fit.objective.robust import Loss, read_loss
from hybridode.fit.outcome import result as results
from hybridode.fit.outcome.ending import gradient_entry, status_of, uncertainty_of
from hybridode.fit.outcome.in_pieces import curves_in_pieces, value_in_pieces
from hybridode.fit.outcome.tables import (
    Curves,
    curve_solver,
    hold_out_scores,
    impossible_row,
    likelihood_of,
    parameters_table,
    predictions_table,
    residuals_table,
    trace_table,
)
from hybridode.fit.outcome.values import constants_of_fit, named_values, shared_values, values_by_group
from hybridode.fit.parameters import ParameterSpace, check_names, pack, parameter_space, trainable_weights, unpack
from hybridode.fit.plan import Plan, plan_of
from hybridode.fit.progress import Keeps, Progress, Recorder
from hybridode.fit.search.initial import scale_networks
from hybridode.fit.search.ladder import Climbed, climb, matched_start
from hybridode.fit.search.lanes import FISHER_MOST, LEAST_STEPS, MORE_STEPS, Lanes
from hybridode.fit.search.multistart import drawing, starting_points
from hybridode.fit.search.smooth import Curve, smooth_states
from hybridode.fit.search.starts import StartResult, best_of, run_starts, starts_note
from hybridode.networks.initialise import initialise
from hybridode.solve.engines import Choice, choose, chosen
from hybridode.solve.events import EventPlan, plan_events
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings

if TYPE_CHECKING:
    import pandas as pd

STARTS = 8  # by default, of a model without networks: a start costs little beside compiling, and local optima are common
_FALLBACK = "kvaerno5"  # where an explicit method could not solve the model at any start


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
    starts: int | None = None,
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
    planned: Callable[[Plan], None] | None = None,
) -> FitRun:
    """Fits a model (`Model` or `Declarations`) to data: a CSV file, a DataFrame, or a Dataset already read. Runs in float64.

    set: other values to begin with (params, consts, learnt starts; consts stay constant). fix: names that are not learnt; a
    mapping sets them too. starts: None means 8, or 1 with networks. hold_out: `last:5` or `fraction:0.2` of each series' times.
    columns: names of the model -> columns of the file. sources: names -> files of inputs. conditions: a table with a row per
    experiment; numbers: the same by label, `{"WT": {"dose": 3}}`. Ctrl-C and `max_seconds` end the
    search; the best point so far is reported (status "interrupted", "stopped"). keeper: writes the run down while it runs.
    weights: observed column (`*`: all) -> how much its records count, a number or a column of the file. loss: `huber`, `soft_l1`,
    `cauchy`, in place of the likelihood of residuals. constraints: expression -> {"equals" | "at_least" | "at_most": …, "sd": …}.
    planned: is told what will be done before the search begins; an exception from it ends the fit there. A model that cannot be
    solved at any start gives status "failed" and what could be computed. Raises DataError (E06), UsageError (E08), ModelError.
    """
    began = time.perf_counter()
    declarations: Declarations = getattr(model, "declarations", model)
    fixed = dict(fix) if isinstance(fix, Mapping) else dict.fromkeys(fix or ())
    values = {**(set or {}), **{k: v for k, v in fixed.items() if v is not None}}
    if starts is not None and starts < 1:
        raise UsageError(Diagnostic("E0853", f"{starts} starts make no fit", hint="give at least one start"))
    chosen = settings or Settings()
    used: dict[str, Any] = {"starts": starts, "seed": seed, "hold_out": hold_out, "max_seconds": max_seconds, "fix": list(fixed),
                            "set": {name: np.asarray(value).tolist() for name, value in values.items()}}  # fmt: skip
    used |= {"loss": loss, "constraints": {text: dict(says) for text, says in (constraints or {}).items()}}
    used["settings"] = {f.name: getattr(chosen, f.name) for f in fields(chosen) if getattr(chosen, f.name) != f.default}
    options = _Options(values, frozenset(fixed), starts, seed, hold_out, chosen, getattr(model, "_weights", None), used,
                       None if loss is None else read_loss(loss), constraints or {})  # fmt: skip
    with jax.enable_x64(True):
        if not isinstance(data, Dataset):
            folder = Path(declarations.source.name).parent
            data = experiments(declarations, data, columns, sources, folder, conditions, numbers, weights)
        check_names(data.declarations, values, "set", data.groups)
        check_names(data.declarations, fixed, "fix", data.groups)
        return _fit(declarations, data, options, Recorder(progress, max_seconds, began=began, keeper=keeper, planned=planned))


@dataclass(frozen=True, eq=False)
class _Options:
    """What the caller chose. `weights` stand for the networks' first ones (of a model that was fitted before)."""

    values: Mapping[str, Any]
    fixed: frozenset[str]
    starts: int | None
    seed: int
    hold_out: str | None
    settings: Settings
    weights: Mapping[str, Mapping[str, Any]] | None
    used: Mapping[str, Any] = field(default_factory=dict)  # all of it as keywords of `fit`, for result.json and settings.toml
    loss: Loss | None = None
    constraints: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Everything that does not change while the optimisers run."""

    objective: Objective
    batch: Batch
    fitted: Batch  # without what is held out
    held: list[np.ndarray]
    curves: Callable[[], list[dict[Symbol, Curve]]]  # smoothed states per series, made once when first asked for
    seconds: float
    lanes: Lanes  # the objective of the fitted records at many points
    dataset: Dataset

    @cached_property
    def solve_curves(self) -> Callable[[np.ndarray], Curves]:
        """Of theta, see `curve_solver`."""
        return curve_solver(self.objective, self.dataset, self.batch)


def _fit(declarations: Declarations, dataset: Dataset, options: _Options, recorder: Recorder) -> FitRun:
    recorder.log += dataset.notes
    prepared = _prepare(dataset, options, recorder)
    objective = prepared.objective
    if recorder.keeper is not None:
        recorder.keeper.ready(objective.memory.hash_of(prepared.fitted), partial(_described, prepared, dataset))
    networks = bool(trainable_weights(objective.networks, objective.weights))
    count = options.starts or (1 if networks or not objective.n_parameters else STARTS)
    recorder.starts = count
    points = _points(objective, options, count)
    prepared = _first_evaluation(prepared, points[0], dataset, recorder)
    if recorder.planned is not None:
        recorder.planned(plan_of(prepared.lanes, points, prepared.seconds, recorder.log[len(dataset.notes) :]))
    matched = matched_start(objective, prepared.fitted, prepared.curves, points[0], recorder) if count > 1 else None
    begun = points if matched is None else [*points, matched]
    draw = None if networks else drawing(objective.space, objective.priors, points[0], options.seed)
    found, early = run_starts(prepared.lanes, begun, prepared.curves() if networks else [], recorder, draw)
    if early != "interrupted" and options.settings.method == "auto":
        prepared, found = _with_better_method(prepared, found, points, dataset, options.settings, recorder)
    if prepared.lanes.stiff:
        method = METHODS[str(prepared.lanes.implicit)].title
        recorder.log.append(f"{prepared.lanes.stiff} points of the search were stiff and solved with {method}")
    recorder.log.append(starts_note(found, len(begun)))
    climbed = (
        climb(prepared.lanes, prepared.curves, found, begun, matched is not None, recorder)
        if not early
        else Climbed(found, early)
    )
    if recorder.keeper is not None:
        recorder.keeper.searched()
    return _finish(declarations, dataset, prepared, climbed, options, recorder)


# ---- before the search --------------------------------------------------------------------------------------------------
def _prepare(dataset: Dataset, options: _Options, recorder: Recorder) -> _Prepared:
    """Everything the optimisers need: compiled model, padded data, networks scaled, method chosen."""
    began = time.perf_counter()
    d, values = dataset.declarations, dict(options.values)
    held = held_out(dataset, options.hold_out)
    promoted = dataset.promoted | {c.name for c in d.constants if any(k == c.name or k.startswith(f"{c.name}[") for k in values)}
    constraints, expressions = read_constraints(d, options.constraints)
    compiled = compile_model(with_constraints(d, constraints, expressions), promoted)
    space = parameter_space(d.parameters, options.fixed, dataset.given, dataset.groups)
    batch, places = build_batch(compiled, dataset, space, values, len(constraints))
    used = {
        k: [(~h)[s.records.column == k] for s, h in zip(dataset.series, held, strict=True)] for k in range(len(dataset.columns))
    }
    masks = {k: _padded_mask(batch, places[k], used[k], k) for k in used}
    fitted = with_use(batch, masks) if any(h.any() for h in held) else batch
    shared = nameable(d, {})  # without values by group
    arguments = compiled.arguments({n: v for n, v in values.items() if n in shared}, dict(dataset.series[0].inputs) or None)
    base = np.array(arguments.parameters, float)
    weights = {
        n: {k: np.array(a, float) for k, a in arrays.items()} for n, arrays in (options.weights or arguments.weights).items()
    }
    curves = cache(lambda: smooth_states(dataset, used))
    if weights and options.weights is None:
        weights = scale_networks(
            d, dataset, curves(), {n: float(base[i]) for n, i in parameter_places(compiled).items()}, weights
        )
    choice = _choice(compiled, replace(arguments, weights=dict(weights)), batch, options.settings, recorder)
    objective = Objective(
        compiled, space, d.networks, base, weights, bind_priors(d, space), choice.method, choice.settings,
        _plan(compiled, [replace(arguments, parameters=p) for p in _starting(space, base, batch, values)], batch),
        tuple(kinds_of(c.censored, c.used) for c in batch.columns),
        Memory() if recorder.keeper is None else recorder.keeper.memory, options.loss, constraints,
    )  # fmt: skip
    recorder.log += objective.said()
    lanes = _lanes(objective, fitted, choice, options.settings)
    return _Prepared(objective, batch, fitted, held, curves, time.perf_counter() - began, lanes, dataset)


def _lanes(objective: Objective, fitted: Batch, choice: Choice, settings: Settings) -> Lanes:
    """With an implicit method for points that turn out to be stiff, where the choice of the method is ours."""
    ours = settings.method == "auto" and settings.max_steps == Settings().max_steps and choice.steps > 0
    if not ours or METHODS[choice.method].implicit or choice.settings.engine != "native":
        return Lanes(objective, fitted)
    implicit = chosen("native", _FALLBACK, "", objective.settings).method
    return Lanes(objective, fitted, implicit, max(LEAST_STEPS, MORE_STEPS * choice.steps))


def _padded_mask(batch: Batch, places: RecordPlaces, used: list[np.ndarray], k: int) -> np.ndarray:
    mask = np.zeros(np.shape(batch.columns[k].used), bool)
    mask[places.series, places.place] = np.concatenate(used)
    return mask


def _choice(compiled: Compiled, arguments: Arguments, batch: Batch, settings: Settings, recorder: Recorder) -> Choice:
    """Engine and integration method at these numbers: the user's, or chosen by measured stiffness."""
    row = int(np.argmax(batch.horizon - batch.t0))
    arguments = replace(arguments, doses=doses_of(batch, row))
    choice = choose(compiled, arguments, float(batch.t0[row]), float(batch.ts[row, -1]), settings)
    recorder.log.append(f"engine {choice.settings.engine}, method {METHODS[choice.method].title}: {choice.reason}")
    return choice


def _starting(space: ParameterSpace, base: np.ndarray, batch: Batch, values: Mapping[str, Any]) -> list[np.ndarray]:
    """The parameter vector of each series where the search begins."""
    x = space.vector(space.unconstrain(values))
    return [assigned(x, base, own, index) for own, index in zip(batch.numbers, batch.index, strict=True)]


def _plan(compiled: Compiled, arguments: Sequence[Arguments], batch: Batch) -> EventPlan | None:
    """Room for every firing of `at` statements in the longest series, and some more as parameters may move the times; for the
    doses of any series."""
    plans = [
        plan_events(compiled, args, float(a), float(b), spare=True)
        for args, a, b in zip(arguments, batch.t0, batch.ts[:, -1], strict=True)
    ]
    counts = [p.counts for p in plans if p is not None]
    table = None if compiled.events is None else compiled.events.doses
    doses = 0 if table is None else table.firings(batch.doses)
    return EventPlan(tuple(max(c) for c in zip(*counts, strict=True)), doses) if counts else None


def _points(objective: Objective, options: _Options, count: int) -> list[np.ndarray]:
    """Where the starts begin: parameters from the design, networks initialised anew for each (given ones stay)."""
    z = objective.space.unconstrain(dict(options.values))
    points = []
    for number, point in enumerate(starting_points(objective.space, objective.priors, z, count, options.seed)):
        weights = {n.name: dict(objective.weights[n.name]) for n in objective.networks}
        for n in objective.networks:
            if not (n.weights or n.freeze or options.weights):
                weights[n.name] |= initialise(n, options.seed + number)
        points.append(pack(point, objective.networks, weights))
    return points


def _first_evaluation(prepared: _Prepared, theta: np.ndarray, dataset: Dataset, recorder: Recorder) -> _Prepared:
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
    prepared: _Prepared,
    found: list[StartResult],
    points: list[np.ndarray],
    dataset: Dataset,
    settings: Settings,
    recorder: Recorder,
) -> tuple[_Prepared, list[StartResult]]:
    """The choice of method measured again where the search ended; another method continues from there."""
    objective, best = prepared.objective, best_of(found)
    if best is None:
        if METHODS[objective.method].implicit:
            return prepared, found
        method, points = chosen(objective.settings.engine, _FALLBACK, "", objective.settings).method, points[:1]
        recorder.log.append(
            f"no start could be solved with {METHODS[objective.method].title}: {METHODS[method].title} tries the first again"
        )
    else:
        args: Any = _numbers(objective, best.theta)
        row = int(np.argmax(prepared.batch.horizon - prepared.batch.t0))
        args = Arguments(args.parameters, args.weights, signals_of(objective.compiled, dataset.series[row]), args.inputs_at_start,
                         doses_of(prepared.batch, row))  # fmt: skip
        x = objective.space.vector(best.theta[: objective.n_parameters])
        p = assigned(x, objective.base, prepared.batch.numbers[row], prepared.batch.index[row])
        args = Arguments(p, args.weights, signals_of(objective.compiled, dataset.series[row]), args.inputs_at_start)
        end = float(prepared.batch.ts[row, -1])
        choice = choose(objective.compiled, args, float(prepared.batch.t0[row]), end, settings)
        method, reason = choice.method, choice.reason
        if METHODS[method].implicit == METHODS[objective.method].implicit:
            return prepared, found
        recorder.log.append(f"at the optimum the method is {METHODS[method].title}: {reason}; the search continues with it")
        points = [best.theta]
    objective = replace(objective, method=method)
    prepared = replace(prepared, objective=objective, lanes=Lanes(objective, prepared.fitted))
    again, _ = run_starts(prepared.lanes, points, [], recorder)
    return prepared, [*found, *(replace(r, start=len(found) + r.start) for r in again)] if best is None else [
        *(r for r in found if r.start != best.start), replace(again[0], start=best.start)]  # fmt: skip


def _numbers(objective: Objective, theta: np.ndarray) -> Arguments:
    """Arguments of no series in particular at theta, without inputs, in NumPy."""
    z, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
    p = shared_at(objective.compiled, objective.space, objective.base, z)
    k = len(objective.compiled.system.inputs)
    return Arguments(p, weights, None, np.zeros(k))  # type: ignore[arg-type]


# ---- while it searches, for those who watch --------------------------------------------------------------------------------
def _described(prepared: _Prepared, dataset: Dataset, theta: np.ndarray, curves: bool) -> dict[str, Any]:
    """The parameters at theta by name, and with `curves` the panels of what is observed (see `Describe`)."""
    objective = prepared.objective
    natural = named_values(objective, dataset, theta, np.asarray(_numbers(objective, theta).parameters))
    found: dict[str, Any] = {"parameters": {name: np.asarray(value).tolist() for name, value in natural.items()}}
    if curves:
        solved = prepared.solve_curves(theta)
        table = predictions_table(objective, dataset, solved, prepared.held)
        rows = rows_of(table[table["kind"] == "curve"], ("series", "column", "time", "location", "lower95", "upper95"))
        records = [
            (s.name, dataset.columns[k], t, v, held)
            for s, out in zip(dataset.series, prepared.held, strict=True)
            for k, t, v, held in zip(s.records.column, s.records.time, s.records.value, out, strict=True)
        ]
        found["panels"] = panels(rows, records)
    return found


# ---- after the search -------------------------------------------------------------------------------------------------------
def _finish(
    declarations: Declarations, dataset: Dataset, prepared: _Prepared, climbed: Climbed, options: _Options, recorder: Recorder
) -> FitRun:  # fmt: skip
    objective, found, early, in_pieces = prepared.objective, climbed.found, climbed.early, climbed.in_pieces
    best = best_of(found)
    theta = found[0].theta if best is None else best.theta
    status, reason = status_of(found, best, early)
    searched = recorder.elapsed
    if in_pieces is None:
        evaluation, unknown = uncertainty_of(prepared.lanes, theta, best is not None)
        curves = prepared.solve_curves(theta)
    else:
        evaluation, unknown = value_in_pieces(objective, in_pieces)
        curves = curves_in_pieces(objective, dataset, prepared.batch, in_pieces)
    residuals = residuals_table(objective, dataset, curves, prepared.held)
    numbers = _numbers(objective, theta)
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
        "networks": results.network_entries(objective.networks, weights),
        "constraints": constraint_entries(objective.constraints, curves.observed, objective.constraint_places, curves.ts),
        "hold_out": hold_out_scores(residuals, options.hold_out), "seed": options.seed, "starts": results.start_entries(found),
        "search": climbed.entry(),
        "settings": {"engine": objective.settings.engine, "method": objective.method,
                     **gradient_entry(objective, prepared.fitted, len(theta)),
                     "rtol": objective.settings.rtol, "atol": objective.settings.atol,
                     "checkpoints": objective.settings.checkpoints, "used": {**options.used, **dataset.reading}},
        "data": {"name": dataset.name, "series": len(dataset.series), "columns": list(dataset.columns),
                 "unmatched": list(dataset.unmatched), "experiments": results.series_entries(dataset.series)},
        "timing": {"compile": prepared.seconds, "fit": searched - prepared.seconds, "total": recorder.elapsed},
        "versions": results.versions(),
    }  # fmt: skip
    if result["hold_out"] is None:
        result["hold_out_reason"] = "nothing was held out"
    return FitRun(
        declarations, objective.compiled, dataset, {**shared, **groups}, weights, result,
        predictions_table(objective, dataset, curves, prepared.held), residuals, trace_table(recorder), table, recorder.log,
        constants_of_fit(objective, dataset, np.asarray(numbers.parameters)), early, shared,
    )  # fmt: skip
