"""Whole fits: the optimum against SciPy's, the result against its schema, limits, hold-outs, interruptions, failures."""

from __future__ import annotations

from pathlib import Path

import jax
import jsonschema
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

from hybridode.errors import DataError, Source, UsageError
from hybridode.fit.outcome.result import result_schema
from hybridode.fit.run import fit
from hybridode.language.check import declare
from tests.fit import lynx_hare as lh

EXAMPLES = Path(__file__).parents[2] / "examples"
LYNX = EXAMPLES / "lynx_hare"

DECAY = """model decay
param k = 0.5 in (0.01, 10) log
state x = 5 in (0.1, 100) log
dx/dt = -k*x
param s = 0.2 in (0.001, 5) log
observe x ~ normal(x, s)
"""
TIMES = np.linspace(0, 4, 15)


def model(text):
    return declare(Source("model.ode", text))


def decay_data(seed=0, k=0.8, x0=6.0, s=0.15):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"t": TIMES, "x": x0 * np.exp(-k * TIMES) + s * rng.normal(size=len(TIMES))})


def check(run):
    jsonschema.validate(run.result, result_schema())
    assert list(run.parameters_table["name"])
    return run


def optimum(loss, start):
    """The best that Nelder-Mead and BFGS in turn find (log-parameters)."""
    x = np.log(start)
    for method in ("Nelder-Mead", "BFGS", "Nelder-Mead"):
        x = scipy.optimize.minimize(
            lambda z: loss(np.exp(z)),
            x,
            method=method,
            options={"maxiter": 4000} | ({"xatol": 1e-9, "fatol": 1e-11} if method == "Nelder-Mead" else {}),
        ).x
    return np.exp(x), loss(np.exp(x))


@pytest.fixture(scope="module")
def decay_run():
    return fit(model(DECAY), decay_data(), starts=1)


def test_a_fit_finds_scipys_optimum_and_its_result_is_valid(decay_run):
    run = check(decay_run)
    data = decay_data()

    def loss(p):
        return -np.sum(scipy.stats.norm.logpdf(data["x"], p[1] * np.exp(-p[0] * TIMES), p[2]))

    best, value = optimum(loss, [0.5, 5, 0.2])
    assert run.result["status"] == "converged"
    assert run.result["objective"]["nll"] == pytest.approx(value, abs=1e-4)
    np.testing.assert_allclose([run.parameters[n] for n in ("k", "x(0)", "s")], best, rtol=1e-4)
    assert run.result["objective"]["n_data"] == 15
    assert run.result["objective"]["aic"] == pytest.approx(2 * value + 6, abs=1e-3)
    assert run.result["objective"]["bic"] == pytest.approx(2 * value + 3 * np.log(15), abs=1e-3)
    assert not jax.config.jax_enable_x64


def test_tables_of_a_fit(decay_run):
    run = decay_run
    assert list(run.trace.columns) == ["start", "stage", "iteration", "objective", "gradient_norm", "seconds"]
    assert run.trace["objective"].iloc[-1] == pytest.approx(run.result["objective"]["value"])
    assert -run.residuals["log_density"].sum() == pytest.approx(run.result["objective"]["nll"], abs=1e-6)
    predicted = run.parameters["x(0)"] * np.exp(-run.parameters["k"] * TIMES)
    np.testing.assert_allclose(run.residuals["predicted"], predicted, rtol=1e-5)
    at_data = run.predictions[run.predictions["kind"] == "data"]
    np.testing.assert_allclose(at_data["upper95"] - at_data["location"], 1.959964 * run.parameters["s"], rtol=1e-5)
    assert set(run.predictions["kind"]) == {"data", "curve", "state"}
    row = run.parameters_table.set_index("name").loc["k"]
    assert row["lower95"] < row["value"] < row["upper95"]
    assert (row["lower_bound"], row["upper_bound"]) == (0.01, 10)


@pytest.mark.slow
def test_truth_is_in_95_percent_intervals_about_as_often_as_it_should_be():
    inside = 0
    for seed in range(8):
        table = fit(model(DECAY), decay_data(seed), starts=1).parameters_table.set_index("name")
        inside += table.loc["k", "lower95"] < 0.8 < table.loc["k", "upper95"]
    assert inside >= 6  # P(fewer than 6 of 8 at 95 %) = 0.6 %


def test_fixing_setting_and_holding_out():
    data = decay_data()
    run = check(fit(model(DECAY), data, set={"k": 0.8}, fix=["k"], hold_out="last:3"))
    entry = run.result["parameters"]["k"]
    assert (entry["value"], entry["se"], entry["fixed"], entry["se_reason"]) == (0.8, None, True, "fixed")
    assert run.result["objective"]["n_data"] == 12
    assert run.result["objective"]["n_free"] == 2
    held = run.residuals[run.residuals["used"] == "hold_out"]
    assert held["time"].tolist() == TIMES[-3:].tolist()
    errors = held["observed"] - run.parameters["x(0)"] * np.exp(-0.8 * held["time"])
    assert run.result["hold_out"]["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert run.result["hold_out"]["log_score"] == pytest.approx(
        np.mean(scipy.stats.norm.logpdf(errors, 0, run.parameters["s"])), rel=1e-4
    )
    mean = np.mean(data["x"][:12] * np.exp(-0.8 * TIMES[:12])) / np.mean(np.exp(-1.6 * TIMES[:12]))
    assert run.parameters["x(0)"] == pytest.approx(mean, rel=1e-4)  # least squares in closed form
    assert fit(model(DECAY), data, hold_out="fraction:0.2", starts=1).result["hold_out"]["n"] == 3


