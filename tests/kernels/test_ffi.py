"""Batches through XLA's handlers and the primitives: shapes, shared operands, seeds; names, versions, results as codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hybridode.kernels.ffi.pack import pack
from hybridode.kernels.ffi.primitives import adjoint_p, solve_p, tangent_p
from hybridode.kernels.ffi.program import Program, api_version
from hybridode.kernels.llvm import loop, outcome
from hybridode.kernels.llvm.job import INFO, SLOTS
from hybridode.kernels.llvm.machine import host_lanes
from hybridode.kernels.llvm.module import module_of
from hybridode.kernels.llvm.parts import Inputs
from hybridode.kernels.llvm.straight import ELEMENTWISE
from hybridode.kernels.llvm.writer import Lanes
from hybridode.methods.explicit_tableaux import TSIT5
from hybridode.methods.ready import explicit_method
from hybridode.solve import results
from hybridode.tape.ops import OPS
from hybridode.tape.scalars import STRUCTURAL
from hybridode.tape.tape import TapeBuilder


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def rotation() -> Program:
    """x' = a y, y' = -a x + b: with b = 0 the solution turns by a t."""
    b = TapeBuilder()
    y, p = b.input("y", (2,)), b.input("p", (2,))
    rate = b.element(p, 0)
    rates = b.concat([b.mul(rate, b.element(y, 1)), b.add(b.neg(b.mul(rate, b.element(y, 0))), b.element(p, 1))])
    tape = b.finish({"rates": rates})
    return Program(lambda: explicit_method(TSIT5, tape, 2), tape, 2, 2)


@pytest.fixture(scope="module")
def program() -> Program:
    return rotation()


TS = np.array([0.0, 0.5, 1.5])


def solve(program: Program, p: Any, y0: Any = (1.0, 0.0), t0: Any = 0.0, ts: Any = TS, capacity: int = 0) -> list[Any]:
    options = program.options(1e-9, 1e-11, 1000)
    given = [jnp.asarray(x, float) for x in (p, (), (), y0, t0, ts, options)]
    return [*solve_p.bind(*given, program=program, capacity=capacity)[:4], given]


def ending(program: Program, *args: Any) -> list[Any]:
    """ys, info, result, t_end, y_end, accepted, rejected, pivoted"""
    *_, given = solve(program, *args)
    out = solve_p.bind(*given, program=program, capacity=0)
    return [np.asarray(x) for x in (*out[:2], *out[4:])]


def turned(a: Any, t: Any) -> np.ndarray:
    angle = np.multiply.outer(np.asarray(a), np.asarray(t))
    return np.stack([np.cos(angle), -np.sin(angle)], axis=-1)


def test_the_header_says_its_version() -> None:
    major, minor = api_version()
    assert major == 0 and minor >= 1


def test_names_hash_the_text(program: Program) -> None:
    one = module_of("solve", program.method, Lanes(1), Inputs(2), (0, 3))
    again = module_of("solve", rotation().method, Lanes(1), Inputs(2), (0, 3))
    other = module_of("solve", program.method, Lanes(1), Inputs(2), (0, 4))
    assert one == again and one.run != other.run and one.run in one.text and one.handler in one.text


def test_one(program: Program) -> None:
    ys, info, end, record, _ = solve(program, [2.0, 0.0])
    assert info[0] == 0 and info.shape == (len(INFO),) and record.shape == (0, 4)
    np.testing.assert_allclose(ys, turned(2.0, TS), atol=1e-8)
    np.testing.assert_allclose(end, [1.5, *turned(2.0, 1.5)], atol=1e-8)


@pytest.mark.parametrize("count", [1, host_lanes() - 1, host_lanes(), 3 * host_lanes() + 1, 100])
def test_batches_of_any_size(program: Program, count: int) -> None:
    a = np.linspace(0.5, 3.0, count)
    p = np.stack([a, 0 * a], axis=1)
    ys, info, _, _, _ = solve(program, p)
    assert ys.shape == (count, 3, 2) and not info[:, 0].any()
    np.testing.assert_allclose(ys, turned(a, TS), atol=1e-7)


def test_every_operand_may_be_shared_or_not(program: Program) -> None:
    """All combinations of batched operands, two axes of batches."""
    rng = np.random.default_rng(1)
    shape = (3, 5)
    p = np.stack([rng.uniform(0.5, 2, shape), np.zeros(shape)], axis=-1)
    y0, t0, ts = rng.normal(size=(*shape, 2)), rng.uniform(-1, 0, shape), np.sort(rng.uniform(0, 2, (*shape, 3)))
    for mask in range(1, 16):
        chosen = [x if mask >> k & 1 else x[0, 0] for k, x in enumerate((p, y0, t0, ts))]
        ys, info, _, _, _ = solve(program, *chosen)
        assert ys.shape == (*shape, 3, 2) and not info[..., 0].any()
        for at in ((0, 0), (2, 3)):
            one = [x[at] if mask >> k & 1 else x[0, 0] for k, x in enumerate((p, y0, t0, ts))]
            angle = one[0][0] * (one[3] - one[2])
            c, s, (x, y) = np.cos(angle), np.sin(angle), one[1]
            np.testing.assert_allclose(ys[at], np.stack([x * c + y * s, y * c - x * s], axis=-1), atol=1e-7)


@pytest.mark.parametrize("batch, seeds", [((), (4,)), ((3,), ()), ((9,), (2,)), ((2, 3), (3, 2))])
@pytest.mark.parametrize("capacity", [256, 0])
def test_adjoint_is_the_transpose_of_tangent(program: Program, batch: tuple, seeds: tuple, capacity: int) -> None:
    """<ys_bar, tangent(dots)> = <adjoint(ys_bar), dots> for every seed and trajectory, with and without a record."""
    rng = np.random.default_rng(2)
    p = jnp.asarray(rng.uniform(0.5, 2, (*batch, 2)))
    _, info, _, record, given = solve(program, p, capacity=capacity)
    assert not info[..., 0].any()
    front = (*seeds, *batch)
    p_dot, y0_dot, bar = (jnp.asarray(rng.normal(size=(*front, *s))) for s in ((2,), (2,), (3, 2)))
    (ys_dot,) = tangent_p.bind(
        *given, info, record, p_dot, jnp.zeros((*front, 0)), jnp.zeros((*front, 0)), y0_dot, program=program, summed=False
    )
    p_bar, _, _, y0_bar = adjoint_p.bind(*given, info, record, bar, program=program, summed=False)
    assert ys_dot.shape == (*front, 3, 2) and p_bar.shape == y0_bar.shape == (*front, 2)
    left, right = jnp.sum(bar * ys_dot, (-1, -2)), jnp.sum(p_bar * p_dot, -1) + jnp.sum(y0_bar * y0_dot, -1)
    np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-12)


def test_tangent_is_the_derivative(program: Program) -> None:
    _, info, _, record, given = solve(program, [2.0, 0.0], capacity=256)
    assert info[0] == 0
    (ys_dot,) = tangent_p.bind(
        *given, info, record, jnp.array([1.0, 0.0]), jnp.zeros(0), jnp.zeros(0), jnp.zeros(2), program=program, summed=False
    )
    exact = np.stack([-TS * np.sin(2 * TS), -TS * np.cos(2 * TS)], axis=-1)
    np.testing.assert_allclose(ys_dot, exact, atol=1e-7)


def test_what_goes_wrong_is_a_code(program: Program) -> None:
    ys, info, _, _, _ = solve(program, [[np.nan, 0.0], [1e200, 0.0], [1.0, 0.0], [np.inf, 0.0]])
    assert info[2, 0] == 0 and all(info[k, 0] != 0 for k in (0, 1, 3))
    assert np.isnan(ys[0, 1:]).all() and np.isnan(ys[1, 2]).all() and np.isfinite(ys[2]).all()
    np.testing.assert_array_equal(ys[:, 0], [[1, 0]] * 4)


def test_codes_are_those_of_results() -> None:
    assert (loop.DONE, loop.MAX_STEPS, loop.UNDERFLOW, loop.NON_FINITE) == (
        results.SUCCESS, results.MAX_STEPS, results.STEP_UNDERFLOW, results.NON_FINITE,
    )  # fmt: skip
    assert (outcome.BAD_START, outcome.BAD_TIMES) == (results.START, results.TIMES)


def test_what_was_asked_is_looked_at_by_trajectory(program: Program) -> None:
    """Starts that are not finite, times that fall, times before the start, beside solves that succeed."""
    y0 = np.array([[1.0, 0.0], [np.nan, 0.0], [0.0, np.inf], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    ts = np.array([TS, TS, TS, TS[::-1], TS - 0.1, TS])
    ys, info, result, t_end, y_end, *counts = ending(program, [2.0, 0.0], y0, 0.0, ts)
    np.testing.assert_array_equal(result, [0, *[results.START] * 2, *[results.TIMES] * 2, 0])
    np.testing.assert_array_equal(result, info[:, 0])
    np.testing.assert_array_equal(np.stack(counts, 1), info[:, 1:4])
    np.testing.assert_array_equal(t_end, [1.5, 0, 0, 0, 0, 1.5])
    np.testing.assert_allclose(y_end[[0, 5]], turned(2.0, [1.5, 1.5]), atol=1e-8)
    np.testing.assert_array_equal(y_end[1:5], y0[1:5])
    assert np.isnan(ys[3:5]).all() and np.isnan(ys[1:3, 1:]).any(-1).all()
    np.testing.assert_array_equal(ys[5], ys[0])
    np.testing.assert_array_equal(ys[1, 0], y0[1])


def test_the_end_moves_as_the_last_save_point(program: Program) -> None:
    def end(a: Any) -> Any:
        given = [jnp.asarray(x, float) for x in ((), (), (1.0, 0.0), 0.0, TS, program.options(1e-9, 1e-11, 1000))]
        return solve_p.bind(jnp.stack([a, 0.0]), *given, program=program, capacity=0)[6]

    np.testing.assert_allclose(jax.jacfwd(end)(2.0), [-1.5 * np.sin(3.0), -1.5 * np.cos(3.0)], atol=1e-7)
    np.testing.assert_allclose(jax.jacrev(end)(2.0), [-1.5 * np.sin(3.0), -1.5 * np.cos(3.0)], atol=1e-7)


def test_every_operation_has_native_code() -> None:
    """Engines are chosen without looking at a model's operations."""
    linear_systems = {"factor", "solve", "pivots"}  # of rolled steps alone: kernels/llvm/rolled
    assert set(OPS) - linear_systems <= set(ELEMENTWISE) | set(STRUCTURAL)


