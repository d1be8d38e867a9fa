"""What the user calls a scalar: `x`, `x[2]`, `w[1, 2]`."""

from __future__ import annotations

from collections.abc import Callable

from hybridode.declarations import Declarations, entry_names
from hybridode.expr import ZERO, Expr, Symbol


def user_names(declarations: Declarations) -> Callable[[Symbol], str]:
    """A speller of symbols for `expr.show`: matrix entries by row and column."""
    d = declarations
    groups = (d.states, d.algebraics, d.parameters, d.constants, d.definitions, d.inputs)
    matrices = {q.name: entry_names(q.name, q.shape) for group in groups for q in group if len(q.shape) > 1}

    def name(symbol: Symbol) -> str:
        entries = matrices.get(symbol.name)
        return str(symbol) if entries is None or symbol.index < 0 else entries[symbol.index]

    return name


def two_sides(residual: Expr) -> tuple[Expr, Expr]:
    """The sides of an equation from its residual: a - b is a = b, anything else 0 = residual."""
    if residual.op == "add" and len(residual.args) == 2 and residual.args[1].op == "neg":
        return residual.args[0], residual.args[1].args[0]
    return ZERO, residual


def is_velocity(rate: Expr, state: str) -> bool:
    """Whether this right side of x' = … only reads the state `x'` that an equation for x'' made."""
    return rate.op == "sym" and rate.data.kind == "state" and rate.data.name == f"{state}'"