def test_constants_can_be_set():
    text = DECAY.replace("-k*x", "-k*c*x").replace("state x", "const c = 1\nstate x")
    assert fit(model(text), decay_data(), set={"c": 2}, starts=1).parameters["k"] == pytest.approx(
        fit(model(text), decay_data(), starts=1).parameters["k"] / 2, rel=1e-4
    )


def test_limits_enter_as_probabilities():
    data = decay_data()
    limit = 0.6
    texts = [f"<{limit}" if v < limit else repr(v) for v in data["x"]]
    run = check(fit(model(DECAY), pd.DataFrame({"t": TIMES, "x": texts}), starts=1))
    below = data["x"].to_numpy() < limit

    def loss(p):
        mean = p[1] * np.exp(-p[0] * TIMES)
        exact, censored = scipy.stats.norm.logpdf(data["x"], mean, p[2]), scipy.stats.norm.logcdf(limit, mean, p[2])
        return -np.sum(np.where(below, censored, exact))

    best, value = optimum(loss, [0.5, 5, 0.2])
    assert below.sum() > 2
    assert run.result["objective"]["nll"] == pytest.approx(value, abs=1e-4)
    assert run.parameters["k"] == pytest.approx(best[0], rel=1e-3)
    assert run.residuals["residual"].isna().sum() == below.sum()


def test_priors_are_densities_of_natural_values():
    text = DECAY + "prior k ~ lognormal(0.4, 0.1)\nprior x(0) ~ normal(6, 0.5)\n"
    data = decay_data()
    run = check(fit(model(text), data, starts=1))

    def loss(p):
        value = np.sum(scipy.stats.norm.logpdf(data["x"], p[1] * np.exp(-p[0] * TIMES), p[2]))
        return -value - scipy.stats.lognorm.logpdf(p[0], 0.1, scale=0.4) - scipy.stats.norm.logpdf(p[1], 6, 0.5)

    best, value = optimum(loss, [0.5, 5, 0.2])
    assert run.result["objective"]["value"] == pytest.approx(value, abs=1e-4)
    assert run.parameters["k"] == pytest.approx(best[0], rel=1e-3)


@pytest.mark.parametrize("seed", [0])
def test_counts(seed):
    text = """model counts
param k = 0.5 in (0.01, 10) log
state x = 50 in (1, 1000) log
dx/dt = -k*x
param m = 5 in (0.1, 1000) log
observe n ~ negbinomial(x, m)
"""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 3, 40)
    mean = 80 * np.exp(-0.7 * t)
    counts = rng.negative_binomial(4, 4 / (4 + mean))
    run = check(fit(model(text), pd.DataFrame({"t": t, "n": counts}), starts=1))

    def loss(p):
        mean = p[1] * np.exp(-p[0] * t)
        return -np.sum(scipy.stats.nbinom.logpmf(counts, p[2], p[2] / (p[2] + mean)))

    _, value = optimum(loss, [0.5, 50, 5])
    assert run.result["objective"]["nll"] == pytest.approx(value, abs=1e-4)


def test_series_with_inputs_and_covariates():
    text = """model driven
input u from data.u, interp=linear
param k = 0.5 in (0.01, 10) log
const w = 1
state x = 1
dx/dt = u - k*w*x
param s = 0.1 in (0.001, 5) log
observe x ~ normal(x, s)
"""
    rng = np.random.default_rng(0)
    frames, curves = [], []
    for name, w, slope in (("a", 1.0, 0.5), ("b", 2.0, -0.2)):
        n = 10 if name == "a" else 7
        t = np.linspace(0, 3, n)
        u = 1 + slope * t
        solve = lambda k, w=w, t=t, u=u: scipy.integrate.solve_ivp(  # noqa: E731
            lambda s, x: np.interp(s, t, u) - k * w * x, (0, 3), [1.0], "DOP853", t, rtol=1e-9, atol=1e-10
        ).y[0]
        observed = solve(1.2) + 0.05 * rng.normal(size=n)
        frames.append(pd.DataFrame({"id": name, "t": t, "u": u, "w": w, "x": observed}))
        curves.append((solve, observed))
    run = check(fit(model(text), pd.concat(frames, ignore_index=True), starts=1))

    def loss(p):
        return -sum(np.sum(scipy.stats.norm.logpdf(x, solve(p[0]), p[1])) for solve, x in curves)

    best, value = optimum(loss, [1.0, 0.1])
    assert run.result["objective"]["nll"] == pytest.approx(value, abs=1e-4)
    assert run.parameters["k"] == pytest.approx(best[0], rel=1e-4)
    assert set(run.predictions["series"]) == {"a", "b"}


