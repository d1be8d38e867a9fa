"""`at` statements together with located events: the order at one instant, limits from both sides, exact derivatives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho

MIXED = """model m
param k = 0.4
param level = 0.7
param first = 1.3
param dose = 0.9
param period = 1.1
state x = 1
state z = 0
discrete n = 0
discrete c = 0
x' = -k*x + 0.1*sin(t)
z' = x - z
at first every period until 6 { x := x + dose; c := c + 1 }
at 2*first { z := z + k*x }
event low when x < level { z := z + 0.5*x; n := n + 1 }
event high when x > 1.5 { n := n + 100; z := 0.5*z + level }
"""
NAMES, VALUES = ("k", "level", "first", "dose", "period"), np.array([0.4, 0.7, 1.3, 0.9, 1.1])


def solved(solver):
    def f(p):
        sol = solver(dict(zip(NAMES, p, strict=True)))
        return jnp.stack([sol["x"], sol["z"]]), sol.result

    return jax.jit(f)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_derivatives_by_times_thresholds_and_doses(method: str) -> None:
    """The firings at 1.3 and later set events off; the times of both kinds depend on parameters."""
    f = solved(ho.parse(MIXED).solver(at=[0.5, 1.25, 2.0, 2.55, 3.4, 4.5, 5.5, 6.8, 7.0], method=method, rtol=1e-11, atol=1e-13))
    assert f(VALUES)[1] == 0
    back = jax.jit(jax.jacrev(f, has_aux=True))(VALUES)[0]
    forth = jax.jit(jax.jacfwd(f, has_aux=True))(VALUES)[0]
    np.testing.assert_allclose(back, forth, rtol=1e-12, atol=1e-12)
    for i, step in enumerate(1e-6 * np.eye(len(VALUES))):
        difference = (f(VALUES + step)[0] - f(VALUES - step)[0]) / 2e-6
        np.testing.assert_allclose(back[..., i], difference, rtol=1e-5, atol=1e-5, err_msg=NAMES[i])


def test_batches_are_as_one_by_one() -> None:
    f = solved(ho.parse(MIXED).solver(at=[0.5, 1.3, 2.6, 3.4, 6.8, 7.0], method="tsit5", rtol=1e-8, atol=1e-10))
    each = VALUES * np.linspace(0.97, 1.03, 11)[:, None]
    one, many = jax.jit(jax.jacrev(f, has_aux=True)), jax.jit(jax.vmap(jax.jacrev(f, has_aux=True)))
    gradients, results = many(each)
    assert not np.any(results)
    for k in (0, 4, 10):
        np.testing.assert_allclose(gradients[k], one(each[k])[0], rtol=1e-9, atol=1e-11)


def run(text: str, ts, **more):
    sol = ho.parse("model m\n" + text).simulate(at=list(ts), rtol=1e-10, atol=1e-12, **more)
    assert sol.successful and sol.stats["engine"] == "native"
    return sol


def test_at_one_instant_at_comes_first() -> None:
    """Rules E5, E1: what the `at` does decides whether the condition turns true at its instant."""
    text = "state y = %d\ndiscrete n = 0\ny' = 0\nat 1 { y := 2*y }\nevent e when t >= 1 and y %s 3 { n := n + 1; y := y + 1 }\n"
    sol = run(text % (2, "<"), [0.9, 1.0, 1.2, 2.0])
    np.testing.assert_array_equal(sol["y"], [2, 4, 4, 4])  # right-continuous at known times
    sol = run(text % (2, ">"), [0.9, 1.0, 1.2, 2.0])
    np.testing.assert_array_equal(sol["y"], [2, 5, 5, 5])
    np.testing.assert_array_equal(sol.states_before[:, 0], [2, 2, 5, 5])
    sol = run(text.replace(">=", ">") % (2, ">"), [0.9, 1.2, 2.0])  # true just after the instant, and once
    np.testing.assert_array_equal(sol["n"], [0, 1, 1])


def test_an_at_sets_an_event_off_which_sets_off_another() -> None:
    text = """state x = 0
