"""Where every number of a series' parameter vector comes from.

    p = concat(trained (k,), shared (m,), own (c,))[index (m,)]

`trained` are the natural values of the parameter space, `shared` the model's numbers as declared or set, `own` what the data give
to this series. Values per group, conditions, covariates and fixed values are only rows of `index`: a solve does not see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.data.groups import said
from hybridode.declarations import entry_names, group_entry
from hybridode.fit.parameters import ParameterSpace
from hybridode.solve.problem import Compiled


def parameter_places(compiled: Compiled) -> dict[str, int]:
    """Entry name -> its place in the parameter vector."""
    return {str(symbol): i for i, symbol in enumerate(compiled.system.parameters)}


def assignment(
    compiled: Compiled, space: ParameterSpace, dataset: Dataset, values: Mapping[str, Any] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """index (S, m) and own (S, c) of all series, for vectors of m parameters. `values` are what the caller set."""
    places = parameter_places(compiled)
    k, m, count = space.size, len(places), len(dataset.series)
    index = np.tile(np.arange(k, k + m), (count, 1))
    trained = {e.name: i for i, e in enumerate(space.entries)}
    for e in space.entries:
        if not e.group:
            index[:, places[e.entry]] = trained[e.name]
    numbers: list[dict[str, float]] = []
    for row, s in enumerate(dataset.series):
        numbers.append({})
        for p, label in ((p, s.labels[p.by]) for p in dataset.declarations.parameters if p.by):
            for place, entry in enumerate(entry_names(p.name, p.shape)):
                learnt = trained.get(group_entry(entry, label))
                if learnt is not None:
                    index[row, places[entry]] = learnt
                else:
                    set_ = said(values or {}, p.name, entry, place, label)
                    numbers[row][entry] = p.values_of(label)[place] if set_ is None else set_
        numbers[row].update(s.numbers)
    names = list(dict.fromkeys(name for found in numbers for name in found))
    own = np.zeros((count, len(names)))
    for row, found in enumerate(numbers):
        for column, name in enumerate(names):
            if name in found:
                own[row, column] = found[name]
                index[row, places[name]] = k + m + column
    return index, own


def assigned(trained: Any, shared: Any, own: Any, index: Any, xp: Any = np) -> Any:
    """The parameter vector (m,) of one series."""
    return xp.concatenate([trained, shared, own])[index]


def shared_at(compiled: Compiled, space: ParameterSpace, base: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The parameter vector (m,) of no series in particular: what has values by group is in their middle."""
    places = parameter_places(compiled)
    p = np.array(base)
    x = space.vector(z)
    for i, e in enumerate(space.entries):
        if not e.group:
            p[places[e.entry]] = x[i]
    for entry, value in space.typical(z).items():
        p[places[entry]] = value
    return p


def group_values(
    dataset: Dataset, space: ParameterSpace, z: np.ndarray, values: Mapping[str, Any]
) -> dict[str, dict[str, np.ndarray]]:
    """Parameter with `by` -> label -> its natural values (n,), learnt or not."""
    x = space.vector(z)
    trained = {e.name: i for i, e in enumerate(space.entries)}
    out: dict[str, dict[str, np.ndarray]] = {}
    for p in dataset.declarations.parameters:
        for label in dataset.groups.get(p.by, ()) if p.by else ():
            found = np.array(p.values_of(label), float)
            for place, entry in enumerate(entry_names(p.name, p.shape)):
                i, set_ = trained.get(group_entry(entry, label)), said(values, p.name, entry, place, label)
                found[place] = x[i] if i is not None else found[place] if set_ is None else set_
            out.setdefault(p.name, {})[label] = found
    return out
