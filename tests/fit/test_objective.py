"""The objective against an independent likelihood by SciPy, its derivatives against differences and each other."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest

from hybridode.data.experiments import experiments
from hybridode.fit.objective.batch import build_batch, up_to
from hybridode.fit.objective.objective import Objective
from hybridode.fit.outcome.uncertainty import marginal_information, uncertainty
from hybridode.fit.parameters import parameter_space
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import run_alone
from hybridode.fit.search.lanes import Lanes
from hybridode.fit.search.region import trust_region_step
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.solve import results
from hybridode.solve.settings import Settings
from tests.fit import lynx_hare as lh

PRECISE = Settings(rtol=1e-10, atol=1e-12)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def make(frame=lh.FRAME, settings=PRECISE):
    compiled = lh.compiled()
    dataset = experiments(compiled.declarations, frame)
    space = parameter_space(compiled.declarations.parameters, (), dataset.given)
    batch, _ = build_batch(compiled, dataset, space)
    objective = Objective(compiled, space, (), compiled.arguments().parameters, {}, (), "tsit5", settings, None, ((), ()))
    return objective, batch


@pytest.fixture(scope="module")
def precise():
    with jax.enable_x64(True):
        return make()


def test_value_is_scipys_likelihood(precise):
    objective, batch = precise
    e = objective.with_fisher(objective.space.unconstrain(), batch)
    assert np.all(np.asarray(e.results) == results.SUCCESS)
    assert float(e.value) == pytest.approx(lh.scipy_nll(np.array(lh.VALUES)), abs=1e-6)


def test_gradients_agree_with_differences_and_with_reverse_mode(precise):
    objective, batch = precise
    z = objective.space.unconstrain()
    e = objective.with_fisher(z, batch)
    assert np.all(np.asarray(e.results) == results.SUCCESS)
    h = 1e-5
    differences = [(lh.scipy_nll(objective.space.vector(z + h * v)) - lh.scipy_nll(objective.space.vector(z - h * v))) / (2 * h)
                   for v in np.eye(len(z))]  # fmt: skip
    np.testing.assert_allclose(e.gradient, differences, rtol=1e-4, atol=1e-4)
    back = objective.with_gradient(z, batch)
    assert float(back.value) == pytest.approx(float(e.value), abs=1e-9)
    np.testing.assert_allclose(back.gradient, e.gradient, rtol=1e-7, atol=1e-7)


def test_fisher_matrix_is_the_sum_over_records_of_scipys_sensitivities(precise):
    """For lognormal noise: sum of (d log median)^2/s^2 and 2/s^2 for the log-sigmas, by differences of SciPy's solution."""
    import scipy.integrate

    objective, batch = precise
    z = objective.space.unconstrain()
    t = lh.FRAME["year"].to_numpy(float)

    def log_medians(z):
        a, b, c, e, _, _, h0, l0 = objective.space.vector(z)
        rates = lambda t, y: [a * y[0] - b * y[0] * y[1], e * y[0] * y[1] - c * y[1]]  # noqa: E731
        s = scipy.integrate.solve_ivp(rates, (t[0], t[-1]), [h0, l0], "DOP853", t, rtol=1e-11, atol=1e-12)
        assert s.success
        return np.log(s.y)

    h = 1e-5
    jacobian = np.stack([(log_medians(z + h * v) - log_medians(z - h * v)) / (2 * h) for v in np.eye(8)], axis=-1)
    x = objective.space.vector(z)
    slope = (objective.space.vector(z + h) - objective.space.vector(z - h)) / (2 * h)
    expected = sum(np.einsum("tk,tl->kl", jacobian[i], jacobian[i]) / x[4 + i] ** 2 for i in range(2))
    for i in (4, 5):
        expected[i, i] += len(t) * 2 / x[i] ** 2 * slope[i] ** 2
    np.testing.assert_allclose(objective.with_fisher(z, batch).fisher, expected, rtol=1e-4, atol=1e-3)


def test_a_failed_solve_is_infinite_and_says_why():
    objective, batch = make(settings=Settings(max_steps=5))
    e = objective.with_fisher(objective.space.unconstrain(), batch)
    assert float(e.value) == np.inf
    assert np.all(np.asarray(e.gradient) == 0)
    assert "number of steps" in objective.why(e)


def test_a_failed_solve_with_finite_numbers_is_infinite_too(precise):
    """An integrator may give up after the last record: what it says counts, not whether the numbers look well."""
    objective, _ = precise
    nothing, numbers = np.zeros(8), (np.array(-100.0), (np.array(0.0), np.array(0.0)), np.ones(8), np.eye(8))
    for code, count in ((results.SUCCESS, 0), (results.MAX_STEPS, 0), (results.SUCCESS, 1)):
        e = objective._finish(*numbers, np.array([results.SUCCESS, code]), np.array([0, count]))
        good = code == results.SUCCESS and not count
        assert float(e.value) == (-100.0 if good else np.inf)
        np.testing.assert_array_equal(e.gradient, np.ones(8) if good else nothing)


def test_a_prediction_that_the_noise_cannot_have_is_infinite_and_says_why(precise):
    objective, batch = precise
    broken = replace(
        objective, compiled=replace(objective.compiled, observables=lambda t, y, args: lh.compiled().observables(t, -y, args))
    )
    e = broken.with_fisher(objective.space.unconstrain(), batch)
    assert float(e.value) == np.inf
    assert "21 predictions of `hare` are impossible" in broken.why(e)


