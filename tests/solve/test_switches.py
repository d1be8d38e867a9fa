"""Every `if` whose condition moves is located: against exact solutions, and against the same `if` as a kink."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.declarations import MOST_LOCATED_CHOICES
from hybridode.solve.switches import Chattering

BANG_BANG = """model bang_bang
param c = 0
param a = 1
state x = 1
state v = 0
x' = v
v' = if x > c then -a else a
"""
TIMES = np.array([1.0, 5.0, 10.0, 20.0])


def exact(ts: np.ndarray, c: float = 0.0, a: float = 1.0) -> np.ndarray:
    """Parabolas of quarters q: down from 1, on below c, back."""
    out, q = [], np.sqrt(2 * (1 - c) / a)
    for t in ts:
        k, s = divmod(t % (4 * q), q)
        fall, rise = 1 - c - a * s * s / 2, a * q * s - a * s * s / 2
        out.append(c + (fall, -rise, -fall, rise)[int(k)])
    return np.array(out)


@pytest.mark.parametrize("method", ["tsit5", "dop853", "rodas4"])
def test_a_bang_bang_oscillator_is_exact_at_any_tolerance(method: str) -> None:
    """Its pieces are parabolas; as a kink it takes 220 steps at 1e-3 to an error of 1."""
    for rtol in (1e-3, 1e-8):
        sol = ho.parse(BANG_BANG).simulate(at=list(TIMES), method=method, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(sol["x"], exact(TIMES), atol=1e-10)
        assert sol.stats["steps"] < 40 and sorted(sol.states.shape) == [2, 4]


DRIVEN = BANG_BANG.replace("v' = if", "v' = sin(2*t) - 0.3*x + (if").replace("else a", "else a)")


def test_the_order_of_accuracy_holds() -> None:
    """Ten times the tolerance, ten times the error: as a kink the error depends on where steps happen to lie."""
    ts, model = [2.0, 4.0, 7.0], ho.parse(DRIVEN)
    reference = model.simulate(at=ts, method="dop853", rtol=1e-12, atol=1e-14)["x"]
    errors, steps = [], []
    for rtol in (1e-4, 1e-6, 1e-8):
        sol = model.simulate(at=ts, method="tsit5", rtol=rtol, atol=rtol)
        errors.append(np.max(np.abs(sol["x"] - reference)))
        steps.append(sol.stats["steps"])
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope < -3.5, (errors, steps)
    kink = model.simulate(at=ts, engine="diffrax", method="tsit5", rtol=1e-6, atol=1e-6)
    assert kink.stats["steps"] > 1.5 * steps[1]
    np.testing.assert_allclose(kink["x"], reference, atol=1e-3)


@pytest.mark.parametrize("derivative", [jax.jacrev, jax.jacfwd])
def test_derivatives_go_through_switches(derivative) -> None:
    solver = ho.parse(BANG_BANG).solver(at=TIMES, method="tsit5", rtol=1e-8, atol=1e-10)

    def f(q):
        sol = solver({"c": q[0], "a": q[1]})
        return sol["x"], sol.result

    q = np.array([0.1, 1.3])
    found, result = jax.jit(derivative(f, has_aux=True))(q)
    assert result == 0
    for i, step in enumerate(1e-6 * np.eye(2)):
        difference = (exact(TIMES, *(q + step)) - exact(TIMES, *(q - step))) / 2e-6
        np.testing.assert_allclose(found[:, i], difference, rtol=1e-6, atol=1e-7)


def test_batches() -> None:
    solver = ho.parse(BANG_BANG).solver(at=TIMES, method="tsit5", rtol=1e-6, atol=1e-8)
    several = np.linspace(-0.3, 0.4, 11)
    found = jax.jit(jax.vmap(lambda c: solver({"c": c})["x"]))(jnp.array(several))
    for c, x in zip(several, found, strict=True):
        np.testing.assert_allclose(x, exact(TIMES, c), atol=1e-9)


def test_time_definitions_chains_and_branches_that_are_undefined() -> None:
    text = """model m
