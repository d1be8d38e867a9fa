"""Native solves of models with networks: values and derivatives by weights, in one lane and in many, against Diffrax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.kernels.llvm.machine import host_lanes
from hybridode.kernels.llvm.module import Module
from hybridode.solve import diffrax, engines, native, results
from hybridode.solve.settings import Settings
from tests.solve.native_models import compiled

MODEL = """model hybrid
time t
param a = 0.9
param b = 0.8
state x = 1.5
state y = 1
nn U: 2 -> 1, hidden=[HIDDEN], act=tanh
x' = a*x - x*U(x, y)
y' = y*NN(x, y, hidden=[3], act=softplus, positive) - b*y
"""
TS = np.linspace(0, 2, 4)
SETTINGS = Settings(rtol=1e-9, atol=1e-11)


class Case:
    def __init__(self, hidden: str) -> None:
        self.model = compiled(MODEL.replace("HIDDEN", hidden))
        self.args = self.model.arguments()
        with jax.enable_x64(True):
            self.p, self.w = jax.tree_util.tree_map(jnp.asarray, (self.args.parameters, self.args.weights))
            self.weight = jnp.asarray(np.random.default_rng(3).standard_normal((len(TS), 2)))

    def raw(self, p: Any, w: Any, method: str = "tsit5", engine: Any = native, gradient: str = "reverse") -> Any:
        args = eqx.tree_at(lambda a: (a.parameters, a.weights), self.args, (p, w))
        return engine.integrate(self.model, args, 0.0, TS, method, SETTINGS, gradient)

    def loss(self, p: Any, w: Any, method: str = "tsit5", engine: Any = native, gradient: str = "reverse") -> Any:
        return jnp.sum(self.weight * self.raw(p, w, method, engine, gradient).ys)


@pytest.fixture(scope="module", params=["4", "20, 13"], ids=["narrow", "wide"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.fixture(scope="module")
def expected(case: Case) -> tuple[Any, Any]:
    with jax.enable_x64(True):
        assert case.raw(case.p, case.w, engine=diffrax).result == results.SUCCESS
        return jax.jit(jax.grad(lambda p, w: case.loss(p, w, engine=diffrax), (0, 1)))(case.p, case.w)


def close(found: Any, right: Any, rtol: float = 1e-6) -> None:
    a, b = (jnp.concatenate([x.ravel() for x in jax.tree_util.tree_leaves(t)]) for t in (found, right))
    np.testing.assert_allclose(a, b, atol=rtol * float(jnp.max(jnp.abs(b))))


def test_the_engine_takes_networks(case: Case) -> None:
    choice = engines.choose(case.model, case.args, 0.0, 2.0, Settings())
    assert choice.settings.engine == "native"


def test_large_networks() -> None:
    """67,000 weights, in one lane and in all: workspace from the heap, however small a thread's stack is."""
    large = Case("256, 256")
    assert large.raw(large.p, large.w).result == results.SUCCESS
    points = large.p * jnp.linspace(0.9, 1.1, 11)[:, None]
    found = jax.jit(jax.vmap(jax.grad(large.loss, (0, 1)), (0, None)))(points, large.w)
    for k in (0, 10):
        expected = jax.jit(jax.grad(lambda p, w: large.loss(p, w, engine=diffrax), (0, 1)))(points[k], large.w)
        close(jax.tree_util.tree_map(lambda x, k=k: x[k], found), expected)
        close(jax.jit(jax.grad(large.loss, (0, 1)))(points[k], large.w), expected)
    several = jax.tree_util.tree_map(lambda x: jnp.stack([x, 0.9 * x]), large.w)
    own = jax.vmap(lambda w: large.raw(large.p, w).ys)(several)
    np.testing.assert_array_equal(own[0], large.raw(large.p, large.w).ys)
    assert np.max(np.abs(own[1] - own[0])) > 1e-3


def test_without_memory() -> None:
    """A solve that gets no workspace fails in words, its derivatives are NaN."""
    poor = Case("4")
    program = native.program_of(poor.model, "tsit5")
    written = replace(program, identity="", modules={})  # of which the texts are there
    for kind in ("solve", "adjoint"):
        for width in (1, host_lanes()):
            module, _ = written.module(kind, width)
            text = module.text.replace("declare ptr @malloc(i64)", "define internal ptr @none(i64 %bytes) {\n  ret ptr null\n}")
            text = text.replace("@malloc(", "@none(").replace(module.run[:-4], module.run[:-4] + "_poor")
            run, handler = (name.replace(module.run[:-4], module.run[:-4] + "_poor") for name in (module.run, module.handler))
            program.modules[kind, width, False] = Module(text, run, handler, module.calls)
    raw = native.solve_numbers(poor.model, poor.args, 0.0, TS, "tsit5", SETTINGS)
    assert raw.result == results.OTHER and np.all(np.isnan(raw.ys[1:]))
    points = poor.p * jnp.linspace(0.9, 1.1, 11)[:, None]
    assert np.all(jax.vmap(lambda p: poor.raw(p, poor.w).result)(points) == results.OTHER)
    gradient = jax.vmap(jax.grad(poor.loss, (0, 1)), (0, None))(points, poor.w)
    assert all(np.all(np.isnan(x)) for x in jax.tree_util.tree_leaves(gradient))


