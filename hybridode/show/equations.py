"""The equation system and its Jacobian as text: what is computed, what was rewritten and why, how states depend on each other."""

from __future__ import annotations

from dataclasses import replace

from hybridode.equations.alpha import instantiate, shape_by_leaves
from hybridode.equations.derivative_rules import LEAVES, down_to_leaves
from hybridode.equations.guards import unguarded
from hybridode.equations.names import user_names
from hybridode.equations.shapes import Algebra
from hybridode.equations.system import (
    EquationSystem,
    JacobianEntry,
    ScalarDefinition,
    ScalarObservation,
    definition_expressions,
    entry_expressions,
)
from hybridode.expr import Expr, Symbol, postorder
from hybridode.expr import show as expr_text
from hybridode.rolled import shown
from hybridode.show.layout import columns, counted, document, entries_text, left_out, section
from hybridode.show.model import Names, networks_section

_MOST_BLOCKS = 100
_LARGEST_PICTURE = 40  # states of a sparsity pattern that fits a terminal


def equations_text(system: EquationSystem) -> str:
    """Right sides after all passes, with the record of the rewrites."""
    name = user_names(system.declarations)
    states = [_spelled(s, name) for s in system.states]
    names = [_spelled(x.symbol, name) for x in system.definitions]
    definitions = entries_text(names, "", definition_expressions(system.definitions), name)
    sections = (
        section("definitions, in the order of evaluation", definitions),
        section("rates", entries_text(_left_sides(system, states), "", system.rates, name)),
        section("kept at 0 along the solution", [expr_text(x.expr, name) for x in system.invariants]),
        section("at the start", entries_text(states, "", system.starts, name)),
        section("how the equations are solved", [x.text for x in system.reduction]),
        section("observed", [_observation(o, name) for o in system.observations]),
        section("rewritten", _rewrites(system)),
        networks_section(system.declarations),
        section("blocks of states that depend on each other, in the order of dependence", _blocks(system, states)),
    )
    return document(f"{system.declarations.name}: equations", sections)


def _spelled(s: Symbol, name: Names) -> str:
    return name(s) + "'" * (s.kind == "derivative")


def _left_sides(system: EquationSystem, states: list[str]) -> list[str]:
    """`x'` of a differential state; 0 of a residual, which determines an algebraic unknown."""
    unknowns = set(system.unknowns)
    return ["0" if k in unknowns else f"{s}'" for k, s in enumerate(states)]


def _observation(o: ScalarObservation, name: Names) -> str:
    arguments = (f"{key}={expr_text(e, name)}" for key, e in zip(o.names, o.exprs, strict=True))
    return f"{o.column} ~ {o.distribution}({', '.join(arguments)})"


def _rewrites(system: EquationSystem) -> list[str]:
    lines = []
    for r in system.rewrites:
        place = f"{r.place}, line {r.span.line}" if r.span else r.place
        lines += [f"{place}: {r.before}  ->  {r.after}", f"  {r.reason}"]
    return lines


def _blocks(system: EquationSystem, states: list[str]) -> list[str]:
    lines = [", ".join(states[i] for i in block) for block in system.blocks[:_MOST_BLOCKS]]
    more = len(system.blocks) - len(lines)
    return [*lines, f"… {more:,} more"] if more else lines


def jacobian_text(system: EquationSystem) -> str:
    """Sparsity and entries of d rates / d states."""
    name = user_names(system.declarations)
    states = [name(s) for s in system.states]
    n = len(states)
    heading = f"{system.declarations.name}: Jacobian of {counted(n, 'rate')} by {counted(n, 'state')}"
    if system.jacobian is None:
        return f"{heading}\n\nnot formed: it has more entries than are worth it; derivatives are those of the tape\n"
    share = f"{len(system.jacobian):,} of {n * n:,} entries are not zero"
    told = list(shown(entry_expressions(system.jacobian)))
    values = unguarded(x.expr for x in told)
    labels = ["" if x.hidden else _slope_name(system.jacobian[x.place], states) for x in told]
    entries = [
        left_out(x.hidden) if x.hidden else f"{label} = {expr_text(value, name)}"
        for x, label, value in zip(told, labels, values, strict=True)
    ]
    slopes = any(x.op in ("net_jacobian", "table_slope") for x in postorder(x.expr for x in told))
    note = ["", "DU(x, y)[j] is the derivative of the network (or table) U by its input j; of output i: entry (i - 1)*inputs + j"]
    return document(heading, (section(share, _pattern(system, states)), section("entries", entries + note * slopes)))


def _slope_name(e: JacobianEntry, states: list[str]) -> str:
    return f"d {states[e.row]}'/d {states[e.column]}"


def _pattern(system: EquationSystem, states: list[str]) -> list[str]:
    if len(states) > _LARGEST_PICTURE:
        return ["(too many states for a picture)"]
    places = {(e.row, e.column) for e in system.jacobian or ()}
    rows = [["", *states]]
    rows += [[f"{s}'", *("x" if (i, j) in places else "." for j in range(len(states)))] for i, s in enumerate(states)]
    return columns(rows)


def simplified(system: EquationSystem) -> EquationSystem:
    """The system with rates and definitions as `sympy.simplify` writes them: to look at, not to compute with."""
    algebra = Algebra(opaque=False)

    def simple(e: Expr) -> Expr:
        shape = shape_by_leaves(down_to_leaves(e), e, LEAVES, numbers=False)
        return instantiate((algebra.simplified(shape.expr),), shape.leaves)[0]

    return replace(
        system,
        definitions=tuple(ScalarDefinition(x.symbol, simple(x.expr), x.span) for x in system.definitions),
        rates=tuple(simple(e) for e in system.rates),
    )
