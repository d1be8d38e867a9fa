"""Equations that look as if they determined their unknowns: combined where that gives a hidden equation, refused with all lines
else."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.errors import ModelError
from tests.equations.dae.reduced import Point, reduced

REFUSED = {
    "twice the same": ("alg a = 0\nalg b = 0\nx' = -x + a\na + b = x\n2*a + 2*b = 2*x\n", "E0360", [6, 7], ["`a`", "`b`"]),
    "a circle of currents": (
        "alg i1 = 0\nalg i2 = 0\nalg i3 = 0\nx' = i1\n0 = i1 - i2\n0 = i2 - i3\n0 = i3 - i1\n", "E0360", [7, 8, 9],
        ["`i1`", "`i2`", "`i3`"],
    ),
    "derivatives": ("param C = 2\nstate y = 0\nC*x' - C*y' = x\nC*y' - C*x' = -x\n", "E0360", [5, 6], ["`x'`", "`y'`"]),
    "a force that does nothing": ("state y = 1\nalg l = 0\nx' = l\ny' = -l\n0 = x + y - 2\n", "E0360", [5, 6, 7], ["`l`"]),
    "not linear": ("alg a = 0\nalg b = 0\nx' = -x + a\n0 = exp(a + b) - x\n0 = (a + b)^2 - 1\n", "E0360", [6, 7], ["`a`", "`b`"]),
    "only its sign": ("alg z = 0\nx' = -x\n0 = x - sign(z)\n", "E0361", [4, 5], ["`x'`"]),
    "an input that jumps": ("input u from data.u, interp=previous\nalg f = 0\nx' = f\n0 = x - u\n", "E0362", [6], ["`u`"]),
    "an input twice": ("input u from data.u, interp=cubic\nalg f = 0\nx'' = f\n0 = x - u\n", "E0362", [6], ["`u'`"]),
    "a table with kinks": (
        "table h(s) = [[0, 0], [1, 1], [2, 3]]\nstate y = 1\nalg f = 0\nx'' = -f\ny'' = f - 9.81\n0 = y - h(x)\n", "E0363", [8],
        ["`h`"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "code", "lines", "names"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(body: str, code: str, lines: list[int], names: list[str]) -> None:
    with pytest.raises(ModelError) as found:
        reduced(f"model m\nstate x = 1\n{body}")
    told = [d for d in found.value.diagnostics if d.code == code]
    assert told, str(found.value)
    spans = [s for d in told[:1] for s in (d.span, *(span for span, _ in d.related)) if s is not None]
    assert sorted({s.line for s in spans}) == lines
    assert all(name in told[0].message for name in names), told[0].message


def test_under_determined_after_all() -> None:
    """What only a condition reads is not determined by it."""
    with pytest.raises(ModelError, match="nothing determines `z`"):
        reduced("model m\nstate x = 1\nalg z = 0\nx' = -x\n0 = x - sign(z)\n")


def test_a_smooth_table_is_differentiated_twice() -> None:
    text = "state x = 1\nstate y = 1\nalg f = 0\nx'' = -f\ny'' = f - 9.81\n0 = y - h(x)\n"
    system = reduced(f"model m\ntable h(s) = [[0, 0], [1, 1], [2, 3], [3, 2]], interp=cubic\n{text}")
    assert len(system.invariants) == 2 and system.unknowns == ()


def test_hidden_in_algebraic_equations() -> None:
    """a + b = x, 2 a + 2 b = y: 0 = 2 x - y is hidden."""
    system = reduced("model m\nstate x = 1\nstate y = 2\nalg a = 0\nalg b = 0\nx' = a\ny' = b - x\na + b = x\n2*a + 2*b = y\n")
    p = Point(system, 0.0, np.array([1.2, 2.4]))
    a = (p.named()["a"], p.named()["b"])
    assert sum(a) == pytest.approx(1.2) and 2 * a[0] == pytest.approx(a[1] - 1.2)
    np.testing.assert_allclose(p.rates, [a[0], a[1] - 1.2])
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)


def test_hidden_in_derivatives_of_different_order() -> None:
    """x' = x + l, y' = 2 y - l, x + y = sin t + 2: the sum of the first two and the derivative of the third say x + 2 y = cos
    t."""
    system = reduced("model m\nstate x = 1\nstate y = 1\nalg l = 0\nx' = x + l\ny' = 2*y - l\n0 = x + y - sin(t) - 2\n")
    t = 0.6
    y = np.cos(t) - np.sin(t) - 2
    x = np.sin(t) + 2 - y
    dy = -np.sin(t) - np.cos(t)
    p = Point(system, t, np.array([x, y]))
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)
    np.testing.assert_allclose(p.rates, [np.cos(t) - dy, dy])
    assert p.named()["l"] == pytest.approx(np.cos(t) - dy - x)


def test_parameters_in_factors() -> None:
    """Capacitors in series by parameters: the factor between the two equations is C1/C2."""
    text = "param C1 = 2\nparam C2 = 3\nstate u = 1\nstate w = 0\nC1*(u' - w') = -u\nC2*(w' - u') = -w/3 + sin(t)\n"
    system = reduced(f"model m\n{text}")
    t = 0.3
    u = 0.5
    w = 3 * (np.sin(t) - 1.5 * u)  # -u/2 + (-w/3 + sin t)/3 = 0
    p = Point(system, t, np.array([u, w]))
    np.testing.assert_allclose(p.invariants, 0.0, atol=1e-12)
    du, dw = p.rates
    assert 2 * (du - dw) == pytest.approx(-u) and -du / 2 + (-dw / 3 + np.cos(t)) / 3 == pytest.approx(0.0, abs=1e-12)
