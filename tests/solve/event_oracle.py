"""An independent integrator for systems with events: SciPy's DOP853, stopped and started again by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

Action = Callable[[float, np.ndarray], ArrayLike | None]
NUDGE = 1e-11  # a step off the threshold, so that the event which has just happened is not seen again
FINE = 2e-3  # of the time, at which guards are looked at again


@dataclass(frozen=True)
class Event:
    """`action(t, y)` when `guard(t, y)` turns positive; an action that is None stops the run."""

    guard: Callable[[float, np.ndarray], float]
    action: Action


@dataclass(frozen=True)
class Stretch:
    """What holds until `end`, where rates or guards may jump, and the actions of known times carried out there."""

    end: float
    rates: Callable[[float, np.ndarray], ArrayLike]
    events: Sequence[Event]
    known: Sequence[Action] = ()


class Undecided(Exception):
    """A guard all but 0 where another thing happens, or over 0 for less than a step of SciPy's; events at one instant that turn
    each other's conditions: no oracle."""


class Stopped(Exception):
    """An action that is None."""


def integrate(stretches: Sequence[Stretch], y0: ArrayLike, ts: ArrayLike, t0: float = 0.0,
              limit: int = 1000) -> tuple[np.ndarray, list[tuple[float, int]]]:  # fmt: skip
    """States at ts (NaN after a stop), and (time, event) of every firing. Every stretch has the same events, in the file's order.

    At one instant: known actions, then what turned true by them (and by the jump to the next stretch's guards), in order, then
    what those turned true.
    """
    ts, y, t = np.asarray(ts, float), np.asarray(y0, float), t0
    out = np.full((len(ts), len(y)), np.nan)
    out[ts <= t] = y
    fired: list[tuple[float, int]] = []
    try:
        for stretch, after in zip(stretches, (*stretches[1:], None), strict=True):
            while t < stretch.end and len(fired) < limit:
                t, y, event = _next(stretch, t, y, ts, out)
                if event is not None:
                    y = _settle(stretch.events, [event], t, y, fired)
                    out[(ts > t) & (ts <= t + NUDGE)] = y
                    y, t = y + NUDGE * np.asarray(stretch.rates(t, y)), t + NUDGE
            if after is not None:
                before = _true(stretch.events, t, y)
                for action in stretch.known:
                    y = _do(action, t, y)
                turned = np.flatnonzero(_true(after.events, t, y) & ~before)
                y = _settle(after.events, [int(k) for k in turned], t, y, fired)
    except Stopped:
        pass
    return out, fired


def _next(stretch: Stretch, t: float, y: np.ndarray, ts: np.ndarray, out: np.ndarray) -> tuple[float, np.ndarray, int | None]:
    """To the next crossing or the end of the stretch; samples on the way go into `out`."""
    guards = []
    for event in stretch.events:

        def guard(t, y, event=event):
            return event.guard(t, y)

        guard.terminal, guard.direction = True, 1  # type: ignore[attr-defined]
        guards.append(guard)
    end = min(stretch.end, ts[-1]) if ts[-1] > t else stretch.end
    found = solve_ivp(
        stretch.rates, (t, end), y, "DOP853", rtol=1e-12, atol=1e-13, events=guards, dense_output=True, max_step=0.05
    )
    assert found.success, found.message
    if len(between := np.arange(t + FINE, found.t[-1] - FINE, FINE)):
        states = found.sol(between).T
        for event in stretch.events:  # SciPy sees a guard at the ends of its steps only
            values = np.array([event.guard(s, x) for s, x in zip(between, states, strict=True)])
            if np.any((values[:-1] <= 0) & (values[1:] > 0)):
                raise Undecided(t)
    inside = (ts > t) & (ts <= found.t[-1])
    if inside.any():
        out[inside] = found.sol(ts[inside]).T
    (event,) = [i for i, times in enumerate(found.t_events) if len(times)] if found.status == 1 else [None]
    return (stretch.end if event is None else found.t[-1]), found.y[:, -1], event


def _settle(
    events: Sequence[Event], turned: Sequence[int], t: float, y: np.ndarray, fired: list[tuple[float, int]]
) -> np.ndarray:
    """The state behind the events that turned true at t, and those that they turned true. All of a round happen, even those
    whose condition an earlier one takes back."""
    for _ in range(100):
        if not turned:
            return y
        start = _true(events, t, y, sure=turned)
        now, risen = start, np.zeros(len(events), bool)
        for k in turned:
            fired.append((t, k))
            old, y = _values(events, t, y), _do(events[k].action, t, y)
            same = np.flatnonzero(_values(events, t, y) == old)  # a guard at 0 which the action leaves alone
            last, now = now, _true(events, t, y, sure=same[now[same]], never=same[~now[same]])
            risen |= now & ~last
        if np.any(risen & now & start):
            raise Undecided(t)  # true, false and true again within one round
        turned = [int(k) for k in np.flatnonzero(now & ~start)]
    raise Undecided(t)


def _values(events: Sequence[Event], t: float, y: np.ndarray) -> np.ndarray:
    return np.array([event.guard(t, y) for event in events])


def _true(events: Sequence[Event], t: float, y: np.ndarray, sure: Iterable[int] = (), never: Iterable[int] = ()) -> np.ndarray:
    """Which guards are positive; those of `sure` are and those of `never` are not, whatever rounding says."""
    values = _values(events, t, y)
    values[list(sure)], values[list(never)] = 1.0, -1.0
    if np.any(np.abs(values) < 1e-4):
        raise Undecided(t)
    return values > 0


def _do(action: Action, t: float, y: np.ndarray) -> np.ndarray:
    after = action(t, y)
    if after is None:
        raise Stopped
    return np.asarray(after, float)
