"""Visitors of everything but calls: literals, names, operators, indices, lists, conditionals."""

from __future__ import annotations

import math
from collections.abc import Generator
from itertools import product

from hybridode.declarations import Shape
from hybridode.expr import Expr, const, node, sym
from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.later import refuse
from hybridode.language.names import count
from hybridode.language.scope import CALLABLE, KINDS, PREDECLARED
from hybridode.language.values import (
    MOST_ENTRIES,
    NotConstant,
    Value,
    each,
    evaluate,
    flat_index,
    matmul,
    shape_text,
    spread,
    symbol,
    total,
)
from hybridode.language.walk import base_name

_SYMBOL_KINDS = {"param": "parameter", "const": "constant", "state": "state", "definition": "definition", "input": "input"}


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


# ---- names ----------------------------------------------------------------------------------------------------------
def ref(el: Elaboration, name: s.Ref, frame: Frame) -> Result:
    if name.name in frame.local:
        return frame.local[name.name]
    return read(el, name.name, name, frame)


def read(el: Elaboration, name: str, place: s.Node, frame: Frame) -> Result:
    """The value of a name of the file."""
    scope = el.scope
    entity = scope.find(name)
    if entity is None:
        if name == scope.time:
            return _time(el, place, frame)
        if name in PREDECLARED:
            return Value((const(PREDECLARED[name]),))
        scope.undeclared(name, place, el.findings)
        return None
    scope.used.add(entity.name)
    if entity.kind == "later":
        return None
    if entity.kind in CALLABLE:
        message = f"`{name}` is {KINDS[entity.kind]} and needs its arguments"
        el.error("E0205", message, place, frame, f"write `{name}(…)`", entity.span)
        return None
    if not el.may_read(entity, entity.kind, place, frame) or name not in scope.shapes:
        return None
    kind = "start_input" if entity.kind == "input" and frame.usage.starts else _SYMBOL_KINDS[entity.kind]
    return symbol(kind, name, scope.shapes[name], name in scope.booleans)


def _time(el: Elaboration, place: s.Node, frame: Frame) -> Result:
    if "time" in frame.usage.allowed:
        return Value((sym("time", el.scope.time),))
    hint = frame.usage.remedy or "only numbers and names that do not depend on time may stand here"
    el.error("E0318", f"`{el.scope.time}` is the time and cannot be read in {frame.usage.what}", place, frame, hint)
    return None


def prime(el: Elaboration, derivative: s.Prime, frame: Frame) -> Visit | Result:
    """`x'`, `x[1]'`, `theta''`, `dI/dt`."""
    name = base_name(derivative)
    if not name:
        el.error("E0323", "only states and inputs have a derivative", derivative, frame, "write `x'` or `dx/dt` for a state `x`")
        return None
    primes, indices = unwrap(derivative)
    if name in frame.local:
        el.error("E0323", f"`{name}` is an argument: its derivative is not known here", derivative, frame, "pass the derivative")
        return None
    value = rate_of(el, name, primes, derivative, frame)
    if not indices:
        return value
    return take(el, value, indices, derivative, frame)


def unwrap(node_: s.Node) -> tuple[int, tuple[s.Node, ...]]:
    """Number of primes and the indices of `x''`, `x[1]'` or `x'[1]`."""
    primes, indices = 0, ()
    while isinstance(node_, (s.Prime, s.Index)):
        if isinstance(node_, s.Prime):
            primes += 1
        else:
            indices = (*node_.indices, *indices)
        node_ = node_.operand
    return primes, indices


def rate_of(el: Elaboration, name: str, primes: int, place: s.Node, frame: Frame) -> Result:
    """The value of `x` with primes: a velocity state, the derivative of a state, or of an input."""
    scope = el.scope
    entity = scope.find(name)
    if entity is None:
        undeclared_derivative(el, name, place, frame)
        return None
    scope.used.add(entity.name)
    if entity.kind == "later":
        return None
    if entity.kind == "input":
        return _input_rate(el, name, primes, place, frame)
    if entity.kind != "state":
        hint = "only states and inputs have derivatives"
        if entity.kind == "definition":
            hint = f"write the derivative out, or make `{name}` a state"
        el.error("E0323", f"`{name}` is {KINDS[entity.kind]}: its derivative is not known", place, frame, hint, entity.span)
        return None
    order = scope.orders.get(name)
    if order is None or name not in scope.shapes:
        return None
    if primes > order:
        message = f"the highest derivative of `{name}` with an equation is `{name + chr(39) * order}`"
        el.error("E0323", message, place, frame, f"its right side is the value of `{name + chr(39) * order}`", entity.span)
        return None
    if primes < order:
        if not el.may_read(entity, "state", place, frame):
            return None
        return symbol("state", name + "'" * primes, scope.shapes[name])
    if not el.may_read(entity, "derivative", place, frame):
        return None
    return symbol("derivative", name + "'" * (primes - 1), scope.shapes[name])


def undeclared_derivative(el: Elaboration, name: str, place: s.Node, frame: Frame) -> None:
    """`dose/dt` is read as d(ose)/dt: say so when `dose` is what is declared."""
    written = el.findings.source.text[place.start : place.end]
    whole = el.scope.find("d" + name)
    if whole is not None and not written.endswith("'"):
        message = f"`{written}` is read as the derivative of `{name}`, which is not declared"
        hint = f"the derivative of `d{name}` is `d{name}'` or `dd{name}/d{el.scope.time}`"
        el.error("E0207", message, place, frame, hint, whole.span)
        return
    el.scope.undeclared(name, place, el.findings)


