"""Declarations -> EquationSystem: the passes in order, with the invariants checked and a dump after each."""

from __future__ import annotations

from collections.abc import Callable

from hybridode.declarations import Declarations
from hybridode.equations.canonical import canonical
from hybridode.equations.folding import fold
from hybridode.equations.incidence import incidence
from hybridode.equations.jacobian import jacobian
from hybridode.equations.rewrite import rewrite
from hybridode.equations.system import EquationSystem
from hybridode.equations.verify import verify

Pass = Callable[[EquationSystem], EquationSystem]
Dump = Callable[[str, EquationSystem], None]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("rewrite", rewrite),  # singular, cancelling and overflowing forms into safe ones, recorded
    ("fold", fold),  # numbers that are certain
    ("incidence", incidence),  # which rate reads which state; blocks
    ("jacobian", jacobian),  # d rates / d states, symbolic and sparse
)


def equations_of(declarations: Declarations, promoted: frozenset[str] = frozenset(), dump: Dump | None = None) -> EquationSystem:
    """The equation system of a checked model after all passes.

    `promoted`: constants that become parameters. `dump(name, system)` is called after every pass, "canonical" first.
    """
    system = canonical(declarations, promoted)  # vectors laid out, constants folded, definitions ordered, starts explicit
    _settle("canonical", system, dump)
    for name, change in PASSES:
        system = change(system)
        _settle(name, system, dump)
    return system


def _settle(name: str, system: EquationSystem, dump: Dump | None) -> None:
    verify(system, name)
    if dump is not None:
        dump(name, system)
