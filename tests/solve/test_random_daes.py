"""Random differential-algebraic systems of index 1 against IDA: values at many times, and derivatives by all parameters, starts
included, against its forward sensitivities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from tests.solve.dae_oracle import integrate
from tests.solve.random_daes import random_dae

TS = np.linspace(0.25, 3, 8)


def check(seed: int, method: str, gradient: bool) -> bool:
    """False where the oracle finds no start from the guesses. Derivatives are compared along one direction of the parameters."""
    made, rng = random_dae(seed), np.random.default_rng(10_000 + seed)
    direction = rng.normal(size=len(made.p))
    try:
        exact, slope = integrate(made.dae, made.p, TS, direction)
    except AssertionError:
        return False
    assert slope is not None
    model, settings = ho.parse(made.text), {"at": TS, "method": method, "rtol": 1e-9, "atol": 1e-11}
    if not gradient:
        sol = model.simulate(**settings)
        found = np.stack([np.asarray(sol[name]) for name in made.unknowns], 1)
        np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-7, err_msg=made.text)
        return True
    pull, solver = rng.normal(size=exact.shape), model.solver(**settings)

    def loss(p):
        sol = solver(dict(zip(made.parameters, p, strict=True)))
        y = jnp.stack([sol[name] for name in made.unknowns], 1)
        return jnp.sum(pull * y), (y, sol.result)

    (_, (value, result)), slopes = jax.jit(jax.value_and_grad(loss, has_aux=True))(jnp.array(made.p))
    assert result == 0, made.text
    np.testing.assert_allclose(value, exact, rtol=1e-6, atol=1e-7, err_msg=made.text)
    along, size = float(slopes @ direction), np.sqrt(np.sum(pull**2) * np.sum(slope**2))
    assert abs(along - np.sum(pull * slope)) < 1e-5 * (1 + size), made.text
    return True


@pytest.mark.parametrize(("method", "first"), [("rodas5p", 0), ("rodas4", 10)])
def test_random_systems(method: str, first: int) -> None:
    """Ten systems each, with derivatives of one of every kind."""
    assert sum(check(seed, method, gradient=seed - first < 3) for seed in range(first, first + 10)) >= 8


@pytest.mark.slow
def test_200_random_systems() -> None:
    done = 0
    for seed in range(100, 400):
        done += check(seed, ("rodas5p", "rodas4")[seed % 2], gradient=True)
        if done == 200:
            return
    raise AssertionError(f"only {done} systems start")