def test_the_horizon_masks_records_and_keeps_shapes(precise):
    objective, batch = precise
    part = up_to(batch, 0.5)
    shapes, same = ([np.shape(leaf) for leaf in jax.tree_util.tree_leaves(b)] for b in (part, batch))
    assert shapes == same and jax.tree_util.tree_structure(part) == jax.tree_util.tree_structure(batch)
    few = lh.FRAME[lh.FRAME["year"] <= 1910]
    before = objective.with_fisher._cache_size()
    e = objective.with_fisher(objective.space.unconstrain(), part)
    assert objective.with_fisher._cache_size() <= max(before, 1)
    assert float(e.value) == pytest.approx(lh.scipy_nll(np.array(lh.VALUES), few), abs=1e-6)


def test_series_of_different_lengths_and_their_own_parameters_add_up():
    """Two series, one with its own alpha in a column: the sum of SciPy's likelihoods."""
    one, two = lh.FRAME.assign(id="x", gamma=0.8), lh.FRAME.iloc[:9].assign(id="y", gamma=0.7)
    import pandas as pd

    objective, batch = make(pd.concat([one, two]))
    assert "gamma" not in objective.space.names
    e = objective.with_fisher(objective.space.unconstrain(), batch)
    other = np.array(lh.VALUES)
    other[2] = 0.7
    assert float(e.value) == pytest.approx(lh.scipy_nll(np.array(lh.VALUES)) + lh.scipy_nll(other, two), abs=1e-5)


# ---- the optimiser -------------------------------------------------------------------------------------------------------
def test_trust_region_step_solves_the_subproblem():
    rng = np.random.default_rng(0)
    for radius in (0.01, 1.0, 100.0):
        a = rng.normal(size=(4, 4))
        h, g = a @ a.T, rng.normal(size=4)
        p, gain = trust_region_step(g, h, radius)
        assert np.linalg.norm(p) <= radius * (1 + 1e-9)
        assert gain == pytest.approx(-(g @ p + 0.5 * p @ h @ p), rel=1e-9)
        if np.linalg.norm(p) < 0.99 * radius:
            np.testing.assert_allclose(h @ p, -g, atol=1e-8)
        else:  # (H + lambda) p = -g with lambda >= 0: p and H p + g are antiparallel
            residual = h @ p + g
            assert residual @ p == pytest.approx(-np.linalg.norm(residual) * np.linalg.norm(p), rel=1e-3)


@pytest.mark.parametrize("scale", [np.full(8, 0.0), np.array([0.2, -0.3, 0.2, 0.3, 0.5, -0.5, 0.3, -0.3])])
def test_lynx_and_hare_from_declared_values_and_from_elsewhere(precise, scale):
    objective, batch = precise
    track = Track(Recorder())
    found = run_alone(fisher_scoring(objective.space.unconstrain() + scale, track), Lanes(objective, batch).point)
    assert found.status == "converged"
    assert np.max(np.abs(found.gradient)) < 1e-7
    assert found.value == pytest.approx(122.9259856, abs=1e-4)
    assert track.rows[-1].objective == found.value


def test_standard_errors_are_those_of_the_inverse_information(precise):
    objective, batch = precise
    found = run_alone(fisher_scoring(objective.space.unconstrain(), Track(Recorder())), Lanes(objective, batch).point)
    errors = uncertainty(objective.space, found.theta, found.fisher)
    x = objective.space.vector(found.theta)
    h = 1e-6
    slope = (objective.space.vector(found.theta + h) - objective.space.vector(found.theta - h)) / (2 * h)
    covariance = np.linalg.inv(found.fisher) * np.outer(slope, slope)
    np.testing.assert_allclose(errors.se, np.sqrt(np.diag(covariance)), rtol=1e-5)
    assert np.all((errors.lower < x) & (x < errors.upper))
    # Carpenter's analysis of these data with Stan has posterior standard deviations of 0.06, 0.004, 0.09, 0.004.
    np.testing.assert_allclose(errors.se[:4], [0.06, 0.004, 0.09, 0.004], rtol=0.3)


def test_what_is_not_determined_has_no_standard_error():
    objective, _ = make()
    z = objective.space.unconstrain()
    rng = np.random.default_rng(1)
    a = rng.normal(size=(20, 8))
    a[:, 1] = 2 * a[:, 0]
    a[:, 3] = 0
    errors = uncertainty(objective.space, z, a.T @ a)
    assert np.isnan(errors.se[[0, 1, 3]]).all()
    assert np.isfinite(errors.se[[2, 4, 5, 6, 7]]).all()
    assert "`beta`" in errors.reasons[0]
    assert "do not depend" in errors.reasons[3]
    np.testing.assert_allclose(marginal_information(np.diag([1.0, 2.0, 0.0]), 2), np.diag([1.0, 2.0]))


def test_schur_complement_is_the_block_of_the_inverse():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(30, 7))
    f = a.T @ a
    np.testing.assert_allclose(np.linalg.inv(marginal_information(f, 3)), np.linalg.inv(f)[:3, :3], rtol=1e-8)
