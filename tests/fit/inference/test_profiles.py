"""Profile likelihoods against exact ones and against SciPy's constrained minima."""

from __future__ import annotations

import numpy as np
import scipy.optimize

from hybridode.declarations import Parameter
from hybridode.fit.inference.profiles import ROOT95, Profile, profiles
from hybridode.fit.parameters import parameter_space
from hybridode.fit.search.ask import Point
from hybridode.fit.search.pool import evaluate_alone

T = np.linspace(0, 4, 15)
Y = 2.0 * np.exp(-0.7 * T) + 0.05 * np.random.default_rng(3).standard_normal(len(T))


def least_squares(residuals, jacobian):
    """A point of half the sum of squares."""

    def at(theta):
        r, j = residuals(theta), jacobian(theta)
        return Point(np.array(theta), 0.5 * float(r @ r), j.T @ r, j.T @ j)

    return at


def decay(theta):
    return (np.exp(theta[0]) * np.exp(-np.exp(theta[1]) * T) - Y) / 0.05


def decay_slope(theta):
    a, k = np.exp(theta)
    e = a * np.exp(-k * T)
    return np.stack([e, -k * T * e], axis=1) / 0.05


def space_of(*names):
    return parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in names))


def found(evaluate, start, names) -> list[Profile]:
    best = scipy.optimize.minimize(lambda th: evaluate(th).value, start, method="BFGS", tol=1e-10).x
    out, early = profiles(space_of(*names), evaluate(best), evaluate_alone(evaluate))
    assert not early
    return out


def test_linear_model_is_exact():
    design = np.random.default_rng(0).standard_normal((12, 3)) * [1.0, 10.0, 0.1]
    y = design @ [0.3, 0.2, -0.5] + 0.1 * np.random.default_rng(1).standard_normal(12)
    evaluate = least_squares(lambda th: (design @ th - y) / 0.1, lambda th: design / 0.1)
    se = np.sqrt(np.diag(np.linalg.inv(design.T @ design / 0.01)))
    for i, profile in enumerate(found(evaluate, np.zeros(3), "abc")):
        best = profile.best.z
        np.testing.assert_allclose(profile.below.crossing, best - ROOT95 * se[i], rtol=1e-6, atol=1e-6 * se[i])
        np.testing.assert_allclose(profile.above.crossing, best + ROOT95 * se[i], rtol=1e-6, atol=1e-6 * se[i])


def test_nonlinear_model_against_constrained_minima():
    evaluate = least_squares(decay, decay_slope)
    for i, profile in enumerate(found(evaluate, np.zeros(2), ["a", "k"])):

        def excess(z, i=i, least=profile.best.value):
            other = scipy.optimize.minimize_scalar(
                lambda x: evaluate(np.insert([x], i, z)).value, bracket=(-1, 1), options={"xtol": 1e-12}
            )
            return other.fun - least - ROOT95**2 / 2

        for side, sign in ((profile.below, -1), (profile.above, 1)):
            exact = scipy.optimize.brentq(excess, profile.best.z, profile.best.z + sign * 2)
            assert side.open == ""
            np.testing.assert_allclose(side.crossing, exact, atol=2e-4 * abs(exact - profile.best.z))
        for level in profile.levels:
            assert abs(excess(level.z) + ROOT95**2 / 2 - (level.value - profile.best.value)) < 1e-4


def test_product_is_open_on_both_sides_and_the_valley_is_followed():
    """y = a b exp(-k t): only a b and k are known."""
    evaluate = least_squares(
        lambda th: decay([th[0] + th[1], th[2]]), lambda th: decay_slope([th[0] + th[1], th[2]])[:, [0, 0, 1]]
    )
    a, b, k = found(evaluate, np.zeros(3), ["a", "b", "k"])
    for profile in (a, b):
        assert profile.below.open == profile.above.open == "flat"
        sums = [level.theta[0] + level.theta[1] for level in profile.levels]
        np.testing.assert_allclose(sums, sums[0], atol=1e-3)
    assert k.below.open == k.above.open == ""


def test_saturated_rate_is_bounded_on_one_side():
    """1 - exp(-k t) looked at only where it is 1 already: k has a lower limit and no upper one."""
    t = np.linspace(4, 8, 10)
    y = 1 + 0.05 * np.random.default_rng(2).standard_normal(10)
    evaluate = least_squares(
        lambda th: (1 - np.exp(-np.exp(th[0]) * t) - y) / 0.05,
        lambda th: (np.exp(th[0]) * t * np.exp(-np.exp(th[0]) * t) / 0.05)[:, None],
    )
    out, _ = profiles(space_of("k"), evaluate(np.array([2.0])), evaluate_alone(evaluate))
    exact = scipy.optimize.brentq(
        lambda z: evaluate(np.array([z])).value - evaluate(np.array([2.0])).value - ROOT95**2 / 2, -3, 1
    )
    np.testing.assert_allclose(out[0].below.crossing, exact, atol=1e-3)
    assert out[0].above.open == "flat" and np.isnan(out[0].above.crossing)
