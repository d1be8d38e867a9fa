"""Where input signals come from: columns of the fitted file, files beside the model, and `--source NAME=FILE`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridode.data import columns
from hybridode.data.clock import Clock
from hybridode.data.columns import Roles
from hybridode.data.files import read_table
from hybridode.data.header_units import with_conversions
from hybridode.data.records import numeric_column, time_of_rows
from hybridode.data.table import Table, cell_error, data_error
from hybridode.declarations import Declarations, entry_names

if TYPE_CHECKING:
    import pandas as pd

Knots = tuple[np.ndarray, np.ndarray]  # times (strictly rising) and values


@dataclass(frozen=True, eq=False)
class SourceInputs:
    """Signals from files other than the data: shared by all series, or by series where the file has a series column."""

    shared: Mapping[str, Knots]
    by_series: Mapping[str, Mapping[str, Knots]]  # input entry -> series -> knots
    tables: Mapping[str, Table] = field(default_factory=dict)  # the files, by source

    def of_series(self, name: str) -> dict[str, Knots]:
        out = dict(self.shared)
        for entry, groups in self.by_series.items():
            if name not in groups:
                raise data_error(
                    "E0632",
                    f"the source of input `{entry}` has no rows for series `{name}`",
                    f"it has {columns.listed(list(groups))}; add the rows, or remove its series column to share it",
                )
            out[entry] = groups[name]
        return out


def own_inputs(
    table: Table, declarations: Declarations, roles: Roles, order: np.ndarray, times: np.ndarray, series: str
) -> dict[str, Knots]:
    """Signals that stand as columns in the data, for the rows of one series in order of time."""
    out = {}
    for j, name, entry in roles.inputs:
        out[_entry_name(declarations, name, entry)] = _knots(table, j, name, order, times, series)
    return out


def _entry_name(declarations: Declarations, name: str, entry: int) -> str:
    signal = next(i for i in declarations.inputs if i.name == name)
    return entry_names(signal.name, signal.shape)[entry]


def _knots(table: Table, j: int, name: str, order: np.ndarray, times: np.ndarray, series: str) -> Knots:
    values = numeric_column(table, j, name, order)
    known = ~np.isnan(values) & np.isfinite(times[order])
    t, v, rows = times[order][known], values[known], order[known]
    if not len(t):
        which = f" in series `{series}`" if series else ""
        raise data_error(
            "E0632",
            f"{table.name}: column `{table.names[j]}` has no value{which}, but an input reads it",
            "fill it in on at least one row",
        )
    again = np.flatnonzero((t[1:] == t[:-1]) & (v[1:] != v[:-1]))
    if len(again):
        message = f"the input has two values at time {t[again[0]]:g}: {v[again[0]]:g} and {v[again[0] + 1]:g}"
        raise cell_error(table, "E0632", int(rows[again[0] + 1]), j, message, "keep one of them")
    first = np.concatenate([[True], t[1:] != t[:-1]])
    return t[first], v[first]


def source_inputs(
    declarations: Declarations,
    sources: Mapping[str, str | Path | pd.DataFrame],
    folder: Path | None,
    clock: Clock | None = None,
    numeric: bool = False,
) -> SourceInputs:
    """Signals from `--source NAME=FILE` and from files named in the model. Raises DataError E0632 for what is missing.

    `clock` is that of the data when their times are dates, `numeric` says that they are numbers: all files must tell the time
    in the same way (E0641).
    """
    wanted: dict[str, list[tuple[str, str, str]]] = {}
    for signal in declarations.inputs:
        for entry, (source, column) in zip(entry_names(signal.name, signal.shape), signal.columns, strict=True):
            if source != "data":
                wanted.setdefault(source, []).append((entry, column, signal.name))
    unknown = [name for name in sources if name not in wanted]
    if unknown:
        raise data_error(
            "E0632",
            f"--source {unknown[0]}=…: no input of the model reads from `{unknown[0]}`",
            columns.near_names(unknown[0], list(wanted)) or f"its sources are {columns.listed(wanted) or '(none)'}",
        )
    shared: dict[str, Knots] = {}
    by_series: dict[str, dict[str, Knots]] = {}
    tables: dict[str, Table] = {}
    for source, entries in wanted.items():
        table = tables[source] = _open(source, sources, folder)
        roles = replace(
            columns.assign(table, replace(declarations, inputs=(), observations=(), parameters=(), constants=())), long=None
        )
        for entry, column, _ in entries:
            if column not in table.names:
                raise data_error(
                    "E0632",
                    f"{table.name} has no column `{column}`, which the input `{entry}` reads",
                    columns.near_names(column, table.names) or f"its columns are {columns.listed(table.names)}",
                )
        roles = replace(roles, inputs=tuple((table.names.index(column), signal, 0) for _, column, signal in entries))
        table = with_conversions(table, declarations, roles)
        times, found_clock = time_of_rows(table, declarations, roles, clock)
        if (numeric and found_clock) or (clock and not found_clock):
            raise data_error(
                "E0641",
                f"the times of {table.name} are {'dates' if found_clock else 'numbers'}, those of other files are not",
                "write the times of all files in one way",
            )
        clock = found_clock
        numeric = clock is None
        groups: dict[str, list[int]] = {}
        for i, row in enumerate(table.rows):
            groups.setdefault("/".join(row[j] for j in roles.series), []).append(i)
        for entry, column, signal in entries:
            j = table.names.index(column)
            found = {}
            for name, rows in groups.items():
                order = np.array(rows)[np.argsort(times[rows], kind="stable")]
                found[name] = _knots(table, j, signal, order, times, name)
            if roles.series:
                by_series[entry] = found
            else:
                shared[entry] = found[""]
    return SourceInputs(shared, by_series, tables)


def _open(source: str, sources: Mapping[str, str | Path | pd.DataFrame], folder: Path | None) -> Table:
    if source in sources:
        return read_table(sources[source], name=f"source {source}" if not isinstance(sources[source], str | Path) else "")
    bare = source.strip('"')
    if bare != source or "." in bare or "/" in bare:
        return read_table((folder or Path()) / bare)
    raise data_error("E0632", f"the model reads inputs from `{source}`, which is not given", f"say `--source {source}=FILE`")
