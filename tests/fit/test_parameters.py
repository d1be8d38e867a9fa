"""Transforms: inverse of each other, monotone, inside open bounds, JAX and NumPy agree."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.declarations import Network, Parameter
from hybridode.errors import Source, UsageError
from hybridode.fit.parameters import check_names, pack, parameter_space, transform_of, unpack
from hybridode.language.check import declare

KINDS = {
    "free": (None, None, "linear"),
    "between": (-2.0, 5.0, "linear"),
    "above": (1.0, None, "linear"),
    "below": (None, 4.0, "linear"),
    "log between": (1e-3, 1e4, "log"),
    "log above": (0.5, None, "log"),
    "log": (0.0, None, "log"),
    "log capped": (0.0, 10.0, "log"),
}


def _space(lower, upper, scale, value):
    return parameter_space([Parameter("k", (value,), lower=lower, upper=upper, scale=scale)])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_chosen_by_bounds_and_scale(kind):
    assert transform_of(*KINDS[kind]) == kind


@pytest.mark.parametrize("kind", KINDS)
@given(st.floats(-12, 12))
@settings(max_examples=25, deadline=None)
def test_there_and_back(kind, z):
    lower, upper, scale = KINDS[kind]
    space = _space(lower, upper, scale, 2.0)
    x = space.vector(np.array([z]))
    assert (-np.inf if lower is None else lower) < x[0] < (np.inf if upper is None else upper)
    again = space.vector(space.unconstrain_vector(x))
    np.testing.assert_allclose(again, x, rtol=1e-9)
    assert space.vector(np.array([z + 1e-3]))[0] > x[0]


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_vectors_stay_finite_and_in_the_bounds(kind):
    lower, upper, scale = KINDS[kind]
    space = _space(lower, upper, scale, 2.0)
    for z in (-30.0, 30.0):
        x = space.vector(np.array([z]))[0]
        assert (-np.inf if lower is None else lower) <= x <= (np.inf if upper is None else upper)
        assert np.isfinite(x)


def test_jax_and_numpy_agree_and_gradients_are_finite():
    parameters = [Parameter(f"k{i}", (2.0,), lower=a, upper=b, scale=s) for i, (a, b, s) in enumerate(KINDS.values())]
    parameters.append(Parameter("v", (1.0, 2.0, 3.0), (3,)))
    space = parameter_space(parameters, fixed=("v[2]",))
    assert space.size == len(KINDS) + 2
    with jax.enable_x64(True):
        for z in (np.linspace(-5, 5, space.size), np.full(space.size, 25.0), np.full(space.size, -25.0)):
            np.testing.assert_allclose(space.vector(jnp.array(z), jnp), space.vector(z), rtol=1e-12)
            jacobian = jax.jacfwd(lambda z: space.vector(z, jnp))(jnp.array(z))
            assert np.all(np.isfinite(jacobian))
            natural, expected = space.natural(jnp.array(z), jnp), space.natural(z)
            for name in expected:
                np.testing.assert_allclose(natural[name], expected[name])
        assert expected["v"].shape == (3,)
        assert expected["v"][1] == 2.0


def test_declared_values_and_bounds():
    space = _space(0.0, 10.0, "log", 9.0)
    np.testing.assert_allclose(space.natural(space.unconstrain())["k"], 9.0)
    np.testing.assert_allclose(space.natural(space.unconstrain({"k": 0.5}))["k"], 0.5)
    with pytest.raises(UsageError, match="E0851"):
        space.unconstrain({"k": 10.0})
    assert space.at_bound(np.array([9.9999])) == ["upper"]
    assert space.at_bound(np.array([5.0])) == [""]
    assert _space(1e-4, 1.0, "log", 0.1).at_bound(np.array([1.0001e-4])) == ["lower"]
    assert _space(None, None, "linear", 0.1).at_bound(np.array([1e9])) == [""]


def test_weights_follow_the_parameters_in_one_vector():
    networks = [Network("U", 2, (), hidden=(3,)), Network("V", 1, (), hidden=(), freeze=True)]
    weights = {"U": {"W0": np.ones((3, 2)), "b0": np.zeros(3), "W1": np.full((1, 3), 2.0), "b1": np.array([7.0]),
                     "shift": np.zeros(2)},
               "V": {"W0": np.ones((1, 1)), "b0": np.zeros(1)}}  # fmt: skip
    theta = pack(np.array([5.0, 6.0]), networks, weights)
    assert theta.shape == (2 + 6 + 3 + 3 + 1,)
    z, back = unpack(theta * 2, 2, networks, weights)
    np.testing.assert_allclose(z, [10.0, 12.0])
    np.testing.assert_allclose(back["U"]["W1"], 4.0)
    np.testing.assert_allclose(back["V"]["W0"], 1.0)
    np.testing.assert_allclose(back["U"]["shift"], 0.0)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a,b", "name one at a time: `--fix a` `--fix b`"),
        ("x(0)", "no start that is learnt `x(0)`"),
        ("x(0)", "write `x = … in (…, …)` to have it learnt; a column `x(0)`"),
        ("aa", "did you mean `a`?"),
    ],
)
def test_names_that_are_not_learnt_say_what_to_write(name, words):
    model = declare(Source("m.ode", "model m\nparam a = 1\nparam b = 1\nstate x = 1\nx' = -a*x*b\nobserve x ~ normal(x, 1)\n"))
    with pytest.raises(UsageError) as caught:
        check_names(model, [name], "fix")
    assert words in str(caught.value)
