"""The published tables, run by a few lines of NumPy: order of the step, of the error estimate and of the dense output."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hybridode.methods.explicit_tableaux import EXPLICIT
from hybridode.methods.rosenbrock_tableaux import ROSENBROCK
from hybridode.methods.tableau import ExplicitTableau, RosenbrockTableau


def rate(t: float, y: np.ndarray) -> np.ndarray:
    """Not autonomous, nonlinear, of two components."""
    return np.array([np.cos(t) * y[1] - 0.2 * y[0] ** 2, -y[0] * y[1] + np.sin(2 * t)])


def jacobian(t: float, y: np.ndarray) -> np.ndarray:
    return np.array([[-0.4 * y[0], np.cos(t)], [-y[1], -y[0]]])


def time_slope(t: float, y: np.ndarray) -> np.ndarray:
    return np.array([-np.sin(t) * y[1], 2 * np.cos(2 * t)])


def explicit_step(m: ExplicitTableau, t: float, y: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = []
    for row, c in zip(m.a, m.c, strict=True):
        k.append(rate(t + c * h, y + h * sum((x * s for x, s in zip(row, k, strict=True)), np.zeros(2))))
    new, error = y + h * np.array(m.b) @ k, h * np.array(m.error) @ k
    if m.dense:
        weights = np.array([sum(x * 0.4 ** (j + 1) for j, x in enumerate(row)) for row in m.dense])
        return new, error, y + h * weights @ k
    for row, c in zip(m.extra, m.extra_c, strict=True):
        k.append(rate(t + c * h, y + h * np.array(row) @ k))
    delta = new - y  # nested form of Hairer, Nørsett & Wanner I, II.6
    parts = [delta, h * k[0] - delta, 2 * delta - h * (k[m.stages - 1] + k[0]), *(h * np.array(row) @ k for row in m.hermite)]
    value = np.zeros(2)
    for i, part in enumerate(reversed(parts)):
        value = (value + part) * (0.4 if i % 2 == 0 else 0.6)
    return new, error, y + value


def rosenbrock_step(m: RosenbrockTableau, t: float, y: np.ndarray, h: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left = np.eye(2) / (h * m.gamma) - jacobian(t, y)
    u: list[np.ndarray] = []
    for a, big_c, c, d in zip(m.a, m.C, m.c, m.d, strict=True):
        stage = y + sum((x * s for x, s in zip(a, u, strict=True)), np.zeros(2))
        right = (
            rate(t + c * h, stage)
            + sum((x / h * s for x, s in zip(big_c, u, strict=True)), np.zeros(2))
            + h * d * time_slope(t, y)
        )
        u.append(np.linalg.solve(left, right))
    new = y + np.array(m.b) @ u
    theta, inner = 0.4, np.zeros(2)
    for row in reversed(m.dense):
        inner = np.array(row) @ u + theta * inner
    return new, np.array(m.error) @ u, (1 - theta) * y + theta * (new + (1 - theta) * inner)


def slopes(step, m, hs) -> np.ndarray:
    """Observed orders of the local error of step, of the estimate's size and of the dense output at 0.4."""
    t0, y0 = 0.3, np.array([1.1, 0.7])
    rows = []
    for h in hs:
        exact = solve_ivp(rate, (t0, t0 + h), y0, rtol=1e-13, atol=1e-15, method="DOP853", t_eval=[t0 + 0.4 * h, t0 + h])
        assert exact.success
        new, error, dense = step(m, t0, y0, h)
        rows.append([np.linalg.norm(new - exact.y[:, 1]), np.linalg.norm(error), np.linalg.norm(dense - exact.y[:, 0])])
    logs = np.log(np.array(rows))
    return np.polyfit(np.log(hs), logs, 1)[0]


@pytest.mark.parametrize("m", EXPLICIT.values(), ids=lambda m: m.name)
def test_explicit(m: ExplicitTableau) -> None:
    np.testing.assert_allclose([sum(row) for row in m.a], m.c, atol=1e-14)
    assert abs(sum(m.b) - 1) < 1e-14 and abs(sum(m.error)) < 1e-14
    hs = np.array([0.8, 0.6, 0.45]) if m.order == 8 else np.array([0.2, 0.14, 0.1])
    order, estimate, dense = slopes(explicit_step, m, hs)
    assert order > m.order + 0.6
    assert estimate > m.error_order + (-1.6 if m.order == 8 else 0.6)  # DOP853's E5 alone is a fifth-order estimate
    assert dense > m.dense_order + 0.6


@pytest.mark.parametrize("m", ROSENBROCK.values(), ids=lambda m: m.name)
def test_rosenbrock(m: RosenbrockTableau) -> None:
    order, estimate, dense = slopes(rosenbrock_step, m, np.array([0.1, 0.07, 0.05]))
    assert order > m.order + 0.6
    assert estimate > m.error_order - 0.4
    assert dense > m.dense_order + 0.6
