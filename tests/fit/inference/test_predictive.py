"""What draws say of the records, against formulas: log-likelihoods, leave-one-out, simulated data, bands; files for ArviZ."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import hybridode as ho
from hybridode.cli import main
from hybridode.fit.inference.checks import predictive_checks
from hybridode.fit.inference.drawn import drawn, simulated
from hybridode.fit.inference.explored import explored
from hybridode.fit.objective.noise import NOISES

LINE = """model line
time t from 0
param a = 0 in (-inf, inf)
param b = 1 in (-inf, inf)
prior a ~ normal(0, 3)
prior b ~ normal(0, 3)
state x = a
x' = b
observe x ~ normal(x, 0.5)
"""
T = np.linspace(0, 3, 12)
Y = 1 + 0.5 * T + 0.5 * np.random.default_rng(4).standard_normal(12)


@pytest.fixture(scope="module")
def run() -> ho.Run:
    found = ho.fit(ho.parse(LINE), pd.DataFrame({"t": T, "x": Y}))
    assert found.status == "converged"
    return found


@pytest.fixture(scope="module")
def sample(run):
    return run.sample(seed=2, draws=3000)


def exact(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of (a, b): the linear model with normal priors."""
    x = np.stack([np.ones_like(t), t], axis=1)
    covariance = np.linalg.inv(x.T @ x / 0.25 + np.eye(2) / 9)
    return covariance @ x.T @ y / 0.25, covariance


def test_leaving_one_out_by_the_formula(run, sample):
    """log p(y_i | all others) of the linear model is normal, in closed form."""
    found = run.loo(sample)
    expected = []
    for i in range(len(T)):
        rest = np.arange(len(T)) != i
        mean, covariance = exact(T[rest], Y[rest])
        x = np.array([1, T[i]])
        expected.append(scipy.stats.norm(x @ mean, np.sqrt(0.25 + x @ covariance @ x)).logpdf(Y[i]))
    np.testing.assert_allclose(found.pointwise["elpd"], expected, atol=0.04)
    assert abs(found.elpd - np.sum(expected)) < 0.1
    assert len(found.unsure) == 0 and 1 < found.p < 3


def test_log_likelihoods_and_bands_by_the_formula(run, sample):
    prepared = run.fitted.finished.prepared
    found = explored(prepared, sample)
    a, b = sample.natural[..., 0].ravel(), sample.natural[..., 1].ravel()
    curve = a[:, None] + b[:, None] * T
    np.testing.assert_allclose(found.log_likelihood[0], scipy.stats.norm(curve, 0.5).logpdf(Y), rtol=1e-6, atol=1e-6)
    bands = found.bands[np.isin(found.bands["time"], T)]
    mean, covariance = exact(T, Y)
    x = np.stack([np.ones_like(T), T], axis=1)
    sd = np.sqrt(np.einsum("ti,ij,tj->t", x, covariance, x))
    np.testing.assert_allclose(bands["location"], x @ mean, atol=0.05)
    np.testing.assert_allclose(bands["upper95"] - bands["lower95"], 2 * 1.96 * sd, rtol=0.2)
    np.testing.assert_allclose(bands["new_upper95"] - bands["new_lower95"], 2 * 1.96 * np.hypot(sd, 0.5), rtol=0.2)
    assert any("look like the records" in line for line in found.checks.sentences())


def test_records_that_the_model_cannot_make_are_told(sample):
    t = np.linspace(0, 3, 40)
    wrong = ho.fit(ho.parse(LINE), pd.DataFrame({"t": t, "x": 1 + 0.5 * t + 1.0 * np.sin(4 * t)}))
    found = drawn(wrong.fitted.finished.prepared, wrong.sample(draws=250).theta)
    said = " ".join(predictive_checks(found).sentences())
    assert "stay on one side of the curve in longer runs" in said and "lie farther from the curve" in said


@pytest.mark.parametrize("noise", NOISES.values(), ids=lambda n: "-".join((n.name, *n.arguments)))
def test_simulated_values_have_the_mean_of_their_noise(noise):
    arguments = {
        "df": 6.0,
        "loc": 2.0,
        "scale": 0.5,
        "mean": 3.0,
        "sd": 0.4,
        "median": 2.0,
        "b": 0.5,
        "k": 4.0,
        "p": 0.3,
        "logit": 0.4,
    }
    if not all(name in arguments for name in noise.arguments):
        pytest.skip("a noise with as many arguments as classes")
    eta = [np.full(40_000, arguments[name]) for name in noise.arguments]
    new = simulated(noise, eta, np.random.default_rng(0))
    middle = np.median(new) if noise.name == "lognormal" else new.mean()
    assert abs(middle - noise.location(*(e[0] for e in eta))) < 5 * new.std() / np.sqrt(len(new))


def test_the_command_writes_goes_on_and_stops(run, tmp_path, capsys):
    import arviz

    run.save(tmp_path / "run")
    folder = tmp_path / "run" / "findings"
    assert main(["sample", str(tmp_path / "run"), "--draws", "300", "--warmup", "200", "--seed", "5"]) == 0
    assert "the chains have mixed" in capsys.readouterr().out
    first = pd.read_csv(folder / "posterior.csv")
    assert main(["sample", str(tmp_path / "run"), "--draws", "350", "--warmup", "200", "--seed", "5", "--resume", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] and said["draws"] == 350 and said["mixed"]
    longer = pd.read_csv(folder / "posterior.csv")
    pd.testing.assert_frame_equal(longer[longer["draw"] <= 300].reset_index(drop=True), first)
    finding = json.loads((folder / "posterior.json").read_text(encoding="utf-8"))
    assert finding["schema"] == 1 and finding["command"].startswith("hybridode sample")
    data = arviz.from_netcdf(folder / "posterior.nc")
    assert {"posterior", "sample_stats", "log_likelihood", "posterior_predictive", "observed_data"} <= set(data.groups())
    np.testing.assert_allclose(np.sort(data.observed_data["x"]), np.sort(Y))
    assert abs(arviz.loo(data).elpd_loo - finding["loo"]["elpd"]) < 0.05
    assert main(["sample", str(tmp_path / "run"), "--seed", "6", "--warmup", "200", "--resume"]) == 1
    assert "E0789" in capsys.readouterr().err
    assert main(["sample", str(tmp_path / "run"), "--max-seconds", "0"]) == 3
    assert "E0788" in capsys.readouterr().err
