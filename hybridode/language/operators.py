"""Visitors of literals, operators, conditionals and lists."""

from __future__ import annotations

from hybridode.expr import Expr, const, node
from hybridode.language import syntax as s
from hybridode.language.families import check_names, settled
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.values import (
    MOST_ENTRIES,
    NotConstant,
    Value,
    each,
    evaluate,
    matmul,
    shape_text,
    spread,
    total,
)


def number(el: Elaboration, literal: s.Number, frame: Frame) -> Result:
    if literal.unit is not None:
        if frame.unit is not None:
            el.literals.in_place(literal, frame.unit, frame.unit_of, el.findings)
        else:
            el.literals.in_expression(literal, el.findings)
    return Value((const(literal.value),))


def text(el: Elaboration, literal: s.Text, frame: Frame) -> Result:
    el.error("E0315", "a text cannot be a value", literal, frame)
    return None


def span_of_indices(el: Elaboration, r: s.Range, frame: Frame) -> Result:
    el.error("E0314", "a range may only stand in an index, `x[1..3]`, or after `for i in`", r, frame)
    return None


# ---- operators ------------------------------------------------------------------------------------------------------
def sign(el: Elaboration, term: s.Sign, frame: Frame) -> Visit:
    if term.operator == "-" and isinstance(term.operand, s.Power) and isinstance(term.operand.base, s.Number) and _bare(el, term):
        base = term.operand.base.text
        hint = f"write `(-{base})^…` if that is meant, else `-({base}^…)`"
        el.findings.warn("W0302", f"`-{base}^…` is the negative of the power", term, hint)
    value = yield term.operand, frame
    if value is None or not el.is_number(value, term.operand, frame):
        return None
    return value if term.operator == "+" else each([value], lambda a: node("neg", (a,)))


def _bare(el: Elaboration, term: s.Sign) -> bool:
    """`-2^2`, not `-(2^2)`: parentheses leave no node, only their place in the text."""
    return "(" not in el.findings.source.text[term.start : term.operand.start + 1]


def chain(el: Elaboration, c: s.Chain, frame: Frame) -> Visit:
    if c.level == "product":
        return _product(el, c, frame)
    return _sum(el, c, frame) if c.level == "sum" else _logic(el, c, frame)


def _sum(el: Elaboration, c: s.Chain, frame: Frame) -> Visit:
    places: list[s.Node] = [c.first, *(e for _, e in c.rest)]
    minus = [False, *(operator == "-" for operator, _ in c.rest)]
    values: list[Value] = []
    sound = True
    for place in places:
        value = yield place, frame
        sound = value is not None and el.is_number(value, place, frame) and sound
        if value is not None:
            values.append(value)
    if not sound:
        return None
    shape = el.agree(values, places, f"`{c.rest[0][0]}`", frame)
    if shape is None:
        return None
    columns = [
        [node("neg", (e,)) for e in spread(v, shape)] if m else spread(v, shape) for v, m in zip(values, minus, strict=True)
    ]
    return Value(tuple(node("add", terms) for terms in zip(*columns, strict=True)), shape)


def _product(el: Elaboration, c: s.Chain, frame: Frame) -> Visit:
    inner = frame.factor()
    places: list[s.Node] = [c.first, *(e for _, e in c.rest)]
    values: list[Value | None] = []
    for place in places:
        value = yield place, inner
        if value is not None and not el.is_number(value, place, inner):
            value = None
        values.append(value)
    if any(v is None for v in values):
        return None
    known = [v for v in values if v is not None]
    _warn_zero_net(el, c, known)
    return _multiply(el, c, places, known, inner)


def _multiply(el: Elaboration, c: s.Chain, places: list[s.Node], values: list[Value], frame: Frame) -> Result:
    """From left to right; neighbouring factors become one n-ary product."""
    factors, factor_places = [values[0]], [places[0]]

    def gathered() -> Value | None:
        if el.agree(factors, factor_places, "`*`", frame) is None:
            return None
        return each(factors, lambda *entries: total("mul", entries))

    for (operator, place), value in zip(c.rest, values[1:], strict=True):
        if operator == "*":
            factors.append(value)
            factor_places.append(place)
            continue
        left = gathered()
        if left is None:
            return None
        made = _divide(el, left, value, c, place, frame) if operator == "/" else _matmul(el, left, value, place, frame)
        if made is None:
            return None
        factors, factor_places = [made], [place]
    return gathered()


def _divide(el: Elaboration, left: Value, right: Value, c: s.Chain, place: s.Node, frame: Frame) -> Result:
    if el.agree([left, right], [c.first, place], "`/`", frame) is None:
        return None
    return each([left, right], lambda a, b: node("div", (a, b)))


def _matmul(el: Elaboration, left: Value, right: Value, place: s.Node, frame: Frame) -> Result:
    made = matmul(left, right)
    if made is None:
        message = f"`@` cannot multiply {shape_text(left.shape)} by {shape_text(right.shape)}"
        hint = "use `*` with a number" if not (left.shape and right.shape) else "the inner sizes must be equal, and not too large"
        el.error("E0313", message, place, frame, hint)
    return made


def _warn_zero_net(el: Elaboration, c: s.Chain, values: list[Value]) -> None:
    """`0*NN(…)`: nothing can be learnt."""
    zero = any(isinstance(p, s.Number) and p.value == 0 for p in (c.first, *(e for o, e in c.rest if o == "*")))
    if zero and any(e.op == "out" for v in values for e in v.elements):
        el.findings.warn(
            "W0501", "a network multiplied by 0 can learn nothing", c, "leave the term out, or give the factor a value"
        )