param on = 1.1
state x = 0
dose = if t < on then 0 else if t < 2*on then 1 else 0.25
part = if x > 0.5 then (if sqrt(x - 0.5) > 0.4 then 2 else 1) else 0
x' = dose + part
"""
    model, ts = ho.parse(text), [1.0, 1.3, 1.5, 1.7, 2.5]
    s = 1.1 + 0.5  # x = 0.5
    end = s + 0.16 / 2  # sqrt(x - 0.5) = 0.4
    at = 0.66 + 3 * (2.2 - end)  # dose falls
    expected = [0, 0.2, 0.4, 0.66 + 3 * (1.7 - end), at + 2.25 * 0.3]
    sol = model.simulate(at=ts, method="tsit5", rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sol["x"], expected, rtol=1e-9)
    solver = model.solver(at=ts, method="tsit5", rtol=1e-6)
    slope = jax.jit(jax.grad(lambda on: solver({"on": on})["x"][-1]))(1.1)
    assert np.isfinite(slope)
    move = [model.simulate(at=ts, set={"on": 1.1 + h}, method="tsit5")["x"][-1] for h in (1e-5, -1e-5)]
    np.testing.assert_allclose(slope, (move[0] - move[1]) / 2e-5, rtol=1e-6)


def test_together_with_events_and_at_statements() -> None:
    text = """model m
state x = 0
state y = 0
discrete n = 0
x' = if y > 1 then 2 else 1
y' = 1
at 0.5 { y := y + 1 }
event e when x > 1.5 { y := 0; n := n + 1 }
"""
    sol = ho.parse(text).simulate(at=[0.4, 0.6, 1.0, 1.5, 2.0, 2.5], method="tsit5", rtol=1e-6)
    # y = 1.5 from t = 0.5; x reaches 1.5 at t = 1 and falls back to slope 1; y passes 1 at t = 2.
    np.testing.assert_allclose(sol["x"], [0.4, 0.7, 1.5, 2.0, 2.5, 3.5], rtol=1e-9)
    np.testing.assert_array_equal(sol["n"][[0, 1, 3, 4, 5]], [0, 0, 1, 1, 1])


def test_an_input_that_jumps() -> None:
    text = "model m\ninput u from data.u, interp=previous\nstate x = 0\nx' = if u > 0.5 then 1 else -1\n"
    solver = ho.parse(text).solver(at=[1.0, 2.0, 3.0], method="tsit5")
    sol = solver(inputs={"u": (np.array([0.0, 1.5, 2.25]), np.array([1.0, 0.0, 1.0]))})
    np.testing.assert_allclose(sol["x"], [1, 1, 1.5], rtol=1e-9)
    assert sol.result == 0


def test_sliding_ends_with_a_warning() -> None:
    """Rule B12: after 1,000 switches in no time the `if` is a kink again."""
    text = "model m\nstate x = 1\nx' = if x > 0 then -1 else 1\n"
    with pytest.warns(Chattering, match="from there on it is not located"):
        sol = ho.parse(text).simulate(at=[0.5, 1.005], method="tsit5", rtol=1e-3, atol=1e-3)
    assert sol.successful
    np.testing.assert_allclose(sol["x"], [0.5, 0], atol=2e-3)


def test_other_choices_stay_kinks() -> None:
    """By parameters and discretes, of too many conditions, and in `abs`, `max`, …: nothing is located."""
    many = " + ".join(f"(if x > {k / 10} then 1 else 0)" for k in range(MOST_LOCATED_CHOICES + 1))
    for right in ("if p > 1 then 1 else -x", "abs(x) + max(x, 0.3) - relu(x)", many):
        model = ho.parse(f"model m\nparam p = 2\nstate x = 0.05\nx' = {right}\n")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert model.simulate(at=[1.0], method="tsit5").successful
        assert model.compiled().jitted.get(("native", "switches")) is None
