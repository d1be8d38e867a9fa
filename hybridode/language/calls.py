"""Visitors of calls: the language's functions, `func`s (inlined), networks, tables, `x(0)` and `x(t - tau)`."""

from __future__ import annotations

from hybridode.declarations import size
from hybridode.expr import Expr, node
from hybridode.language import syntax as s
from hybridode.language.arguments import argument_values, wrong_count
from hybridode.language.at_time import at_time
from hybridode.language.frames import IN_FUNCTION, Elaboration, Frame, Result, Visit
from hybridode.language.functions import ELEMENTWISE, FOREIGN, NAMES, WHOLE, call_text
from hybridode.language.later import refuse
from hybridode.language.names import count, nearest
from hybridode.language.networks import inline_network
from hybridode.language.scope import CALLABLE, PREDECLARED, Entity
from hybridode.language.values import Value, each
from hybridode.language.wholes import WHOLE_VISITORS

MOST_INLINED = 20_000  # calls of `func`s in one file; a chain of functions that call each other twice doubles at each link
_GRID_FUNCTIONS = {
    "diff": "space",
    "integral": "space",
    "grad": "space",
    "div": "space",
    "laplacian": "space",
    "caputo": "caputo",
}
_DISTRIBUTIONS = frozenset(
    {"normal", "lognormal", "student", "laplace", "poisson", "negbinomial", "bernoulli", "categorical", "uniform"}
)


def call(el: Elaboration, c: s.Call, frame: Frame) -> Visit | Result:
    """A call goes by what its name means; a declared name hides a function of the language."""
    if not isinstance(c.function, s.Ref):
        return at_time(el, c, frame)
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
        return WHOLE_VISITORS[name](el, c, frame)
    if name in _GRID_FUNCTIONS:
        refuse(el.findings, _GRID_FUNCTIONS[name], c)
        return None
    return _unknown(el, c, name, frame)


def _declared(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit | Result:
    el.scope.used.add(entity.name)
    if entity.kind == "later":
        return None
    if entity.kind not in CALLABLE:
        return at_time(el, c, frame)
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


def _elementwise(el: Elaboration, c: s.Call, name: str, frame: Frame) -> Visit:
    row = ELEMENTWISE[name]
    values = yield from argument_values(el, c, name, frame)
    if len(c.arguments) != len(row.arguments):
        if values is not None:
            takes = f"`{name}` takes {count(len(row.arguments), 'argument')}"
            wrong_count(el, c, takes, frame, f"write `{call_text(name)}`")
        return None
    if values is None or el.agree(values, list(c.arguments), f"`{name}`", frame) is None:
        return None
    return each(values, row.make)


# ---- functions of the file, networks, tables ------------------------------------------------------------------------
def _inline_function(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit:
    values = yield from argument_values(el, c, entity.name, frame, numeric=False)
    function = el.functions.get(entity.name)
    if function is None or values is None:
        return None
    names = [p.text for p in function.parameters]
    if len(values) != len(names):
        takes = f"`{entity.name}` takes {count(len(names), 'argument')}"
        wrong_count(el, c, takes, frame, f"write `{entity.name}({', '.join(names)})`", at=entity)
        return None
    key = (entity.name, tuple(values), frame.usage.allowed, frame.usage.starts)
    inlined = el.inlined if frame.family is None else frame.family.inlined
    if key in inlined:
        return inlined[key]
    if len(inlined) >= MOST_INLINED:
        message = f"writing out the functions of this file takes more than {MOST_INLINED:,} calls"
        el.findings.error(
            "E0317", message, el.scope.entities[entity.name].span or c, "use intermediates, which are worked out once"
        )
        el.functions.clear()
        return None
    usage = frame.usage._replace(allowed=frame.usage.allowed & IN_FUNCTION, net_stem="", what=f"the function `{entity.name}`")
    local = dict(zip(names, values, strict=True))
    result = yield function.body, Frame(usage, local, frame.call or c, family=frame.family)
    inlined[key] = result
    return result


def _network(el: Elaboration, c: s.Call, entity: Entity, frame: Frame) -> Visit:
    for argument in c.arguments:
        if isinstance(argument, s.Option):
            hint = f"write it in the line `nn {entity.name}: …`"
            el.error("E0503", "the options of a named network stand where it is declared", argument, frame, hint, entity.span)
            return None
    values = yield from argument_values(el, c, entity.name, frame)
    net = el.networks.get(entity.name)
    if net is None or values is None:
        return None
    inputs = [e for v in values for e in v.elements]
    if len(inputs) != net.inputs:
        takes = f"the network `{entity.name}` takes {count(net.inputs, 'input')}"
        if len(inputs) == len(c.arguments):
            wrong_count(el, c, takes, frame, f"it is declared {net.inputs} -> …", "E0501", entity)
        else:
            message = f"{takes}, these are {len(inputs)} (a vector counts as its entries)"
            el.error("E0501", message, c, frame, "choose entries: `x[1]`", entity.span)
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
    values = yield from argument_values(el, c, entity.name, frame)
    table = el.tables.get(entity.name)
    if table is None or values is None:
        return None
    if len(values) != len(table.arguments):
        takes = f"the table `{entity.name}` takes {count(len(table.arguments), 'argument')}"
        wrong_count(el, c, takes, frame, f"write `{entity.name}({', '.join(table.arguments)})`", at=entity)
        return None
    if el.agree(values, list(c.arguments), f"`{entity.name}`", frame) is None:
        return None
    return each(values, lambda *arguments: node("table", arguments, entity.name))