def _logic(el: Elaboration, c: s.Chain, frame: Frame) -> Visit:
    inner = frame.plain()
    places: list[s.Node] = [c.first, *(e for _, e in c.rest)]
    values: list[Value] = []
    sound = True
    for place in places:
        value = yield place, inner
        sound = value is not None and el.is_condition(value, place, inner) and sound
        if value is not None:
            values.append(value)
    if not sound or el.agree(values, places, f"`{c.level}`", inner) is None:
        return None
    return _boolean(each(values, lambda *entries: node(c.level, entries)))


def _boolean(value: Value) -> Value:
    return Value(value.elements, value.shape, True)


def power(el: Elaboration, p: s.Power, frame: Frame) -> Visit:
    inner = frame.factor()
    base = yield p.base, inner
    exponent = yield p.exponent, inner
    if base is None or exponent is None:
        return None
    if not el.is_number(base, p.base, inner) or not el.is_number(exponent, p.exponent, inner):
        return None
    if el.agree([base, exponent], [p.base, p.exponent], "`^`", inner) is None:
        return None
    return each([base, exponent], lambda a, b: node("pow", (a, b)))


_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def compare(el: Elaboration, c: s.Compare, frame: Frame) -> Visit:
    inner = frame.plain()
    left = yield c.left, inner
    right = yield c.right, inner
    if left is None or right is None:
        return None
    if not el.is_number(left, c.left, inner) or not el.is_number(right, c.right, inner):
        return None
    if el.agree([left, right], [c.left, c.right], f"`{c.operator}`", inner) is None:
        return None
    if c.operator in ("==", "!=") and not _all_constant(el, frame, left, right):
        hint = "two computed numbers are almost never equal: compare with `<` or `>=`, or `abs(a - b) < 1e-9`"
        el.findings.warn("W0303", f"`{c.operator}` compares real numbers exactly", c, hint)
    op = _COMPARISONS[c.operator]
    return _boolean(each([left, right], lambda a, b: node(op, (a, b))))


def _all_constant(el: Elaboration, frame: Frame, *values: Value) -> bool:
    try:
        for value in values:
            for element in value.elements:
                if frame.family is not None:
                    frame.family.numbers(element, el.scope.known)
                else:
                    evaluate(element, el.scope.known)
    except NotConstant:
        return False
    return True


def negation(el: Elaboration, n: s.Not, frame: Frame) -> Visit:
    value = yield n.operand, frame.plain()
    if value is None or not el.is_condition(value, n.operand, frame):
        return None
    return _boolean(each([value], lambda a: node("not", (a,))))


def if_else(el: Elaboration, c: s.IfElse, frame: Frame) -> Visit:
    inner = frame.plain()
    condition = yield c.condition, inner
    if condition is not None and condition.boolean and not condition.shape:
        holds = settled(el, condition.scalar, frame)
        if holds is not None:  # `if i > 1 then x[i-1] else 0`: for i = 1 there is no x[i-1]
            check_names(el, c.otherwise if holds else c.then, frame)
            return (yield c.then if holds else c.otherwise, frame)
    then = yield c.then, frame
    otherwise = yield c.otherwise, frame
    if condition is None or not el.is_condition(condition, c.condition, inner) or then is None or otherwise is None:
        return None
    if then.boolean != otherwise.boolean:
        el.error("E0315", "one branch is a number and the other a condition", c.otherwise, frame, "both branches are of one kind")
        return None
    return choose(el, c, [(condition, c.condition), (then, c.then), (otherwise, c.otherwise)], "`if`", frame)


def choose(el: Elaboration, whole: s.Node, parts: list[tuple[Value, s.Node]], what: str, frame: Frame) -> Result:
    """`where(condition, then, otherwise)` entry by entry; the condition is remembered for the warning about kinks."""
    values = [v for v, _ in parts]
    if el.agree(values, [p for _, p in parts], what, frame) is None:
        return None
    if frame.usage.dynamics:
        family = frame.family
        read = values[0].elements if family is None else tuple(map(family.first, values[0].elements))
        el.conditions.append((whole, read, frame.usage))
    made = each(values, lambda c, a, b: node("where", (c, a, b)))
    return _boolean(made) if values[1].boolean else made


def list_literal(el: Elaboration, items: s.ListLiteral, frame: Frame) -> Visit:
    if not items.items:
        el.error("E0313", "a list needs entries", items, frame, "write `[1, 2]`")
        return None
    inner = frame if frame.unit is not None and not frame.outputs else frame.plain()
    values: list[Value] = []
    for item in items.items:
        value = yield item, inner
        if value is not None and el.is_number(value, item, frame):
            values.append(value)
    if len(values) < len(items.items):
        return None
    if sum(len(value.elements) for value in values) > MOST_ENTRIES:
        el.error("E0313", f"this list has more than {MOST_ENTRIES} entries", items, frame, "use smaller vectors")
        return None
    for value, item in zip(values, items.items, strict=True):
        if value.shape != values[0].shape:
            message = f"the entries of a list are alike: {shape_text(values[0].shape)} and {shape_text(value.shape)}"
            el.error("E0313", message, item, frame, "write each as a number, or each as a list of one length")
            return None
    elements: list[Expr] = []
    for value in values:
        elements += value.elements
    return Value(tuple(elements), (len(values), *values[0].shape))
