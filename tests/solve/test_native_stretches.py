"""`at` statements solved in NumPy: against the driver in JAX, exact solutions, and everything that can go wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import hybridode as ho
from hybridode.solve import native, results
from hybridode.solve.events import plan_events
from hybridode.solve.settings import Settings

TIGHT = Settings(rtol=1e-10, atol=1e-12)
HEAD = """model m
time t
param k = 0.3
param dose = 2
param first = 1
param start = -7
param period = 0.1
state x = 1
state n = 0
x' = -k*x
n' = 0
"""
CASES = {
    "doses": "at first every 5 until 10 { x := x + dose }\n",
    "from before the start": "at start every 2 { n := n + 1 }\n",
    "at the start and at the end": "at 0 { x := 3 }\nat 12 { x := 9\n n := 1 }\n",
    "many, meeting save points": "at 0 every period { n := n + 1 }\n",
    "two at one instant": "at 2 { x := x + 1 }\nat 2 { x := 2*x }\nat 2 { n := x }\n",
    "never": "at 99 { x := 0 }\n",
    "a moving time": "at 1/k { x := x + t }\n",
}
TS = np.array([0.0, 0.3, 0.5, 1.0, 2.0, 3.0, 3.3333, 6.0, 9.0, 11.0, 12.0])


def both(text: str, ts: np.ndarray = TS, settings: Settings = TIGHT, **values: float):
    """(by NumPy, by JAX)"""
    model = ho.parse(HEAD + text).compiled()
    args = model.arguments(values or None)
    plain = native.solve_numbers(model, args, float(ts[0]) if ts[0] > 0 else 0.0, ts, "tsit5", settings)
    with jax.enable_x64(True):
        plan = plan_events(model, args, 0.0, float(ts.max()))
        raw = jax.jit(lambda a: native.integrate(model, a, 0.0, ts, "tsit5", settings, events=plan))(args)
    return plain, raw


@pytest.mark.parametrize("name", CASES)
def test_as_in_jax(name: str) -> None:
    plain, raw = both(CASES[name])
    assert plain.result == raw.result == results.SUCCESS and plain.t_end == raw.t_end == 12.0
    for ours, theirs in ((plain.ys, raw.ys), (plain.ys_left, raw.ys_left), (plain.y_end, raw.y_end)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_firings_are_exact() -> None:
    plain, _ = both("at 0 every period { n := n + 1 }\n")
    np.testing.assert_array_equal(plain.ys[:4, 1], [1, 4, 6, 11])  # right-continuous
    np.testing.assert_array_equal(plain.ys_left[:4, 1], [0, 3, 5, 10])
    after, _ = both("at 2 { x := 5 }\n")
    np.testing.assert_allclose(after.ys[TS >= 2, 0], 5 * np.exp(-0.3 * (TS[TS >= 2] - 2)), rtol=1e-8)


def test_what_goes_wrong() -> None:
    period, raw = both("at 1 every (period - 0.2) { x := 0 }\n")
    assert period.result == raw.result == results.EVENT_PERIOD
    undefined, raw = both("at 2 { x := log(-dose) }\n")
    assert undefined.result == raw.result == results.NON_FINITE and undefined.t_end == raw.t_end == 2.0
    np.testing.assert_allclose(undefined.ys, raw.ys, rtol=1e-8)
    assert np.isnan(undefined.ys[TS > 2]).all() and np.isfinite(undefined.ys[TS < 2]).all()
    falling, raw = both("at 2 { x := 0 }\n", TS[::-1])
    assert falling.result == raw.result == results.TIMES and np.isnan(falling.ys).all()
    few, _ = both("at 2 { x := 0 }\n", settings=Settings(rtol=1e-10, atol=1e-12, max_steps=3))
    assert few.result == results.MAX_STEPS and few.t_end < 2
    start, _ = both("at 2 { x := 0 }\n", k=np.nan)
    assert start.result != results.SUCCESS


PROCESS = """
import sys
import hybridode as ho
sol = ho.parse({text!r}).simulate(to=12, points=5)
assert sol.successful and sol.stats["engine"] == "native"
print(bool(sys.modules["jax"]._src.xla_bridge.backends_are_initialized()))
"""


def test_simulating_starts_no_xla() -> None:
    """Starting XLA and compiling a scan takes a second and more."""
    command = [sys.executable, "-c", PROCESS.format(text=HEAD + CASES["doses"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
