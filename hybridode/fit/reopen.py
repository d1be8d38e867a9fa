"""A finished fit, ready to be worked with again: the same objective, from the tables that the fit read and what it was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from hybridode.data.experiments import experiments
from hybridode.data.table import Table
from hybridode.declarations import Declarations
from hybridode.fit.objective.robust import read_loss
from hybridode.fit.outcome.rivals import rivals_in
from hybridode.fit.outcome.values import constants_of_fit, shared_values, values_by_group
from hybridode.fit.parameters import pack
from hybridode.fit.prepare import Options, Prepared, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.run import Finished, FitRun, arguments_at
from hybridode.fit.search.lanes import Lanes
from hybridode.kernels.programs import programs_kept
from hybridode.solve.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

IN_PIECES = "multiple shooting"  # the stage of a result that no single solve gives


@dataclass(frozen=True, eq=False)
class Kept:
    """What a run directory keeps. `declarations` are of the model as it was fitted, `data` and `conditions` the tables, `sources`
    the files of inputs, `values` the natural value of each entry that was learnt, `weights` the networks' arrays."""

    declarations: Declarations
    data: Table
    conditions: Table | None
    sources: Mapping[str, Path]
    result: Mapping[str, Any]
    values: Mapping[str, float]
    weights: Mapping[str, Mapping[str, np.ndarray]]
    predictions: pd.DataFrame
    residuals: pd.DataFrame
    trace: pd.DataFrame
    parameters_table: pd.DataFrame
    log: list[str]
    rivals: pd.DataFrame | None = None  # see `outcome/rivals`
    members: Callable[[int], tuple[np.ndarray, ...]] = lambda numbers: ()  # of an ensemble, of so many numbers each


def reopened(kept: Kept) -> FitRun:
    """The fit as it ended. Raises DataError and ModelError as a fit of the same files would."""
    used, fitted = kept.result["settings"]["used"], kept.result["status"] != "failed"
    # The weights of a file that the model names are among those that were kept.
    networks = tuple(replace(n, weights="") for n in kept.declarations.networks)
    dataset = experiments(
        replace(kept.declarations, networks=networks),
        kept.data,
        used.get("columns"),
        dict(kept.sources),
        conditions=kept.conditions,
        numbers=used.get("numbers"),
        weights=used.get("weights"),
        equilibrate=used.get("equilibrate"),
    )
    with jax.enable_x64(True), programs_kept():
        prepared = _as_it_ended(prepare(dataset, _options(kept, used), Recorder()), kept.result["settings"]["method"])
        objective = prepared.objective
        x = np.array([kept.values[name] for name in objective.space.names], float)
        z = objective.space.unconstrain_vector(x) if fitted else objective.space.unconstrain(dict(used["set"]))
        theta = np.asarray(pack(z, objective.networks, objective.weights))
        numbers = arguments_at(objective, theta)
    groups = values_by_group(objective, dataset, z, used["set"])
    shared = shared_values(objective, np.asarray(numbers.parameters))
    weights = {name: {key: np.asarray(a) for key, a in arrays.items()} for name, arrays in numbers.weights.items()}
    whole = fitted and kept.result["search"]["stage"] != IN_PIECES
    return FitRun(
        kept.declarations, objective.compiled, dataset, {**shared, **groups}, weights, dict(kept.result), kept.predictions,
        kept.residuals, kept.trace, kept.parameters_table, kept.log,
        constants_of_fit(objective, dataset, np.asarray(numbers.parameters)),
        {"interrupted": "interrupted"}.get(kept.result["status"], ""), shared,
        Finished(prepared, theta, kept.members(len(theta)), rivals_in(objective.space, kept.rivals)) if whole else None,
    )  # fmt: skip


def _options(kept: Kept, used: Mapping[str, Any]) -> Options:
    loss = used.get("loss")
    settings = Settings(**used.get("settings", {}))
    return Options(used["set"], frozenset(used["fix"]), 1, used["seed"], used["hold_out"], settings, kept.weights or None, used,
                   None if loss is None else read_loss(loss), used.get("constraints") or {})  # fmt: skip


def _as_it_ended(prepared: Prepared, method: str) -> Prepared:
    """With the method that the search went on with where it ended."""
    if prepared.objective.method == method:
        return prepared
    lanes, objective = prepared.lanes, replace(prepared.objective, method=method)
    lanes = lanes.other if method == lanes.implicit else Lanes(objective, prepared.fitted)
    return replace(prepared, objective=objective, lanes=lanes)
