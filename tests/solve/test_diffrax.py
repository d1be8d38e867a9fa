"""The Diffrax driver: accuracy, gradients of every mode, failures. Oracles: exact solutions, SciPy, finite differences."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hybridode.declarations import InputSignal
from hybridode.solve import results
from hybridode.solve.diffrax import integrate
from hybridode.solve.settings import METHODS, Settings
from tests.solve.standin import compiled, one_signal

P = np.array([0.55, 0.028, 0.8, 0.024])


def prey_and_predator(t, y, args):
    a, b, c, d = args.parameters
    return jnp.stack([a * y[0] - b * y[0] * y[1], d * y[0] * y[1] - c * y[1]])


def reference(ts, p=P):
    def rates(t, y):
        return [p[0] * y[0] - p[1] * y[0] * y[1], p[3] * y[0] * y[1] - p[2] * y[1]]

    return solve_ivp(rates, (0, ts[-1]), [30.0, 4.0], method="DOP853", rtol=1e-12, atol=1e-12, t_eval=ts).y.T


@pytest.mark.parametrize("method", [name for name, row in METHODS.items() if "diffrax" in row.engines])
def test_save_points_are_as_accurate_as_the_tolerance(method):
    """Also between steps: an interpolant of order 3 would miss by 1e-4 here."""
    model, ts = compiled(prey_and_predator, [30.0, 4.0], P), np.linspace(0, 10, 23)
    settings = Settings(rtol=1e-6 if method == "kvaerno3" else 1e-8, atol=1e-8)
    raw = jax.jit(lambda args: integrate(model, args, 0.0, ts, method, settings, "forward"))(model.arguments())
    assert int(raw.result) == results.SUCCESS and float(raw.t_end) == 10.0
    np.testing.assert_allclose(raw.ys, reference(ts), rtol=300 * settings.rtol)
    np.testing.assert_array_equal(raw.ys, raw.ys_left)


def test_reverse_through_an_implicit_method():
    model, ts = compiled(lambda t, y, args: -args.parameters[0] * (y - jnp.cos(t)), [2.0], [50.0]), np.array([0.0, 0.1, 1.0])

    def value(p):
        args = eqx.tree_at(lambda a: a.parameters, model.arguments(), p)
        raw = integrate(model, args, 0.0, ts, "kvaerno5", Settings(rtol=1e-9, atol=1e-10), "reverse")
        return jnp.sum(raw.ys), raw.result

    def exact(k):  # y = k (k cos t + sin t)/(1 + k²) + c exp(-k t)
        smooth = k * (k * np.cos(ts) + np.sin(ts)) / (1 + k**2)
        return np.sum(smooth + (2 - smooth[0]) * np.exp(-k * ts))

    (found, code), slope = jax.jit(jax.value_and_grad(value, has_aux=True))(np.array([50.0]))
    assert int(code) == results.SUCCESS
    np.testing.assert_allclose(found, exact(50.0), rtol=1e-8)
    np.testing.assert_allclose(slope[0], (exact(50.001) - exact(49.999)) / 0.002, rtol=1e-5)


def test_derivatives_with_respect_to_times_and_start():
    model = compiled(lambda t, y, args: -y, [1.0])

    def value(t0, ts, y0):
        return integrate(model, model.arguments(), t0, ts, "tsit5", Settings(rtol=1e-10, atol=1e-12), "forward", y0=y0).ys[:, 0]

    t0, ts, y0 = 0.5, np.array([1.0, 2.0]), np.array([3.0])
    y = 3 * np.exp(-(ts - t0))
    by_t0, by_ts, by_y0 = jax.jit(jax.jacfwd(value, (0, 1, 2)))(t0, ts, y0)
    np.testing.assert_allclose(by_t0, y, rtol=1e-7)
    np.testing.assert_allclose(by_ts, np.diag(-y), atol=1e-7)
    np.testing.assert_allclose(by_y0[:, 0], y / 3, rtol=1e-8)


@pytest.mark.parametrize("method", ["tsit5", "kencarp4", "kvaerno5"])
def test_lands_on_the_jumps_of_inputs(method):
    """y' = k (u - y) with a staircase, a knot at the very end: exact piece by piece, in few steps."""
    knots, heights, k = np.array([0.0, 1.0, 1.5, 3.0, 4.0]), np.array([0.0, 1.0, -2.0, 0.5, 9.0]), 5.0
    signal = one_signal(knots, heights, "previous")
    declared = InputSignal("u", (("data", "u"),), interpolation="previous")
    model = compiled(lambda t, y, args: k * (args.signals(t)[0] - y), [0.3], signals=signal, inputs=[declared])
    ts = np.array([0.0, 0.5, 1.0, 1.2, 1.5, 2.9, 3.0, 3.3, 4.0])
    settings = Settings(rtol=1e-9, atol=1e-10)
    raw = jax.jit(lambda args: integrate(model, args, 0.0, ts, method, settings, "forward"))(model.arguments())
    assert int(raw.result) == results.SUCCESS
    y, expected = 0.3, []
    for t in ts:
        y = 0.3
        for a, b, u in zip(knots, [*knots[1:], np.inf], heights, strict=True):
            y = u + (y - u) * np.exp(-k * max(min(t, b) - a, 0.0))
        expected.append(y)
    np.testing.assert_allclose(raw.ys[:, 0], expected, atol=2e-7)
    if method != "kvaerno5":  # which evaluates past the end of a step: `choose_method` avoids it here
        assert int(raw.stats["rejected"]) < 60


