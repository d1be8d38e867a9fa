"""Which column of a data file plays which part in a model: time, series, observed, covariate, input, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hybridode.data import cells, dates
from hybridode.data.hints import column_hint, column_option, listed, near_names
from hybridode.data.problems import Problems
from hybridode.data.table import Table, data_error
from hybridode.declarations import Algebraic, Declarations, Observation, Parameter, State, entry_names
from hybridode.errors import Diagnostic
from hybridode.expr import Symbol, sym

LIMIT_COLUMNS = ("lower", "upper", "censored")  # of a long table
UNIT_COLUMNS = ("unit", "units")
SERIES_COLUMNS = ("experiment", "id")
NAMES_OF_DATES = ("date", "datetime", "timestamp")  # of a time column, when it holds dates
DOSE_COLUMNS = ("AMT", "RATE", "DUR", "II", "ADDL", "CMT", "EVID", "SS", "MDV")  # in any case, of models with a `dose` statement


@dataclass(frozen=True)
class LongForm:
    """`observable, time, value`: the places of the columns that replace one column per observable. `lower`, `upper` and
    `censored` are those of limits, where they are there, `unit` that of each row's unit."""

    observable: int
    value: int
    lower: int | None = None
    upper: int | None = None
    censored: int | None = None
    unit: int | None = None

    @property
    def places(self) -> tuple[int, ...]:
        """All of them."""
        found = (self.observable, self.value, self.lower, self.upper, self.censored, self.unit)
        return tuple(j for j in found if j is not None)


@dataclass(frozen=True)
class Roles:
    """Places (in `table.headers`) of the columns that the model uses; `observed` pairs them with observation numbers.

    `covariates`: (place, name of the param or const, flat entry). `inputs`: (place, input, flat entry). `doses`: places of the
    dosing columns by their names in capitals. `groups`: (place, name after `by`).
    """

    time: int
    series: tuple[int, ...]
    observed: tuple[tuple[int, int], ...]
    long: LongForm | None
    covariates: tuple[tuple[int, str, int], ...]
    inputs: tuple[tuple[int, str, int], ...]
    unmatched: tuple[int, ...]
    doses: Mapping[str, int] = field(default_factory=dict)
    groups: tuple[tuple[int, str], ...] = ()


def names_of_time(declarations: Declarations) -> tuple[str, ...]:
    """Names under which the time column is looked for, best first (compared without case)."""
    return tuple(dict.fromkeys((declarations.time, "time", "t")))


def rename(table: Table, declarations: Declarations, columns: Mapping[str, str]) -> tuple[Table, dict[str, str]]:
    """Applies `--column model=File`; returns the table and, for long tables, the labels to rename (file -> model)."""
    known = [
        *names_of_time(declarations),
        *(o.column for o in declarations.observations),
        *_numbered(declarations),
        *(n for q in _quantities(declarations) for n in entry_names(q.name, q.shape)),
        *SERIES_COLUMNS,
        *group_columns(declarations),
        *(n for s in declarations.states for n in entry_names(f"{s.name}(0)", s.shape)),
        "observable",
        "value",
        *(c for i in declarations.inputs for s, c in i.columns if s == "data"),
        *(DOSE_COLUMNS if declarations.doses else ()),
    ]
    new: dict[int, str] = {}
    labels: dict[str, str] = {}
    long_names = {table.names.index(columns[n]): n for n in ("observable", "value") if columns.get(n) in table.names}
    long = find_long(table.renamed(long_names), declarations)
    present = set(table.column(long.observable)) if long else set()
    for ours, theirs in columns.items():
        if ours not in known:
            raise data_error(
                "E0634",
                f"--column {ours}={theirs}: the model reads no column `{ours}`",
                near_names(ours, known) or f"it can read {listed(dict.fromkeys(known))}",
            )
        if theirs in table.names:
            new[table.names.index(theirs)] = ours
        elif theirs in present:
            labels[theirs] = ours
        else:
            raise data_error(
                "E0634",
                f"--column {ours}={theirs}: {table.name} has no column `{theirs}`",
                near_names(theirs, table.names) or f"its columns are {listed(table.names)}",
            )
    hidden = {
        j: f"{h.name} (replaced by --column)" for j, h in enumerate(table.headers) if h.name in new.values() and j not in new
    }
    return table.renamed({**hidden, **new}), labels


