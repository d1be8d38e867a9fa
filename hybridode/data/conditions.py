"""Conditions: what holds in an experiment as a whole — its params, consts, starts, constant inputs and groups.

They stand in columns of the data (`W`, `x(0)`), in a table of their own with one row per experiment (`--conditions FILE`), or in
`[conditions.LABEL]` of `fit.toml`. The last two become columns of the data here, so that everything behind reads one form.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hybridode.data import cells, columns
from hybridode.data.evaluate import constant_value
from hybridode.data.table import Header, Table, data_error
from hybridode.declarations import Declarations, Parameter, State, entry_names
from hybridode.errors import DataError, Diagnostic
from hybridode.expr import sym

Rows = Mapping[str, Mapping[str, Any]]  # label of an experiment -> name -> number or label of a group


# ---- a table of conditions --------------------------------------------------------------------------------------------
def with_conditions(table: Table, declarations: Declarations, conditions: Table | None, sections: Rows | None) -> Table:
    """The data with a column for everything that the conditions say. Raises DataError E0658 (a label or name that is not known)
    and E0659 (an experiment without a row, something said twice)."""
    if conditions is not None:
        table = _joined(table, conditions)
    if sections:
        table = _with_sections(table, declarations, sections)
    return table


def _joined(table: Table, conditions: Table) -> Table:
    """A join over the columns that both tables have, which are texts that name the experiment."""
    shared = [(j, table.names.index(name)) for j, name in enumerate(conditions.names) if name in table.names]
    keys = [(j, i) for j, i in shared if _names_experiments(table, i)]
    if not keys:
        raise data_error(
            "E0659",
            f"{conditions.name} and {table.name} have no column in common that names the experiments",
            f"give {conditions.name} a column `experiment` or `id`, or another one of {table.name}, with the labels of the data; "
            f"it has {columns.listed(conditions.names)}",
        )
    twice = [conditions.names[j] for j, i in shared if (j, i) not in keys]
    if twice:
        raise data_error("E0659", f"`{twice[0]}` stands in {table.name} and in {conditions.name}", "keep one of the two")
    rows: dict[tuple[str, ...], int] = {}
    for i, row in enumerate(conditions.rows):
        key = tuple(row[j] for j, _ in keys)
        if key in rows:
            line, before = conditions.lines[i], conditions.lines[rows[key]]
            message = f"{conditions.where(line)}: `{'/'.join(key)}` has a row already, in line {before}"
            raise data_error("E0659", message, "keep one row per experiment", conditions.place(line))
        rows[key] = i
    added = [j for j in range(len(conditions.names)) if j not in {j for j, _ in keys}]
    _check_numbers(conditions, added)
    cells_of = []
    for i, row in enumerate(table.rows):
        key = tuple(row[k] for _, k in keys)
        if key not in rows:
            labels = ["/".join(k) for k in rows]
            hint = columns.near_names("/".join(key), labels) or f"it has rows for {columns.listed(labels)}"
            where = table.where(table.lines[i])
            raise data_error("E0659", f"{where}: {conditions.name} has no row for `{'/'.join(key)}`", hint)
        cells_of.append([_cell(conditions, table, conditions.rows[rows[key]][j]) for j in added])
    headers = [conditions.headers[j] for j in added]
    return _with_columns(table, headers, cells_of, tuple(table.names[i] for _, i in keys))


def _cell(conditions: Table, table: Table, text: str) -> str:
    """A cell with the decimal mark of the data."""
    if conditions.decimal == table.decimal or not cells.is_number(text):
        return text
    return text.replace(conditions.decimal, table.decimal)


def _names_experiments(table: Table, i: int) -> bool:
    """A series column, or one with texts: numbers that both tables have are no names."""
    if table.names[i].lower() in columns.SERIES_COLUMNS:
        return True
    return any(text and not cells.is_number(text) for text in table.column(i))


def _check_numbers(conditions: Table, added: Sequence[int]) -> None:
    """A cell that is no number stands in a column of labels, or it is wrong: told here, where its place is known."""
    for j in added:
        texts = [text for text in conditions.column(j) if text and text.lower() not in cells.MISSING]
        wrong = [text for text in texts if cells.read_cell(text, conditions.decimal).problem]
        if wrong and len(wrong) < len(texts):
            i = next(i for i, row in enumerate(conditions.rows) if row[j] == wrong[0])
            where = conditions.where(conditions.lines[i], conditions.names[j])
            place = conditions.place(conditions.lines[i], conditions.headers[j].position)
            raise data_error("E0626", f"{where}: `{wrong[0]}` is no number", "write a number, or leave the cell empty", place)


def _with_columns(table: Table, headers: Sequence[Header], rows: Sequence[Sequence[str]], keys: tuple[str, ...]) -> Table:
    width = len(table.headers)
    moved = [replace(h, position=width + k) for k, h in enumerate(headers)]
    return replace(
        table,
        headers=(*table.headers, *moved),
        rows=tuple((*old, *new) for old, new in zip(table.rows, rows, strict=True)),
        optional=table.optional | {h.name for h in headers},
        splitting=(*table.splitting, *keys),
    )


# ---- sections of fit.toml ---------------------------------------------------------------------------------------------
def _with_sections(table: Table, declarations: Declarations, sections: Rows) -> Table:
    known = [*settable(declarations), *columns.group_columns(declarations)]
    names = list(dict.fromkeys(name for values in sections.values() for name in values))
    for label, values in sections.items():
        for name, value in values.items():
            if name not in known:
                hint = columns.near_names(name, known) or f"it can set {columns.listed(known)}"
                raise data_error("E0658", f"conditions of `{label}`: the model has nothing called `{name}`", hint)
            if isinstance(value, str) != (name in columns.group_columns(declarations)):
                kind = "a number" if isinstance(value, str) else "a group"
                remedy = "write a number, or in quotes the label of a group"
                raise data_error("E0658", f"conditions of `{label}`: `{name}` is {kind}", remedy)
    twice = [name for name in names if name in table.names]
    if twice:
        raise data_error("E0659", f"`{twice[0]}` stands in {table.name} and in the conditions", "keep one of the two")
    mine = [_section_of(table, row, sections) for row in table.rows]
    unused = [label for label in sections if label not in mine]
    if unused:
        there = list(dict.fromkeys(label for row in table.rows for label in _labels(table, row)))
        hint = columns.near_names(unused[0], there) or f"its experiments are {columns.listed(there) or 'not named'}"
        raise data_error("E0658", f"{table.name} has no experiment `{unused[0]}`", hint)
    rows = [[_text(sections[label].get(name)) if label else "" for name in names] for label in mine]
    return _with_columns(table, [Header(name, "", 0) for name in names], rows, ())


def _labels(table: Table, row: Sequence[str]) -> list[str]:
    """The names by which a row's experiment can be called: all its labels together, and each."""
    own = [row[j] for j, name in enumerate(table.names) if name.lower() in columns.SERIES_COLUMNS or name in table.splitting]
    return list(dict.fromkeys(["/".join(own), *own])) if own else []


