"""Lookup tables in IR against the piecewise polynomials they come from."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.kernels.llvm.writer import Lanes
from hybridode.tape.tables import Piecewise
from tests.kernels.compiled import compiled


def one_axis(count: int, degree: int, right: bool = True) -> Piecewise:
    rng = np.random.default_rng(count)
    knots = np.sort(rng.uniform(-5, 5, count))
    cells = rng.normal(size=(count + 1, degree + 1))
    cells[[0, -1], 1:] = 0.0  # the first and the last cell hold a number
    return Piecewise((tuple(knots.tolist()),), degree, tuple(cells.ravel().tolist()), right)


@pytest.mark.parametrize("lanes", [Lanes(1), Lanes(4), Lanes(8), Lanes(8, "float32")], ids=lambda lanes: lanes.suffix)
@pytest.mark.parametrize(("count", "degree", "right"), [(1, 0, True), (2, 1, True), (7, 3, True), (8, 1, False), (100, 3, True)])
def test_one_axis(lanes: Lanes, count: int, degree: int, right: bool) -> None:
    table = one_axis(count, degree, right)
    knots = np.array(table.knots[0])
    x = np.concatenate([np.linspace(-6, 6, 400), [np.inf, -np.inf, np.nan]])
    if lanes.dtype == "float64":
        x = np.concatenate([x, knots, np.nextafter(knots, 9), np.nextafter(knots, -9)])
    else:  # a knot rounded to float32 may change sides
        x = x[np.min(np.abs(x[:, None] - knots), axis=1) > 1e-5]
    tolerance = 1e-12 if lanes.dtype == "float64" else 2e-4
    for order in range(degree + 1):
        got = compiled("table", lanes, attrs=(table, (order,)))(x)
        want = table.evaluate((order,), x.astype(lanes.dtype).astype(float))
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 1)])
def test_two_axes(orders: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    knots = (tuple(np.sort(rng.uniform(-2, 2, 5)).tolist()), tuple(np.sort(rng.uniform(0, 1, 3)).tolist()))
    table = Piecewise(knots, 1, tuple(rng.normal(size=6 * 4 * 2 * 2).tolist()))
    x, y = rng.uniform(-3, 3, 500), rng.uniform(-0.5, 1.5, 500)
    x[:3], y[3:6] = [np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf]
    got = compiled("table", Lanes(4), attrs=(table, orders))(x, y)
    np.testing.assert_allclose(got, table.evaluate(orders, x, y), rtol=1e-13, atol=1e-13)
