"""Steps reflected from walls, coordinates, growing parts, and what lies across a number without influence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize

from hybridode.errors import Source
from hybridode.fit.parameters import parameter_space
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Point, View, answered, run_alone
from hybridode.fit.search.chart import Chart
from hybridode.fit.search.descent import descent, opposite
from hybridode.fit.search.hopeless import FIRST, Hopeless
from hybridode.fit.search.reflected import reflected_step, reflected_steps
from hybridode.fit.search.region import Box
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.language.check import declare

TEXT = """model m
param a = 1 in (0.01, 100) log
param b = 1 in (0, 5)
param c = 1
param d = 1 in (0, inf)
state x = 1
x' = -a*b*c*d*x
observe x ~ normal(x, 1)
"""
SPACE = parameter_space(declare(Source("m.ode", TEXT)).parameters)
CHART = Chart.of(SPACE)


def test_coordinates_are_logarithms_or_shares_of_the_range_and_lead_back():
    x = np.array([0.05, 4.0, -2.0, 3.0])
    theta = SPACE.unconstrain_vector(x)
    found = CHART.coordinates(theta)
    np.testing.assert_allclose(found[:2], [np.log(0.05), 4 * 4 / 5], rtol=1e-12)
    np.testing.assert_array_equal(found[2:], theta[2:])
    np.testing.assert_allclose(CHART.theta(found), theta, rtol=1e-9)


def test_an_evaluation_in_coordinates_has_their_derivatives():
    theta = SPACE.unconstrain_vector(np.array([0.05, 4.9, -2.0, 3.0]))
    slopes = np.array([(CHART.coordinates(theta + h) - CHART.coordinates(theta - h))[i] / 2e-6
                       for i, h in enumerate(1e-6 * np.eye(4))])  # fmt: skip
    g, h = np.array([1.0, 2.0, 3.0, 4.0]), np.diag([1.0, 2.0, 3.0, 4.0])
    local = CHART.local(Point(theta, 0.0, g, h))
    np.testing.assert_allclose(local.gradient * slopes, g, rtol=1e-6)
    np.testing.assert_allclose(local.fisher * np.outer(slopes, slopes), h, rtol=1e-6)


def test_no_step_leaves_the_walls_and_each_gains_what_the_quadratic_says():
    rng = np.random.default_rng(0)
    for _ in range(300):
        root, walls = rng.normal(size=(4, 4)), Box(np.array([-1.0, -np.inf, -1.0, 0.0]), np.array([1.0, 1.0, np.inf, 3.0]))
        hessian, g = root @ root.T, 10.0 ** rng.uniform(-3, 3) * rng.normal(size=4)
        theta = np.array([np.tanh(3 * rng.normal()), 1 - 10.0 ** rng.uniform(-8, 1), 10.0 ** rng.uniform(-8, 1) - 1, 1.0])
        radius = 10.0 ** rng.uniform(-2, 2)
        step = reflected_step(theta, g, hessian, radius, walls)
        assert np.all(step.theta > walls.low) and np.all(step.theta < walls.high)
        assert step.length <= radius * (1 + 1e-6) and step.gain >= 0
        p = step.theta - theta
        assert step.gain + step.bend == pytest.approx(-(g @ p + 0.5 * p @ hessian @ p), rel=1e-6, abs=1e-9 * abs(g @ p))


def test_steps_that_are_made_together_have_the_bits_of_each_alone():
    rng, walls = np.random.default_rng(2), Box(np.full(9, -1.0), np.full(9, 1.0))
    root = rng.normal(size=(60, 9, 9)) * 10.0 ** rng.uniform(-3, 3, size=(60, 1, 1))
    hessian, g = root @ np.swapaxes(root, 1, 2), 10.0 ** rng.uniform(-3, 3, size=(60, 1)) * rng.normal(size=(60, 9))
    theta, radius = np.tanh(3 * rng.normal(size=(60, 9))), 10.0 ** rng.uniform(-2, 2, size=60)
    together = reflected_steps(theta, g, hessian, radius, walls)
    for chosen in ([3], [7, 50], rng.permutation(60)[:23]):
        again = reflected_steps(theta[chosen], g[chosen], hessian[chosen], radius[chosen], walls)
        for step, other in zip(again, (together[i] for i in chosen), strict=True):
            assert step.theta.tobytes() == other.theta.tobytes()
            assert (step.gain, step.length, step.decrement, step.bend) == (other.gain, other.length, other.decrement, other.bend)


def test_the_optimum_of_a_quadratic_inside_walls_is_scipys():
    rng = np.random.default_rng(1)
    for _ in range(20):
        root = rng.normal(size=(4, 4))
        hessian, centre = root @ root.T + 0.1 * np.eye(4), CHART.coordinates(np.zeros(4)) + 2 * rng.normal(size=4)
        seen = []

        def evaluate(theta, hessian=hessian, centre=centre, seen=seen):
            seen.append(theta)
            d = CHART.coordinates(theta) - centre
            slope = 1 / CHART.local(Point(theta, 0.0, np.ones(4))).gradient
            return Point(theta, float(0.5 * d @ hessian @ d), slope * (hessian @ d), hessian * np.outer(slope, slope))

        found = run_alone(fisher_scoring(np.zeros(4), Track(Recorder()), chart=CHART), evaluate)
        bounds = [(a if np.isfinite(a) else None, b if np.isfinite(b) else None)
                  for a, b in zip(CHART.walls.low, CHART.walls.high, strict=True)]  # fmt: skip
        best = minimize(lambda x, h=hessian, c=centre: 0.5 * (x - c) @ h @ (x - c), centre * 0 + 0.1, bounds=bounds, tol=1e-13)
        assert found.status == "converged"
        assert found.value == pytest.approx(best.fun, abs=1e-5)
        x = np.array([SPACE.vector(theta) for theta in seen])
        assert np.all(x > [e.lower for e in SPACE.entries]) and np.all(x < [e.upper for e in SPACE.entries])


def test_an_optimum_against_a_wall_costs_no_more_steps_than_scipys_trust_region():
    """Rosenbrock's valley with its minimum behind a wall: both end at the wall, to the same value."""
    space = parameter_space(
        declare(Source("m.ode", TEXT.replace("(0.01, 100)", "(0.01, 0.7)").replace("a = 1", "a = 0.1"))).parameters
    )
    chart, count = Chart.of(space), [0]

    def residuals(u):
        return np.array([10 * (u[1] - u[0] ** 2), 1 - u[0]])

    def evaluate(theta):
        count[0] += 1
        x, y = np.exp(chart.coordinates(theta)[0]), theta[2]
        r = residuals((x, y))
        jacobian = np.array([[-20 * x * x, 0, 10, 0], [-x, 0, 0, 0]])
        slope = 1 / chart.local(Point(theta, 0.0, np.ones(4))).gradient
        jacobian = jacobian * slope
        return Point(theta, float(0.5 * r @ r), r @ jacobian, jacobian.T @ jacobian)

    found = run_alone(fisher_scoring(space.unconstrain({"c": -1.0}), Track(Recorder()), chart=chart), evaluate)
    best = least_squares(residuals, [0.1, -1.0], bounds=([0.01, -np.inf], [0.7, np.inf]), xtol=1e-15, ftol=1e-12)
    assert found.status == "converged" and count[0] <= 2 * best.nfev
    assert found.value == pytest.approx(best.cost, abs=1e-6)


