"""The structural analysis: from relations to definitions, torn unknowns and invariants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hybridode.equations.dae.blocks import Block, triangular
from hybridode.equations.dae.differentiate import RateOf
from hybridode.equations.dae.elimination import combination, dependent
from hybridode.equations.dae.index import Graph, differentiated, graph_of, origins, require_determined
from hybridode.equations.dae.loops import Definitions
from hybridode.equations.dae.pantelides import NONE, Structure
from hybridode.equations.dae.points import Points
from hybridode.equations.dae.relations import Relation, Unreduced
from hybridode.equations.dae.singular import dependent_relations
from hybridode.equations.dae.solve import Solved, solve
from hybridode.equations.gradients import ShapeCache
from hybridode.errors import ModelError
from hybridode.expr import Symbol, symbols


@dataclass(frozen=True)
class Analysis:
    """What became of the relations of a model.

    `states` are the differential ones: the model's, then algebraic unknowns that hidden constraints give dynamics to and that
    these do not say explicitly. `rate[s]` names what a state's derivative is: a state, a definition or a torn unknown.
    `torn[i]` is the algebraic unknown that 0 = `residuals[i]` is assigned to. `invariants` follow from the rest; they read
    differential states and definitions of these. `times`: how often each relation of the model was differentiated;
    `combined`: relations that took the place of others that depended on each other. `loops`: blocks that were torn.
    """

    model: Unreduced
    states: tuple[Symbol, ...]
    rate: dict[Symbol, Symbol]
    definitions: Definitions
    torn: tuple[Symbol, ...]
    residuals: tuple[Relation, ...]
    invariants: tuple[Relation, ...]
    times: tuple[tuple[Relation, int], ...]
    combined: tuple[Relation, ...]
    loops: tuple[tuple[Block, Solved], ...]


def analyse(model: Unreduced, shapes: ShapeCache, inputs: RateOf) -> Analysis:
    """Reduces the index, orders and solves. `inputs`: the derivative of what is no unknown and no time.

    Raises ModelError where the relations do not determine the unknowns, or cannot be differentiated.
    """
    points = Points(model.near)
    combined: list[Relation] = []
    while True:
        graph = graph_of(model)
        count = len(graph.relations)
        require_determined(graph, model)
        structure = differentiated(graph, model, shapes, inputs)
        top = _top(graph, structure, model)
        found = next(((b, places) for b in top if (places := dependent(b, points)) is not None), None)
        if found is None:
            break
        model, made = _combined(model, graph, structure, *found, points)
        combined.append(made)
    lower, new, invariants = _below(graph, structure, model)
    solved = [*lower, *((b, solve(b)) for b in top)]
    times = [0] * count
    for origin, level in zip(*origins(structure), strict=True):
        times[origin] = max(times[origin], level)
    return Analysis(
        model=model,
        states=(*model.states, *new),
        rate={s: graph.symbols[graph.derivative[graph.number[s]]] for s in (*model.states, *new)},
        definitions=tuple(d for _, s in solved for d in s.definitions),
        torn=tuple(t for _, s in solved[len(lower) :] for t in s.torn),
        residuals=tuple(r for _, s in solved[len(lower) :] for r in s.residuals),
        invariants=tuple(invariants),
        times=tuple(zip(graph.relations, times, strict=False)),
        combined=tuple(combined),
        loops=tuple((b, s) for b, s in solved if s.torn_first),
    )


def _top(graph: Graph, structure: Structure, model: Unreduced) -> tuple[Block, ...]:
    """The blocks of the highest derivatives, in order."""
    unknowns = [s for s, d in zip(graph.symbols, graph.derivative, strict=True) if d == NONE]
    found = triangular([graph.relations[e] for e in structure.top], unknowns)
    if found.relations_left or found.unknowns_left:  # what an equation reads cancels in its derivative: 0 = x - x
        raise ModelError(dependent_relations(found.relations_left, found.unknowns_left, model))
    return found.blocks


def _combined(
    model: Unreduced, graph: Graph, structure: Structure, block: Block, places: Sequence[int], points: Points
) -> tuple[Unreduced, Relation]:
    """The model with one of some dependent relations replaced by a combination that reads none of their unknowns.

    Raises ModelError where no such combination is found, or where it says nothing.
    """
    origin, level = origins(structure)
    number = {id(r): e for e, r in enumerate(graph.relations)}
    members = [number[id(block.relations[i])] for i in places]
    least = min(level[e] for e in members)
    below = {new: e for e, new in enumerate(structure.differentiated) if new != NONE}
    for _ in range(least):
        members = [below[e] for e in members]
    lowered = [graph.relations[e] for e in members]
    made = combination(lowered, _lowered(graph, block, least), points)
    base = [graph.relations[origin[e]] for e in members]
    if made is None or not any(s in graph.number for s in symbols(made.residual)):
        raise ModelError(dependent_relations(base, block.unknowns, model))
    undifferentiated = [r for e, r in zip(members, lowered, strict=True) if origin[e] == e]
    return _with(model, undifferentiated, made), made


def _with(model: Unreduced, candidates: Sequence[Relation], made: Relation) -> Unreduced:
    """The model with one of some relations replaced: an equation if there is one, else a rate, else an intermediate."""
    for e in model.equations:
        if any(e is r for r in candidates):
            return replace(model, equations=tuple(made if x is e else x for x in model.equations))
    for name, group in (("rates", model.rates), ("definitions", model.definitions)):
        for s, e in group.items():
            if any(e is r for r in candidates):
                return replace(model, **{name: {**group, s: made}})
    raise AssertionError("dependent relations are those of the model")


def _lowered(graph: Graph, block: Block, times: int) -> list[Symbol]:
    """The unknowns whose derivatives of that order are a block's."""
    lower = {d: v for v, d in enumerate(graph.derivative)}
    found = []
    for s in block.unknowns:
        v = graph.number[s]
        for _ in range(times):
            v = lower.get(v, NONE)
        if v != NONE:
            found.append(graph.symbols[v])
    return found


def _below(
    graph: Graph, structure: Structure, model: Unreduced
) -> tuple[list[tuple[Block, Solved]], list[Symbol], list[Relation]]:
    """What the lower forms of differentiated relations say: blocks that they solve, unknowns that become states, invariants."""
    lower = [graph.relations[e] for e, d in enumerate(structure.differentiated) if d != NONE]
    states = set(model.states)
    unknowns = [s for s, d in zip(graph.symbols, graph.derivative, strict=True) if d != NONE and s not in states]
    found = triangular(lower, unknowns)
    solved = [(b, solve(b)) for b in found.blocks]
    new = [*found.unknowns_left, *(s for _, x in solved for s in x.torn)]
    return solved, new, [*found.relations_left, *(r for _, x in solved for r in x.residuals)]