def test_vectors_and_inferred_noise():
    text = """model two
param k[2] = [0.5, 0.5] in (0.01, 10) log
state x = 6
state y = 3
dx/dt = -k[1]*x
dy/dt = -k[2]*y
"""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 3, 20)
    data = pd.DataFrame(
        {"t": t, "x": 6 * np.exp(-0.8 * t) + 0.1 * rng.normal(size=20), "y": 3 * np.exp(-1.5 * t) + 0.1 * rng.normal(size=20)}
    )
    run = check(fit(model(text), data, starts=1))
    assert run.result["parameters"]["k"]["shape"] == [2]
    np.testing.assert_allclose(run.parameters["k"], [0.8, 1.5], atol=0.15)
    assert run.result["parameters"]["sd_x"]["value"] == pytest.approx(0.1, abs=0.05)
    assert any("no `observe`" in line for line in run.log)


# ---- what goes wrong -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"set": {"kk": 1}}, "E0850"),
        ({"fix": ["kk"]}, "E0850"),
        ({"set": {"k": 10}}, "E0851"),
        ({"hold_out": "5"}, "E0852"),
        ({"hold_out": "last:0"}, "E0852"),
        ({"hold_out": "fraction:1.5"}, "E0852"),
        ({"hold_out": "last:15"}, "E0636"),
        ({"starts": 0}, "E0853"),
    ],
)
def test_wrong_calls(options, code):
    with pytest.raises((UsageError, DataError)) as caught:
        fit(model(DECAY), decay_data(), **options)
    assert caught.value.diagnostics[0].code == code


def test_a_model_that_cannot_be_fitted_fails_in_words_and_keeps_its_tables():
    text = DECAY.replace("normal(x, s)", "lognormal(-x, s)")
    data = decay_data().assign(x=lambda f: f["x"].abs())
    run = check(fit(model(text), data, starts=2))
    assert run.result["status"] == "failed"
    assert "needs a positive median" in run.result["status_reason"]
    assert run.result["objective"]["nll"] is None
    assert any("line" in line and "W0751" in line for line in run.log)
    assert len(run.predictions)
    assert all(s["status"] == "failed" for s in run.result["starts"])


def test_an_interrupt_keeps_the_best_so_far():
    def stop(progress):
        if progress.iteration == 3:
            raise KeyboardInterrupt

    run = check(fit(model(DECAY), decay_data(), progress=stop))
    assert run.result["status"] == "interrupted"
    assert len(run.result["starts"]) == 25  # 24 and the one from matching
    assert all(s["status"] == "interrupted" for s in run.result["starts"])
    assert run.result["objective"]["value"] == pytest.approx(run.trace["objective"].min())


def test_the_time_limit_keeps_the_best_so_far():
    run = check(fit(model(DECAY), decay_data(), max_seconds=1e-3))
    assert run.result["status"] == "stopped"
    assert run.result["status_reason"] == "out of time"
    assert np.isfinite(run.result["objective"]["nll"])


def test_the_same_seed_gives_the_same_numbers():
    first, second = (fit(model(DECAY), decay_data(), starts=3, seed=7) for _ in range(2))
    assert first.parameters == second.parameters
    assert first.trace["objective"].tolist() == second.trace["objective"].tolist()


# ---- lynx and hare ---------------------------------------------------------------------------------------------------------
def test_lynx_and_hare_by_default_options():
    run = check(fit(declare(Source(str(LYNX / "lynx_hare.ode"), (LYNX / "lynx_hare.ode").read_text())), LYNX / "pelts.csv"))
    assert run.result["status"] == "converged"
    assert run.result["timing"]["total"] < 60
    p = [run.parameters[n] for n in ("alpha", "beta", "gamma", "delta", "sigma_hare", "sigma_lynx", "hare(0)", "lynx(0)")]
    assert run.result["objective"]["nll"] == pytest.approx(lh.scipy_nll(np.array(p)), abs=1e-4)
    around = scipy.optimize.minimize(lambda z: lh.scipy_nll(np.exp(z)), np.log(p), method="BFGS", options={"maxiter": 15})
    assert run.result["objective"]["nll"] < around.fun + 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::scipy.integrate.ODEintWarning")
def test_twenty_starts_with_scipy_find_nothing_better_on_lynx_and_hare():
    run = fit(declare(Source(str(LYNX / "lynx_hare.ode"), (LYNX / "lynx_hare.ode").read_text())), LYNX / "pelts.csv")
    rng = np.random.default_rng(0)
    found = []
    for i in range(20):
        start = np.log(lh.VALUES) + (0.0 if i == 0 else 0.5) * rng.normal(size=8)

        def loss(z):
            value = lh.scipy_nll(np.exp(np.clip(z, -12, 6)), quick=True)
            return value if np.isfinite(value) else 1e4

        found.append(scipy.optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-4}).fun)
    assert run.result["objective"]["nll"] == pytest.approx(min(found), abs=1e-4)
