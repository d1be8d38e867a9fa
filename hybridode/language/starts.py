"""Starts of states: given by equations, by a value, learnt, or 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from hybridode.declarations import Parameter, Shape, entry_names, size
from hybridode.expr import ZERO, Expr
from hybridode.language import syntax as s
from hybridode.language.entries import Part, Words, entries_text, worked_out
from hybridode.language.frames import AT_START, Elaboration, Frame, Usage
from hybridode.language.quantities import Range, fit, groups_of, parameter, unit_text
from hybridode.language.structure import Equations, Unstarted
from hybridode.language.values import symbol


class Start(NamedTuple):
    """The start of a state: its entries, where they come from (`State.start_given`), and the parameter that makes it learnt."""

    elements: Sequence[Expr]
    given: str = ""
    made: tuple[Parameter, ...] = ()


class LearntStart(NamedTuple):
    """A start that `prior x(0) ~ …` makes learnt: the range that the distribution allows and a central value."""

    lower: float | None
    upper: float | None
    centre: float


def start_of(
    el: Elaboration, st: s.ValueStatement, label: str, shape: Shape, equations: Equations, learnt: dict[str, LearntStart]
) -> Start:
    """The start of a state or velocity: learnt, given by equations, by its value, or 0."""
    nothing = (ZERO,) * size(shape)
    parts = equations.starts.get(label, [])
    velocity = label != st.name.text
    m = st.modifiers
    bounded = not velocity and m is not None and bool(m.bounds or m.scales or (m.groups and label not in learnt))
    given = st.value if not velocity else None
    if parts:
        return Start(
            _by_equations(el, st, label, shape, parts, equations, bounded or given is not None, label in learnt), "equation"
        )
    if bounded:
        if m is not None and not m.bounds:
            place = (*m.scales, *m.groups)[0]
            word = place.text if isinstance(place, s.Name) else f"by {place.name.text}"
            message = f"`{word}` needs bounds: only a start with `in (…)` is learnt"
            el.findings.error("E0328", message, place, f"write `state {label} = … in (…, …)`")
            return Start(nothing)
        made = parameter(el, st, shape, f"{label}(0)", label)
    elif label in learnt:
        made = _from_prior(el, st, label, shape, given, learnt[label])
    elif given is not None:
        return Start(_by_value(el, st, shape, given), "value")
    else:
        if not velocity and label not in el.scope.excused and label not in equations.started:
            message = f"the state `{label}` has no start and begins at 0"
            equations.unstarted.append(Unstarted(message, st.name, f"write `state {label} = 0`, or `{label}(0) = …`"))
        return Start(nothing)
    if made is None:
        return Start(nothing)
    return Start(symbol("parameter", made.name, shape).elements, "learnt", (made,))


def _by_equations(
    el: Elaboration,
    st: s.ValueStatement,
    label: str,
    shape: Shape,
    parts: list[Part],
    equations: Equations,
    given: bool,
    prior: bool,
) -> Sequence[Expr]:
    if given:
        hint = "keep one of the two"
        message = f"the start of `{label}` is given twice"
        el.findings.error("E0307", message, parts[0].equation.left, hint, [(st.name, "its declaration gives a value too")])
    elif prior:
        message = f"`prior {label}(0)` makes the start of `{label}` learnt, and this equation computes it"
        el.findings.error("E0307", message, parts[0].equation.left, "keep one of the two")
    stem = st.name.text
    remedy = "a start may read parameters, constants, inputs, networks, and the starts of other states"
    usage = Usage(f"the start of `{label}`", AT_START, remedy, f"{stem}_start", stem, starts=True)
    filled = worked_out(el, parts, label, shape, usage, Words("a start", "E0307"))
    if filled is None:
        return (ZERO,) * size(shape)
    missing = filled.missing
    if missing and label not in equations.started:
        hint = f"write `{entry_names(label, shape)[missing[0]]}(0) = …`"
        shown = entries_text(missing, label, shape)
        message = f"{shown} {'has' if len(missing) == 1 else 'have'} no start and begin at 0"
        equations.unstarted.append(Unstarted(message, st.name, hint))
    return filled.whole(size(shape))


def _by_value(el: Elaboration, st: s.ValueStatement, shape: Shape, given: s.Expression) -> tuple[Expr, ...]:
    name = st.name.text
    remedy = "a start may read parameters, constants, inputs, networks, and the starts of other states"
    usage = Usage(f"the start of `{name}`", AT_START, remedy, f"{name}_start", name, starts=True)
    frame = Frame(usage, outputs=shape, unit=st.unit, unit_of=f"`{name}`")
    value = el.evaluate(given, frame)
    if value is None or not el.is_number(value, given, frame):
        return (ZERO,) * size(shape)
    fitted = fit(el, value, shape, name, given, frame)
    if fitted is not None and any(e.value is not None and math.isinf(e.value) for e in fitted.elements):
        el.findings.error("E0310", f"the start of `{name}` is infinite", given, "write a finite number")
    return (ZERO,) * size(shape) if fitted is None else fitted.elements


def _from_prior(
    el: Elaboration, st: s.ValueStatement, label: str, shape: Shape, given: s.Expression | None, learnt: LearntStart
) -> Parameter | None:
    """The learnt start that a prior makes: the declared value, else the prior's centre."""
    found: tuple[float, ...] | None = (learnt.centre,) * size(shape)
    if given is not None:
        frame = Frame(Usage(f"the start of `{label}`", frozenset({"const", "func"})), unit=st.unit, unit_of=f"`{label}`")
        value = el.evaluate(given, frame)
        fitted = None if value is None else fit(el, value, shape, label, given, frame)
        found = None if fitted is None else el.constant(fitted, given, frame)
    if found is None:
        return None
    for number in found:
        if (learnt.lower is not None and number <= learnt.lower) or (learnt.upper is not None and number >= learnt.upper):
            hint = "give it a value that the prior allows"
            el.findings.error("E0310", f"the start {number:g} of `{label}` is impossible under its prior", given or st.name, hint)
            return None
    unit = unit_text(st.unit) if label == st.name.text else ""
    span = el.findings.span(st.name)
    limits = Range(learnt.lower, learnt.upper)
    by, groups = groups_of(el, st, shape, f"{label}(0)", limits) if label == st.name.text else ("", ())
    return Parameter(
        f"{label}(0)", found, shape, unit, learnt.lower, learnt.upper, span=span, start_of=label, by=by, groups=groups
    )
