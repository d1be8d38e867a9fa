"""Differential-algebraic systems as a user writes them: published end values, courses against IDA, constraints and energy over
long times, derivatives through consistent starts."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hybridode as ho
from tests.problems.dae import dae_problems
from tests.problems.dae.residuals import WRITTEN
from tests.solve.dae_oracle import integrate, of_problem

TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)
MECHANICAL = ("caraxis", "pendulum", "slider_crank")  # no algebraic unknown is left: methods for plain equations do them too
METHODS = [*((name, "rodas5p") for name in dae_problems()), ("chemakzo", "rodas4"), ("pendulum", "rodas4"),
           ("slider_crank", "dop853"), ("caraxis", "auto"), ("rober_dae", "auto")]  # fmt: skip
EVERY = [
    *((name, method) for name in dae_problems() for method in ("rodas4", "auto")),
    *((name, "dop853") for name in MECHANICAL),
]
LONG = [pytest.param(*pair, marks=pytest.mark.slow) for pair in EVERY if pair not in METHODS]


@pytest.mark.parametrize(("name", "method"), [*METHODS, *LONG])
def test_end_values(name: str, method: str) -> None:
    """The error falls with the tolerance and is never far from it, algebraic unknowns included."""
    problem, model = dae_problems()[name], ho.parse(dae_problems()[name].text)
    floor, errors = 10 * problem.digits + 1e-11, []
    for rtol in TOLERANCES:
        sol = model.simulate(at=[problem.end], method=method, rtol=rtol, atol=rtol * problem.scale, max_steps=2_000_000)
        assert sol.successful
        errors.append(problem.error(problem.values(sol)[-1]))
        assert errors[-1] < problem.condition * rtol + floor, f"rtol {rtol:g} gives an error of {errors[-1]:.1e}"
    for coarse, fine in pairwise(errors):
        assert fine < coarse / 3 or fine < floor, f"errors at {TOLERANCES}: {errors}"


@pytest.mark.parametrize("name", ["transamp", "caraxis", "slider_crank", "diode_circuit"])
def test_courses_against_ida(name: str) -> None:
    """All unknowns at 20 times."""
    problem, written = dae_problems()[name], WRITTEN[name]
    ts = np.linspace(0, problem.end, 21)[1:] / (20 if name == "transamp" else 1)
    exact, _ = integrate(of_problem(name), np.zeros(0), ts, rtol=1e-8, atol=1e-8 * problem.scale)
    sol = ho.parse(problem.text).simulate(at=ts, rtol=1e-8, atol=1e-9 * problem.scale)
    found = np.stack([np.asarray(sol[n]) for n in written.names], 1)
    size = np.max(np.abs(exact), 0) + 1e-6
    np.testing.assert_allclose(found / size, exact / size, atol=problem.condition * 1e-8)


@pytest.mark.parametrize("rtol", [1e-3, 1e-8])
@pytest.mark.parametrize(("name", "end"), [("pendulum", 236.8), ("caraxis", 30), ("slider_crank", 10), ("diode_circuit", 0.3)])
def test_constraints_do_not_drift(name: str, end: float, rtol: float) -> None:
    """100 periods of the pendulum, ten of the others' shorter spans; between the steps too."""
    problem = dae_problems()[name]
    sol = ho.parse(problem.text).simulate(to=end, points=1001, rtol=rtol, atol=rtol * problem.scale, max_steps=1_000_000)
    assert sol.successful
    for constraint in problem.constraints:
        assert np.max(np.abs(sol[constraint])) < 1e-9, constraint


def test_the_pendulum_keeps_its_energy() -> None:
    sol = ho.parse(dae_problems()["pendulum"].text).simulate(to=236.8, points=1001, rtol=1e-10, atol=1e-10, max_steps=1_000_000)
    energy = np.asarray(sol["(x'^2 + y'^2)/2 + g*y"])
    assert np.max(np.abs(energy - energy[0])) < 1e-5


LEARNT = """model swing
const g = 9.81
param L = 1
param c = 0.1
state x = 1
state y = 0
alg force = 0
x'' = -force*x - c*x'
y'' = -force*y - c*y' - g
x^2 + y^2 = L^2
"""
TS = np.linspace(0.2, 2, 7)


def by_angle(length: float, drag: float) -> np.ndarray:
    """(times, [x, y, x', force]) of the same pendulum: the start (1, 0) moves out to (L, 0)."""

    def rates(_: float, u: np.ndarray) -> list[float]:
        return [u[1], -9.81 / length * np.sin(u[0]) - drag * u[1]]

    a, v = solve_ivp(rates, (0, TS[-1]), [np.pi / 2, 0], "DOP853", TS, rtol=1e-13, atol=1e-13).y
    force = v**2 + 9.81 / length * np.cos(a)
    return np.stack([length * np.sin(a), -length * np.cos(a), length * v * np.cos(a), force], 1)


@pytest.mark.parametrize("method", ["rodas5p", pytest.param("tsit5", marks=pytest.mark.slow)])
def test_gradient_through_consistent_starts(method: str) -> None:
    """The length moves the start, the dynamics and the force."""
    solver = ho.parse(LEARNT).solver(at=TS, method=method, rtol=1e-10, atol=1e-11)
    pull = np.random.default_rng(1).normal(size=(len(TS), 4))

    def loss(p):
        sol = solver({"L": p[0], "c": p[1]})
        value = jnp.stack([sol["x"], sol["y"], sol["x'"], sol["force"]], 1)
        return jnp.sum(pull * value), (value, sol.result)

    p = np.array([1.3, 0.2])
    (_, (value, result)), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(p)
    assert result == 0
    np.testing.assert_allclose(value, by_angle(*p), rtol=1e-7, atol=1e-7)
    for i, step in enumerate(1e-4 * np.eye(2)):
        slope = np.sum(pull * (by_angle(*(p + step)) - by_angle(*(p - step)))) / 2e-4
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_a_learnt_start_moves_the_others() -> None:
    """x(0) is a parameter; y, a plain value, and the velocity along the circle follow it."""
    text = LEARNT.replace("state x = 1", "state x\nx(0) = x0\nparam x0 = 0.6\nx'(0) = 0.3").replace(
        "state y = 0", "state y = -0.8"
    )
    for x0 in (0.6, 0.28):
        sol = ho.parse(text).simulate(at=[0.0, 1.0], set={"x0": x0}, rtol=1e-10, atol=1e-11)
        start = [float(np.asarray(sol[name])[0]) for name in ("x", "y", "x'", "y'")]
        y0 = -np.sqrt(1 - x0**2)
        assert start == pytest.approx([x0, y0, 0.3, -0.3 * x0 / y0], abs=1e-12)
