"""The `if`s of a model as events of the native loops: a twin of the model with their sides as further states, hidden from all."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.declarations import MOST_STATES_WITH_LOCATED_CHOICES
from hybridode.solve.problem import Compiled
from hybridode.solve.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

FREE = 2.0  # the side of an `if` that is not located any more


class Chattering(UserWarning):
    """An `if` changed sides without end, so that its location stopped."""


def twin_of(compiled: Compiled, dtype: str, rolls: Callable[[], bool]) -> Compiled | None:
    """The model with its `if`s located, None where there are none, or where they stay kinks that error control sees: in single
    precision, in large systems and those that loops over vectors solve (`rolls`), with too many conditions."""
    if dtype != "float64" or not 0 < compiled.size <= MOST_STATES_WITH_LOCATED_CHOICES or not _has_choice(compiled) or rolls():
        return None
    key = ("native", "switches")
    if key not in compiled.jitted:
        compiled.jitted[key] = None if compiled.make_twin is None else compiled.make_twin()
    return compiled.jitted[key]


def _has_choice(compiled: Compiled) -> bool:
    return any(i.op == "select" for i in compiled.tapes["rates"].instructions)


def extended(twin: Compiled, y0: Any, xp: Any) -> Any:
    """A start with room for the sides, which the loop fills in."""
    return xp.concatenate([y0, xp.zeros(twin.size - len(y0), y0.dtype)])


def without_sides(compiled: Compiled, raw: Raw) -> Raw:
    """What the model itself has."""
    n = compiled.size
    return replace(raw, ys=raw.ys[:, :n], ys_left=raw.ys_left[:, :n], y_end=raw.y_end[:n])


def warn_of_chattering(compiled: Compiled, raw: Raw) -> None:
    """Says which `if`s are not located to the end of a solve in NumPy."""
    free = np.flatnonzero(np.asarray(raw.y_end[compiled.size :]) == FREE)
    if len(free):
        message = f"{len(free)} `if` changed sides without end, and is not located from then on"
        warnings.warn(Chattering(message), stacklevel=4)