def _input_rate(el: Elaboration, name: str, primes: int, place: s.Node, frame: Frame) -> Result:
    signal = el.inputs.get(name)
    if signal is None or not el.may_read(el.scope.entities[name], "derivative", place, frame):
        return None
    if primes > 1:
        el.error("E0323", f"only the first derivative of the input `{name}` is known", place, frame)
        return None
    if signal.interpolation == "rectilinear":
        refuse(el.findings, "rectilinear", place)
        return None
    if signal.interpolation in ("previous", "next"):
        message = f"`{name}` is held constant between its records: its derivative is 0 with jumps"
        el.error("E0323", message, place, frame, "interpolate it: `interp=linear`, `cubic`, `hermite` or `akima`", signal.span)
        return None
    return symbol("input_rate", name, signal.shape)


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
        hint = "use `*` with a number" if not (left.shape and right.shape) else "the inner sizes must be equal"
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
    if c.operator in ("==", "!=") and not _all_constant(el, left, right):
        hint = "two computed numbers are almost never equal: compare with `<` or `>=`, or `abs(a - b) < 1e-9`"
        el.findings.warn("W0303", f"`{c.operator}` compares real numbers exactly", c, hint)
    op = _COMPARISONS[c.operator]
    return _boolean(each([left, right], lambda a, b: node(op, (a, b))))


def _all_constant(el: Elaboration, *values: Value) -> bool:
    try:
        for value in values:
            for element in value.elements:
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
        el.conditions.append((whole, values[0].elements, frame.usage))
    made = each(values, lambda c, a, b: node("where", (c, a, b)))
    return _boolean(made) if values[1].boolean else made


def list_literal(el: Elaboration, items: s.ListLiteral, frame: Frame) -> Visit:
    if not items.items:
        el.error("E0313", "a list needs entries", items, frame)
        return None
    inner = frame if frame.unit is not None and not frame.outputs else frame.plain()
    values: list[Value] = []
    for item in items.items:
        value = yield item, inner
        if value is not None and el.is_number(value, item, frame):
            values.append(value)
    if len(values) < len(items.items):
        return None
    for value, item in zip(values, items.items, strict=True):
        if value.shape != values[0].shape:
            message = f"the entries of a list are alike: {shape_text(values[0].shape)} and {shape_text(value.shape)}"
            el.error("E0313", message, item, frame)
            return None
    elements: list[Expr] = []
    for value in values:
        elements += value.elements
    return Value(tuple(elements), (len(values), *values[0].shape))


# ---- indices --------------------------------------------------------------------------------------------------------
def index(el: Elaboration, i: s.Index, frame: Frame) -> Visit:
    value = yield i.operand, frame.plain()
    return (yield from take(el, value, i.indices, i, frame))


def take(el: Elaboration, value: Result, indices: tuple[s.Node, ...], place: s.Node, frame: Frame) -> Visit:
    """Entries of a value by 1-based indices and slices."""
    chosen = yield from positions(el, value.shape if value is not None else None, indices, place, frame)
    if value is None or chosen is None:
        return None
    flats, shape = chosen
    return Value(tuple(value.elements[k] for k in flats), shape, value.boolean)


def positions(
    el: Elaboration, shape: tuple[int, ...] | None, indices: tuple[s.Node, ...], place: s.Node, frame: Frame
) -> Generator[tuple[s.Node, Frame], Result, tuple[list[int], Shape] | None]:
    """Flat places and the shape that indices choose from a shape; None after an error (unknown shape: checks names only)."""
    inner = frame.plain()
    ends: list[tuple[int | None, int | None, bool, s.Node]] = []
    for i in indices:
        parts = (i.first, i.last) if isinstance(i, s.Range) else (i,)
        numbers: list[int | None] = []
        for part in parts:
            value = yield part, inner
            numbers.append(el.whole(value, part, inner, "an index"))
        ends.append((numbers[0], numbers[-1], isinstance(i, s.Range), i))
    if shape is None or any(first is None or last is None for first, last, _, _ in ends):
        return None
    name = el.findings.source.text[place.start : indices[0].start].rstrip("[ ")
    if not shape:
        el.error("E0314", f"`{name}` is one number and has no entries", place, frame, f"declare it as a vector: `{name}[3]`")
        return None
    if len(indices) != len(shape):
        message = f"`{name}` is {shape_text(shape)} and takes {count(len(shape), 'index', 'indices')}"
        el.error("E0314", message, place, frame)
        return None
    axes: list[range] = []
    for (first, last, _, i), n in zip(ends, shape, strict=True):
        assert first is not None and last is not None
        if not _inside(el, first, last, n, name, i, frame):
            return None
        axes.append(range(first, last + 1))
    if math.prod(map(len, axes)) > MOST_ENTRIES:
        return None
    kept = tuple(len(axis) for axis, (_, _, is_range, _) in zip(axes, ends, strict=True) if is_range)
    return [flat_index(entry, shape) for entry in product(*axes)], kept


def _inside(el: Elaboration, first: int, last: int, n: int, name: str, place: s.Node, frame: Frame) -> bool:
    if first < 1:
        hint = f"the first entry is `{name}[1]`" if first == 0 else f"the last entry is `{name}[{n}]`"
        el.error("E0314", "indices count from 1", place, frame, hint)
        return False
    if last > n:
        el.error("E0314", f"`{name}` has {count(n, 'entry', 'entries')}, not {last}", place, frame)
        return False
    if last < first:
        el.error("E0314", f"the slice `{first}..{last}` is empty", place, frame)
        return False
    return True
