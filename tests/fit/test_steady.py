"""Measurements at time infinity against the steady states that can be written down."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.optimize

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.errors import NumericsError
from hybridode.fit.objective.batch import build_batch, up_to
from hybridode.fit.objective.objective import Objective
from hybridode.fit.objective.steady import with_steady_times
from hybridode.fit.parameters import parameter_space
from hybridode.solve import results
from hybridode.solve.settings import Settings

# x + y is conserved, so the Jacobian is singular: x -> (x0 + y0) b/(a + b)
EXCHANGE = """model m
param a = 1 in (1e-12, 10) log
param b = 0.5 in (1e-12, 10) log
const total = 2
state x
x(0) = total
state y = 0
x' = b*y - a*x
y' = a*x - b*y
observe x ~ normal(x, 0.01)
"""
PRECISE = Settings(engine="native", rtol=1e-9, atol=1e-12)


def exact(t, a, b, total=2.0):
    return total * (b + a * np.exp(-(a + b) * t)) / (a + b)


def test_finite_and_infinite_times_in_one_series(tmp_path):
    t = np.array([0, 0.5, 1.0])
    frame = pd.DataFrame({"t": [*map(str, t), "inf"], "x": [*exact(t, 0.7, 0.3), 0.6]})
    run = ho.fit(ho.parse(EXCHANGE), frame, starts=1, settings=PRECISE)
    assert run.status == "converged"
    np.testing.assert_allclose([run.parameters["a"], run.parameters["b"]], [0.7, 0.3], rtol=1e-6)
    assert np.isinf(run.residuals["time"].iloc[-1])
    assert abs(run.residuals["residual"]).max() < 1e-4
    assert np.isfinite(run.predictions["time"][run.predictions["kind"] == "curve"]).all()
    assert run.save(tmp_path / "run").is_dir()


def objective_of(text, frame, start=None, settings=PRECISE):
    """Objective, batch and the words about derivatives."""
    m = ho.parse(text)
    data = experiments(m.declarations, frame)
    compiled = m.compiled(data.promoted)
    space = parameter_space(m.declarations.parameters, (), data.given)
    data, fixed, words = with_steady_times(compiled, data, space, start or {}, settings)
    batch, _ = build_batch(compiled, data, space)
    base = np.array(compiled.arguments().parameters)
    limits = ((),) * len(m.declarations.observations)
    return Objective(compiled, space, (), base, {}, (), "rodas5p", settings, None, limits, fixed_points=fixed), batch, words


def same(objective, batch, z, nll, rtol=1e-6):
    """Value and gradient of both modes are those of `nll`."""
    h = 1e-6
    slopes = [(nll(z + h * v) - nll(z - h * v)) / (2 * h) for v in np.eye(len(z))]
    for e in (objective.with_fisher(z, batch), objective.with_gradient(z, batch)):
        assert np.all(np.asarray(e.results) == results.SUCCESS)
        assert float(e.value) == pytest.approx(nll(z), rel=1e-8)
        np.testing.assert_allclose(e.gradient, slopes, rtol=rtol, atol=1e-6 * np.max(np.abs(slopes)))


def normal_nll(observed, predicted, sd=0.01):
    return float(np.sum(0.5 * ((np.array(observed) - predicted) / sd) ** 2 + np.log(sd) + 0.5 * np.log(2 * np.pi)))


def test_gradients_through_a_steady_state_with_a_conserved_quantity():
    """Only steady states of two experiments, which differ in what is conserved; the likelihood is written down."""
    frame = pd.DataFrame({"id": ["1", "2"], "t": ["inf", "steady"], "x": [0.55, 1.2], "total": [2.0, 4.0]})
    with jax.enable_x64(True):
        objective, batch, words = objective_of(EXCHANGE, frame)
        fixed, space = objective.fixed_points, objective.space
        assert fixed is not None and fixed.alone and len(fixed.laws) == 1 and "one quantity is conserved" in words
        np.testing.assert_allclose(fixed.laws[0, 0], fixed.laws[0, 1])  # x + y

        def nll(z):
            a, b = space.vector(z)
            return normal_nll([0.55, 1.2], np.array([2.0, 4.0]) * b / (a + b))

        same(objective, batch, space.unconstrain({"a": 0.8, "b": 0.4}), nll)
        # Too slow for the time that stands for infinity: no likelihood, and the reason. Not asked on a part of the time.
        slow = objective.with_fisher(space.unconstrain({"a": 1e-10, "b": 1e-10}), batch)
        assert np.isinf(float(slow.value))
        assert np.all(np.asarray(slow.results) == results.UNSTEADY)
        assert "no steady state" in objective.why(slow)
        early = objective.with_fisher(space.unconstrain({"a": 1e-10, "b": 1e-10}), up_to(batch, 0.5))
        assert np.all(np.asarray(early.results) == results.SUCCESS)


def test_gradients_where_a_learnt_start_is_conserved_and_finite_times_stand_before():
    text = EXCHANGE.replace("const total = 2\nstate x\nx(0) = total\n", "state x = 2 in (0.1, 9)\n")
    times, seen = np.array([0.0, 0.5, 1.0]), np.array([2.1, 1.3, 0.9, 0.7])
    with jax.enable_x64(True):
        objective, batch, _ = objective_of(text, pd.DataFrame({"t": [*map(str, times), "inf"], "x": seen}))
        assert objective.fixed_points is not None and not objective.fixed_points.alone

        def nll(z):
            a, b, x0 = objective.space.vector(z)
            return normal_nll(seen, np.append(exact(times, a, b, x0), x0 * b / (a + b)))

        z = objective.space.unconstrain({"a": 0.8, "b": 0.4, "x(0)": 1.9})
        same(objective, batch, z, nll)
        early = objective.with_fisher(z, up_to(batch, 1e-6))  # of the time to infinity: only the start is seen
        assert float(early.value) == pytest.approx(normal_nll(seen[:1], 1.9), rel=1e-9)


def test_a_steady_state_that_depends_on_the_way_there_has_its_gradient_through_the_solve():
    """The final size of an epidemic: S = S0 exp(-R0 (N - S)/N) (Kermack & McKendrick 1927)."""
    text = """model m
