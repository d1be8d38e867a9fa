"""Conditions that hold for a small part of a step: each event once, none missed, no end of events where there is one."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

import hybridode as ho

COUNTING = """model m
param a = 1.2345
state x = 0
discrete n = 0
discrete when = 0
x' = 1
event e when {} {{ n := n + 1; when := t }}
"""
WINDOWS = {  # condition: the last of the instants at which it turns true while x = t goes to 10, and how many there are
    "(x - a)*(x - a - 1e-3) < 0": (1.2345, 1),
    "(x - a)^2 < 1e-8": (1.2344, 1),
    "abs(x - 1) < 1e-3": (0.999, 1),
    "x > 3 and x < 3.0001": (3.0, 1),
    "(x > 3 and x < 3.01) or (t > 5 and not t >= 5.0001)": (5.0, 2),
    "min(x - 2, 2.001 - x) > 0": (2.0, 1),
    "sin(10*t) > 0.5": ((math.asin(0.5) + 30 * math.pi) / 10, 16),
    "x*cos(40*t) > 9.5 and x > 9": ((126 * math.pi - math.acos(9.5 / 9.889)) / 40, 3),
}


@pytest.mark.parametrize("condition", WINDOWS)
def test_each_fires_once(condition: str) -> None:
    last, count = WINDOWS[condition]
    sol = ho.parse(COUNTING.format(condition)).simulate(at=[10.0], method="tsit5")
    assert sol.successful and sol["n"][0] == sol.stats["events"] == count
    np.testing.assert_allclose(sol["when"], last, rtol=1e-3 if "cos" in condition else 1e-9)


def test_pulses_and_their_derivatives() -> None:
    """Sides that last for no part of a step: x = k (b - a); and those of an oscillation, each 2 (pi/2 - pi/6) / w long."""
    text = """model m
    param a = 3
    param b = 3.01
    param k = 100
    param w = 10
    state x = 0
    state y = 0
    x' = if t > a and t < b then k else 0
    y' = if sin(w*t) > 0.5 then 1 else 0
    """
    end = 16 * math.pi / 10
    solve = ho.parse(text).solver(at=[end], method="tsit5")
    sol = solve()
    assert sol.result == 0
    np.testing.assert_allclose([sol["x"][0], sol["y"][0]], [1.0, 8 * 2 * (math.pi / 2 - math.pi / 6) / 10], rtol=1e-9)
    found = jax.grad(lambda p: solve(p)["x"][0])({"a": 3.0, "b": 3.01, "k": 100.0})
    np.testing.assert_allclose([found["a"], found["b"], found["k"]], [-100, 100, 0.01], rtol=1e-9)
    np.testing.assert_allclose(jax.grad(lambda w: solve({"w": w})["y"][0])(10.0), -8 * 2 * (math.pi / 3) / 100, rtol=1e-9)


def test_a_threshold_in_a_window_is_learnt() -> None:
    """z' = z behind the event, which sets z to 1 where x = a: z(5) = exp(5 - a)."""
    text = """model m
    param a = 2
    state x = 0
    state z = 0
    x' = 1
    z' = z
    event e when x > a and x < a + 1e-3 { z := 1 }
    """
    solve = ho.parse(text).solver(at=[5.0], method="dop853", rtol=1e-10, atol=1e-12)
    assert solve().result == 0
    np.testing.assert_allclose(solve()["z"], math.exp(3), rtol=1e-8)
    np.testing.assert_allclose(jax.grad(lambda a: solve({"a": a})["z"][0])(2.0), -math.exp(3), rtol=1e-7)
