"""A model's equations as groups of typeset rows: dynamics, definitions, starts, observations."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hybridode.declarations import (
    AtEvent,
    Declarations,
    Dose,
    Equation,
    Observation,
    Prior,
    Shape,
    State,
    WhenEvent,
    entry_names,
)
from hybridode.equations.names import two_sides
from hybridode.expr import Expr, show
from hybridode.report import mathml
from hybridode.report.blocks import Fold, Math

_LONG = 90  # characters of an equation's text above which its sum is set on several lines
_ROOM = 70  # characters of one of those lines
_MOST = 60  # lines of a group that are shown
_SHOWN = 16  # lines before a fold
_FEW = 6  # entries of one vector that are all shown; of more the first two and the last

NBSP = "\N{NO-BREAK SPACE}"

DISTRIBUTIONS = {  # those whose name is not just its word capitalised
    "lognormal": "LogNormal",
    "student": "Student-t",
    "negbinomial": "NegBinomial",
    "halfnormal": "HalfNormal",
}


@dataclass(frozen=True)
class Group:
    """Equations under one heading: a `<math>` element, one of those that stand behind a fold, and how many more there are."""

    title: str
    math: str
    more: int = 0
    folded: str = ""
    count: int = 0  # of lines behind the fold


Line = tuple[str, str, str]  # left side, relation, right side


def equation_groups(declarations: Declarations) -> list[Group]:
    """Everything that the report typesets, in reading order; empty groups are left out."""
    d = declarations
    notation = mathml.Notation(d.time, frozenset(n.name for n in d.networks if n.outputs))
    groups = (
        ("Dynamics", [line for s in d.states for line in _abridged(_dynamics(s, notation))]),
        ("Equations that hold together", [line for e in d.equations for line in _together(e, notation)]),
        ("Definitions", [line for x in d.definitions for line in _abridged(_entries(x.name, x.shape, x.elements, notation))]),
        (
            "At the start",
            [line for s in d.states if s.start_given or not d.equations for line in _abridged(_starts(s, d, notation))],
        ),
        ("At known times", [line for event in d.at_events for line in _event(event, d, notation)]),
        ("Doses", [line for dose in d.doses for line in _dose(dose, notation)]),
        ("Events", [line for event in d.when_events for line in _located(event, d, notation)]),
        ("What is observed", [line for part in _together_named(d.observations) for line in _abridged(_observed(part, notation))]),
        ("What is known beforehand", [_prior(p, notation) for p in d.priors]),
    )
    return [_group(title, lines) for title, lines in groups if lines]


def _group(title: str, lines: Sequence[Line]) -> Group:
    more, shown = max(0, len(lines) - _MOST), _SHOWN if len(lines) > _SHOWN + 3 else len(lines)
    rest = lines[shown:_MOST]
    return Group(title, _table(lines[:shown]), more, _table(rest) if rest else "", len(rest))


def math_blocks(group: Group) -> list[Math | Fold]:
    """A group as blocks of a section."""
    if not group.folded:
        return [Math(group.title, group.math, group.more)]
    title = f"{group.count} more lines"
    return [Math(group.title, group.math), Fold(title, [Math(f"{group.title}: {title}", group.folded, group.more)])]


def _abridged(entries: Iterable[list[Line]]) -> Iterator[Line]:
    """The lines of a vector's entries; of many the first two, how many more, and the last."""
    known = list(entries)
    if len(known) <= _FEW:
        yield from (line for lines in known for line in lines)
        return
    yield from (*known[0], *known[1])
    yield "<mo>⋮</mo>", "", f"<mtext>{len(known) - 3}{NBSP}more{NBSP}entries</mtext>"
    yield from known[-1]


def _dynamics(state: State, notation: mathml.Notation) -> Iterator[list[Line]]:
    for name, rate in zip(entry_names(state.name, state.shape), state.rate, strict=not state.implicit):
        yield list(_equation(mathml.derivative(name, notation.time), rate, notation))


def _together(equation: Equation, notation: mathml.Notation) -> Iterator[Line]:
    for residual in equation.residuals:
        left, right = two_sides(residual)
        yield from _equation(mathml.expression(left, notation), right, notation)


def _entries(name: str, shape: tuple[int, ...], elements: Sequence[Expr], notation: mathml.Notation) -> Iterator[list[Line]]:
    for entry, element in zip(entry_names(name, shape), elements, strict=True):
        yield list(_equation(mathml.name(entry), element, notation))


def _starts(state: State, declarations: Declarations, notation: mathml.Notation) -> Iterator[list[Line]]:
    learnt = {p.start_of for p in declarations.parameters if p.start_of}
    origin = "<mn>0</mn>" if declarations.time_origin is None else mathml.expression(declarations.time_origin, notation)
    for name, start in zip(entry_names(state.name, state.shape), state.start, strict=True):
        left = mathml.row(mathml.name(name), mathml.parenthesised(origin))
        if state.name in learnt:
            yield [(left, "", "<mtext>learnt</mtext>")]
        else:
            yield list(_equation(left, start, notation))


def _event(event: AtEvent, declarations: Declarations, notation: mathml.Notation) -> Iterator[Line]:
    """`x ← value` for every assignment, the first with its time."""
    shapes = {s.name: s.shape for s in declarations.states}
    time = mathml.row(mathml.name(notation.time), "<mo>=</mo>", mathml.expression(event.time, notation))
    words = ((" every ", event.every), (" until ", event.until))
    for word, expr in words:
        if expr is not None:
            time += f"<mtext>{word.replace(' ', NBSP)}</mtext>{mathml.expression(expr, notation)}"
    yield from _changes(mathml.row(time), event, shapes, notation)


