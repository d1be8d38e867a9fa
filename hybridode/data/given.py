"""What a data file gives to a simulation: inputs, numbers, and how far it goes. Nothing needs to be observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridode.data import columns
from hybridode.data.conditions import with_given_starts
from hybridode.data.dose_rows import DoseRow, dose_rows
from hybridode.data.doses import Schedule, segments, with_infusions
from hybridode.data.experiments import _groups, _numbers
from hybridode.data.files import read_table
from hybridode.data.groups import labels_of
from hybridode.data.header_units import with_conversions
from hybridode.data.records import time_of_rows
from hybridode.data.sources import Knots, own_inputs, source_inputs
from hybridode.data.table import Table
from hybridode.declarations import Declarations
from hybridode.errors import Diagnostic, UsageError

if TYPE_CHECKING:
    import pandas as pd

    Data = Table | str | Path | pd.DataFrame


@dataclass(frozen=True, eq=False)
class Given:
    """`times` of the rows of one series, ascending; `inputs` knots per input entry; `numbers` what columns set; `declarations`
    the model's, with what its doses need."""

    times: np.ndarray
    inputs: Mapping[str, Knots]
    numbers: Mapping[str, float]
    declarations: Declarations
    doses: Schedule | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # its group in each column after `by`


def given_by(
    declarations: Declarations, data: Data | None, sources: Mapping[str, Data] | None, series: str | None = None
) -> Given:
    """The inputs and numbers of one series of a file (the only one, or the one named `series`) and of the sources.

    Raises DataError (E06) for what the files lack, UsageError E0833 when a series must be named or does not exist.
    """
    folder = Path(declarations.source.name).parent
    if data is None:
        files = source_inputs(declarations, sources or {}, folder)  # type: ignore[arg-type]
        return Given(np.zeros(0), files.of_series(series or ""), {}, declarations)
    table = data if isinstance(data, Table) else read_table(data)
    declarations = with_given_starts(table, declarations)
    roles = columns.assign(table, replace(declarations, observations=()))
    table = with_conversions(table, declarations, roles)
    times, clock = time_of_rows(table, declarations, roles)
    files = source_inputs(declarations, sources or {}, folder, clock, numeric=clock is None)  # type: ignore[arg-type]
    dosing = dose_rows(table, declarations, roles, times)
    groups = _groups_from_resets(table, dosing, _groups(table, roles), times)
    if series is None and len(groups) > 1:
        listed = ", ".join(f"`{name}`" for name in list(groups)[:8])
        raise UsageError(
            Diagnostic(
                "E0833",
                f"{table.name} has {len(groups)} series",
                hint=f"choose one by its name (`--series`, in Python series=): {listed}",
            )
        )
    if series is not None and series not in groups:
        raise UsageError(
            Diagnostic("E0833", f"{table.name} has no series `{series}`", hint=f"it has {columns.listed(list(groups))}")
        )
    name = next(iter(groups)) if series is None else series
    order = groups[name][np.argsort(times[groups[name]], kind="stable")]
    inputs = {**own_inputs(table, declarations, roles, order, times, name), **files.of_series(name)}
    schedule = segments(table, dosing, order)[0].schedule if dosing else None
    numbers = _numbers(table, declarations, roles, name, order)
    labels = labels_of(table, declarations, roles, name, order)
    finite = times[order][np.isfinite(times[order])]
    return Given(finite, inputs, numbers, with_infusions(declarations, [schedule]), schedule, labels)


def _groups_from_resets(
    table: Table, dosing: Mapping[int, DoseRow], groups: Mapping[str, np.ndarray], times: np.ndarray
) -> Mapping[str, np.ndarray]:
    """The rows of every series, and of every part of one that begins anew (named as in `experiments`)."""
    if not dosing:
        return groups
    found: dict[str, np.ndarray] = {}
    for name, rows in groups.items():
        order = rows[np.argsort(times[rows], kind="stable")]
        for number, segment in enumerate(segments(table, dosing, order)):
            start = times[order[0]] if segment.begins is None else segment.begins
            found[f"{name} from {start:g}".strip() if number else name] = segment.rows
    return found
