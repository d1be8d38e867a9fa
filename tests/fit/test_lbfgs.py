"""L-BFGS against SciPy's, and beyond walls where SciPy's ends early."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize, rosen, rosen_der

from hybridode.fit.search.lbfgs import Place, descend

EXAMPLE = Path(__file__).parents[2] / "examples" / "fisher_kpp" / "fisher_kpp.ode"


def from_point(f, slope, x, iterations=2000, goal=1e-6):
    calls = []

    def evaluate(x):
        calls.append(x)
        value = f(x)
        return value, slope(x) if np.isfinite(value) else np.zeros_like(x)

    values = []
    found = descend(evaluate, Place(x, *evaluate(x)), iterations, lambda p: values.append(p.value), goal)
    assert all(b <= a for a, b in pairwise(values))
    return found, len(calls)


@pytest.mark.parametrize("size", [2, 20, 100])
def test_rosenbrock_takes_no_more_evaluations_than_scipy(size: int) -> None:
    x = np.tile([3.0, -1.2], size // 2)
    found, calls = from_point(rosen, rosen_der, x)
    peer = minimize(rosen, x, jac=rosen_der, method="L-BFGS-B", options={"maxcor": 30, "gtol": 1e-6, "ftol": 0, "maxiter": 5000})
    assert found.converged
    np.testing.assert_allclose(found.place.x, peer.x, atol=1e-5)
    assert calls < 1.3 * peer.nfev


def test_a_quadratic_with_a_condition_of_1e6() -> None:
    weights = np.logspace(0, 6, 30)
    found, _ = from_point(lambda x: 0.5 * weights @ (x - 1) ** 2, lambda x: weights * (x - 1), np.zeros(30))
    assert found.converged
    np.testing.assert_allclose(found.place.x, 1.0, atol=1e-5)


def test_a_wall_beside_the_way_does_not_end_the_search() -> None:
    """Points beyond a wall have no value; the valley to the optimum runs along it."""
    walled = lambda x: rosen(x) if x[1] > x[0] ** 2 - 0.05 else np.inf  # noqa: E731
    found, _ = from_point(walled, rosen_der, np.array([-1.2, 1.5]))
    assert found.converged
    np.testing.assert_allclose(found.place.x, 1.0, atol=1e-5)


def test_an_optimum_beyond_a_wall_is_no_optimum() -> None:
    walled = lambda x: float(x @ x) if x[0] > 1 else np.inf  # noqa: E731
    found, _ = from_point(walled, lambda x: 2 * x, np.array([3.0, 0.5]))
    assert not found.converged and "cannot be evaluated" in found.message
    assert found.place.x[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_training_goes_on_where_weights_make_the_model_blow_up() -> None:
    """A steep front that spreads, its growth a network of the default size: SciPy's line search ended at the first
    point that cannot be evaluated, at an objective of -178, and called that an optimum."""
    import hybridode as ho

    places, times = np.arange(26) * 0.04, np.linspace(0, 5, 11)
    start = (np.tanh((places - 0.4) / 0.02) - np.tanh((places - 0.6) / 0.02)) / 2

    def rates(_: float, rho: np.ndarray) -> np.ndarray:
        return 0.01 * (np.roll(rho, 1) - 2 * rho + np.roll(rho, -1)) / 0.04**2 + rho * (1 - rho)

    exact = solve_ivp(rates, (0, 5), start, "DOP853", times, rtol=1e-9, atol=1e-11).y
    noisy = exact + 0.005 * np.random.default_rng(1).normal(size=exact.shape)
    table = pd.DataFrame({"t": times, **{f"rho[{i + 1}]": row for i, row in enumerate(noisy)}})
    model = ho.load(EXAMPLE)
    text = "\n".join(line for line in model.declarations.source.text.splitlines() if not line.startswith(("nn", "rho[i](0)")))
    text = text.replace("growth(rho[i])", "NN(rho[i])")
    text += "\nrho[i](0) = (tanh((i - 1)*dx*50 - 20) - tanh((i - 1)*dx*50 - 30))/2 for i in 1..n\n"
    run = ho.fit(ho.parse(text), table)
    truth = 286 * (np.log(0.005) + 0.5 * np.log(2 * np.pi) + 0.5)  # what the true growth costs, in expectation
    assert run.status == "converged" and run.result["objective"]["value"] < truth + 10