def _section_of(table: Table, row: Sequence[str], sections: Rows) -> str:
    return next((label for label in _labels(table, row) if label in sections), "")


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(float(value))


def settable(declarations: Declarations) -> tuple[str, ...]:
    """Names of what a condition can set: entries of params and consts, starts, inputs that are read from the data."""
    items = (*declarations.parameters, *declarations.constants)
    names = [n for item in items for n in entry_names(item.name, item.shape)]
    names += [n for s in declarations.states for n in entry_names(f"{s.name}(0)", s.shape)]
    names += [column for signal in declarations.inputs for source, column in signal.columns if source == "data"]
    return tuple(dict.fromkeys(names))


# ---- starts that a column sets ----------------------------------------------------------------------------------------
def with_given_starts(table: Table, declarations: Declarations, also: Collection[str] = ()) -> Declarations:
    """Starts that a column `x(0)` sets, and those in `also`, become parameters, which the column then gives to each series;
    learnt ones are already."""
    known = {p.name for p in declarations.parameters}
    made: list[Parameter] = []
    states: list[State] = []
    for state in declarations.states:
        name = f"{state.name}(0)"
        entries = entry_names(name, state.shape)
        given = [entry in table.names or entry in also for entry in entries]
        if name in known or not any(given):
            states.append(state)
            continue
        if state.name in declarations.starts_read:
            message = f"`{name}` is read in the dynamics, and a column sets it"
            own = f"{state.name}0"
            hint = f"make it a number of its own: `const {own} = …` with `{name} = {own}`, and call the column `{own}`"
            raise DataError(Diagnostic("E0659", message, state.span, hint))
        values = []
        for entry, here, start in zip(entries, given, state.start, strict=True):
            value = constant_value(start, columns.symbols_of_constants(declarations))
            whole = entry in table.names and not (entry in table.optional and "" in table.column(table.names.index(entry)))
            if here and value is None and not whole:
                message = f"the conditions set `{entry}` in some experiments, and the model computes it in the others"
                raise DataError(Diagnostic("E0659", message, state.span, "give it to every experiment"))
            values.append(0.0 if value is None else value)
        place = range(len(entries))
        symbols = [sym("parameter", name, i if state.shape else -1) for i in place]
        start = tuple(symbols[i] if given[i] else state.start[i] for i in place)
        states.append(replace(state, start=start, start_given="learnt"))
        made.append(Parameter(name, tuple(values), state.shape, state.unit, fixed=True, span=state.span, start_of=state.name))
    if not made:
        return declarations
    return replace(declarations, states=tuple(states), parameters=(*declarations.parameters, *made))
