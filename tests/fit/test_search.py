"""Traps of a search: bounds, starts that fail, what has no influence, parameters in starts and events only, local optima."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

import hybridode as ho
from hybridode.errors import Source
from hybridode.fit.parameters import parameter_space
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Point, run_alone
from hybridode.fit.search.hopeless import FIRST, Hopeless
from hybridode.fit.search.region import Box, step_inside
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.fit.search.starts import StartResult, best_of
from hybridode.language.check import declare
from hybridode.solve.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMES = np.linspace(0, 4, 15)
DECAY = pd.DataFrame({"t": TIMES, "x": 6 * np.exp(-0.8 * TIMES) + 0.05 * np.random.default_rng(0).normal(size=15)})


def quadratic(centre, hessian, seen):
    def evaluate(theta):
        seen.append(theta)
        d = theta - centre
        return Point(theta, 0.5 * d @ hessian @ d, hessian @ d, hessian)

    return evaluate


def test_the_optimum_inside_bounds_is_scipys_and_no_point_leaves_them():
    rng = np.random.default_rng(0)
    from scipy.optimize import minimize

    for _ in range(30):
        root = rng.normal(size=(4, 4))
        hessian, centre = root @ root.T + 0.1 * np.eye(4), 3 * rng.normal(size=4)
        box, seen = Box(np.array([-1.0, -np.inf, -1.0, -np.inf]), np.array([1.0, 1.0, np.inf, np.inf])), []
        found = run_alone(fisher_scoring(np.zeros(4), Track(Recorder()), box=box), quadratic(centre, hessian, seen))
        bounds = [(a if np.isfinite(a) else None, b if np.isfinite(b) else None) for a, b in zip(box.low, box.high, strict=True)]
        best = minimize(lambda x, h=hessian, c=centre: 0.5 * (x - c) @ h @ (x - c), np.zeros(4), bounds=bounds, tol=1e-12)
        assert found.status == "converged"
        assert found.value == pytest.approx(best.fun, abs=1e-6)
        assert all(np.all(x >= box.low) and np.all(x <= box.high) for x in seen)


def test_a_step_that_would_leave_stops_at_the_bound_and_the_others_go_on():
    hessian = np.array([[2.0, 1.0], [1.0, 2.0]])
    step = step_inside(
        np.zeros(2), np.array([-10.0, -10.0]), hessian, np.ones(2), 100.0, Box(np.full(2, -9.0), np.array([1.0, 9.0]))
    )
    np.testing.assert_allclose(step.theta, [1.0, 4.5])  # argmin with the first at 1: 2 y + 1 = 10


BOUNDS = """model m
param a = 1 in (0.5, 2)
param b = 1 in (0.5, 2) log
param c = 1 in (0, inf)
param d = -1 in (-inf, 0)
param e = 1 in (0, 5) log
param f = 0.5 in (0, 1) logit
param g = 1
state x = 1
x' = -a*b*c*d*e*f*g*x
observe x ~ normal(x, 1)
"""


def test_the_box_holds_every_value_strictly_inside_its_bounds_and_bounds_nothing_else():
    space = parameter_space(declare(Source("m.ode", BOUNDS)).parameters)
    low, high = space.box()
    for z in (low, high):
        x = space.vector(np.where(np.isfinite(z), z, 0.0))
        for e, value in zip(space.entries, x, strict=True):
            assert e.lower < value < e.upper, e.name
    assert (low[-1], high[-1]) == (-np.inf, np.inf)  # no bounds: a truth a thousand times the declared value can be found
    assert np.isinf(high[2]) and np.isinf(low[3])


def test_a_failed_start_is_never_the_best():
    results = [StartResult(1, np.zeros(1), np.inf, "failed", "", 0, 0), StartResult(2, np.zeros(1), 3.0, "converged", "", 1, 0)]
    best = best_of(results)
    assert best is not None and best.start == 2
    assert best_of(results[:1]) is None


def test_far_behind_and_hardly_falling_is_hopeless_but_never_the_best():
    tracks = {k: Track(Recorder(), k) for k in (1, 2, 3)}
    hopeless, stopped = Hopeless(), {}
    for round_ in range(1, FIRST + 1):
        for k, value in {1: 0.0, 2: 100.0 - 1e-3 * round_, 3: 100.0 - 2 * round_}.items():
            tracks[k].best_value = value
        stopped = hopeless(round_, tracks)
        assert not stopped or round_ == FIRST
    assert set(stopped) == {2}


def test_what_has_no_influence_stays_at_its_declared_value_and_is_named():
    text = """model m
