"""A formula as LaTeX."""

from __future__ import annotations

import re

from hybridode.discover.formula import Formula
from hybridode.discover.slots import Slot
from hybridode.equations.latex import expr_latex
from hybridode.equations.latex_names import name_latex
from hybridode.errors import Source
from hybridode.expr import Symbol
from hybridode.language.check import declare

_PLAIN = re.compile(r"[^\W\d]\w*")


def formula_latex(slot: Slot, formula: Formula) -> str:
    """`title = formula` with the names of its numbers. Arguments that are no plain names stand as their short ones."""
    text = formula.text
    for argument, short in zip(slot.arguments, slot.short, strict=True):
        if not _PLAIN.fullmatch(argument):
            text = text.replace(argument, short).replace(argument.strip("()"), short)
    names = dict.fromkeys([*slot.short, *(n.name for n in formula.numbers)])
    lines = ["model formula", "time formula_time", *(f"param {n} = 1" for n in names), "state formula_state = 0",
             f"formula_value = {text}", "formula_state' = formula_value"]  # fmt: skip
    found = {d.name: d for d in declare(Source("formula", "\n".join(lines) + "\n")).definitions}
    return f"{name_latex(slot.title)} = {expr_latex(found['formula_value'].elements[0], _spelled)}"


def _spelled(symbol: Symbol) -> str:
    return str(symbol)
