"""Formulas refitted in the whole model by the fit engine: quickly, to be ranked, or as an ordinary fit with all that it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula
from hybridode.discover.ranking import description_length
from hybridode.discover.slots import Slot
from hybridode.discover.written import dataset_of, declared
from hybridode.fit.objective.robust import read_loss
from hybridode.fit.prepare import Options, Prepared, prepare
from hybridode.fit.progress import OutOfTime, Recorder, Track
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.solve.settings import Settings

if TYPE_CHECKING:
    from hybridode.data.experiments import Dataset
    from hybridode.fit.run import FitRun

_ITERATIONS, _GOAL = 150, 1e-4


@dataclass(frozen=True, eq=False)
class Candidate:
    """Formulas of all slots after their refit. `value`: what was minimised, without regularisers; `numbers` learnt; `dl`; `how`
    the formula was proposed; `errors` (standard) of the formulas' numbers by name; `failed`: why there is no refit."""

    formulas: Mapping[Slot, Formula]
    value: float
    numbers: float
    dl: float
    how: str
    errors: Mapping[str, float] = field(default_factory=dict)
    failed: str = ""

    @property
    def structure(self) -> float:
        return sum(f.structure for f in self.formulas.values())

    @property
    def kind(self) -> str:
        """In words, over all slots."""
        return " and ".join(dict.fromkeys(f.kind for f in self.formulas.values()))

    def text(self) -> str:
        """The formulas with their numbers, for readers."""
        return ", ".join(f"{slot.title} = {f.filled()}" for slot, f in self.formulas.items())


def options_of(run: FitRun) -> Options:
    """How the run was fitted, for refits of the same data: one start, no weights."""
    used = run.result["settings"]["used"]
    loss = used.get("loss")
    fixed, settings = frozenset(used.get("fix") or ()), Settings(**used.get("settings", {}))
    robust = None if loss is None else read_loss(loss)
    return Options({}, fixed, 1, 0, used.get("hold_out"), settings, None, used, robust, used.get("constraints") or {})


def records_of(prepared: Prepared) -> int:
    """How many records are fitted."""
    columns = prepared.fitted.columns[: prepared.objective.n_observed]
    return int(sum(np.sum(np.asarray(c.used) > 0) for c in columns))


def quick_refit(
    d: Declarations, dataset: Dataset, formulas: Mapping[Slot, Formula], options: Options, recorder: Recorder, how: str
) -> Candidate:
    """The formulas at the optimum of the whole model near their first values.

    Raises KeyboardInterrupt and OutOfTime when that was cut short."""
    data = dataset_of(dataset, declared(d, formulas))
    with jax.enable_x64(True):
        prepared = prepare(data, options, replace_log(recorder))
        objective = prepared.objective
        low, high = objective.space.box()
        track = Track(recorder, 1, "discovery")
        begin = lambda s: fisher_scoring(s.theta, s.track, _ITERATIONS, box=Box(low, high), goal=_GOAL)  # noqa: E731
        pool = Pool([Snapshot(1, objective.space.unconstrain(), None, track)], begin, prepared.lanes, recorder)
        pool.run()
        (ending,) = pool.endings()
    if pool.early:
        raise OutOfTime if pool.early == "out of time" else KeyboardInterrupt
    optimum = ending.optimum
    if not np.isfinite(optimum.value):
        return Candidate(formulas, np.inf, 0, np.inf, how, failed=optimum.message)
    x = dict(zip(objective.space.names, objective.space.vector(optimum.theta), strict=True))
    found = {slot: f.at({n: float(v) for n, v in x.items()}) for slot, f in formulas.items()}
    structure = sum(f.structure for f in found.values())
    dl = description_length(optimum.value, objective.n_parameters, records_of(prepared), structure)
    return Candidate(found, float(optimum.value), objective.n_parameters, dl, how)


def replace_log(recorder: Recorder) -> Recorder:
    """A recorder of the same listener whose log nobody reads: every refit would say the same of method and engine."""
    return replace(recorder, log=[], rows=[])


def whole_fit(
    d: Declarations, dataset: Dataset, *, formulas: Mapping[Slot, Formula], options: Options, progress: Any = None
) -> FitRun:
    """An ordinary fit of the model with the formulas in it, from their values."""
    from hybridode.fit.run import fit

    model = declared(d, formulas)
    run = partial(fit, model, dataset_of(dataset, model), starts=1, progress=progress, settings=options.settings)
    used = options.used
    return run(hold_out=options.hold_out, fix=list(options.fixed), loss=used.get("loss"), constraints=used.get("constraints"))
