"""How much a network explains: splits that are known, and a network that the physics leaves nothing to."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.fit.outcome.shares import share_entry, share_sentences

TIMES = np.linspace(0, 6, 25)
NET = "NN(x, hidden=[3], final=linear, seed=1, reg=l2(0.001))"


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def fitted(rate, x):
    text = f"model m\nparam k = 0.3 in (0.01, 5) log\nstate x = 2\nstate y = 1\nx' = {rate}\ny' = -y\n"
    text += "observe x ~ normal(x, 0.02)\n"
    return ho.fit(ho.parse(text), pd.DataFrame({"t": TIMES, "x": x}), starts=1)


def test_a_network_that_is_all_there_is_explains_everything():
    run = fitted(NET, 2 * np.exp(-0.4 * TIMES))
    assert run.status == "converged"
    entry = run.result["networks"]["NN_x"]
    assert entry["shares"] == {"x": pytest.approx(1.0)} and entry["share"] == pytest.approx(1.0)
    assert "`NN_x` explains 100 % of the rate of `x`" in run.log


def test_a_network_that_the_physics_leaves_nothing_to_is_said_to_explain_nothing():
    run = fitted(f"-k*x + {NET.replace('0.001', '1')}", 2 * np.exp(-0.4 * TIMES))
    entry = run.result["networks"]["NN_x"]
    assert entry["share"] < 0.01 and run.parameters["k"] == pytest.approx(0.4, abs=0.05)
    assert any("`NN_x` explains nothing" in line for line in run.log)


def test_entries_and_sentences():
    assert share_entry({}, False) == {"share": 0.0, "shares": {}}
    assert share_entry(None, False)["share"] is None and share_entry({"x": 1.0}, True)["share_reason"]
    lines = share_sentences({"U": {"share": 0.4, "shares": {"a": 0.4, "b": 0.001}}, "V": {"share": None}, "W": {"share": 0.0}})
    assert lines[0] == "`U` explains 40 % of the rate of `a`" and "`W` explains nothing" in lines[1] and len(lines) == 2


def test_entries_of_a_vector_are_summed_up():
    shares = {"T[1]": 0.38, "T[2]": 0.9, "T[3]": 0.001, "v": 0.5, "c[1]": 0.001, "c[2]": 0.2}
    (line,) = share_sentences({"U": {"share": 0.9, "shares": shares}})
    assert line == "`U` explains 38 to 90 % of the rates of 2 entries of `T`, 50 % of the rate of `v`, 20 % of the rate of `c[2]`"
