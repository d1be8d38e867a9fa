"""Input signals on the native engine: against SciPy from knot to knot, finite differences, and each mode against the other."""

from __future__ import annotations

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hybridode as ho
from hybridode.solve import native, results
from hybridode.solve.problem import Compiled
from hybridode.solve.settings import Settings
from hybridode.solve.signals import Signals

TIGHT = Settings(rtol=1e-10, atol=1e-12)
KNOTS = np.array([0.0, 0.7, 1.3, 2.2, 3.1, 4.4, 5.2])
TS = np.array([0.0, 0.3, 0.7, 1.0, 1.3, 2.5, 3.1, 4.0, 5.2, 6.0])


def model(interpolation: str, more: str = "") -> Compiled:
    text = f"""model driven
time t
param k = 0.7
param g = 0.4
input u from data.u, interp={interpolation}
input v from data.v, interp=linear
state x = 1 + 0.1*u(0)
state z = 0
x' = -k*x + u*g + 0.1*v*x {more}
z' = x - g*z^2 + 0.05*u(0) + 0.1*sin(t)*u
"""
    return ho.parse(text).compiled()


def arguments(compiled: Compiled):
    rng = np.random.default_rng(0)
    return compiled.arguments(data={"u": (KNOTS, 1 + rng.normal(size=7)), "v": (np.linspace(0, 6, 9), rng.normal(size=9))})


def by_scipy(compiled: Compiled, args) -> np.ndarray:
    """From knot to knot, so that no step of the oracle sees a jump or a kink."""
    args = args.at_start(0.0)
    stops = np.unique(np.concatenate([KNOTS, np.linspace(0, 6, 9), TS]))
    y, found = compiled.numbers("start", 0.0, np.zeros(0), args), {}
    for a, b in pairwise(stops):
        found[a] = y
        inside = b - 1e-13  # the end itself is after the jump
        rates = lambda t, y, inside=inside: compiled.numbers("rates", min(t, inside), y, args)  # noqa: E731
        y = solve_ivp(rates, (a, b), y, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return np.array([*(found[t] for t in TS[:-1]), y])


@pytest.mark.parametrize("method", ["tsit5", "rodas5p", "dop853"])
@pytest.mark.parametrize(
    ("interpolation", "more"),
    [("previous", ""), ("next", ""), ("linear", ""), ("linear", "+ 0.1*u'"), ("cubic", ""), ("akima", "+ 0.1*u'")],
)
def test_against_scipy(interpolation: str, more: str, method: str) -> None:
    compiled = model(interpolation, more)
    args = arguments(compiled)
    raw = native.solve_numbers(compiled, args, 0.0, TS, method, TIGHT)
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys, by_scipy(compiled, args), rtol=2e-7, atol=2e-7)


def test_a_jump_costs_no_rejected_steps() -> None:
    """Steps end on jumps: a decay driven by 1,000 of them takes about one step each."""
    compiled = ho.parse("model m\ntime t\ninput u from data.u, interp=previous\nstate x = 0\nx' = u - x\n").compiled()
    knots = np.arange(1000) * 0.01
    args = compiled.arguments(data={"u": (knots, (-1.0) ** np.arange(1000))})
    raw = native.solve_numbers(compiled, args, 0.0, np.array([10.0]), "tsit5", Settings(rtol=1e-6, atol=1e-9))
    assert raw.result == results.SUCCESS and raw.stats["rejected"] == 0 and raw.stats["accepted"] <= 1100
    exact = 0.0
    for k in range(1000):
        exact = exact * np.exp(-0.01) + (-1.0) ** k * (1 - np.exp(-0.01))
    np.testing.assert_allclose(raw.ys[0, 0], exact, rtol=1e-6)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p", "dop853"])