def test_numpy_and_jax_agree(case: Case) -> None:
    raw = native.solve_numbers(case.model, case.args, 0.0, TS, "tsit5", SETTINGS)
    assert raw.result == results.SUCCESS
    np.testing.assert_array_equal(raw.ys, case.raw(case.p, case.w).ys)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p", "dop853"])
def test_gradient_by_weights(case: Case, expected: Any, method: str) -> None:
    assert case.raw(case.p, case.w, method).result == results.SUCCESS
    close(jax.jit(jax.grad(lambda p, w: case.loss(p, w, method), (0, 1)))(case.p, case.w), expected)


def test_tangents(case: Case, expected: Any) -> None:
    """One direction, and all of the first network's last layer at once (seeds in lanes)."""
    assert case.raw(case.p, case.w).result == results.SUCCESS
    moved = jax.jvp(lambda w: case.loss(case.p, w), (case.w,), (case.w,))[1]
    pairs = zip(jax.tree_util.tree_leaves(case.w), jax.tree_util.tree_leaves(expected[1]), strict=True)
    np.testing.assert_allclose(moved, sum(jnp.vdot(a, b) for a, b in pairs), rtol=1e-5)

    def of_last(bias: Any) -> Any:
        return case.loss(case.p, eqx.tree_at(lambda w: w["U"]["b0"], case.w, bias))

    close(jax.jacfwd(of_last)(case.w["U"]["b0"]), expected[1]["U"]["b0"])


def test_trajectories_that_share_weights_and_that_do_not(case: Case) -> None:
    """Lanes share the arrays or have their own, trajectories with large ones go one by one: the same numbers but for rounding."""
    gradient = jax.grad(case.loss, (0, 1))
    points = case.p * jnp.linspace(0.9, 1.1, 11)[:, None]
    several = jax.tree_util.tree_map(lambda x: jnp.stack([x, 1.2 * x, 0.7 * x]), case.w)
    assert not jax.vmap(lambda p: case.raw(p, case.w).result)(points).any()
    shared = jax.jit(jax.vmap(gradient, (0, None)))(points, case.w)
    own = jax.jit(jax.vmap(gradient, (None, 0)))(case.p, several)
    one = jax.jit(gradient)
    for k in (0, 10):
        close(jax.tree_util.tree_map(lambda x, k=k: x[k], shared), one(points[k], case.w), 1e-11)
    for k in range(3):
        w = jax.tree_util.tree_map(lambda x, k=k: x[k], several)
        close(jax.tree_util.tree_map(lambda x, k=k: x[k], own), one(case.p, w), 1e-11)


def test_a_sum_over_trajectories(case: Case) -> None:
    """The gradient by weights that all share is the sum of all: of full and ragged groups, of steps that are recorded and not."""
    points = case.p * jnp.linspace(0.9, 1.1, 9)[:, None]
    each = jax.jit(jax.vmap(jax.grad(case.loss, 1), (0, None)))(points, case.w)
    total = jax.jit(jax.grad(lambda w: jnp.sum(jax.vmap(case.loss, (0, None))(points, w))))
    expected = jax.tree_util.tree_map(lambda x: x.sum(0), each)
    close(total(case.w), expected, 1e-11)
    program = native.program_of(case.model, "tsit5")
    key = ("native", "tsit5", 1)
    case.model.jitted[key] = replace(program, share=1 << 20)
    try:
        again = jax.grad(lambda w: jnp.sum(jax.vmap(case.loss, (0, None))(points, w)))
        close(again(case.w), expected, 1e-11)
    finally:
        case.model.jitted[key] = program


def test_sums_over_trajectories_in_every_mode(case: Case) -> None:
    """Tangents, seeds, transposes and further batches of what the lanes add up."""
    points = case.p * jnp.linspace(0.9, 1.1, 9)[:, None]
    w, unravel = jax.flatten_util.ravel_pytree(case.w)

    def losses(w: Any) -> Any:
        found = jax.vmap(case.loss, (0, None))(points, unravel(w))
        return jnp.stack([jnp.sum(found), jnp.sum(found[:4])])

    jacobian = jnp.stack([jax.grad(lambda w, k=k: losses(w)[k])(w) for k in range(2)])
    np.testing.assert_allclose(jax.jacrev(losses)(w), jacobian, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(jax.jvp(losses, (w,), (w,))[1], jacobian @ w, rtol=1e-8)
    _, back = jax.vjp(losses, w)
    _, twice = jax.vjp(lambda bar: back(bar)[0], jnp.ones(2))
    np.testing.assert_allclose(twice(w)[0], jacobian @ w, rtol=1e-8)
    several = jax.vmap(jax.grad(lambda w: losses(w)[1]))(jnp.stack([w, 1.1 * w]))
    np.testing.assert_allclose(several[0], jacobian[1], rtol=1e-9, atol=1e-11)
