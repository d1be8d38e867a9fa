"""A solve in stretches between `at` statements and doses, in NumPy: what `segments` is for JAX, all firings listed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hybridode.solve import results
from hybridode.solve.consistent import consistent_again
from hybridode.solve.constrained import jumps_of_unknowns
from hybridode.solve.doses import fallen
from hybridode.solve.events import ROUNDING
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import COUNTS, Raw
from hybridode.solve.signals import jump_times
from hybridode.types import FloatArray

Stretch = Callable[[float, FloatArray, FloatArray], Raw]  # (time, state there, save points) -> the solve to the last of them
MOST_FIRINGS = 1_000_000
END, INPUT = -1, -2  # what is no statement: the end, a jump of an input that algebraic unknowns follow


class Firing(NamedTuple):
    """When a statement fires, and which; what a dose adds."""

    time: float
    statement: int
    amount: float = 0.0


def between_firings(compiled: Compiled, stretch: Stretch, args: Arguments, t0: float, ts: FloatArray, start: FloatArray) -> Raw:
    """Stretches from firing to firing; ts ascend from t0. `args` at the start."""
    fired, problem = firings(compiled, args, t0, ts) if compiled.events is not None else ([], results.SUCCESS)
    fired = sorted([*fired, *jumps_between(compiled, args, t0, float(ts[-1]))], key=lambda firing: firing.time)
    ys = np.repeat(start[None], len(ts), axis=0)
    left, counts = ys.copy(), dict.fromkeys(COUNTS, 0)
    if problem != results.SUCCESS:
        return Raw(ys, left, problem, t0, start, counts)
    a, y, t_end, end = t0, start, t0, float(ts[-1])
    for b, statement, amount in [*fired, Firing(end, END)]:
        inside = (ts >= a) & ((ts < b) if statement != END else (ts <= b))
        before = (ts > a) & (ts <= b)
        within = (ts >= a) & (ts <= b)
        piece = stretch(a, y, np.append(ts[within], b))
        values = np.zeros_like(ys)
        values[within] = piece.ys[:-1]
        ys[inside] = np.where((ts == a)[inside, None], y, values[inside])
        left[before] = values[before]
        counts = {name: count + piece.stats[name] for name, count in counts.items()}
        t_end = float(piece.t_end)
        if piece.result != results.SUCCESS:
            return Raw(ys, left, piece.result, t_end, piece.y_end, counts)
        a, y = b, piece.y_end
        if statement != END:
            y, code = consistent_again(compiled, args, b, assigned(compiled, args, b, y, statement, amount))
            if code != results.SUCCESS:
                return Raw(ys, left, code, b, y, counts)
        if statement >= 0 and compiled.events is not None and compiled.events.stop[statement]:
            ys[ts == b] = y
            break
    return Raw(ys, left, results.SUCCESS, t_end, y, counts)


def jumps_between(compiled: Compiled, args: Arguments, t0: float, t1: float) -> list[Firing]:
    """The jumps of inputs at which algebraic unknowns are computed again."""
    if not jumps_of_unknowns(compiled):
        return []
    times = jump_times(args.signals, compiled.landing_signals)
    found = np.unique(times) if times is not None else ()
    return [Firing(float(t), INPUT) for t in found if t0 < t <= t1]


def firings(compiled: Compiled, args: Arguments, t0: float, ts: FloatArray) -> tuple[list[Firing], int]:
    """All firings from t0 to the last save point in the order in which they happen (at one instant doses in the order of their
    records, then `at` statements in that of the file), and a code of `results`. Times within a few roundings of a save point
    are that point: 3*0.1 is meant to be 0.3."""
    found, sound = _of_doses(compiled, args, t0, ts)
    if not sound:
        return [], results.DOSE
    if "at_times" not in compiled.interpreters:
        return sorted(found, key=lambda firing: firing.time), results.SUCCESS
    times = compiled.interpreters["at_times"]({"p": args.parameters})
    rounding = ROUNDING * np.finfo(float).eps
    for i, (first, every, until) in enumerate(zip(times["time"], times["every"], times["until"], strict=True)):
        repeats = math.isfinite(every)
        if repeats and every <= 0:
            return [], results.EVENT_PERIOD
        limit = min(until + rounding * abs(until) if math.isfinite(until) else math.inf, float(ts[-1]))
        k = max(math.ceil((t0 - first) / every - 1e-9), 0) if repeats and math.isfinite(first) else 0
        count = 0
        while count < MOST_FIRINGS:
            time = _at_save_point(float(first + k * every) if repeats else float(first), ts, rounding)
            if not time <= limit:
                break
            if time >= t0:
                found.append(Firing(time, i))
            if not repeats:
                break
            k, count = k + 1, count + 1
        else:
            return [], results.EVENT_COUNT
    return sorted(found, key=lambda firing: firing.time), results.SUCCESS


def _of_doses(compiled: Compiled, args: Arguments, t0: float, ts: FloatArray) -> tuple[list[Firing], bool]:
    """The firings of doses in the order of their records, and whether the options of all are possible."""
    table = None if compiled.events is None else compiled.events.doses
    if table is None or args.doses is None:
        return [], True
    options = compiled.interpreters["dose_options"]({"p": args.parameters})["dose_options"].reshape(-1, 4)
    doses, rounding = fallen(table, args.doses, options, np), ROUNDING * np.finfo(float).eps
    found = [
        Firing(_at_save_point(float(time), ts, rounding), int(statement), float(amount))
        for time, used, statement, amount in zip(doses.times, doses.used, doses.statements, doses.amounts, strict=True)
        if used
    ]
    return [firing for firing in found if t0 <= firing.time <= ts[-1]], bool(doses.sound)


def _at_save_point(time: float, ts: FloatArray, rounding: float) -> float:
    if not math.isfinite(time):
        return time
    place = int(np.searchsorted(ts, time))
    near = [float(ts[k]) for k in (place - 1, place) if 0 <= k < len(ts)]
    point = min(near, key=lambda t: abs(time - t))
    return point if abs(time - point) <= rounding * abs(point) else time


def assigned(compiled: Compiled, args: Arguments, t: float, y: FloatArray, statement: int, amount: float = 0.0) -> FloatArray:
    """The state after one statement's assignments, all made from what was before."""
    if compiled.events is None or statement < 0:
        return y
    values: Any = compiled.numbers("at_values", t, y, args, amount=amount)
    out = np.array(y)
    for value, owner, state in zip(values, compiled.events.statement, compiled.events.state, strict=True):
        if owner == statement:
            out[state] = value
    return out
