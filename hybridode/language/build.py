"""Grammar rules → syntax nodes: one small function a rule, and the table that pairs them.

Each is called as `build(start, end, children)`, where start and end are the rule's extent in the text and children
are what the grammar keeps (see the head of grammar/ode.lark).
"""

from __future__ import annotations

import math
from typing import Any

from hybridode.language import syntax as s
from hybridode.language.lexer import Token, normal_name
from hybridode.language.parser import Builder

TERMS_LIMIT = 20_000  # of one expression (contracts.md)


class Refused(Exception):
    """The text fits the grammar and is refused all the same."""

    def __init__(self, code: str, message: str, start: int, end: int, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.end, self.hint = code, message, start, end, hint


def _name(token: Token) -> s.Name:
    return s.Name(token.start, token.end, token.text)


def _doc(token: Token | None) -> str:
    return "" if token is None else token.text[1:-1]


# ---- statements -----------------------------------------------------------------------------------------------------
def _model(a: int, b: int, c: list[Any]) -> s.Node:
    return s.ModelStatement(a, b, _name(c[0]), _doc(c[1]))


def _units(a: int, b: int, c: list[Any]) -> s.Node:
    return s.UnitsStatement(a, b, c[0].text)


def _time(a: int, b: int, c: list[Any]) -> s.Node:
    return s.TimeStatement(a, b, _name(c[0]), c[1], c[2], _doc(c[3]))


def _import(a: int, b: int, c: list[Any]) -> s.Node:
    return s.ImportStatement(a, b, c[0].text[1:-1], _name(c[1]))


def _use(a: int, b: int, c: list[Any]) -> s.Node:
    return s.UseStatement(a, b, _name(c[0]), c[1], c[2] or ())


def _value(kind: str) -> Builder:
    def build(a: int, b: int, c: list[Any]) -> s.Node:
        name, shape, fields, unit = c[0]
        parts = c[2:-1]
        modifiers = s.Modifiers(
            parts[0].start,
            parts[-1].end,
            bounds=tuple(p for p in parts if isinstance(p, s.Bounds)),
            scales=tuple(p.name for p in parts if isinstance(p, _Scale)),
            groups=tuple(p for p in parts if isinstance(p, s.Group)),
        ) if parts else None  # fmt: skip
        return s.ValueStatement(a, b, kind, name, shape, fields, unit, c[1], modifiers, _doc(c[-1]))

    return build


class _Scale:
    """A modifier of one name, until the statement sorts it."""

    def __init__(self, start: int, end: int, children: list[Any]) -> None:
        self.start, self.end, self.name = start, end, _name(children[0])


def _group(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Group(a, b, _name(c[0]), tuple(v for v in c[1:] if v is not None))


def _group_value(a: int, b: int, c: list[Any]) -> s.Node:
    return s.GroupValue(a, b, _doc(c[0]), c[1])


def _shape(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    for size in c:  # 1/s, never the size of anything: somebody wrote a unit
        if isinstance(size, s.Chain) and size.rest[0][0] == "/" and isinstance(size.first, s.Number) and size.first.value == 1:
            remedy = "write it without brackets, as in `: 1/h = …`"
            raise Refused("E0115", "the unit of a declaration stands after a colon", a, b, remedy)
    return tuple(c)


def _head(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    return _name(c[0]), c[1] or (), (), c[2]


def _field_head(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    return _name(c[0]), c[1] or (), c[2] or (), c[3]


def _input(a: int, b: int, c: list[Any]) -> s.Node:
    name, shape, _, unit = c[0]
    return s.InputStatement(a, b, name, shape, unit, c[1], tuple(c[2:-1]), _doc(c[-1]))


def _noise(a: int, b: int, c: list[Any]) -> s.Node:
    name, shape, _, unit = c[0]
    return s.NoiseStatement(a, b, name, shape, unit, tuple(c[1:-1]), _doc(c[-1]))


def _random(a: int, b: int, c: list[Any]) -> s.Node:
    name, shape, _, unit = c[0]
    return s.RandomStatement(a, b, name, c[1], _name(c[2]), shape, unit)


def _prior(a: int, b: int, c: list[Any]) -> s.Node:
    at = None if c[1] is None else _number(c[1].start, c[1].end, [c[1], None])
    return s.PriorStatement(a, b, c[0], c[2], at, c[3] or ())


def _network(a: int, b: int, c: list[Any]) -> s.Node:
    return s.NetworkStatement(a, b, _name(c[0]), c[1], c[3], tuple(c[4:-1]), _doc(c[-1]))


def _function(a: int, b: int, c: list[Any]) -> s.Node:
    return s.FunctionStatement(a, b, _name(c[0]), tuple(_name(t) for t in c[1:-2]), c[-2], _doc(c[-1]))


def _grid(a: int, b: int, c: list[Any]) -> s.Node:
    return s.GridStatement(a, b, _name(c[0]), c[2], c[1], tuple(c[3:-1]), _doc(c[-1]))


def _table(a: int, b: int, c: list[Any]) -> s.Node:
    axes = tuple(x for x in c if type(x) is tuple)
    unit, points, *options, doc = c[1 + len(axes) :]
    return s.TableStatement(a, b, _name(c[0]), axes, unit, points, tuple(options), _doc(doc))


def _axis(a: int, b: int, c: list[Any]) -> tuple[s.Name, s.Unit | None]:
    return _name(c[0]), c[1]


def _history(a: int, b: int, c: list[Any]) -> s.Node:
    return s.HistoryStatement(a, b, c[0], c[1], c[2] or ())


def _boundary(a: int, b: int, c: list[Any]) -> s.Node:
    return s.BoundaryStatement(a, b, _name(c[0]), c[1], c[2], c[3], c[4] or ())


def _event(a: int, b: int, c: list[Any]) -> s.Node:
    return s.EventStatement(a, b, c[0], c[1], c[4], c[2].text if c[2] else "", c[3] is not None, c[5] or ())


def _at(a: int, b: int, c: list[Any]) -> s.Node:
    return s.AtStatement(a, b, c[0], c[3], c[1], c[2])


def _dose(a: int, b: int, c: list[Any]) -> s.Node:
    return s.DoseStatement(a, b, c[0], c[1] or ())


def _observe(a: int, b: int, c: list[Any]) -> s.Node:
    when = [x for x in c[2:-2] if isinstance(x, str)]
    if len(when) > 1:
        raise Refused("E0129", "`at end` or `at start` may be said once", a, b)
    censored = tuple(x for x in c[2:-2] if not isinstance(x, str))
    return s.ObserveStatement(a, b, c[0], c[1], when[0] if when else "", censored, c[-2] or (), _doc(c[-1]))


def _censored(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Censoring(a, b, c[0].text, c[1])


def _reaction(a: int, b: int, c: list[Any]) -> s.Node:
    rates, law = c[4]
    name = None if c[0] is None else _name(c[0])
    return s.ReactionStatement(a, b, name, c[1], c[3], c[2].text, rates, law, c[5] or (), _doc(c[6]))


def _rates(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    return tuple(x for x in c if x is not None), None


def _law(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    return (), c[1]


def _side(a: int, b: int, c: list[Any]) -> tuple[s.Species, ...]:
    return tuple(c[::2])


def _species(a: int, b: int, c: list[Any]) -> s.Node:
    count, target = c
    if count is None:
        return s.Species(a, b, target)
    if count.end == target.start and not count.text.isdigit():
        raise Refused(
            "E0132", f"`{count.text}{target.name}` can be read in two ways", a, b, f"write `{count.text} {target.name}`"
        )
    return s.Species(a, b, target, _float(count))


def _equation(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Equation(a, b, c[0], c[1], c[2] or (), _doc(c[3]))


# ---- parts of statements ----------------------------------------------------------------------------------------------
def _bounds(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Bounds(a, b, c[0], c[1])


def _names(a: int, b: int, c: list[Any]) -> tuple[s.Name, ...]:
    return tuple(_name(t) for t in c)


def _tuple(a: int, b: int, c: list[Any]) -> tuple[Any, ...]:
    return tuple(c)


def _first(a: int, b: int, c: list[Any]) -> Any:
    return c[0]


def _start(a: int, b: int, c: list[Any]) -> str:
    return "start"


def _end(a: int, b: int, c: list[Any]) -> str:
    return "end"


def _assign(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Assign(a, b, c[0], c[1], c[2] or ())


def _stop(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Stop(a, b)


def _iterator(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Iterator(a, b, c[0].text, c[1], c[2])


def _range(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Range(a, b, c[0], c[1])


def _distribution(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Distribution(a, b, c[0].text, c[1] or ())


def _flag(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Option(a, b, c[0].text, None)


def _named(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Option(a, b, c[0].text, c[1])


def _target(a: int, b: int, c: list[Any]) -> s.Node:
    rest = [x for x in c[1:] if x is not None]
    indices = tuple(x for x in rest if not isinstance(x, Token))
    return s.Target(a, b, c[0].text, indices, len(rest) - len(indices))


# ---- expressions --------------------------------------------------------------------------------------------------------
def _chain(level: str, what: str) -> Builder:
    def build(a: int, b: int, c: list[Any]) -> s.Node:
        if len(c) > 2 * TERMS_LIMIT:
            count = (len(c) + 1) // 2
            message = f"{count:,} {what} in one expression; the limit is {TERMS_LIMIT:,}"
            raise Refused("E0142", message, a, a + 1, "split it with intermediates")
        return s.Chain(a, b, level, c[0], tuple((c[i].text, c[i + 1]) for i in range(1, len(c), 2)))

    return build


def _conditional(a: int, b: int, c: list[Any]) -> s.Node:
    return s.IfElse(a, b, c[0], c[1], c[2])


def _negated(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Not(a, b, c[0])


def _comparison(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Compare(a, b, c[1].text, c[0], c[2])


def _sign(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Sign(a, b, c[0].text, c[1])


def _power(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Power(a, b, c[0], c[1])


def _dotted(a: int, b: int, c: list[Any]) -> s.Name:
    return s.Name(a, b, c[0].text if len(c) == 1 else ".".join(t.text for t in c))


def _ref(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Ref(a, b, c[0].text)


def _derivative(a: int, b: int, c: list[Any]) -> s.Node:
    name = c[0].text.split("/")[0].rstrip()[1:]
    return s.Prime(a, b, s.Ref(a + 1, a + 1 + len(name), normal_name(name)))


def _prime(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Prime(a, b, c[0])


def _call(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Call(a, b, c[0], c[1] or ())


def _subscript(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Index(a, b, c[0], tuple(c[1:]))


def _float(token: Token) -> float:
    value = float(token.text)
    if math.isinf(value):
        message = f"`{token.text[:40]}` is too large for a number"
        raise Refused("E0143", message, token.start, token.end, "the largest is about 1.8e308")
    return value


def _number(a: int, b: int, c: list[Any]) -> s.Number:
    return s.Number(a, b, c[0].text, _float(c[0]), c[1])


def _list(a: int, b: int, c: list[Any]) -> s.Node:
    return s.ListLiteral(a, b, tuple(x for x in c if x is not None))


def _text(a: int, b: int, c: list[Any]) -> s.Node:
    return s.Text(a, b, c[0].text[1:-1])


# ---- units: a factor is (text, [UnitFactor]) until the unit is whole ---------------------------------------------------------
def _exponent(a: int, b: int, c: list[Any]) -> tuple[str, float]:
    tokens = [t for t in c if t is not None]
    text = "".join(t.text for t in tokens)
    numbers = [_float(t) for t in tokens if t.kind in ("INT", "REAL")]
    if len(numbers) == 2 and numbers[1] == 0:
        raise Refused("E0124", "an exponent is divided by zero", a, b)
    value = numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0]
    return f"({text})" if len(numbers) == 2 else text, -value if tokens[0].kind == "MINUS" else value


def _unit_factor(a: int, b: int, c: list[Any]) -> tuple[str, list[s.UnitFactor]]:
    atom, (text, power) = c[0], c[1] or ("", 1.0)
    written = f"^{text}" if text else ""
    if isinstance(atom, s.Unit):
        return f"({atom.text}){written}", [s.UnitFactor(f.start, f.end, f.name, f.exponent * power) for f in atom.factors]
    return atom.text + written, [s.UnitFactor(a, b, atom.text, power)]


def _unit(a: int, b: int, c: list[Any]) -> s.Unit:
    text, factors = c[0][0], list(c[0][1])
    for i in range(1, len(c), 2):
        sign = -1.0 if c[i].kind == "SLASH" else 1.0
        text += c[i].text + c[i + 1][0]
        factors += [s.UnitFactor(f.start, f.end, f.name, f.exponent * sign) for f in c[i + 1][1]]
    return s.Unit(a, b, text, tuple(factors))


BUILDERS: dict[str, Builder] = {
    "model": _model, "units": _units, "time": _time, "import": _import, "use": _use,
    "param": _value("param"), "const": _value("const"), "state": _value("state"), "alg": _value("alg"),
    "discrete": _value("discrete"), "input": _input, "noise": _noise, "random": _random, "prior": _prior,
    "network": _network, "function": _function, "grid": _grid, "table": _table, "axis": _axis,
    "history": _history, "boundary": _boundary, "event": _event, "at": _at, "dose": _dose,
    "observe": _observe, "censored": _censored, "reaction": _reaction, "rates": _rates, "law": _law,
    "side": _side, "species": _species, "count": _first, "equation": _equation,
    "head": _head, "field_head": _field_head, "shape": _shape, "fields": _names,
    "bounds": _bounds, "group": _group, "group_value": _group_value, "scale": _Scale,
    "block": _tuple, "assign": _assign, "stop": _stop,
    "at_start": _start, "at_end": _end, "for": _tuple, "iterator": _iterator, "range": _range,
    "distribution": _distribution, "parameters": _tuple, "arguments": _tuple, "options": _tuple, "flag": _flag,
    "named": _named, "text": _text, "target": _target, "column": _target,
    "conditional": _conditional, "disjunction": _chain("or", "operands"), "conjunction": _chain("and", "operands"),
    "negated": _negated, "comparison": _comparison, "sum": _chain("sum", "terms"), "product": _chain("product", "factors"),
    "sign": _sign, "power": _power, "ref": _ref, "dotted": _dotted, "derivative": _derivative, "prime": _prime,
    "call": _call, "subscript": _subscript, "number": _number, "list": _list,
    "unit": _unit, "unit_factor": _unit_factor, "exponent": _exponent,
}  # fmt: skip
