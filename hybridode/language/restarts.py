"""Starts: circles among them, and `x(0)` read in dynamics, where it stands for what the start is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from hybridode.declarations import Algebraic, Assignment, AtEvent, Definition, Equation, Observation, Parameter, State, WhenEvent
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, postorder, substitute, sym, symbols
from hybridode.language.findings import Findings
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.later import refuse
from hybridode.rolled import symbols_read

_OTHERS = frozenset(
    {"state", "algebraic", "definition", "start", "derivative", "input_rate"}
)  # what makes a start depend on others


class Model(NamedTuple):
    """The parts of a model in which `x(0)` may be read."""

    states: list[State]
    definitions: list[Definition]
    observations: list[Observation]
    at_events: list[AtEvent]
    when_events: list[WhenEvent]
    algebraics: list[Algebraic]
    equations: list[Equation]


def entries(definitions: Iterable[Definition]) -> dict[Symbol, Expr]:
    """What each intermediate is, entry by entry."""
    return {Symbol("definition", d.name, i if d.shape else -1): e for d in definitions for i, e in enumerate(d.elements)}


def _entries(model: Model) -> dict[Symbol, Expr]:
    """What each state is at the start, where the search for each algebraic unknown begins, and what each intermediate means."""
    starts = {Symbol("state", st.name, i if st.shape else -1): e for st in model.states for i, e in enumerate(st.start)}
    guesses = {Symbol("algebraic", a.name, i if a.shape else -1): e for a in model.algebraics for i, e in enumerate(a.guess)}
    return starts | guesses | entries(model.definitions)


def _needed(symbol: Symbol, known: Mapping[Symbol, Expr]) -> list[Symbol]:
    """The states and definitions whose starts this one's start needs."""
    meant = [m for s in symbols(known[symbol]) for m in (s, *_kinds_of_start(s))]
    return [m for m in meant if m in known]


def _kinds_of_start(s: Symbol) -> tuple[Symbol, ...]:
    return (s._replace(kind="state"), s._replace(kind="definition")) if s.kind == "start" else ()


def start_circles(model: Model, findings: Findings) -> bool:
    """Reports starts that need each other, directly or through definitions; True if there are any."""
    begins = [("state", st.name, st.shape, st.start) for st in model.states]
    begins += [("algebraic", a.name, a.shape, a.guess) for a in model.algebraics]
    if not any(s.kind in _OTHERS for *_, elements in begins for s in symbols_read(elements)):
        return False
    places = {i.name: i.span for i in (*model.states, *model.algebraics, *model.definitions) if i.span is not None}
    known = _entries(model)
    edges: dict[str, list[str]] = {}
    shown: dict[str, Symbol] = {}
    found = False
    work = [Symbol(kind, name, i if shape else -1) for kind, name, shape, elements in begins for i in range(len(elements))]
    while work:
        symbol = work.pop()
        key = f"{symbol.kind} {symbol}"
        if key in edges:
            continue
        shown[key] = symbol
        read = _needed(symbol, known)
        edges[key] = [f"{s.kind} {s}" for s in read]
        work += read
        found = _reads_rate(symbol, known[symbol], places, findings) or found
    for component in components(edges, edges):
        if is_circle(component, edges) and any(shown[key].kind in ("state", "algebraic") for key in component):
            way = circle(sorted(component, key=lambda k: _place_in_file(shown[k], places)), edges)
            names = [f"`{shown[k]}(0)`" if shown[k].kind == "state" else f"`{shown[k]}`" for k in way]
            at = [places.get(shown[k].name) for k in way]
            related = [(p, f"{a} needs {b}") for p, a, b in zip(at[1:], names[1:], names[2:], strict=False) if p is not None]
            first = at[0]
            assert first is not None
            findings.error(
                "E0306",
                f"starts in a circle: {' needs '.join(names)}" if len(names) > 2 else f"{names[0]} needs itself",
                first,
                "give one of them a value",
                related,
            )
            found = True
    return found


