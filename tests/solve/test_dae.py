"""Algebraic unknowns and invariants in the native engine: orders, published values, exact derivatives, pivots, lanes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import pytest

import hybridode as ho
from hybridode.compile import compile_system
from hybridode.solve import native, results
from hybridode.solve.problem import Compiled
from hybridode.solve.settings import Settings
from tests.solve.dae_models import NONLINEAR, PENDULUM, ROBER_DAE, marked

PROBLEMS = Path(__file__).parents[1] / "problems" / "dae"
REFERENCE = tomllib.loads((PROBLEMS / "reference.toml").read_text(encoding="utf-8"))
# x = z = exp(-a t)
DECAY = "model decay\ntime t\nparam a = 1\nstate x = 1\nstate z = 1\nx' = -a*z\nz' = z^2 - x^2\n"
# The diagonal of the unknowns' block is e: 0, so rows have to be exchanged. z1 = y, z2 = x: x = cos t, y = sin t for k = 1.
CROSSED = """model crossed
time t
param e = 0
param k = 1
state x = 1
state y = 0
state z1 = 0
state z2 = 1
x' = -k*z1
y' = k*z2
z1' = e*z1 + z2 - x
z2' = z1 + e*z2 - y
"""
TS = np.linspace(0.0, 4.0, 9)
MODELS = {
    "decay": lambda: compile_system(marked(DECAY, ["z"])),
    "nonlinear": lambda: compile_system(marked(NONLINEAR, ["z", "w"])),
    "pendulum": lambda: compile_system(marked(PENDULUM, invariants=["position", "velocity"])),
    "crossed": lambda: compile_system(marked(CROSSED, ["z1", "z2"])),
}


def raw_of(model: Compiled, settings: Settings, ts: Any = TS) -> tuple[Any, Callable[[Any], Any]]:
    """(parameters, function from parameters to Raw)"""
    args = model.arguments()

    def raw(p: Any) -> Any:
        return native.integrate(model, eqx.tree_at(lambda a: a.parameters, args, p), 0.0, ts, settings.method, settings)

    return args.parameters, raw


def differences(f: Callable[[Any], Any], p: Any, step: float = 1e-6) -> np.ndarray:
    return np.stack([(np.asarray(f(p + e)) - np.asarray(f(p - e))) / (2 * step) for e in np.eye(len(p)) * step], -1)


@pytest.fixture
def fixed_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Steps of one length, whatever their error: what is computed is then a smooth function of the parameters."""

    def choose(h: float) -> None:
        monkeypatch.setattr(native, "options_of", lambda program, settings: program.options(1e8, 1e8, 100_000, h, h))

    yield choose


@pytest.mark.parametrize(("method", "order"), [("rodas4", 4), ("rodas5p", 5)])
def test_order(method: str, order: int, fixed_steps: Callable[[float], None]) -> None:
    """Of both kinds of unknowns, at the end of a step; the dense output between is settled for the algebraic one."""
    model, errors = MODELS["decay"](), []
    for h in (0.2, 0.1):
        fixed_steps(h)
        ts = np.array([0.0, 1.03, 2.0])
        raw = native.solve_numbers(model, model.arguments(), 0.0, ts, method, Settings(method=method))
        assert raw.result == results.SUCCESS
        errors.append(np.abs(raw.ys[-1] - np.exp(-2.0)))
        np.testing.assert_allclose(raw.ys[1, 0], raw.ys[1, 1], rtol=1e-13)
    assert np.all(np.log2(errors[0] / errors[1]) > order - 0.6)


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_published_problems(name: str) -> None:
    r = REFERENCE[name]
    model = ho.load(PROBLEMS / f"{name}.ode")
    rough = model.simulate(to=r["end"], points=20, rtol=1e-4, atol=1e-4 * r["scale"])
    for constraint in r["constraints"]:
        assert np.abs(rough[constraint]).max() < 1e-9
    sol = model.simulate(to=r["end"], points=20, rtol=1e-7, atol=1e-7 * r["scale"])
    assert sol.stats["engine"] == "native"
    for quantity, value in r["values"].items():
        assert abs(sol[quantity][-1] - value) <= 1e-7 * r["condition"] * 10 * (abs(value) + r["floor"]), quantity


def test_rober_to_the_end_of_time() -> None:
    """The sum of the concentrations as an algebraic equation holds to rounding."""
    model, settings = compile_system(marked(ROBER_DAE, ["c"])), Settings(rtol=1e-7, atol=1e-12)
    raw = native.solve_numbers(model, model.arguments(), 0.0, np.logspace(-5, 11, 17), "rodas5p", settings)
    assert raw.result == results.SUCCESS
    assert np.abs(raw.ys.sum(axis=1) - 1).max() < 1e-12
    np.testing.assert_allclose(raw.ys[-1], [2.083340149701255e-08, 8.333360770334713e-14, 0.9999999791665050], rtol=1e-5)


