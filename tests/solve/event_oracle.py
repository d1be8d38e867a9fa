"""An independent integrator for systems with events: SciPy's DOP853, stopped and started again by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp


@dataclass(frozen=True)
class Event:
    """`action(t, y)` when `guard(t, y)` crosses 0 (direction 1: upwards, -1: downwards, 0: either); None stops the run."""

    guard: Callable[[float, np.ndarray], float]
    action: Callable[[float, np.ndarray], ArrayLike | None]
    direction: int = 1


class ChainReaction(Exception):
    """An action carries another event's guard over 0: more than this oracle can do."""


def integrate(rates: Callable, y0: ArrayLike, ts: ArrayLike, events: list[Event],
              t0: float = 0.0, limit: int = 1000) -> tuple[np.ndarray, list[tuple[float, int]]]:  # fmt: skip
    """States at ts (NaN after a stop), and (time, event) of every firing. One event at a time: no simultaneous ones,
    and none that set off another (ChainReaction)."""
    ts, y, t = np.asarray(ts, float), np.asarray(y0, float), t0
    out = np.full((len(ts), len(y)), np.nan)
    out[ts <= t] = y
    fired: list[tuple[float, int]] = []
    guards = []
    for event in events:

        def guard(t, y, event=event):
            return event.guard(t, y)

        guard.terminal, guard.direction = True, event.direction  # type: ignore[attr-defined]
        guards.append(guard)
    while t < ts[-1] and len(fired) < limit:
        found = solve_ivp(
            rates, (t, ts[-1]), y, "DOP853", rtol=1e-12, atol=1e-13, events=guards, dense_output=True, max_step=0.05
        )
        assert found.success, found.message
        end = found.t[-1]
        inside = (ts > t) & (ts <= end)
        if inside.any():
            out[inside] = found.sol(ts[inside]).T
        t, y = end, found.y[:, -1]
        if found.status != 1:
            break
        (k,) = (i for i, times in enumerate(found.t_events) if len(times))
        fired.append((t, k))
        after = events[k].action(t, y)
        if after is None:
            break
        for other in events[:k] + events[k + 1 :]:
            if other.guard(t, y) * other.guard(t, np.asarray(after)) < 0:
                raise ChainReaction(t)
        y = np.asarray(after, float)
        # A step off the threshold, so that the event which has just happened is not seen again.
        nudge = 1e-11
        out[(ts > t) & (ts <= t + nudge)] = y
        y, t = y + nudge * np.asarray(rates(t, y)), t + nudge
    return out, fired
