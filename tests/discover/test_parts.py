"""Parts of discovery, each against what is known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridode.declarations import Network
from hybridode.discover.formula import Formula, Number
from hybridode.discover.library import library
from hybridode.discover.ranking import form_structure, sparse_structure
from hybridode.discover.regression import inclusion, proposals
from hybridode.discover.samples import Samples
from hybridode.discover.slots import Slot, slots_of
from hybridode.discover.units import coefficient_unit, read_unit, unit_text, with_units
from hybridode.discover.written import declared, free_names, with_formulas
from hybridode.errors import Source, UsageError
from hybridode.language.check import declare

PENDULUM = """model pendulum
time t: s
const g: m/s^2 = 9.81
const L: m = 0.5
const m: kg = 1
state a: rad = 1
state w: rad/s = 0
nn drag: 1 -> 1, hidden=[3], symmetry=odd  "friction"
a' = w
m*L^2*w' = -m*g*L*sin(a) - drag(w) - NN(a)
observe a ~ normal(a, 0.1)
"""
PREY = """model prey
time t: yr
param r: 1/yr = 1
state x: hares = 1
state y: lynx = 1
[p, q] = NN(x, y)
x' = r*x + p
y' = q - r*y
observe x ~ normal(x, 0.1)
"""


def of(text: str) -> tuple:
    d = declare(Source("model.ode", text))
    return d, with_units(d, slots_of(d))


def test_slots_are_named_after_what_the_user_wrote() -> None:
    _, (p, q) = of(PREY)
    assert (p.title, p.label, p.arguments) == ("p", "x", ("x", "y")) and (q.title, q.label) == ("q", "y")
    _, (drag, spring) = of(PENDULUM)
    assert (drag.title, drag.arguments, drag.angles) == ("drag", ("w",), (False,))
    assert spring.angles == (True,)


def test_units_of_coefficients() -> None:
    _, (p, _) = of(PREY)
    assert (p.unit, p.units) == ("hares/yr", ("hares", "lynx"))
    assert coefficient_unit(p.unit, p.units, (1, 1)) == "1/yr/lynx"
    _, (drag, _) = of(PENDULUM)
    assert read_unit(drag.unit) == read_unit("kg*m^2/s^2")
    assert coefficient_unit(drag.unit, drag.units, (1,)) == unit_text(read_unit("kg*m^2/s"))
    assert read_unit("(m/s)^2") is None and read_unit("2 m") is None
    assert coefficient_unit("", p.units, (1, 1)) == "" and coefficient_unit("nM", ("", "nM"), (0, 1)) == ""


@pytest.mark.parametrize("text", ["1/(uM*min)", "kg*m^2/s^2", "mg/L/h", "m^-2*(kg)", "pelts"])
def test_units_read_as_pint_reads_them(text: str) -> None:
    import pint

    registry = pint.UnitRegistry()
    registry.define("pelts = [pelts]")
    found = read_unit(text)
    assert found is not None
    product = registry.dimensionless
    for name, exponent in found.items():
        product = product * registry(name).units ** float(exponent)
    assert registry(text).units == product


def test_formulas_take_the_place_of_networks() -> None:
    d, (drag, spring) = of(PENDULUM)
    formulas = {
        drag: Formula(
            "c*w + F*tanh(w/w0)", (Number("c", 0.02), Number("F", -0.1), Number("w0", 1.0, "rad/s", log=True)), "friction"
        ),
        spring: Formula("k*a", (Number("k", 0.5, "J"),), "spring"),
    }
    text = with_formulas(d, formulas)
    assert 'param w0: rad/s = 1 in (0.03, 30) log\nfunc drag(w) = c*w + F*tanh(w/w0)  "friction"\n' in text
    assert "param k: J = 0.5 in (-20, 20)\nm*L^2*w' = -m*g*L*sin(a) - drag(w) - (k*a)\n" in text
    made = declared(d, formulas)
    assert not made.networks and {p.name: p.values for p in made.parameters}["F"] == (-0.1,)


def test_several_outputs_become_a_list() -> None:
    d, (p, q) = of(PREY)
    text = with_formulas(d, {p: Formula("kx*x*y", (Number("kx", -1.0),), ""), q: Formula("0", (), "")})
    assert "param kx = -1 in (-30, 30)\n[p, q] = [kx*x*y, 0]\n" in text
    assert not declared(d, {p: Formula("0", (), ""), q: Formula("x", (), "")}).networks


def test_names_that_are_taken() -> None:
    d, _ = of(PREY)
    assert free_names(d, ["k", "r", "x"], ["k"]) == {"k": "k_2", "r": "r_2", "x": "x_2"}


def test_a_model_without_networks() -> None:
    with pytest.raises(UsageError, match="E0795"):
        slots_of(declare(Source("m.ode", "model m\nstate x = 1\nx' = -x\n")))


def slot(arguments: int, **options: object) -> Slot:
    names = ("u", "v", "w")[:arguments]
    network = Network("N", arguments, (), **options)  # type: ignore[arg-type]
    return Slot(network, 0, names, names, "", "N", (False,) * arguments, "", ("",) * arguments)


def test_the_library_keeps_what_the_network_promises() -> None:
    z = np.linspace(-2, 2, 60)[:, None]
    assert [t.text for t in library(slot(1, symmetry="odd"), z)] == ["u", "u^3", "u^5", "abs(u)*u"]
    assert [t.text for t in library(slot(1, symmetry="even"), z)] == ["", "u^2", "u^4"]
    assert "" not in [t.text for t in library(slot(1, zero_at=(0.0,)), z)]
    two = np.random.default_rng(1).uniform(1, 2, (50, 2))
    texts = [t.times("k") for t in library(slot(2), two)]
    assert texts[:6] == ["k", "k*u", "k*v", "k*u^2", "k*u*v", "k*v^2"] and "k/u" in texts and len(texts) == 12
    same = np.stack([two[:, 0], two[:, 0]], axis=1)
    assert "v" not in [t.text for t in library(slot(2), same)]  # u and v cannot be told apart


def test_regression_proposes_and_includes_the_true_terms() -> None:
    random = np.random.default_rng(2)
    z = random.uniform(0.2, 2, (150, 2))
    truth = 1.5 * z[:, 0] - 0.7 * z[:, 0] * z[:, 1]
    draws = truth[None, :, None] + 0.01 * random.standard_normal((50, 150, 1))
    samples = Samples(Network("N", 2, ()), z, np.ones(150), draws[0], np.full((150, 1), 0.01), draws)
    terms = library(slot(2), z)
    true = {i for i, t in enumerate(terms) if t.times("k") in ("k*u", "k*u*v")}
    found = [p for p in proposals(terms, samples, 0) if set(p.support) == true]
    assert found and found[0].residual < 1.1
    assert found[0].coefficients == pytest.approx([1.5, -0.7], rel=0.02)
    often = inclusion(terms, samples, 0, 2)
    assert min(often[i] for i in true) > 0.9 > 0.1 > max(often[i] for i in range(len(terms)) if i not in true)


def test_structures_are_codes() -> None:
    """Kraft's inequality: over all formulas the probabilities exp(-cost) sum to at most 1."""
    sparse = sum(math.comb(10, k) * math.exp(-sparse_structure(10, k)) for k in range(11))
    forms = sum(math.exp(-form_structure(8, n, 10)) for n in (2, 3, 3, 2, 4, 3, 3, 2))
    assert sparse + forms <= 1


def test_readers_see_numbers() -> None:
    formula = Formula("k_x*x + k_xy*x*y", (Number("k_x", 1.23456), Number("k_xy", -0.9)), "sum")
    assert formula.filled() == "1.235*x - 0.9*x*y"
