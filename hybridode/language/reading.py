"""Visitors of names and derivatives: what `x`, `x'`, `dI/dt` and `t` stand for where they are read."""

from __future__ import annotations

from hybridode.expr import const, sym
from hybridode.language import syntax as s
from hybridode.language.frames import Elaboration, Frame, Result, Visit
from hybridode.language.indices import take
from hybridode.language.later import refuse
from hybridode.language.scope import CALLABLE, KINDS, PREDECLARED
from hybridode.language.values import (
    Value,
    symbol,
)
from hybridode.language.walk import base_name

_SYMBOL_KINDS = {
    "param": "parameter", "const": "constant", "state": "state", "alg": "algebraic", "definition": "definition", "input": "input",
}  # fmt: skip


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
        if frame.usage.what == "an index" and frame.family is None and name not in scope.excused:
            hint = f"write `for {name} in 1..n` after the equation, or a number"
            el.error("E0203", f"the index `{name}` is not declared", place, frame, hint)
        else:
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
    return _whole(el, kind, name)


def _whole(el: Elaboration, kind: str, name: str) -> Value:
    """All entries of a name; its shape and kind are known, so this never changes."""
    boolean = name in el.scope.booleans
    found = el.wholes.get((kind, name))
    if found is None or found.boolean != boolean:
        found = el.wholes[kind, name] = symbol(kind, name, el.scope.shapes[name.rstrip("'")], boolean)
    return found


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
        if entity.kind == "alg":
            hint = f"declare `state {name}`: the equations determine its derivative too"
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
        return _whole(el, "state", name + "'" * primes)
    if not el.may_read(entity, "derivative", place, frame):
        return None
    return _whole(el, "derivative", name + "'" * (primes - 1))


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
