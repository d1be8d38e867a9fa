"""Expressions asked of a checked model."""

from __future__ import annotations

import pytest

from hybridode.declarations import Declarations
from hybridode.errors import Source, UsageError
from hybridode.expr import show
from hybridode.language.check import constant_value, declare, elaborate_expression

TEXT = """model m
time tau: yr
param k: 1/yr = 2
const c = 3
const n = 2
func double(a) = 2*a + c
nn U: 1 -> 1
table f(u) = [[0, 1], [1, 2]]
input I from data.I, interp=linear
state x[n] = 1 in (0, 2)
state theta = 1
dx/dtau = -k*x + U(theta)
theta'' = -theta + NN(theta) + I + f(tau)
y = theta^2
hot = y > 3
"""


@pytest.fixture(scope="module")
def checked() -> Declarations:
    return declare(Source("m.ode", TEXT))


def ask(checked: Declarations, text: str) -> list[str]:
    elements, shape = elaborate_expression(checked, Source("expression", text))
    assert len(elements) == (shape[0] if shape else 1)
    return [show(e) for e in elements]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x", ["x[1]", "x[2]"]),
        ("x[2]/k", ["x[2]/k"]),
        ("theta'", ["theta'"]),
        ("theta''", ["theta''"]),
        ("dx/dtau", ["x[1]'", "x[2]'"]),
        ("double(y)", ["2*y + c"]),
        ("U(theta) + NN_theta(theta)", ["U(theta) + NN_theta(theta)"]),
        ("f(tau) + I + dI/dtau", ["f(tau) + I + I'"]),
        ("x - x(0)", ["x[1] - x(0)[1]", "x[2] - x(0)[2]"]),
        ("theta(0) + theta'(0)", ["1 + 0"]),
        ("if hot then 1 else 0", ["if hot then 1 else 0"]),
    ],
)
def test_expressions(checked: Declarations, text: str, meant: list[str]) -> None:
    assert ask(checked, text) == meant


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("thata", "E0203", "did you mean `theta` (state"),
        ("theta +", "E01", ""),
        ("", "E01", ""),
        ("NN(theta)", "E0506", "cannot stand in this expression"),
        ("double(1, 2)", "E0316", "double(a)"),
        ("x[3]", "E0314", "2 entries"),
        ("t", "E0203", "this model's time is `tau`"),
        ("__import__(1)", "E0204", ""),
    ],
)
def test_mistakes(checked: Declarations, text: str, code: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        elaborate_expression(checked, Source("expression", text))
    first = caught.value.diagnostics[0]
    assert first.code.startswith(code) and words in first.message + first.hint
    assert caught.value.exit_code == 2


def test_constants(checked: Declarations) -> None:
    assert constant_value(checked, Source("--set", "2*c^2")) == ((18.0,), ())
    assert constant_value(checked, Source("--set", "[1, c]")) == ((1.0, 3.0), (2,))
    assert constant_value(checked, Source("--set", "0.5 [1/yr]"), "1/yr") == ((0.5,), ())
    for text, code in [
        ("k", "E0318"),
        ("x", "E0318"),
        ("0/0", "E0312"),
        ("1 > 2", "E0315"),
        ("0.5 [1/h]", "E0915"),
        ("zz", "E0203"),
    ]:
        with pytest.raises(UsageError) as caught:
            constant_value(checked, Source("--set", text), "1/yr")
        assert caught.value.diagnostics[0].code == code
