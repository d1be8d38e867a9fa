"""Climbing where states jump: doses, `at` statements and located events; held-out records; what a fit is compared with there."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.integrate

from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit.run import fit
from hybridode.fit.search.attainable import Attained, scatter
from hybridode.fit.search.nodes import first_nodes
from hybridode.fit.search.pieces import cut
from hybridode.fit.search.smooth import smooth_states
from hybridode.language.check import declare
from tests.fit.test_fit import check
from tests.fit.test_shooting import LORENZ, lorenz_data, prepared

PREY = """model prey
param a = 2.2 in (0.01, 20) log
param b = 0.7 in (0.01, 20) log
param c = 4.5 in (0.01, 20) log
param d = 0.7 in (0.01, 20) log
state x = 5 in (0.01, 50) log
state y = 2 in (0.01, 50) log
dx/dt = a*x - b*x*y
dy/dt = d*x*y - c*y
param s = 0.2 in (0.001, 2) log
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
"""
TRUE = {"a": 1.5, "b": 1.0, "c": 3.0, "d": 1.0, "x(0)": 5.0, "y(0)": 2.0, "s": 0.1}
JUMPS = ((10.0, 0, 3.0), (20.0, 0, 2.0), (33.3, 1, 2.0))  # time, which state, what is added


def model(text):
    return declare(Source("model.ode", text))


def rates(t, u):
    """At the true values."""
    return [1.5 * u[0] - u[0] * u[1], u[0] * u[1] - 3 * u[1]]


def noisy(y):
    """With lognormal noise of 0.1."""
    return y * np.exp(0.1 * np.random.default_rng(0).normal(size=y.shape))


def fed(jumps=JUMPS, n=181):
    """Prey and hunters over 15 periods, fed at known times, solved from jump to jump."""
    t = np.linspace(0, 48, n).round(9)
    y, begin, out = np.array([5.0, 2.0]), -1.0, np.zeros((2, n))
    for time, which, amount in (*jumps, (48.0, 0, 0.0)):
        mine = (t > begin) & (t <= time)
        solution = scipy.integrate.solve_ivp(
            rates, (max(begin, 0), time), y, "DOP853", np.union1d(t[mine], time), rtol=1e-10, atol=1e-10
        )
        assert solution.success
        out[:, mine], y, begin = solution.y[:, : mine.sum()], solution.y[:, -1] + amount * np.eye(2)[which], time
    return pd.DataFrame(dict(zip("txy", [t, *noisy(out)], strict=True)))


def judged(text, data, **options):
    """The truth is found from far off by one start, which single shooting leads nowhere."""
    run = check(fit(model(text), data, starts=1, **options))
    assert run.result["search"]["stage"] == "multiple shooting, joint polish", run.log
    assert run.result["starts"][0]["objective"] > run.result["objective"]["nll"] + 300
    for name, value in TRUE.items():
        entry = run.result["parameters"][name]
        assert abs(entry["value"] - value) < 4 * entry["se"], name
    return run


def test_an_oscillation_with_at_statements_climbs():
    statements = "".join(f"at {time} {{ {'xy'[i]} := {'xy'[i]} + {amount} }}\n" for time, i, amount in JUMPS)
    judged(PREY + statements, fed())


@pytest.mark.slow
def test_an_oscillation_with_doses_climbs():
    data = fed().assign(AMT=np.nan, CMT=np.nan)
    doses = pd.DataFrame({"t": [j[0] for j in JUMPS], "AMT": [j[2] for j in JUMPS], "CMT": [j[1] + 1 for j in JUMPS]})
    judged(PREY + "dose x\ndose y\n", pd.concat([data, doses]).sort_values("t", kind="stable"))


@pytest.mark.slow
def test_an_oscillation_that_an_event_resets_climbs():
    def caught(t, u):
        return u[0] - 6

    caught.terminal, caught.direction = True, 1
    t, y, begin = np.linspace(0, 48, 181), np.array([5.0, 2.0]), 0.0
    out = np.zeros((2, 181))
    while begin < 48:
        s = scipy.integrate.solve_ivp(rates, (begin, 48), y, "DOP853", events=caught, dense_output=True, rtol=1e-10, atol=1e-10)
        mine = (t >= begin) & (t <= s.t[-1])
        out[:, mine], y, begin = s.sol(t[mine]), np.array([3.0, s.y[1, -1]]), s.t[-1]
    data = pd.DataFrame(dict(zip("txy", [t, *noisy(out)], strict=True)))
    judged(PREY + "event catch when x > 6 { x := 3 }\n", data)


@pytest.mark.slow
@pytest.mark.parametrize("hold_out", ["last:20", "fraction:0.2"])
def test_held_out_records_do_not_keep_a_fit_from_climbing(hold_out):
    run = judged(PREY, fed(()), hold_out=hold_out)
    assert run.result["hold_out"]["rmse"] < 1.0  # of records between 0.3 and 8


@pytest.mark.slow
def test_a_solution_in_pieces_predicts_what_was_held_out_between_its_records():
    data = lorenz_data(40, 401, 1.0)
    run = check(fit(model(LORENZ), data, hold_out="fraction:0.1"))
    assert run.result["search"]["stage"] == "multiple shooting"
    held = run.residuals[run.residuals["used"] == "hold_out"]
    assert len(held) > 30
    last = held["time"] > data["t"].iloc[-1] * 0.97  # beyond the last record that was fitted chaos takes over
    assert np.std((held["observed"] - held["predicted"])[~last]) < 3.0


def test_a_smooth_curve_does_not_go_across_jumps():
    rng = np.random.default_rng(0)
    t = np.arange(60.0)
    noisy = np.exp(-0.1 * (t % 20)) * 5 + 0.05 * rng.normal(size=(20, 60))
    jumps = np.array([19.0, 39.0])  # a record at a jump is from before it
    assert np.mean([scatter(t, y, jumps) for y in noisy]) == pytest.approx(0.05, rel=0.15)
    assert min(scatter(t, y) for y in noisy) > 0.3
    assert scatter(t, noisy[0], t) is None  # nothing is left to compare with


def test_curves_have_a_part_for_each_stretch():
    """x' = -0.1 x, from 5 again every 20: the curve jumps, and v' with x' = v has the slope of x."""
    text = (
        "model m\nparam k = 0.01\nstate x = 5\nstate v = 0\nx' = v\nv' = k*x\nobserve x ~ normal(x, 0.05)\n"
        "at 19.5 every 20 until 50 { x := 5 }\n"
    )
    t = np.arange(60.0)
    x = 5 * np.exp(-0.1 * (t % 20))
    dataset = experiments(model(text), pd.DataFrame({"t": t, "x": x + 0.02 * np.random.default_rng(1).normal(size=60)}))
    jumps = np.array([19.5, 39.5])
    (curves,) = smooth_states(dataset, None, [jumps])
    by_name = {s.name: c for s, c in curves.items()}
    inner = (t % 20 > 2) & (t % 20 < 17)
    np.testing.assert_allclose(by_name["x"].value(t), x, atol=0.1)
    np.testing.assert_allclose(by_name["v"].value(t[inner]), -0.1 * x[inner], atol=0.1)
    assert by_name["x"].value(np.array(19.4)) < 1 and by_name["x"].value(np.array(19.6)) > 4.5


