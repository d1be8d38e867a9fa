"""Syntax tree → `Declarations`: every semantic check, in the order of a reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hybridode.collector import without_collector
from hybridode.declarations import Declarations, InputSignal, Parameter, State, Table
from hybridode.errors import Diagnostic, ModelError, Source, in_order
from hybridode.language import advice, balance, circles, restarts
from hybridode.language import syntax as s
from hybridode.language.algebra import algebraic, equation
from hybridode.language.collect import Collected, collect, declared_units
from hybridode.language.definitions import definitions
from hybridode.language.doses import doses
from hybridode.language.dynamics import orders, state
from hybridode.language.elaborate import elaboration
from hybridode.language.events import at_event
from hybridode.language.findings import Findings
from hybridode.language.frames import Elaboration
from hybridode.language.functions_check import functions
from hybridode.language.later import refuse
from hybridode.language.networks import named_network
from hybridode.language.observe import learnt_starts, observations, priors
from hybridode.language.quantities import constants, declared_shape, parameter, unit_text
from hybridode.language.queries import constant_value, elaborate_expression
from hybridode.language.reader import parse
from hybridode.language.signals import input_signal, table
from hybridode.language.structure import sort_equations
from hybridode.language.time_origin import time_date, time_origin
from hybridode.language.units_text import LiteralUnits
from hybridode.language.when_events import when_events

__all__ = ["constant_value", "declare", "declare_tree", "elaborate_expression"]

_UNREADABLE = ("E0138", "E0141")  # another dialect, or too large: what was read means nothing


def declare(source: Source) -> Declarations:
    """The checked model of a text. Raises ModelError with every mistake of the file, in order of place."""
    tree, syntax_errors = parse(source)
    return declare_tree(source, tree, syntax_errors)


def declare_tree(source: Source, tree: s.File, syntax_errors: Sequence[Diagnostic] = ()) -> Declarations:
    """The checked model of a syntax tree; `syntax_errors` are those of the statements that are missing from it."""
    if any(d.code in _UNREADABLE for d in syntax_errors):
        raise ModelError(in_order(syntax_errors))
    findings = Findings(source, syntax_errors)
    with without_collector():
        model = _read(tree, findings, syntax_errors)
    if findings.failed or model is None:
        raise ModelError(findings.all())
    return model


def _read(tree: s.File, findings: Findings, syntax_errors: Sequence[Diagnostic]) -> Declarations | None:
    """All checks, from names to warnings. What is wrong is left out of the result, which is then not used."""
    found = collect(tree, findings, syntax_errors)
    equations = sort_equations(found.statements, found.scope, findings)
    literals = LiteralUnits(declared_units(tree.statements))
    el = elaboration(found.scope, findings, literals)

    el.functions = functions([st for st in found.of(s.FunctionStatement) if found.owns(st)], found.scope, findings)
    const = constants(el, found.values("const"))
    _shapes(el, found)
    params = _parameters(el, found)
    inputs, tables = _signals(el, found)
    orders(el, found.values("state", "discrete"), equations)

    intermediates = definitions(el, equations)
    prior_statements = found.of(s.PriorStatement)
    learnt = learnt_starts(el, prior_statements)
    states: list[State] = []
    starts: list[Parameter] = []
    for st in found.values("state", "discrete"):
        made, learnt_here = state(el, st, equations, learnt)
        states += made
        starts += learnt_here
    unknowns = [a for st in found.values("alg") if (a := algebraic(el, st)) is not None]
    equations.written += [e for part in equations.together if (e := equation(el, part)) is not None]
    time_unit = found.time.unit if found.time is not None else None
    meanings = restarts.entries(intermediates) if found.of(s.AtStatement) or found.of(s.DoseStatement) else {}
    events = [at_event(el, st, time_unit, meanings) for st in found.of(s.AtStatement)]
    dosing = doses(el, found.of(s.DoseStatement), time_unit, meanings)
    located = [event for st in found.of(s.EventStatement) for event in when_events(el, st)]
    units = {item.name: item.unit for group in (states, params, inputs, unknowns) for item in group}
    observed = observations(el, found.of(s.ObserveStatement), units)
    prior = priors(el, prior_statements, (*params, *starts))
    origin = time_origin(el, found)
    if findings.failed or found.model is None:
        return None

    # The file is right as far as single statements go: circles through several of them, and x(0) in dynamics.
    known_times = [e for e in events if e is not None]
    parts = restarts.Model(states, intermediates, observed, known_times, located, unknowns, equations.written)
    parts = circles.without_circles(parts, equations.rate_statements(), findings)
    read_starts: frozenset[str] = frozenset()
    followed_starts: frozenset[str] = frozenset()
    if not restarts.start_circles(parts, findings):
        read_starts = restarts.starts_read(parts) if el.restarts else read_starts
        followed_starts = read_starts | restarts.read_by_starts(parts)
        parts, made = restarts.with_numbers_as_parameters(parts, followed_starts)
        starts += made
    if not findings.failed and el.restarts:
        parts = restarts.resolve(parts, origin, findings.span(el.restarts[0]), findings)
    parts.equations.sort(key=lambda e: e.span.start if e.span else 0)
    determined = balance.check(parts, equations, findings)
    if not states:
        clock = "add a clock: `state clock = 0` and `clock' = 1`; the unknowns are found along it" if unknowns else ""
        refuse(findings, "static", found.model.name, hint=clock)
    if findings.failed:
        return None
    model = Declarations(
        findings.source, found.model.name.text, found.model.doc, found.scope.time, unit_text(time_unit), origin,
        time_date(found), _units_mode(tree, found, literals), (*params, *starts), tuple(const), tuple(parts.states),
        tuple(parts.algebraics), tuple(parts.equations), tuple(parts.definitions),
        tuple(sorted(el.networks.values(), key=lambda n: n.span.start if n.span else 0)), tuple(inputs), tuple(tables),
        tuple(parts.at_events), tuple(parts.when_events), tuple(dosing), tuple(parts.observations), tuple(prior),
        starts_read=read_starts, starts_followed=followed_starts,
    )  # fmt: skip
    advice.unused(found.scope, findings)
    advice.unseen(model, determined, found.scope, findings)
    advice.kinks(el, model)
    return _with_warnings(model, findings)


def _with_warnings(model: Declarations, findings: Findings) -> Declarations:
    return replace(model, warnings=tuple(d for d in findings.all() if d.severity == "warning"))


def _shapes(el: Elaboration, found: Collected) -> None:
    """Sizes of parameters and states, which everything else may read."""
    for st in (*found.values("param"), *found.values("state", "alg", "discrete")):
        shape = declared_shape(el, st)
        if shape is not None:
            el.scope.shapes[st.name.text] = shape


def _parameters(el: Elaboration, found: Collected) -> list[Parameter]:
    made = []
    for st in found.values("param"):
        shape = el.scope.shapes.get(st.name.text)
        one = None if shape is None else parameter(el, st, shape)
        made += [one] if one is not None else []
    return made


def _signals(el: Elaboration, found: Collected) -> tuple[list[InputSignal], list[Table]]:
    """Inputs, tables and named networks."""
    for st in found.of(s.InputStatement):
        signal = input_signal(el, st) if found.owns(st) else None
        if signal is not None:
            el.inputs[signal.name] = signal
    for st in found.of(s.TableStatement):
        made = table(el, st) if found.owns(st) else None
        if made is not None:
            el.tables[made.name] = made
    for st in found.of(s.NetworkStatement):
        if found.owns(st):
            named_network(el, st)
    return list(el.inputs.values()), list(el.tables.values())


def _units_mode(tree: s.File, found: Collected, literals: LiteralUnits) -> str:
    if found.units is not None:
        return found.units.mode
    return "warn" if declared_units(tree.statements) or literals.seen_literal else ""
