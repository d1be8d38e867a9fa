"""Events in large systems: networks of 100 and 1,000 neurons against event-driven simulations with exact propagators."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.solve import native
from tests.solve.spiking import Avalanches, Network

NETWORK = Network()
TS = np.array([5.3, 11.7, 20.1, 31.9])


@pytest.fixture(scope="module")
def model() -> ho.Model:
    return ho.parse(NETWORK.text)


@pytest.mark.parametrize("method", ["tsit5", "dop853", "rodas5p"])
def test_a_hundred_neurons(model: ho.Model, method: str) -> None:
    sol = model.simulate(at=list(TS), method=method, rtol=1e-10, atol=1e-10)
    assert sol.successful and sol.stats["engine"] == "native"
    assert native.program_of(model.compiled(), method).method.rolled
    V, g, spikes = NETWORK.simulate(TS)
    assert spikes[-1].sum() > 60
    np.testing.assert_array_equal(sol["spikes"], spikes)
    np.testing.assert_allclose(sol["V"], V, atol=2e-7)
    np.testing.assert_allclose(sol["g"], g, atol=2e-8)


def test_derivatives_and_batches(model: ho.Model) -> None:
    """By time constants, weight, drive and threshold, in both modes, against differences of the exact simulation."""
    solver = model.solver(at=TS, method="tsit5", rtol=1e-11, atol=1e-12)
    names, values = ["tau", "taus", "w", "drive", "level"], np.array([20, 5, 0.05, 18, -50])
    pull = np.random.default_rng(0).normal(size=(len(TS), NETWORK.n))

    def pulled(p):
        sol = solver(dict(zip(names, p, strict=True)))
        return jnp.sum(pull * sol["V"]), (sol.result, sol["spikes"])

    (value, (result, spikes)), reverse = jax.jit(jax.value_and_grad(pulled, has_aux=True))(values)
    forward = jax.jit(jax.jacfwd(pulled, has_aux=True))(values)[0]
    V, _, exact = NETWORK.simulate(TS)
    assert result == 0
    np.testing.assert_array_equal(spikes, exact)
    np.testing.assert_allclose(value, np.sum(pull * V), rtol=1e-7)
    np.testing.assert_allclose(forward, reverse, rtol=1e-9)
    for i, name in enumerate(names):
        step = 2e-6 * abs(values[i])
        sides = [NETWORK.with_(**{name: values[i] + sign * step}).simulate(TS) for sign in (1, -1)]
        assert all(np.array_equal(side[2], exact) for side in sides), "a spike more or less makes no difference quotient"
        difference = np.sum(pull * (sides[0][0] - sides[1][0])) / (2 * step)
        np.testing.assert_allclose(reverse[i], difference, rtol=2e-5, err_msg=name)


def test_lanes(model: ho.Model) -> None:
    """A batch of a stiff method goes through lanes, whose events differ."""
    solver = model.solver(at=TS[:2], method="rodas4", rtol=1e-8, atol=1e-9)
    drives = jnp.array([17.0, 18.0, 19.5])

    def total(drive):
        sol = solver({"drive": drive})
        return sol["V"][-1].sum(), sol.result

    (values, results), slopes = jax.jit(jax.vmap(jax.value_and_grad(total, has_aux=True)))(drives)
    assert (results == 0).all()
    for drive, value, slope in zip(drives, values, slopes, strict=True):
        exact = NETWORK.with_(drive=float(drive)).simulate(TS[:2])[0][-1].sum()
        np.testing.assert_allclose(value, exact, rtol=1e-7)
        step = 1e-5
        sides = [NETWORK.with_(drive=float(drive) + sign * step).simulate(TS[:2])[0][-1].sum() for sign in (1, -1)]
        np.testing.assert_allclose(slope, (sides[0] - sides[1]) / (2 * step), rtol=1e-4)


def test_avalanches() -> None:
    """Spikes set off spikes, ten at a time: one after the other in their order, each reading what the last left."""
    ts = np.array([1.0, 2.5, 4.0])
    made = Avalanches()
    V, spikes, rounds = made.simulate(ts)
    assert rounds > 2 and spikes[-1].sum() > 100
    sol = ho.parse(made.text).simulate(at=list(ts), rtol=1e-10, atol=1e-12)
    assert sol.successful and sol.stats["engine"] == "native"
    np.testing.assert_array_equal(sol["spikes"], spikes)
    np.testing.assert_allclose(sol["V"], V, atol=1e-7)


def test_a_thousand_neurons() -> None:
    """One current for all: their common synapse."""
    n, ts = 1000, np.array([4.0, 12.0])
    text = f"""model thousand
const n = {n}
state V[n]
state g = 0
discrete spikes = 0
V[i](0) = 14*i/n for i in 1..n
V[i]' = (18 + 2*i/n + g - V[i])/20 for i in 1..n
g' = -g/5
event spike[i] when V[i] > 15 {{ V[i] := 0; g := g + 0.002; spikes := spikes + 1 }} for i in 1..n
"""
    sol = ho.parse(text).simulate(at=list(ts), method="tsit5", rtol=1e-9, atol=1e-9)
    V, g, spikes = Network(n, w=0.002, rest=0.0, level=15.0).simulate(ts)
    assert sol.successful and spikes[-1].sum() > 100
    np.testing.assert_array_equal(sol["spikes"], spikes.sum(1))
    np.testing.assert_allclose(sol["V"], V, atol=1e-6)
    np.testing.assert_allclose(sol["g"], g[:, 0], atol=1e-6)
