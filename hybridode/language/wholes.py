"""Visitors of the functions that look at whole vectors or at conditions: `sum`, `norm`, `max`, `piecewise`, `interp`, …"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from hybridode.expr import Expr, node
from hybridode.language import syntax as s
from hybridode.language.arguments import argument_values, wrong_count
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.functions import WHOLE
from hybridode.language.operators import choose
from hybridode.language.sums import over_index
from hybridode.language.values import Value, each, matmul, shape_text, total


def _one_vector(name: str, make: Callable[[tuple[Expr, ...]], Expr]) -> Callable[[Elaboration, s.Call, Frame], Visit]:
    def visit(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
        values = yield from argument_values(el, c, name, frame)
        if values is None:
            return None
        if len(values) != 1:
            wrong_count(el, c, f"`{name}` takes one vector", frame, f"write `{WHOLE[name]}` or `{name}([a, b])`")
            return None
        return Value((make(values[0].elements),))

    return visit


def _norm(entries: tuple[Expr, ...]) -> Expr:
    return node("sqrt", (total("add", [node("pow", (e, node("const", (), 2.0))) for e in entries]),))


def _matrix_product(name: str) -> Callable[[Elaboration, s.Call, Frame], Visit]:
    def visit(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
        values = yield from argument_values(el, c, name, frame)
        if values is None:
            return None
        if len(values) != 2:
            wrong_count(el, c, f"`{name}` takes 2 arguments", frame, f"write `{WHOLE[name]}`")
            return None
        flat = name == "matmul" or all(len(v.shape) == 1 for v in values)
        made = matmul(*values) if flat else None
        if made is None:
            left, right = values
            message = f"`{name}` cannot combine {shape_text(left.shape)} and {shape_text(right.shape)}"
            el.error(
                "E0313", message, c, frame, "two vectors of one length" if name == "dot" else "the inner sizes must be equal"
            )
        return made

    return visit


def _extreme(name: str) -> Callable[[Elaboration, s.Call, Frame], Visit]:
    def visit(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
        values = yield from argument_values(el, c, name, frame)
        if values is None:
            return None
        if not values:
            wrong_count(el, c, f"`{name}` takes at least one argument", frame, f"write `{WHOLE[name]}`")
            return None
        if len(values) == 1:
            return Value((total(name, values[0].elements),))
        if el.agree(values, list(c.arguments), f"`{name}`", frame) is None:
            return None
        return each(values, lambda *entries: node(name, entries))

    return visit


def _piecewise(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    values = yield from argument_values(el, c, "piecewise", frame, numeric=False)
    if values is None:
        return None
    if len(values) < 3 or len(values) % 2 == 0:
        hint = "the last argument is the value where no condition holds"
        wrong_count(el, c, "`piecewise` takes pairs of a condition and a value, and a last value", frame, hint)
        return None
    parts = list(zip(values, c.arguments, strict=True))
    result = parts[-1]
    sound = el.is_number(*result, frame)
    for i in range(len(parts) - 3, -1, -2):
        sound = el.is_condition(*parts[i], frame) and el.is_number(*parts[i + 1], frame) and sound
        if not sound:
            continue
        made = choose(el, c, [parts[i], parts[i + 1], result], "`piecewise`", frame)
        if made is None:
            return None
        result = (made, c)
    return result[0] if sound else None


def _interp(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    """Linear between the points, held at both ends."""
    values = yield from argument_values(el, c, "interp", frame)
    if values is None:
        return None
    if len(values) != 3:
        wrong_count(el, c, "`interp` takes 3 arguments", frame, f"write `{WHOLE['interp']}`, or declare a `table`")
        return None
    at, xs, ys = values
    if len(xs.shape) != 1 or xs.shape != ys.shape or xs.shape[0] < 2:
        message = f"`interp` takes two vectors of one length, these are {shape_text(xs.shape)} and {shape_text(ys.shape)}"
        el.error("E0313", message, c, frame, "write `interp(x, [0, 1, 2], [5, 7, 6])`")
        return None
    places = el.constant(xs, c.arguments[1], frame, "a point of `interp`")
    if places is None:
        return None
    if not all(a < b for a, b in pairwise(places)) or not all(map(math.isfinite, places)):
        el.error("E0324", "the points of `interp` must increase", c.arguments[1], frame, "sort them, with their values")
        return None
    return each([at], lambda x: _broken_line(x, xs.elements, ys.elements))


def _broken_line(x: Expr, xs: tuple[Expr, ...], ys: tuple[Expr, ...]) -> Expr:
    result = ys[-1]
    for k in range(len(xs) - 2, -1, -1):
        rise = node("add", (ys[k + 1], node("neg", (ys[k],))))
        run = node("add", (xs[k + 1], node("neg", (xs[k],))))
        along = node("add", (x, node("neg", (xs[k],))))
        line = node("add", (ys[k], node("div", (node("mul", (rise, along)), run))))
        result = node("where", (node("lt", (x, xs[k + 1])), line, result))
    return node("where", (node("le", (x, xs[0])), ys[0], result))


def _or_over_index(
    name: str, visit: Callable[[Elaboration, s.Call, Frame], Visit]
) -> Callable[[Elaboration, s.Call, Frame], Visit | Result]:
    """`sum(v)`, or `sum(j in 1..n, …)` (rule C11)."""

    def choose_form(el: Elaboration, c: s.Call, frame: Frame) -> Visit | Result:
        over = any(isinstance(a, s.Iterator) for a in c.arguments)
        return over_index(el, c, name, frame) if over else visit(el, c, frame)

    return choose_form


WHOLE_VISITORS: dict[str, Callable[[Elaboration, s.Call, Frame], Visit | Result]] = {
    "sum": _or_over_index("sum", _one_vector("sum", lambda entries: total("add", entries))),
    "prod": _or_over_index("prod", _one_vector("prod", lambda entries: total("mul", entries))),
    "norm": _one_vector("norm", _norm),
    "dot": _matrix_product("dot"),
    "matmul": _matrix_product("matmul"),
    "min": _or_over_index("min", _extreme("min")),
    "max": _or_over_index("max", _extreme("max")),
    "piecewise": _piecewise,
    "interp": _interp,
}
