"""Networks of whole vectors: formulas read their entries, as the language writes them."""

from __future__ import annotations

import numpy as np
import pytest

import hybridode.api as ho
from hybridode.declarations import Declarations
from hybridode.discover.formula import Formula, Number
from hybridode.discover.slots import slots_of
from hybridode.discover.written import with_formulas
from hybridode.errors import Source, UsageError
from hybridode.language.check import declare


def model(network: str, rates: str, size: int = 2) -> Declarations:
    starts = ", ".join(str(i + 1) for i in range(size))
    return declare(Source("m.ode", f"model m\nstate x[{size}] = [{starts}]\nstate y = 0.5\n{network}\n{rates}\n"))


def test_entries_are_arguments() -> None:
    (slot,) = slots_of(model("nn U: 2 -> 1", "a = U(x)\nx' = -a*x\ny' = -y"))
    assert (slot.arguments, slot.short, slot.formals, slot.title) == (("x[1]", "x[2]"), ("x1", "x2"), ("x",), "a")
    first, second = slots_of(model("nn U: 3 -> 2", "x' = U(x, y)\ny' = -y"))
    assert first.arguments == second.arguments == ("x[1]", "x[2]", "y") and first.formals == ("x", "y")


def test_arguments_that_are_no_names_get_one() -> None:
    (slot,) = slots_of(model("nn U: 2 -> 1", "x' = -U(2*x)*x\ny' = -y + U(x)"))
    assert (slot.arguments, slot.formals) == (("w[1]", "w[2]"), ("w",))
    (slot,) = slots_of(model("nn U: 3 -> 1", "x' = -U(y, 2*x)*x\ny' = -y"))
    assert (slot.arguments, slot.formals) == (("y", "w2[1]", "w2[2]"), ("y", "w2"))
    (slot,) = slots_of(model("", "x' = -x\ny' = -y + NN(x)"))
    assert slot.arguments == ("x[1]", "x[2]")


@pytest.mark.parametrize("call", ["U(x)", "U(2*x/2)"])
def test_the_written_model_computes_the_formula(call: str) -> None:
    """Against the same model with the terms written by hand."""
    d = model("nn U: 2 -> 2", f"x' = {call}\ny' = -y")
    first, second = slots_of(d)
    a, b = first.arguments
    formulas = {
        first: Formula(f"k1*{a}*{b}", (Number("k1", -0.4),), ""),
        second: Formula(f"k2*{b}^2", (Number("k2", -0.3),), ""),
    }
    written = ho.parse(with_formulas(d, formulas)).simulate(to=2, points=9, rtol=1e-9, atol=1e-9)
    hand = "model m\nstate u = 1\nstate v = 2\nu' = -0.4*u*v\nv' = -0.3*v^2\n"
    expected = ho.parse(hand).simulate(to=2, points=9, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.asarray(written["x"]).T.ravel(), [*expected["u"], *expected["v"]], rtol=1e-7)


def test_long_vectors_have_no_formula() -> None:
    with pytest.raises(UsageError, match="E0796") as error:
        slots_of(model("nn U: 7 -> 1", "a = U(x)\nx' = -a*x\ny' = -y", 7))
    assert "up to 6" in str(error.value)
