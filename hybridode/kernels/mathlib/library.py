"""The table of functions, and how one of them becomes a definition in a module.

An emitter asks `define` for each operation it calls and puts `module_text` of them beside its own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib import (
    elementary,
    exponential,
    inverse,
    logarithm,
    lookup,
    polygamma,
    power,
    remainder,
    special,
    trigonometric,
)
from hybridode.kernels.mathlib.code import Code, Definition, Value, finish


@dataclass(frozen=True)
class Function:
    """`emit(code, *operands)` writes the function's instructions into a body and gives its value.

    With `label`, `emit` takes the operation's attributes too (`attrs=`), and `label` names them in a symbol. Arity -1: as many
    operands as the attributes say.
    """

    arity: int
    emit: Callable[..., Value]
    label: Callable[[Any], str] | None = None


FUNCTIONS: dict[str, Function] = {
    "exp": Function(1, exponential.exp),
    "expm1": Function(1, exponential.expm1),
    "exprel": Function(1, exponential.exprel),
    "sigmoid": Function(1, exponential.sigmoid),
    "softplus": Function(1, exponential.softplus),
    "sinh": Function(1, exponential.sinh),
    "cosh": Function(1, exponential.cosh),
    "tanh": Function(1, exponential.tanh),
    "log": Function(1, logarithm.log),
    "log1p": Function(1, logarithm.log1p),
    "log2": Function(1, logarithm.log2),
    "log10": Function(1, logarithm.log10),
    "asinh": Function(1, logarithm.asinh),
    "acosh": Function(1, logarithm.acosh),
    "atanh": Function(1, logarithm.atanh),
    "pow": Function(2, power.pow_),
    "hill": Function(3, power.hill),
    "sin": Function(1, trigonometric.sin),
    "cos": Function(1, trigonometric.cos),
    "tan": Function(1, trigonometric.tan),
    "asin": Function(1, inverse.asin),
    "acos": Function(1, inverse.acos),
    "atan": Function(1, inverse.atan),
    "atan2": Function(2, inverse.atan2),
    "min": Function(2, elementary.minimum),
    "max": Function(2, elementary.maximum),
    "relu": Function(1, elementary.relu),
    "sign": Function(1, elementary.sign),
    "heaviside": Function(1, elementary.heaviside),
    "abs": Function(1, elementary.absolute),
    "sqrt": Function(1, elementary.sqrt),
    "floor": Function(1, elementary.floor),
    "mod": Function(2, remainder.mod),
    "erf": Function(1, special.erf),
    "gamma": Function(1, special.gamma),
    "lgamma": Function(1, special.lgamma),
    "digamma": Function(1, special.digamma),
    "polygamma": Function(1, polygamma.polygamma, str),
    "exprel_slope": Function(1, polygamma.exprel_slope, str),
    "table": Function(-1, lookup.table, lookup.table_name),
}


def name_of(op: str, lanes: Lanes, attrs: Any = None) -> str:
    """`@hode_exp_v4f64`, `@hode_polygamma_2_f64`."""
    label = FUNCTIONS[op].label
    return f"@hode_{op}_{label(attrs)}_{lanes.suffix}" if label else f"@hode_{op}_{lanes.suffix}"


def arity_of(op: str, attrs: Any = None) -> int:
    arity = FUNCTIONS[op].arity
    return len(attrs[1]) if arity < 0 else arity


def define(op: str, lanes: Lanes, attributes: str = "nounwind", attrs: Any = None) -> Definition:
    """`define internal <4 x double> @hode_exp_v4f64(<4 x double> %x0)`; add "alwaysinline" where passes run that inline."""
    function, code = FUNCTIONS[op], Code(lanes)
    operands = [Value(code, f"%x{k}", "real") for k in range(arity_of(op, attrs))]
    result = function.emit(code, *operands, attrs=attrs) if function.label else function.emit(code, *operands)
    arguments = ", ".join(f"{lanes.real} {x.name}" for x in operands)
    name = name_of(op, lanes, attrs)
    return finish(name, code, f"{lanes.real} {name}({arguments})", f"{lanes.real} {result.name}", attributes)


def module_text(definitions: Iterable[Definition], declared: Iterable[str] = ()) -> str:
    """The text of the definitions and of what they need, once each; `declared` lines stand in the module already."""
    found: dict[str, Definition] = {}
    waiting = list(definitions)
    while waiting:
        d = waiting.pop()
        if d.name not in found:
            found[d.name] = d
            waiting += d.needs
    lines = {line: None for name in sorted(found) for line in found[name].declarations}
    for line in declared:
        lines.pop(line, None)
    return "\n".join([*lines, *(found[name].text for name in sorted(found))])