discrete a = 0
discrete b = 0
x' = 0.1
at 2 every 2 { x := x + 1 }
event first when x > 1 { a := a + 1; x := x - 1 }
event second when a > 1.5 { b := t }
"""
    sol = run(text, [1.9, 2.0, 3.9, 4.0, 5.0])
    np.testing.assert_array_equal(sol["a"], [0, 1, 1, 2, 2])
    np.testing.assert_array_equal(sol["b"], [0, 0, 0, 4, 4])
    np.testing.assert_allclose(sol["x"], [0.19, 0.2, 0.39, 0.4, 0.5], rtol=1e-12)


def test_at_the_start() -> None:
    """`at` statements of the start come before `at start` events, which are judged behind them."""
    text = "state x = %d\ndiscrete n = 0\nx' = 0\nat 0 { x := x + 2 }\nevent e when x > 1 %s { n := n + 1 }\n"
    np.testing.assert_array_equal(run(text % (0, ""), [0.0, 1.0])["n"], [1, 1])
    np.testing.assert_array_equal(run(text % (0, "at start"), [0.0, 1.0])["n"], [1, 1])
    np.testing.assert_array_equal(run(text % (3, "at start"), [0.0, 1.0])["n"], [1, 1])
    np.testing.assert_array_equal(run(text % (3, ""), [0.0, 1.0])["n"], [0, 0])
    np.testing.assert_array_equal(run(text % (-3, "at start"), [0.0, 1.0])["n"], [0, 0])


def test_a_bare_number_at_the_start_fires_where_it_is_zero() -> None:
    """Rule E2."""
    text = "state x = %s\ndiscrete n = 0\nx' = 1\nevent e when x - 1 at start { n := n + 1 }\n"
    assert [run(text % x, [0.5])["n"][0] for x in ("1", "2", "0.9", "0")] == [1, 0, 1, 0]


def test_stop_at_a_known_time() -> None:
    sol = run("state x = 0\nx' = 1\nat 2 { x := 7 }\nat 2 { stop }\n", [1.0, 2.0, 3.0])
    np.testing.assert_allclose(sol["x"], [1, 7, np.nan])
    assert sol.t_end == 2


def test_many_firings_in_one_solve() -> None:
    """1,000 doses: one call of the loop, whose record is one."""
    text = "state x = 0\ndiscrete n = 0\nx' = -x\nat 0 every 0.01 { x := x + 1 }\nevent e when x > 50 { n := t }\n"
    sol = run(text, [0.005, 0.5, 5.0, 10.0])
    decay = np.exp(-0.01)
    exact = [sum(decay ** np.arange(k + 1)) for k in (50, 500, 1000)]
    np.testing.assert_allclose(sol["x"][1:], exact, rtol=1e-8)


@pytest.mark.parametrize("engine", ["native", "diffrax"])
def test_stop_at_a_known_time_in_stretches(engine: str) -> None:
    """By Diffrax, and by loops over long vectors."""
    chain = "\n".join(f"state y[{n}] = 1\ny[i]' = -y[i] for i in 1..{n}" for n in [200 if engine == "native" else 2])
    text = f"model m\nstate x = 0\nx' = 1\n{chain}\nat 2 {{ x := 7; y[2] := 3 }}\nat 2.5 {{ stop }}\nat 2.6 {{ x := 0 }}\n"
    sol = ho.parse(text).simulate(at=[1.0, 2.0, 2.5, 3.0], engine=engine)
    assert sol.stats["engine"] == engine
    np.testing.assert_allclose(sol["x"], [1, 7, 7.5, np.nan], rtol=1e-6)
    assert sol.t_end == 2.5


@pytest.mark.parametrize("checkpoints", ["sqrt", 6])
def test_with_checkpoints(checkpoints) -> None:
    """Parts of the record may begin within an instant: the numbers are the same bit for bit."""
    model, ts = ho.parse(MIXED), [0.5, 1.3, 2.6, 3.4, 5.7, 7.0]
    made = [solved(model.solver(at=ts, method="tsit5", rtol=1e-9, atol=1e-11, checkpoints=c)) for c in ("all", checkpoints)]
    for derivative in (jax.jacrev, jax.jacfwd):
        whole, parts = (jax.jit(jax.vmap(derivative(f, has_aux=True)))(VALUES * np.array([[1.0], [1.01]])) for f in made)
        assert not np.any(whole[1])
        np.testing.assert_array_equal(parts[0], whole[0])
