"""The table of functions, and how one of them becomes a definition in a module.

An emitter asks `define` for each operation it calls and puts `module_text` of them beside its own functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib import elementary, exponential, inverse, logarithm, power, trigonometric
from hybridode.kernels.mathlib.code import Code, Definition, Value, finish


@dataclass(frozen=True)
class Function:
    """`emit(code, *operands)` writes the function's instructions into a body and gives its value."""

    arity: int
    emit: Callable[..., Value]


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
}


def name_of(op: str, lanes: Lanes) -> str:
    """`@hode_exp_v4f64`."""
    return f"@hode_{op}_{lanes.suffix}"


def define(op: str, lanes: Lanes, attributes: str = "nounwind", attrs: Any = None) -> Definition:
    """`define internal <4 x double> @hode_exp_v4f64(<4 x double> %x0)`; add "alwaysinline" where passes run that inline."""
    function, code = FUNCTIONS[op], Code(lanes)
    operands = [Value(code, f"%x{k}", "real") for k in range(function.arity)]
    result = function.emit(code, *operands)
    arguments = ", ".join(f"{lanes.real} {x.name}" for x in operands)
    name = name_of(op, lanes)
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