def test_pendulum_over_a_hundred_periods() -> None:
    """Against the angle form; the constraints hold; the derivative by gravity is that of differences."""
    angle = ho.parse("model angle\ntime t\nparam g = 9.81\nstate a = 1\nstate v = 0\na' = v\nv' = -g*sin(a)\n")
    ts = np.linspace(0, 214.0, 60)
    exact = angle.simulate(at=ts.tolist(), rtol=1e-11, atol=1e-12)
    model = MODELS["pendulum"]()
    with jax.enable_x64(True):
        p, raw = raw_of(model, Settings(method="dop853", rtol=1e-9, atol=1e-11, max_steps=10**6), ts)
        found = jax.jit(raw)(p)
        assert found.result == results.SUCCESS
        x, y, u, v = np.asarray(found.ys).T
        assert max(np.abs(x**2 + y**2 - 1).max(), np.abs(x * u + y * v).max()) < 1e-9
        np.testing.assert_allclose(x, np.sin(exact["a"]), atol=2e-5)
        end = jax.jit(lambda q: raw(q).ys[-1])
        np.testing.assert_allclose(jax.jacrev(end)(p), differences(end, p, 1e-5), rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("nonlinear", "rodas4"),
        ("pendulum", "tsit5"),
        ("crossed", "rodas4"),
        pytest.param("nonlinear", "rodas5p", marks=pytest.mark.slow),
        pytest.param("pendulum", "dop853", marks=pytest.mark.slow),
        pytest.param("pendulum", "rodas4", marks=pytest.mark.slow),
    ],
)
def test_derivatives_are_exact(name: str, method: str, fixed_steps: Callable[[float], None]) -> None:
    """Both ways, for one trajectory and in lanes, between steps too; with exchanged pivots where the model needs them."""
    fixed_steps(0.11)
    model = MODELS[name]()
    with jax.enable_x64(True):
        p, raw = raw_of(model, Settings(method=method))
        found = raw(p)
        assert found.result == results.SUCCESS
        assert (found.stats["pivoted"] > 0) == (name == "crossed")
        values = jax.jit(lambda q: raw(q).ys)
        reverse, forward = jax.jacrev(values)(p), jax.jacfwd(values)(p)
        np.testing.assert_allclose(reverse, forward, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(forward, differences(values, p), rtol=1e-5, atol=1e-6)
        points = p * np.array([[1.0], [1.1], [0.9]])
        lanes = jax.jit(jax.vmap(raw))(points)
        assert not lanes.result.any()
        np.testing.assert_allclose(lanes.ys[0], found.ys, rtol=1e-9, atol=1e-11)
        batched = jax.jit(jax.vmap(jax.jacrev(lambda q: raw(q).ys)))(points)
        np.testing.assert_allclose(batched[0], reverse, rtol=1e-8, atol=1e-8)
        if name == "crossed":
            np.testing.assert_allclose(found.ys[:, :2], np.stack([np.cos(TS), np.sin(TS)], 1), atol=1e-4)


def test_times_move_unknowns_too() -> None:
    """The derivative by an observation's time, of an algebraic unknown by the implicit function theorem."""
    model = MODELS["decay"]()
    with jax.enable_x64(True):
        args = model.arguments()
        settings = Settings(method="rodas5p", rtol=1e-9, atol=1e-11)

        def at(t: Any) -> Any:
            return native.integrate(model, args, 0.0, t, "rodas5p", settings).ys

        moved = jax.jacfwd(at)(np.array([0.5, 1.5]))
        np.testing.assert_allclose([moved[0, :, 0], moved[1, :, 1]], -np.exp([[-0.5], [-1.5]]) * [[1, 1]], rtol=1e-6)


def test_methods_and_engines() -> None:
    text = "model m\ntime t\nstate x = 1\nalg z = 1\nx' = -z\nz^3 + z = x\n"
    model = ho.parse(text)
    sol = model.simulate(to=1, points=3)
    assert sol.stats["method"] == "Rodas4"
    assert "algebraic unknowns" in sol.stats["reason"]
    assert model.simulate(to=1, points=3, rtol=1e-8).stats["method"] == "Rodas5P"
    for method, engine in (("tsit5", "auto"), ("rosenbrock23", "auto"), ("kvaerno5", "auto"), ("auto", "diffrax")):
        with pytest.raises(ho.UsageError) as caught:
            model.simulate(to=1, points=3, method=method, engine=engine)
        assert caught.value.diagnostics[0].code == "E0840"
