"""What deserves a look in a data file, as warnings: columns that nothing reads, dates without a unit, repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from hybridode.data import cells
from hybridode.data.clock import Clock
from hybridode.data.columns import Roles
from hybridode.data.hints import column_hint, column_option, listed
from hybridode.data.records import Records
from hybridode.data.table import Table
from hybridode.declarations import Declarations, entry_names, size
from hybridode.errors import DataError, Diagnostic


def warning(code: str, message: str, hint: str = "") -> Diagnostic:
    return Diagnostic(code, message, None, hint, "warning")


def unmatched_names(table: Table, roles: Roles, unknown: tuple[str, ...]) -> tuple[str, ...]:
    """The columns (and labels of a long table) that nothing reads."""
    return (*(table.names[j] or f"(unnamed column {j + 1})" for j in roles.unmatched), *unknown)


def about_columns(
    table: Table, declarations: Declarations, roles: Roles, records: Records, unknown: tuple[str, ...]
) -> list[Diagnostic]:
    """Columns that nothing reads, observed columns that are not there (an error if none is, or if it looks misspelt)."""
    unmatched = [table.names[j] for j in roles.unmatched if table.names[j]] + list(unknown)
    present = {k for _, k in roles.observed} if not roles.long else set(np.unique(records.column).tolist())
    missing = [o.column for k, o in enumerate(declarations.observations) if k not in present]
    found = []
    for name in missing:
        near = column_hint(name, unmatched, table.source is None)
        if near or not present:
            what = f"{table.name} has no {_kind(roles)} `{name}`, which the model observes"
            found.append(Diagnostic("E0629", what, None, near or _where_it_may_be(table, roles, name)))
    if found:
        raise DataError(found)
    out = []
    if missing:
        out.append(
            warning("W0623", f"{table.name} has no {_kind(roles)} {listed(missing)}: what the model says about it is not fitted")
        )
    if roles.unmatched or unknown:
        names = unmatched_names(table, roles, unknown)
        out.append(warning("W0621", f"not used by the model: {listed(names)}", "map a column with `--column NAME=COLUMN`"))
    return out


def _kind(roles: Roles) -> str:
    return "value of the observable" if roles.long else "column"


def _where_it_may_be(table: Table, roles: Roles, name: str) -> str:
    """A remedy for an observation without a column of nearly its name: a long table with other headers, or a list."""
    holding = [] if roles.long else [j for j in range(len(table.names)) if table.names[j] and name in table.column(j)]
    if holding:
        label = table.names[holding[0]]
        numeric = [n for j, n in enumerate(table.names) if j != roles.time and n and _holds_numbers(table, j)]
        value = numeric[0] if len(numeric) == 1 else "NAME"
        mapped = " ".join(
            column_option(ours, theirs) for ours, theirs in (("observable", label), ("value", value)) if ours != theirs
        )
        return f"`{label}` holds names of observables, as in a long table: say `{mapped}`"
    if roles.long:
        labels = dict.fromkeys(table.column(roles.long.observable))
        return f"`{table.names[roles.long.observable]}` holds {listed(labels)}; map one with `--column {name}=NAME`"
    return f"the columns are {listed(table.names)}; map it with `--column {name}=NAME`"


def _holds_numbers(table: Table, j: int) -> bool:
    return all(not cells.read_cell(text, table.decimal).problem for text in table.column(j))


def about_dates(table: Table, declarations: Declarations, clock: Clock | None) -> list[Diagnostic]:
    if clock is None or not clock.assumed:
        return []
    what = (
        f"the {'clock times' if clock.clock_only else 'dates'} of {table.name} count {'hours' if clock.unit == 'h' else 'days'}"
    )
    return [
        warning("W0640", f"the model declares no unit of time: {what}", f"declare it: `time {declarations.time}: {clock.unit}`")
    ]


def about_repetitions(table: Table, declarations: Declarations, roles: Roles) -> list[Diagnostic]:
    """Several columns of one observation, and a file whose rows all stand in it more than once."""
    out = []
    for k, observation in enumerate(declarations.observations):
        places = [j for j, number in roles.observed if number == k]
        if len(places) > 1:
            names = listed([table.headers[j].original for j in places])
            out.append(
                warning(
                    "W0641",
                    f"{len(places)} columns are read as replicates of `{observation.column}`: {names}",
                    "rename those that are something else",
                )
            )
    long = roles.long
    if long is not None and any(
        row[long.value] and any(row[j] for j in (long.lower, long.upper) if j is not None) for row in table.rows
    ):
        out.append(
            warning(
                "W0644",
                "`lower` and `upper` beside a value are error bars and are not read",
                "the noise model says how values scatter",
            )
        )
    again = Counter(table.rows)
    if len(table.rows) > 2 and min(again.values()) > 1:
        out.append(
            warning(
                "W0642",
                f"every row of {table.name} stands in it {min(again.values())} times or more: all are counted",
                "remove the copies if they are no replicates",
            )
        )
    return out


def about_starts_given(declarations: Declarations, given: Collection[str], starts: Sequence[float]) -> list[Diagnostic]:
    """A warning where starts `x(0)` in the data hold at first records that are not at time 0, and the model does not say from
    when it is solved. `given`: the entries that the data set."""
    names = sorted(name for name in given if "(0)" in name)
    late = [t for t in starts if t != 0]
    if not names or not late or declarations.time_origin is not None:
        return []
    when = f"{late[0]:g}" if len(starts) == 1 else "its first record"
    hold = "holds" if len(names) == 1 else "hold"
    what = f"{listed(names)} of the data {hold} at {declarations.time} = {when}, where a series begins"
    if len(starts) > 1:
        what += f" ({len(late)} of {len(starts)} begin at another time than 0)"
    t = declarations.time
    hint = f"if it is the value at {t} = 0, write `time {t} from 0` into the model; each series begins at its first row otherwise"
    return [warning("W0648", what, hint)]


def about_weights(declarations: Declarations, count: int) -> list[Diagnostic]:
    """A warning for each trained network with more weights than there are records, and nothing that keeps them small."""
    out = []
    for n in declarations.networks:
        sizes = [n.inputs, *n.hidden, size(n.outputs)]
        weights = sum(a * b + b for a, b in pairwise(sizes))
        if n.freeze or n.reg_l1 or n.reg_l2 or weights <= count:
            continue
        what = f"the network `{n.name}` has {weights} weights, the data {count} values, and no penalty keeps the weights small"
        hint = "it may learn the noise: write `reg=l2(1e-3)` or `hidden=[4]` into it, and look at held-out values (`--hold-out`)"
        out.append(warning("W0649", what, hint))
    return out


def about_amount(declarations: Declarations, given: Collection[str], records: Sequence[Records]) -> list[Diagnostic]:
    """A warning where a model could go through every value, so that the noise is not known. Networks are regularised and do not
    count, nor what has a prior."""
    known = {p.parameter for p in declarations.priors}
    free = [p for p in declarations.parameters if not (p.fixed or p.by or p.name in known)]
    learnt = sum(name not in given for p in free for name in entry_names(p.name, p.shape))
    exact = sum(int(np.sum(r.censored == cells.NONE)) for r in records)
    if exact > learnt:
        return []
    values = f"{exact} value{'' if exact == 1 else 's'}"
    what = f"the data have {values} (limits not counted), and {learnt} numbers are to be learnt"
    return [warning("W0645", what, "fix some (`--fix`), give priors, or add data: such a fit says nothing about the noise")]
