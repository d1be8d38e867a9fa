"""Large systems on the native engine: thousands of equations written line by line, against exact solutions and SciPy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.sparse import csc_matrix

import hybridode as ho
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.kernels.llvm.cost_order import BUCKETS
from hybridode.methods.choice import ROLLED_FROM
from hybridode.methods.rosenbrock_tableaux import ROSENBROCK
from hybridode.solve import native, results
from hybridode.solve.settings import Settings
from tests.solve.large_models import brusselator, heat, heat_solution, lorenz96, ring, star


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def solver(text: str, ts: Any, method: str, rtol: float = 1e-8, atol: float = 1e-8) -> tuple[ho.Model, Any]:
    model = ho.parse(text)
    return model, model.solver(at=ts, rtol=rtol, atol=atol, engine="native", method=method)


def states(sol: Any) -> np.ndarray:
    """(times, states)"""
    return np.asarray(sol.states)


def reference(model: ho.Model, ts: np.ndarray, method: str = "BDF") -> np.ndarray:
    """SciPy with the sparse Jacobian."""
    compiled = model.compiled()
    args = compiled.default_arguments(None, None, np.float64)
    places, n = compiled.jacobian_places, compiled.size

    def jacobian(t: float, y: np.ndarray) -> Any:
        return csc_matrix((compiled.numbers("jacobian", t, y, args), places), (n, n))

    options = {"jac": jacobian} if method in ("BDF", "Radau") else {}
    start = compiled.numbers("start", 0.0, np.zeros(0), args)
    rates = lambda t, y: compiled.numbers("rates", t, y, args)  # noqa: E731
    found = solve_ivp(rates, (0.0, ts[-1]), start, method, ts, rtol=1e-9, atol=1e-9, **options)
    assert found.success
    return found.y.T


# ---- values ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["tsit5", "bosh3", "dop853", "rosenbrock23", "rodas4", "rodas5p"])
def test_a_chain_of_a_thousand_against_its_exact_solution(method: str) -> None:
    ts = np.linspace(0.0, 2.0, 5)
    model, solve = solver(heat(1000), ts, method, 1e-6, 1e-7)
    sol = solve(model.parameters())
    assert int(sol.result) == 0 and sol.stats["engine"] == "native"
    np.testing.assert_allclose(states(sol), heat_solution(1000, 3.0, ts), atol=2e-4 if method == "rosenbrock23" else 3e-5)


def test_ten_thousand_equations() -> None:
    """The same code as for a thousand, over longer tables."""
    ts = np.array([0.0, 1.0])
    model, solve = solver(heat(10_000), ts, "rodas4", 1e-5, 1e-6)
    sol = solve(model.parameters())
    assert int(sol.result) == 0
    middle = heat_solution(10_000, 3.0, ts, slice(4000, 4100))
    np.testing.assert_allclose(states(sol)[:, 4000:4100], middle, atol=1e-4)


@pytest.mark.parametrize("method", ["rodas4", "rodas5p"])
def test_a_reaction_on_a_grid_against_scipy(method: str) -> None:
    ts = np.linspace(0.0, 2.0, 5)
    model, solve = solver(brusselator(12), ts, method, 1e-7, 1e-7)
    sol = solve(model.parameters())
    assert int(sol.result) == 0
    np.testing.assert_allclose(states(sol), reference(model, ts), rtol=2e-5, atol=2e-6)


def test_a_chaotic_ring_against_scipy() -> None:
    """Lorenz-96 with 400 states, before its chaos."""
    ts = np.linspace(0.0, 2.0, 5)
    for method in ("tsit5", "rodas5p"):
        model, solve = solver(lorenz96(400), ts, method, 1e-9, 1e-9)
        sol = solve(model.parameters())
        assert int(sol.result) == 0
        np.testing.assert_allclose(states(sol), reference(model, ts, "DOP853"), rtol=1e-4, atol=1e-4)


def test_a_stiff_ring_with_time_in_it() -> None:
    ts = np.linspace(0.0, 3.0, 4)
    model, solve = solver(ring(150), ts, "rodas5p", 1e-8, 1e-9)
    sol = solve(model.parameters())
    assert int(sol.result) == 0
    np.testing.assert_allclose(states(sol), reference(model, ts, "Radau"), rtol=1e-5, atol=1e-6)


def test_one_state_that_meets_all() -> None:
    """A star has a full row and column, but little fill in the right order."""
    ts = np.linspace(0.0, 1.0, 3)
    model, solve = solver(star(300), ts, "rodas4", 1e-8, 1e-9)
    sol = solve(model.parameters())
    assert int(sol.result) == 0
    np.testing.assert_allclose(states(sol), reference(model, ts), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name, method", [("heat", "tsit5"), ("heat", "rodas4"), ("grid", "rodas4"), ("ring", "rodas5p")])
def test_a_batch_is_its_single_solves(name: str, method: str) -> None:
    text = {"heat": heat(150), "grid": brusselator(8), "ring": ring(120)}[name]
    ts = np.linspace(0.0, 1.0, 4)
    model, solve = solver(text, ts, method)
    factors = 1.0 + 0.03 * np.arange(11)
    params = model.parameters()
    many = jax.vmap(lambda f: solve({k: v * f for k, v in params.items()}).states)(jnp.asarray(factors))
    for k in (0, 4, 10):
        one = solve({key: v * factors[k] for key, v in params.items()})
        assert int(one.result) == 0
        np.testing.assert_allclose(many[k], states(one), rtol=1e-7, atol=1e-9)


# ---- derivatives ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name, method",
    [("heat", "tsit5"), ("heat", "rodas4"), ("lorenz", "dop853"), ("grid", "rodas5p"), ("ring", "rodas4"), ("star", "rodas4")],
)
def test_gradients_against_differences(name: str, method: str) -> None:
    """Reverse and forward mode, single and in lanes, by parameters and by a start."""
    texts = {"heat": heat(130), "lorenz": lorenz96(120), "grid": brusselator(8), "ring": ring(110), "star": star(120)}
    model, solve = solver(texts[name], np.linspace(0.0, 0.5, 4), method, 1e-9, 1e-9)
    params = {k: jnp.asarray(v) for k, v in model.parameters().items()}
    assert int(solve(params).result) == 0

    def loss(p: dict[str, Any]) -> Any:
        ys = solve(p).states
        return jnp.sum(jnp.cos(jnp.arange(ys.size)).reshape(ys.shape) * ys**2)

    reverse, forward = jax.grad(loss)(params), jax.jacfwd(loss)(params)
    lanes = jax.vmap(jax.grad(loss))({k: v * jnp.ones(3) for k, v in params.items()})
    for key, value in params.items():
        h = 1e-5 * max(1.0, abs(float(value)))
        ahead, behind = (float(loss({**params, key: value + s * h})) for s in (1, -1))
        scale = max(1.0, abs(float(reverse[key])))
        assert abs(float(reverse[key]) - (ahead - behind) / (2 * h)) < 2e-4 * scale, key
        assert float(forward[key]) == pytest.approx(float(reverse[key]), rel=1e-8, abs=1e-9)
        np.testing.assert_allclose(lanes[key], float(reverse[key]) * np.ones(3), rtol=1e-7, atol=1e-9)


def test_a_start_of_a_thousand_by_the_exact_propagator() -> None:
    """The gradient by all starts of a linear chain is the transposed propagator."""
    n, ts = 400, np.array([0.0, 0.7])
    model, solve = solver(heat(n), ts, "rodas4", 1e-8, 1e-9)
    params = model.parameters()
    start = states(solve(params))[0]
    bar = np.cos(np.arange(n))
    found = jax.grad(lambda y0: jnp.sum(jnp.asarray(bar) * solve(params, start=y0).states[-1]))(jnp.asarray(start))
    exact = heat_solution(n, 3.0, ts, start=bar)[-1]  # the propagator is symmetric
    np.testing.assert_allclose(found, exact, atol=1e-6)


# ---- what runs ------------------------------------------------------------------------------------------------------
def test_code_does_not_grow_with_the_states() -> None:
    sizes = {}
    for n in (200, 2000):
        compiled = ho.parse(heat(n)).compiled()
        for method in ("tsit5", "rodas4"):
            program = native.program_of(compiled, method)
            step = program.method
            assert step.rolled
            counts = step.step.count(), step.backward.count(), step.tangent.count()
            sizes[n, method] = (*counts, *(program.module(kind, 1)[0].text.count("\n") for kind in ("solve", "adjoint")))
    for method in ("tsit5", "rodas4"):
        small, large = sizes[200, method], sizes[2000, method]
        assert small[:3] == large[:3] and max(large[:3]) < 2000
        assert all(abs(a - b) < 0.05 * a for a, b in zip(small[3:], large[3:], strict=True))


def test_memory_is_not_on_the_stack() -> None:
    """Whatever the size, a function's own memory is a few numbers: a job, the threads, the tally of a counting sort."""
    program = native.program_of(ho.parse(heat(3000)).compiled(), "rodas4")
    for kind in ("solve", "tangent", "adjoint"):
        text = program.module(kind, 8)[0].text
        found = re.findall(r"= alloca (?:i64|<(\d+) x i64>)(?:, i64 (\d+))?, align", text)
        counts = [int(lanes or 1) * int(n or 1) for lanes, n in found]
        assert len(counts) == text.count("alloca") and sum(counts) < 200 + BUCKETS


