"""What was understood of a data file, as one object: the text before a fit, `--json` and `hybridode check` are made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.data import cells
from hybridode.data.classes import DISTRIBUTION as CLASSES
from hybridode.data.columns import Roles, entry_of
from hybridode.data.header_units import unit_of_observation, used_units
from hybridode.data.records import Records
from hybridode.data.row_units import converted_rows, unit_of_rows
from hybridode.data.table import Table
from hybridode.data.units import same_text
from hybridode.declarations import Declarations, entry_names
from hybridode.errors import Diagnostic

if TYPE_CHECKING:
    from hybridode.data.clock import Clock
    from hybridode.data.experiments import Series


@dataclass(frozen=True)
class TimeSummary:
    """`first` and `last` over all rows and `start` (least and greatest of the series) in `unit`; `dates` says how dates are
    read, `origin` which is the time 0 (or what `from` says)."""

    column: str
    unit: str
    first: float
    last: float
    distinct: int
    start: tuple[float, float]
    dates: str = ""
    origin: str = ""

    @property
    def starts(self) -> str:
        """`0`, or how the starts of several series differ."""
        low, high = self.start
        return f"{low:g}" if low == high else f"the first record of each series, {low:g} to {high:g}"


@dataclass(frozen=True)
class SeriesSummary:
    """One series: its records, their times, the numbers that columns set for it, and its groups (by column)."""

    name: str
    values: int
    first: float
    last: float
    numbers: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ObservedSummary:
    """One observation. `values` counts all its records; `least` and `greatest` are of those that are no limits (None: all are);
    `missing` the empty cells; `replicates` the values beyond the first at one time of one series."""

    name: str
    column: str
    unit: str
    noise: str
    inferred: bool
    values: int
    least: float | None
    greatest: float | None
    missing: int
    below: int
    above: int
    between: int
    replicates: int
    classes: Mapping[str, int] = field(default_factory=dict)  # how many of each, of what is no number


@dataclass(frozen=True)
class InputSummary:
    """One entry of an input: where it comes from, how many values all series have of it, and between what."""

    name: str
    column: str
    values: int
    least: float
    greatest: float
    interpolation: str


@dataclass(frozen=True)
class Summary:
    """All that a fit tells about its data before it begins.

    `set_by_columns` maps names to what they are ("parameter, not learnt" or "constant"); `doses`, `converted`, `inferred` and
    `remarks` are sentences; `ignored` are the columns (or labels) that nothing reads.
    """

    name: str
    rows: int
    form: str
    time: TimeSummary
    series: tuple[SeriesSummary, ...]
    observed: tuple[ObservedSummary, ...]
    inputs: tuple[InputSummary, ...] = ()
    doses: tuple[str, ...] = ()
    set_by_columns: Mapping[str, str] = field(default_factory=dict)
    converted: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`."""
        return {**asdict(self), "warnings": [w.as_dict() for w in self.warnings]}

    def sentences(self) -> list[str]:
        """The summary without its table, for logs and reports."""
        return [
            f"{self.name}: {self.rows} rows, time in `{self.time.column}`, {len(self.series)} series",
            *([f"`{self.time.column}` holds {self.time.dates}"] if self.time.dates else []),
            *(["long form: one observable per row"] if self.form == "long" else []),
            f"starts at {self.time.starts}",
            *(f"`{name}` ({what}) is set by a column, per series" for name, what in self.set_by_columns.items()),
            *self.doses,
            *(f"column converted: {sentence}" for sentence in self.converted),
            *self.remarks,
        ]


def summarise(
    table: Table,
    declarations: Declarations,
    roles: Roles,
    times: np.ndarray,
    series: Sequence[Series],
    clock: Clock | None,
    ignored: Sequence[str],
    warnings: Sequence[Diagnostic],
) -> Summary:
    """The summary of a table whose columns have these roles and whose rows became these series."""
    return Summary(
        table.name,
        len(table.rows),
        "long" if roles.long else "wide",
        _time(table, declarations, roles, times, series, clock),
        tuple(_one_series(s) for s in series),
        tuple(_observed(table, declarations, roles, series, k) for k in range(len(declarations.observations))),
        tuple(_inputs(table, declarations, roles, series)),
        (),
        _set_by_columns(declarations, roles),
        (
            *dict.fromkeys(f"`{table.headers[j].original}` from {change}" for (j, _), change in table.conversions.items()),
            *converted_rows(table, roles),
        ),
        tuple(w.message for w in warnings if w.code == "W0624"),
        (*_remarks(table, declarations, roles), *_about_steady(series)),
        tuple(ignored),
        tuple(warnings),
    )


