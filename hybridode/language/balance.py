"""Equations that have nothing to determine, and unknowns that nothing determines: who they are and where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.declarations import Shape, size
from hybridode.errors import Span
from hybridode.expr import Symbol
from hybridode.language.entries import entries_text
from hybridode.language.findings import Findings, Place
from hybridode.language.incidence import Table, table_of
from hybridode.language.names import count, listing
from hybridode.language.restarts import Model
from hybridode.language.structure import Equations
from hybridode.matching import NONE, columns_in_excess, maximum_matching, rows_in_excess

_MOST_TOLD = 4


Determined = Mapping[tuple[str, int | str], set[str]]


def check(model: Model, equations: Equations, findings: Findings) -> Determined:
    """Reports equations that have nothing to determine and unknowns that nothing determines; warns about missing starts.

    The names of the states and algebraic unknowns that each equation ("equation", number) and each right side ("rate", state)
    determines; nothing for a model without equations that hold together, where each right side determines its own state.
    """
    determined: dict[tuple[str, int | str], set[str]] = {}
    if model.equations or model.algebraics:
        table = table_of(model, collapsed=True)
        matched = maximum_matching(table.reads, len(table.columns), table.first)
        over = rows_in_excess(table.reads, len(table.columns), matched)
        under = columns_in_excess(table.reads, len(table.columns), matched)
        if over or under:
            counts = _counts(model)
            _report_over(table, over, matched, model, equations, findings)
            _report_under(table, under, counts, model, findings)
            return {}
        names = list(table.columns)
        for row, c in zip(table.rows, matched, strict=True):
            determined.setdefault((row.kind, row.owner), set()).add(names[c].name)
        if not _is_solvable_now(model):
            return determined  # some starts follow from the others: which, is known when the equations have been differentiated
    for message, place, hint in equations.unstarted:
        findings.warn("W0301", message, place, hint)
    return determined


def _is_solvable_now(model: Model) -> bool:
    """Whether the equations determine the highest derivatives and the algebraic unknowns from the states, at every instant."""
    table = table_of(model, collapsed=False)
    return NONE not in maximum_matching(table.reads, len(table.columns), table.first)


# ---- what is said ---------------------------------------------------------------------------------------------------
def _counts(model: Model) -> str:
    """`2 equations for 3 unknowns`"""
    unknowns = sum(size(a.shape) for a in model.algebraics) + sum(size(st.shape) for st in model.states if st.implicit)
    return f"{count(sum(len(e.residuals) for e in model.equations), 'equation')} for {count(unknowns, 'unknown')}"


def _shown(x: Symbol, model: Model) -> str:
    """A column as the user knows it: `z`, `x'`, `x''`."""
    if x.kind != "state":
        return str(x)
    order = max(len(st.name) - len(x.name) + 1 for st in model.states if st.name.rstrip("'") == x.name)
    return f"{x}{chr(39) * order}"


def _report_over(
    table: Table, parts: list[list[int]], matched: list[int], model: Model, equations: Equations, findings: Findings
) -> None:
    """Equations with nothing to determine: of those that share too few unknowns the last in the file, as they are matched in its
    order."""
    names = list(table.columns)
    told: set[int] = set()
    for part in parts:
        place = table.rows[part[0]].span
        if place is None or place.start in told:
            continue
        told.add(place.start)
        twice = equations.again.get(place.start)
        if twice is not None:
            notes: list[tuple[Place, str]] = [(twice[1], "first defined here")] if twice[1] is not None else []
            message = f"`{twice[0]}` is defined twice, and the second equation determines nothing else"
            findings.error("E0202", message, place, "every name has one meaning: rename or delete one", notes)
            continue
        notes = _determined(table, [r for r in part if table.rows[r].span != place], matched, names, model)
        message = "over-determined: this equation has nothing to determine"
        hint = "delete it, or one of the lines below; what an equation should determine is declared `alg name = 0`"
        if len(part) == 1:
            message += ", no unknown and no state stands in it"
            hint = "delete it; an equation is `name = …`, `x' = …`, or determines what is declared `alg name = 0`"
        findings.error("E0333", message, place, hint, notes)


def _determined(
    table: Table, rows: Sequence[int], matched: Sequence[int], names: Sequence[Symbol], model: Model
) -> list[tuple[Place, str]]:
    """What other equations determine, line by line."""
    by: dict[int, tuple[Span, dict[str, None]]] = {}
    for r in rows:
        span = table.rows[r].span
        if span is not None and matched[r] != NONE:
            by.setdefault(span.start, (span, {}))[1][_shown(names[matched[r]]._replace(index=-1), model)] = None
    lines = [by[start] for start in sorted(by)]
    notes: list[tuple[Place, str]] = [(span, f"determines {listing(found, most=4)}") for span, found in lines[:_MOST_TOLD]]
    if len(lines) > _MOST_TOLD:
        notes[-1] = (lines[_MOST_TOLD - 1][0], f"and {len(lines) - _MOST_TOLD + 1} more equations take part")
    return notes


def _report_under(table: Table, parts: list[list[int]], counts: str, model: Model, findings: Findings) -> None:
    """Unknowns that nothing determines, one report for each declared name."""
    names = list(table.columns)
    places: dict[tuple[str, str], tuple[Span | None, Shape]] = {}
    places |= {("state", st.name): (st.span, st.shape) for st in model.states}
    places |= {("algebraic", a.name): (a.span, a.shape) for a in model.algebraics}
    unknown = {("algebraic", a.name) for a in model.algebraics} | {
        ("state", s.name.rstrip("'")) for s in model.states if s.implicit
    }
    told: set[tuple[str, str]] = set()
    for part in parts:
        x = names[part[0]]
        if (x.kind, x.name) in told:
            continue
        told.add((x.kind, x.name))
        place, shape = places[x.kind, x.name]
        assert place is not None
        entries = sorted({y.index for q in parts for y in [names[q[0]]] if (y.kind, y.name) == (x.kind, x.name)})
        shown = _shown(x, model)
        if shape and len(entries) == size(shape):
            shown = _shown(x._replace(index=-1), model)
        elif shape and x.kind == "algebraic":
            shown = entries_text(entries, x.name, shape).strip("`")
        free = [names[c] for c in part if (names[c].kind, names[c].name) in unknown]
        readers = _readers(table, {table.columns[y] for y in free}, model)
        if not readers:
            hint = f"write an equation with `{x.name}` in it, or delete the line"
            findings.error("E0332", f"nothing determines `{shown}`: no equation reads it", place, hint)
            continue
        # Several entries of one vector are told by its name.
        others = dict.fromkeys(_shown(y._replace(index=-1), model) for y in free if y.name != x.name)
        message = f"nothing determines `{shown}`" if not others else f"nothing determines one of {listing([shown, *others])}"
        hint = (
            f"one more equation with `{x.name}` in it is needed" if not others else "one more equation with one of them is needed"
        )
        findings.error("E0332", f"{message}: {counts}", place, hint, readers)


def _readers(table: Table, columns: set[int], model: Model) -> list[tuple[Place, str]]:
    """The equations that read some of these unknowns."""
    names = list(table.columns)
    by: dict[int, tuple[Span, dict[str, None]]] = {}
    for row, read in zip(table.rows, table.reads, strict=True):
        if row.span is not None and row.kind == "equation":
            for c in columns.intersection(read):
                by.setdefault(row.span.start, (row.span, {}))[1][_shown(names[c]._replace(index=-1), model)] = None
    lines = [by[start] for start in sorted(by)]
    return [(span, f"reads {listing(sorted(found), most=4)}") for span, found in lines[:_MOST_TOLD]]
