"""What is expected of new observations: one column of numbers with its band, or one column for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hybridode.fit.objective import classes
from hybridode.fit.objective.noise import BERNOULLI, Noise


class Band(NamedTuple):
    """`location` of a column and the bounds that hold 95 % of new observations."""

    column: str
    location: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def class_columns(column: str, count: int, labels: Sequence[str] = ()) -> list[str]:
    """`sleep[REM]`, or `sleep[1]` where classes are numbers."""
    return [f"{column}[{label}]" for label in (labels or range(1, count + 1))]


def bands(noise: Noise, column: str, arguments: Sequence[Any], labels: Sequence[str] = ()) -> list[Band]:
    """The band of a column at these arguments of its noise; of classes (with these labels, if any) the probability of
    each, and between what lies whether an observation is of that class: 0 and 1."""
    if not noise.classes:
        return [Band(column, np.asarray(noise.location(*arguments), float), *noise.interval(*arguments))]
    p = np.moveaxis(classes.probabilities(*arguments), -1, 0)
    return [Band(name, p[i], *BERNOULLI.interval(p[i])) for i, name in enumerate(class_columns(column, noise.classes, labels))]