def _reads_rate(symbol: Symbol, e: Expr, places: Mapping[str, Span], findings: Findings) -> bool:
    """A start that reads a derivative: the derivative is known only once all starts are."""
    rate = next((s for s in symbols(e) if s.kind in ("derivative", "input_rate")), None)
    if rate is not None and symbol.name in places:
        message = f"a start needs `{symbol}`, which reads `{rate}'`: derivatives are not known before the start"
        findings.error("E0318", message, places[symbol.name], "write what the start is without the derivative")
    return rate is not None


def _place_in_file(s: Symbol, places: Mapping[str, Span]) -> tuple[bool, int]:
    return s.kind != "state", places[s.name].start if s.name in places else 0


def resolve(model: Model, origin: Expr | None, place: Span, findings: Findings) -> Model:
    """Every `x(0)` in dynamics, definitions, observations and events replaced by what the start is made of."""
    waiting = dict.fromkeys(s for roots in _roots(model) for s in symbols(*roots) if s.kind == "start")
    meaning = meanings(model, waiting, origin)
    for symbol, e in meaning.items():
        if e is None:
            report_unknown_start(model, symbol, place, findings)
            return model
    return _substituted(model, {k: v for k, v in meaning.items() if v is not None})


def starts_read(model: Model) -> frozenset[str]:
    """States whose starts stand written out where dynamics read `x(0)`, directly or through the start of another."""
    return _reached(model, [s for roots in _roots(model) for s in symbols(*roots) if s.kind == "start"])


def read_by_starts(model: Model) -> frozenset[str]:
    """States whose starts the starts of others read, directly or through definitions."""
    read = [s for st in model.states for s in symbols_read(st.start) if s.kind in _OTHERS]
    return _reached(model, [meant for s in read for meant in (s, *_kinds_of_start(s))])


def _reached(model: Model, work: list[Symbol]) -> frozenset[str]:
    """The states among these symbols and those that their starts need."""
    if not work:
        return frozenset()
    known = _entries(model)
    seen: set[Symbol] = set()
    while work:
        symbol = work.pop()
        for s in (symbol, *_kinds_of_start(symbol)):
            if s in known and s not in seen:
                seen.add(s)
                work += _needed(s, known)
    return frozenset(s.name for s in seen if s.kind == "state")


def with_numbers_as_parameters(model: Model, read: frozenset[str]) -> tuple[Model, list[Parameter]]:
    """Starts among those `read` that are plain numbers become parameters that no fit learns: whoever sets `x(0)` sets it wherever
    it is read."""
    computed = {s.name for s in _computed(model)}
    made: list[Parameter] = []

    def one(st: State) -> State:
        if st.name not in read or st.name in computed or symbols_read(st.start) or any(e.value is None for e in st.start):
            return st
        name, values = f"{st.name}(0)", tuple(e.value or 0.0 for e in st.start)
        made.append(Parameter(name, values, st.shape, st.unit, fixed=True, span=st.span, start_of=st.name))
        return replace(st, start=tuple(sym("parameter", name, i if st.shape else -1) for i in range(len(values))))

    return model._replace(states=[one(st) for st in model.states]), made


def report_unknown_start(model: Model, symbol: Symbol, place: Span, findings: Findings) -> None:
    """Says why `x(0)` is not made of anything known: the equations determine it, or it needs the time of the start."""
    known, computed = _entries(model), _computed(model)
    work, seen = [symbol], {symbol}
    while work:
        here = work.pop()
        for s in (here, *_kinds_of_start(here)):
            if s in computed:
                because = "" if s.name == symbol.name else f", which needs `{s}`,"
                message = f"`{symbol}(0)`{because} is computed from the equations and cannot be read"
                hint = f"say what it is: `{s.name}(0) = …`" if s.kind == "state" else f"make `{symbol.name}(0)` known"
                findings.error("E0334", message, place, hint)
                return
            new = [x for x in (_needed(s, known) if s in known else ()) if x not in seen]
            seen.update(new)
            work += new
    refuse(findings, "restart", place, f"reading `{symbol}(0)`, which depends on the time of the start,")


