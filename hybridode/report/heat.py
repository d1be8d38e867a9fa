"""Vectors of many entries (a PDE on its grid) as one map over place and time, in place of a chart for every entry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybridode.report.axes import Axis
from hybridode.report.chart import Cells, Chart
from hybridode.report.design import DIVERGING, RAMP
from hybridode.report.figures import at_times, file_name
from hybridode.report.saved import Rows, names_in, where, with_unit
from hybridode.report.words import brief

MANY = 6  # entries of one vector from which on a map is drawn
_MOST_TIMES, _MOST_PLACES = 80, 120
_ENTRY = re.compile(r"(.+)\[([\d,]+)\]")


def vectors(columns: Sequence[str]) -> dict[str, list[str]]:
    """The vectors of at least MANY entries among the columns: name -> entries, in the order of the columns."""
    found: dict[str, list[str]] = {}
    for column in columns:
        match = _ENTRY.fullmatch(column)
        if match is not None:
            found.setdefault(match[1], []).append(column)
    return {name: entries for name, entries in found.items() if len(entries) >= MANY}


def few(entries: Sequence[str]) -> list[str]:
    """Three entries that stand for all: the first, the middle one, the last."""
    return [entries[0], entries[len(entries) // 2], entries[-1]]


Span = tuple[float, float]


@dataclass(frozen=True)
class Vector:
    """A vector of the model with its entries as columns, and the labels of its maps."""

    name: str
    entries: Sequence[str]
    time_label: str
    label: str


def vector_of(name: str, entries: Sequence[str], time_label: str, units: Mapping[str, str]) -> Vector:
    """With the unit of its first entry."""
    return Vector(name, entries, time_label, with_unit(name, units.get(entries[0], "")))


def span_of(entries: Sequence[str], predictions: Rows, residuals: Rows) -> Span:
    """From the least to the greatest of what is fitted and observed: one scale of colours for both maps."""
    curves = predictions["location"][np.isin(predictions["column"], entries)]
    both = np.concatenate([curves, residuals["observed"][np.isin(residuals["column"], entries)]])
    both = both[np.isfinite(both)]
    return (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)


def fitted_map(vector: Vector, predictions: Rows, span: Span | None = None) -> list[Chart]:
    """The fitted values (observed entries or states) over entry and time, of the first series."""
    rows = at_times(predictions)
    kind = "curve" if (rows["kind"][np.isin(rows["column"], vector.entries)] == "curve").any() else "state"
    rows = where(rows, rows["kind"] == kind)
    return _map(vector, f"map_{file_name(vector.name)}", "fitted", rows, "location", RAMP, span)


def observed_map(vector: Vector, residuals: Rows, span: Span | None = None) -> list[Chart]:
    """The data over entry and time."""
    return _map(vector, f"map_data_{file_name(vector.name)}", "data", at_times(residuals), "observed", RAMP, span)


def residual_map(vector: Vector, residuals: Rows) -> list[Chart]:
    """Standardised residuals over entry and time: structure in it is what the model does not explain."""
    vector = replace(vector, label="residual")
    return _map(vector, f"map_residuals_{file_name(vector.name)}", "residuals", at_times(residuals), "residual", DIVERGING, None)


def _map(vector: Vector, file: str, what: str, rows: Rows, value: str, ramp: tuple[str, ...], span: Span | None) -> list[Chart]:
    name, entries, time_label, title = vector.name, vector.entries, vector.time_label, f"{vector.name}: {what}"
    rows = where(rows, np.isin(rows["column"], entries))
    if not rows["time"].size:
        return []
    series = names_in(rows, "series")
    rows = where(rows, rows["series"] == series[0])
    times = np.unique(rows["time"])
    times = times[np.linspace(0, len(times) - 1, min(len(times), _MOST_TIMES)).astype(int)]
    places = [entries[k] for k in np.linspace(0, len(entries) - 1, min(len(entries), _MOST_PLACES)).astype(int)]
    grid = np.full((len(places), len(times)), np.nan)
    column_at, time_at = {c: i for i, c in enumerate(places)}, {t: j for j, t in enumerate(times.tolist())}
    for column, time, number in zip(rows["column"], rows["time"].tolist(), rows[value], strict=True):
        if column in column_at and time in time_at:
            grid[column_at[column], time_at[time]] = number
    if not np.isfinite(grid).any():
        return []
    low, high = span or (float(np.nanmin(grid)), float(np.nanmax(grid)))
    if ramp is DIVERGING:
        high = max(abs(low), abs(high))
        low = -high
    x_edges, y_edges = _edges(times), np.linspace(0.5, len(entries) + 0.5, len(places) + 1)
    i, j = np.unravel_index(int(np.nanargmax(np.abs(grid))), grid.shape)
    alt = (
        f"Map of {title}, {len(entries)} entries over {time_label} from {brief(times[0], 5)} to {brief(times[-1], 5)}"
        f"{f' in {series[0]}' if len(series) > 1 else ''}: from {brief(np.nanmin(grid))} to {brief(np.nanmax(grid))}, "
        f"farthest from 0 in {places[i]} at {brief(times[j], 5)}."
    )
    data = {
        "entry": [c for c in places for _ in times], "time": [t for _ in places for t in times], "value": [*grid.ravel()],
    }  # fmt: skip
    x, y = Axis(time_label, float(x_edges[0]), float(x_edges[-1])), Axis(f"entry of {name}", 0.5, len(entries) + 0.5, whole=True)
    return [Chart(file, title, alt, x, y, (), data=data, cells=Cells(x_edges, y_edges, grid, low, high, ramp, vector.label))]


def _edges(centres: np.ndarray) -> np.ndarray:
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[centres[0]], middle, [centres[-1]]])
