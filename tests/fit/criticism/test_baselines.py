"""Baselines: a network that is needed, one that is not, models that cannot be built, constants against SciPy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar

import hybridode.api as ho
from hybridode.data.experiments import experiments
from hybridode.fit.criticism import alternatives
from hybridode.fit.criticism.baselines import Baselines, baselines
from hybridode.fit.criticism.constant import constant_arguments
from hybridode.fit.criticism.earned import Judged, earned, relative
from hybridode.fit.criticism.freedom import effective_number, prior_curvature
from hybridode.fit.criticism.pretrained import _activation, _network, first_weights
from hybridode.fit.criticism.records import Rows
from hybridode.fit.criticism.scores import Scored
from hybridode.fit.criticism.simpler import no_pure_network, pure_network
from hybridode.fit.objective import noise as noises
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.run import FitRun
from hybridode.solve.settings import Settings
from tests.fit.false_networks import MODELS

GROWTH = """model growth
time t from 0
param r = 0.5 in (0.01, 10) log
param s = 0.3 in (0.01, 5) log
state x = 0.5
x' = r*x + NN(x, hidden=[4], reg=l2(0.1))
observe x ~ normal(x, s)
"""


def logistic(noise: float = 0.1) -> pd.DataFrame:
    t = np.linspace(0.3, 12, 40)
    x = 7 / (1 + (7 / 0.5 - 1) * np.exp(-0.8 * t))
    return pd.DataFrame({"t": t, "x": x + noise * np.random.default_rng(0).standard_normal(len(t))})


@pytest.fixture(scope="module")
def growing() -> FitRun:
    """Growth that ends, of which the physics knows only the beginning."""
    return ho.fit(ho.parse(GROWTH), logistic()).fitted


@pytest.fixture(scope="module")
def needed(growing: FitRun) -> Baselines:
    return baselines(growing, alone=False)


def test_a_network_that_is_needed_earns_its_place(needed: Baselines) -> None:
    found, models = needed, {j.name: j for j in needed.judged}
    assert found.verdict.kind == "supported", found.verdict.sentences
    assert models["hybrid"].nll < models["physics"].nll - 50
    assert found.verdict.relative < 0.5
    data = logistic()
    assert models["constant"].nll == pytest.approx(
        -st.norm.logpdf(data["x"], data["x"].mean(), data["x"].std(ddof=0)).sum(), rel=1e-6
    )
    content = found.content()
    rows = {row[0]: dict(zip(content["models"]["columns"], row, strict=True)) for row in content["models"]["rows"]}
    assert rows["hybrid"]["bic"] == pytest.approx(np.log(40) * rows["hybrid"]["n_free"] + 2 * rows["hybrid"]["nll"])
    assert 2 < rows["hybrid"]["n_free"] < 15  # the penalty holds most of the 13 weights
    assert content["sentences"][0].startswith("`NN_x` is supported: beside the physics alone")


def test_the_physics_alone_is_the_fit_without_the_network(needed: Baselines) -> None:
    """Its likelihood is that of the same model written without one, by SciPy."""
    data = logistic()
    off = lambda r: np.sqrt(np.mean((data["x"] - 0.5 * np.exp(r * data["t"])) ** 2))  # noqa: E731
    sd = off(minimize_scalar(off, bounds=(0.01, 1), method="bounded", options={"xatol": 1e-9}).x)
    physics = next(j for j in needed.judged if j.name == "physics")
    assert physics.nll == pytest.approx(40 * (np.log(sd) + 0.5 * np.log(2 * np.pi) + 0.5), abs=1e-3)
    assert physics.free == pytest.approx(2, abs=1e-6)


def test_a_network_that_nothing_needs_is_not_supported() -> None:
    text, make = MODELS["growth"]
    run = ho.fit(ho.parse(text), make(np.random.default_rng((100, 1))))
    found = baselines(run.fitted, alone=False)
    assert found.verdict.kind == "not supported" and not found.verdict.provisional
    assert "`NN_x` is not supported" in found.verdict.sentences[0]
    at_once = baselines(run.fitted, 0.01)  # a better fit of the physics and held-out records could only confirm it
    assert at_once.verdict.kind == "not supported" and not at_once.verdict.provisional
    assert at_once.verdict.sentences[1:] == ("no network alone, without the physics, was fitted, as there was no time",)


def test_a_verdict_in_no_time_says_what_makes_it_sure(growing: FitRun, needed: Baselines) -> None:
    found = baselines(growing, 0.01)
    assert found.verdict.kind == "supported" and found.verdict.provisional and found.content()["provisional"]
    assert found.verdict.sentences[1] == (
        "this is provisional: the search for the physics alone was cut short and no records were held out, as there was no time; "
        "`hybridode compare RUN --baselines` takes the time that it needs"
    )
    nll = {j.name: j.nll for j in found.judged}
    assert nll["physics"] == pytest.approx(next(j.nll for j in needed.judged if j.name == "physics"), abs=1e-3)


def test_ctrl_c_keeps_what_there_is(growing: FitRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(alternatives, "first_weights", pressed)
    found = baselines(growing, 30.0)
    assert found.interrupted and found.verdict.kind == "supported"
    assert found.verdict.sentences[-1] == "no network alone, without the physics, was fitted, as it was interrupted"


def test_a_network_alone_begins_on_the_curves_of_the_hybrid(growing: FitRun) -> None:
    """Its free run, by SciPy, follows the data before it has seen them."""
    w = first_weights(growing, pure_network(growing.dataset.declarations), 0)
    assert w is not None

    def rate(t: float, x: np.ndarray) -> np.ndarray:
        z = (x - w["shift"]) / w["scale"]
        return w["out_scale"] * (w["W1"] @ np.tanh(w["W0"] @ z + w["b0"]) + w["b1"])

    data = logistic()
    found = solve_ivp(rate, (0, 12), [0.5], t_eval=data["t"], rtol=1e-8, atol=1e-8)
    assert found.success
    assert np.sqrt(np.mean((found.y[0] - data["x"]) ** 2)) < 0.3


@pytest.mark.parametrize("act", ["tanh", "swish", "rbf", "sin"])
def test_the_jacobian_of_first_weights_is_right(act: str) -> None:
    random = np.random.default_rng(0)
    z = random.standard_normal((7, 3))
    w = {k: random.standard_normal(s) for k, s in {"W0": (4, 3), "b0": (4,), "W1": (2, 4), "b1": (2,)}.items()}
    activation, place = _activation(act), 0
    exact = _network(w, z, activation)[1]
    for name, array in w.items():
        for i in np.ndindex(array.shape):
            sides = [{**w, name: array + sign * 1e-6 * (np.indices(array.shape).T == i).all(-1).T} for sign in (1, -1)]
            up, down = (_network(side, z, activation)[0] for side in sides)
            np.testing.assert_allclose(exact[..., place], (up - down) / 2e-6, atol=1e-7)
            place += 1
    assert place == exact.shape[2]


def test_the_curvature_of_priors_and_penalties_is_that_of_jax() -> None:
    text = "prior r ~ lognormal(0.5, 0.3)\nprior s ~ halfnormal(0.4)\n"
    d = ho.parse(GROWTH + text).declarations
    with jax.enable_x64(True):
        dataset = experiments(d, logistic())
        prepared = prepare(dataset, Options({}, frozenset(), None, 0, None, Settings(), None), Recorder())
        objective = prepared.objective
        theta = np.random.default_rng(0).normal(size=len(objective.theta(objective.space.unconstrain({}))))
        exact = jax.jit(jax.hessian(lambda x: sum(objective.prior_and_regulariser(x))))(theta)
    found = prior_curvature(prepared, theta)
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-12)
    assert np.count_nonzero(found) == 2 + 8  # two priors, weights of 4 hidden units


def test_the_pure_network_is_a_model_of_its_own() -> None:
    d = pure_network(ho.load("examples/lynx_hare/lynx_hare_hybrid.ode").declarations)
    assert [n.name for n in d.networks] == ["learnt_rates"] and d.networks[0].inputs == 2 and d.networks[0].outputs == (2,)
    assert {p.name for p in d.parameters if not p.fixed} == {"sigma_hare", "sigma_lynx", "hare(0)", "lynx(0)"}
    assert {p.parameter for p in d.priors} == {"sigma_hare", "sigma_lynx"}
    swing = pure_network(
        ho.parse("model s\ntime t from 0\nstate x = 1\nx'(0) = 0\nx'' = -x + NN(x)\nobserve x ~ normal(x, 1)\n").declarations
    )
    assert swing.networks[0].outputs == (1,)  # a position changes by its velocity
    for example, why in (("fisher_kpp/fisher_kpp", "26 states"), ("double_pendulum/double_pendulum", "algebraic equations")):
        assert why in no_pure_network(ho.load(f"examples/{example}.ode").declarations)


@pytest.mark.parametrize(
    ("noise", "draw", "likely"),
    [
        (noises.LOGNORMAL, lambda r: r.lognormal(1.0, 0.5, 50), lambda y: [np.exp(np.log(y).mean()), np.log(y).std()]),
        (noises.POISSON, lambda r: r.poisson(4.0, 50), lambda y: [y.mean()]),
        (noises.BERNOULLI, lambda r: r.random(50) < 0.3, lambda y: [y.mean()]),
    ],
)
def test_constants_are_the_most_likely_ones(noise: noises.Noise, draw: Any, likely: Any) -> None:
    y = np.asarray(draw(np.random.default_rng(0)), float)
    row = Rows(0, 0, noise, np.arange(50), np.arange(50.0), y, y, np.zeros(50, int), np.full(50, "fit"), ())
    np.testing.assert_allclose(constant_arguments([row]), likely(y), rtol=1e-4)


def judged(name: str, nll: float, free: float, crps: float) -> Judged:
    n = np.full(20, np.nan)
    unseen = Scored(np.zeros(20), np.zeros(20), n, np.full(20, crps), n)
    return Judged(name, nll, 100, free, True, unseen)


@pytest.mark.parametrize(
    ("gain", "error", "kind"),
    [(100.0, 0.3, "supported"), (100.0, 1.2, "undecided"), (2.0, 0.97, "not supported"), (2.0, 1.3, "not supported"),
     (0.0, 1.0, "not supported"), (14.0, 0.5, "undecided")],
)  # fmt: skip
def test_both_the_fitted_and_the_unseen_records_have_a_say(gain: float, error: float, kind: str) -> None:
    physics, hybrid = judged("physics", 50.0, 3.0, 1.0), judged("hybrid", 50.0 - gain, 8.0, error)
    found = earned(["U"], {"physics": physics, "hybrid": hybrid})
    assert found.kind == kind, found.sentences
    assert relative(hybrid, physics) == pytest.approx(error)
    assert found.bic == pytest.approx(2 * gain - 5 * np.log(100))


def test_effective_numbers_count_what_the_penalty_leaves() -> None:
    """Of a line y = a + b x with a normal prior of sd 1 on b: trace(F (F + P)^-1) in closed form."""
    text = (
        "model line\ntime t from 0\nparam a = 1\nparam b = 0.5\nprior b ~ normal(0, 0.1)\nstate x = 0\nx' = 1\n"
        "observe y ~ normal(a + b*x, 1)\n"
    )
    t = np.linspace(0, 5, 12)
    run = ho.fit(ho.parse(text), {"t": t, "y": 1 + 0.5 * t + np.random.default_rng(0).standard_normal(12)})
    x = np.stack([np.ones(12), t], axis=1)
    exact = np.trace(x.T @ x @ np.linalg.inv(x.T @ x + np.diag([0, 100.0])))
    finished = run.fitted.finished
    assert effective_number(finished.prepared, finished.theta) == pytest.approx(exact, rel=1e-5)


def test_free_runs_of_the_models_stand_side_by_side(needed: Baselines) -> None:
    data, curves = logistic(), pd.concat(needed.curves)
    assert list(curves["model"].unique()) == ["constant", "physics", "hybrid"]
    at = {name: table[table["kind"] == "data"] for name, table in curves.groupby("model")}
    for table in at.values():
        np.testing.assert_allclose(table["time"], data["t"])
    np.testing.assert_allclose(at["constant"]["location"], data["x"].mean(), rtol=1e-5)
    np.testing.assert_allclose(at["constant"]["upper95"], data["x"].mean() + 1.959964 * data["x"].std(ddof=0), rtol=1e-5)
    rate = np.log(at["physics"]["location"] / 0.5) / at["physics"]["time"]
    np.testing.assert_allclose(rate, rate.iloc[0], rtol=1e-6)  # x' = r*x
    left = {name: np.sqrt(np.mean((table["location"].to_numpy() - data["x"]) ** 2)) for name, table in at.items()}
    assert left["hybrid"] < 0.15 < 1 < left["constant"]
    assert (curves["kind"] == "curve").sum() >= 3 * 200