def test_without_memory_a_solve_fails_with_a_code() -> None:
    compiled = ho.parse(heat(ROLLED_FROM)).compiled()
    program = replace(native.program_of(compiled, "tsit5"), identity="", modules={})
    module = program.module("solve", 1)[0]
    poor = module.text.replace("call ptr @malloc(", "call ptr @nothing(").replace(module.run, f"{module.run}_poor")
    poor += "\ndefine internal ptr @nothing(i64 %size) {\n  ret ptr null\n}\n"
    program.modules["solve", 1, False] = replace(module, text=poor, run=f"{module.run}_poor")
    args = compiled.default_arguments(None, None, np.float64)
    start = compiled.numbers("start", 0.0, np.zeros(0), args)
    ts = np.array([0.0, 1.0])
    ys, info, end = run_solve(program, args.parameters, np.zeros(0), start, np.asarray(0.0), ts, program.options(1e-6, 1e-6, 100))
    assert info[0, 0] == results.OTHER and not info[0, 1:].any() and np.isnan(ys).all() and np.isnan(end).all()


def test_small_systems_stay_straight_line_code() -> None:
    compiled = ho.parse(heat(20)).compiled()
    assert not native.program_of(compiled, "rodas4").method.rolled
    assert native.program_of(ho.parse(heat(ROLLED_FROM)).compiled(), "rodas4").method.rolled


