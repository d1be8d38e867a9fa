"""Verdicts of rankings made by hand, and formulas read from SymPy."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import sympy

import hybridode.api as ho
from hybridode.declarations import Network
from hybridode.discover.formula import Formula, Number
from hybridode.discover.refitted import Candidate
from hybridode.discover.slots import Slot
from hybridode.discover.symbolic import check_pysr, from_sympy
from hybridode.discover.verdict import p_value, sentences_of, verdict_of
from hybridode.errors import Source, UsageError
from hybridode.language.check import declare

SLOT = Slot(Network("N", 2, ()), 0, ("x", "y"), ("x", "y"), "", "N", (False, False), "", ("", ""))


def ranked(value: float, numbers: float, dl: float) -> Candidate:
    return Candidate({SLOT: Formula("k*x", (Number("k", 2.0),), "sum of terms")}, value, numbers, dl, "")


def test_the_shortest_description_wins() -> None:
    network, physics = ranked(-100, 12, -75), ranked(-60, 2, -56)
    assert verdict_of(ranked(-95, 3, -85), physics, network) == "formula"
    assert verdict_of(ranked(-61, 3, -50), physics, network) == "network"
    assert verdict_of(ranked(-62, 3, -80), ranked(-99, 2, -95), network) == "physics"
    assert verdict_of(None, physics, network) == "network"


def test_a_network_that_gains_what_noise_explains_does_not_win() -> None:
    """chi2 with 9 degrees of freedom exceeds 10 in 35 % of cases, 40 in none."""
    network, physics = ranked(-100, 12, -90), ranked(-60, 2, -56)
    good, bad = ranked(-95, 3, -85), ranked(-80, 3, -70)
    assert p_value(good, network) == pytest.approx(0.350485, abs=1e-5) and p_value(bad, network) < 1e-4
    assert verdict_of(good, physics, network) == "formula"
    assert verdict_of(bad, physics, network) == "network"
    assert sentences_of("network", [bad], physics, network)[0] == "Nothing simpler than the network is supported."
    assert "the physics alone describes the data as well" in sentences_of("physics", [bad], physics, network)[0]
    assert sentences_of("formula", [good], physics, network)[0] == "The data support N = 2*x."


def test_numbers_of_symbolic_regression_become_parameters() -> None:
    d = declare(Source("m.ode", "model m\nparam k1 = 1\nstate x = 1\nstate y = 1\nx' = k1*x\ny' = -y\n"))
    z0, z1 = sympy.symbols("z0 z1")
    expression = sympy.Float(1.5) * z0 * sympy.exp(-z1 / sympy.Float(2.5)) + z0**2 / 3
    formula = from_sympy(d, SLOT, expression, 10, 10)
    assert formula is not None and [n.name for n in formula.numbers] == ["k1_2", "k2"]
    z = np.random.default_rng(1).uniform(0.5, 2, (20, 2))
    truth = 1.5 * z[:, 0] * np.exp(-z[:, 1] / 2.5) + z[:, 0] ** 2 / 3
    np.testing.assert_allclose(formula.curve(z, formula.values), truth, rtol=1e-12)
    lines = ["model f", "state x = 1", "state y = 2", "x' = 1", "y' = 0.1"]
    lines += [*(n.line() for n in formula.numbers), f"f = {formula.text}"]
    text = "\n".join(lines) + "\n"
    sol = ho.parse(text).simulate(to=1, points=5)
    np.testing.assert_allclose(sol["f"], 1.5 * sol["x"] * np.exp(-sol["y"] / 2.5) + sol["x"] ** 2 / 3, rtol=1e-12)
    assert from_sympy(d, SLOT, sympy.besselj(0, z0), 10, 10) is None


@pytest.mark.skipif(importlib.util.find_spec("pysr") is not None, reason="PySR is installed")
def test_without_pysr_there_is_a_message() -> None:
    with pytest.raises(UsageError, match="E0798"):
        check_pysr()
