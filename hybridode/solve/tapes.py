"""Expressions of a model as tapes over the inputs `t`, `y`, `p`, `u`, `du`, `u0`, a dose's `amount`, and networks' arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.equations.names import user_names
from hybridode.equations.system import AMOUNT, EquationSystem, definition_expressions
from hybridode.expr import Expr, Symbol, const, node, substitute
from hybridode.networks.lower import lower
from hybridode.rolled import pieces_of
from hybridode.tape.build import build
from hybridode.tape.tape import Tape


def tape_of(system: EquationSystem, outputs: Mapping[str, Sequence[Expr]]) -> Tape:
    """A tape whose outputs are vectors of these expressions; they may read definitions."""
    declarations, defined = system.declarations, system.definitions
    pieces = pieces_of(definition_expressions(defined))
    return build(
        outputs,
        leaves=leaves_of(system),
        definitions=[(defined[p.places[0]].symbol, p.family.expand()[0]) for p in pieces if p.family.count == 1],
        families=[([defined[k].symbol for k in p.places], p.family) for p in pieces if p.family.count > 1],
        networks={n.name: lower(n) for n in declarations.networks},
        tables={t.name: t for t in declarations.tables},
    )


def leaves_of(system: EquationSystem) -> dict[Symbol, tuple[str, int]]:
    """Where the tape finds the number of each symbol: (input vector, place), place -1 for the time itself."""
    leaves = {Symbol("time", system.declarations.time): ("t", -1)}
    leaves |= {s: ("y", i) for i, s in enumerate(system.states)}
    leaves |= {s: ("p", i) for i, s in enumerate(system.parameters)}
    for kind, vector in (("input", "u"), ("input_rate", "du"), ("start_input", "u0")):
        leaves |= {Symbol(kind, s.name, s.index): (vector, i) for i, s in enumerate(system.inputs)}
    return leaves | ({AMOUNT: ("amount", -1)} if system.doses else {})


def in_system(system: EquationSystem, exprs: Sequence[Expr]) -> tuple[Expr, ...]:
    """Expressions over the declared names as expressions of the system: constants as numbers (or as the parameters that they
    were promoted to), `x'` as the rate of x."""
    known: dict[Symbol, Expr] = {}
    for c in system.declarations.constants:
        for i, value in enumerate(c.values):
            symbol = Symbol("constant", c.name, i if c.shape else -1)
            as_parameter = Symbol("parameter", c.name, symbol.index)
            known[symbol] = node("sym", (), as_parameter) if as_parameter in system.parameters else const(value)
    rates = {Symbol("derivative", s.name, s.index): rate for s, rate in zip(system.states, system.rates, strict=True)}
    return substitute(substitute(exprs, rates | known), known)


def state_names(system: EquationSystem) -> tuple[str, ...]:
    """The user's names of all entries of y: `x`, `x'`, `v[1]`, …"""
    return tuple(map(user_names(system.declarations), system.states))
