"""The declarations of a fitted model: what `fitted.ode` says, without a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.declarations import Declarations, Parameter
from hybridode.expr import const

if TYPE_CHECKING:
    from hybridode.fit.run import FitRun


def fitted_declarations(run: FitRun) -> Declarations:
    """The model of a run at its fitted values, its constants as they were set, and where its time begins."""
    d = run.dataset.declarations
    known = {name: _flat(value) for name, value in run.shared.items()}
    parameters = tuple(
        replace(p, values=known.get(p.name, p.values), groups=_groups(p, run.parameters[p.name]) if p.by else ())
        for p in d.parameters
    )
    other = {name: _flat(value) for name, value in run.constants.items()}
    constants = tuple(replace(c, values=other.get(c.name, c.values)) for c in d.constants)
    return replace(d, parameters=parameters, constants=constants, **_beginning(run.dataset))


def _flat(value: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in np.ravel(value))


def _beginning(dataset: Dataset) -> dict[str, Any]:
    """Where the time of a fitted model begins, of one that left it open: where the data did."""
    starts, clock = {series.start for series in dataset.series}, dataset.clock
    if dataset.declarations.time_origin is not None or len(starts) != 1:
        return {}
    start = starts.pop()
    if clock is not None and not clock.clock_only:
        return {"time_origin": const(0.0), "time_date": clock.text, "time_unit": dataset.declarations.time_unit or clock.unit}
    return {"time_origin": const(start)} if start else {}


def _groups(p: Parameter, values: Mapping[str, Any]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Values by group: the fitted ones in place of those that the model had."""
    return tuple({**dict(p.groups), **{k: _flat(v) for k, v in values.items()}}.items())
