"""Warnings about a model that is right: unused names, what no observation can see, kinks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hybridode.declarations import (
    MOST_LOCATED_CHOICES,
    MOST_STATES_WITH_LOCATED_CHOICES,
    AtEvent,
    Declarations,
    WhenEvent,
    size,
)
from hybridode.expr import Expr
from hybridode.language import syntax as s
from hybridode.language.balance import Determined
from hybridode.language.findings import Findings
from hybridode.language.frames import Elaboration, Usage
from hybridode.language.scope import KINDS, Scope
from hybridode.rolled import parts

_UNKNOWN = ("algebraic", "state")
Key = tuple[str, str]  # ("state", name), ("definition", name), ("parameter", name), ("net", name), …


def unused(scope: Scope, findings: Findings) -> None:
    """Names that nothing reads."""
    for entity in scope.of_kind("param", "const", "input", "func", "nn", "table"):
        if entity.name not in scope.used and entity.span is not None:
            what = KINDS[entity.kind].split(" ", 1)[1]
            findings.warn("W0201", f"the {what} `{entity.name}` is not used", entity.span, "delete the line, or use the name")


def reads(elements: Iterable[Expr]) -> set[Key]:
    """What expressions read directly. The derivative of a state reads the state's dynamics, as the state itself does."""
    found: set[Key] = set()
    for e in parts(elements):
        if e.op == "sym":
            kind = "state" if e.data.kind == "derivative" else e.data.kind
            found.add((kind, e.data.name))
        elif e.op == "net":
            found.add(("net", e.data))
    return found


def _graph(model: Declarations, determined: Determined) -> dict[Key, set[Key]]:
    """name -> the names that it depends on."""
    highest = {state.name.rstrip("'"): ("state", state.name) for state in model.states}
    keys = highest | {a.name: ("algebraic", a.name) for a in model.algebraics}
    keys |= {d.name: ("definition", d.name) for d in model.definitions}
    edges: dict[Key, set[Key]] = {("definition", d.name): reads(d.elements) for d in model.definitions}
    for state in model.states:
        edges[("state", state.name)] = reads(state.start)
    edges |= {("algebraic", a.name): set() for a in model.algebraics}
    for state in model.states:
        own = {state.name.rstrip("'")} if keys[state.name.rstrip("'")][1] == state.name else set()
        for name in determined.get(("rate", state.name), own):
            edges[keys[name]] |= reads(state.rate)
        if not own:
            edges[("state", state.name)] |= reads(state.rate)
    rows = [(("equation", number), equation.residuals) for number, equation in enumerate(model.equations)]
    rows += [(("definition", d.name), d.elements) for d in model.definitions]
    for row, elements in rows:
        for name in determined.get(row, ()):
            edges[keys[name]] |= reads(elements)
    for event in (*model.at_events, *model.when_events):
        times = _times(event)
        for assignment in event.assignments:
            edges[("state", assignment.state)] |= times | reads((assignment.value,))
    for dose in model.doses:
        edges[("state", dose.state)] |= reads(dose.options.values())
    return edges


def _times(event: AtEvent | WhenEvent) -> set[Key]:
    """What the times of an event depend on."""
    if isinstance(event, WhenEvent):
        return reads((event.condition,))
    return reads(e for e in (event.time, event.every, event.until) if e is not None)


def _reached(roots: Iterable[Key], edges: Mapping[Key, set[Key]]) -> set[Key]:
    found: set[Key] = set()
    work = list(roots)
    while work:
        key = work.pop()
        if key not in found:
            found.add(key)
            work += edges.get(key, ())
    return found


def unseen(model: Declarations, determined: Determined, scope: Scope, findings: Findings) -> None:
    """Learnable numbers that nothing observed depends on: data cannot say anything about them."""
    edges = _graph(model, determined)
    roots: set[Key] = set()
    for o in model.observations:
        limits = (e for e in (o.censored_below, o.censored_above) if e is not None)
        roots |= reads((*(e for _, e in o.arguments), *limits))
    what = "no observation depends on" if model.observations else "no state depends on"
    if not model.observations:
        roots = {("state", state.name) for state in model.states} | {("algebraic", a.name) for a in model.algebraics}
    reached = _reached(roots, edges)
    for p in model.parameters:
        known = p.start_of or p.name in scope.used
        if known and not p.fixed and ("parameter", p.name) not in reached and p.span is not None:
            hint = "it cannot be learnt: observe more, write `fixed`, or delete it"
            findings.warn("W0304", f"{what} `{p.name}`", p.span, hint)
    for n in model.networks:
        if (n.inline or n.name in scope.used) and not n.freeze and ("net", n.name) not in reached and n.span is not None:
            findings.warn("W0304", f"{what} the network `{n.name}`", n.span, "it cannot be learnt: observe more, or delete it")


def kinks(el: Elaboration, model: Declarations) -> None:
    """`if`s in dynamics whose condition depends on time or state and is not located: kinks for the step control (rule B12)."""
    if not el.conditions:
        return
    edges: dict[Key, set[Key]] = {("definition", d.name): reads(d.elements) for d in model.definitions}
    moving: dict[Key, bool] = {}
    still = {("state", state.name) for state in model.states if state.discrete}
    moved = [*(state.rate for state in model.states), *(equation.residuals for equation in model.equations)]
    in_dynamics = _reached({key for elements in moved for key in reads(elements)}, edges)
    states = {state.name.rstrip("'") for state in model.states} | {a.name for a in model.algebraics}
    found: list[tuple[s.Node, Usage]] = []
    for node, condition, usage in el.conditions:
        if usage.equation not in states and ("definition", usage.equation) not in in_dynamics:
            continue
        keys = frozenset(reads(condition))
        if any(_moves(key, edges, moving, still) for key in keys):
            found.append((node, usage))
    if _located(model, found):
        return
    for node, usage in found:
        message = f"the choice here changes while the model runs: {usage.what} has a kink"
        hint = "the solver takes small steps there; a smooth switch is `step(x, k)`"
        el.findings.warn("W0305", message, node, hint)


def _located(model: Declarations, choices: list[tuple[s.Node, Usage]]) -> bool:
    """Whether the native engine lands on all of them: no more than it looks at, in a small model of explicit rates."""
    entries = {d.name: size(d.shape) for d in (*model.definitions, *model.states)}
    conditions = sum(entries.get(usage.equation, 1) for _, usage in choices)
    states = sum(size(state.shape) for state in model.states)
    return not model.equations and conditions <= MOST_LOCATED_CHOICES and states <= MOST_STATES_WITH_LOCATED_CHOICES


def _moves(key: Key, edges: Mapping[Key, set[Key]], known: dict[Key, bool], still: set[Key]) -> bool:
    """Whether a name depends on time, on an algebraic unknown or on a state that is not `still` between events."""
    if key not in known:
        known[key] = any(k not in still and k[0] in ("time", *_UNKNOWN) for k in _reached([key], edges))
    return known[key]
