"""The checked model as text: what was understood, and which network stands where."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hybridode.declarations import (
    Algebraic,
    AtEvent,
    Declarations,
    Dose,
    Equation,
    InputSignal,
    Network,
    Parameter,
    State,
    Table,
    WhenEvent,
    entry_names,
)
from hybridode.equations.names import is_velocity, two_sides, user_names
from hybridode.expr import Expr, Symbol, number_text
from hybridode.expr import show as expr_text
from hybridode.rolled import shown
from hybridode.show.layout import columns, counted, document, entries_text, left_out, section

_SHOWN = 6  # numbers of a vector that are shown
Names = Callable[[Symbol], str]


def model_text(d: Declarations) -> str:
    """Everything that a file declares, in the user's names."""
    name = user_names(d)
    learnt = sum(not p.fixed for p in d.parameters)
    sections = (
        section("time", [_time(d, name)]),
        section(counted(len(d.states), "state"), columns([row for s in d.states for row in _state(s, d, name)])),
        section(
            counted(len(d.algebraics), "algebraic unknown"), columns([row for a in d.algebraics for row in _unknown(a, name)])
        ),
        section(
            f"{counted(len(d.parameters), 'parameter')}, {learnt} of them learnt", columns([_parameter(p) for p in d.parameters])
        ),
        section(
            counted(len(d.constants), "constant"),
            columns([(c.name, f"= {_numbers(c.values)}", _unit(c.unit), _doc(c.doc)) for c in d.constants]),
        ),
        networks_section(d),
        section(counted(len(d.inputs), "input"), columns([_input(i) for i in d.inputs])),
        section(counted(len(d.tables), "table"), [_table(t) for t in d.tables]),
        section("equations", [line for s in d.states for line in _dynamics(s, name)]),
        section("equations that hold together", [line for e in d.equations for line in _together(e, name)]),
        section(
            "definitions",
            [line for x in d.definitions for line in entries_text(entry_names(x.name, x.shape), "", x.elements, name)],
        ),
        section("at known times", [_event(e, name) for e in d.at_events]),
        section(counted(len(d.doses), "dose"), [_dose(x, name) for x in d.doses]),
        section(counted(len(d.when_events), "event"), [_located(e, name) for e in d.when_events]),
        section("observed", _observed(d, name)),
        section("priors", _priors(d, name)),
        section("warnings", [f"{w.span.line if w.span else ''}: {w.code} {w.message}" for w in d.warnings]),
    )
    return document(f"{d.name}{f' – {d.doc}' if d.doc else ''}", sections)


def networks_section(d: Declarations) -> str:
    """Which network is which: inputs, layers, number of weights, where it stands."""
    return section(counted(len(d.networks), "network"), [line for n in d.networks for line in _network(n)])


# ---- rows -----------------------------------------------------------------------------------------------------------
def _numbers(values: Sequence[float]) -> str:
    if len(values) == 1:
        return number_text(values[0])
    shown = ", ".join(number_text(v) for v in values[:_SHOWN])
    return f"[{shown}]" if len(values) <= _SHOWN else f"[{shown}, … {len(values)} in all]"


def _unit(unit: str) -> str:
    return f"[{unit}]" if unit else ""


def _doc(doc: str) -> str:
    return f'"{doc}"' if doc else ""


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]" if shape else ""


def _time(d: Declarations, name: Names) -> str:
    unit = f" {_unit(d.time_unit)}" if d.time_unit else ""
    if d.time_date:
        return f"{d.time}{unit} from {d.time_date}, where it is 0"
    if d.time_origin is not None:
        return f"{d.time}{unit} from {expr_text(d.time_origin, name)}"
    return f"{d.time}{unit} from the first record of the data, 0 without data"


def _state(s: State, d: Declarations, name: Names) -> list[tuple[str, ...]]:
    """One row, or one per entry where they start differently."""
    learnt = next((p for p in d.parameters if p.start_of == s.name), None)
    if learnt is not None:
        words = "learnt" + (f" by {learnt.by}" if learnt.by else "")
        return [(s.name + _shape(s.shape), f"starts at {_numbers(learnt.values)}, {words}", _unit(s.unit), _doc(s.doc))]
    words = "starts at" if s.start_given or not d.equations else "starts where the equations say, else at"
    return _beginning(s, s.start, words, name)


def _unknown(a: Algebraic, name: Names) -> list[tuple[str, ...]]:
    return _beginning(a, a.guess, "sought from", name)


def _beginning(item: State | Algebraic, elements: Sequence[Expr], words: str, name: Names) -> list[tuple[str, ...]]:
    about = (_unit(item.unit), _doc(item.doc))
    if len(set(elements)) == 1:  # all alike
        return [(item.name + _shape(item.shape), f"{words} {expr_text(elements[0], name)}", *about)]
    names = entry_names(item.name, item.shape)
    return [
        left_out_row(x.hidden) if x.hidden else (names[x.place], f"{words} {expr_text(x.expr, name)}", *about)
        for x in shown(elements)
    ]


def left_out_row(hidden: int) -> tuple[str, ...]:
    return "…", left_out(hidden)[2:], "", ""


