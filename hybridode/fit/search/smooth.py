"""Observed states as smooth curves: what networks are scaled by and first matched to, and where pieces of a series begin.

A cubic smoothing spline whose stiffness is chosen by generalised cross-validation (Craven & Wahba, Numer. Math. 31 (1979)
377); positive data with multiplicative noise are smoothed on the log scale. A state whose rate is another state by itself
(`dx/dt = v`) has that one's curve as its slope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hybridode.data.experiments import Dataset, Series
from hybridode.declarations import Declarations
from hybridode.expr import Symbol

_FEWEST = 5  # points that the smoothing spline needs
_STRETCH = 4  # points that a stretch between jumps needs to have a curve of its own
_LOCATIONS = {"mean": "normal", "median": "lognormal", "loc": ""}

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Curve:
    """One state in one series: values and slopes at any time in [start, end]; the slope's slope, of a state that is observed."""

    start: float
    end: float
    value: Function
    slope: Function
    curvature: Function | None = None


def observed_states(dataset: Dataset) -> dict[Symbol, int]:
    """States and algebraic unknowns that an observation has as its location, directly -> number of the observation."""
    found: dict[Symbol, int] = {}
    for k, o in enumerate(dataset.declarations.observations):
        for name, e in o.arguments:
            if name in ("mean", "median", "loc") and e.op == "sym" and e.data.kind in ("state", "algebraic") and not o.at:
                found.setdefault(e.data, k)
    return found


def slopes_of_states(declarations: Declarations) -> dict[Symbol, Symbol]:
    """State -> the state whose rate it is, by itself."""
    found: dict[Symbol, Symbol] = {}
    for state in declarations.states:
        for i, rate in enumerate(state.rate):
            if rate.op == "sym" and rate.data.kind == "state":
                found.setdefault(rate.data, Symbol("state", state.name, i if state.shape else -1))
    return found


def smooth_states(
    dataset: Dataset, used: Mapping[int, list[np.ndarray]] | None = None, jumps: Sequence[np.ndarray] = ()
) -> list[dict[Symbol, Curve]]:
    """Per series the curves of its observed states and of those that are their slopes. `used` masks records: observation -> per
    series a mask over its records. `jumps`: per series the times at which states may jump."""
    states, slopes = observed_states(dataset), slopes_of_states(dataset.declarations)
    out = []
    for row, series in enumerate(dataset.series):
        curves = {}
        for symbol, k in states.items():
            mask = None if used is None else used[k][row]
            curve = _curve(dataset, series, k, mask, jumps[row] if jumps else np.zeros(0))
            if curve is not None:
                curves[symbol] = curve
        for symbol, of in slopes.items():
            curve = curves.get(of)
            if symbol not in curves and curve is not None and curve.curvature is not None:
                curves[symbol] = Curve(curve.start, curve.end, curve.slope, curve.curvature)
        out.append(curves)
    return out


def _curve(dataset: Dataset, series: Series, k: int, mask: np.ndarray | None, jumps: np.ndarray) -> Curve | None:
    mine = np.flatnonzero(series.records.column == k)
    if mask is not None:
        mine = mine[mask]
    mine = mine[(series.records.censored[mine] == 0) & np.isfinite(series.records.time[mine])]
    times, values = series.records.time[mine], series.records.value[mine]
    t, group = np.unique(times, return_inverse=True)
    if len(t) < 2:
        return None
    logarithmic = dataset.declarations.observations[k].distribution == "lognormal"
    y = np.bincount(group, np.log(values) if logarithmic else values) / np.bincount(group)
    curve = _in_stretches(t, y, jumps)
    return _exponential(curve) if logarithmic else curve


def _in_stretches(t: np.ndarray, y: np.ndarray, jumps: np.ndarray) -> Curve:
    """A spline, or one for each stretch between jumps where all of them have points enough."""
    ends = np.unique(np.searchsorted(t, jumps, side="right"))
    parts = [p for p in np.split(np.arange(len(t)), ends) if len(p)]
    if len(parts) < 2 or min(map(len, parts)) < _STRETCH:
        return _spline(t, y)
    curves = [_spline(t[p], y[p]) for p in parts]
    between = np.array([jumps[(jumps >= t[a[-1]]) & (jumps < t[b[0]])][-1] for a, b in pairwise(parts)])

    def along(part: Callable[[Curve, np.ndarray], np.ndarray]) -> Function:
        def function(s: np.ndarray) -> np.ndarray:
            at = np.asarray(s, float)
            which = np.searchsorted(between, at, side="left")
            out = np.zeros(np.shape(at))
            for number in np.unique(which):
                out[which == number] = part(curves[number], at[which == number])
            return out

        return function

    def value(c: Curve, s: np.ndarray) -> np.ndarray:  # straight on beyond the stretch's records
        inside = np.clip(s, c.start, c.end)
        return c.value(inside) + (s - inside) * c.slope(inside)

    def curvature(c: Curve, s: np.ndarray) -> np.ndarray:
        assert c.curvature is not None
        return c.curvature(np.clip(s, c.start, c.end))

    return Curve(t[0], t[-1], along(value), along(lambda c, s: c.slope(np.clip(s, c.start, c.end))), along(curvature))


def _exponential(c: Curve) -> Curve:
    """The exponential of a curve."""
    assert c.curvature is not None
    value, slope, curvature = c.value, c.slope, c.curvature
    return replace(
        c,
        value=lambda s: np.exp(value(s)),
        slope=lambda s: np.exp(value(s)) * slope(s),
        curvature=lambda s: np.exp(value(s)) * (slope(s) ** 2 + curvature(s)),
    )


def _spline(t: np.ndarray, y: np.ndarray) -> Curve:
    from scipy.interpolate import CubicSpline, make_smoothing_spline

    def through() -> Curve:
        spline = CubicSpline(t, y, bc_type="natural")
        return Curve(t[0], t[-1], spline, spline.derivative(), spline.derivative(2))

    if len(t) < _FEWEST:
        if len(t) > 2:
            return through()
        rate = (y[1] - y[0]) / (t[1] - t[0])
        straight = lambda s: np.zeros(np.shape(s))  # noqa: E731
        return Curve(t[0], t[-1], lambda s: y[0] + rate * (s - t[0]), lambda s: np.full(np.shape(s), rate), straight)
    size, span = float(np.std(y)) or 1.0, t[-1] - t[0]
    try:  # in units of order one: the search for the stiffness is not scale-free
        smooth = make_smoothing_spline((t - t[0]) / span * len(t), (y - y.mean()) / size)
    except (ValueError, np.linalg.LinAlgError):  # too ill-conditioned to cross-validate: go through the points
        return through()
    rate, bend, mean, factor = smooth.derivative(), smooth.derivative(2), y.mean(), len(t) / span
    return Curve(
        t[0],
        t[-1],
        lambda s: mean + size * smooth((s - t[0]) * factor),
        lambda s: size * factor * rate((s - t[0]) * factor),
        lambda s: size * factor**2 * bend((s - t[0]) * factor),
    )