def test_derivatives_against_finite_differences(method: str) -> None:
    """By parameters, coefficients, start, start time and observation times, in both modes."""
    compiled = model("previous", "")
    with jax.enable_x64(True):
        args = jax.tree_util.tree_map(jnp.asarray, arguments(compiled))
        weight = jnp.asarray(np.random.default_rng(1).normal(size=(len(TS), 2)))

        def loss(p, values, y0, t0, ts):
            # The records of u, which jumps: one value a piece. Those of v stay as they are.
            coefficients = args.signals.coefficients.at[0, :, 0].set(values)
            moved = eqx.tree_at(lambda a: (a.parameters, a.signals), args, (p, Signals(args.signals.knots, coefficients)))
            raw = native.integrate(compiled, moved, t0, ts, method, TIGHT, y0=y0)
            return jnp.sum(weight * raw.ys), raw.result

        at = (
            args.parameters,
            args.signals.coefficients[0, :, 0],
            jnp.array([1.2, 0.3]),
            jnp.array(0.005),
            jnp.asarray(TS) + 0.01,
        )
        value = jax.jit(lambda *a: loss(*a))
        assert value(*at)[1] == results.SUCCESS
        found = jax.jit(jax.grad(lambda *a: loss(*a)[0], tuple(range(5))))(*at)
        rng = np.random.default_rng(2)
        forward = jax.jit(lambda a, d: jax.jvp(lambda *x: loss(*x)[0], a, d)[1])
        for k in range(5):
            change = tuple(jnp.asarray(rng.normal(size=x.shape) if j == k else np.zeros(x.shape)) for j, x in enumerate(at))
            step = 1e-3  # kinks of v make the values jump by some 1e-8 where the steps change
            up, down = (value(*(x + sign * step * d for x, d in zip(at, change, strict=True)))[0] for sign in (1, -1))
            expected = (up - down) / (2 * step)
            np.testing.assert_allclose(forward(at, change), expected, rtol=1e-4, atol=1e-4, err_msg=str(k))
            np.testing.assert_allclose(jnp.vdot(found[k], change[k]), forward(at, change), rtol=1e-9, atol=1e-11)


def test_experiments_in_lanes_are_those_alone() -> None:
    """Eleven records at once (a group that is not full), values and derivatives, own signals and shared ones."""
    compiled = model("previous", "")
    with jax.enable_x64(True):
        args = jax.tree_util.tree_map(jnp.asarray, arguments(compiled))
        scale = 1 + 0.03 * jnp.arange(11)

        def total(p, coefficients):
            moved = eqx.tree_at(lambda a: (a.parameters, a.signals), args, (p, Signals(args.signals.knots, coefficients)))
            raw = native.integrate(compiled, moved, 0.0, TS, "tsit5", Settings())
            return jnp.sum(raw.ys**2)

        p, c = args.parameters, args.signals.coefficients
        gradient = jax.jit(jax.grad(total, (0, 1)))
        each = [gradient(p * s, c * s) for s in scale]
        many = jax.jit(jax.vmap(jax.grad(total, (0, 1))))(p * scale[:, None], c * scale[:, None, None, None])
        shared = jax.jit(jax.grad(lambda c: jnp.sum(jax.vmap(lambda s: total(p * s, c))(scale))))(c)
        assert all(jnp.isfinite(x).all() for x in many)
        for k in (0, 7, 10):
            for a, b in zip(many, each[k], strict=True):
                np.testing.assert_allclose(a[k], b, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(shared, sum(gradient(p * s, c)[1] for s in scale), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("interpolation", ["previous", "linear", "cubic"])
def test_one_record_is_held_and_what_is_undefined_is_a_code(interpolation: str) -> None:
    text = f"model m\ntime t\ninput u from data.u, interp={interpolation}\nstate x = 0\nx' = u - x\n"
    compiled = ho.parse(text).compiled()
    args = compiled.arguments(data={"u": ([3.0], [2.0])})
    for t0, ts in ((0.0, [1.0, 10.0]), (5.0, [6.0]), (3.0, [3.0, 3.0])):
        raw = native.solve_numbers(compiled, args, t0, np.array(ts), "tsit5", TIGHT)
        assert raw.result == results.SUCCESS
        np.testing.assert_allclose(raw.ys[:, 0], 2 * (1 - np.exp(-(np.array(ts) - t0))), rtol=1e-8)
    undefined = eqx.tree_at(lambda a: a.signals.coefficients, args, np.full_like(args.signals.coefficients, np.nan))
    assert native.solve_numbers(compiled, undefined, 0.0, np.array([1.0]), "tsit5", TIGHT).result == results.NON_FINITE
