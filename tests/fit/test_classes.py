"""`categorical`: density and information against SciPy and `bernoulli`, fits against a likelihood by SciPy, on both engines."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize
import scipy.special

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.fit.objective import classes, limits, noise
from hybridode.fit.outcome.result import result_schema
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.solve.settings import Settings

TEXT = """model sleep "Sleep stages"
time t: h from 0
param k = 0.3 in (0.01, 3) log
param a = 1.0 in (-8, 8)
param b = 0.5 in (-8, 8)
state s = 2
s' = -k*s + 0.5*sin(0.5*t)
observe stage ~ categorical(logits=[0, a*s, b - s])
"""
LABELS = np.array(["NREM", "REM", "wake"])


def records(count=120):
    t, rng = np.linspace(0, 24, count), np.random.default_rng(5)
    p = scipy.special.softmax(logits(t, 0.5, 1.5, 0.8), axis=1)
    return pd.DataFrame({"t": t, "stage": [int(rng.choice(3, p=row)) + 1 for row in p]})


def logits(t, k, a, b):
    s = scipy.integrate.solve_ivp(
        lambda t, s: -k * s + 0.5 * np.sin(0.5 * t), (0, 24), [2.0], "DOP853", t, rtol=1e-11, atol=1e-12
    )
    assert s.success
    return np.stack([0 * s.y[0], a * s.y[0], b - s.y[0]], axis=1)


def scipy_nll(values, frame):
    rows = scipy.special.log_softmax(logits(frame["t"].to_numpy(), *values), axis=1)
    return -float(np.sum(rows[np.arange(len(rows)), frame["stage"] - 1]))


def test_density_and_information():
    v = np.array([0.3, -1.2, 2.5, 0.0])
    row = noise.noise_of("categorical", [f"logits[{i + 1}]" for i in range(4)])
    with jax.enable_x64(True):
        p = scipy.special.softmax(v)
        np.testing.assert_allclose(row.log_density(jnp.arange(1.0, 5.0), *v), np.log(p), rtol=1e-13)
        scores = jax.jacobian(lambda z: row.log_density(jnp.arange(1.0, 5.0), *z))(jnp.array(v))
        np.testing.assert_allclose(row.information(*v), np.einsum("x,xi,xj->ij", p, scores, scores), atol=1e-14)
        below, above = row.log_sides(jnp.array([0.0, 1.0, 3.0, 4.0]), *v)
        np.testing.assert_allclose(np.exp(below), [0, p[0], p[:3].sum(), 1], atol=1e-14)
        np.testing.assert_allclose(np.exp(above), [1, p[1:].sum(), p[3], 0], atol=1e-14)
        huge = [1e4, -1e4, 0.0, 5.0]  # no overflow, and nothing below
        np.testing.assert_allclose(row.log_density(jnp.array([1.0, 2.0]), *huge), [0.0, -2e4])
        assert bool(limits.possible(row, jnp.zeros(1), tuple(map(jnp.array, huge))))
        assert not bool(limits.possible(row, jnp.zeros(1), (jnp.nan, jnp.array(0.0), jnp.array(0.0), jnp.array(0.0))))


def test_two_classes_are_bernoullis():
    row, x, z = noise.categorical(2), np.array([0.0, 1.0, 1.0]), np.array([0.4, -2.0, 3.0])
    with jax.enable_x64(True):
        one = noise.BERNOULLI_LOGIT.log_density(jnp.array(x), jnp.array(z))
        np.testing.assert_allclose(row.log_density(jnp.array(x + 1), 0 * z, z), one, rtol=1e-13)
        np.testing.assert_allclose(row.information(0 * z, z)[:, 1, 1], noise.BERNOULLI_LOGIT.information(z)[:, 0, 0], rtol=1e-13)
    np.testing.assert_allclose(row.residual(x + 1, 0 * z, z), noise.BERNOULLI_LOGIT.residual(x, z), rtol=1e-12)


def test_residuals_have_mean_0_and_variance_1():
    v = (0.2, -0.7, 1.1)
    p = classes.probabilities(*map(np.array, v))
    r = classes.residual(np.array([1.0, 2.0, 3.0]), *(np.full(3, x) for x in v))
    assert p @ r == pytest.approx(0, abs=1e-13)
    assert p @ r**2 == pytest.approx(1, rel=1e-13)
    assert classes.ClassNumbers(tuple(map(np.array, v))).ppf(p[0] - 1e-3) == 1
    assert classes.ClassNumbers(tuple(map(np.array, v))).ppf(p[0] + 1e-3) == 2


@pytest.mark.parametrize("engine", ["native", "diffrax"])
def test_value_gradient_and_information_of_a_fit(engine):
    frame = records(30)
    settings = Settings(engine=engine, rtol=1e-10, atol=1e-12)
    with jax.enable_x64(True):
        dataset = experiments(ho.parse(TEXT).declarations, frame)
        lanes = prepare(dataset, Options({}, frozenset(), 1, 0, None, settings, None), Recorder()).lanes
    objective, z0 = lanes.objective, lanes.objective.space.unconstrain()
    with jax.enable_x64(True):
        e = objective.with_fisher(z0, lanes.batch)
        reverse = objective.with_gradient(z0, lanes.batch) if engine == "native" else e

    def value(z):
        return scipy_nll(objective.space.vector(z), frame)

    def log_odds(z):
        return logits(frame["t"].to_numpy(), *objective.space.vector(z))

    assert np.all(np.asarray(e.results) == 0)
    assert float(e.value) == pytest.approx(value(z0), abs=1e-7)
    steps = 1e-5 * np.eye(3)
    differences = [(value(z0 + h) - value(z0 - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(e.gradient, differences, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(reverse.gradient, differences, rtol=1e-5, atol=1e-6)
    sensitivities = np.stack([(log_odds(z0 + h) - log_odds(z0 - h)) / 2e-5 for h in steps], axis=-1)  # (R, 3, 3)
    p = scipy.special.softmax(log_odds(z0), axis=1)
    each = np.einsum("ri,ij->rij", p, np.eye(3)) - p[:, :, None] * p[:, None, :]
    np.testing.assert_allclose(e.fisher, np.einsum("rik,rij,rjl->kl", sensitivities, each, sensitivities), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def fitted():
    frame = records()
    run = ho.fit(ho.parse(TEXT), frame.assign(stage=LABELS[frame["stage"] - 1]), hold_out="last:20")
    assert run.result["status"] == "converged"
    return frame, run


def test_the_optimum_is_scipys(fitted):
    frame, run = fitted
    best = scipy.optimize.minimize(scipy_nll, [0.5, 1.5, 0.8], args=(frame[:100],), bounds=[(0.01, 3), (-8, 8), (-8, 8)])
    assert run.result["objective"]["nll"] == pytest.approx(best.fun, abs=1e-4)
    np.testing.assert_allclose([run.parameters[n] for n in ("k", "a", "b")], best.x, rtol=2e-2)


def test_tables_of_classes(fitted, tmp_path):
    frame, run = fitted
    values = [run.parameters[n] for n in ("k", "a", "b")]
    p = scipy.special.softmax(logits(frame["t"].to_numpy(), *values), axis=1)
    rows = run.fitted.predictions
    for i, label in enumerate(LABELS):
        mine = rows[(rows["column"] == f"stage[{label}]") & (rows["kind"] == "data")]
        np.testing.assert_allclose(mine["location"], p[:100, i], atol=1e-5)
        assert set(mine["lower95"]) | set(mine["upper95"]) <= {0.0, 1.0}
    residuals = run.fitted.residuals
    np.testing.assert_allclose(residuals["log_density"], np.log(p[np.arange(120), frame["stage"] - 1]), atol=1e-5)
    np.testing.assert_array_equal(residuals["predicted"], p.argmax(axis=1) + 1)
    score = run.result["hold_out"]
    assert score["accuracy"] == np.mean(p[100:].argmax(axis=1) + 1 == frame["stage"][100:])
    assert score["log_score"] == pytest.approx(np.mean(np.log(p[np.arange(100, 120), frame["stage"][100:] - 1])), abs=1e-5)
    assert score["rmse"] is None
    assert run.result["data"]["classes"] == {"stage": list(LABELS)}
    jsonschema.validate(json.loads(json.dumps(run.result)), result_schema())
    assert "or holds classes" in run.residual_tests().sentences[0]
    saved = run.save(tmp_path / "run")
    assert (saved / "figures" / "fit_stage.svg").is_file()


def test_an_observation_at_the_end_and_a_network():
    text = TEXT.replace("[0, a*s, b - s]", "g").replace("observe", "g = net(s)\nnn net: 1 -> 3, hidden=[3], reg=l2(0.1)\nobserve")
    text = text.replace("param a = 1.0 in (-8, 8)\nparam b = 0.5 in (-8, 8)\n", "").replace("s = 2", "s = 2 in (0.1, 20)")
    frame = pd.concat([pd.DataFrame({"id": str(i), "t": [0.0, 3.0 + i], "s(0)": 0.5 * i + 0.5, "stage": [None, i % 3 + 1]})
                       for i in range(9)])  # fmt: skip
    run = ho.fit(ho.parse(text), frame, fix=["k"])
    assert run.result["status"] in ("converged", "stopped")
    assert run.result["objective"]["nll"] < 9 * np.log(3)


def test_simulated_probabilities():
    sol = ho.parse(TEXT).simulate(at=np.linspace(0, 24, 7))
    expected = scipy.special.softmax(logits(np.linspace(0, 24, 7), 0.3, 1.0, 0.5), axis=1)
    np.testing.assert_allclose(sol.observed["stage"], expected, atol=1e-5)
    laplace = ho.parse("model l\nstate x = 1\nx' = -x\nobserve y ~ laplace(x, 1)").simulate(at=[0.0, 1.0])
    np.testing.assert_allclose(laplace.observed["y"], np.exp([0.0, -1.0]), rtol=1e-4)
