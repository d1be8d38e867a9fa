"""Input signals against SciPy and Diffrax's own interpolations."""

from __future__ import annotations

import diffrax as dfx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import interpolate

import hybridode as ho
from hybridode.errors import DataError, UsageError
from hybridode.solve.signals import INTERPOLATIONS, build_signals, jump_columns, jump_times, no_signals, stack_signals

KNOTS = np.array([0.0, 0.7, 1.1, 2.5, 3.0, 4.2])
VALUES = np.array([1.0, -0.5, 2.0, 2.0, 2.0, -1.0])
INSIDE = np.linspace(0.0, 4.2, 211)[1:-1]


def hermite(x, y):
    coefficients = dfx.backward_hermite_coefficients(jnp.asarray(x), jnp.asarray(y)[:, None])
    control = dfx.CubicInterpolation(jnp.asarray(x), coefficients)
    return (
        lambda t: np.array([control.evaluate(v)[0] for v in t]),
        lambda t: np.array([control.derivative(v, left=False)[0] for v in t]),
    )


def from_scipy(make):
    def oracle(x, y):
        f = make(x, y)
        return f, f.derivative()

    return oracle


ORACLES = {
    "previous": lambda x, y: (interpolate.interp1d(x, y, kind="previous"), np.zeros_like),
    "next": lambda x, y: (interpolate.interp1d(x, y, kind="next"), np.zeros_like),
    "linear": from_scipy(lambda x, y: interpolate.make_interp_spline(x, y, k=1)),
    "cubic": from_scipy(lambda x, y: interpolate.CubicSpline(x, y, bc_type="natural")),
    "akima": from_scipy(interpolate.Akima1DInterpolator),
    "hermite": hermite,
}


def one(x, y, kind):
    return build_signals(["u"], [kind], {"u": (x, y)})


def test_every_interpolation_has_an_oracle():
    assert set(ORACLES) == set(INTERPOLATIONS)


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize("count", [6, 2])
def test_values_and_rates(kind, count):
    x, y = KNOTS[:count], VALUES[:count]
    at = INSIDE[INSIDE < x[-1]]
    if kind == "akima" and count == 2:
        kind_of_oracle = "linear"
    else:
        kind_of_oracle = "cubic" if kind == "cubic" and count > 2 else "linear" if kind == "cubic" else kind
    value, rate = ORACLES[kind_of_oracle](x, y)
    at = np.setdiff1d(at, x)
    u, du = zip(*(one(x, y, kind)(t) for t in at), strict=True)
    np.testing.assert_allclose(np.ravel(u), value(at), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.ravel(du), rate(at), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", ORACLES)
def test_held_at_both_ends_and_jax_agrees_with_numpy(kind):
    signal = one(KNOTS, VALUES, kind)
    before, after = signal(-3.0), signal(100.0)
    assert before[0][0] == VALUES[0] and after[0][0] == VALUES[-1] and before[1][0] == after[1][0] == 0.0
    at = np.concatenate([[-3.0, 100.0], KNOTS, INSIDE])
    traced = jax.jit(jax.vmap(jax.tree_util.tree_map(jnp.asarray, signal)))(at)
    np.testing.assert_allclose(traced[0], [signal(t)[0] for t in at], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(traced[1], [signal(t)[1] for t in at], rtol=1e-13, atol=1e-13)


def test_right_continuous_at_jumps():
    assert [one(KNOTS, VALUES, "previous")(t)[0][0] for t in KNOTS] == list(VALUES)
    assert [one(KNOTS, VALUES, "next")(t)[0][0] for t in KNOTS] == [*VALUES[1:], VALUES[-1]]


def test_long_signals_are_searched_for():
    x = np.arange(500.0)
    signal = jax.tree_util.tree_map(jnp.asarray, one(x, x**2, "linear"))
    at = np.array([-1.0, 0.0, 0.5, 123.25, 498.999, 499.0, 600.0])
    np.testing.assert_allclose(jax.vmap(signal)(at)[0][:, 0], np.interp(at, x, x**2))


def test_columns_keep_their_own_knots_and_missing_values_are_left_out():
    signal = build_signals(["a", "b"], ["linear", "previous"], {"a": ([0, 1, 2], [0.0, np.nan, 4.0]), "b": ([5.0], [7.0])})
    u, du = signal(1.0)
    np.testing.assert_allclose(u, [2.0, 7.0])
    np.testing.assert_allclose(du, [2.0, 0.0])


def test_stacked_experiments_map():
    short, long = one([0.0, 1.0], [0.0, 1.0], "linear"), one(KNOTS, VALUES, "cubic")
    both = jax.tree_util.tree_map(jnp.asarray, stack_signals([short, long]))
    u, du = jax.vmap(lambda s, t: s(t), (0, None))(both, 0.4)
    np.testing.assert_allclose(u[:, 0], [short(0.4)[0][0], long(0.4)[0][0]])
    np.testing.assert_allclose(du[:, 0], [short(0.4)[1][0], long(0.4)[1][0]])


def test_jump_times():
    columns = jump_columns(["previous", "linear", "linear", "cubic"], [False, False, True, False])
    assert columns == (0, 2)
    signal = build_signals(["a", "b"], ["previous", "linear"], {"a": ([1.0, 2.0], [0, 1]), "b": ([3.0], [0])})
    assert list(jump_times(signal, (0,))) == [1.0, 2.0]
    assert jump_times(signal, ()) is None and jump_times(no_signals(), ()) is None


@pytest.mark.parametrize(
    ("times", "values", "code"),
    [([], [], "E0610"), ([0.0, 1.0], [np.nan, np.nan], "E0610"), ([0.0, 0.0], [1, 2], "E0611"), ([1.0, 0.0], [1, 2], "E0611"),
     ([0.0, np.inf], [1, 2], "E0611"), ([0.0, 1.0], [1.0], "E0611")],
)  # fmt: skip
def test_records_that_make_no_signal(times, values, code):
    with pytest.raises(DataError) as error:
        one(times, values, "linear")
    assert error.value.diagnostics[0].code == code


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=12, unique_by=lambda v: round(v, 2)),
    st.sampled_from(list(INTERPOLATIONS)),
    st.integers(0, 2**32 - 1),
)
def test_every_interpolation_goes_through_its_records(times, kind, seed):
    x = np.sort([round(v, 2) for v in times])
    y = np.random.default_rng(seed).normal(size=len(x))
    signal = one(x, y, kind)
    expected = [*y[1:], y[-1]] if kind == "next" else y
    np.testing.assert_allclose([signal(t)[0][0] for t in x], expected, rtol=1e-9, atol=1e-9)