# ---- edges ----------------------------------------------------------------------------------------------------------
def run(model, ts, t0=0.0, method="tsit5", **settings):
    return jax.jit(lambda args, ts: integrate(model, args, t0, ts, method, Settings(**settings), "forward"))(
        model.arguments(), ts
    )


def test_no_time_at_all():
    raw = run(compiled(lambda t, y, args: -y, [2.0]), np.array([1.0, 1.0]), t0=1.0)
    assert int(raw.result) == results.SUCCESS and raw.ys.tolist() == [[2.0], [2.0]]


def test_no_states_at_all():
    raw = run(compiled(lambda t, y, args: y, []), np.array([0.0, 3.0]))
    assert int(raw.result) == results.SUCCESS and raw.ys.shape == (2, 0) and float(raw.t_end) == 3.0


def test_float32_stays_float32():
    model = compiled(lambda t, y, args: -args.parameters[0] * y, [1.0], [1.0])
    args = model.default_arguments(None, None, np.float32)
    raw = integrate(model, args, 0.0, np.array([0.0, 1.0]), "tsit5", Settings(rtol=1e-4), "forward")
    assert raw.ys.dtype == np.float32 and abs(float(raw.ys[1, 0]) - np.exp(-1)) < 1e-3


@pytest.mark.parametrize("times", [[0.0, 2.0, 1.0], [-1.0, 2.0]])
def test_backward_times_are_a_result(times):
    raw = run(compiled(lambda t, y, args: -y, [1.0]), np.array(times))
    assert int(raw.result) == results.TIMES and np.all(np.isnan(raw.ys))


FAILURES = {
    "blows up": (lambda t, y, args: y**2, [1.0], results.STEP_UNDERFLOW, 1.0),
    "leaves its domain": (lambda t, y, args: jnp.sqrt(0.7 - t) + 0 * y, [1.0], results.NON_FINITE, 0.7),
    "never defined": (lambda t, y, args: jnp.nan * y, [1.0], results.NON_FINITE, 0.0),
    "start": (lambda t, y, args: -y, [np.nan], results.START, 0.0),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("method", ["tsit5", "kvaerno5"])
def test_failures_are_results(name, method):
    rates, start, code, t_end = FAILURES[name]
    ts = np.array([0.0, 0.5, 3.0])
    raw = run(compiled(rates, start), ts, method=method)
    assert int(raw.result) in ((code, results.NEWTON, results.NON_FINITE) if method == "kvaerno5" else (code,))
    np.testing.assert_allclose(raw.t_end, t_end, atol=1e-4)
    assert np.isnan(raw.ys[2, 0]) and np.isfinite(raw.ys[1, 0]) == (t_end > 0.5)
    assert int(raw.stats["steps"]) < 2000  # ends at once instead of after max_steps steps of no length


def test_too_many_steps():
    raw = run(compiled(lambda t, y, args: 1000 * jnp.sin(1000 * t) + 0 * y, [1.0]), np.array([0.0, 100.0]), max_steps=50)
    assert int(raw.result) == results.MAX_STEPS and int(raw.stats["steps"]) == 50 and 0 < float(raw.t_end) < 100


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_the_derivative_of_a_failed_solve_is_nan(mode):
    model = compiled(lambda t, y, args: args.parameters * y**2, [1.0], [1.0])

    def value(p):  # only values before the failure are read
        args = eqx.tree_at(lambda a: a.parameters, model.arguments(), p)
        return integrate(model, args, 0.0, np.array([0.0, 0.5, 2.0]), "tsit5", Settings(), mode).ys[1, 0]

    derivative = (jax.grad if mode == "reverse" else jax.jacfwd)(value)
    assert np.isfinite(value(np.array([1.0]))) and np.isnan(jax.jit(derivative)(np.array([1.0]))[0])


def test_vmap_keeps_failures_apart():
    model, ts = compiled(lambda t, y, args: args.parameters * y**2, [1.0], [1.0]), np.array([0.0, 2.0])

    def solve(p):
        args = eqx.tree_at(lambda a: a.parameters, model.arguments(), p)
        return integrate(model, args, 0.0, ts, "tsit5", Settings(), "forward")

    raw = jax.jit(jax.vmap(solve))(np.array([[0.25], [1.0]]))
    assert raw.result.tolist() == [results.SUCCESS, results.STEP_UNDERFLOW]
    np.testing.assert_allclose(raw.ys[0, 1, 0], 2.0, rtol=1e-5)
    assert np.isnan(raw.ys[1, 1, 0])
