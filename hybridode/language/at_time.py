"""Visitor of values that are called like functions of time: `x(0)`, `x(t)`, `x(t - tau)`."""

from __future__ import annotations

from hybridode.expr import Expr, node
from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.functions import NAMES, call_text
from hybridode.language.later import refuse
from hybridode.language.members import NotRolled
from hybridode.language.scope import KINDS
from hybridode.language.values import Value
from hybridode.language.walk import base_name, mentions
from hybridode.rolled import Totals

_AT_START = {
    "state": "start",
    "definition": "start",
    "input": "start_input",
    "start_input": "start_input",
    "algebraic": "algebraic",
}


def at_time(el: Elaboration, c: s.Call, frame: Frame) -> Visit:
    """A value that is called like a function of time: its start, itself, or a delay."""
    written = el.findings.source.text[c.function.start : c.function.end]
    value = yield c.function, frame.plain()
    if value is None:
        return None
    read = value.elements if frame.family is None else [frame.family.first(e) for e in value.elements]
    kinds = {e.data.kind if e.op == "sym" else "" for e in read}
    kind = kinds.pop() if len(kinds) == 1 else ""
    if kind == "algebraic" and not frame.usage.starts:
        message = f"the start of `{written}` is computed from the equations and cannot be read"
        el.error("E0334", message, c, frame, f"`{written}` is its value now")
        return None
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
    el.scope.used.add(base_name(c.function) or written)
    meant = kind if frame.usage.starts else _AT_START[kind]
    if meant == "start":
        el.restarts.append(c)
    return Value(tuple(_renamed(e, meant, frame) for e in value.elements), value.shape, value.boolean)


def _renamed(e: Expr, kind: str, frame: Frame) -> Expr:
    """The same entry as a symbol of another kind; in a family the entries of all its members."""
    column = None if frame.family is None else frame.family.owned(e)
    if frame.family is None or column is None:
        return node("sym", (), e.data._replace(kind=kind))
    if isinstance(column, Totals) or any(x.op != "sym" for x in column):
        raise NotRolled
    return frame.family.column(tuple([node("sym", (), x.data._replace(kind=kind)) for x in column]))


def _not_callable(el: Elaboration, c: s.Call, written: str, frame: Frame) -> None:
    entity = el.scope.find(written)
    if entity is not None:
        message, at = f"`{written}` is {KINDS[entity.kind]}, not a function", entity.span
    else:
        message, at = "this value is not a function", None
    shown = f"`{written}*(…)`" if len(written) < 30 else "a `*`"
    hint = f"to multiply write {shown}"
    if written in NAMES:
        hint = f"it hides the function `{call_text(written)}`: rename it if the function is meant"
    el.error("E0205", message, c.function, frame, hint, at)


def _depends_on_time(el: Elaboration, argument: s.Node) -> bool:
    return any(m.name == el.scope.time for m in mentions(argument))
