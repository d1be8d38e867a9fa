"""Every composition of JAX's transformations: the right mode works, the wrong one raises our error."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.errors import UsageError
from hybridode.solve.diffrax import integrate
from hybridode.solve.guards import guarded
from hybridode.solve.problem import Arguments
from hybridode.solve.settings import Settings
from tests.solve.standin import compiled

X = np.array([1.0, 2.0])
MANY = np.array([[1.0, 2.0], [3.0, 4.0]])


def make(mode):
    return lambda x: jnp.sum(guarded({"x": x}, mode)["x"] ** 3)


REVERSE = {
    "grad": lambda f: jax.grad(f)(X),
    "jit grad": lambda f: jax.jit(jax.grad(f))(X),
    "grad jit": lambda f: jax.grad(jax.jit(f))(X),
    "jacrev": lambda f: jax.jacrev(f)(X),
    "vjp": lambda f: jax.vjp(f, X)[1](1.0)[0],
    "value_and_grad": lambda f: jax.value_and_grad(f)(X)[1],
}
REVERSE_MANY = {
    "vmap grad": lambda f: jax.vmap(jax.grad(f))(MANY),
    "jit vmap grad": lambda f: jax.jit(jax.vmap(jax.grad(f)))(MANY),
    "grad vmap": lambda f: jax.grad(lambda x: jnp.sum(jax.vmap(f)(x)))(MANY),
    "grad scan": lambda f: jax.grad(lambda x: jnp.sum(jax.lax.scan(lambda c, r: (c, f(r)), 0, x)[1]))(MANY),
}
FORWARD = {
    "jacfwd": lambda f: jax.jacfwd(f)(X),
    "jit jacfwd": lambda f: jax.jit(jax.jacfwd(f))(X),
    "jacfwd jit": lambda f: jax.jacfwd(jax.jit(f))(X),
    "jvp": lambda f: jnp.stack([jax.jvp(f, (X,), (v,))[1] for v in np.eye(2)]),
    "linearize": lambda f: jnp.stack([jax.linearize(f, X)[1](v) for v in np.eye(2)]),
}
FORWARD_MANY = {
    "vmap jacfwd": lambda f: jax.vmap(jax.jacfwd(f))(MANY),
    "jit vmap jacfwd": lambda f: jax.jit(jax.vmap(jax.jacfwd(f)))(MANY),
}


@pytest.mark.parametrize("how", [*REVERSE, *REVERSE_MANY])
@pytest.mark.parametrize("mode", ["reverse", "adjoint"])
def test_reverse_works(mode, how):
    expected = 3 * (X if how in REVERSE else MANY) ** 2
    np.testing.assert_allclose((REVERSE | REVERSE_MANY)[how](make(mode)), expected)


@pytest.mark.parametrize("how", [*FORWARD, *FORWARD_MANY])
def test_forward_works(how):
    expected = 3 * (X if how in FORWARD else MANY) ** 2
    np.testing.assert_allclose((FORWARD | FORWARD_MANY)[how](make("forward")), expected)


@pytest.mark.parametrize("how", [*FORWARD, *FORWARD_MANY])
def test_forward_through_reverse_raises(how):
    with pytest.raises(UsageError, match='gradient="forward" for jvp'):
        jax.block_until_ready((FORWARD | FORWARD_MANY)[how](make("reverse")))


@pytest.mark.parametrize("how", [*REVERSE, *REVERSE_MANY])
def test_reverse_through_forward_raises(how):
    with pytest.raises(UsageError, match='gradient="reverse" for grad'):
        (REVERSE | REVERSE_MANY)[how](make("forward"))


def test_hessians_say_what_is_wrong():
    with pytest.raises(UsageError, match="grad, vjp and jacrev only"):
        jax.hessian(make("reverse"))(X)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_values_pass_unchanged(mode):
    f = make(mode)
    assert f(X) == 9.0 == jax.jit(f)(X)
    np.testing.assert_allclose(jax.vmap(f)(MANY), [9.0, 91.0])
    tree = guarded({"a": np.float32(1.5), "i": 3, "none": None}, mode)
    assert tree["a"].dtype == np.float32 and tree["i"] == 3 and tree["none"] is None


# ---- the same around a real solve, whose own errors must not come first ---------------------------------------------
WRONG = {
    "reverse": {
        "jacfwd": lambda f: jax.jacfwd(f)(0.5),
        "jit jacfwd": lambda f: jax.jit(jax.jacfwd(f))(0.5),
        "jit jvp": lambda f: jax.jit(lambda k: jax.jvp(f, (k,), (1.0,))[1])(0.5),
        "jit vmap jacfwd": lambda f: jax.jit(jax.vmap(jax.jacfwd(f)))(X),
        "hessian": lambda f: jax.hessian(f)(0.5),
    },
    "forward": {
        "grad": lambda f: jax.grad(f)(0.5),
        "jit grad": lambda f: jax.jit(jax.grad(f))(0.5),
        "vmap grad": lambda f: jax.vmap(jax.grad(f))(X),
        "grad vmap": lambda f: jax.grad(lambda x: jnp.sum(jax.vmap(f)(x)))(X),
    },
}
WRONG["adjoint"] = {name: WRONG["reverse"][name] for name in ("jacfwd", "jit jacfwd")}


@pytest.mark.parametrize(("mode", "how"), [(mode, how) for mode in WRONG for how in WRONG[mode]])
def test_around_a_solve(mode, how):
    model = compiled(lambda t, y, args: -args.parameters[0] * y, [1.0], [0.5])

    def value(k):
        args = Arguments(jnp.reshape(k, (1,)), {}, model.arguments().signals, np.zeros(0))
        return integrate(model, args, 0.0, np.array([0.0, 1.0]), "tsit5", Settings(), mode).ys[-1, 0]

    with pytest.raises(UsageError) as error:
        jax.block_until_ready(WRONG[mode][how](value))
    assert error.value.diagnostics[0].code == ("E0827" if mode == "forward" else "E0826")