def test_the_other_side_of_a_range():
    theta = SPACE.unconstrain_vector(np.array([90.0, 4.9, 0.0, 1.0]))
    assert SPACE.vector(opposite(CHART, theta, 0))[0] == pytest.approx(1 / 90)
    assert SPACE.vector(opposite(CHART, theta, 1))[1] == pytest.approx(0.1)
    middle = SPACE.unconstrain_vector(np.array([1.1, 2.0, 0.0, 1.0]))
    assert SPACE.vector(opposite(CHART, middle, 0))[0] == pytest.approx(0.1)  # half of the way to the wall at least


def saturated(theta):
    """Far to the right the first number has no influence on a valley of depth 1; on the left is one of depth 3."""
    u = CHART.coordinates(theta)[0]
    left, right = np.exp(-((u + 2) ** 2)), 1 / (1 + np.exp(-20 * (u - 2)))
    slope = 1 / CHART.local(Point(theta, 0.0, np.ones(4))).gradient
    g = np.array([6 * (u + 2) * left - 20 * right * (1 - right), 0, theta[2], theta[3]])
    fisher = np.diag([6 * left + 400 * right * (1 - right), 1.0, 1.0, 1.0])
    value = 0.5 * (theta[2] ** 2 + theta[3] ** 2) - 3 * left - right
    return Point(theta, value, g * slope, fisher * np.outer(slope, slope))


def test_a_number_that_lost_its_influence_is_tried_on_the_other_side():
    start = SPACE.unconstrain_vector(np.array([np.exp(2.6), 1.0, 0.5, 1.5]))
    alone = run_alone(fisher_scoring(start, Track(Recorder()), chart=CHART), saturated)
    assert alone.value == pytest.approx(-1.0, abs=1e-3)  # where the gradient ends
    found = run_alone(descent(CHART, start, Track(Recorder())), saturated)
    assert found.value == pytest.approx(-3.0, abs=1e-6) and found.status == "converged"
    assert CHART.coordinates(found.theta)[0] == pytest.approx(-2.0, abs=1e-3)


def test_most_starts_see_growing_parts_first_and_every_fourth_all_at_once():
    def views(number, failing=()):
        def evaluated(asks):
            (ask,), point = asks, saturated(asks[0].theta)
            return [Point(ask.theta, np.inf, point.gradient, reason="no") if ask.view.horizon in failing else point]

        seen, search = [], descent(CHART, np.zeros(4), Track(Recorder(), number))
        ask = next(search)
        try:
            while True:
                seen.append(ask.view.horizon)
                (point,) = answered([ask], evaluated)
                ask = search.send(point)
        except StopIteration as end:
            return list(dict.fromkeys(seen)), end.value

    assert views(1)[0] == views(5)[0] == [1.0]
    assert views(2)[0] == [0.25, 0.5, 1.0]
    order, end = views(3, failing=(0.5,))  # what cannot be evaluated waits for what lies between
    assert order[:4] == [0.25, 0.5, 0.375, 0.4375] and order[-1] == View().horizon == 1.0
    assert end.status == "converged"


def test_nobody_is_hopeless_by_the_values_of_some_records():
    tracks = {k: Track(Recorder(), k) for k in (1, 2)}
    tracks[1].begin_stage("part", partial=True)
    tracks[1].best_value = -1000.0
    hopeless, stopped = Hopeless(), {}
    for round_ in range(FIRST + 5):
        tracks[2].best_value = 100.0 - 1e-3 * round_
        stopped |= hopeless(round_, tracks)
    assert not stopped
