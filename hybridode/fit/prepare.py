"""What a fit works with before it searches: compiled model, padded data, the method, where the starts begin."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np

from hybridode.compile import compile_model
from hybridode.data.experiments import Dataset
from hybridode.data.groups import nameable
from hybridode.data.holdout import held_out, with_held_last
from hybridode.expr import Symbol
from hybridode.fit.memory import Memory
from hybridode.fit.objective.assignment import assigned, parameter_places
from hybridode.fit.objective.batch import Batch, RecordPlaces, build_batch, doses_of, first_series, with_use
from hybridode.fit.objective.constraints import read_constraints, with_constraints
from hybridode.fit.objective.equilibrium import before_of, with_equilibrium
from hybridode.fit.objective.limits import kinds_of
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.priors import bind_priors
from hybridode.fit.objective.robust import Loss
from hybridode.fit.objective.steady import with_steady_times
from hybridode.fit.outcome.tables import (
    Curves,
    curve_solver,
)
from hybridode.fit.parameters import ParameterSpace, pack, parameter_space
from hybridode.fit.progress import Recorder
from hybridode.fit.search.given import Given, given_points
from hybridode.fit.search.initial import scale_networks
from hybridode.fit.search.lanes import LEAST_STEPS, MORE_STEPS, Blocks, Lanes
from hybridode.fit.search.multistart import starting_points
from hybridode.fit.search.smooth import Curve, smooth_states
from hybridode.networks.initialise import initialise
from hybridode.solve.constrained import is_constrained
from hybridode.solve.corners import corners_of
from hybridode.solve.engines import Choice, choose, chosen
from hybridode.solve.events import EventPlan, plan_events
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.stretches import firings

FALLBACK = "kvaerno5"  # where an explicit method could not solve the model at any start


@dataclass(frozen=True, eq=False)
class Options:
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
    spread: Spread | None = None
    begin: Given = ()  # where the starts begin, if the caller says so


Spread = Callable[["Prepared", Options], Blocks]  # see `workers`


@dataclass(frozen=True, eq=False)
class Prepared:
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


def prepare(dataset: Dataset, options: Options, recorder: Recorder) -> Prepared:
    """Everything the optimisers need: compiled model, padded data, networks scaled, method chosen."""
    began = time.perf_counter()
    d, values = dataset.declarations, dict(options.values)
    dataset, seen = with_held_last(dataset, options.hold_out)
    held = held_out(dataset, options.hold_out)
    promoted = dataset.promoted | {c.name for c in d.constants if any(k == c.name or k.startswith(f"{c.name}[") for k in values)}
    constraints, expressions = read_constraints(d, options.constraints)
    compiled = compile_model(with_constraints(d, constraints, expressions), promoted)
    if not is_constrained(compiled):  # those end at jumps of inputs by beginning anew
        compiled = compiled.landing_on(corners_of(d, [s.inputs for s in dataset.series], options.settings.rtol))
    space = parameter_space(d.parameters, options.fixed, dataset.given, dataset.groups)
    dataset, fixed_points, how_steady = with_steady_times(compiled, dataset, space, values, options.settings)
    dataset, equilibrium, how_resting = with_equilibrium(compiled, dataset, space, values, options.settings)
    recorder.log += [words for words in (how_steady, how_resting) if words]
    batch, places = build_batch(compiled, dataset, space, values, len(constraints))
    if equilibrium is not None:
        batch = replace(batch, before=before_of(equilibrium.compiled, dataset, space, values))
    used = {
        k: [(~h)[s.records.column == k] for s, h in zip(dataset.series, held, strict=True)] for k in range(len(dataset.columns))
    }
    masks = {k: _padded_mask(batch, places[k], used[k], k) for k in used}
    fitted = first_series(with_use(batch, masks), seen) if any(h.any() for h in held) else batch
    shared = nameable(d, {})  # without values by group
    arguments = compiled.arguments({n: v for n, v in values.items() if n in shared}, dict(dataset.series[0].inputs) or None)
    base = np.array(arguments.parameters, float)
    weights = {
        n: {k: np.array(a, float) for k, a in arrays.items()} for n, arrays in (options.weights or arguments.weights).items()
    }
    begins = _starting(space, base, batch, values)
    jumps = _jumps(compiled, [replace(arguments, parameters=p) for p in begins], batch)
    searched = replace(dataset, series=dataset.series[:seen])
    curves = cache(lambda: smooth_states(searched, used, jumps))
    if weights and options.weights is None:
        weights = scale_networks(
            d, searched, curves(), {n: float(base[i]) for n, i in parameter_places(compiled).items()}, weights
        )
    choice = _choice(compiled, replace(arguments, weights=dict(weights)), batch, options.settings, recorder)
    objective = Objective(
        compiled, space, d.networks, base, weights, bind_priors(d, space), choice.method, choice.settings,
        _plan(compiled, [replace(arguments, parameters=p) for p in begins], batch),
        tuple(kinds_of(c.censored, c.used) for c in batch.columns),
        Memory() if recorder.keeper is None else recorder.keeper.memory, options.loss, constraints,
        options.weights is not None or all(n.weights or n.freeze for n in d.networks), jumps, fixed_points,
        equilibrium,
    )  # fmt: skip
    recorder.log += objective.said()
    lanes = _lanes(objective, fitted, choice, options.settings)
    return Prepared(objective, batch, fitted, held, curves, time.perf_counter() - began, lanes, dataset)


def _lanes(objective: Objective, fitted: Batch, choice: Choice, settings: Settings) -> Lanes:
    """With an implicit method for points that turn out to be stiff, where the choice of the method is ours."""
    ours = settings.method == "auto" and settings.max_steps == Settings().max_steps and choice.steps > 0
    if not ours or METHODS[choice.method].implicit or choice.settings.engine != "native":
        return Lanes(objective, fitted)
    implicit = chosen("native", FALLBACK, "", objective.settings).method
    knots = np.asarray(fitted.signals.knots).shape[-1] * len(objective.compiled.landing_signals)
    return Lanes(objective, fitted, implicit, max(LEAST_STEPS, MORE_STEPS * choice.steps) + knots)


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


def _jumps(compiled: Compiled, arguments: Sequence[Arguments], batch: Batch) -> tuple[np.ndarray, ...]:
    """When the doses and `at` statements of each series fire at these numbers; () of a model without."""
    if compiled.events is None:
        return ()
    found = [
        firings(compiled, replace(args, doses=doses_of(batch, row)), float(t0), np.asarray(ts))[0]
        for row, (args, t0, ts) in enumerate(zip(arguments, batch.t0, batch.ts, strict=True))
    ]
    return tuple(np.unique([firing.time for firing in fired]) for fired in found)


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


def points_of(objective: Objective, options: Options, count: int) -> list[np.ndarray]:
    """Where the starts begin: as the caller says; else parameters from the design, networks initialised anew for each (given ones
    stay)."""
    z = objective.space.unconstrain(dict(options.values))
    points = []
    for number, point in enumerate(starting_points(objective.space, objective.priors, z, count, options.seed)):
        weights = {n.name: dict(objective.weights[n.name]) for n in objective.networks}
        for n in objective.networks:
            if not (n.weights or n.freeze or options.weights):
                weights[n.name] |= initialise(n, options.seed + number)
        points.append(pack(point, objective.networks, weights))
    return given_points(objective, options.begin, options.values, points) if options.begin else points
