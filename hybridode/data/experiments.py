"""From a data file to experiments: series with their own start, records, inputs and numbers.

read_table(path)  ──►  Table of texts  ──columns.assign──►  roles  ──experiments──►  Dataset of Series
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.data import columns
from hybridode.data.clock import Clock
from hybridode.data.columns import Roles
from hybridode.data.conditions import Rows, with_conditions, with_given_starts
from hybridode.data.dose_rows import DoseRow, dose_rows, without_observations
from hybridode.data.doses import Schedule, about_doses, behind_doses, dose_warnings, later, segments, with_infusions
from hybridode.data.equilibria import Before, Equilibrate, about_equilibria, constants_named, starts_named, with_equilibria
from hybridode.data.evaluate import constant_value
from hybridode.data.files import read_table
from hybridode.data.groups import group_notes, group_warnings, groups_of, labels_of, require_columns
from hybridode.data.header_units import with_conversions
from hybridode.data.kept_files import CONDITIONS, DATA, kept_files
from hybridode.data.marks import about_marks
from hybridode.data.problems import Problems
from hybridode.data.records import Records, long_records, numeric_column, spread_of_columns, time_of_rows, wide_records
from hybridode.data.remarks import (
    about_amount,
    about_columns,
    about_dates,
    about_repetitions,
    about_starts_given,
    about_weights,
    unmatched_names,
    warning,
)
from hybridode.data.row_units import with_row_units
from hybridode.data.sources import Knots, SourceInputs, own_inputs, source_inputs
from hybridode.data.summary import Summary, summarise
from hybridode.data.swaps import about_swaps
from hybridode.data.table import Table, cell_error, data_error
from hybridode.data.weights import Weights, weighted, without_weights
from hybridode.declarations import Declarations, entry_names, group_entry
from hybridode.errors import Diagnostic

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "Series", "experiments", "read_table"]


@dataclass(frozen=True, eq=False)
class Series:
    """One experiment: one solve. Records are sorted by time; `inputs` has knots for every input entry of the model,
    `numbers` the natural values that columns set (entry name as in `entry_names` -> value), `labels` its group in each column
    after `by`."""

    name: str
    start: float
    records: Records
    inputs: Mapping[str, Knots] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    doses: Schedule | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    before: Before | None = None  # what holds before it, where it begins in a steady state
    steady: float = math.nan  # the time that stands for infinity; known when the model has been solved

    @property
    def has_steady(self) -> bool:
        """Whether something was observed in the steady state (at time infinity)."""
        return bool(np.isinf(self.records.time).any())

    def solved(self, times: np.ndarray) -> np.ndarray:
        """Times at which the model is evaluated: `steady` stands for infinity."""
        return np.where(np.isinf(times), self.steady, times)

    @property
    def times(self) -> np.ndarray:
        """Distinct times at which the model is evaluated, ascending."""
        return np.unique(self.solved(self.records.time))

    @property
    def end(self) -> float:
        finite = self.records.time[np.isfinite(self.records.time)]
        return float(finite[-1]) if len(finite) else self.start


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a fit sees. `declarations` are the model's with inferred observations added; `promoted` are the constants
    that a column sets; `given` the entries of parameters that columns set (they are not learnt); `notes` say in words
    what was inferred, `warnings` what deserves a look (also in `notes`). `clock` made the times of dates, None of numbers."""

    name: str
    declarations: Declarations
    series: tuple[Series, ...]
    promoted: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    unmatched: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    clock: Clock | None = None
    summary: Summary | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column after `by` -> its labels
    reading: Mapping[str, Any] = field(default_factory=dict)  # how the file was read, as keywords of `experiments`
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # observed column -> names of its classes, in order
    files: Mapping[str, Table] = field(default_factory=dict)  # what inputs and doses are read from, see `data/kept_files`
    origin: Mapping[str, Table] = field(default_factory=dict)  # the data and the conditions as they were read, by file name

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the observed columns, in the order of the observations."""
        return tuple(o.column for o in self.declarations.observations)

    @property
    def units(self) -> dict[str, str]:
        """Units of the observed columns, as far as they are known."""
        return {o.name: o.unit for o in self.summary.observed if o.unit} if self.summary is not None else {}

    @property
    def n_records(self) -> int:
        return sum(len(s.records.time) for s in self.series)


def experiments(
    declarations: Declarations,
    data: Table | str | Path | pd.DataFrame,
    columns_map: Mapping[str, str] | None = None,
    sources: Mapping[str, str | Path | pd.DataFrame] | None = None,
    folder: Path | None = None,
    conditions: Table | str | Path | pd.DataFrame | None = None,
    numbers: Rows | None = None,
    weights: Weights | None = None,
    equilibrate: Equilibrate | None = None,
) -> Dataset:
    """The series of a data file as the model reads them.

    `columns_map` maps names of the model to columns of the file (`--column prey=Hare`), `sources` names to files
    (`--source protocol=FILE`), `folder` is where the model lies (files named in it are found there). `conditions` is a table
    with a row per experiment, `numbers` says the same by label (see `data/conditions.py`). `weights` says how much the
    records of a column count (see `data/weights`), `equilibrate` under what a series rests before it (see `data/equilibria`).
    Raises DataError (E062x, E063x) with the file, line, column, cell and remedy of all that can be found in one go.
    """
    table = data if isinstance(data, Table) else read_table(data)
    origin = {DATA: table}
    table, labels = columns.rename(table, declarations, columns_map or {})
    rows = None if conditions is None else conditions if isinstance(conditions, Table) else read_table(conditions)
    origin |= {} if rows is None else {CONDITIONS: rows}
    table = with_conditions(table, declarations, rows, numbers)
    declarations = with_given_starts(table, declarations, starts_named(equilibrate or {}))
    warnings: list[Diagnostic] = []
    declarations = _with_observations(table, declarations, labels, warnings)
    problems = Problems(table)
    roles = without_weights(columns.assign(table, declarations, problems), table, weights or {})
    with problems.collecting():
        require_columns(table, declarations, roles)
    read = _values(table, declarations, roles, labels, warnings, problems)
    table, clock = read.table, read.clock
    records, weighing = weighted(read.records, table, declarations, weights or {})
    files = source_inputs(declarations, sources or {}, folder, clock, numeric=clock is None)
    series = _all_series(replace(read, records=records), declarations, roles, files, problems, warnings)
    all_groups = groups_of([s.labels for s in series])
    series = with_equilibria(declarations, _with_observed(table, series, warnings), equilibrate or {})
    by_group = groups_of([s.labels for s in series])
    declarations = with_infusions(declarations, [s.doses for s in series])
    given = given_entries(declarations, series)
    warnings += group_warnings(declarations, all_groups, by_group)
    warnings += dose_warnings(table, declarations, roles)
    warnings += about_repetitions(table, declarations, roles)
    warnings += about_marks(declarations, [s.records for s in series])
    warnings += about_swaps(table, declarations, roles, [s.start for s in series], [s.records for s in series])
    warnings += about_amount(declarations, given, [s.records for s in series])
    warnings += about_starts_given(declarations, {name for s in series for name in s.numbers}, [s.start for s in series])
    warnings += about_weights(declarations, sum(len(s.records.time) for s in series))
    constants = {c.name for c in declarations.constants}
    unmatched = unmatched_names(table, roles, read.unknown)
    summary = summarise(table, declarations, roles, read.times, series, clock, unmatched, warnings)
    summary = replace(
        summary,
        doses=tuple(about_doses(table, declarations, roles, [s.doses for s in series])),
        remarks=(*summary.remarks, *group_notes(declarations, by_group), *weighing, *about_equilibria(series)),
    )
    return Dataset(
        table.name,
        declarations,
        tuple(series),
        promoted=frozenset(n for _, n, _ in roles.covariates if n in constants)
        | constants_named(declarations, equilibrate or {}),
        given=given,
        unmatched=unmatched,
        notes=(*summary.sentences(), *(w.message + (f": {w.hint}" if w.hint else "") for w in warnings)),
        warnings=tuple(warnings),
        clock=clock,
        summary=summary,
        groups=by_group,
        reading=_reading(columns_map, sources, conditions, numbers, weights, equilibrate),
        classes=records.labels,
        files=kept_files(table, declarations, roles, files.tables),
        origin=origin,
    )


def _reading(columns_map: Any, sources: Any, conditions: Any, numbers: Any, weights: Any, equilibrate: Any) -> dict[str, Any]:
    """How a file was read, as far as a settings file can say it."""
    return {
        "columns": dict(columns_map or {}),
        "weights": dict(weights or {}),
        "sources": {n: str(Path(file).resolve()) for n, file in (sources or {}).items() if isinstance(file, str | Path)},
        "conditions": str(Path(conditions).resolve()) if isinstance(conditions, str | Path) else None,
        "numbers": {label: dict(values) for label, values in (numbers or {}).items()},
        "equilibrate": {label: dict(values) for label, values in (equilibrate or {}).items()},
    }


def _all_series(
    read: _Values,
    declarations: Declarations,
    roles: Roles,
    files: SourceInputs,
    problems: Problems,
    warnings: list[Diagnostic],
) -> list[Series]:
    """The series in the order of their first rows, each with its inputs; parts of one where doses reset it."""
    table, times, unsorted = read.table, read.times, False
    series: list[Series] = []
    for name, rows in _groups(table, roles).items():
        order = rows[np.argsort(times[rows], kind="stable")]
        unsorted |= bool(np.any(order != rows))
        with problems.collecting():
            one = _series(table, declarations, roles, name, order, times, read.records)
            own = own_inputs(table, declarations, roles, order, times, name)
            one = replace(one, inputs={**own, **files.of_series(name)})
            series += _parts(table, read.dosing, one, order, times) if read.dosing else [one]
    problems.raise_if_any()
    if unsorted:
        warnings.append(warning("W0622", f"the times of {table.name} do not rise; its rows were sorted by time"))
    return series


def _with_observations(
    table: Table, declarations: Declarations, labels: Mapping[str, str], warnings: list[Diagnostic]
) -> Declarations:
    if declarations.observations:
        return declarations
    long = columns.find_long(table, declarations)
    names = [labels.get(x, x) for x in table.column(long.observable)] if long else []
    inferred = columns.infer_observations(table, declarations, spread_of_columns(table, declarations, long, labels), names)
    observed = ", ".join(f"`{o.column}`" for o in inferred.observations)
    warnings.append(
        warning(
            "W0624",
            f"the model has no `observe`: {observed} {'is' if len(inferred.observations) == 1 else 'are'} observed with "
            "normal noise of unknown standard deviation",
            "write `observe` lines to choose another noise",
        )
    )
    return inferred


@dataclass(frozen=True, eq=False)
class _Values:
    """What stands in the cells: the table with its conversions, the time of each row, the clock of dates, the dosing records, the
    observed records, and labels that nothing observes."""

    table: Table
    times: np.ndarray
    clock: Clock | None
    dosing: Mapping[int, DoseRow]
    records: Records
    unknown: tuple[str, ...]


def _values(
    table: Table,
    declarations: Declarations,
    roles: Roles,
    labels: Mapping[str, str],
    warnings: list[Diagnostic],
    problems: Problems,
) -> _Values:
    """Reads all cells. Every stage is tried, so that one run tells all that is wrong with the file."""
    times, clock, records, unknown, dosing = np.zeros(len(table.rows)), None, None, (), {}
    with problems.collecting():
        table = with_row_units(with_conversions(table, declarations, roles), declarations, roles, labels)
    with problems.collecting():
        times, clock = time_of_rows(table, declarations, roles)
        dosing = dose_rows(table, declarations, roles, times)
        table = without_observations(table, roles, dosing)
    with problems.collecting():
        if roles.long:
            records, unknown = long_records(table, declarations, roles, times, labels)
        else:
            records = wide_records(table, declarations, roles, times)
    if records is not None:
        with problems.collecting():
            warnings += about_columns(table, declarations, roles, records, unknown)
    problems.raise_if_any()
    assert records is not None, "what is missing was raised"
    warnings += about_dates(table, declarations, clock)
    return _Values(table, times, clock, dosing, records, unknown)


def given_entries(declarations: Declarations, series: Sequence[Series]) -> frozenset[str]:
    """Entries of parameters that the data give to every series (of a group: `k[north]`): nothing is left of them to learn."""
    found = set()
    for p in declarations.parameters:
        labels = {s.labels[p.by] for s in series} if p.by else {""}
        for entry in entry_names(p.name, p.shape):
            if all(entry in s.numbers for s in series):
                found.add(entry)
            for label in labels:
                mine = [s for s in series if not p.by or s.labels[p.by] == label]
                if all(entry in s.numbers for s in mine):
                    found.add(group_entry(entry, label) if label else entry)
    return frozenset(found)


def _groups(table: Table, roles: Roles) -> dict[str, np.ndarray]:
    """Rows of each series in the order of first appearance; a series' name joins its labels with `/`."""
    found: dict[str, list[int]] = {}
    for i, row in enumerate(table.rows):
        labels = [row[j] for j in roles.series]
        if not all(labels):
            j = roles.series[labels.index("")]
            message = "the cell is empty, so the row belongs to no series"
            raise cell_error(table, "E0635", i, j, message, "give each row its series")
        found.setdefault("/".join(labels), []).append(i)
    return {name: np.array(rows) for name, rows in found.items()}


