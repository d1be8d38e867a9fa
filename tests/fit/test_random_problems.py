"""Random estimation problems by default flags against an independent likelihood (SciPy) and a fit from the truth."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from tests.fit.random_problems import GAIN, Problem, attempt, negative_log_likelihood, problem


def _better(one: Problem, values: dict[str, float], value: float) -> float:
    """How much SciPy gains from there, by its own integration and differences, on log scales."""
    names = list(values)

    def loss(z: np.ndarray) -> float:
        return negative_log_likelihood(one, dict(zip(names, np.exp(z), strict=True)))

    start = np.log([values[n] for n in names])
    bounds = [(np.log(1e-4), np.log(1e3))] * len(names)
    found = scipy.optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 3})
    return value - float(found.fun)


@pytest.mark.parametrize("seed", [3, 7])
def test_optimum(seed: int) -> None:
    """The likelihood is SciPy's, and SciPy finds nothing better near the optimum."""
    one = problem(seed)
    outcome = attempt(one)
    assert outcome.run.status == "converged" and outcome.found
    values = {k: float(v) for k, v in outcome.run.parameters.items()}
    np.testing.assert_allclose(negative_log_likelihood(one, values), outcome.value, rtol=1e-5, atol=1e-3)
    assert outcome.value < negative_log_likelihood(one, one.truth) + GAIN
    assert _better(one, values, outcome.value) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_many(block: int) -> None:
    """Of 200 problems at least 95 % are solved by default flags (here: of 20), and a miss does not claim convergence for sure:
    the report lists other optima or says why it stopped."""
    missed = []
    for seed in range(20 * block, 20 * block + 20):
        outcome = attempt(problem(seed))
        if not outcome.found:
            missed.append((seed, outcome.value, outcome.from_truth, outcome.run.status, outcome.run.log[-1]))
    assert len(missed) <= 1, missed
