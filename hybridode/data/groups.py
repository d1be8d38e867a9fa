"""Groups: which label each series has in the columns after `by`, and what deserves to be said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hybridode.data import columns
from hybridode.data.columns import Roles
from hybridode.data.table import Table, cell_error, data_error
from hybridode.declarations import Declarations, Parameter, entry_names, group_entry
from hybridode.errors import DataError, Diagnostic, UsageError

Labels = Mapping[str, str]  # column -> label
SERIES = "series"  # `by series`: every series by its name, where the data have no column of this name


def group_entries(p: Parameter, groups: Mapping[str, Sequence[str]]) -> list[tuple[str, str, int]]:
    """(label, name, flat place) of every number of a parameter, group by group; the label is "" without groups."""
    labels = groups.get(p.by, ("",)) if p.by else ("",)
    names = entry_names(p.name, p.shape)
    return [(label, group_entry(n, label) if label else n, i) for label in labels for i, n in enumerate(names)]


def group_names(declarations: Declarations, groups: Mapping[str, Sequence[str]]) -> set[str]:
    """Names of values by group, `k[north]`: of the labels given, and of those that the model has values for."""
    found = set()
    for p in declarations.parameters:
        labels = {*groups.get(p.by, ()), *(label for label, _ in p.groups)} if p.by else ()
        found.update(group_entry(name, label) for name in (p.name, *entry_names(p.name, p.shape)) for label in labels)
    return found


def nameable(declarations: Declarations, groups: Mapping[str, Sequence[str]]) -> set[str]:
    """Everything that `set` and `fix` may name: params, consts and learnt starts, their entries, and their values by group."""
    items = (*declarations.parameters, *declarations.constants)
    return {n for item in items for n in (item.name, *entry_names(item.name, item.shape))} | group_names(declarations, groups)


def said(values: Mapping[str, Any], parameter: str, entry: str, place: int, group: str = "") -> float | None:
    """What `values` say about one entry (of a group), the most particular name first; None if nothing."""
    if group and group_entry(entry, group) in values:
        return float(np.asarray(values[group_entry(entry, group)]).reshape(()))
    if group and group_entry(parameter, group) in values:
        return float(np.ravel(values[group_entry(parameter, group)])[place])
    if entry in values:
        return float(np.asarray(values[entry]).reshape(()))
    if parameter in values:
        found = np.ravel(values[parameter])
        return float(found[place if len(found) > 1 else 0])
    return None


def numbers_of_groups(declarations: Declarations, labels: Labels, values: Mapping[str, Any]) -> dict[str, float]:
    """Entry -> value of everything with values by group, for one choice of labels; `values` are what was set besides.

    What has no label here is left out. Raises DataError E0656 for a label that the model has no value for, where it has others.
    """
    out = {}
    for p in declarations.parameters:
        label = labels.get(p.by) if p.by else None
        if label is None:
            continue
        known = [name for name, _ in p.groups]
        for place, entry in enumerate(entry_names(p.name, p.shape)):
            found = said(values, p.name, entry, place, label)
            if found is None and known and label not in known:
                hint = columns.near_names(label, known) or f"it has values for {columns.listed(known)}; or set `{p.name}`"
                raise DataError(Diagnostic("E0656", f"`{p.name}` has no value for `{label}` of `{p.by}`", p.span, hint))
            out[entry] = p.values_of(label)[place] if found is None else found
    return out


def with_groups(declarations: Declarations, labels: Labels, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` for one choice of labels: values by group have become values of their entries."""
    check_labels(declarations, labels)
    entries = numbers_of_groups(declarations, labels, values)
    names = {p.name for p in declarations.parameters if p.by in labels} | entries.keys()
    names |= group_names(declarations, {column: [label] for column, label in labels.items()})
    return {**entries, **{name: value for name, value in values.items() if name not in names}}


def check_labels(declarations: Declarations, labels: Labels) -> None:
    """Raises UsageError E0657 for a column that nothing in the model goes by."""
    known = columns.group_columns(declarations)
    for column in labels:
        if column not in known:
            hint = columns.near_names(column, known) or (f"it goes by {columns.listed(known)}" if known else "it has no `by`")
            raise UsageError(Diagnostic("E0657", f"nothing in the model has a value per `{column}`", None, hint))


def require_columns(table: Table, declarations: Declarations, roles: Roles, elsewhere: Sequence[str] = ()) -> None:
    """Raises DataError E0654 for a column after `by` that neither the table nor the conditions (`elsewhere`) have."""
    present = {name for _, name in roles.groups} | set(elsewhere) | {SERIES}
    for p in declarations.parameters:
        if p.by and p.by not in present:
            near = columns.near_names(p.by, table.names)
            hint = near or f"the columns are {columns.listed(table.names)}"
            raise data_error(
                "E0654",
                f"`{p.name}` has a value per `{p.by}`, and {table.name} has no column `{p.by}`",
                f"{hint}; map one with `--column {p.by}=NAME`, or give it in a table of conditions",
                p.span,
            )


