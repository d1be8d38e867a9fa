"""Lanes that are done take further trajectories of the batch: nobody's numbers depend on the order, and nobody waits for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.kernels.ffi.numbers import run_solve
from hybridode.kernels.llvm.job import DONE, MAX_STEPS, NON_FINITE
from hybridode.solve import native, results
from hybridode.solve.settings import Settings
from tests.solve.native_models import VAN_DER_POL, compiled

NETWORK = VAN_DER_POL.replace("- c*x", "- c*x + 0.1*NN(x, y, hidden=[5], act=tanh)")
DRIVEN = """model driven
param k = 1
input u from data.u, interp=previous
input v from data.v, interp=cubic
state x = u(0)
state z = 0
x' = k*(u - x)
z' = v*x - z
"""
TS = np.array([0.0, 0.0, 0.3, 0.5, 2.5, 3.9, 4.0])
COUNT = 43


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


class Case:
    """A model and a batch of what its trajectories differ in: parts of the arguments (`where`), with an axis of trajectories."""

    def __init__(self, text: str, where: Callable[[Any], Any], decades: float, **data: Any) -> None:
        self.model, self.where = compiled(text), where
        self.given = jax.tree_util.tree_map(jnp.asarray, self.model.arguments(**data))
        rng = np.random.default_rng(1)
        self.batch = jax.tree_util.tree_map(
            lambda x: x * jnp.asarray(rng.uniform(0.5, 1.5, (COUNT, *x.shape))), where(self.given)
        )
        p = self.batch[0]
        self.batch = (p.at[:, 0].set(10 ** rng.uniform(0, decades, COUNT)), *self.batch[1:])

    def one(self, own: Any) -> Any:
        args = eqx.tree_at(self.where, self.given, own)
        raw = native.integrate(self.model, args, 0.0, TS, "tsit5", Settings(rtol=1e-5, atol=1e-7))
        weight = jnp.cos(jnp.arange(raw.ys.size)).reshape(raw.ys.shape)
        return jnp.sum(weight * raw.ys), raw


def driven() -> Case:
    rng = np.random.default_rng(0)
    data = {name: (np.array([0.0, 0.7, 1.3, 2.2, 3.1]), 1 + rng.normal(size=5)) for name in ("u", "v")}
    return Case(DRIVEN, lambda a: (a.parameters, a.signals.coefficients), 2.5, data=data)


CASES = {
    "network": lambda: Case(NETWORK, lambda a: (a.parameters,), 2),
    "own weights": lambda: Case(NETWORK, lambda a: (a.parameters, a.weights), 2),
    "inputs": driven,
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_networks_and_inputs_in_any_order(make: Callable[[], Case]) -> None:
    """Values and derivatives of a permuted batch are the permuted ones, bit for bit."""
    case = make()
    every = jax.jit(jax.vmap(jax.grad(case.one, has_aux=True)))
    order = np.random.default_rng(3).permutation(COUNT)
    found, raw = every(case.batch)
    moved = every(jax.tree_util.tree_map(lambda x: x[order], case.batch))
    assert (raw.result == results.SUCCESS).all() and np.isfinite(raw.ys).all()
    assert np.ptp(raw.stats["accepted"]) > 50
    for a, b in zip(*map(jax.tree_util.tree_leaves, ((found, raw), moved)), strict=True):
        np.testing.assert_array_equal(b, a[order])


class Solves:
    """Solves of van der Pol's oscillator without JAX: (ys, info, end) of parameters (B, 2)."""

    def __init__(self, method: str, dtype: str = "float64", threads: int = 1, max_steps: int = 20_000, end: float = 4.0) -> None:
        self.program = native.program_of(compiled(VAN_DER_POL), method, dtype=dtype)
        self.options = self.program.options(1e-6, 1e-9, max_steps)
        self.options[-1], self.ts = threads, np.array([0.0, 0.5, end])

    def __call__(self, p: np.ndarray) -> tuple[np.ndarray, ...]:
        none = np.zeros(0)
        return run_solve(self.program, p, none, np.array([1.5, 0.0]), np.array(0.0), self.ts, self.options)


def stiffness(count: int) -> np.ndarray:
    return np.stack([10 ** np.linspace(0, 3, count), np.full(count, 0.8)], axis=1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["rodas4", "dop853"])
def test_any_order(method: str, dtype: str, threads: int) -> None:
    """Bit for bit, also of those that fail: at the start, or after as many rounds as there may be, which others do not use up."""
    solve = Solves(method, dtype, threads, max_steps=600, end=50.0 if method == "rodas4" else 4.0)
    p = stiffness(101)
    p[7], p[50] = np.nan, np.inf
    one_by_one = [solve(p[k : k + 1].repeat(2, axis=0)) for k in range(len(p))]
    statuses = {int(info[0, 0]) for _, info, _ in one_by_one}
    assert statuses >= {DONE, MAX_STEPS, NON_FINITE}
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(p))
        for k, found in enumerate(solve(p[order])):
            np.testing.assert_array_equal(found, np.array([one_by_one[i][k][0] for i in order]))


@pytest.mark.parametrize("count", [2, 7, 8, 9, 15, 16, 17, 18, 33])
def test_every_size_of_a_batch(count: int) -> None:
    solve = Solves("rodas4")
    p = stiffness(count)[::-1]
    for alone, twice in zip(solve(p), solve(np.concatenate([p, p])), strict=True):
        assert len(alone) == count and np.isfinite(alone).all()
        np.testing.assert_array_equal(twice, np.concatenate([alone, alone]))


def test_a_shuffled_batch_takes_little_longer() -> None:
    """Without refilling it takes more than twice as long."""
    solve, p = Solves("rodas4", end=50.0), stiffness(256)
    shuffled = np.random.default_rng(0).permutation(p)
    best = [np.inf, np.inf]
    for _ in range(15):
        for k, batch in enumerate((p, shuffled)):
            began = time.process_time()
            solve(batch)
            best[k] = min(best[k], time.process_time() - began)
    assert best[1] < 1.4 * best[0]
