"""Visitor of `sum(j in 1..n if j != i, …)`, and of `prod`, `min` and `max` over an index."""

from __future__ import annotations

from collections.abc import Sequence

from hybridode.expr import ZERO, Expr, const
from hybridode.language import syntax as s
from hybridode.language.families import Indexed, check_names, indexed, over_members
from hybridode.language.frames import Elaboration, Frame, Result
from hybridode.language.members import Members, NotRolled
from hybridode.language.names import listing
from hybridode.language.values import Value, shape_text, total
from hybridode.rolled import Family, Totals

OVER_INDEX = ("sum", "prod", "min", "max")
_OPERATION = {"sum": "add", "prod": "mul", "min": "min", "max": "max"}
_EMPTY = {"sum": ZERO, "prod": const(1.0)}


def over_index(el: Elaboration, c: s.Call, name: str, frame: Frame) -> Result:
    """The value of `sum(j in …, body)`: excluded terms are never worked out (rules C11, C12)."""
    iterators = [a for a in c.arguments if isinstance(a, s.Iterator)]
    bodies = [a for a in c.arguments if not isinstance(a, s.Iterator)]
    if len(bodies) != 1 or isinstance(c.arguments[-1], s.Iterator) or isinstance(bodies[0], (s.Option, s.Text)):
        hint = f"write `{name}(j in 1..n, x[j])`, with a condition `{name}(j in 1..n if j != i, x[j])`"
        el.error("E0316", f"`{name}` over an index takes its ranges and then one expression", c, frame, hint)
        return None
    body = bodies[0]
    found = indexed(el, iterators, frame.plain())
    if found is None:
        return None
    inner = found.frame(frame.plain())
    if found.members.count == 0:
        check_names(el, body, inner)
    parts = over_members(el, found.members, lambda part: _terms(el, body, inner, part))
    if parts is None or (name not in _EMPTY and not _none_empty(el, c, name, found, frame)):
        return None
    shapes = list(dict.fromkeys(shape for _, (shape, _) in parts))
    if len(shapes) > 1:
        message = f"the terms have different sizes: {listing(map(shape_text, shapes))}"
        el.error("E0313", message, body, frame, "make each term one number")
        return None
    entries = len(parts[0][1][1]) if parts else 1
    elements = [_total(name, found.members, [(k, families[e]) for k, (_, families) in parts], frame) for e in range(entries)]
    return Value(tuple(elements), shapes[0] if shapes else ())


def _terms(el: Elaboration, body: s.Expression, frame: Frame, part: Members) -> tuple[tuple[int, ...], list[Family]] | None:
    inner = frame._replace(family=part)
    value = el.evaluate(body, inner)
    if value is None or not el.is_number(value, body, inner):
        return None
    return value.shape, [part.family(e) for e in value.elements]


def _total(name: str, members: Members, parts: Sequence[tuple[Sequence[int], Family]], frame: Frame) -> Expr:
    outer = frame.family
    if outer is None or outer.count == 1:
        terms: dict[int, Expr] = {}
        for chosen, family in parts:
            terms.update(zip(chosen, family.expand(), strict=True))
        ordered = [terms[k] for k in range(members.count)]
        return total(_OPERATION[name], ordered) if ordered else _EMPTY[name]
    if name != "sum":
        raise NotRolled
    sums: list[Expr] = []
    for chosen, family in parts:
        lengths = [0] * outer.count
        for k in chosen:
            lengths[members.parents[k]] += 1
        sums.append(outer.column(Totals(tuple(lengths), family)))
    return total("add", sums) if sums else ZERO


def _none_empty(el: Elaboration, c: s.Call, name: str, found: Indexed, frame: Frame) -> bool:
    """`min` and `max` of nothing are not numbers."""
    outer = frame.family
    filled = set(found.members.parents) if outer is not None else set(range(min(1, found.members.count)))
    empty = next((k for k in range(1 if outer is None else outer.count) if k not in filled), None)
    if empty is None:
        return True
    where = f" where {outer.where(empty)}" if outer is not None and outer.indices else ""
    el.error("E0330", f"`{name}` is taken over nothing{where}: its range is empty", c, frame, "give it at least one term")
    return False
