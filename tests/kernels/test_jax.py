"""Emitted JAX code against the NumPy interpreter, and JAX's own derivatives of it against the tape's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import Array

from hybridode.declarations import Network, Table
from hybridode.expr import Expr
from hybridode.kernels.jax import emit
from hybridode.networks.initialise import constants, initialise
from hybridode.networks.lower import lower
from hybridode.tape.build import build
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.ops import OPS
from hybridode.tape.tables import piecewise
from hybridode.tape.tape import Tape, TapeBuilder
from tests.tape.cases import ATTRS, EDGES, points
from tests.tape.expressions import LEAVES, expressions
from tests.tape.test_build import reactions
from tests.tape.test_derive import STRUCTURAL
from tests.tape.test_guard import BRANCHES, XS, N
from tests.tape.test_guard import LEAVES as BRANCH_LEAVES
from tests.tape.test_ops import REAL, named, single

# XLA has its own elementary functions; these are the few that stay above a few units in the last place.
LOOSE = {"gamma": 2e-13, "lgamma": 5e-14, "digamma": 5e-14, "polygamma": 1e-13, "exprel_slope": 1e-13}


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def vectors(op: str) -> dict[str, np.ndarray]:
    """All points of an operation at once."""
    return {f"x{j}": np.array(column) for j, column in enumerate(zip(*points(op), strict=True))}


def together(jobs: dict[Any, tuple[Callable[..., Any], Any]]) -> dict[Any, Any]:
    """Results of many functions from one compilation (each by itself would take seconds in all)."""
    keys, given = list(jobs), [args for _, args in jobs.values()]
    with jax.enable_x64(True):
        program = jax.jit(lambda given: [jobs[k][0](*g) for k, g in zip(keys, given, strict=True)])
        # Run once: LLVM's expensive passes would be most of the time.
        results = program.lower(given).compile({"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True})(
            given
        )
    return dict(zip(keys, results, strict=True))


@pytest.fixture(scope="module")
def values() -> dict[tuple[str, type], Array]:
    """Every operation at its points, in both precisions."""
    jobs = {}
    for op in REAL:
        function = emit(at_points(op))
        for dtype in (np.float64, np.float32):
            inputs = {k: v.astype(dtype) for k, v in vectors(op).items()}
            jobs[op, dtype] = (lambda v, f=function: f(v)["f"], (inputs,))
    return together(jobs)


@pytest.fixture(scope="module")
def slopes() -> dict[str, Any]:
    """Every operation: gradient, derivative along ones, gradient of that."""
    jobs = {}
    for op in REAL:

        def derivatives(v: dict[str, Any], op: str = op) -> Any:
            f = emit(at_points(op))
            total = lambda v: f(v)["f"].sum()  # noqa: E731
            along = lambda v: jax.jvp(total, (v,), ({k: jnp.ones_like(x) for k, x in v.items()},))[1]  # noqa: E731
            return jax.grad(total)(v), along(v), jax.grad(along)(v)

        jobs[op] = (derivatives, (vectors(op),))
    return together(jobs)


@pytest.fixture(scope="module")
def edges() -> list[Any]:
    """Value and gradient of every edge case."""
    jobs = {}
    for k, (op, args, _, _) in enumerate(EDGES):
        function = emit(single(op, len(args)))
        jobs[k] = (jax.value_and_grad(lambda v, f=function: f(v)["f"]), (named(args),))
    return list(together(jobs).values())


@pytest.fixture(scope="module")
def branches() -> dict[tuple[str, bool], Any]:
    """Every case of branches: value, gradient, second derivative along ones."""
    jobs = {}
    for name, (make, x, _, _) in BRANCHES.items():
        for grouped in (False, True):
            function = emit(build({"f": [make(s) for s in (XS if grouped else XS[:1])]}, BRANCH_LEAVES, grouped=grouped))

            def derivatives(y: Any, p: Any, f: Callable[..., Any] = function) -> Any:
                total = lambda y, p: f({"y": y, "p": p})["f"].sum()  # noqa: E731
                second = jax.jvp(jax.grad(total), (y, p), (jnp.ones_like(y), jnp.ones_like(p)))[1]
                return total(y, p), jax.grad(total, (0, 1))(y, p), second

            jobs[name, grouped] = (derivatives, (np.full(N, x), np.array([2.0])))
    return together(jobs)


def at_points(op: str) -> Tape:
    inputs = vectors(op)
    return single(op, len(inputs), inputs["x0"].shape)


@pytest.mark.parametrize("op", REAL)
def test_values_of_every_operation(op: str, values: dict[tuple[str, type], Array]):
    expected = interpret(at_points(op), vectors(op))["f"]
    found = values[op, np.float64]
    assert found.dtype == jnp.float64
    scale = np.maximum(1e-300, np.abs(expected))
    assert np.max(np.abs(found - expected) / scale) <= LOOSE.get(op, 1e-14), (found, expected)


@pytest.mark.parametrize("op", REAL)
def test_values_in_single_precision(op: str, values: dict[tuple[str, type], Array]):
    expected = interpret(at_points(op), {k: v.astype(np.float32) for k, v in vectors(op).items()})["f"]
    found = values[op, np.float32]
    assert found.dtype == jnp.float32
    tolerance = 2e-4 if op in LOOSE or op in ("tan", "acosh", "atanh", "log1p") else 4e-6
    zeros = ("log", "log2", "log10", "mod", "lgamma", "digamma")
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=2e-6 if op in zeros else 1e-30)


@pytest.mark.parametrize("op", REAL)
def test_derivatives_of_every_operation(op: str, slopes: dict[str, Any]):
    """JAX's forward and reverse mode through the emitted code, and both once more on their derivative."""
    inputs, tape = vectors(op), at_points(op)
    names = list(inputs)
    bars = interpret(reverse(tape, names), {**inputs, "f.bar": np.ones_like(inputs["x0"])})
    gradient, slope, curvature = slopes[op]
    for name in names:
        np.testing.assert_allclose(gradient[name], bars[f"{name}.bar"], rtol=max(1e-12, 5 * LOOSE.get(op, 0)), atol=1e-15)
    assert slope == pytest.approx(sum(float(np.sum(bars[f"{n}.bar"])) for n in names), rel=1e-11, abs=1e-13)
    ahead = forward(tape, names, values=False)
    if ahead.inputs:
        seeds = {f"{n}.dot": np.ones_like(inputs[n]) for n in names}
        expected = interpret(reverse(ahead, names), {**inputs, **seeds, "f.dot.bar": np.ones_like(inputs["x0"])})
        for name in names:
            if f"{name}.bar" in expected:
                np.testing.assert_allclose(curvature[name], expected[f"{name}.bar"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", range(len(EDGES)), ids=[f"{op}{args}" for op, args, _, _ in EDGES])
def test_edges(k: int, edges: list[Any]):
    _, _, value, partials = EDGES[k]
    found, gradient = edges[k]
    assert float(found) == pytest.approx(value, rel=1e-14, abs=1e-300)
    for j, expected in enumerate(partials):
        assert float(gradient[f"x{j}"]) == pytest.approx(expected, rel=1e-12, abs=1e-300), j


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("grouped", [False, True])
def test_gradients_come_from_the_taken_branch(name: str, grouped: bool, branches: dict[tuple[str, bool], Any]):
    _, _, value, slope = BRANCHES[name]
    total, (by_y, by_p), second = branches[name, grouped]
    assert total == pytest.approx(N * value if grouped else value)
    assert np.asarray(by_y) == pytest.approx([slope] * N if grouped else [slope] + [0.0] * (N - 1))
    assert np.isfinite(by_p).all() and np.isfinite(second).all()


def test_gradients_through_derived_tapes_are_as_safe():
    """JAX transposes our own forward tape (the vector field's custom_jvp is made of it)."""
    for make, x, _, slope in BRANCHES.values():
        function = emit(forward(build({"f": [make(s) for s in XS]}, BRANCH_LEAVES), ["y", "p"]))
        inputs = {"y": jnp.full(N, x), "p": jnp.array([2.0]), "p.dot": jnp.zeros(1)}
        push = lambda v, given=inputs, f=function: f({**given, "y.dot": v})["f.dot"]  # noqa: E731
        (back,) = jax.linear_transpose(push, jnp.ones(N))(jnp.ones(N))
        assert np.asarray(back) == pytest.approx(slope)


@pytest.fixture(scope="module")
def structural() -> dict[str, Any]:
    """Every structural case: its tape, inputs and cotangent, and from JAX the value and the gradient."""
    rng = np.random.default_rng(1)
    cases, jobs = {}, {}
    for name, (shapes, make, _) in STRUCTURAL.items():
        b = TapeBuilder()
        tape = b.finish({"f": make(b, [b.input(k, s) for k, s in shapes.items()])})
        inputs = {k: rng.normal(size=s) for k, s in shapes.items()}
        seed = rng.normal(size=tape.shape(tape.output("f")))

        def both(v: Any, seed: Any, tape: Tape = tape) -> Any:
            f = emit(tape)
            return f(v)["f"], jax.grad(lambda v: jnp.sum(f(v)["f"] * seed))(v)

        cases[name], jobs[name] = (tape, inputs, seed), (both, (inputs, seed))
    return {name: (*cases[name], *result) for name, result in together(jobs).items()}


@pytest.mark.parametrize("name", STRUCTURAL)
def test_structural_operations(name: str, structural: dict[str, Any]):
    shapes, _, expected = STRUCTURAL[name]
    tape, inputs, seed, value, gradient = structural[name]
    assert np.asarray(value) == pytest.approx(np.asarray(expected(*inputs.values())), rel=1e-14)
    bars = interpret(reverse(tape, list(shapes)), {**inputs, "f.bar": seed})
    for k in shapes:
        assert np.asarray(gradient[k]) == pytest.approx(bars[f"{k}.bar"], rel=1e-13)


@pytest.mark.parametrize(
    "places", [[0, 0, 0, 0, 5], list(range(7)), [3] * 40, [k % 3 for k in range(30)], [99, 0], [k // 2 for k in range(20)]]
)
def test_scatter_add_of_every_density(places: list[int]):
    n = 100
    b = TapeBuilder()
    x = b.input("x", (len(places),))
    tape = b.finish({"f": b.node("scatter_add", (x,), tuple(places), (n,))})
    values = np.random.default_rng(0).normal(size=len(places))
    expected = np.zeros(n)
    np.add.at(expected, places, values)
    assert emit(tape)({"x": values})["f"] == pytest.approx(expected, rel=1e-14)


@settings(max_examples=15, deadline=None)
@given(st.lists(expressions(6), min_size=1, max_size=6))
def test_random_systems(es: list[Expr]):
    tape = build({"f": es}, LEAVES)
    inputs = {"y": np.array([0.7, -1.3, 0.2, 2.1]), "p": np.array([0.9]), "t": np.float64(1.7)}
    function = emit(tape)
    assert function(inputs)["f"] == pytest.approx(interpret(tape, inputs)["f"], rel=1e-13, abs=1e-14)
    names = [i.name for i in tape.inputs]
    bars = interpret(reverse(tape, names), {**inputs, "f.bar": np.ones(len(es))})
    gradient = jax.grad(lambda v: function(v)["f"].sum())(inputs)
    for name in names:
        assert gradient[name] == pytest.approx(bars[f"{name}.bar"], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("kind", ["linear", "cubic", "akima", "previous", "next"])
def test_tables(kind: str):
    one = piecewise(Table("g", ("x",), ((0.0, 0.7, 1.0, 2.5),), (1.0, -2.0, 0.5, 0.25), kind))
    two = piecewise(Table("h", ("x", "z"), ((0.0, 0.7, 1.0, 2.5), (0.0, 1.0, 3.0)), tuple(np.sin(np.arange(12.0))), kind))
    b = TapeBuilder()
    x, z = b.input("x", (9,)), b.input("z", (9,))
    tape = b.finish({"f": b.add(b.make("table", x, attrs=(one, (0,))), b.make("table", x, z, attrs=(two, (0, 0))))})
    inputs = {"x": np.array([-np.inf, -1.0, 0.0, 0.3, 0.7, 1.2, 2.5, 3.0, np.nan]), "z": np.linspace(-0.5, 3.5, 9)}
    np.testing.assert_allclose(emit(tape)(inputs)["f"], interpret(tape, inputs)["f"], rtol=1e-13)
    bars = interpret(reverse(tape, ["x", "z"]), {**inputs, "f.bar": np.ones(9)})
    gradient = jax.grad(lambda v: jnp.nansum(emit(tape)(v)["f"][:8]))(inputs)
    for name in ("x", "z"):
        if f"{name}.bar" in bars:
            np.testing.assert_allclose(gradient[name][:8], bars[f"{name}.bar"][:8], rtol=1e-12)


def test_networks_and_their_weights():
    net = Network("U", 2, (2,), hidden=(5,), act="gelu", symmetry="odd", positive=False)
    arrays = {f"U.{k}": v for k, v in {**initialise(net, 3), **constants(net)}.items()}
    b = TapeBuilder()
    tape = b.finish({"f": lower(net)(b, b.input("x", (2, 7)))})
    inputs = {"x": np.random.default_rng(0).normal(size=(2, 7)), **arrays}
    function = emit(tape)
    assert function(inputs)["f"] == pytest.approx(interpret(tape, inputs)["f"], rel=1e-13)
    names = [i.name for i in tape.inputs]
    bars = interpret(reverse(tape, names), {**inputs, "f.bar": np.ones((2, 7))})
    gradient = jax.grad(lambda v: function(v)["f"].sum())(inputs)
    for name in names:
        assert gradient[name] == pytest.approx(bars[f"{name}.bar"], rel=1e-11, abs=1e-13), name


def test_jit_vmap_and_grad_together():
    es, leaves, definitions = reactions(8, 10)
    tape = build({"f": es}, leaves, definitions)
    rng = np.random.default_rng(0)
    y, p = rng.random((4, 8)), rng.random(10)
    batched = jax.jit(jax.vmap(jax.jacrev(lambda y, p: emit(tape)({"y": y, "p": p})["f"]), (0, None)))(y, p)
    jacobians = jax.vmap(jax.jacfwd(lambda y, p: emit(tape)({"y": y, "p": p})["f"]), (0, None))(y, p)
    assert batched == pytest.approx(np.asarray(jacobians), rel=1e-12, abs=1e-14)
    back = reverse(tape, ["y"])
    for k in range(4):
        row = interpret(back, {"y": y[k], "p": p, "f.bar": np.eye(8)[3]})["y.bar"]
        assert batched[k, 3] == pytest.approx(row, rel=1e-12, abs=1e-14)


def equations(jaxpr: jax.extend.core.Jaxpr) -> int:
    """Equations of a jaxpr with those inside its calls."""
    count, stack = 0, [jaxpr]
    while stack:
        for eqn in stack.pop().eqns:
            count += 1
            stack.extend(
                v.jaxpr if hasattr(v, "jaxpr") else v for v in eqn.params.values() if hasattr(v, "eqns") or hasattr(v, "jaxpr")
            )
    return count


def test_the_jaxpr_of_a_large_network_of_reactions_is_small():
    es, leaves, definitions = reactions(1000, 2000)
    tape = build({"f": es}, leaves, definitions)
    inputs = {"y": jnp.zeros(1000), "p": jnp.zeros(2000)}
    assert equations(jax.make_jaxpr(emit(tape))(inputs).jaxpr) < 150
    small_es, small_leaves, small_definitions = reactions(20, 25)
    small = build({"f": small_es}, small_leaves, small_definitions)
    few = {"y": jnp.zeros(20), "p": jnp.zeros(25)}
    assert equations(jax.make_jaxpr(emit(small))(few).jaxpr) < 120
    scalar = build({"f": small_es}, small_leaves, small_definitions, grouped=False)
    assert equations(jax.make_jaxpr(emit(scalar))(few).jaxpr) > 160


def test_the_dtype_follows_the_inputs():
    b = TapeBuilder()
    tape = b.finish({"f": b.add(b.make("exp", b.input("x", (2,))), b.const(0.1))})
    function = emit(tape)
    assert function({"x": np.ones(2, np.float32)})["f"].dtype == jnp.float32
    assert function({"x": np.ones(2, np.float64)})["f"].dtype == jnp.float64
    assert function({"x": [1, 2]})["f"].dtype == jnp.float64
    constant = TapeBuilder()
    nothing = emit(constant.finish({"f": constant.constant([1.0, 2.0])}))
    assert nothing({})["f"].dtype == jnp.float64
    with jax.enable_x64(False):
        assert nothing({})["f"].dtype == jnp.float32


def test_a_wrong_shape_is_named():
    b = TapeBuilder()
    function = emit(b.finish({"f": b.make("exp", b.input("x", (2,)))}))
    with pytest.raises(ValueError, match=r"input x has shape \(2,\), not \(3,\)"):
        function({"x": np.ones(3)})


def test_every_operation_has_points():
    assert all(math.isfinite(v) for op in REAL for point in points(op) for v in point)
    assert set(ATTRS) <= set(OPS)
