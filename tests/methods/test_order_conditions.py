"""The tables to the last digit: the algebraic conditions hold to rounding. A wrong digit far to the right passes every test of
the order, which looks at large steps, and stops the error at small tolerances."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.methods.explicit_tableaux import EXPLICIT
from hybridode.methods.rosenbrock_tableaux import ROSENBROCK
from hybridode.methods.tableau import ExplicitTableau, RosenbrockTableau


def lower(rows: tuple[tuple[float, ...], ...]) -> np.ndarray:
    out = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


@pytest.mark.parametrize("m", ROSENBROCK.values(), ids=lambda m: m.name)
def test_rosenbrock(m: RosenbrockTableau) -> None:
    """Hairer & Wanner II, table IV.7.1, with alpha, gamma and b from the transformed form (IV.7.25)."""
    gamma = np.linalg.inv(np.eye(m.stages) / m.gamma - lower(m.C))
    alpha, b = lower(m.a) @ gamma, np.array(m.b) @ gamma
    a, beta = alpha.sum(1), (alpha + gamma).sum(1)
    np.testing.assert_allclose(a, m.c, atol=3e-14)
    np.testing.assert_allclose(gamma.sum(1), m.d, atol=3e-14)
    conditions = {
        2: [b.sum() - 1, b @ beta - 1 / 2],
        3: [b @ a**2 - 1 / 3, b @ (alpha + gamma) @ beta - 1 / 6],
        4: [b @ a**3 - 1 / 4, b @ (a * (alpha @ beta)) - 1 / 8, b @ (alpha + gamma) @ a**2 - 1 / 12,
            b @ (alpha + gamma) @ (alpha + gamma) @ beta - 1 / 24],
    }  # fmt: skip
    for order, values in conditions.items():
        if order <= m.order:
            np.testing.assert_allclose(values, 0, atol=5e-14, err_msg=f"{m.name}: conditions of order {order}")


@pytest.mark.parametrize("m", EXPLICIT.values(), ids=lambda m: m.name)
def test_explicit(m: ExplicitTableau) -> None:
    """Hairer, Nørsett & Wanner I, table II.2.1, and the quadrature conditions of every order."""
    a, b, c = lower(m.a), np.array(m.b), np.array(m.c)
    np.testing.assert_allclose(a.sum(1), c, atol=3e-14)
    for k in range(1, m.order + 1):
        np.testing.assert_allclose(b @ c ** (k - 1), 1 / k, atol=3e-14, err_msg=f"{m.name}: quadrature of order {k}")
    trees = {3: [(b @ a @ c, 1 / 6)], 4: [(b @ (c * (a @ c)), 1 / 8), (b @ a @ c**2, 1 / 12), (b @ a @ a @ c, 1 / 24)],
             5: [(b @ a @ a @ a @ c, 1 / 120), (b @ a @ c**3, 1 / 20), (b @ a @ a @ c**2, 1 / 60)]}  # fmt: skip
    for order, values in trees.items():
        if order <= m.order:
            for found, expected in values:
                np.testing.assert_allclose(found, expected, atol=3e-14, err_msg=f"{m.name}: trees of order {order}")