param R0 = 2 in (1, 8) log
state S = 0.999
state I = 0.001
state R = 0
S' = -R0*S*I
I' = R0*S*I - I
R' = I
observe S ~ normal(S, 0.01)
"""
    with jax.enable_x64(True):
        objective, batch, words = objective_of(text, pd.DataFrame({"t": ["inf"], "S": [0.2]}))
        assert objective.fixed_points is None and "depends on the way there" in words

        def nll(z):
            (r0,) = objective.space.vector(z)
            end = scipy.optimize.brentq(lambda s: s - 0.999 * np.exp(-r0 * (1 - s)), 0, 0.9 / r0, xtol=1e-15)
            return normal_nll([0.2], end)

        same(objective, batch, objective.space.unconstrain({"R0": 2.2}), nll, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_of_reactions_with_several_conserved_quantities(seed):
    """Enzymes and substrates against SciPy's root of rates and conservation laws."""
    text = """model m
param kon = 2 in (0.01, 100) log
param koff = 1 in (0.01, 100) log
param kcat = 0.7 in (0.01, 100) log
param kback = 0.3 in (0.01, 100) log
state S = 3 in (0.1, 20)
state E = 0.8
state C = 0
state P = 0
bind = kon*S*E - koff*C
S' = kback*P - bind
E' = kcat*C - bind
C' = bind - kcat*C
P' = kcat*C - kback*P
observe C ~ normal(C, 0.01)
observe P ~ normal(P, 0.01)
"""
    with jax.enable_x64(True):
        objective, batch, words = objective_of(text, pd.DataFrame({"t": ["inf"], "C": [0.5], "P": [1.5]}))
        assert objective.fixed_points is not None and "2 quantities are conserved" in words

        def nll(z):
            kon, koff, kcat, kback, s0 = objective.space.vector(z)

            def rest(v):
                s, e, c, p = np.exp(v)
                return [kon * s * e - (koff + kcat) * c, kcat * c - kback * p, s + c + p - s0, e + c - 0.8]

            root = scipy.optimize.root(rest, np.log([s0 / 2, 0.4, 0.4, s0 / 3]), tol=1e-14)
            assert np.max(np.abs(rest(root.x))) < 1e-10
            return normal_nll([0.5, 1.5], np.exp(root.x[2:]))

        z = objective.space.unconstrain({}) + 0.4 * np.random.default_rng(seed).normal(size=5)
        same(objective, batch, z, nll)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ("x' = y\ny' = -x", "`[xy]` still changes"),
        ("x' = a\ny' = -b*y", "`x` still changes"),
        ("x' = -x + sin(t)\ny' = -y", "`x` still changes"),
        ("x' = -x\ny' = -y\nat 0 every 5 { x := x + 1 }", "again and again"),
        ("x' = -x + z\ny' = -y\nalg z = 0\n0 = z + z^3 - x", "algebraic equations"),
    ],
)
def test_what_has_no_steady_state_is_refused_in_words(rates: str, words: str):
    text = f"model m\nparam a = 1\nparam b = 1\nstate x = 2\nstate y = 1\n{rates}\nobserve x ~ normal(x + 0*a*b*y, 0.01)\n"
    with pytest.raises(NumericsError, match=f"E0713.*{words}"):
        ho.fit(ho.parse(text), pd.DataFrame({"t": ["inf"], "x": [1.0]}), starts=1)
