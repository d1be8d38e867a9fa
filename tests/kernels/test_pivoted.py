"""Partial pivoting: the dense LU against NumPy, and whole solves by it alone against those by the unrolled elimination."""

from __future__ import annotations

import ctypes
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.kernels.llvm.dense_lu import dense_lu
from hybridode.kernels.llvm.machine import compile_ir
from hybridode.methods import sparse_lu
from hybridode.solve import native, results
from hybridode.solve.settings import Settings
from tests.solve.native_models import FORCED

SIGNALS = """model heated
time t
input u from data.u, interp=cubic
param k = 2
param c = 30
state x = 0.5
state z = 1
x' = k*(u - x) - x*z
z' = c*(x - z*u) + cos(t)
"""
DATA = {"u": ([0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 0.5, 1.5, 1.0])}


@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_dense_lu(n: int) -> None:
    """Matrices whose diagonal is zero: without exchanges there is nothing to divide by."""
    rng = np.random.default_rng(n)
    a = rng.standard_normal((n, n)) * 10.0 ** rng.integers(-6, 6, (n, 1))
    if n > 1:
        np.fill_diagonal(a, 0.0)
    w = dense_lu(n)
    machine = compile_ir("\n".join([*w.needs, *w.lines]).replace("define internal", "define"))
    lu, swaps, r = a.copy(), np.zeros(n, np.int64), rng.standard_normal(n)
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (lu, swaps)]
    machine.function("dense_factor", None, *[ctypes.c_void_p] * 2)(*pointers)
    for name, matrix in (("dense_solve", a), ("dense_solve_transposed", a.T)):
        x = r.copy()
        machine.function(name, None, *[ctypes.c_void_p] * 3)(*pointers, x.ctypes.data)
        scale = np.abs(np.linalg.inv(matrix)) @ (np.abs(matrix) @ np.abs(x) + np.abs(r))
        assert np.all(np.abs(x - np.linalg.solve(matrix, r)) <= 1e-13 * n * scale)


class Solved:
    """Values, gradient, tangents and counts of one trajectory, and of five of different parameters."""

    def __init__(self, text: str, method: str, **data: Any) -> None:
        compiled, settings = ho.parse(text).compiled(), Settings(rtol=1e-6, atol=1e-8)
        args, ts = compiled.arguments(**data), np.linspace(0.2, 4, 6)

        def raw(p: Any) -> Any:
            return native.integrate(compiled, eqx.tree_at(lambda a: a.parameters, args, p), 0.0, ts, method, settings)

        with jax.enable_x64(True):
            p = jnp.asarray(args.parameters)
            weights = jnp.asarray(np.random.default_rng(0).standard_normal(raw(p).ys.shape))
            points = p * jnp.linspace(0.9, 1.1, 5)[:, None]

            def loss(p: Any) -> Any:
                return jnp.sum(weights * raw(p).ys)

            one, many = jax.jit(raw)(p), jax.jit(jax.vmap(raw))(points)
            assert one.result == results.SUCCESS and np.all(many.result == results.SUCCESS)
            self.steps = np.append(many.stats["steps"], one.stats["steps"])
            self.pivoted = np.append(many.stats["pivoted"], one.stats["pivoted"])
            gradient, moved = jax.grad(loss), jax.jacfwd(lambda q: raw(q).ys)
            self.numbers = [one.ys, many.ys, *(jax.jit(f)(p) for f in (gradient, moved))]
            self.numbers += [jax.jit(jax.vmap(f))(points) for f in (gradient, moved)]


@pytest.mark.parametrize("text, data, method", [(FORCED, {}, "rodas4"), (SIGNALS, {"data": DATA}, "rosenbrock23")])
def test_every_step_pivoted(text: str, data: dict[str, Any], method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all pivots count as bad all steps are taken the other way, in the lanes of a batch too, with the same numbers."""
    monkeypatch.setenv("HYBRIDODE_CACHE", "off")  # it knows the text of a model's kernels
    usual = Solved(text, method, **data)
    assert not usual.pivoted.any()
    monkeypatch.setattr(sparse_lu, "MOST_GROWTH", -1.0)
    pivoted = Solved(text, method, **data)
    np.testing.assert_array_equal(pivoted.pivoted, pivoted.steps)
    for a, b in zip(usual.numbers, pivoted.numbers, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10 * float(np.max(np.abs(a))))
