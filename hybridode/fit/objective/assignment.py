"""Where every number of a series' parameter vector comes from.

    p = concat(trained (k,), shared (m,), own (c,))[index (m,)]

`trained` are the natural values of the parameter space, `shared` the model's numbers as declared or set, `own` what the data give
to this series. Values per group, conditions, covariates and fixed values are only rows of `index`: a solve does not see them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridode.data.experiments import Dataset
from hybridode.fit.parameters import ParameterSpace
from hybridode.solve.problem import Compiled


def parameter_places(compiled: Compiled) -> dict[str, int]:
    """Entry name -> its place in the parameter vector."""
    return {str(symbol): i for i, symbol in enumerate(compiled.system.parameters)}


def assignment(compiled: Compiled, space: ParameterSpace, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """index (S, m) and own (S, c) of all series, for vectors of m parameters."""
    places = parameter_places(compiled)
    k, m, count = space.size, len(places), len(dataset.series)
    index = np.tile(np.arange(k, k + m), (count, 1))
    for i, entry in enumerate(space.entries):
        index[:, places[entry.name]] = i
    names = list(dict.fromkeys(name for s in dataset.series for name in s.numbers))
    own = np.zeros((count, len(names)))
    for row, s in enumerate(dataset.series):
        for column, name in enumerate(names):
            if name in s.numbers:
                own[row, column] = s.numbers[name]
                index[row, places[name]] = k + m + column
    return index, own


def assigned(trained: Any, shared: Any, own: Any, index: Any, xp: Any = np) -> Any:
    """The parameter vector (m,) of one series."""
    return xp.concatenate([trained, shared, own])[index]
