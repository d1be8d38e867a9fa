"""Stiff systems whose elimination needs exchanges of rows, against exact solutions: the native engine watches its pivots."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.methods import sparse_lu
from hybridode.solve import native, results
from hybridode.solve.settings import Settings
from tests.solve.native_models import ROBER, compiled

# The Jacobian's diagonal is zero and its couplings are of the size K: 1/(h gamma) is a bad pivot as soon as K h is large.
COUPLED = """model coupled
time t
param a = 1
param K = 1e10
state x = 0
state y = a
state z = 0
x' = -K*(y - a*cos(t)) + a*cos(t)
y' = K*(x - a*sin(t)) - a*sin(t)
z' = K*(y - a*cos(t)) + K*(a*sin(t) - x) + a*cos(t)
"""
TS = np.linspace(0.5, 6, 7)
EXACT = np.stack([np.sin(TS), np.cos(TS), np.sin(TS)], axis=1)  # for a = 1, and its derivative by a
SETTINGS = Settings(rtol=1e-8, atol=1e-10, max_steps=5000)


def solver(method: str) -> tuple[Any, Any]:
    """(parameters, function from parameters to Raw)"""
    model = compiled(COUPLED)
    args = model.arguments()

    def raw(p: Any) -> Any:
        return native.integrate(model, eqx.tree_at(lambda a: a.parameters, args, p), 0.0, TS, method, SETTINGS)

    return args.parameters, raw


@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_pivoting_where_it_is_needed(method: str) -> None:
    """One trajectory and four of different couplings, of which only the stiff ones need it; values, and derivatives both ways."""
    p, raw = solver(method)
    with jax.enable_x64(True):
        found = jax.jit(raw)(p)
        assert found.result == results.SUCCESS
        assert 0 < found.stats["pivoted"] <= found.stats["steps"] < 400
        np.testing.assert_allclose(found.ys, EXACT, atol=5e-6)
        points = np.array([[1.0, 1.0], [1.0, 1e2], [1.0, 1e7], [1.0, 1e10]])
        many = jax.jit(jax.vmap(raw))(points)
        assert not many.result.any()
        np.testing.assert_array_equal(many.stats["pivoted"] > 0, [False, False, True, True])
        np.testing.assert_allclose(many.ys, np.broadcast_to(EXACT, many.ys.shape), atol=5e-6)
        weights = jnp.asarray(np.random.default_rng(0).standard_normal(EXACT.shape))
        gradient = jax.jit(jax.vmap(jax.grad(lambda q: jnp.sum(weights * raw(q).ys))))(points)
        np.testing.assert_allclose(gradient[:, 0], np.sum(weights * EXACT), rtol=1e-5)
        forward = jax.jit(jax.jacfwd(lambda q: raw(q).ys))(jnp.asarray(p))
        np.testing.assert_allclose(forward[..., 0], EXACT, atol=5e-6)
        backward = jax.jit(jax.grad(lambda q: jnp.sum(weights * raw(q).ys)))(jnp.asarray(p))  # rounding errors times K
        np.testing.assert_allclose(jnp.einsum("ti,tip->p", weights, forward), backward, rtol=1e-5, atol=1e-12)


def test_without_it_the_solve_breaks_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the watch is for: the same system with the order of pivots as it comes."""
    monkeypatch.setenv("HYBRIDODE_CACHE", "off")  # it knows the text of a model's kernels
    monkeypatch.setattr(sparse_lu, "MOST_GROWTH", np.inf)
    p, raw = solver("rodas5p")
    with jax.enable_x64(True):
        assert jax.jit(raw)(p).result != results.SUCCESS


def test_counted_in_the_statistics() -> None:
    """By `simulate` and NumPy's path; 0 where no exchange is needed, however stiff."""
    solution = ho.parse(COUPLED).simulate(to=6, points=3, rtol=1e-8, atol=1e-10, engine="native", method="rodas5p")
    assert solution.stats["pivoted"] > 0 and solution.stats["engine"] == "native"
    model = compiled(ROBER)
    found = native.solve_numbers(model, model.arguments(), 0.0, np.array([1e5]), "rodas5p", SETTINGS)
    assert found.result == results.SUCCESS and found.stats["pivoted"] == 0 and found.stats["steps"] > 50
