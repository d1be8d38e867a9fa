"""Inputs with corners: which of them the steps of a fit end at.

A linear input has a corner at every knot. Where a step goes across one, its error is larger than the method's order says and
jumps about with the place where the step begins. Error control keeps it within the tolerance, but the sum over all corners is a
rough function of the parameters, whose differences say nothing and which derivatives at fixed steps do not see: of a robot arm
under torques with 81 knots the log-likelihood was rough by 1.3, and is by 1e-8 where steps end at the knots, which takes fewer of
them. Where knots lie so densely on a smooth curve that its corners are below the tolerance, to end at each would only take time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hybridode.declarations import Declarations, entry_names

_LARGE = 1.5  # corners of the relative tolerance's size, in the measure of `_roughness`, are landed on: as many steps either way

Record = tuple[np.ndarray, np.ndarray]  # times (k,) and values (k,)


def corners_of(declarations: Declarations, inputs: Sequence[Mapping[str, Record]], rtol: float) -> tuple[int, ...]:
    """The places among the input signals whose corners matter at a relative tolerance; `inputs`: by name, for each series."""
    names = [(name, i.interpolation) for i in declarations.inputs for name in entry_names(i.name, i.shape)]
    return tuple(
        place
        for place, (name, kind) in enumerate(names)
        if kind == "linear" and max((_roughness(*record[name]) for record in inputs), default=0.0) > _LARGE * rtol
    )


def _roughness(times: np.ndarray, values: np.ndarray) -> float:
    """Root mean square of how far a value is from the line through its neighbours, of the range of all, times a knot's share of
    the time."""
    if len(times) < 3 or not np.ptp(values) > 0:
        return 0.0
    left, right = np.diff(times)[:-1], np.diff(times)[1:]
    away = values[1:-1] - (values[:-2] * right + values[2:] * left) / (left + right)
    return float(np.sqrt(np.mean(away**2)) / np.ptp(values) / len(times))