def _series(
    table: Table, declarations: Declarations, roles: Roles, name: str, order: np.ndarray, times: np.ndarray, records: Records
) -> Series:
    start = float(times[order[0]]) if np.isfinite(times[order[0]]) else 0.0
    if declarations.time_origin is not None:
        origin = constant_value(declarations.time_origin, columns.symbols_of_constants(declarations))
        if origin is None:
            raise data_error("E0628", "the start of the time is no number before the fit", "write a number after `from`")
        if start < origin:
            message = f"time {start:g} is before the start of the model, {origin:g}"
            raise cell_error(table, "E0628", order[0], roles.time, message, "remove the row, or change `from` in the model")
        start = origin
    mine = records.of_rows(order)
    mine = mine.kept(_at_marked_times(declarations, mine, float(times[order[-1]]), float(times[order[0]])))
    numbers = _numbers(table, declarations, roles, name, order)
    return Series(name, start, mine, numbers=numbers, labels=labels_of(table, declarations, roles, name, order))


def _parts(table: Table, dosing: Mapping[int, DoseRow], one: Series, order: np.ndarray, times: np.ndarray) -> list[Series]:
    """A series with its doses: one for each part in which nothing is reset, without those in which nothing is observed."""
    found = []
    for number, segment in enumerate(segments(table, dosing, order)):
        records = one.records.of_rows(segment.rows)
        behind = set(segment.rows[behind_doses(table, dosing, segment.rows, times)].tolist())
        time = later(records.time, np.array([i in behind for i in records.row.tolist()], bool))
        start = one.start if segment.begins is None else segment.begins
        name = one.name if not number else f"{one.name} from {start:g}".strip()
        doses = None if segment.schedule is None or not len(time) else segment.schedule.until(float(time[-1]))
        found.append(replace(one, name=name, start=start, records=replace(records, time=time), doses=doses))
    return [s for s in found if len(s.records.time)] or [one]


