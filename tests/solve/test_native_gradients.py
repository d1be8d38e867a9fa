"""Derivatives of native solves in every composition of JAX, against the Diffrax engine and against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.errors import UsageError
from hybridode.solve import diffrax, native, results
from hybridode.solve.settings import Settings
from tests.solve.native_models import BLOW_UP, DECAY, FORCED, ROBER, compiled

TS = np.linspace(0, 6, 5)
SETTINGS = Settings(rtol=1e-9, atol=1e-11)
METHODS = ("tsit5", "rodas5p", "dop853")


class Case:
    """One model's solve as functions of parameters p, start y0, start time t0 and times ts."""

    def __init__(self, text: str, settings: Settings = SETTINGS) -> None:
        self.model = compiled(text)
        self.args = self.model.arguments()
        self.settings = settings
        with jax.enable_x64(True):
            self.p = jnp.asarray(self.args.parameters)

    def raw(self, p: Any, method: str, t0: Any = 0.0, ts: Any = TS, y0: Any = None) -> Any:
        args = eqx.tree_at(lambda a: a.parameters, self.args, p)
        return native.integrate(self.model, args, t0, ts, method, self.settings, y0=y0)

    def solve(self, p: Any, method: str, **more: Any) -> Any:
        return self.raw(p, method, **more).ys

    def reference(self, p: Any, gradient: str = "reverse", t0: Any = 0.0, ts: Any = TS, y0: Any = None) -> Any:
        args = eqx.tree_at(lambda a: a.parameters, self.args, p)
        return diffrax.integrate(self.model, args, t0, ts, "dopri8", self.settings, gradient, y0)


class Expected:
    """What Diffrax computes, once for all tests."""

    def __init__(self, case: Case) -> None:
        raw = case.reference(case.p)
        assert raw.result == results.SUCCESS
        self.w = jnp.asarray(np.random.default_rng(0).standard_normal(raw.ys.shape))
        self.points = case.p * jnp.asarray([1.0, 0.9, 1.15])[:, None]
        self.values = jnp.stack([case.reference(p).ys for p in self.points])
        forward = jax.jit(jax.jacfwd(lambda p: case.reference(p, "forward").ys))
        self.jacobians = jnp.stack([forward(p) for p in self.points])
        self.gradients = jnp.einsum("ti,btip->bp", self.w, self.jacobians)


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(FORCED)


@pytest.fixture(scope="module")
def expected(case: Case) -> Expected:
    with jax.enable_x64(True):
        return Expected(case)


Check = Callable[[Callable[[Any], Any], Callable[[Any], Any], Expected], tuple[Any, Any]]
# f: p -> states (T, n); loss: p -> scalar; e: what must come out at e.points
COMPOSITIONS: dict[str, Check] = {
    "value": lambda f, loss, e: (f(e.points[0]), e.values[0]),
    "jit": lambda f, loss, e: (jax.jit(f)(e.points[0]), e.values[0]),
    "grad": lambda f, loss, e: (jax.grad(loss)(e.points[0]), e.gradients[0]),
    "jit grad": lambda f, loss, e: (jax.jit(jax.grad(loss))(e.points[0]), e.gradients[0]),
    "grad jit": lambda f, loss, e: (jax.grad(jax.jit(loss))(e.points[0]), e.gradients[0]),
    "jvp": lambda f, loss, e: (jax.jvp(f, (e.points[0],), (jnp.ones(4),))[1], e.jacobians[0].sum(-1)),
    "vjp": lambda f, loss, e: (jax.vjp(f, e.points[0])[1](e.w)[0], e.gradients[0]),
    "linearize": lambda f, loss, e: (jax.linearize(f, e.points[0])[1](jnp.ones(4)), e.jacobians[0].sum(-1)),
    "jacfwd": lambda f, loss, e: (jax.jacfwd(f)(e.points[0]), e.jacobians[0]),
    "jacrev": lambda f, loss, e: (jax.jit(jax.jacrev(f))(e.points[0]), e.jacobians[0]),
    "vmap": lambda f, loss, e: (jax.vmap(f)(e.points), e.values),
    "vmap out 1": lambda f, loss, e: (jax.vmap(f, in_axes=1, out_axes=1)(e.points.T), jnp.moveaxis(e.values, 0, 1)),
    "vmap grad": lambda f, loss, e: (jax.vmap(jax.grad(loss))(e.points), e.gradients),
    "vmap jacfwd": lambda f, loss, e: (jax.vmap(jax.jacfwd(f))(e.points), e.jacobians),
    "vmap jacrev": lambda f, loss, e: (jax.jit(jax.vmap(jax.jacrev(f)))(e.points), e.jacobians),
    "grad of vmap": lambda f, loss, e: (jax.grad(lambda q: jnp.sum(e.w * jax.vmap(f)(q)))(e.points), e.gradients),
    "jacfwd of vmap": lambda f, loss, e: (jnp.einsum("btibp->btip", jax.jacfwd(jax.vmap(f))(e.points)), e.jacobians),
    "jacrev of vmap": lambda f, loss, e: (jnp.einsum("btibp->btip", jax.jacrev(jax.vmap(f))(e.points)), e.jacobians),
    "vmap vmap grad": lambda f, loss, e: (
        jax.jit(jax.vmap(jax.vmap(jax.grad(loss))))(jnp.stack([e.points, e.points[::-1]])),
        jnp.stack([e.gradients, e.gradients[::-1]]),
    ),
    "scan": lambda f, loss, e: (jax.lax.scan(lambda c, q: (c, f(q)), 0.0, e.points)[1], e.values),
    "grad of scan": lambda f, loss, e: (
        jax.grad(lambda q: jax.lax.scan(lambda c, x: (c + loss(x), 0.0), 0.0, q)[0])(e.points),
        e.gradients,
    ),
    "vmap of scan of grad": lambda f, loss, e: (
        jax.vmap(lambda q: jax.lax.scan(lambda c, x: (c, jax.grad(loss)(x)), 0.0, q)[1])(e.points[None])[0],
        e.gradients,
    ),
    "checkpoint": lambda f, loss, e: (jax.grad(jax.checkpoint(loss))(e.points[0]), e.gradients[0]),
    "cond": lambda f, loss, e: (
        jax.jit(jax.vmap(jax.grad(lambda q: jax.lax.cond(q[0] > 0, loss, lambda x: jnp.sum(x), q))))(e.points),
        e.gradients,
    ),
    "jvp of vjp": lambda f, loss, e: (jax.jvp(lambda c: jax.vjp(f, e.points[0])[1](c)[0], (e.w,), (e.w,))[1], e.gradients[0]),
    "Gauss-Newton": lambda f, loss, e: (
        jax.vjp(f, e.points[0])[1](jax.jvp(f, (e.points[0],), (jnp.ones(4),))[1])[0],
        jnp.einsum("tip,tiq->p", e.jacobians[0], e.jacobians[0]),
    ),
    "linear transpose": lambda f, loss, e: (
        jax.linear_transpose(jax.linearize(f, e.points[0])[1], e.points[0])(e.w)[0],
        e.gradients[0],
    ),
}


