"""Dimensions of all that discovery may write, node by node against pint: sums of equal ones, functions of pure numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pint
import pytest
import sympy

from hybridode.declarations import Declarations, Network
from hybridode.discover.forms import FORMS
from hybridode.discover.formula import Formula
from hybridode.discover.library import library
from hybridode.discover.nonlinear import FittedForm, form_formula
from hybridode.discover.slots import Slot, slots_of
from hybridode.discover.symbolic import consistent
from hybridode.discover.units import with_units
from hybridode.discover.whole import sparse_formula
from hybridode.discover.written import with_formulas
from hybridode.errors import Source
from hybridode.language import syntax as s
from hybridode.language.check import declare
from hybridode.language.reader import parse

UNITS: Any = pint.UnitRegistry()
ONE = """model m
time t: h
state S: mM = 1
S' = -NN(S)
"""
TWO = """model m
time t: h
state S: mM = 1
state E: g/L = 1
S' = -NN(S, E)
E' = 0
"""


def of(text: str) -> tuple[Declarations, Slot]:
    d = declare(Source("model.ode", text))
    (slot,) = with_units(d, slots_of(d))
    return d, slot


def dimension(e: Any, units: dict[str, Any]) -> Any:
    """The quantity that a node of the syntax has; pint raises where units do not fit."""
    if isinstance(e, s.Number):
        return e.value * UNITS(e.unit.text if e.unit else "1")
    if isinstance(e, s.Ref):
        return 1.3 * units[e.name]
    if isinstance(e, s.Sign):
        return dimension(e.operand, units)
    if isinstance(e, s.Power):
        return dimension(e.base, units) ** dimension(e.exponent, units).to("").magnitude
    if isinstance(e, s.Call) and isinstance(e.function, s.Ref):
        args = [dimension(a, units) for a in e.arguments]
        name = e.function.name
        if name == "hill":
            return (args[0] / args[1]).to("") ** args[2].to("").magnitude
        return args[0] if name == "abs" else 0.5 * args[0].to("") / args[0].to("")
    assert isinstance(e, s.Chain), e
    found = dimension(e.first, units)
    for sign, other in e.rest:
        value = dimension(other, units)
        found = found + value.to(found.units) if sign in "+-" else found * value if sign == "*" else found / value
    return found


def check(d: Declarations, slot: Slot, formula: Formula) -> None:
    """The written model's rate, with the units of its declarations."""
    written = with_formulas(d, {slot: formula})
    file, problems = parse(Source("written.ode", written))
    assert not problems
    units = {"S": UNITS("mM"), "E": UNITS("g/L")}
    for statement in file.statements:
        if isinstance(statement, s.ValueStatement) and statement.kind == "param":
            units[statement.name.text] = UNITS(statement.unit.text if statement.unit else "1")
    rate = next(x for x in file.statements if isinstance(x, s.Equation)).right
    assert dimension(rate, units).check(UNITS("mM/h").dimensionality), written


@pytest.mark.parametrize("text", [ONE, TWO])
def test_terms_have_coefficients_that_make_them_right(text: str) -> None:
    d, slot = of(text)
    for term in library(slot, np.random.default_rng(1).uniform(0.3, 2, (60, slot.inputs))):
        check(d, slot, sparse_formula(slot, {"k": (term, 1.0)}, 5))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
def test_laws_have_numbers_that_make_them_right(form: Any) -> None:
    d, slot = of(ONE if form.arguments == 1 else TWO)
    amplitudes, shapes = np.full(len(form.amplitudes), 0.7), np.full(len(form.shapes), 1.5)
    for places in [(0,)] if form.arguments == 1 else [(0, 1), (1, 0)]:
        formula = form_formula(d, slot, FittedForm(form, places, amplitudes, shapes, 0.0), 5, 5)
        check(d, slot, formula)


def test_only_what_has_no_unit_is_an_angle() -> None:
    swing = "model m\ntime t: s\nconst q: 1/m = 2\nstate x: {} = 1\nstate v: {}/s = 0\nx' = v\nv' = -sin({}) - NN(x)\n"
    assert of(swing.format("m", "m", "q*x"))[1].angles == (False,)
    assert of(swing.format("rad", "rad", "x"))[1].angles == (True,)


def test_formulas_of_any_shape_are_refused_where_units_cannot_fit() -> None:
    slot = Slot(Network("N", 2, ()), 0, ("S", "E"), ("S", "E"), "", "N", (False, False), "mM/h", ("mM", "g/L"))
    z0, z1, k = sympy.Symbol("z0"), sympy.Symbol("z1"), sympy.Float(1.5)
    right = [k * z0, k * z0 + k * z1, k * sympy.exp(k * z0), k * z0 * (k + z1), k * z0 / (k + z0), z0**k * 2, z0 / k]
    wrong = [k * sympy.exp(z0), sympy.log(z1) * k, k * z1 * (z0 + z1), k * sympy.sin(z0 * z1), z0, z0 * z1, k * z1 * (z0 + z0**2)]
    assert [consistent(slot, e) for e in right] == [True, True, True, True, True, False, True]
    assert not any(consistent(slot, e) for e in wrong)
