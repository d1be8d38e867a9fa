"""Starting points that the caller gives: by name in natural units, networks' weights by network and array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import check_names, pack, trainable_weights, unpack

if TYPE_CHECKING:
    import pandas as pd

Given = tuple[Mapping[str, Any], ...]


def read_starts(starts: int | Sequence[Mapping[str, Any]] | pd.DataFrame | None) -> tuple[int | None, Given]:
    """How many starts, and the points if they were given: a mapping each, or a table with a row each and a column per name.
    Raises UsageError E0853 for none at all."""
    if starts is None or isinstance(starts, int | np.integer):
        count, given = None if starts is None else int(starts), ()
    else:
        rows = starts.to_dict("records") if hasattr(starts, "to_dict") else starts  # type: ignore[union-attr]
        given = tuple({str(name): value for name, value in row.items()} for row in rows)  # type: ignore[union-attr]
        count = len(given)
    if count is not None and count < 1:
        raise UsageError(Diagnostic("E0853", f"{count} starts make no fit", hint="give at least one start"))
    return count, given


def check_seed(seed: Any) -> None:
    """Raises UsageError E0855 for what is no whole number of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(Diagnostic("E0855", f"the seed {seed} is none", hint="give a whole number of at least 0"))


def check_starts(given: Given, declarations: Declarations, groups: Mapping[str, Sequence[str]]) -> None:
    """Raises UsageError E0850 for a name that the model does not have."""
    networks = {n.name for n in declarations.networks}
    for number, point in enumerate(given, start=1):
        check_names(declarations, [name for name in point if name not in networks], f"start {number}", groups)


def given_points(objective: Objective, given: Given, values: Mapping[str, Any], first: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The vectors (d,) of the points given. What a point does not name is at its value in `values`, else as declared; weights
    that it does not name are those of `first`, one vector (d,) for each.

    Raises UsageError E0851 for values outside their bounds, E0854 for weights of another shape.
    """
    points = []
    trained = trainable_weights(objective.networks, objective.weights)
    for number, (point, theta) in enumerate(zip(given, first, strict=True), start=1):
        z = objective.space.unconstrain({**values, **{n: v for n, v in point.items() if n not in objective.weights}})
        _, weights = unpack(theta, objective.n_parameters, objective.networks, objective.weights)
        for name in point.keys() & objective.weights.keys():
            for array, value in point[name].items():
                if (name, array) not in trained or np.shape(value) != np.shape(weights[name][array]):
                    shapes = {a: np.shape(weights[name][a]) for n, a in trained if n == name}
                    raise _no_such_weights(number, name, array, value, shapes)
                weights[name][array] = np.array(value, float)
        points.append(pack(z, objective.networks, weights))
    return points


def _no_such_weights(number: int, network: str, array: str, value: Any, shapes: Mapping[str, tuple[int, ...]]) -> UsageError:
    said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    message = f"start {number}: `{network}` has no weights {array} of shape {np.shape(value)}"
    return UsageError(Diagnostic("E0854", message, hint=f"it has {said}" if said else f"`{network}` is not trained"))