STIFF = ("jit grad", "vmap jacfwd", "vmap jacrev")


@pytest.mark.parametrize("name, method", [*((n, "tsit5") for n in COMPOSITIONS), *((n, m) for n in STIFF for m in METHODS[1:])])
def test_compositions(case: Case, expected: Expected, name: str, method: str) -> None:
    def f(p: Any) -> Any:
        return case.solve(p, method)

    assert case.raw(case.p, method).result == results.SUCCESS
    found, right = COMPOSITIONS[name](f, lambda p: jnp.sum(expected.w * f(p)), expected)
    np.testing.assert_allclose(found, right, rtol=2e-6, atol=2e-6 * float(jnp.max(jnp.abs(right))))


# ---- starts and times -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
def test_start_values_and_times(case: Case, expected: Expected, method: str) -> None:
    """By the start, the start's time and the times of observation: the last two by differences of solves."""
    y0, w, ts = jnp.array([10.0, 5.0]), expected.w, jnp.asarray(TS) + 0.7
    assert case.raw(case.p, method, t0=0.7, ts=ts, y0=y0).result == results.SUCCESS

    @jax.jit
    def loss(y0: Any, t0: Any, ts: Any) -> Any:
        return jnp.sum(w * case.solve(case.p, method, t0=t0, ts=ts, y0=y0))

    found = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(y0, 0.7, ts)
    # The first point stands at the start: it is moved one-sidedly, so it is left out of the differences by t0 and ts.
    for argument, at in (*((0, i) for i in range(2)), *((2, i) for i in range(1, 5))):
        h = 1e-4
        values = []
        for sign in (1, -1):
            given = [y0, 0.7, ts]
            given[argument] = given[argument].at[at].add(sign * h)
            values.append(loss(*given))
        np.testing.assert_allclose(found[argument][at], (values[0] - values[1]) / (2 * h), rtol=1e-5, atol=1e-5)
    later = jax.jit(lambda t0: jnp.sum(w[1:] * case.solve(case.p, method, t0=t0, ts=ts[1:], y0=y0)))
    np.testing.assert_allclose(jax.grad(later)(0.7), (later(0.7001) - later(0.6999)) / 2e-4, rtol=1e-5)


def test_the_model_s_own_start_moves_with_parameters(case: Case, expected: Expected) -> None:
    """y(0) = 5 d / 0.1 in the model: its share is in the gradient."""
    assert case.raw(case.p, "tsit5").result == results.SUCCESS
    fixed = jax.grad(lambda p: jnp.sum(expected.w * case.solve(p, "tsit5", y0=jnp.array([10.0, 5.0]))))(case.p)
    assert abs(fixed[3] - expected.gradients[0, 3]) > 1e-3 * abs(fixed[3])


