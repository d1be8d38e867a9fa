"""What was done to implicit equations, in sentences with the user's names and lines."""

from __future__ import annotations

from hybridode.equations.dae.analyse import Analysis
from hybridode.equations.dae.relations import lines
from hybridode.equations.dae.singular import names
from hybridode.equations.system import EquationSystem, Reduced
from hybridode.expr import Symbol

_TIMES = {1: "once", 2: "twice", 3: "three times"}
_MOST = 40  # lines of one kind


def report(found: Analysis, system: EquationSystem) -> tuple[Reduced, ...]:
    """What was combined, differentiated, solved and torn, and where starts come from."""
    model = found.model
    told = [Reduced(f"{lines(r.spans)} were combined into an equation without their derivatives", r.span) for r in found.combined]
    for relation, n in found.times:
        if n and relation.unknown is None:
            text = f"the equation of {lines(relation.spans)} was differentiated {_TIMES.get(n, f'{n} times')}"
            told.append(Reduced(text, relation.span))
    loops = {s for block, _ in found.loops for s in block.unknowns}
    asked = {*model.algebraics, *(s for s in found.rate.values() if s.kind == "derivative")}
    own = {r.unknown for r in model.rates.values()}
    for s, _, spans in found.definitions:
        if s in asked and s not in loops and s not in own and spans:
            told.append(Reduced(f"{names([s], model)} is computed from {lines(spans)}", spans[0]))
    for block, solved in found.loops:
        spans = [span for r in block.relations for span in r.spans]
        if len(block.unknowns) == 1:
            text = f"{names(block.unknowns, model)} is an unknown that the solver finds from {lines(spans)}"
        else:
            text = f"{lines(spans)} are solved together for {names(_plain(block.unknowns), model)}"
            text += f", torn at {names(solved.torn_first, model)}"
            text += "" if solved.torn else " (a linear loop, solved exactly)"
        told.append(Reduced(text, spans[0] if spans else None))
    return (*told[:_MOST], *_starts(found, system))


def _plain(symbols: tuple[Symbol, ...]) -> list[Symbol]:
    return [s for s in symbols if s.kind != "definition"] or list(symbols)


def _starts(found: Analysis, system: EquationSystem) -> list[Reduced]:
    initial = system.initial
    if initial is None:
        return []
    computed = [system.states[k] for k in initial.unknowns]
    soft = [system.states[k] for k in initial.soft]
    told = []
    if computed:
        follow = "follows" if len(computed) == 1 else "follow"
        told.append(Reduced(f"at the start {names(computed, found.model)} {follow} from the equations"))
    if soft:
        told.append(Reduced(f"at the start {names(soft, found.model)} must satisfy the equations as given"))
    return told
