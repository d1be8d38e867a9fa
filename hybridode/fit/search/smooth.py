"""Observed states as smooth curves: what networks are scaled by and first matched to.

A cubic smoothing spline whose stiffness is chosen by generalised cross-validation (Craven & Wahba, Numer. Math. 31 (1979)
377); positive data with multiplicative noise are smoothed on the log scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hybridode.data.experiments import Dataset, Series
from hybridode.expr import Symbol

_FEWEST = 5  # points that the smoothing spline needs
_LOCATIONS = {"mean": "normal", "median": "lognormal", "loc": ""}


@dataclass(frozen=True, eq=False)
class Curve:
    """One state in one series: values and slopes at any time in [start, end]."""

    start: float
    end: float
    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]


def observed_states(dataset: Dataset) -> dict[Symbol, int]:
    """States and algebraic unknowns that an observation has as its location, directly -> number of the observation."""
    found: dict[Symbol, int] = {}
    for k, o in enumerate(dataset.declarations.observations):
        for name, e in o.arguments:
            if name in ("mean", "median", "loc") and e.op == "sym" and e.data.kind in ("state", "algebraic") and not o.at:
                found.setdefault(e.data, k)
    return found


def smooth_states(dataset: Dataset, used: Mapping[int, list[np.ndarray]] | None = None) -> list[dict[Symbol, Curve]]:
    """Per series the curves of its observed states. `used` masks records: observation -> per series a mask over its records."""
    states = observed_states(dataset)
    out = []
    for row, series in enumerate(dataset.series):
        curves = {}
        for symbol, k in states.items():
            mask = None if used is None else used[k][row]
            curve = _curve(dataset, series, k, mask)
            if curve is not None:
                curves[symbol] = curve
        out.append(curves)
    return out


def _curve(dataset: Dataset, series: Series, k: int, mask: np.ndarray | None) -> Curve | None:
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
    spline, slope = _spline(t, y)
    if not logarithmic:
        return Curve(t[0], t[-1], spline, slope)
    return Curve(t[0], t[-1], lambda s: np.exp(spline(s)), lambda s: np.exp(spline(s)) * slope(s))


def _spline(t: np.ndarray, y: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    from scipy.interpolate import CubicSpline, make_smoothing_spline

    if len(t) < _FEWEST:
        curve = CubicSpline(t, y, bc_type="natural") if len(t) > 2 else None
        if curve is None:
            rate = (y[1] - y[0]) / (t[1] - t[0])
            return (lambda s: y[0] + rate * (s - t[0])), (lambda s: np.full(np.shape(s), rate))
        return curve, curve.derivative()
    size, span = float(np.std(y)) or 1.0, t[-1] - t[0]
    try:  # in units of order one: the search for the stiffness is not scale-free
        smooth = make_smoothing_spline((t - t[0]) / span * len(t), (y - y.mean()) / size)
    except (ValueError, np.linalg.LinAlgError):  # too ill-conditioned to cross-validate: go through the points
        through = CubicSpline(t, y, bc_type="natural")
        return through, through.derivative()
    rate, mean, factor = smooth.derivative(), y.mean(), len(t) / span
    return (lambda s: mean + size * smooth((s - t[0]) * factor)), (lambda s: size * factor * rate((s - t[0]) * factor))
