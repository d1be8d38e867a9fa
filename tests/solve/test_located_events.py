"""Events located by a condition: against exact solutions and SciPy with restarts by hand."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.errors import NumericsError
from tests.problems import events
from tests.solve.event_oracle import Event, Stretch, integrate

BALL = """model ball
const g = 9.8
param e = 0.9 in (0, 2)
state h = 50
state v = 0
discrete hits = 0
h' = v
v' = -g
event bounce when h < 0 { v := -e*v; h := 0; hits := hits + 1 }
"""


def fall(e: float, ts: np.ndarray, g: float = 9.8, height: float = 50.0) -> np.ndarray:
    """Height, velocity and number of hits of the bouncing ball, exactly."""
    out = []
    for t in ts:
        start, speed, hits = 0.0, 0.0, 0
        end, first = math.sqrt(2 * height / g), True
        while t > end:
            speed = e * (g * (end - start) if first else speed)
            start, first, hits = end, False, hits + 1
            end = start + 2 * speed / g
        s = t - start
        out.append((height - g * s * s / 2, -g * s, 0) if first else (speed * s - g * s * s / 2, speed - g * s, hits))
    return np.array(out)


@pytest.mark.parametrize("method", ["tsit5", "dop853", "rodas5p"])
def test_bouncing_ball(method: str) -> None:
    ts = np.linspace(0, 20, 83)
    sol = ho.parse(BALL).simulate(at=list(ts), method=method, rtol=1e-10, atol=1e-12)
    assert sol.successful and sol.stats["engine"] == "native"
    exact = fall(0.9, ts)
    assert exact[-1, 2] >= 3
    np.testing.assert_allclose(sol["h"], exact[:, 0], atol=2e-7)
    np.testing.assert_allclose(sol["v"], exact[:, 1], atol=2e-7)
    np.testing.assert_array_equal(sol["hits"], exact[:, 2])


def test_the_published_restitution() -> None:
    """design/systems.md: the restitution for which the height at t = 15 is 20."""
    sol = ho.parse(BALL).simulate(at=[15.0], set={"e": 0.9880083920248757}, rtol=1e-10, atol=1e-12)
    assert sol.successful
    np.testing.assert_allclose(sol["h"], 20, rtol=1e-8)


THERMOSTAT = events.THERMOSTAT.replace("T < low", "T < low at start").replace("T > high", "T - high rising")


def thermostat(p, ts):
    k, q, low, high = p
    cold = Event(lambda t, y: low - y[0], lambda t, y: [y[0], 1.0])
    warm = Event(lambda t, y: y[0] - high, lambda t, y: [y[0], 0.0])
    run = Stretch(ts[-1], lambda t, y: [q * y[1] - k * (y[0] - 5), 0.0], [cold, warm])
    return integrate([run], [15.0, 1.0], ts)[0]


def test_thermostat() -> None:
    ts = np.linspace(0, 8, 41)
    sol = ho.parse(THERMOSTAT).simulate(at=list(ts), rtol=1e-10, atol=1e-12)
    assert sol.successful
    exact = thermostat((0.5, 12, 18, 21), ts)
    np.testing.assert_allclose(sol["T"], exact[:, 0], rtol=1e-7)
    np.testing.assert_array_equal(sol["heat"], exact[:, 1])


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_derivatives_by_thresholds(mode: str) -> None:
    """Exact sensitivities through the times of events, for parameters that stand only in conditions as well."""
    ts = np.array([0.3, 1.1, 2.0, 3.3, 5.0])
    model = ho.parse(THERMOSTAT)
    solver = model.solver(at=ts, rtol=1e-10, atol=1e-12)
    names, values = ["k", "q", "low", "high"], np.array([0.5, 12, 18, 21])

    def temperatures(p):
        sol = solver(dict(zip(names, p, strict=True)))
        return sol["T"], sol.result

    assert temperatures(jnp.array(values))[1] == 0
    derivative = {"reverse": jax.jacrev, "forward": jax.jacfwd}[mode]
    found, _ = jax.jit(derivative(temperatures, has_aux=True))(jnp.array(values))
    for i in range(4):
        step = np.eye(4)[i] * 1e-5
        difference = (thermostat(values + step, ts)[:, 0] - thermostat(values - step, ts)[:, 0]) / 2e-5
        np.testing.assert_allclose(found[:, i], difference, rtol=2e-5, atol=2e-5, err_msg=names[i])


def test_derivative_of_the_bouncing_ball() -> None:
    ts = np.array([4.0, 9.0, 15.0])
    solver = ho.parse(BALL).solver(at=ts, rtol=1e-10, atol=1e-12)

    def heights(e):
        sol = solver({"e": e})
        return sol["h"], sol.result

    assert heights(0.9)[1] == 0
    step = 1e-6
    exact = (fall(0.9 + step, ts)[:, 0] - fall(0.9 - step, ts)[:, 0]) / (2 * step)
    for derivative in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(derivative(heights, has_aux=True)(jnp.array(0.9))[0], exact, rtol=1e-6)


# ---- semantics -------------------------------------------------------------------------------------------------------
def run(text: str, ts, **more):
    sol = ho.parse("model m\n" + text).simulate(at=list(ts), rtol=1e-10, atol=1e-12, **more)
    assert sol.successful
    return sol


def test_true_at_the_start_does_not_fire() -> None:
    text = "state x = 2\ndiscrete n = 0\nx' = -cos(t)\nevent e when x > 1.5 { n := n + 1 }\n"
    # x = 2 - sin(t): below 1.5 between pi/6 and 5 pi/6
    np.testing.assert_array_equal(run(text, [0.1, 1.5, 2.5, 2.7])["n"], [0, 0, 0, 1])


def test_at_start() -> None:
    text = "state x = 2\ndiscrete n = 0\nx' = -cos(t)\nevent e when x > 1.5 at start { n := n + 1 }\n"
    np.testing.assert_array_equal(run(text, [0.1, 1.5, 2.7])["n"], [1, 1, 2])


@pytest.mark.parametrize(("direction", "counts"), [("rising", [0, 1, 1, 2]), ("falling", [1, 1, 2, 2]), ("", [1, 2, 3, 4])])
def test_directions(direction: str, counts: list[int]) -> None:
    # cos(t) crosses 0 at pi/2 (down), 3 pi/2 (up), 5 pi/2 (down), 7 pi/2 (up)
    text = f"state x = 1\ndiscrete n = 0\nx' = -sin(t)\nevent e when x {direction} {{ n := n + 1 }}\n"
    np.testing.assert_array_equal(run(text, [3.0, 6.0, 9.0, 12.0])["n"], counts)


def test_touching_does_not_fire() -> None:
    text = "state x = 1\ndiscrete n = 0\nx' = 2*(t - 1)\nevent e when x + 1e-9 { n := n + 1 }\n"  # x = (t - 1)^2
    np.testing.assert_array_equal(run(text, [0.5, 2.0, 3.0])["n"], [0, 0, 0])


def test_both_crossings_in_one_step_are_seen() -> None:
    """The solution is a parabola, so that one step covers all of it; it dips below 0 for 0.02."""
    text = "state x = 1\ndiscrete n = 0\nx' = 2*(t - 1)\nevent e when x - 1e-4 { n := n + 1 }\n"
    np.testing.assert_array_equal(run(text, [0.5, 1.0, 1.5, 3.0])["n"], [0, 1, 2, 2])


def test_all_right_sides_read_the_values_before() -> None:
    text = "state a = 1\nstate b = 2\na' = 0\nb' = 0\nstate s = 0\ns' = 1\nevent swap when s > 1 { a := b; b := a }\n"
    sol = run(text, [0.5, 1.5])
    np.testing.assert_allclose(sol["a"], [1, 2])
    np.testing.assert_allclose(sol["b"], [2, 1])


def test_simultaneous_events_run_one_after_the_other() -> None:
    text = ("state s = 0\ns' = 1\ndiscrete n = 1\n"
            "event first when s > 1 { n := n + 1 }\nevent second when s > 1 { n := 10*n }\n")  # fmt: skip
    np.testing.assert_array_equal(run(text, [0.5, 1.5])["n"], [1, 20])
    text = ("state s = 0\ns' = 1\ndiscrete n = 1\n"
            "event second when s > 1 { n := 10*n }\nevent first when s > 1 { n := n + 1 }\n")  # fmt: skip
    np.testing.assert_array_equal(run(text, [0.5, 1.5])["n"], [1, 11])


def test_one_event_sets_off_another() -> None:
    text = ("state s = 0\ns' = 1\ndiscrete n = 0\ndiscrete m = 0\n"
            "event after when n >= 2 { m := m + 1 }\nevent count when s > 1 { n := n + 1; s := 0 }\n")  # fmt: skip
    sol = run(text, [0.5, 1.5, 2.5, 3.5])
    np.testing.assert_array_equal(sol["n"], [0, 1, 2, 3])
    np.testing.assert_array_equal(sol["m"], [0, 0, 1, 1])


CHAINED = """model chained
param speed = 1
state x = 0
discrete crossed = 0
discrete told = 0
x' = speed*(1 + 0.3*sin(x))
event cross when x - 1 { crossed := crossed + 1 }
event tell when crossed > told { told := crossed }
"""


@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_an_event_happens_once_though_another_one_follows(method: str) -> None:
    """It leaves its own guard alone, which rounding may leave on either side, and is looked at again after the other."""
    with jax.enable_x64(True):
        solve = ho.parse(CHAINED).solver(at=[1.0, 5.0], method=method)
        sol = jax.vmap(lambda speed: solve({"speed": speed}))(jnp.linspace(0.5, 1.5, 40))
        assert np.all(np.asarray(sol.result) == 0)
        np.testing.assert_array_equal(np.asarray(sol["crossed"])[:, 1], 1)
        np.testing.assert_array_equal(np.asarray(sol["told"])[:, 1], 1)


def test_stop_ends_the_run() -> None:
    text = "state h = 1\nstate v = 0\nh' = v\nv' = -2\nevent floor when h < 0 { stop }\n"
    sol = run(text, [0.0, 0.5, 0.9, 1.2, 2.0])
    np.testing.assert_allclose(sol["h"][:3], [1, 0.75, 0.19], atol=1e-9)
    assert np.isnan(sol["h"][3:]).all()
    np.testing.assert_allclose(sol.t_end, 1.0, atol=1e-9)


@pytest.mark.parametrize("action", ["v := -0.5*v; h := 0", "v := -0.5*v"])
@pytest.mark.parametrize("condition", ["h < 0", "h <= 0", "h falling"])
def test_endless_bouncing_is_reported(condition: str, action: str) -> None:
    """Whether the condition holds on the floor itself or not, and whether the event puts the ball there or leaves it where it was
    found: bounces are soon shorter than any part of a step that is looked at."""
    text = f"model m\nstate h = 1\nstate v = 0\nh' = v\nv' = -9.8\nevent bounce when {condition} {{ {action} }}\n"
    with pytest.raises(NumericsError) as caught:
        ho.parse(text).simulate(to=5, rtol=1e-10, atol=1e-12)
    (only,) = caught.value.diagnostics
    assert only.code == "E0708" and "bounce" in only.message and "1.355" in only.message  # 3 sqrt(2/9.8) = 1.3553
    assert np.nanmin(np.asarray(caught.value.partial["h"])) > -1e-8


def test_short_bounces_are_counted() -> None:
    """A ball that is left where it was found at the floor; the last flights are a 20th of a step."""
    e, t0 = 0.6, math.sqrt(2 / 9.8)
    flights = t0 * (1 + 2 * np.cumsum(e ** np.arange(1, 8)))
    text = f"h' = v\nv' = -9.8\nstate h = 1\nstate v = 0\ndiscrete n = 0\nevent bounce when h < 0 {{ v := -{e}*v; n := n + 1 }}\n"
    ts = [0.5 * (a + b) for a, b in itertools.pairwise(flights)]
    for method in ("tsit5", "dop853", "rodas5p"):
        sol = ho.parse(f"model m\n{text}").simulate(at=ts, method=method, rtol=1e-9, atol=1e-11)
        np.testing.assert_array_equal(sol["n"], np.arange(2, 2 + len(ts)))
        speeds = 9.8 * t0 * e ** np.arange(2, 2 + len(ts))
        np.testing.assert_allclose(sol["h"], speeds**2 / (2 * 9.8), rtol=1e-5)


CEILINGS = """model ceilings
state x[{n}]
state v[{n}]
x[i](0) = -0.001*i for i in 1..{n}
x[i]' = v[i] for i in 1..{n}
v[i]' = 1 + 0.3*sin(7*t) for i in 1..{n}
event hit[i] when x[i] {sign} 0.1 {{ v[i] := -0.5*v[i]{put} }} for i in 1..{n}
"""


@pytest.mark.parametrize("put", ["; x[i] := 0.1", ""])
@pytest.mark.parametrize(("n", "sign", "rtol"), [(1, ">", 1e-4), (1, ">=", 1e-9), (12, ">", 1e-6)])
def test_nothing_falls_through_where_it_comes_to_rest(n: int, sign: str, rtol: float, put: str) -> None:
    """Near 0.1 rounding hides bounces below 1e-9 of a second: they do not get lower, and must not be overlooked either."""
    with pytest.raises(NumericsError) as caught:
        ho.parse(CEILINGS.format(n=n, sign=sign, put=put)).simulate(to=5, points=2000, rtol=rtol, atol=rtol)
    (only,) = caught.value.diagnostics
    assert only.code == "E0708" and "hit" in only.message
    partial = caught.value.partial
    reached = np.asarray(partial["x"])[np.isfinite(np.asarray(partial["x"]))]
    assert reached.size and reached.max() < 0.1 + 10 * rtol


def test_lanes_agree_with_single_solves() -> None:
    ts = np.linspace(0.1, 12, 20)
    solver = ho.parse(BALL).solver(at=ts, rtol=1e-10, atol=1e-12)
    es = np.linspace(0.7, 1.05, 19)

    def heights(e):
        sol = solver({"e": e})
        return sol["h"], sol.result

    together, results = jax.jit(jax.vmap(heights))(jnp.array(es))
    assert (results == 0).all()
    for e, row in zip(es, together, strict=True):
        np.testing.assert_allclose(row, fall(e, ts)[:, 0], atol=5e-7)
