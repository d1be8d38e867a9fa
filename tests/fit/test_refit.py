"""A fit that begins with an earlier one: from `run.model` and from fitted.ode, the same to the last bit."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho

GROUPS = """model clearance
const f = 1
param k = 0.3 in (0.01, 5) log by id
param s = 0.1 in (0.001, 1) log
state c = 8 in (0.1, 100) log
c' = -f*k*c
observe c ~ lognormal(c, s)
"""
LEARNT = """model learnt
state x = 10 in (1, 100)
param s = 0.05 fixed
dx/dt = -x*NN(x, hidden=[3])
observe x ~ lognormal(x, s)
"""


def doses(rates, start, begin=0.0, seed=0):
    """x' = -rate x by label, of which one record in each series is a limit."""
    t = begin + np.arange(9.0)
    noise = np.random.default_rng(seed).normal(size=(len(rates), 9))
    frames = []
    for (label, rate), e in zip(rates.items(), noise, strict=True):
        c = [f"{v:.12g}" for v in start * np.exp(-rate * (t - begin) + 0.05 * e)]
        c[-1] = f"<{float(c[-1]) * 1.2:.6g}"
        frames.append(pd.DataFrame({"id": label, "t": t, "c": c}))
    return pd.concat(frames, ignore_index=True)


def bits(run):
    return (
        run.parameters_table["value"].tolist(),
        run.result["objective"]["value"],
        run.trace["objective"].tolist(),
        run.trace["stage"].tolist(),
    )


def refits(text, data, then, folder, **options):
    """The first fit and two that begin with it."""
    run = ho.fit(ho.parse(text, str(folder / "model.ode")), data, **options)
    assert run.status == "converged"
    directory = run.save(folder / "first")
    of_file, of_run = ho.load(directory / "fitted.ode"), run.model
    for name, value in of_file.parameters().items():
        there = jax.tree_util.tree_leaves(of_run.parameters()[name])
        np.testing.assert_equal([*map(np.asarray, there)], [*map(np.asarray, jax.tree_util.tree_leaves(value))])
    return run, ho.fit(of_file, then, starts=1), ho.fit(of_run, then, starts=1)


def test_values_by_group_constants_and_the_beginning_of_the_time(tmp_path):
    first = doses({"a": 0.2, "b": 0.5}, 8.0, begin=2.0)
    then = doses({"b": 0.5, "a": 0.2}, 8.0, begin=2.0, seed=1).query("t > 3")  # the time still begins at 2
    run, of_file, of_run = refits(GROUPS, first, then, tmp_path, set={"f": 1.5}, starts=1)
    assert bits(of_file) == bits(of_run)
    for label, rate in (("a", 0.2), ("b", 0.5)):
        assert float(of_run.parameters["k"][label]) == pytest.approx(rate / 1.5, rel=0.1)
    assert float(of_run.parameters["c(0)"]) == pytest.approx(8, rel=0.1)
    assert of_run.trace["objective"].iloc[0] < run.trace["objective"].iloc[0]  # from the fitted values, not the declared ones


@pytest.mark.slow
def test_trained_weights(tmp_path):
    data, then = (
        pd.DataFrame({"t": t, "x": s * np.exp(-0.4 * t) * (1 + 0.02 * np.cos(7 * t + s))})
        for s, t in ((10.0, np.arange(9.0)), (8.0, np.arange(9.0)))
    )
    _, of_file, of_run = refits(LEARNT, data, then, tmp_path)
    assert bits(of_file) == bits(of_run)
    assert not {"physics alone", "fisher scoring 30 %"} & set(of_run.trace["stage"])  # what an untrained network needs first
    assert any("go on from their weights" in line for line in of_run.log)
    assert of_run.parameters["x(0)"] == pytest.approx(8, abs=0.5)