# ---- many numbers as one vector --------------------------------------------------------------------------------------------
def pieces() -> list[Any]:
    return [jnp.array(2.0), jnp.arange(3.0), jnp.zeros((0,)), jnp.arange(4.0).reshape(2, 2) - 1]


def test_pack_is_concatenation() -> None:
    np.testing.assert_array_equal(pack(pieces()), [2, 0, 1, 2, -1, 0, 1, 2])
    np.testing.assert_array_equal(jax.jit(pack)(pieces()), pack(pieces()))
    np.testing.assert_array_equal(pack([jnp.ones((2, 2))]), np.ones(4))


def test_pack_both_ways() -> None:
    """Derivatives in both modes, and the transpose of the transpose, against the same by concatenation."""
    weights = jnp.linspace(1.0, 2.0, 8)

    def joined(xs: Any) -> Any:
        return jnp.concatenate([x.reshape(-1) for x in xs])

    def loss(join: Any, xs: Any) -> Any:
        return jnp.sum(weights * join(xs) ** 3)

    for derive in (jax.grad, jax.jacfwd, lambda f: jax.jacfwd(jax.grad(f)), lambda f: jax.jacrev(jax.grad(f))):
        ours, theirs = (derive(lambda xs, join=join: loss(join, xs))(pieces()) for join in (pack, joined))
        jax.tree_util.tree_map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), ours, theirs)


def test_pack_in_batches() -> None:
    xs = [jnp.arange(5.0), jnp.ones((3, 5)), jnp.array(7.0)]
    axes = ([0, 1, None],)
    found = jax.vmap(lambda xs: pack(xs), axes)(xs)
    np.testing.assert_array_equal(found, [[k, 1, 1, 1, 7] for k in range(5)])
    slopes = jax.vmap(jax.grad(lambda xs: jnp.sum(pack(xs) ** 2)), axes)(xs)
    np.testing.assert_array_equal(slopes[0], 2 * np.arange(5.0))
    assert slopes[1].shape == (5, 3) and slopes[2].shape == (5,)


def test_an_empty_batch(program: Program) -> None:
    ys, info, _, _, _ = solve(program, np.zeros((0, 2)))
    assert ys.shape == (0, 3, 2) and info.shape == (0, len(INFO))


def test_slots_are_distinct() -> None:
    assert len(set(SLOTS)) == len(SLOTS)