def _parameter(p: Parameter) -> tuple[str, ...]:
    low = "-inf" if p.lower is None else number_text(p.lower)
    high = "inf" if p.upper is None else number_text(p.upper)
    bounds = f"in ({low}, {high})" if p.lower is not None or p.upper is not None else ""
    by = [f"by {p.by}" + "".join(f', "{label}": {_numbers(v)}' for label, v in p.groups)] if p.by else []
    how = " ".join([*([p.scale] if p.scale != "linear" else []), *(["fixed"] if p.fixed else []), *by])
    return p.name + _shape(p.shape), f"= {_numbers(p.values)}", bounds, how, _unit(p.unit), _doc(p.doc)


def _network(n: Network) -> list[str]:
    from hybridode.networks.lower import weight_shapes

    weights = sum(math.prod(shape) for shape in weight_shapes(n).values())
    outputs = math.prod(n.outputs)
    layers = " -> ".join(str(k) for k in (n.inputs, *n.hidden, outputs))
    place = f"in the equation of {n.equation}" if n.equation else "inline" if n.inline else "named, shared wherever it is called"
    line = f", line {n.span.line}" if n.span else ""
    options = {
        "final": "" if n.final == "linear" else n.final, "init": n.init, "symmetry": n.symmetry, "monotone": " ".join(n.monotone),
        "zero at": " ".join("none" if a is None else number_text(a) for a in n.zero_at),
        "positive": "yes" if n.positive else "", "frozen": "yes" if n.freeze else "",
        "l1": number_text(n.reg_l1) if n.reg_l1 else "", "l2": number_text(n.reg_l2) if n.reg_l2 else "",
        "seed": "" if n.seed is None else str(n.seed), "weights": n.weights,
    }  # fmt: skip
    inputs = f"of {', '.join(n.argument_texts)}; " if n.argument_texts else ""
    return [
        f"{n.name}: {inputs}layers {layers}, {n.act}, {counted(weights, 'weight')}",
        f"  {place}{line}; {', '.join(f'{k} {v}' for k, v in options.items() if v)}",
    ]


def _input(i: InputSignal) -> tuple[str, ...]:
    columns_ = ", ".join(f"{source}.{column}" for source, column in i.columns)
    return i.name + _shape(i.shape), f"from {columns_}", i.interpolation, _unit(i.unit), _doc(i.doc)


def _table(t: Table) -> str:
    extent = " x ".join(f"{len(axis)} points in {number_text(axis[0])} .. {number_text(axis[-1])}" for axis in t.axes)
    return f"{t.name}({', '.join(t.arguments)}): {extent}, {t.interpolation}{f' {_unit(t.unit)}' if t.unit else ''}"


def _dynamics(s: State, name: Names) -> list[str]:
    """The equations of a state; none for a position whose velocity is the state `x'`, nor for what only events change."""
    if s.discrete or s.implicit or (is_velocity(s.rate[0], s.name) and all(is_velocity(e, s.name) for e in s.rate)):
        return []
    return entries_text(entry_names(s.name, s.shape), "'", s.rate, name)


def _together(e: Equation, name: Names) -> list[str]:
    """`left = right`, an entry a line; of a large family the first two and the last."""
    lines = []
    for x in shown(e.residuals):
        left, right = (expr_text(side, name) for side in two_sides(x.expr))
        lines.append(left_out(x.hidden) if x.hidden else f"{left} = {right}")
    return lines


def _dose(dose: Dose, name: Names) -> str:
    options = [f"{word}={expr_text(e, name)}" for word, e in dose.options.items()]
    return ", ".join([f"dose {dose.target}", *options])


def _event(e: AtEvent, name: Names) -> str:
    words = [f"at {expr_text(e.time, name)}"]
    words += [f"{word} {expr_text(x, name)}" for word, x in (("every", e.every), ("until", e.until)) if x is not None]
    return f"{' '.join(words)} {{ {_actions(e, name)} }}"


def _actions(e: AtEvent | WhenEvent, name: Names) -> str:
    actions = [f"{name(Symbol('state', a.state, a.entry))} := {expr_text(a.value, name)}" for a in e.assignments]
    return "; ".join([*actions, *["stop"] * e.stop])


def _located(e: WhenEvent, name: Names) -> str:
    words = [f"{e.name} when {expr_text(e.condition, name)}"]
    words += [] if e.boolean else [e.direction]
    words += ["at start"] * e.at_start
    return f"{' '.join(words)} {{ {_actions(e, name)} }}"


def _observed(d: Declarations, name: Names) -> list[str]:
    lines = []
    for o in d.observations:
        arguments = ", ".join(f"{key}={expr_text(e, name)}" for key, e in o.arguments)
        limits = (("below", o.censored_below), ("above", o.censored_above))
        extra = [f"at {o.at}"] * bool(o.at) + [f"censored {side} {expr_text(e, name)}" for side, e in limits if e is not None]
        lines.append(" ".join([f"{o.column} ~ {o.distribution}({arguments})", *extra, *(["(inferred)"] if o.inferred else [])]))
    return lines


def _priors(d: Declarations, name: Names) -> list[str]:
    shapes = {p.name: p.shape for p in d.parameters}
    return [
        f"{p.parameter if p.entry < 0 else entry_names(p.parameter, shapes[p.parameter])[p.entry]}"
        f" ~ {p.distribution}({', '.join(f'{key}={expr_text(e, name)}' for key, e in p.arguments)})"
        for p in d.priors
    ]