param k = 0.5 in (0.01, 10) log
param m = 0.7 in (0.01, 10) log
param x0 = 5 in (0.1, 100) log
state x = 2*x0
state z = 1
x' = -k*x
z' = -m*z
param s = 0.2 in (0.001, 5) log
observe x ~ normal(x, s)
"""
    run = ho.fit(ho.parse(text), DECAY, starts=4)
    assert run.parameters["m"] == pytest.approx(0.7, rel=1e-12)
    assert any("W0760" in line and "`m`" in line for line in run.log)
    assert not any("W0760" in line and "`m`" not in line for line in run.log)
    entry = run.result["parameters"]["m"]
    assert entry["se"] is None and "do not depend on it" in entry["se_reason"]
    assert run.parameters["x0"] == pytest.approx(3.0, rel=0.05)  # a parameter of the start alone is fitted


@pytest.mark.parametrize(("level", "low", "free"), [("p", "0.2", 1.2), ("1.2", "p", 0.2)])
def test_a_parameter_of_an_event_alone_is_fitted(level, low, free):
    text = f"""model m
time t from 0
param p = {free * 1.02} in (0.1, 1.9)
state x = 0
x' = 1
event full when x > {level} {{ x := {low} }}
observe x ~ normal(x, 0.01)
"""
    times = np.arange(0.1, 6, 0.25)
    saw = np.where(times <= 1.2, times, 0.2 + (times - 1.2) % 1.0)  # rises at 1, falls from 1.2 to 0.2
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": times, "x": saw}), starts=1)
    assert run.parameters["p"] == pytest.approx(free, abs=1e-5)


def test_the_bouncing_ball_finds_the_restitution_and_reports_the_local_optimum():
    ball = EXAMPLES / "bouncing_ball"
    run = ho.fit(ho.load(ball / "bouncing_ball.ode"), ball / "data.csv")
    assert run.parameters["e"] == pytest.approx(0.9880083920248757, abs=1e-7)
    assert any("local optimum" in line and "e = 0.86655" in line for line in run.log)


def test_nothing_left_to_learn_is_an_evaluation():
    text = "model m\nparam k = 0.5 in (0.01, 10) log\nstate x = 6\nx' = -k*x\nobserve x ~ normal(x, 0.05)\n"
    run = ho.fit(ho.parse(text), DECAY, fix={"k": 0.8})
    residuals = (DECAY["x"] - 6 * np.exp(-0.8 * DECAY["t"])) / 0.05
    expected = np.sum(0.5 * residuals**2 + np.log(0.05) + 0.5 * np.log(2 * np.pi))
    assert run.result["objective"]["nll"] == pytest.approx(expected, abs=1e-3)


def test_parameters_known_only_as_a_product_are_named_and_end_far_from_their_bounds():
    """Every start converges to the same product, none drifts along the flat direction to a bound."""
    text = """model m
param k1 = 2 in (1e-4, 1e3) log
param k2 = 1 in (1e-4, 1e3) log
param x0 = 3 in (0.1, 100) log
state x = x0
x' = -k1*k2*x
observe x ~ normal(x, s)
param s = 0.3 in (1e-3, 10) log
"""
    run = ho.fit(ho.parse(text), DECAY, starts=12)
    assert run.status == "converged" and max(s["iterations"] for s in run.result["starts"]) < 60
    assert run.parameters["k1"] * run.parameters["k2"] == pytest.approx(0.8, rel=0.02)
    for name, other in (("k1", "k2"), ("k2", "k1")):
        entry = run.result["parameters"][name]
        assert entry["se"] is None and f"traded against `{other}`" in entry["se_reason"]
        assert not entry["at_bound"] and 0.01 < entry["value"] < 100


def test_the_best_start_is_polished_and_the_others_end_where_they_can_be_compared():
    text = "model m\nparam a = 1 in (0.1, 50) log\nparam k = 2 in (0.01, 10) log\nstate x = a\nx' = -k*x\n"
    text += "observe x ~ normal(x, 0.05)\n"
    starts = [{"a": a, "k": k} for a in (0.5, 5.0, 20.0) for k in (0.1, 1.0)]
    run = ho.fit(ho.parse(text), DECAY, starts=starts, settings=Settings(rtol=1e-11, atol=1e-13))
    t, x = DECAY["t"].to_numpy(), DECAY["x"].to_numpy()
    best = least_squares(lambda p: (p[0] * np.exp(-p[1] * t) - x) / 0.05, [6.0, 0.8], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert run.status == "converged"
    assert [float(run.parameters[name]) for name in "ak"] == pytest.approx(best.x, rel=1e-7)
    least = best.cost + len(t) * (np.log(0.05) + 0.5 * np.log(2 * np.pi))
    assert [e["objective"] for e in run.result["starts"]] == pytest.approx([least] * len(starts), abs=1e-6)
