"""A model's equations as text of other languages: infix, a line per intermediate, so that nothing of our compiler helps a peer
or stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hybridode.equations.canonical import canonical
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import Expr, Symbol, number_text, postorder
from hybridode.language.check import declare


@dataclass(frozen=True)
class Syntax:
    """How a language writes powers; `names` of functions where they differ."""

    power: Callable[[str, Expr], str]
    names: Mapping[str, str] = field(default_factory=dict)


def _spelled(base: str, exponent: Expr) -> str:
    """x^2, x^3 as products, other powers as calls."""
    if exponent.value in (2.0, 3.0):
        return f"({'*'.join([base] * int(exponent.value))})"
    return f"pow({base}, {number_text(exponent.value)})"


def _stars(base: str, exponent: Expr) -> str:
    return f"{base}**{number_text(exponent.value)}"


def _caret(base: str, exponent: Expr) -> str:
    return f"{base}^{number_text(exponent.value)}"


PYTHON, ANTIMONY, DIFFSL = Syntax(_stars), Syntax(_caret), Syntax(_spelled)


def equations(text: str) -> EquationSystem:
    """The model as it was written: intermediates in order, vectors as scalars, nothing rewritten."""
    return canonical(declare(Source("model.ode", text)))


def write(e: Expr, syntax: Syntax, name: Callable[[Symbol], str]) -> str:
    """One expression. Exponents must be numbers."""
    done: dict[Expr, str] = {}
    for x in postorder((e,)):
        a = [done[k] for k in x.args]
        if x.op == "const":
            done[x] = number_text(x.data) if x.data >= 0 else f"({number_text(x.data)})"
        elif x.op == "sym":
            done[x] = name(x.data)
        elif x.op == "add":
            done[x] = f"({' + '.join(a)})"
        elif x.op == "mul":
            done[x] = f"({'*'.join(a)})"
        elif x.op == "div":
            done[x] = f"({a[0]}/{a[1]})"
        elif x.op == "neg":
            done[x] = f"(-{a[0]})"
        elif x.op == "pow":
            done[x] = syntax.power(a[0], x.args[1])
        else:
            done[x] = f"{syntax.names.get(x.op, x.op)}({', '.join(a)})"
    return done[e].replace("+ (-", "- (") if syntax is not DIFFSL else done[e]


def lines(system: EquationSystem, syntax: Syntax, name: Callable[[Symbol], str]) -> tuple[list[tuple[str, str]], list[str]]:
    """([(intermediate, expression)], [rate of each state])."""
    definitions = [(name(d.symbol), write(d.expr, syntax, name)) for d in system.definitions]
    return definitions, [write(e, syntax, name) for e in system.rates]


def numbers(system: EquationSystem) -> tuple[list[float], list[float]]:
    """(parameters, start): declared values; starts must be numbers."""
    values = [float(v) for p in system.declarations.parameters for v in p.values]
    return values, [_number(e) for e in system.starts]


def _number(e: Expr) -> float:
    sign = 1.0
    while e.op == "neg":
        e, sign = e.args[0], -sign
    assert e.value is not None, "a start that is no number"
    return sign * e.value
