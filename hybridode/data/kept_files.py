"""What a run keeps of its data so that nothing that comes after needs another file.

`source/model.ode`, `source/data.csv` and `source/conditions.csv` are what the fit read, cell by cell: a run is opened again from
them. `inputs.csv` is for predictions of a series, a data file by itself: the rows of the data without what is observed.
`inputs_NAME.csv` is the file behind `from NAME.column`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hybridode.data.columns import SERIES_COLUMNS, Roles
from hybridode.data.table import Header, Table
from hybridode.declarations import Declarations

INPUTS = "inputs.csv"
SOURCE, MODEL, DATA, CONDITIONS = (
    "source",
    "model.ode",
    "data.csv",
    "conditions.csv",
)  # what was read


def source_file(source: str) -> str:
    """The name under which the file of a source is kept."""
    letters = re.sub(r"\W+", "_", source).strip("_")
    return f"inputs_{letters}.csv"


def sources_of(declarations: Declarations) -> tuple[str, ...]:
    """The names of the files, other than the data, that inputs read."""
    return tuple(dict.fromkeys(source for signal in declarations.inputs for source, _ in signal.columns if source != "data"))


def kept_files(table: Table, declarations: Declarations, roles: Roles, sources: Mapping[str, Table]) -> dict[str, Table]:
    """The tables to keep, by file name; none for a model that reads neither inputs nor doses."""
    kept = {source_file(name): found for name, found in sources.items()}
    if roles.inputs or roles.doses:
        kept[INPUTS] = _without_observations(table, roles)
    return kept


def kept_sources(declarations: Declarations, directory: Path) -> dict[str, str]:
    """The kept files that are there, by the source they stand for."""
    paths = {name: directory / source_file(name) for name in sources_of(declarations)}
    return {name: str(path) for name, path in paths.items() if path.is_file()}


def _without_observations(table: Table, roles: Roles) -> Table:
    """The columns that are no observations. Series that are told apart by other columns than `experiment` and `id` (groups, the
    columns that conditions are joined by) get a column `experiment` with their name."""
    named = all(table.names[j].lower() in SERIES_COLUMNS for j in roles.series)
    others = (j for j, *_ in (*roles.inputs, *roles.covariates, *roles.groups))
    places = list(dict.fromkeys((*(roles.series if named else ()), roles.time, *others, *roles.doses.values())))
    headers = [table.headers[j] for j in places]
    rows = [tuple(row[j] for j in places) for row in table.rows]
    if not named:
        headers = [Header("experiment", "", 0), *headers]
        rows = [("/".join(old[j] for j in roles.series), *new) for old, new in zip(table.rows, rows, strict=True)]
    return Table(table.name, tuple(headers), tuple(rows), table.lines, decimal=table.decimal)


def table_text(table: Table) -> str:
    """The table as a text that is read back as the same cells and units."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if table.decimal == "," else ",", lineterminator="\n")
    writer.writerow([f"{h.name} [{h.unit}]" if h.unit else h.name for h in table.headers])
    writer.writerows(_with_content(table.rows))
    return out.getvalue()


def _with_content(rows: Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """A row with one empty cell would be an empty line."""
    return (row for row in rows if any(row))
