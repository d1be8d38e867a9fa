"""Consistent starts and restarts: exact values, derivatives of both modes against differences, failures in the user's terms."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.compile import compile_system
from hybridode.solve.consistent import at_the_start, solve_numbers, solve_traced
from tests.solve.dae_models import NONLINEAR, marked

CIRCLE = """model circle
time t
param a = 2
state x = 2
state y = 1
state u = 3
state v = 4
g = x^2 + y^2 - a^2
h = x*u + y*v
x' = u
y' = v
u' = -x
v' = -y
"""
SWITCHED = """model switched
time t
param h = 5
state x = 1
alg z = 1
x' = -z
z^3 + z = x
"""
PENDULUM = """model pendulum
time t
param l = 1
state x = 0.9
state y = -0.6
alg force = 0
x'' = force*x
y'' = force*y - 9.81
x^2 + y^2 = l^2
"""


@pytest.mark.parametrize(
    "system",
    [
        marked(NONLINEAR.replace("w = 1.5", "w = 5"), ["z", "w"]),
        marked(CIRCLE, invariants=["g", "h"]),
        marked(CIRCLE.replace("a = 2", "a = 3"), invariants=["g"], given=["x"]),
    ],
    ids=["unknowns", "soft", "some given"],
)
def test_derivatives(system: Any) -> None:
    """By parameters and by the values that are given, as those of differences; NumPy and JAX find the same."""
    model = compile_system(system)
    conditions, args = at_the_start(model), model.arguments()
    assert conditions is not None
    given = model.numbers("start", 0.0, np.zeros(0), args)
    plain = solve_numbers(conditions, args, 0.0, given)
    assert plain.ok
    with jax.enable_x64(True):

        @jax.jit
        def found(p: Any, y: Any) -> Any:
            return solve_traced(model, conditions, eqx.tree_at(lambda a: a.parameters, args, p), 0.0, y)

        y, ok = found(args.parameters, given)
        assert ok
        np.testing.assert_allclose(y, plain.y, rtol=1e-12)
        np.testing.assert_allclose(conditions.values(0.0, np.asarray(y), args), 0, atol=1e-13)
        for k, at in enumerate((args.parameters, given)):
            point = [args.parameters, given]

            def moved(x: Any, k: int = k, point: Any = point) -> Any:
                return found(*point[:k], x, *point[k + 1 :])[0]

            expected = np.stack([(moved(at + e) - moved(at - e)) / 2e-6 for e in np.eye(len(at)) * 1e-6], -1)
            np.testing.assert_allclose(jax.jacfwd(moved)(at), expected, atol=1e-8)
            np.testing.assert_allclose(jax.jacrev(moved)(at), expected, atol=1e-8)
        many = jax.vmap(found, (0, None))(args.parameters * np.array([[1.0], [1.3]]), given)
        assert many[1].all()


def test_given_values_stay() -> None:
    model = compile_system(marked(CIRCLE, invariants=["g"], given=["x"]))
    conditions, args = at_the_start(model), model.arguments()
    assert conditions is not None
    y = solve_numbers(conditions, eqx.tree_at(lambda a: a.parameters, args, np.array([3.0])), 0.0, np.array([2.0, 1, 3, 4])).y
    np.testing.assert_allclose(y, [2, np.sqrt(5), 3, 4])


def test_no_consistent_start_names_the_equation() -> None:
    with pytest.raises(ho.NumericsError) as caught:
        ho.parse("model m\ntime t\nstate x = -1\nalg z = 1\nx' = -z\nz^2 = x\n").simulate(to=1, points=3)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("E0709", 6)


def test_a_conflict_names_both_lines() -> None:
    with pytest.raises(ho.NumericsError) as caught:
        ho.parse(PENDULUM).simulate(to=1, points=3)
    (found,) = caught.value.diagnostics
    assert (found.code, found.span and found.span.line) == ("E0710", 4)
    assert "line 9" in found.message


def test_other_parameters_move_given_values() -> None:
    sol = ho.parse(PENDULUM.replace("0.9", "0.8")).simulate(to=1, points=3, set={"l": 1.1})
    assert sol.successful
    np.testing.assert_allclose(sol["x^2 + y^2"], 1.21, rtol=1e-12)


def test_what_is_told_of_starts() -> None:
    sol = ho.parse(PENDULUM.replace("state x = 0.9", "state x = 0.8")).simulate(to=1, points=3)
    assert sol.starts == {"x": "given", "x'": "computed", "y": "given", "y'": "computed", "force": "computed"}


def test_a_fold_names_the_unknown() -> None:
    """z = sqrt(1 - t) ends at t = 1."""
    with pytest.raises(ho.NumericsError) as caught:
        ho.parse("model m\ntime t\nstate x = 1\nalg z = 1\nx' = -1\nz^2 = x\n").simulate(to=2, points=3)
    (found,) = caught.value.diagnostics
    assert "`z`" in found.message
    assert found.span is not None and found.span.line == 6


def solver_of(text: str, name: str, **options: Any) -> Any:
    """The end of a state as a function of the parameter."""
    solve = ho.parse(text).solver(at=np.linspace(0, 2, 5), rtol=1e-9, atol=1e-11, **options)

    def end(value: Any) -> Any:
        sol = solve({name: value})
        return sol["x"][-1], sol["z"][-1], sol.result

    return end


@pytest.mark.parametrize("event", ["at 1 { x := h }", "event low when z < 0.4 { x := h }"])
def test_unknowns_follow_a_jump(event: str) -> None:
    """(3 z^2 + 1) z' = x' = -z, so 3/2 z^2 + log z + t is constant between jumps; derivatives as differences."""
    with jax.enable_x64(True):
        end = solver_of(SWITCHED + event + "\n", "h")
        x, z, result = end(5.0)
        assert result == 0
        first = float(np.real(np.roots([1, 0, 1, -1])[np.isreal(np.roots([1, 0, 1, -1]))][0]))
        jump = 1.0 if event.startswith("at") else 1.5 * first**2 + np.log(first) - 1.5 * 0.16 - np.log(0.4)
        after = float(np.real(np.roots([1, 0, 1, -5])[np.isreal(np.roots([1, 0, 1, -5]))][0]))
        np.testing.assert_allclose(1.5 * z**2 + np.log(z), 1.5 * after**2 + np.log(after) - (2 - jump), rtol=1e-7)
        np.testing.assert_allclose(z**3 + z, x, rtol=1e-9)
        for k in (0, 1):
            slope = (end(5.0 + 1e-4)[k] - end(5.0 - 1e-4)[k]) / 2e-4
            np.testing.assert_allclose(jax.grad(lambda h, k=k: end(h)[k])(5.0), slope, rtol=1e-5)
            np.testing.assert_allclose(jax.jacfwd(lambda h, k=k: end(h)[k])(5.0), slope, rtol=1e-5)


def test_unknowns_follow_an_input_that_jumps() -> None:
    """z^3 + z = I: 2 before t = 1 (z = 1), 10 behind it (z = 2); x' = z."""
    text = "model m\ntime t\ninput I from data.I, interp=previous\nstate x = 0\nalg z = 1\nx' = z\nz^3 + z = I + 0*x\n"
    data = pd.DataFrame({"t": [0.0, 1.0], "I": [2.0, 10.0]})
    model = ho.parse(text)
    sol = model.simulate(at=[0.0, 0.5, 1.0, 1.5, 2.0], data=data)
    np.testing.assert_allclose(sol["z"], [1, 1, 2, 2, 2], rtol=1e-9)
    np.testing.assert_allclose(sol["x"], [0, 0.5, 1, 2, 3], rtol=1e-7, atol=1e-9)
