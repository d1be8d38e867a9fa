"""Declarations -> EquationSystem: the passes in order, with the invariants checked and a dump after each."""

from __future__ import annotations

from collections.abc import Callable

from hybridode.collector import without_collector
from hybridode.declarations import Declarations
from hybridode.equations.canonical import canonical, is_implicit, residuals
from hybridode.equations.folding import fold
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.incidence import incidence
from hybridode.equations.jacobian import jacobian
from hybridode.equations.rewrite import rewrite
from hybridode.equations.rolling import roll
from hybridode.equations.switches import located_switches
from hybridode.equations.system import EquationSystem
from hybridode.equations.verify import verify

Pass = Callable[[EquationSystem, ShapeCache], EquationSystem]
Dump = Callable[[str, EquationSystem], None]

PASSES: tuple[tuple[str, Pass], ...] = (
    ("rewrite", lambda system, shapes: rewrite(system)),  # singular, cancelling and overflowing forms into safe ones, recorded
    ("fold", lambda system, shapes: fold(system)),  # numbers that are certain
    ("roll", lambda system, shapes: roll(system)),  # equations that differ in numbers too: one template
    ("incidence", lambda system, shapes: incidence(system)),  # which rate reads which state; blocks
    ("jacobian", lambda system, shapes: jacobian(system, shapes.gradient)),  # d rates / d states, sparse, SymPy once per shape
)


def equations_of(
    declarations: Declarations, promoted: frozenset[str] = frozenset(), dump: Dump | None = None, shapes: ShapeCache | None = None
) -> EquationSystem:
    """The equation system of a checked model after all passes.

    `promoted`: constants that become parameters. `dump(name, system)` is called after every pass, "canonical" first.
    `shapes` may be shared by many models: derivatives of shapes that it knows are not worked out again.
    """
    shapes = ShapeCache() if shapes is None else shapes
    with without_collector():
        system = canonical(declarations, promoted)  # vectors laid out, constants folded, definitions ordered, starts explicit
        if is_implicit(declarations):
            if dump is not None:
                dump("canonical", system)
            from hybridode.equations.dae.reduce import reduce  # a plain ODE does not wait for it

            system = reduce(system, residuals(declarations, promoted), shapes)  # matching, index reduction, blocks, tearing
            _settle("reduce", system, dump)
        else:
            _settle("canonical", system, dump)
        return after_passes(system, shapes, dump)


def switched_of(declarations: Declarations, promoted: frozenset[str] = frozenset()) -> EquationSystem | None:
    """The system with its `if`s as events, and more that steps land on, after all passes (see `switches`); None without such,
    and for models that have to be reduced."""
    if is_implicit(declarations):
        return None
    with without_collector():
        shapes = ShapeCache()
        system = located_switches(canonical(declarations, promoted), shapes)
        return None if system is None else after_passes(system, shapes)


def after_passes(system: EquationSystem, shapes: ShapeCache, dump: Dump | None = None) -> EquationSystem:
    """A system in canonical form after all passes."""
    for name, change in PASSES:
        system = change(system, shapes)
        _settle(name, system, dump)
    return system


def _settle(name: str, system: EquationSystem, dump: Dump | None) -> None:
    verify(system, name)
    if dump is not None:
        dump(name, system)