def test_a_long_step_is_rolled() -> None:
    """72 states whose elimination in straight-line code would take 30,000 instructions."""
    assert native.program_of(ho.parse(brusselator(6)).compiled(), "rodas4").method.rolled


def test_what_fills_up_is_left_to_the_other_engine() -> None:
    compiled = ho.parse(star(ROLLED_FROM)).compiled()
    assert native.cannot_run(compiled, Settings()) is None
    compiled.jitted["native", "linear system"] = None  # as if its elimination were hopeless
    assert "fills up" in str(native.cannot_run(compiled, Settings(method="rodas4")))
    assert native.cannot_run(compiled, Settings(method="tsit5")) is None


def test_a_pivot_that_vanishes_rejects_the_step() -> None:
    """Growth at the rate 1 and a first step of 1/gamma: 1/(h gamma) - J is zero. The step is taken again, shorter."""
    n = 120
    lines = ["model grows", "time t", "param a = 1", *(f"state x{i} = {1 + i % 3}" for i in range(n))]
    lines += [f"x{i}' = a*x{i} + 0*x{(i + 1) % n}" for i in range(n)]
    compiled = ho.parse("\n".join(lines) + "\n").compiled()
    program = native.program_of(compiled, "rodas4")
    assert program.method.rolled
    first = 1.0 / ROSENBROCK["rodas4"].gamma
    args = compiled.default_arguments(None, None, np.float64)
    start = compiled.numbers("start", 0.0, np.zeros(0), args)
    options = program.options(1e-2, 1e-2, 1000, first=first)
    ys, info, _ = run_solve(program, args.parameters, np.zeros(0), start, np.asarray(0.0), np.array([8.0]), options)
    status, _, rejected, wrong = info[0, :4].tolist()
    assert status == results.SUCCESS and wrong >= 1 and rejected >= wrong
    np.testing.assert_allclose(ys[0, 0], start * np.exp(8.0), rtol=0.05)
