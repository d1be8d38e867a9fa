"""Measurements at time infinity against the steady states that can be written down."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

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


def test_gradients_through_a_steady_state_with_a_conserved_quantity():
    """Only steady states of two experiments, which differ in what is conserved; the likelihood is written down."""
    frame = pd.DataFrame({"id": ["1", "2"], "t": ["inf", "steady"], "x": [0.55, 1.2], "total": [2.0, 4.0]})
    m = ho.parse(EXCHANGE)
    with jax.enable_x64(True):
        data = experiments(m.declarations, frame)
        compiled = m.compiled(data.promoted)
        space = parameter_space(m.declarations.parameters, (), data.given)
        data = with_steady_times(compiled, data, space, {}, PRECISE)
        batch, _ = build_batch(compiled, data, space)
        base = np.array(compiled.arguments().parameters)
        objective = Objective(compiled, space, (), base, {}, (), "rodas5p", PRECISE, None, (frozenset(),))
        z = space.unconstrain({"a": 0.8, "b": 0.4})

        def nll(z):
            a, b = space.vector(z)
            residual = (np.array([0.55, 1.2]) - np.array([2.0, 4.0]) * b / (a + b)) / 0.01
            return float(np.sum(0.5 * residual**2 + np.log(0.01) + 0.5 * np.log(2 * np.pi)))

        h = 1e-6
        slopes = [(nll(z + h * v) - nll(z - h * v)) / (2 * h) for v in np.eye(2)]
        for e in (objective.with_fisher(z, batch), objective.with_gradient(z, batch)):
            assert np.all(np.asarray(e.results) == results.SUCCESS)
            assert float(e.value) == pytest.approx(nll(z), rel=1e-8)
            np.testing.assert_allclose(e.gradient, slopes, rtol=1e-6)
        # Too slow for the time that stands for infinity: no likelihood, and the reason. Not asked on a part of the time.
        slow = objective.with_fisher(space.unconstrain({"a": 1e-10, "b": 1e-10}), batch)
        assert np.isinf(float(slow.value))
        assert np.all(np.asarray(slow.results) == results.UNSTEADY)
        assert "no steady state" in objective.why(slow)
        early = objective.with_fisher(space.unconstrain({"a": 1e-10, "b": 1e-10}), up_to(batch, 0.5))
        assert np.all(np.asarray(early.results) == results.SUCCESS)


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