def _at_marked_times(declarations: Declarations, records: Records, last: float, first: float) -> np.ndarray:
    """Which records count: all, but of an `at end` observation only those of the last time (`at start`: the first)."""
    keep = np.ones(len(records.time), bool)
    for k, observation in enumerate(declarations.observations):
        if observation.at:
            keep &= (records.column != k) | (records.time == (last if observation.at == "end" else first))
    return keep


def _numbers(table: Table, declarations: Declarations, roles: Roles, name: str, order: np.ndarray) -> dict[str, float]:
    """What the columns named like params and consts say for one series; they must not change within it."""
    out = {}
    for j, owner, entry in roles.covariates:
        values = numeric_column(table, j, owner, order)
        known = np.flatnonzero(~np.isnan(values))
        which = f"series `{name}`" if name else "the series"
        if not len(known) and table.names[j] in table.optional:
            continue
        if not len(known):
            raise data_error(
                "E0631",
                f"{table.name}: column `{table.names[j]}` sets `{owner}`, but {which} has no value in it",
                "fill it in on at least one row of each series",
            )
        changed = [i for i in known if values[i] != values[known[0]]]
        if changed:
            message = f"{values[changed[0]]:g} after {values[known[0]]:g}, but `{owner}` is one number for all of {which}"
            remedy = "write an `input` for what changes in time, or rename the column"
            raise cell_error(table, "E0631", order[changed[0]], j, message, remedy)
        out[columns.entry_of(declarations, owner, entry)] = float(values[known[0]])
    return out


def _with_observed(table: Table, series: list[Series], warnings: list[Diagnostic]) -> list[Series]:
    empty = [s.name for s in series if not len(s.records.time)]
    if len(empty) == len(series):
        raise data_error(
            "E0629",
            f"{table.name} has no observed value: every cell of the observed columns is empty",
            "give it at least one number",
        )
    if empty:
        warnings.append(warning("W0625", f"series without an observed value were left out: {columns.listed(empty)}"))
    return [s for s in series if len(s.records.time)]