def _numbered(declarations: Declarations) -> dict[str, tuple[str, int]]:
    """Column name -> (param or const, flat entry) for everything that a column can set per series."""
    found = {}
    for item in (*declarations.parameters, *declarations.constants):
        for i, name in enumerate(entry_names(item.name, item.shape)):
            found[name] = (item.name, i)
    return found


def group_columns(declarations: Declarations) -> tuple[str, ...]:
    """The names after `by`, each once."""
    return tuple(dict.fromkeys(p.by for p in declarations.parameters if p.by))


def _places_of_groups(table: Table, declarations: Declarations) -> dict[int, str]:
    """Place of a column -> the name after `by` that means it: the same name, else the only one that differs by case."""
    found = {}
    for wanted in group_columns(declarations):
        exact = [j for j, name in enumerate(table.names) if name == wanted]
        loose = [j for j, name in enumerate(table.names) if name.lower() == wanted.lower()]
        if exact or len(loose) == 1:
            found[(exact or loose)[0]] = wanted
    return found


def entry_of(declarations: Declarations, name: str, entry: int) -> str:
    """The name of one entry of a param or const: `k`, `k[2]`, `x(0)`."""
    item = next(i for i in (*declarations.parameters, *declarations.constants) if i.name == name)
    return entry_names(item.name, item.shape)[entry]


def _quantities(declarations: Declarations) -> tuple[State | Algebraic, ...]:
    """What changes in time and has a name of its own: a column named like one of them holds its values."""
    return (*declarations.states, *declarations.algebraics)


def holds_dates(table: Table, j: int) -> bool:
    """Whether a cell of a column looks like a date or a clock time."""
    return any(dates.written(text) is not None for text in table.column(j))


def find_long(table: Table, declarations: Declarations) -> LongForm | None:
    lower = [n.lower() for n in table.names]
    own = {o.column for o in declarations.observations} | {q.name for q in _quantities(declarations)}
    own |= set(_numbered(declarations))
    if lower.count("observable") == 1 and lower.count("value") == 1 and not {"observable", "value"} & own:
        limits = {n: lower.index(n) if lower.count(n) == 1 and n not in own else None for n in LIMIT_COLUMNS}
        units = [j for j, n in enumerate(lower) if n in UNIT_COLUMNS and n not in own]
        unit = units[0] if len(units) == 1 else None
        return LongForm(lower.index("observable"), lower.index("value"), **limits, unit=unit)
    return None


