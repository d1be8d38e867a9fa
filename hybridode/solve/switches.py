"""The `if`s of a model as events of the native loops: a twin of the model with their sides as further states, hidden from all,
and with what its steps must not pass over (see `equations/watched`)."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.declarations import MOST_STATES_WITH_LOCATED_CHOICES
from hybridode.equations.watched import may_be_passed_over
from hybridode.errors import Diagnostic, render_one
from hybridode.solve.problem import Compiled
from hybridode.solve.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Callable

TWIN = ("native", "switches")  # where a model keeps its twin
FREE = 2.0  # the side of an `if` that is not located any more


class Chattering(UserWarning):
    """An `if` changed sides without end, so that its location stopped: `diagnostic` says which."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(render_one(diagnostic))
        self.diagnostic = diagnostic


def twin_of(compiled: Compiled, dtype: str, rolls: Callable[[], bool]) -> Compiled | None:
    """The model with its `if`s located, None where there are none, or where they stay kinks that error control sees: in single
    precision, in large systems and those that loops over vectors solve (`rolls`), with too many conditions."""
    if (
        dtype != "float64"
        or not 0 < compiled.size <= MOST_STATES_WITH_LOCATED_CHOICES
        or not _may_be_watched(compiled)
        or rolls()
    ):
        return None
    if TWIN not in compiled.jitted:
        compiled.jitted[TWIN] = None if compiled.make_twin is None else compiled.make_twin()
    return compiled.jitted[TWIN]


def _may_be_watched(compiled: Compiled) -> bool:
    chooses = any(i.op == "select" for i in compiled.tapes["rates"].instructions)
    return chooses or any(may_be_passed_over(event) for event in compiled.system.when_events)


def extended(twin: Compiled, y0: Any, xp: Any) -> Any:
    """A start with room for the sides, which the loop fills in."""
    return xp.concatenate([y0, xp.zeros(twin.size - len(y0), y0.dtype)])


def without_sides(compiled: Compiled, raw: Raw, xp: Any) -> Raw:
    """What the model itself has; which of its `if`s are not located any more, as bits, among the counts."""
    n, stats = compiled.size, raw.stats
    count = sum(event.mode >= 0 for event in compiled.jitted[TWIN].system.when_events)
    if count:
        free = raw.y_end[-count:] == FREE
        stats = stats | {"sliding": xp.sum(xp.where(free, 1 << xp.arange(count), 0))}
    return replace(raw, ys=raw.ys[:, :n], ys_left=raw.ys_left[:, :n], y_end=raw.y_end[:n], stats=stats)


def sliding_ifs(compiled: Compiled, counted: Any) -> tuple[Diagnostic, ...]:
    """What is to be said of the `if`s whose sides changed without end. `counted`: `Raw.stats["sliding"]` of one solve or many."""
    bits = int(np.bitwise_or.reduce(np.ravel(np.asarray(counted)), initial=0))
    twin = compiled.jitted.get(TWIN)
    if not bits or twin is None:
        return ()
    chosen = [event for event in twin.system.when_events if event.mode >= 0]
    spans = list(dict.fromkeys(event.span for k, event in enumerate(chosen) if bits >> k & 1 and event.span is not None))
    message = "this `if` changed sides without end: the solution slides along its border, and from there on it is not located"
    return (
        Diagnostic("W0714", message, spans[0] if spans else None, "`hybridode explain W0714` says what helps", "warning",
                   tuple((span, "so did this one") for span in spans[1:])),
    )  # fmt: skip


def warn_of_sliding(compiled: Compiled, counted: Any) -> None:
    """Says so as a warning of Python, at the line of the user's that asked for the solve."""
    for diagnostic in sliding_ifs(compiled, counted):
        warnings.warn(Chattering(diagnostic), stacklevel=_users_level())


def _users_level() -> int:
    """How far up the first caller outside this package is."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == __name__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    return level