def labels_of(table: Table, declarations: Declarations, roles: Roles, name: str, rows: np.ndarray) -> dict[str, str]:
    """The labels of one series, which has one in each column. Raises DataError E0655."""
    out = {}
    columns_found = {column for _, column in roles.groups}
    if SERIES in columns.group_columns(declarations) and SERIES not in columns_found:
        out[SERIES] = name or "1"
    for j, column in roles.groups:
        found = {table.rows[i][j]: i for i in reversed(rows.tolist()) if table.rows[i][j]}
        which = f"series `{name}`" if name else "the series"
        if not found:
            raise data_error(
                "E0655",
                f"{table.name}: {which} has no label in column `{table.names[j]}`, which says its group",
                "fill it in on at least one row of each series",
            )
        labels = sorted(found, key=lambda label: found[label])
        if len(labels) > 1:
            message = f"`{labels[1]}` after `{labels[0]}`, but {which} belongs to one group"
            remedy = "a column `experiment` or `id` tells the series apart: give rows of different groups different series"
            raise cell_error(table, "E0655", found[labels[1]], j, message, remedy)
        if '"' in labels[0] or not labels[0].isprintable():
            raise data_error(
                "E0655",
                f"{table.name}: the label `{labels[0]}` in column `{table.names[j]}` has a quote or a character that is not seen",
                "rename it: labels stand in quotes in the fitted model",
            )
        out[column] = labels[0]
    return out


def groups_of(series_labels: Sequence[Labels]) -> dict[str, tuple[str, ...]]:
    """Column -> its labels, in the order of the series."""
    found: dict[str, dict[str, None]] = {}
    for labels in series_labels:
        for column, label in labels.items():
            found.setdefault(column, {})[label] = None
    return {column: tuple(labels) for column, labels in found.items()}


def group_notes(declarations: Declarations, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """What has a value per group, column by column."""
    out = []
    for column, labels in groups.items():
        mine = [p.name for p in declarations.parameters if p.by == column]
        if mine and len(labels) > 1:
            out.append(f"{columns.listed(mine)}: one value per `{column}`, which has {len(labels)}: {columns.listed(labels)}")
    return out


def group_warnings(
    declarations: Declarations, all_groups: Mapping[str, Sequence[str]], groups: Mapping[str, Sequence[str]]
) -> list[Diagnostic]:
    """`all_groups` are those of the file, `groups` those that have an observed value."""
    out = []
    for column, labels in groups.items():
        mine = [p for p in declarations.parameters if p.by == column]
        if not mine:
            continue
        names = columns.listed([p.name for p in mine])
        if len(labels) == 1 and not any(p.groups for p in mine):
            out.append(_warning("W0651", f"{names}: one value per `{column}`, but `{labels[0]}` is the only one in the data",
                                f"without `by {column}` the fit is the same"))  # fmt: skip
        lost = [label for label in all_groups[column] if label not in labels]
        if lost:
            out.append(_warning("W0652", f"{names}: nothing was observed for {columns.listed(lost)} of `{column}`",
                                "no value is learnt for it"))  # fmt: skip
        folded: dict[str, str] = {}
        for label in labels:
            other = folded.setdefault(_folded(label), label)
            if other != label:
                out.append(_warning("W0653", f"column `{column}` has `{other}` and `{label}`: two groups, each with a value of "
                                    f"{names}", "if they are one, write them alike"))  # fmt: skip
        known = dict.fromkeys(label for p in mine for label, _ in p.groups)
        if known:
            out += _about_known(column, names, list(known), labels)
    return out


def _about_known(column: str, names: str, known: Sequence[str], labels: Sequence[str]) -> list[Diagnostic]:
    """What the model has values for and the data lack, and the other way round: often a label written differently."""
    absent = [label for label in known if label not in labels]
    new = [label for label in labels if label not in known]
    out = []
    if new:
        near = columns.near_names(new[0], absent)
        out.append(_warning("W0654", f"{names}: the model has no value for {columns.listed(new)} of `{column}`",
                            near or "it begins at the value that stands for all others"))  # fmt: skip
    if absent:
        out.append(_warning("W0655", f"{names}: the model has values for {columns.listed(absent)} of `{column}`, "
                            f"which the data do not have", "they stay as they are"))  # fmt: skip
    return out


def _folded(label: str) -> str:
    return "".join(label.casefold().split()).replace("_", "").replace("-", "")


def _warning(code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code, message, None, hint, "warning")