def _time(
    table: Table, declarations: Declarations, roles: Roles, times: np.ndarray, series: Sequence[Series], clock: Clock | None
) -> TimeSummary:
    starts = [s.start for s in series]
    times = _finite(times, min(starts))
    unit = clock.unit if clock else declarations.time_unit or table.headers[roles.time].unit
    return TimeSummary(
        table.headers[roles.time].original,
        unit,
        float(times.min()),
        float(times.max()),
        len(np.unique(times)),
        (min(starts), max(starts)),
        str(clock or ""),
        clock.text if clock else "",
    )


def _about_steady(series: Sequence[Series]) -> list[str]:
    count = sum(int(np.isinf(s.records.time).sum()) for s in series)
    return [f"{count} value{'' if count == 1 else 's'} at time infinity: observed in the steady state"] if count else []


def _finite(times: np.ndarray, otherwise: float) -> np.ndarray:
    """The times without those of steady states."""
    return times[np.isfinite(times)] if np.isfinite(times).any() else np.array([otherwise])


def _one_series(series: Series) -> SeriesSummary:
    times = _finite(series.records.time, series.start)
    first, last = float(times.min()), float(times.max())
    return SeriesSummary(series.name, len(series.records.time), first, last, dict(series.numbers), dict(series.labels))


def _observed(table: Table, declarations: Declarations, roles: Roles, series: Sequence[Series], k: int) -> ObservedSummary:
    observation = declarations.observations[k]
    mine = [s.records.kept(s.records.column == k) for s in series]
    censored = _joined(mine, "censored")
    exact = _joined(mine, "value")[censored == cells.NONE]
    places = [roles.long.value] if roles.long else [j for j, number in roles.observed if number == k]
    rows = len(table.rows) if not roles.long else len(censored)
    unit = unit_of_observation(declarations, k) or unit_of_rows(table, roles, observation.column)
    unit = unit or next((table.headers[j].unit for j in places), "")
    classes: dict[str, int] = {}
    if observation.distribution == CLASSES:
        count = len(observation.arguments)
        labels = next((r.labels[observation.column] for r in mine if observation.column in r.labels), None)
        classes = {name: int(np.sum(exact == i)) for i, name in enumerate(labels or map(str, range(1, count + 1)), start=1)}
    return ObservedSummary(
        observation.column,
        observation.column if roles.long else ", ".join(table.headers[j].original for j in places),
        unit,
        noise_text(declarations, k),
        observation.inferred,
        len(censored),
        float(exact.min()) if len(exact) else None,
        float(exact.max()) if len(exact) else None,
        max(rows * len(places) - len(censored), 0) if not observation.at else 0,
        int(np.sum(censored == cells.BELOW)),
        int(np.sum(censored == cells.ABOVE)),
        int(np.sum(censored == cells.BETWEEN)),
        sum(len(r.time) - len(np.unique(r.time)) for r in mine),
        classes,
    )


def _joined(records: Sequence[Records], name: str) -> np.ndarray:
    return np.concatenate([getattr(r, name) for r in records]) if records else np.zeros(0)


def noise_text(declarations: Declarations, k: int) -> str:
    """The noise model of an observation as it is written: `lognormal(hare, s)`."""
    observation = declarations.observations[k]
    if observation.span is None:
        return f"{observation.distribution}, its standard deviation is estimated"
    text = " ".join(observation.span.source.text[observation.span.start : observation.span.end].split())
    return text.partition("~")[2].partition(" for ")[0].strip() or observation.distribution


def _inputs(table: Table, declarations: Declarations, roles: Roles, series: Sequence[Series]) -> list[InputSummary]:
    out = []
    for signal in declarations.inputs:
        for name, (source, column) in zip(entry_names(signal.name, signal.shape), signal.columns, strict=True):
            values = np.concatenate([s.inputs[name][1] for s in series])
            where = column if source == "data" else f"{source}.{column}"
            out.append(InputSummary(name, where, len(values), float(values.min()), float(values.max()), signal.interpolation))
    return out


def _set_by_columns(declarations: Declarations, roles: Roles) -> dict[str, str]:
    kinds = {c.name: "constant" for c in declarations.constants}
    kinds |= {p.name: "start, not learnt" for p in declarations.parameters if p.start_of}
    return {
        entry_of(declarations, owner, entry): kinds.get(owner, "parameter, not learnt") for _, owner, entry in roles.covariates
    }


def _remarks(table: Table, declarations: Declarations, roles: Roles) -> list[str]:
    out = ["numbers have decimal commas"] if table.decimal == "," else []
    for j, name, declared in used_units(declarations, roles):
        given = table.headers[j].unit
        if given and not declared:
            out.append(f"`{table.headers[j].original}` is in `{given}`; the model gives no unit to compare with")
        elif declarations.units == "off" and given and not same_text(given, declared):
            out.append(
                f"`{table.headers[j].original}` is in `{given}`, the model's `{name}` in `{declared}`; not converted, as the "
                "model says `units off`"
            )
    return list(dict.fromkeys(out))
