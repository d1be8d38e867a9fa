"""What was done to implicit equations, in sentences with the user's names and lines."""

from __future__ import annotations

from hybridode.equations.dae.analyse import Analysis
from hybridode.equations.dae.relations import lines
from hybridode.equations.dae.singular import names
from hybridode.equations.system import EquationSystem, Reduced
from hybridode.errors import Span
from hybridode.expr import Symbol

_TIMES = {1: "once", 2: "twice", 3: "three times"}
_MOST = 40  # sentences
_MOST_ENTRIES = 4  # of a vector


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
    told += _computed(found, [s for s, _, _ in found.definitions if s in asked and s not in loops and s not in own])
    for block, solved in found.loops:
        spans = [span for r in block.relations for span in r.spans]
        if solved.torn and set(solved.torn) <= set(found.states):
            what = "is a state that moves" if len(solved.torn) == 1 else "are states that move"
            text = f"{names(solved.torn, model)} {what} as the derivative of {lines(spans)} says"
        elif len(block.unknowns) == 1:
            text = f"{names(block.unknowns, model)} is an unknown that the solver finds from {lines(spans)}"
        else:
            text = f"{lines(spans)} are solved together for {names(_plain(block.unknowns), model)}"
            text += f", torn at {names(solved.torn_first, model)}"
            text += "" if solved.torn else " (a linear loop, solved exactly)"
        told.append(Reduced(text, spans[0] if spans else None))
    told = list(dict.fromkeys(told))
    more = [Reduced(f"… and {len(told) - _MOST} more")] if len(told) > _MOST else []
    return (*told[:_MOST], *more, *_starts(found, system))


def _computed(found: Analysis, wanted: list[Symbol]) -> list[Reduced]:
    """What is solved for alone, entries of a vector from the same lines together."""
    spans = {s: at for s, _, at in found.definitions}
    groups: dict[tuple[str, str, tuple[Span, ...]], list[Symbol]] = {}
    for s in wanted:
        if spans[s]:
            groups.setdefault((s.kind, s.name, spans[s]), []).append(s)
    told = []
    for (_, _, at), group in groups.items():
        entries = "" if len(group) <= _MOST_ENTRIES else f" and {len(group) - _MOST_ENTRIES} other entries"
        verb = "is" if len(group) == 1 else "are"
        named = ", ".join(f"`{found.model.name(s)}`" for s in group[:_MOST_ENTRIES])
        told.append(Reduced(f"{named}{entries} {verb} computed from {lines(at)}", at[0]))
    return told


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
