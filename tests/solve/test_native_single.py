"""Native solves in float32, as JAX computes unless it is told otherwise: values and derivatives against float64."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.errors import UsageError
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.kernels.llvm.machine import host_lanes
from hybridode.solve import engines, native, results
from hybridode.solve.settings import METHODS, Settings
from tests.problems import problems
from tests.solve.native_models import BLOW_UP, DECAY, FORCED, ROBER, compiled

NATIVE = [name for name, row in METHODS.items() if "native" in row.engines]
TS = np.linspace(0, 4, 6)
NETWORK = """model hybrid
time t
param a = 0.9
param b = 0.8
state x = 1.5
state y = 1
nn U: 2 -> 1, hidden=[WIDTH], act=tanh
x' = U(x, y) - a*x
y' = 0.2*x*x - b*y
"""
FUNCTIONS = """model functions
time t
param a = 0.7
param k = 2
state x = 1
state y = 0.5
x' = -a*tanh(x)*exp(-y) + log(1 + y^2) - 0.1*x^1.3
y' = cos(k*t) - y*sin(x) + hill(x, 1, 2)
"""
DOSED = """model dosed
time t
param k = 0.8
param dose = 2
state x = 1
x' = -k*x
at 1 { x := x + dose }
at 2.5 { x := x*1.5 }
"""
MODELS = {"forced": FORCED, "functions": FUNCTIONS, "narrow network": NETWORK.replace("WIDTH", "4"),
          "wide network": NETWORK.replace("WIDTH", "20, 13"), "at statements": DOSED}  # fmt: skip


@pytest.mark.parametrize("method", NATIVE)
@pytest.mark.parametrize("text, end", [(FORCED, 10.0), (FUNCTIONS, 4.0)], ids=["forced", "functions"])
def test_values(text: str, end: float, method: str) -> None:
    """The same steps but for rounding: single precision adds its own error to the method's, no more."""
    model, ts = compiled(text), np.linspace(0, end, 9)
    double = Settings(rtol=1e-5, atol=1e-7)
    found = native.solve_numbers(model, model.arguments(), 0.0, ts, method, Settings(rtol=1e-5, atol=1e-7, dtype="float32"))
    expected = native.solve_numbers(model, model.arguments(), 0.0, ts, method, double)
    assert found.result == results.SUCCESS and found.ys.dtype == np.float32
    assert abs(int(found.stats["steps"]) - int(expected.stats["steps"])) <= 3
    np.testing.assert_allclose(found.ys, expected.ys, rtol=3e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
@pytest.mark.parametrize("name, end", [("pollu", 60.0), ("hires", 100.0), ("rober", 1e5)])
def test_stiff(name: str, end: float, method: str) -> None:
    model = ho.parse(problems()[name].text).compiled()
    exact = native.solve_numbers(model, model.arguments(), 0.0, np.array([end]), method, Settings(rtol=1e-10, atol=1e-14))
    raw = native.solve_numbers(model, model.arguments(), 0.0, np.array([end]), method,
                               Settings(rtol=1e-5, atol=1e-9, dtype="float32"))  # fmt: skip
    assert raw.result == results.SUCCESS
    np.testing.assert_allclose(raw.ys, exact.ys, rtol=1e-3, atol=1e-6 * np.max(np.abs(exact.ys)))


def solver(text: str, **options: Any) -> tuple[Any, Any]:
    model = ho.parse(text)
    return model.solver(at=TS, rtol=1e-5, atol=1e-7, method="tsit5", engine="native", **options), model.parameters()


def derivatives(text: str) -> dict[str, Any]:
    """Values, a gradient, a Jacobian, and gradients of a batch, by everything that can be differentiated; of a model with `at`
    statements, whose compilation takes long, the first two."""
    solve, params = solver(text)
    params = jax.tree_util.tree_map(jnp.asarray, params)

    def states(q: Any) -> Any:
        return solve(q).states

    def loss(q: Any) -> Any:
        return jnp.sum(states(q) ** 2)

    batch = jax.tree_util.tree_map(lambda x: jnp.stack([x, 1.1 * x, 0.9 * x]), params)
    assert bool(solve(params).successful)
    out = {"value": jax.jit(states)(params), "grad": jax.jit(jax.grad(loss))(params)}
    if "\nat " in text:
        return out
    out |= {"jacobian": jax.jit(jax.jacfwd(states))(params), "vmap": jax.jit(jax.vmap(states))(batch)}
    return out | {"vmap grad": jax.jit(jax.vmap(jax.grad(loss)))(batch)}


@pytest.mark.parametrize("name", MODELS)
def test_derivatives(name: str) -> None:
    with jax.enable_x64(False):
        found = derivatives(MODELS[name])
        assert {leaf.dtype for leaf in jax.tree_util.tree_leaves(found)} == {jnp.dtype("float32")}
    expected = derivatives(MODELS[name])
    for key in found:
        for a, b in zip(*(jax.tree_util.tree_leaves(tree[key]) for tree in (found, expected)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(1e-2, float(jnp.max(jnp.abs(b)))), err_msg=key)


def test_in_single_precision_beside_double() -> None:
    """dtype="float32" while JAX's flag allows more."""
    solve, params = solver(FORCED, dtype="float32")
    slope = jax.jit(jax.grad(lambda q: jnp.sum(solve(q)["x"])))(params)
    assert solve(params)["x"].dtype == jnp.float32 and slope["a"].dtype in (jnp.float32, jnp.float64)
    double, _ = solver(FORCED)
    np.testing.assert_allclose(slope["a"], jax.grad(lambda q: jnp.sum(double(q)["x"]))(params)["a"], rtol=1e-4)


@pytest.mark.parametrize("interpolation", ["previous", "linear", "cubic"])
def test_inputs(interpolation: str) -> None:
    text = f"model m\ntime t\nparam k = 0.7\ninput u from data.u, interp={interpolation}\nstate x = u(0)\nx' = u - k*x\n"
    signal = {"u": (np.array([0.0, 0.7, 1.5, 2.9, 4.0]), np.array([1.0, 0.3, -0.4, 1.2, 0.8]))}

    def run() -> tuple[Any, Any]:
        solve = ho.parse(text).solver(at=TS, rtol=1e-5, atol=1e-7, engine="native", method="tsit5")

        def end(k: Any) -> Any:
            return solve({"k": k}, inputs=signal)["x"]

        assert bool(solve(inputs=signal).successful)
        return end(jnp.asarray(0.7)), jax.jit(jax.jacrev(end))(jnp.asarray(0.7))

    with jax.enable_x64(False):
        found = run()
        assert found[0].dtype == found[1].dtype == jnp.float32
    for a, b in zip(found, run(), strict=True):  # steps over the kinks of `linear` differ from precision to precision
        np.testing.assert_allclose(a, b, rtol=5e-4, atol=5e-4)


def test_a_solve_longer_than_its_record() -> None:
    """The derivative's kernel solves again in blocks of its own memory."""
    text = "model o\ntime t\nparam w = 40\nstate x = 1\nstate v = 0\nx' = v\nv' = -w^2*x\n"

    def slope() -> Any:
        solve = ho.parse(text).solver(at=[20.0], rtol=1e-4, atol=1e-4, method="bosh3", engine="native", max_steps=10**6)
        assert int(solve().stats["accepted"]) > 4096
        return jax.jit(jax.vmap(jax.grad(lambda w: solve({"w": w}).states[-1, 1])))(jnp.asarray([40.0, 40.5, 41.0]))

    with jax.enable_x64(False):
        found = slope()
    # The phase turns by 800: float32 keeps four digits of it.
    np.testing.assert_allclose(found, slope(), rtol=0.05, atol=0.05 * float(jnp.max(jnp.abs(found))))


@pytest.mark.parametrize("method", ["tsit5", "rodas4"])
def test_a_large_system(method: str) -> None:
    """A chain of 150 states, whose steps are rolled over vectors in memory: values, and a gradient in a batch."""
    lines = [f"u{i}' = k*({f'u{i - 1}' if i else '1'} - u{i}) - 0.1*u{i}^2\nstate u{i} = 0" for i in range(150)]
    text = "model chain\ntime t\nparam k = 20\n" + "\n".join(lines) + "\n"

    def run() -> tuple[Any, Any]:
        solve = ho.parse(text).solver(at=[2.0, 5.0], rtol=1e-5, atol=1e-6, method=method, engine="native")
        assert bool(solve().successful)
        return solve().states, jax.jit(jax.vmap(jax.grad(lambda k: jnp.sum(solve({"k": k}).states))))(jnp.asarray([20.0, 25.0]))

    with jax.enable_x64(False):
        found = run()
    for a, b in zip(found, run(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_lanes_and_failures() -> None:
    """Twice the lanes of float64, each its own; a member that fails does not touch the others."""
    assert host_lanes("float32") == 2 * host_lanes()
    model = compiled(BLOW_UP)
    program = native.program_of(model, "tsit5", dtype="float32")
    p = np.array([[0.1], [10.0], [0.2], [np.nan]] * 9)
    ys, info, _ = run_solve(program, p, np.zeros(0), np.ones(1), np.zeros(()), np.array([1.0]),
                            program.options(1e-6, 1e-6, 10_000))  # fmt: skip
    assert list(info[:4, 0] == 0) == [True, False, True, False]
    np.testing.assert_allclose(ys[[0, 2], 0, 0], [1 / 0.9, 1 / 0.8], rtol=1e-5)
    assert np.isnan(ys[[1, 3]]).all() and np.array_equal(ys[:4], ys[-4:], equal_nan=True)


def test_what_single_precision_cannot_do_is_refused() -> None:
    model = compiled(DECAY)
    with pytest.raises(UsageError) as caught:
        engines.choose(model, model.arguments(), 0.0, 2.0, Settings(engine="native", dtype="float32", rtol=1e-7))
    assert caught.value.diagnostics[0].code == "E0840" and "single precision" in str(caught.value)
    choice = engines.choose(model, model.arguments(), 0.0, 2.0, Settings(dtype="float32"))
    assert choice.settings.engine == "native"


def test_stiff_model_by_the_default() -> None:
    """JAX as it comes, nothing chosen."""
    with jax.enable_x64(False):
        sol = ho.parse(ROBER).solver(at=[0.4, 40.0, 4e3])()
        assert bool(sol.successful) and sol.stats["engine"] == "native" and sol["a"].dtype == jnp.float32
        np.testing.assert_allclose(sol["a"], [0.98517, 0.71582, 0.18320], rtol=1e-4)