def assign(table: Table, declarations: Declarations, problems: Problems | None = None) -> Roles:
    """The part of each column. An observation may have several columns: replicates. Raises DataError for no time column, doubled
    columns and those that inputs lack; the last two are kept in `problems` where it is given."""
    time = _time_column(table, declarations)
    long = find_long(table, declarations)
    observed = {} if long else {o.column: k for k, o in enumerate(declarations.observations)}
    numbered = _numbered(declarations)
    inputs: dict[str, list[tuple[str, int]]] = {}
    for signal in declarations.inputs:
        for entry, (source, column) in enumerate(signal.columns):
            if source == "data":
                inputs.setdefault(column, []).append((signal.name, entry))
    used: dict[str, list[int]] = {}
    groups = _places_of_groups(table, declarations)
    roles = Roles(time, (), (), long, (), (), ())
    for j, name in enumerate(table.names):
        special = j == time or (long is not None and j in long.places)
        is_series = name.lower() in SERIES_COLUMNS and name not in observed and name not in numbered
        if special:
            used.setdefault(name, []).append(j)
            continue
        if is_series:
            roles = replace(roles, series=(*roles.series, j))
        base = replicated(name, table.names, observed)
        if base in observed:
            roles = replace(roles, observed=(*roles.observed, (j, observed[base])))
        elif name in numbered:
            roles = replace(roles, covariates=(*roles.covariates, (j, *numbered[name])))
        for signal, entry in inputs.get(name, ()):
            roles = replace(roles, inputs=(*roles.inputs, (j, signal, entry)))
        if j in groups:
            roles = replace(roles, groups=(*roles.groups, (j, groups[j])))
        if is_series or base in observed or name in numbered or name in inputs or j in groups or name in table.splitting:
            used.setdefault(name, []).append(j)
        elif declarations.doses and name.upper() in DOSE_COLUMNS:
            roles = replace(roles, doses={**roles.doses, name.upper(): j})
            used.setdefault(name.upper(), []).append(j)
        else:
            roles = replace(roles, unmatched=(*roles.unmatched, j))
    if not roles.series:  # nothing else tells the series apart, and a series belongs to one group
        keys = [table.names.index(name) for name in table.splitting]
        roles = replace(roles, series=tuple(keys or (j for j, _ in roles.groups)))
    found = _doubled(table, used, observed) + _missing_inputs(table, inputs, used)
    problems, given = problems or Problems(table), problems is not None
    for problem in found:
        problems.add(problem)
    if not given:
        problems.raise_if_any()
    return roles


def _time_column(table: Table, declarations: Declarations) -> int:
    taken = {o.column for o in declarations.observations} | {q.name for q in _quantities(declarations)}
    taken |= set(_numbered(declarations))
    for wanted in names_of_time(declarations):
        exact = [j for j, n in enumerate(table.names) if n == wanted and (n not in taken or n == declarations.time)]
        loose = [j for j, n in enumerate(table.names) if n.lower() == wanted.lower() and n not in taken]
        for found in (exact, loose):
            if len(found) == 1:
                return found[0]
            if found:
                what = f"{table.name} has {len(found)} columns `{table.names[found[0]]}`"
                raise data_error(
                    "E0624", what, "keep one of them", table.place(table.header_line, table.headers[found[1]].position)
                )
    dated = [j for j, n in enumerate(table.names) if n.lower() in NAMES_OF_DATES and n not in taken and holds_dates(table, j)]
    if len(dated) == 1:
        return dated[0]
    time = declarations.time
    named = next((hint for name in names_of_time(declarations) if (hint := column_hint(name, table.names)) and " [" in hint), "")
    guess = _increasing(table, {o.column for o in declarations.observations})
    remedy = named or (
        f"if it is `{guess}`, say `{column_option(time, guess, table.source is None)}`"
        if guess
        else f"name it `{time}`, or say `--column {time}=NAME`; the columns are {listed(table.names)}"
    )
    raise data_error("E0625", f"{table.name} has no time column (`{'`, `'.join(names_of_time(declarations))}`)", remedy)


def _increasing(table: Table, observed: Collection[str]) -> str:
    """The first column of dates, or of numbers that never fall, with something that rises, of those that are not `observed`:
    probably the time."""
    for j, name in enumerate(table.names):
        if name in observed:
            continue
        values = [cells.read_cell(t, table.decimal) for t in table.column(j)]
        numbers = [c.value for c in values]
        if name and all(dates.written(t) for t in table.column(j)):
            return name
        if name and not any(c.problem or c.censored for c in values) and all(a <= b for a, b in pairwise(numbers)):
            if numbers[0] < numbers[-1]:
                return name
    return ""


def replicated(name: str, names: Sequence[str], observed: Collection[str]) -> str:
    """The name without the count that pandas gives to columns of one name: `x.1` beside `x` is another `x`."""
    base, _, count = name.rpartition(".")
    return base if name not in observed and count.isdecimal() and base in observed and base in names else name


