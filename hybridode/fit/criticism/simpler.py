"""Other models of the same data, made from a hybrid's declarations: the physics alone, a network alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hybridode.declarations import Assignment, Declarations, Network, Observation, State, entry_names, size
from hybridode.expr import ZERO, Expr, node, postorder, rebuild, sym, symbols
from hybridode.rolled import Rolled

RATES = "learnt_rates"  # the network of the pure network
MOST_STATES = 8  # of a pure network


def physics_alone(d: Declarations) -> Declarations:
    """Every network's output is 0, exactly, and nothing of it is learnt. The networks are gone (a model without them is solved
    and fitted faster) but from large families, where they are frozen."""
    if any(isinstance(e, Rolled) for e in _vectors(d)):
        return replace(d, networks=tuple(replace(n, freeze=True, out_scale=0.0, reg_l1=0.0, reg_l2=0.0) for n in d.networks))
    events = [replace(e, assignments=_silent_values(e.assignments)) for e in d.at_events]
    when = [replace(e, condition=_silent((e.condition,))[0], assignments=_silent_values(e.assignments)) for e in d.when_events]
    return replace(
        d,
        networks=(),
        states=tuple(replace(s, start=_silent(s.start), rate=_silent(s.rate)) for s in d.states),
        algebraics=tuple(replace(a, guess=_silent(a.guess)) for a in d.algebraics),
        equations=tuple(replace(e, residuals=_silent(e.residuals)) for e in d.equations),
        definitions=tuple(replace(x, elements=_silent(x.elements)) for x in d.definitions),
        at_events=tuple(events),
        when_events=tuple(when),
        observations=tuple(_silent_observation(o) for o in d.observations),
    )


def _vectors(d: Declarations) -> list[Sequence[Expr]]:
    """Everything that may be a large family."""
    found = [e for s in d.states for e in (s.start, s.rate)]
    return [*found, *(a.guess for a in d.algebraics), *(e.residuals for e in d.equations), *(x.elements for x in d.definitions)]


def _silent(elements: Sequence[Expr]) -> tuple[Expr, ...]:
    """With 0 in the place of what networks give."""
    return rebuild(elements, lambda e, args: ZERO if e.op == "out" else None)


def _silent_values(assignments: Sequence[Assignment]) -> tuple[Assignment, ...]:
    return tuple(replace(a, value=_silent((a.value,))[0]) for a in assignments)


def _silent_observation(o: Observation) -> Observation:
    arguments = tuple((name, _silent((e,))[0]) for name, e in o.arguments)
    low, high = (None if e is None else _silent((e,))[0] for e in (o.censored_below, o.censored_above))
    return replace(o, arguments=arguments, censored_below=low, censored_above=high)


def no_pure_network(d: Declarations) -> str:
    """Why there is no pure network to compare with; "" where there is."""
    entries = sum(size(s.shape) for s in d.states)
    if d.equations or d.algebraics:
        return "the model has algebraic equations"
    if d.at_events or d.when_events or d.doses or any(s.discrete for s in d.states):
        return "the model has events or doses"
    if entries > MOST_STATES:
        return f"{entries} states are more than {MOST_STATES}"
    if all(s.velocity_of == "" and _is_velocity(d, s) for s in d.states):
        return "no rate is there to be learnt"
    return ""


def pure_network(d: Declarations) -> Declarations:
    """The same states, starts and observations; one network of all states (and inputs) says how fast they change. A position
    still changes by its velocity. Its units, activation and penalty are those of the hybrid's networks together."""
    learnt = learnt_states(d)
    read = [sym("state", s.name, i if s.shape else -1) for s in d.states for i in range(size(s.shape))]
    read += [sym("input", s.name, i if s.shape else -1) for s in d.inputs for i in range(len(s.columns))]
    count = sum(size(s.shape) for s in learnt)
    network = _network(d.networks, len(read), count)
    value = node("net", read, RATES)
    states, place = [], 0
    for s in d.states:
        if s not in learnt:
            states.append(s)
            continue
        states.append(replace(s, rate=tuple(node("out", (value,), place + i) for i in range(size(s.shape)))))
        place += size(s.shape)
    return _tidy(replace(d, states=tuple(states), networks=(*d.networks, network)))


def learnt_states(d: Declarations) -> list[State]:
    """Those whose rates a pure network says."""
    return [s for s in d.states if not _is_velocity(d, s)]


def _is_velocity(d: Declarations, s: State) -> bool:
    """Whether the rate of a state is its own velocity (`x''` made one)."""
    return any(v.velocity_of == s.name for v in d.states)


def _network(networks: Sequence[Network], inputs: int, outputs: int) -> Network:
    first = networks[0]
    hidden = min(max(sum(n.hidden[0] if n.hidden else 1 for n in networks), 4), 16)
    act = first.act if first.act != "linear" else "tanh"
    return Network(RATES, inputs, (outputs,), (hidden,), act, reg_l2=max(max(n.reg_l2 for n in networks), 0.1))


def _tidy(d: Declarations) -> Declarations:
    """Without what nothing reads any more: definitions, networks, priors; parameters that nothing reads are not learnt."""
    roots: list[Expr] = [e for s in d.states for e in (*s.start, *s.rate)]
    roots += [e for o in d.observations for _, e in o.arguments]
    roots += [e for o in d.observations for e in (o.censored_below, o.censored_above) if e is not None]
    bodies = {definition.name: definition for definition in d.definitions}
    reached: set[str] = set()
    fresh = _definitions(roots)
    while fresh:
        reached |= fresh
        more = [e for name in fresh for e in bodies[name].elements]
        roots += more
        fresh = _definitions(more) - reached
    networks = {e.data for e in postorder(roots) if e.op == "net"}
    parameters = {s.name for s in symbols(*roots) if s.kind == "parameter"}
    return replace(
        d,
        definitions=tuple(x for x in d.definitions if x.name in reached),
        networks=tuple(n for n in d.networks if n.name in networks),
        parameters=tuple(p if p.name in parameters else replace(p, fixed=True) for p in d.parameters),
        priors=tuple(p for p in d.priors if p.parameter in parameters),
    )


def _definitions(roots: Iterable[Expr]) -> set[str]:
    return {s.name for s in symbols(*roots) if s.kind == "definition"}


def learnt_names(d: Declarations) -> set[str]:
    """Names that `set` and `fix` may use: of parameters, constants and their entries."""
    return {n for p in (*d.parameters, *d.constants) for n in (p.name, *entry_names(p.name, p.shape))}
