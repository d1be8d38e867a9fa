"""Lookup tables against SciPy's interpolators, and their derivatives against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator, CubicSpline, RegularGridInterpolator

from hybridode.declarations import Table
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.tables import piecewise
from hybridode.tape.tape import TapeBuilder
from hybridode.tape.verify import verify

X = (0.0, 0.7, 1.0, 2.5, 3.0, 4.5)
F = (1.0, -2.0, 0.5, 0.5, 3.0, 1.5)
Z = (-1.0, 0.0, 2.0, 2.5)
G = (2.0, 1.0, -1.0, 0.25)
INSIDE = np.array([0.0, 0.1, 0.7, 0.8, 1.0, 1.9, 2.5, 2.7, 3.0, 4.4, 4.499999])
ENDS = np.array([-np.inf, -3.0, 4.5, 9.0, np.inf])


def table(kind: str) -> Table:
    return Table("g", ("x",), (X,), F, kind)


def test_linear_is_numpys_interp():
    at = np.concatenate([INSIDE, ENDS])
    assert piecewise(table("linear")).evaluate((0,), at) == pytest.approx(np.interp(at, X, F), rel=1e-14)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_cubic_is_the_natural_spline(order: int):
    spline = CubicSpline(X, F, bc_type="natural")
    assert piecewise(table("cubic")).evaluate((order,), INSIDE) == pytest.approx(spline(INSIDE, order), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_akima(order: int):
    expected = Akima1DInterpolator(X, F)(INSIDE, order)
    assert piecewise(table("akima")).evaluate((order,), INSIDE) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", ["linear", "cubic", "akima", "previous", "next"])
def test_held_constant_outside(kind: str):
    p = piecewise(table(kind))
    assert p.evaluate((0,), ENDS).tolist() == [F[0], F[0], F[-1], F[-1], F[-1]]
    assert p.evaluate((1,), ENDS).tolist() == [0.0] * 5
    assert np.isnan(p.evaluate((0,), np.nan))


def test_previous_and_next_at_and_between_knots():
    at = np.array([-1.0, 0.0, 0.3, 0.7, 0.71, 4.4, 4.5, 5.0])
    assert piecewise(table("previous")).evaluate((0,), at).tolist() == [1.0, 1.0, 1.0, -2.0, -2.0, 3.0, 1.5, 1.5]
    assert piecewise(table("next")).evaluate((0,), at).tolist() == [1.0, 1.0, -2.0, -2.0, 0.5, 1.5, 1.5, 1.5]


def grid(kind: str) -> Table:
    values = np.outer(F, G) + (np.add.outer(np.array(X) ** 2, np.array(Z)) if kind == "linear" else 0.0)
    return Table("h", ("x", "z"), (X, Z), tuple(values.ravel().tolist()), kind)


def test_bilinear():
    t = grid("linear")
    rng = np.random.default_rng(0)
    x, z = rng.uniform(0, 4.5, 40), rng.uniform(-1, 2.5, 40)
    scipys = RegularGridInterpolator((X, Z), np.reshape(t.values, (len(X), len(Z))))
    p = piecewise(t)
    assert p.evaluate((0, 0), x, z) == pytest.approx(scipys(np.stack([x, z], 1)), rel=1e-12)
    # Outside in one direction only: held there, interpolated along the other.
    assert p.evaluate((0, 0), np.array([9.0]), z[:1]) == pytest.approx(scipys([[4.5, z[0]]]), rel=1e-12)


@pytest.mark.parametrize("kind", ["cubic", "akima", "previous", "next"])
@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_product_of_two_functions_is_interpolated_as_a_product(kind: str, orders: tuple[int, int]):
    """Also with a factor in the table that makes Akima's weights differ between rows: continuity is tested below."""
    rng = np.random.default_rng(1)
    x, z = rng.uniform(-0.5, 5.0, 60), rng.uniform(-1.5, 3.0, 60)
    first, second = piecewise(table(kind)), piecewise(Table("k", ("z",), (Z,), G, kind))
    expected = first.evaluate(orders[:1], x) * second.evaluate(orders[1:], z)
    assert piecewise(grid(kind)).evaluate(orders, x, z) == pytest.approx(expected, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("kind", ["linear", "cubic", "akima"])
def test_surfaces_are_continuous_with_their_slopes(kind: str):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(len(X), len(Z)))
    p = piecewise(Table("h", ("x", "z"), (X, Z), tuple(values.ravel().tolist()), kind))
    assert p.evaluate((0, 0), *np.meshgrid(X, Z, indexing="ij")) == pytest.approx(values, rel=1e-12)
    tiny = 1e-9
    z = np.linspace(-0.9, 2.4, 7)
    for orders in [(0, 0)] if kind == "linear" else [(0, 0), (1, 0), (0, 1)]:
        for knot in X[1:-1]:
            left, right = (p.evaluate(orders, np.full(7, knot + s), z) for s in (-tiny, tiny))
            assert left == pytest.approx(right, abs=1e-6)
        for knot in Z[1:-1]:
            left, right = (p.evaluate(orders, z + 1.5, np.full(7, knot + s)) for s in (-tiny, tiny))
            assert left == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("kind", ["linear", "cubic", "akima", "previous"])
def test_tables_of_one_and_two_rows(kind: str):
    one = piecewise(Table("g", ("x",), ((2.0,),), (7.0,), kind))
    assert one.evaluate((0,), np.array([0.0, 2.0, 9.0])).tolist() == [7.0] * 3
    two = piecewise(Table("g", ("x",), ((0.0, 2.0),), (1.0, 3.0), kind))
    assert two.evaluate((0,), np.array([1.0]))[0] == (1.0 if kind == "previous" else pytest.approx(2.0))


@pytest.mark.parametrize("kind", ["linear", "cubic", "akima"])
def test_derivatives_through_the_tape(kind: str):
    b = TapeBuilder()
    x, z = b.input("x", (6,)), b.input("z", (6,))
    tape = verify(b.finish({"f": b.make("table", x, z, attrs=(piecewise(grid(kind)), (0, 0)))}))
    rng = np.random.default_rng(4)
    inputs = {"x": rng.uniform(0.1, 4.4, 6), "z": rng.uniform(-0.9, 2.4, 6)}
    ahead = verify(forward(tape, ["x", "z"]))
    back = verify(reverse(tape, ["x", "z"]))
    bars = interpret(back, {**inputs, "f.bar": np.ones(6)})
    h = 1e-6
    for name in ("x", "z"):
        slope = interpret(ahead, {**inputs, "x.dot": np.zeros(6), "z.dot": np.zeros(6), f"{name}.dot": np.ones(6)})["f.dot"]
        up, down = (interpret(tape, {**inputs, name: inputs[name] + s * h})["f"] for s in (1, -1))
        assert slope == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-7)
        assert bars[f"{name}.bar"] == pytest.approx(slope, rel=1e-13)