def _dose(dose: Dose, notation: mathml.Notation) -> Iterator[Line]:
    """`x ← x + bioavailability · AMT`, when it comes, and how long it takes."""
    state, amount = mathml.name(dose.target), "<mtext>AMT</mtext>"
    if dose.bioavailability is not None:
        factor = mathml.parenthesised(mathml.expression(dose.bioavailability, notation))
        amount = mathml.row(factor, "<mo>&#x2062;</mo><mspace width='0.17em'/>", amount)
    late = "" if dose.lag is None else mathml.row("<mo>+</mo>", mathml.parenthesised(mathml.expression(dose.lag, notation)))
    yield mathml.row("<mtext>time of the record</mtext>", late), ":", mathml.row(state, "<mo>←</mo>", state, "<mo>+</mo>", amount)
    for word in ("rate", "duration"):
        if word in dose.options:
            yield "", "", mathml.row(f"<mtext>{word}{NBSP}</mtext>", mathml.expression(dose.options[word], notation))


def _located(event: WhenEvent, declarations: Declarations, notation: mathml.Notation) -> Iterator[Line]:
    """The condition, then `x ← value` for every assignment."""
    shapes = {s.name: s.shape for s in declarations.states}
    words = "turns true" if event.boolean else {"either": "crosses 0"}.get(event.direction, f"crosses 0 {event.direction}")
    text = f"{NBSP}{words.replace(' ', NBSP)}"
    condition = mathml.row(mathml.expression(event.condition, notation), f"<mtext>{text}</mtext>")
    yield from _changes(condition, event, shapes, notation)


def _changes(left: str, event: AtEvent | WhenEvent, shapes: Mapping[str, Shape], notation: mathml.Notation) -> Iterator[Line]:
    rights = []
    for assignment in event.assignments:
        state = entry_names(assignment.state, shapes[assignment.state])[max(0, assignment.entry)]
        rights.append(mathml.row(mathml.name(state), "<mo>←</mo>", mathml.expression(assignment.value, notation)))
    rights += ["<mtext>the run ends</mtext>"] * event.stop
    for i, right in enumerate(rights):
        yield (left, ":", right) if i == 0 else ("", "", right)


def _together_named(observations: Sequence[Observation]) -> Iterator[list[Observation]]:
    """Neighbours that are entries of one vector."""
    for _, part in itertools.groupby(observations, lambda o: o.column.partition("[")[0]):
        yield list(part)


def _observed(observations: Sequence[Observation], notation: mathml.Notation) -> Iterator[list[Line]]:
    for observation in observations:
        yield [_observation(observation, notation)]


def _observation(observation: Observation, notation: mathml.Notation) -> Line:
    left = f"<mtext>{mathml.escape(observation.column)}</mtext>"
    right = _distribution(observation.distribution, observation.arguments, notation)
    for limit, word in ((observation.censored_below, "below"), (observation.censored_above, "above")):
        if limit is not None:
            right = mathml.row(right, f"<mtext>,&#xA0;censored {word}&#xA0;</mtext>", mathml.expression(limit, notation))
    return left, "∼", right


def _prior(prior: Prior, notation: mathml.Notation) -> Line:
    name = prior.parameter if prior.entry < 0 else f"{prior.parameter}[{prior.entry + 1}]"
    base = name.removesuffix("(0)")
    left = mathml.name(base) if base == name else mathml.row(mathml.name(base), mathml.parenthesised("<mn>0</mn>"))
    return left, "∼", _distribution(prior.distribution, prior.arguments, notation)


def _distribution(distribution: str, arguments: Sequence[tuple[str, Expr]], notation: mathml.Notation) -> str:
    inner = "<mo>,</mo>".join(mathml.expression(expr, notation) for _, expr in arguments)
    title = DISTRIBUTIONS.get(distribution, distribution.capitalize())
    return mathml.row(f"<mtext>{mathml.escape(title)}</mtext>", mathml.parenthesised(inner))


def _equation(left: str, right: Expr, notation: mathml.Notation) -> Iterator[Line]:
    """One line, or several when the right side is a long sum."""
    if right.op != "add" or _length(right) <= _LONG:
        yield left, "=", mathml.expression(right, notation)
        return
    relation, line, room = "=", "", _ROOM
    for term, markup in zip(right.args, mathml.terms(right, notation), strict=True):
        length = _length(term) + 3
        if line and length > room:
            yield left, relation, mathml.row(line)
            left, relation, line, room = "", "", "", _ROOM
        line += markup
        room -= length
    yield left, relation, mathml.row(line)


def _length(expr: Expr) -> int:
    """Characters of the expression's text without parentheses of fractions, roughly its width."""
    return len(show(expr))


def _table(lines: Sequence[Line]) -> str:
    rows = "".join(
        f"<mtr><mtd>{left}</mtd><mtd>{f'<mo>{relation}</mo>' if relation else ''}</mtd><mtd>{right}</mtd></mtr>"
        for left, relation, right in lines
    )
    return f'<math display="block" class="equations"><mtable>{rows}</mtable></math>'
