"""A run that is opened again is the fit that was: same objective, same optimum, same tables."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.api import Run

DECAY = """model decay
time t: h from 0
param k: 1/h = 0.3 in (0.01, 5) log
param m = 1 in (0.1, 10) log by site
const W = 70
state x = 1
dx/dt = -k*x*m*W/70
param s = 0.05 in (0.001, 2) log
observe x ~ normal(x, s)
"""
FED = """model fed
time t: d from 0
param k: 1/d = 0.7 in (0.01, 5) log
input F from feed.F, interp=linear
state x = 1 in (0.1, 10)
dx/dt = F - k*x
param s = 0.05 in (0.001, 2) log
observe x ~ normal(x, s)
"""
LEARNT = """model learnt
time t from 0
param k = 0.7 in (0.01, 5) log
state x = 1
dx/dt = -k*x + NN(x, hidden=[3], reg=l2(0.01))
param s = 0.05 in (0.001, 2) log
observe x ~ normal(x, s)
"""
TIMES = np.linspace(0.5, 4, 8)


def decays(rates: dict[str, float]) -> pd.DataFrame:
    def noise() -> np.ndarray:
        return random.normal(scale=0.02, size=8)

    random = np.random.default_rng(3)
    frames = [pd.DataFrame({"experiment": n, "t": TIMES, "x": np.exp(-r * TIMES) + noise()}) for n, r in rates.items()]
    return pd.concat(frames)


def again(run: Run, folder: Path) -> Run:
    """The run from its files; asserts first that it was a fit."""
    assert run.status == "converged"
    run.save(folder / "run")
    opened = ho.open_run(folder / "run")
    then, now = run.fitted.finished, opened.fitted.finished
    assert then is not None
    assert now is not None
    np.testing.assert_allclose(now.theta, then.theta, rtol=1e-13, atol=1e-13)
    with jax.enable_x64(True):
        a, b = then.prepared.lanes.point(then.theta), now.prepared.lanes.point(then.theta)
    assert a.value == b.value
    np.testing.assert_array_equal(a.gradient, b.gradient)
    assert opened.result == run.result
    pd.testing.assert_frame_equal(opened.residuals, run.residuals, check_dtype=False)
    pd.testing.assert_frame_equal(opened.predictions, run.predictions, check_dtype=False)
    for name, value in run.parameters.items():
        np.testing.assert_allclose(np.asarray(pd.Series(opened.parameters[name])), np.asarray(pd.Series(value)), rtol=1e-13)
    assert opened.log == run.log
    return opened


def test_groups_conditions_constants_and_fixed_numbers(tmp_path: Path) -> None:
    conditions = pd.DataFrame({"experiment": ["a", "b"], "site": ["north", "south"]})
    data = decays({"a": 0.4, "b": 0.9})
    data.loc[3, "x"] = np.nan
    run = ho.fit(ho.parse(DECAY), data, conditions=conditions, set={"W": 35}, fix={"k": 0.5}, hold_out="last:1")
    opened = again(run, tmp_path)
    assert opened.fitted.constants == {"W": 35.0}
    assert opened.parameters["k"] == 0.5


def test_inputs_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "feed.csv").write_text("t,F\n0,1\n5,2\n")
    (tmp_path / "fed.ode").write_text(FED)
    run = ho.fit(tmp_path / "fed.ode", decays({"007": 0.2, "NA": 0.2}), sources={"feed": tmp_path / "feed.csv"})
    (tmp_path / "feed.csv").unlink()
    again(run, tmp_path)


def test_networks_and_a_fit_that_goes_on_from_a_fit(tmp_path: Path) -> None:
    data = decays({"a": 0.8})
    first = ho.fit(ho.parse(LEARNT), data)
    again(first, tmp_path / "first")
    second = ho.fit(first.model, data, fix=["k"])
    opened = again(second, tmp_path / "second")
    np.testing.assert_array_equal(opened.weights["NN_x"]["W0"], second.weights["NN_x"]["W0"])


def test_another_method_than_at_the_declared_values(tmp_path: Path) -> None:
    run = ho.fit(ho.parse(DECAY.replace(" by site", "")), decays({"a": 0.4}), settings={"method": "kvaerno5"})
    assert again(run, tmp_path).fitted.finished.prepared.objective.method == "kvaerno5"  # type: ignore[union-attr]


def test_a_run_without_its_sources_says_so(tmp_path: Path) -> None:
    ho.fit(ho.parse(DECAY.replace(" by site", "")), decays({"a": 0.4}), starts=2).save(tmp_path / "run")
    (tmp_path / "run" / "source" / "data.csv").unlink()
    with pytest.raises(ho.DataError, match=r"has no `source/data.csv`") as caught:
        ho.open_run(tmp_path / "run")
    assert [d.code for d in caught.value.diagnostics] == ["E0811"]