# ---- values that JAX traces -----------------------------------------------------------------------------------------------
TRACED = """model driven
time t
input u from data.u, interp={kind}
input v from data.v
state x = 1
x' = -0.7*x + u + 0.1*v*x
"""


@pytest.mark.parametrize("kind", ["previous", "next", "linear", "cubic", "hermite"])
def test_gradients_by_the_values_of_an_input(kind: str) -> None:
    """Against differences of solves with plain values, which are the same inside and outside of JAX's tracing."""
    solve = ho.parse(TRACED.format(kind=kind)).solver(at=[1.0, 2.5], rtol=1e-10, atol=1e-12)
    times, values = np.array([0.0, 0.6, 1.1, 2.0]), np.array([0.3, -0.5, 0.8, 0.1])
    other = (np.array([0.0, 2.0]), np.array([1.0, 3.0]))

    with jax.enable_x64(True):

        def final(u):
            return jnp.sum(solve({}, inputs={"u": (times, u), "v": other})["x"])

        value, gradient = jax.jit(jax.value_and_grad(final))(values)
        assert float(value) == pytest.approx(float(final(values)), rel=1e-9)
        assert float(value) != pytest.approx(float(final(0 * values)), rel=1e-2)
        for k in range(len(values)):  # x is linear in u: a large step is exact, and hides the solver's error
            step = 0.5 * np.eye(len(values))[k]
            difference = float(final(values + step)) - float(final(values - step))
            assert float(gradient[k]) == pytest.approx(difference, rel=1e-6, abs=1e-8)


def test_what_cannot_be_traced_is_said() -> None:
    akima = ho.parse(TRACED.format(kind="akima")).solver(at=[1.0])
    linear = ho.parse(TRACED.format(kind="linear")).solver(at=[1.0])
    times, values = np.array([0.0, 0.6, 1.1]), np.array([0.3, -0.5, 0.8])
    with jax.enable_x64(True):
        with pytest.raises(UsageError, match="E0834"):
            jax.grad(lambda u: akima({}, inputs={"u": (times, u), "v": (times, values)})["x"][0])(values)
        with pytest.raises(UsageError, match="E0834"):
            jax.grad(lambda t: linear({}, inputs={"u": (t, values), "v": (times, values)})["x"][0])(times)
