"""What is said of relations that do not determine their unknowns, in the user's terms and with all lines concerned."""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.equations.dae.relations import Relation, Unreduced, lines
from hybridode.errors import Diagnostic, Span
from hybridode.expr import Expr, Symbol
from hybridode.matching import Rows, columns_in_excess, rows_in_excess

_MOST_NAMES, _MOST_PLACES = 6, 8


def names(symbols: Sequence[Symbol], model: Unreduced) -> str:
    """`x'`, `z[2]` and `y`"""
    told = [f"`{model.name(s)}`" for s in dict.fromkeys(symbols)]
    if len(told) > _MOST_NAMES:
        told = [*told[: _MOST_NAMES - 1], f"{len(told) - _MOST_NAMES + 1} others"]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def wrong_count(
    relations: Sequence[Relation], unknowns: Sequence[tuple[Symbol, Symbol]], rows: Rows, matched: Sequence[int], model: Unreduced
) -> list[Diagnostic]:
    """Relations with too few unknowns and unknowns with too few relations. `unknowns`: highest and lowest derivative of each
    quantity; `rows`: which of them each relation reads; `matched`: a largest matching."""
    found = []
    for part in rows_in_excess(rows, len(unknowns), matched):
        few = [unknowns[c][0] for c in sorted({c for r in part for c in rows[r]})]
        found.append(_too_many([relations[r] for r in part], few, model))
    for part in columns_in_excess(rows, len(unknowns), matched):
        free = [unknowns[c][0] for c in part]
        hint = "one more equation is needed" + f" that reads {names(free, model)}" * (len(free) > 1)
        place = model.declared.get(unknowns[part[0]][1])
        found.append(Diagnostic("E0361", f"nothing determines {names(free[:1], model)}", place, hint))
    return found


def _too_many(relations: Sequence[Relation], unknowns: Sequence[Symbol], model: Unreduced) -> Diagnostic:
    spans = _spans(relations)
    if not unknowns:
        message = f"the equation of {lines(spans)} has no unknown to determine"
    else:
        these = f"these {len(relations)} equations ({lines(spans)})"
        only = f"only {len(unknowns)} unknown{'s' * (len(unknowns) > 1)}, {names(unknowns, model)},"
        message = f"{these} have {only} to determine"
    hint = "delete one, or declare what it determines"
    return Diagnostic("E0361", message, spans[0] if spans else None, hint, related=_also(spans))


def dependent_relations(relations: Sequence[Relation], unknowns: Sequence[Symbol], model: Unreduced) -> Diagnostic:
    """Of relations that say the same of their unknowns (or contradict each other)."""
    spans = _spans(relations)
    what = f"the equations of {lines(spans)}" if len({s.line for s in spans}) > 1 else f"the equation of {lines(spans)}"
    verb = "do" if what.startswith("the equations") else "does"
    message = f"{what} {verb} not determine {names(unknowns, model)}: they say the same of them, or contradict each other"
    hint = "replace one of them by an equation that says something new"
    return Diagnostic("E0360", message, spans[0] if spans else None, hint, related=_also(spans))


def twice(leaf: Expr, relation: Relation, model: Unreduced) -> Diagnostic:
    """Of an equation whose derivative needs what has none."""
    where = f"the equation of {lines(relation.spans)} has to be differentiated"
    if leaf.op == "sym":
        name = model.name(leaf.data._replace(kind="input"))
        what = f"but the input `{name}` in it jumps"
        hint = "choose `interp=linear` or `cubic`"
        if leaf.data.kind == "input_rate":
            what, hint = f"but `{name}'` has no derivative", "write the signal as an expression of the time, or as a state"
        return Diagnostic("E0362", f"{where}, {what}", relation.span, hint)
    message = f"{where} twice, but the slope of the table `{leaf.data[0]}` in it jumps"
    return Diagnostic("E0363", message, relation.span, "choose `interp=cubic` for the table")


def _spans(relations: Sequence[Relation]) -> list[Span]:
    return sorted(dict.fromkeys(s for r in relations for s in r.spans), key=lambda s: s.start)


def _also(spans: Sequence[Span]) -> tuple[tuple[Span, str], ...]:
    return tuple((s, "takes part") for s in spans[1:_MOST_PLACES])
