"""`at` statements: order, limits from both sides, and derivatives with respect to the times (oracle: exact solutions)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.errors import UsageError
from hybridode.solve import results
from hybridode.solve.diffrax import integrate
from hybridode.solve.events import EventPlan, plan_events
from hybridode.solve.problem import Compiled, EventTable
from hybridode.solve.settings import Settings
from tests.solve.standin import compiled

TIGHT = Settings(rtol=1e-10, atol=1e-12)
INF = np.inf


def table(times, values, statement=(0,), state=(0,)) -> EventTable:
    return EventTable(
        lambda args: tuple(jnp.stack([jnp.asarray(v, args.parameters.dtype) for v in row]) for row in times(args.parameters)),
        lambda t, y, args, amount: jnp.stack(values(t, y, args.parameters)),
        statement,
        state,
        (0,) * (max(statement) + 1),
    )


def doses(parameters=(0.3, 2.0, 1.0, 5.0)) -> Compiled:
    """Decay at rate k; x := x + dose at time a, then every period until 10."""
    events = table(lambda p: ([p[2]], [p[3]], [10.0]), lambda t, y, p: [y[0] + p[1]])
    return compiled(lambda t, y, args: -args.parameters[0] * y, [1.0], parameters, events=events)


def exact(p, ts, side):
    k, dose, first, period = p
    after = np.greater_equal if side == "right" else np.greater
    out = np.exp(-k * ts)
    for at in np.arange(first, 10 + 1e-9, period):
        out = out + np.where(after(ts, at), dose * np.exp(-k * (ts - at)), 0.0)
    return out


@pytest.mark.parametrize("method", ["tsit5", "kvaerno5"])
def test_repeated_doses_have_both_limits(method):
    model, ts = doses(), np.array([0.0, 0.5, 1.0, 3.0, 6.0, 9.0, 11.0, 12.0])
    raw = integrate(model, model.arguments(), 0.0, ts, method, TIGHT, "forward")
    assert int(raw.result) == results.SUCCESS
    np.testing.assert_allclose(raw.ys[:, 0], exact((0.3, 2.0, 1.0, 5.0), ts, "right"), rtol=1e-7)
    np.testing.assert_allclose(raw.ys_left[:, 0], exact((0.3, 2.0, 1.0, 5.0), ts, "left"), rtol=1e-7)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_derivatives_with_respect_to_times_and_period(mode):
    """Of a weighted sum backwards, of everything forwards; one program each."""
    model, ts = doses(), np.array([0.0, 1.7, 6.5, 9.0])
    plan, weight = plan_events(model, model.arguments(), 0.0, 9.0), np.array([0.0, 1.0, -0.7, 0.4])

    def solve(p):
        args = eqx.tree_at(lambda a: a.parameters, model.arguments(), p)
        raw = integrate(model, args, 0.0, ts, "tsit5", TIGHT, mode, events=plan)
        return (weight @ raw.ys[:, 0], raw.result) if mode == "reverse" else (raw.ys[:, 0], raw.result)

    p = jnp.array([0.3, 2.0, 1.0, 5.0])
    derivative = jax.grad if mode == "reverse" else jax.jacfwd
    found, result = jax.jit(derivative(solve, has_aux=True))(p)
    assert int(result) == results.SUCCESS
    for i in range(4):
        step = 1e-6 * np.eye(4)[i]
        difference = (exact(np.asarray(p) + step, ts, "right") - exact(np.asarray(p) - step, ts, "right")) / 2e-6
        np.testing.assert_allclose(found[..., i], weight @ difference if mode == "reverse" else difference, atol=2e-7)


def test_events_at_one_instant_run_in_file_order():
    # x := x + 1 then x := 3*x, both at 2, and y := x in the second block reads what was before it.
    events = table(
        lambda p: ([2.0, 2.0], [INF, INF], [INF, INF]),
        lambda t, y, p: [y[0] + 1, 3 * y[0], y[0]],
        statement=(0, 1, 1),
        state=(0, 0, 1),
    )
    model = compiled(lambda t, y, args: jnp.zeros(2), [1.0, 0.0], events=events)
    raw = integrate(model, model.arguments(), 0.0, np.array([0.0, 2.0, 3.0]), "tsit5", TIGHT, "forward")
    np.testing.assert_allclose(raw.ys, [[1, 0], [6, 2], [6, 2]])
    np.testing.assert_allclose(raw.ys_left, [[1, 0], [1, 0], [6, 2]])


def test_events_at_the_start_and_at_the_end():
    model = doses((0.3, 2.0, 0.0, 5.0))
    raw = integrate(model, model.arguments(), 0.0, np.array([0.0, 5.0]), "tsit5", TIGHT, "forward")
    assert int(raw.result) == results.SUCCESS
    np.testing.assert_allclose(raw.ys_left[:, 0], [1.0, 3 * np.exp(-1.5)], rtol=1e-8)
    np.testing.assert_allclose(raw.ys[:, 0], [3.0, 3 * np.exp(-1.5) + 2], rtol=1e-8)


def test_events_before_the_start_are_past():
    events = table(lambda p: ([1.0, 0.0], [INF, 4.0], [INF, INF]), lambda t, y, p: [y[0] + 100, y[0] + 1], (0, 1), (0, 0))
    model = compiled(lambda t, y, args: jnp.zeros(1), [0.0], events=events)
    raw = integrate(model, model.arguments(), 5.0, np.array([5.0, 8.0, 12.0, 13.0]), "tsit5", TIGHT, "forward")
    np.testing.assert_allclose(raw.ys[:, 0], [0, 1, 2, 2])


def test_rounding_of_repeated_times_does_not_move_them():
    # 3*0.1 > 0.3 in binary: the firing belongs to the save point 0.3 and to `until 0.3`.
    events = table(lambda p: ([0.0], [0.1], [0.3]), lambda t, y, p: [y[0] + 1])
    model = compiled(lambda t, y, args: jnp.zeros(1), [0.0], events=events)
    ts = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    raw = integrate(model, model.arguments(), 0.0, ts, "tsit5", TIGHT, "forward")
    np.testing.assert_allclose(raw.ys[:, 0], [1, 2, 3, 4, 4])
    np.testing.assert_allclose(raw.ys_left[:, 0], [0, 1, 2, 3, 4])


def test_a_plan_that_is_too_small_is_a_failure_and_not_a_wrong_number():
    model = doses()
    args = eqx.tree_at(lambda a: a.parameters, model.arguments(), np.array([0.3, 2.0, 1.0, 0.5]))
    raw = integrate(model, args, 0.0, np.array([0.0, 12.0]), "tsit5", TIGHT, "forward", events=EventPlan((2,)))
    assert int(raw.result) == results.EVENT_COUNT
    assert np.isnan(raw.ys[-1, 0])


def test_a_period_that_is_not_positive_fails():
    model = doses((0.3, 2.0, 1.0, -1.0))
    raw = integrate(model, model.arguments(), 0.0, np.array([0.0, 12.0]), "tsit5", TIGHT, "forward")
    assert int(raw.result) == results.EVENT_PERIOD


def test_a_failure_between_events_keeps_what_was_computed():
    events = table(lambda p: ([0.5, 1.5], [INF, INF], [INF, INF]), lambda t, y, p: [y[0] + 1, y[0]], (0, 1), (0, 0))
    model = compiled(lambda t, y, args: y**2, [0.5], events=events)  # after the jump to 5/3 it blows up at 1.1
    raw = integrate(model, model.arguments(), 0.0, np.array([0.0, 0.5, 1.0, 2.0]), "tsit5", TIGHT, "forward")
    assert int(raw.result) in (results.STEP_UNDERFLOW, results.NON_FINITE)
    np.testing.assert_allclose(raw.t_end, 1.1, rtol=1e-6)
    np.testing.assert_allclose(raw.ys[:3, 0], [0.5, 5 / 3, 1 / (0.6 - 0.5)], rtol=1e-7)
    assert np.isnan(raw.ys[3, 0])


def test_the_adjoint_refuses_events_by_name():
    model = doses()
    with pytest.raises(UsageError, match="adjoint"):
        integrate(model, model.arguments(), 0.0, np.array([0.0, 1.0]), "tsit5", TIGHT, "adjoint")


def test_vmap_over_experiments_with_different_times():
    model, ts = doses(), np.array([0.0, 2.0, 8.0])
    many = np.array([[0.3, 2.0, 1.0, 5.0], [0.1, 1.0, 0.5, 7.0]])
    plan = EventPlan((3,))

    def solve(p):
        args = eqx.tree_at(lambda a: a.parameters, model.arguments(), p)
        return integrate(model, args, 0.0, ts, "tsit5", TIGHT, "forward", events=plan).ys[:, 0]

    expected = [exact(p, ts, "right") for p in many]
    np.testing.assert_allclose(jax.jit(jax.vmap(solve))(many), expected, rtol=1e-8)