def test_states_that_nobody_sees_begin_where_slopes_put_them():
    """Of Lorenz' equations x and z are seen; x' = sigma (y - x) says where y is."""
    text = LORENZ.replace("observe y ~ normal(y, s)\n", "")
    for name, value in (("sigma = 20", "sigma = 10"), ("rho = 10", "rho = 5"), ("beta = 6", "beta = 2.667")):
        text = text.replace(name, value)  # rho far off: what the model carries from piece to piece goes astray
    data = lorenz_data(10, 401, 0.1)
    with jax.enable_x64(True):
        ready, dataset = prepared(model(text), data.drop(columns="y"))
        pieces = cut(ready.fitted, [25])
        theta = ready.objective.theta(ready.objective.space.unconstrain({}))
        nodes, _ = first_nodes(ready.objective, pieces, smooth_states(dataset), theta)
    y = np.interp(pieces.batch.t0, data["t"], data["y"])
    assert np.sqrt(np.mean((nodes[1:, 1] - y[1:]) ** 2)) < 0.15 * np.std(y)


def test_residuals_that_follow_each_other_are_evidence():
    assert Attained("x", 1.0, 1.0, 5.0, 400, 0.05, 399).structure < 2
    assert Attained("x", 1.0, 1.0, 5.0, 400, 0.5, 399).structure > 50
    assert Attained("x", 1.0, 1.0, 5.0, 400, -0.5, 399).structure == 0