def _doubled(table: Table, used: Mapping[str, Sequence[int]], observed: Collection[str]) -> list[Diagnostic]:
    """Columns of one name, unless they hold different values of one observation."""
    found = []
    for name, places in used.items():
        same = len({table.column(j) for j in places}) < len(places)
        if len(places) > 1 and (same or name not in observed):
            which = listed([str(table.headers[j].position + 1) for j in places], "")
            found.append(
                Diagnostic(
                    "E0624",
                    f"{table.name} has {len(places)} columns `{name}`{' with the same values' if same else ''}",
                    table.place(table.header_line, table.headers[places[1]].position),
                    f"rename or remove all but one (they are columns {which})",
                )
            )
    return found


def _missing_inputs(
    table: Table, inputs: Mapping[str, Sequence[tuple[str, int]]], used: Mapping[str, Sequence[int]]
) -> list[Diagnostic]:
    return [
        Diagnostic(
            "E0632",
            f"{table.name} has no column `{column}`, which the input `{readers[0][0]}` reads",
            None,
            near_names(column, table.names) or f"its columns are {listed(table.names)}",
        )
        for column, readers in inputs.items()
        if column not in used
    ]


def infer_observations(
    table: Table, declarations: Declarations, spread: Mapping[str, float], labels: Sequence[str] = ()
) -> Declarations:
    """With no `observe`: columns (or `labels` of a long table) named as states or algebraic unknowns get normal noise; its `sd_x`
    is estimated.

    `spread` maps column names to the standard deviation of their values, which sets where the estimate starts.
    """
    taken = (
        {p.name for p in declarations.parameters}
        | {c.name for c in declarations.constants}
        | {q.name for q in _quantities(declarations)}
    )
    taken |= (
        {d.name for d in declarations.definitions}
        | {n.name for n in declarations.networks}
        | {i.name for i in declarations.inputs}
    )
    quantities = _quantities(declarations)
    entries = {n: (q, i if q.shape else -1) for q in quantities for i, n in enumerate(entry_names(q.name, q.shape))}
    observations, parameters = [], []
    for name in dict.fromkeys(labels or table.names):
        if name not in entries:
            continue
        quantity, i = entries[name]
        sd = "sd_" + "".join(c if c.isalnum() else "_" for c in name.replace("'", "_rate")).strip("_")
        while sd in taken:
            sd += "_"
        taken.add(sd)
        size = spread.get(name, 0.0)
        parameters.append(
            Parameter(
                sd,
                (0.1 * size if size > 0 else 1.0,),
                unit=quantity.unit,
                lower=0.0,
                scale="log",
                doc=f"standard deviation of the noise of {name}",
            )
        )
        mean = sym("algebraic" if isinstance(quantity, Algebraic) else "state", quantity.name, i)
        observations.append(
            Observation(name, "normal", (("mean", mean), ("sd", sym("parameter", sd))), unit=quantity.unit, inferred=True)
        )
    if not observations:
        names = list(labels or table.names)
        near = next((hint for name in entries if (hint := column_hint(name, names, table.source is None))), "")
        raise data_error(
            "E0629",
            f"the model has no `observe`, and no {'observable' if labels else 'column'} of {table.name} is named like a state",
            (near or f"the states are {listed(entries)}; map a column with `--column {next(iter(entries), 'x')}=NAME`")
            + ", or write `observe NAME ~ normal(x, sd)`",
        )
    return replace(declarations, parameters=(*declarations.parameters, *parameters), observations=tuple(observations))


def symbols_of_constants(declarations: Declarations) -> dict[Symbol, float]:
    """Every constant's entries as symbols with their declared numbers."""
    return {Symbol("constant", c.name, i if c.shape else -1): v for c in declarations.constants for i, v in enumerate(c.values)}