def _computed(model: Model) -> set[Symbol]:
    """What equations that hold together may determine at the start: algebraic unknowns, and states whose start is not given."""
    if not model.equations:
        return set()
    items = [("algebraic", a.name, a.shape, len(a.guess)) for a in model.algebraics]
    items += [("state", st.name, st.shape, len(st.start)) for st in model.states if not st.start_given]
    return {Symbol(kind, name, i if shape else -1) for kind, name, shape, n in items for i in range(n)}


def meanings(model: Model, waiting: Iterable[Symbol], origin: Expr | None) -> dict[Symbol, Expr | None]:
    """What each `x(0)` (a symbol of kind "start") is made of; None where that needs the time of the start."""
    starts = _expanded(_entries(model), _computed(model), origin)
    return {symbol: starts.get(symbol) for symbol in waiting}


def _roots(model: Model) -> Iterable[Sequence[Expr]]:
    yield from (state.rate for state in model.states)
    yield from (equation.residuals for equation in model.equations)
    yield from (d.elements for d in model.definitions)
    yield from (tuple(e for _, e in o.arguments) for o in model.observations)
    yield from (tuple(a.value for a in event.assignments) for event in (*model.at_events, *model.when_events))
    yield from ((event.condition,) for event in model.when_events)


def _expanded(known: Mapping[Symbol, Expr], computed: set[Symbol], origin: Expr | None) -> dict[Symbol, Expr | None]:
    """`x(0)` → an expression of parameters, constants and inputs at the start; None where that is impossible."""
    done: dict[Symbol, Expr | None] = {}
    stack = list(known)
    while stack:
        symbol = stack[-1]
        if symbol in done:
            stack.pop()
            continue
        missing = [s for s in _needed(symbol, known) if s not in done]
        if missing:
            stack += missing
            continue
        stack.pop()
        done[symbol] = None if symbol in computed else _at_start(known[symbol], done, origin)
    return {s._replace(kind="start"): e for s, e in done.items()}


def _at_start(e: Expr, done: Mapping[Symbol, Expr | None], origin: Expr | None) -> Expr | None:
    values: dict[Symbol, Expr] = {}
    for node in postorder((e,)):
        if node.op != "sym":
            continue
        s: Symbol = node.data
        meant: Expr | None = node
        if s.kind in ("state", "algebraic", "definition", "start"):
            meant = next((done[m] for m in (s, *_kinds_of_start(s)) if m in done), None)
        elif s.kind == "input":
            meant = sym("start_input", s.name, s.index)
        elif s.kind == "time":
            meant = origin
        elif s.kind in ("derivative", "input_rate"):
            meant = None
        if meant is None:
            return None
        values[s] = meant
    return substitute((e,), values)[0]


def _substituted(model: Model, values: dict[Symbol, Expr]) -> Model:
    def new(elements: Sequence[Expr]) -> tuple[Expr, ...]:
        return substitute(elements, values)

    def changed(event: AtEvent | WhenEvent) -> tuple[Assignment, ...]:
        return tuple(replace(a, value=new((a.value,))[0]) for a in event.assignments)

    return Model(
        [replace(st, rate=new(st.rate)) for st in model.states],
        [replace(d, elements=new(d.elements)) for d in model.definitions],
        [replace(o, arguments=tuple((n, *new((e,))) for n, e in o.arguments)) for o in model.observations],
        [replace(ev, assignments=changed(ev)) for ev in model.at_events],
        [replace(ev, condition=new((ev.condition,))[0], assignments=changed(ev)) for ev in model.when_events],
        model.algebraics,
        [replace(equation, residuals=new(equation.residuals)) for equation in model.equations],
    )
