"""Visitors of calls: the language's functions, `func`s (inlined), networks, tables, `x(0)` and `x(t - tau)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from itertools import pairwise

from hybridode.declarations import size
from hybridode.expr import Expr, node
from hybridode.language import syntax as s
from hybridode.language.frames import IN_FUNCTION, Elaboration, Frame, Result, Visit
from hybridode.language.functions import ELEMENTWISE, FOREIGN, NAMES, WHOLE, call_text
from hybridode.language.later import refuse
from hybridode.language.names import count, nearest
from hybridode.language.networks import inline_network
from hybridode.language.operators import choose
from hybridode.language.scope import CALLABLE, KINDS, PREDECLARED, Entity
from hybridode.language.values import Value, each, matmul, shape_text, total
from hybridode.language.walk import mentions

MOST_INLINED = 20_000  # calls of `func`s in one file; a chain of functions that call each other twice doubles at each link
_GRID_FUNCTIONS = {
    "diff": "space",
    "integral": "space",
    "grad": "space",
    "div": "space",
    "laplacian": "space",
    "caputo": "caputo",
}
_DISTRIBUTIONS = frozenset({"normal", "lognormal", "student", "laplace", "poisson", "negbinomial", "bernoulli", "uniform"})
Arguments = Generator[tuple[s.Node, Frame], Result, list[Value] | None]


def call(el: Elaboration, c: s.Call, frame: Frame) -> Visit | Result:
    """A call goes by what its name means; a declared name hides a function of the language."""
    if not isinstance(c.function, s.Ref):
        return _at_time(el, c, frame)
    name = c.function.name
    if name in frame.local:
        el.error("E0205", f"`{name}` is an argument, not a function", c.function, frame, f"to multiply write `{name}*(…)`")
        return None
    entity = el.scope.find(name)
    if entity is not None:
        return _declared(el, c, entity, frame)
    if name == "NN":
        return _inline_net(el, c, frame)
    if name in ELEMENTWISE:
        return _elementwise(el, c, name, frame)
    if name in WHOLE:
        return _WHOLE[name](el, c, frame)
    if name in _GRID_FUNCTIONS:
        refuse(el.findings, _GRID_FUNCTIONS[name], c)
        return None
    return _unknown(el, c, name, frame)


def _declared(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit | Result:
    el.scope.used.add(entity.name)
    if entity.kind == "later":
        return None
    if entity.kind not in CALLABLE:
        return _at_time(el, c, frame)
    if not el.may_read(entity, entity.kind, c.function, frame):
        return None
    if entity.name in ELEMENTWISE or entity.name in WHOLE:
        _warn_hidden(el, c, entity)
    if entity.kind == "func":
        return _inline_function(el, c, entity, frame)
    return _network(el, c, entity, frame) if entity.kind == "nn" else _table(el, c, entity, frame)


def _warn_hidden(el: Elaboration, c: s.Call, entity: Entity) -> None:
    row = ELEMENTWISE.get(entity.name)
    if row is None or len(row.arguments) == len(c.arguments):
        message = f"`{entity.name}` is the one declared in this file, not the language's `{call_text(entity.name)}`"
        related = [(entity.span, "declared here")] if entity.span else []
        el.findings.warn("W0202", message, c.function, "rename it if the language's function is meant", related)


def _unknown(el: Elaboration, c: s.Call, name: str, frame: Frame) -> None:
    if name in el.scope.excused:
        return
    if name == el.scope.time or name in PREDECLARED:
        what = "the time" if name == el.scope.time else "a number"
        el.error("E0205", f"`{name}` is {what}, not a function", c.function, frame, f"to multiply write `{name}*(…)`")
        return
    if name in FOREIGN:
        hint = FOREIGN[name]
    elif name in _DISTRIBUTIONS:
        hint = f"a distribution stands after `~`: `observe y ~ {name}(…)`"
    else:
        callables = [e.name for e in el.scope.of_kind(*CALLABLE)]
        guess = nearest(name, [*callables, *NAMES])
        hint = (
            f"did you mean `{guess}`?" if guess else f"define it: `func {name}(x) = …`, or declare a network: `nn {name}: 1 -> 1`"
        )
    el.error("E0204", f"there is no function `{name}`", c.function, frame, hint)


# ---- arguments ------------------------------------------------------------------------------------------------------
def _arguments(el: Elaboration, c: s.Call, name: str, frame: Frame, numeric: bool = True) -> Arguments:
    """The values of positional arguments; None if one is wrong."""
    inner = frame.plain()
    values: list[Value] = []
    sound = True
    for argument in c.arguments:
        if isinstance(argument, s.Iterator):
            if name in ("sum", "prod", "min", "max"):
                refuse(el.findings, "iterator", argument)
            else:
                el.error("E0316", f"`{name}` takes no `{argument.name} in …`", argument, frame)
            return None
        if isinstance(argument, s.Option):
            el.error("E0316", f"`{name}` has no option `{argument.name}`", argument, frame, f"it is called `{call_text(name)}`")
            sound = False
            continue
        value = yield argument, inner
        if value is None or (numeric and not el.is_number(value, argument, frame)):
            sound = False
        else:
            values.append(value)
    return values if sound else None


def _wrong_count(
    el: Elaboration, c: s.Call, takes: str, frame: Frame, usage: str, code: str = "E0316", at: Entity | None = None
) -> None:
    given = count(len(c.arguments), "is given", "are given")
    el.error(code, f"{takes}, {given}", c, frame, usage, at.span if at else None)


def _elementwise(el: Elaboration, c: s.Call, name: str, frame: Frame) -> Visit:
    row = ELEMENTWISE[name]
    values = yield from _arguments(el, c, name, frame)
    if len(c.arguments) != len(row.arguments):
        if values is not None:
            takes = f"`{name}` takes {count(len(row.arguments), 'argument')}"
            _wrong_count(el, c, takes, frame, f"write `{call_text(name)}`")
        return None
    if values is None or el.agree(values, list(c.arguments), f"`{name}`", frame) is None:
        return None
    return each(values, row.make)


# ---- functions of the file, networks, tables ------------------------------------------------------------------------
def _inline_function(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit:
    values = yield from _arguments(el, c, entity.name, frame, numeric=False)
    function = el.functions.get(entity.name)
    if function is None or values is None:
        return None
    names = [p.text for p in function.parameters]
    if len(values) != len(names):
        takes = f"`{entity.name}` takes {count(len(names), 'argument')}"
        _wrong_count(el, c, takes, frame, f"write `{entity.name}({', '.join(names)})`", at=entity)
        return None
    key = (entity.name, tuple(values), frame.usage.allowed, frame.usage.starts)
    if key in el.inlined:
        return el.inlined[key]
    if len(el.inlined) >= MOST_INLINED:
        message = f"writing out the functions of this file takes more than {MOST_INLINED:,} calls"
        el.findings.error(
            "E0317", message, el.scope.entities[entity.name].span or c, "use intermediates, which are worked out once"
        )
        el.functions.clear()
        return None
    usage = frame.usage._replace(allowed=frame.usage.allowed & IN_FUNCTION, net_stem="", what=f"the function `{entity.name}`")
    local = dict(zip(names, values, strict=True))
    result = yield function.body, Frame(usage, local, frame.call or c)
    el.inlined[key] = result
    return result


def _network(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit:
    for argument in c.arguments:
        if isinstance(argument, s.Option):
            hint = f"write it in the line `nn {entity.name}: …`"
            el.error("E0503", "the options of a named network stand where it is declared", argument, frame, hint, entity.span)
            return None
    values = yield from _arguments(el, c, entity.name, frame)
    net = el.networks.get(entity.name)
    if net is None or values is None:
        return None
    inputs = [e for v in values for e in v.elements]
    if len(inputs) != net.inputs:
        takes = f"the network `{entity.name}` takes {count(net.inputs, 'input')}"
        if len(inputs) == len(c.arguments):
            _wrong_count(el, c, takes, frame, f"it is declared {net.inputs} -> …", "E0501", entity)
        else:
            el.error("E0501", f"{takes}, these are {len(inputs)} (a vector counts as its entries)", c, frame, "", entity.span)
        return None
    return network_value(entity.name, inputs, net.outputs)


def network_value(name: str, inputs: list[Expr], shape: tuple[int, ...]) -> Value:
    """The outputs of a network as a value."""
    net = node("net", inputs, name)
    return Value(tuple(node("out", (net,), k) for k in range(size(shape))), shape)


def _inline_net(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    positional = [a for a in c.arguments if not isinstance(a, s.Option)]
    flags = [a for a in positional if isinstance(a, s.Ref) and a.name in ("positive", "freeze")]
    inputs: list[Expr] = []
    texts: list[tuple[str, tuple[int, ...]]] = []
    sound = True
    for argument in positional:
        if argument in flags:
            continue
        value = yield argument, frame.plain()
        if value is None or not el.is_number(value, argument, frame):
            sound = False
            continue
        inputs += value.elements
        texts.append((el.findings.source.text[argument.start : argument.end], value.shape))
    if not sound:
        return None
    net = inline_network(el, c, len(inputs), texts, frame)
    return None if net is None else network_value(net.name, inputs, net.outputs)


def _table(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit:
    values = yield from _arguments(el, c, entity.name, frame)
    table = el.tables.get(entity.name)
    if table is None or values is None:
        return None
    if len(values) != len(table.arguments):
        takes = f"the table `{entity.name}` takes {count(len(table.arguments), 'argument')}"
        _wrong_count(el, c, takes, frame, f"write `{entity.name}({', '.join(table.arguments)})`", at=entity)
        return None
    if el.agree(values, list(c.arguments), f"`{entity.name}`", frame) is None:
        return None
    return each(values, lambda *arguments: node("table", arguments, entity.name))


# ---- x(0), x(t), x(t - tau) -----------------------------------------------------------------------------------------
_AT_START = {"state": "start", "definition": "start", "input": "start_input", "start_input": "start_input"}


def _at_time(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    """A value that is called like a function of time: its start, itself, or a delay."""
    written = el.findings.source.text[c.function.start : c.function.end]
    value = yield c.function, frame.plain()
    if value is None:
        return None
    kinds = {e.data.kind if e.op == "sym" else "" for e in value.elements}
    kind = kinds.pop() if len(kinds) == 1 else ""
    if kind not in _AT_START:
        _not_callable(el, c, written, frame)
        return None
    argument = c.arguments[0] if len(c.arguments) == 1 else None
    if isinstance(argument, s.Option) or any(isinstance(a, s.Option) for a in c.arguments):
        refuse(el.findings, "delay" if isinstance(argument, s.Option) and argument.name == el.scope.time else "field", c)
        return None
    if isinstance(argument, s.Ref) and argument.name == el.scope.time:
        return value
    if isinstance(argument, s.Number):
        return _start(el, c, argument, value, kind, written, frame)
    if argument is not None and _depends_on_time(el, argument):
        refuse(el.findings, "delay", c)
        return None
    hint = f"`{written}(0)` is its start; to multiply write `{written}*(…)`"
    el.error("E0308", f"`{written}` can only be read at the start or at `{el.scope.time}` minus a delay", c, frame, hint)
    return None


def _start(el: Elaboration, c: s.Call, at: s.Number, value: Value, kind: str, written: str, frame: Frame) -> Result:
    if at.value != 0:
        hint = f"`{written}(0)` is its value at the start; to multiply write `{written}*{at.text}`"
        el.error("E0308", f"only the start can be read: `{written}(0)`, not `{written}({at.text})`", c, frame, hint)
        return None
    el.scope.used.add(written)
    meant = kind if frame.usage.starts else _AT_START[kind]
    if meant == "start":
        el.restarts.append(c)
    return Value(tuple(node("sym", (), e.data._replace(kind=meant)) for e in value.elements), value.shape, value.boolean)


def _not_callable(el: Elaboration, c: s.Call, written: str, frame: Frame) -> None:
    entity = el.scope.find(written)
    if entity is not None:
        message, at = f"`{written}` is {KINDS[entity.kind]}, not a function", entity.span
    else:
        message, at = "this value is not a function", None
    shown = f"`{written}*(…)`" if len(written) < 30 else "a `*`"
    el.error("E0205", message, c.function, frame, f"to multiply write {shown}", at)


def _depends_on_time(el: Elaboration, argument: s.Node) -> bool:
    return any(m.name == el.scope.time for m in mentions(argument))


# ---- functions of whole vectors and of conditions -------------------------------------------------------------------
def _one_vector(name: str, make: Callable[[tuple[Expr, ...]], Expr]) -> Callable[[Elaboration, s.Call, Frame], Visit]:
    def visit(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
        values = yield from _arguments(el, c, name, frame)
        if values is None:
            return None
        if len(values) != 1:
            _wrong_count(el, c, f"`{name}` takes one vector", frame, f"write `{WHOLE[name]}` or `{name}([a, b])`")
            return None
        return Value((make(values[0].elements),))

    return visit


def _norm(entries: tuple[Expr, ...]) -> Expr:
    return node("sqrt", (total("add", [node("pow", (e, node("const", (), 2.0))) for e in entries]),))


def _matrix_product(name: str) -> Callable[[Elaboration, s.Call, Frame], Visit]:
    def visit(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
        values = yield from _arguments(el, c, name, frame)
        if values is None:
            return None
        if len(values) != 2:
            _wrong_count(el, c, f"`{name}` takes 2 arguments", frame, f"write `{WHOLE[name]}`")
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
        values = yield from _arguments(el, c, name, frame)
        if values is None:
            return None
        if not values:
            _wrong_count(el, c, f"`{name}` takes at least one argument", frame, f"write `{WHOLE[name]}`")
            return None
        if len(values) == 1:
            return Value((total(name, values[0].elements),))
        if el.agree(values, list(c.arguments), f"`{name}`", frame) is None:
            return None
        return each(values, lambda *entries: node(name, entries))

    return visit


def _piecewise(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    values = yield from _arguments(el, c, "piecewise", frame, numeric=False)
    if values is None:
        return None
    if len(values) < 3 or len(values) % 2 == 0:
        hint = "the last argument is the value where no condition holds"
        _wrong_count(el, c, "`piecewise` takes pairs of a condition and a value, and a last value", frame, hint)
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
    values = yield from _arguments(el, c, "interp", frame)
    if values is None:
        return None
    if len(values) != 3:
        _wrong_count(el, c, "`interp` takes 3 arguments", frame, f"write `{WHOLE['interp']}`, or declare a `table`")
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
        el.error("E0324", "the points of `interp` must increase", c.arguments[1], frame)
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


_WHOLE: dict[str, Callable[[Elaboration, s.Call, Frame], Visit]] = {
    "sum": _one_vector("sum", lambda entries: total("add", entries)),
    "prod": _one_vector("prod", lambda entries: total("mul", entries)),
    "norm": _one_vector("norm", _norm),
    "dot": _matrix_product("dot"),
    "matmul": _matrix_product("matmul"),
    "min": _extreme("min"),
    "max": _extreme("max"),
    "piecewise": _piecewise,
    "interp": _interp,
}
