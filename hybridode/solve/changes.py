"""The assignments of located events in families of one shape, from which those of a single event can be made.

Of 10,000 assignments `g[j] := g[j] + w` of 100 neurons that fire one by one, each firing needs a hundred: their shape is a small
function of columns (see `methods/located`), evaluated for an event's own members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hybridode.equations.rolling import gathered, shape_of
from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, Symbol, node, postorder, symbols
from hybridode.methods.located import ChangeFamily, Changes, Column
from hybridode.rolled import slot
from hybridode.solve.tapes import leaves_of, tape_of
from hybridode.tape.build import build

LEAST = 8  # members of a family; others are computed in full, whichever event fires
_DIRECT = ("t", "y", "p")  # inputs that columns read themselves

Members = list[tuple[int, Expr, list[Expr]]]  # (assignment, its expression, its leaves)


def change_families(system: EquationSystem) -> Changes:
    """All assignments of the system's located events."""
    assignments = [a for e in system.when_events for a in e.assignments]
    counts = np.array([len(e.assignments) for e in system.when_events])
    event = np.repeat(np.arange(len(counts)), counts)
    groups, rest = _groups([a.expr for a in assignments])
    computed: dict[str, Sequence[Expr]] = {}
    families = []
    for members in [*groups, rest]:
        if not members:
            continue
        at = [k for k, _, _ in members]
        first = np.searchsorted(event[at], np.arange(len(counts) + 1)).tolist()
        states = tuple([assignments[k].state for k in at])
        if members is rest:
            template, columns = slot(0), [[e for _, e, _ in members]]
        else:
            family = gathered(members).family
            template, columns = family.template, [list(c) for c in family.columns]  # type: ignore[arg-type]
        families.append(_family(system, template, columns, tuple(first), states, computed))
    return Changes(tuple(families), tape_of(system, computed) if computed else None)


def _groups(exprs: Sequence[Expr]) -> tuple[list[Members], Members]:
    """Assignments of one shape and the same kinds of leaves, and those that are left over, all in their order."""
    groups: dict[object, Members] = {}
    seen: dict[Expr, tuple[object, list[Expr]]] = {}
    for k, e in enumerate(exprs):
        if e not in seen:
            key, leaves = shape_of(e, numbers=True)
            kinds = tuple(leaf.data.kind if leaf.op == "sym" else leaf.op for leaf in leaves)
            nets = any(part.op in ("net", "out") for part in postorder((e,)))
            seen[e] = (None if nets else (key, kinds)), leaves
        key, leaves = seen[e]
        groups.setdefault(key, []).append((k, e, leaves))
    few = [m for key, members in groups.items() for m in members if key is None or len(members) < LEAST]
    return [m for key, m in groups.items() if key is not None and len(m) >= LEAST], sorted(few, key=lambda m: m[0])


def _family(system: EquationSystem, template: Expr, columns: list[list[Expr]], first: tuple[int, ...], states: tuple[int, ...],
            computed: dict[str, Sequence[Expr]]) -> ChangeFamily:  # fmt: skip
    """`computed` gets the vectors that its columns read from the families' `before`."""
    shared = [s for s in symbols(template) if s.kind != "slot"]
    columns = [*columns, *([node("sym", (), s)] for s in shared)]
    inputs = {Symbol("slot", "", k): (f"x{k}", -1) for k in range(len(columns) - len(shared))}
    inputs |= {s: (f"x{len(columns) - len(shared) + k}", -1) for k, s in enumerate(shared)}
    tables = {t.name: t for t in system.declarations.tables}
    body = build({"value": [template]}, inputs, tables=tables)
    leaves = leaves_of(system)
    made = tuple([_column(column, leaves, computed) for column in columns])
    return ChangeFamily(body, made, first, states)


def _column(column: list[Expr], leaves: Mapping[Symbol, tuple[str, int]], computed: dict[str, Sequence[Expr]]) -> Column:
    if all(e.op == "const" for e in column):
        return Column(numbers=tuple([float(e.data) for e in column]))
    found = [leaves.get(e.data, ("", 0)) if e.op == "sym" else ("", 0) for e in column]
    source = found[0][0]
    if source in _DIRECT and all(name == source for name, _ in found):
        return Column(source, tuple([max(place, 0) for _, place in found]))
    output = f"x{len(computed)}"
    computed[output] = column
    return Column(places=tuple(range(len(column))), output=output)