# ---- stiff ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["rodas4", "rosenbrock23"])
def test_stiff_gradients_against_differences(method: str) -> None:
    """The discrete adjoint is the gradient at fixed steps: it agrees with differences to the tolerance of the solve."""
    case = Case(ROBER, Settings(rtol=1e-8 if method == "rodas4" else 1e-6, atol=1e-12))
    ts = np.array([0.4, 40.0, 4e3])
    assert case.raw(case.p, method, ts=ts).result == results.SUCCESS
    w = jnp.array([1.0, 1e4, 1.0])
    loss = jax.jit(lambda q: jnp.sum(w * case.solve(case.p * jnp.exp(q), method, ts=ts)))
    found, forward = jax.jit(jax.grad(loss))(jnp.zeros(3)), jax.jit(jax.jacfwd(loss))(jnp.zeros(3))
    np.testing.assert_allclose(found, forward, rtol=1e-9)
    for k in range(3):
        h = 1e-3 * jnp.eye(3)[k]
        difference = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / 12e-3
        np.testing.assert_allclose(found[k], difference, rtol=1e-4 if method == "rodas4" else 2e-3)


# ---- records --------------------------------------------------------------------------------------------------------
def test_a_record_that_is_too_short_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solve is done again inside the derivative's kernel."""
    found = []
    for most in (4096, 20):
        monkeypatch.setattr("hybridode.kernels.ffi.program.MOST_RECORDED", most)
        monkeypatch.setattr("hybridode.kernels.ffi.program.LEAST_RECORDED", 1)
        case = Case(FORCED)
        raw = case.raw(case.p, "tsit5")
        assert raw.result == results.SUCCESS and raw.stats["accepted"] > 30
        points = case.p * jnp.linspace(0.8, 1.2, 11)[:, None]

        def loss(p: Any, case: Case = case) -> Any:
            return jnp.sum(jnp.sin(case.solve(p, "tsit5")))

        functions = (jax.vmap(jax.grad(loss)), jax.vmap(jax.jacfwd(loss)))
        found.append([jax.jit(function)(points) for function in functions])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# ---- failures -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_of_a_failed_solve_is_nan(method: str) -> None:
    case = Case(BLOW_UP, Settings())
    ks = jnp.array([[0.1], [3.0], [0.5]])
    ts = np.array([0.0, 1.0])
    codes = jax.vmap(lambda p: case.raw(p, method, ts=ts).result)(ks)
    assert codes[0] == codes[2] == results.SUCCESS and codes[1] != results.SUCCESS

    def loss(p: Any) -> Any:
        return case.solve(p, method, ts=ts)[-1, 0]

    exact = 1 / (1 - ks[:, 0]) ** 2
    for gradient in (jax.jit(jax.vmap(jax.grad(loss)))(ks), jax.jit(jax.vmap(jax.jacfwd(loss)))(ks)):
        np.testing.assert_allclose(gradient[jnp.array([0, 2]), 0], exact[jnp.array([0, 2])], rtol=1e-4)
        assert np.isnan(gradient[1, 0])
    assert np.isnan(jax.grad(loss)(ks[1])).all()


def test_second_derivatives_are_refused_in_words(case: Case) -> None:

    def loss(p: Any) -> Any:
        return jnp.sum(case.solve(p, "tsit5"))

    assert case.raw(case.p, "tsit5").result == results.SUCCESS
    for second in (jax.hessian(loss), jax.jacfwd(jax.jacfwd(loss)), jax.grad(lambda p: jnp.sum(jax.grad(loss)(p)))):
        with pytest.raises(UsageError) as caught:
            second(case.p)
        assert caught.value.diagnostics[0].code == "E0841"


# ---- the user's functions -------------------------------------------------------------------------------------------
def test_solver_in_every_mode() -> None:
    """`model.solver` on the native engine differentiates in both modes; a growing solve's exact derivative."""
    solve = ho.parse(DECAY.replace("k = 1", "k = 0.7")).solver(at=[0.5, 2.0], rtol=1e-9, atol=1e-11)
    sol = solve({"k": 0.7})
    assert sol.successful and sol.stats["engine"] == "native"

    def end(k: Any) -> Any:
        return solve({"k": k})["x"]

    exact = np.exp(-0.7 * sol.t) * (1 - 0.7 * sol.t)  # x = k e^(-k t)
    np.testing.assert_allclose(jax.jacfwd(end)(0.7), exact, rtol=1e-7)
    np.testing.assert_allclose(jax.jit(jax.jacrev(end))(0.7), exact, rtol=1e-7)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(end))(jnp.array([0.7, 0.7]))[1], exact, rtol=1e-7)


def test_by_the_times_of_a_solution() -> None:
    solve = ho.parse(DECAY).solver(at=[1.0, 2.0], rtol=1e-9, atol=1e-11)
    ts = jnp.array([1.0, 2.0])
    assert solve().successful
    np.testing.assert_allclose(jax.jacfwd(lambda t: solve(at=t)["x"])(ts), np.diag(-np.exp(-ts)), rtol=1e-7, atol=1e-12)
