"""The numbers of a finished fit by name, in natural units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.declarations import Shape, entry_names, group_entry
from hybridode.fit.objective.assignment import group_values, parameter_places
from hybridode.fit.objective.objective import Objective


def shaped(values: Any, shape: Shape) -> Any:
    """A number, or an array of the shape."""
    return np.reshape(values, shape) if shape else float(np.ravel(values)[0])


def shared_values(objective: Objective, numbers: np.ndarray) -> dict[str, Any]:
    """All params and learnt starts: of what has values by group the one in their middle."""
    places = parameter_places(objective.compiled)
    return {
        p.name: shaped([numbers[places[n]] for n in entry_names(p.name, p.shape)], p.shape)
        for p in objective.compiled.declarations.parameters
    }


def values_by_group(
    objective: Objective, dataset: Dataset, z: np.ndarray, values: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What has values by group: name -> label -> value."""
    shapes = {p.name: p.shape for p in dataset.declarations.parameters}
    found = group_values(dataset, objective.space, z, values)
    return {name: {label: shaped(v, shapes[name]) for label, v in groups.items()} for name, groups in found.items()}


def named_values(objective: Objective, dataset: Dataset, theta: np.ndarray, numbers: np.ndarray) -> dict[str, Any]:
    """Everything under one name each: what has values by group as `k[north]`, `k[south]`."""
    groups = values_by_group(objective, dataset, theta[: objective.n_parameters], {})
    own = {name: value for name, value in shared_values(objective, numbers).items() if name not in groups}
    return own | {group_entry(name, label): v for name, by in groups.items() for label, v in by.items()}


def constants_of_fit(objective: Objective, dataset: Dataset, numbers: np.ndarray) -> dict[str, Any]:
    """Constants with a value of this fit: promoted by `set`, not by a column of the data."""
    slices = objective.compiled.parameter_slices
    found = [c for c in dataset.declarations.constants if c.name in slices and c.name not in dataset.promoted]
    return {c.name: shaped(numbers[slices[c.name]], c.shape) for c in found}
