"""`[weights]`: how much records count. A number per column of the model, or a column of the file with a number per record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hybridode.data import columns
from hybridode.data.columns import Roles
from hybridode.data.records import Records, numeric_column
from hybridode.data.table import Table, data_error
from hybridode.declarations import Declarations

Weights = Mapping[str, float | str]


def without_weights(roles: Roles, table: Table, weights: Weights) -> Roles:
    """The roles of columns without those that are weights: they are used."""
    named = {given for given in weights.values() if isinstance(given, str)}
    return replace(roles, unmatched=tuple(j for j in roles.unmatched if table.names[j] not in named))


def weighted(records: Records, table: Table, declarations: Declarations, weights: Weights) -> tuple[Records, list[str]]:
    """The records with their weights (0: left out of the objective), and what to say about it. `weights`: name of an observed
    column, or `*` for all -> a number or the name of a column of the file.

    Raises DataError E0759 for a name that is not observed or not in the file, and for a weight that is missing or negative.
    """
    if not weights:
        return records, []
    names = [o.column for o in declarations.observations]
    weight, notes = np.ones(len(records.time)), []
    for name, given in weights.items():
        if name != "*" and name not in names:
            hint = columns.near_names(name, names) or f"observed are {columns.listed(names)}; `*` stands for all"
            raise data_error("E0759", f"weights: the model does not observe `{name}`", hint)
        mine = np.flatnonzero(np.ones(len(weight), bool) if name == "*" else records.column == names.index(name))
        what = "all records" if name == "*" else f"`{name}`"
        if isinstance(given, str):
            if given not in table.names:
                hint = columns.near_names(given, list(table.names)) or f"the columns are {columns.listed(table.names)}"
                raise data_error("E0759", f"{table.name} has no column `{given}`, which holds the weights of {what}", hint)
            j = table.names.index(given)
            weight[mine] *= numeric_column(table, j, given)[records.row[mine]]
            notes.append(f"weights of {what} from column `{given}`")
        else:
            weight[mine] *= given
            notes.append(f"weight {given:g} of {what}")
        wrong = mine[~(np.isfinite(weight[mine]) & (weight[mine] >= 0))]
        if len(wrong):
            where = f"{table.name}, line {records.line[wrong[0]]}"
            hint = "a weight is a number of at least 0; 0 leaves a record out of the objective"
            raise data_error("E0759", f"{where}: a record of {what} has the weight {weight[wrong[0]]:g}", hint)
    if len(weight) and not np.any(weight > 0):
        raise data_error("E0759", "all weights are 0: nothing is left to fit", "give at least one record a weight above 0")
    none = int(np.sum(weight == 0))
    if none:
        notes.append(f"{none} records have the weight 0 and are left out of the objective")
    return replace(records, weight=weight), notes
