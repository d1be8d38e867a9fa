"""Values by group against least squares: the logarithm of x' = -k*x, x(0) = a is a straight line, -k*t + log(a)."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.errors import UsageError
from hybridode.fit.objective.batch import build_batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import parameter_space
from hybridode.solve import results
from hybridode.solve.settings import Settings

MODEL = """model m
param k = 1 in (0, 5){k}
param s = 0.2 in (0.001, 2) log{s}
state x = 2 in (0.1, 10) log{x}
x' = -k*x
observe x ~ lognormal(x, s)
"""
PRECISE = Settings(rtol=1e-9, atol=1e-12)
TRUE = {"WT": 0.4, "mutant 2": 0.9, "7": 0.6}


def model(k: str = "", s: str = "", x: str = "", text: str = MODEL) -> ho.Model:
    return ho.parse(text.format(k=k, s=s, x=x), "m.ode")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    parts = []
    for j, (strain, k) in enumerate(TRUE.items()):
        for replicate in (1, 2):
            t = np.sort(rng.uniform(0, 5, 9))
            noise = (0.05 + 0.1 * (replicate - 1)) * rng.normal(size=9)
            parts.append(pd.DataFrame({"experiment": f"e{j}{replicate}", "strain": strain, "day": str(replicate), "t": t,
                                       "x": 3 * np.exp(-k * t + noise)}))  # fmt: skip
    return pd.concat(parts).reset_index(drop=True)


def least_squares(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
    """Slopes by strain and log(a), with standard errors, and the maximum-likelihood scatter."""
    X = np.column_stack([*(-frame["t"] * (frame["strain"] == strain) for strain in TRUE), np.ones(len(frame))])
    y = np.log(frame["x"].to_numpy())
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    s = float(np.sqrt(np.mean((y - X @ best) ** 2)))
    return best, s * np.sqrt(np.diag(np.linalg.inv(X.T @ X))), s


def anchored(frame: pd.DataFrame) -> pd.DataFrame:
    """A row without a value at time 0, where every series starts."""
    first = frame.drop_duplicates("experiment").assign(t=0.0, x=np.nan)
    return pd.concat([first, frame])


def test_one_value_per_group_is_least_squares(frame: pd.DataFrame):
    run = ho.fit(model(" by strain"), anchored(frame), starts=1, settings=PRECISE)
    best, se, s = least_squares(frame)
    assert run.status == "converged"
    assert list(run.parameters["k"]) == list(TRUE)
    np.testing.assert_allclose([*run.parameters["k"].values(), np.log(run.parameters["x(0)"])], best, rtol=1e-5)
    assert run.parameters["s"] == pytest.approx(s, rel=1e-5)
    table = run.parameters_table.set_index("name")
    np.testing.assert_allclose(table["se"][[f"k[{g}]" for g in TRUE]], se[:3], rtol=1e-4)
    entry = run.result["parameters"]["k"]
    assert (entry["by"], entry["labels"], entry["shape"]) == ("strain", list(TRUE), [3])
    np.testing.assert_allclose(entry["value"], best[:3], rtol=1e-5)


def test_scales_by_another_column_than_values(frame: pd.DataFrame):
    """Two groupings that cross each other: SciPy minimises the likelihood of the straight lines."""
    import scipy.optimize

    run = ho.fit(model(" by strain", " by day"), anchored(frame), starts=1, settings=PRECISE)
    strain = frame["strain"].map(list(TRUE).index).to_numpy()
    day = frame["day"].map(["1", "2"].index).to_numpy()

    def nll(z: np.ndarray) -> float:
        residual = np.log(frame["x"]) - z[3] + z[strain] * frame["t"]
        return float(
            np.sum(0.5 * (residual / np.exp(z[4 + day])) ** 2 + z[4 + day] + np.log(frame["x"]) + 0.5 * np.log(2 * np.pi))
        )

    found = scipy.optimize.minimize(nll, [0.5, 0.5, 0.5, 1, -2, -2], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10,
                                                                                                  "maxiter": 10000})  # fmt: skip
    assert run.result["objective"]["nll"] == pytest.approx(found.fun, abs=1e-5)
    np.testing.assert_allclose(list(run.parameters["s"].values()), np.exp(found.x[4:]), rtol=1e-3)


def test_gradients_of_values_by_group_agree_with_differences(frame: pd.DataFrame):
    m = model(" by strain", " by day", " by series")
    with jax.enable_x64(True):
        data = experiments(m.declarations, anchored(frame))
        compiled = m.compiled()
        space = parameter_space(m.declarations.parameters, (), data.given, data.groups)
        assert space.names[:5] == ("k[WT]", "k[mutant 2]", "k[7]", "s[1]", "s[2]")
        assert len(space.names) == 5 + 6
        batch, _ = build_batch(compiled, data, space)
        objective = Objective(compiled, space, (), compiled.arguments().parameters, {}, (), "tsit5", PRECISE, None, (False,))
        z = space.unconstrain() + 0.1 * np.arange(space.size)
        e = objective.with_gradient(z, batch)
        assert np.all(np.asarray(e.results) == results.SUCCESS)
        h = 1e-5
        value = lambda z: float(objective.with_gradient(z, batch).value)  # noqa: E731
        differences = [(value(z + h * v) - value(z - h * v)) / (2 * h) for v in np.eye(space.size)]
        np.testing.assert_allclose(e.gradient, differences, rtol=1e-4, atol=1e-5)


def test_set_and_fix_by_group(frame: pd.DataFrame):
    m = model(" by strain")
    run = ho.fit(m, anchored(frame), starts=1, set={"k[WT]": 0.3}, fix=["k[WT]", "s"], settings=PRECISE)
    assert run.parameters["k"]["WT"] == 0.3
    fixed = run.parameters_table.set_index("name")["fixed"]
    assert [fixed[n] for n in ("k[WT]", "k[7]", "s")] == [True, False, True]
    # The other groups: least squares with the slope of one known.
    y = np.log(frame["x"]) + 0.3 * frame["t"] * (frame["strain"] == "WT")
    X = np.column_stack([*(-frame["t"] * (frame["strain"] == g) for g in ("mutant 2", "7")), np.ones(len(frame))])
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose([run.parameters["k"][g] for g in ("mutant 2", "7")], best[:2], rtol=1e-5)
    with pytest.raises(UsageError, match=r"did you mean `k\[WT\]`"):
        ho.fit(m, frame, set={"k[Wt]": 0.3})


def test_a_prior_holds_for_each_group(frame: pd.DataFrame):
    """With s known the posterior mode of normal priors on slopes is penalised least squares."""
    text = MODEL.replace("{s}", " fixed") + "prior k ~ normal(1, 0.05)\n"
    run = ho.fit(model(" by strain", text=text), anchored(frame), starts=1, settings=PRECISE)
    X = np.column_stack([*(-frame["t"] * (frame["strain"] == g) for g in TRUE), np.ones(len(frame))])
    weight = np.diag([1 / 0.05**2] * 3 + [0])
    y = np.log(frame["x"])
    best = np.linalg.solve(X.T @ X / 0.2**2 + weight, X.T @ y / 0.2**2 + weight @ np.ones(4))
    np.testing.assert_allclose(list(run.parameters["k"].values()), best[:3], rtol=1e-5)


def test_the_fitted_model_keeps_the_values_and_is_fitted_again(frame: pd.DataFrame, tmp_path):
    run = ho.fit(model(" by strain", x=" by series"), anchored(frame), starts=1)
    again = ho.load(run.save(tmp_path / "run") / "fitted.ode")
    for p in again.declarations.parameters:
        if p.by:
            assert {label: v[0] for label, v in p.groups} == run.parameters[p.name]  # to the last bit
            low, high = min(run.parameters[p.name].values()), max(run.parameters[p.name].values())
            assert low < p.values[0] < high
    for m in (again, run.model):
        end = m.simulate(at=[2.0], groups={"strain": "7", "series": "e21"}, rtol=1e-9, atol=1e-12)["x"][0]
        assert end == pytest.approx(run.parameters["x(0)"]["e21"] * np.exp(-2 * run.parameters["k"]["7"]), rel=1e-7)
    second = ho.fit(again, anchored(frame), starts=1)
    assert second.result["objective"]["nll"] == pytest.approx(run.result["objective"]["nll"], abs=1e-6)
    assert second.result["starts"][0]["iterations"] <= 3
    # Fewer groups than before: the others keep their values.
    third = ho.fit(again, anchored(frame[frame["strain"] != "WT"]), starts=1)
    kept = ho.load(third.save(tmp_path / "third") / "fitted.ode").declarations.parameters[0]
    assert dict(kept.groups)["WT"] == (run.parameters["k"]["WT"],)


def test_vectors_by_group():
    t = np.linspace(0, 2, 8)
    rows = [pd.DataFrame({"site": g, "t": t, "x": v[0] + v[1] * t}) for g, v in {"a": (1.0, 2.0), "b": (3.0, -1.0)}.items()]
    text = "model v\nparam w[2] = [0.5, 0.5] by site\nstate x\nx(0) = w[1]\nx' = w[2]\nobserve x ~ normal(x, 0.1)\n"
    run = ho.fit(ho.parse(text), pd.concat(rows), starts=1, set={"w[b]": [2.0, 0.1]}, settings=PRECISE)
    np.testing.assert_allclose(run.parameters["w"]["a"], [1, 2], atol=1e-6)
    np.testing.assert_allclose(run.parameters["w"]["b"], [3, -1], atol=1e-6)
    assert list(run.parameters_table["name"]) == ["w[1][a]", "w[2][a]", "w[1][b]", "w[2][b]"]
    assert run.result["parameters"]["w"]["shape"] == [2, 2]
