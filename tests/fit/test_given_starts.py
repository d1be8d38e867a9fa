"""`starts=` with the points themselves: the search begins exactly there. Oracle: the likelihood in closed form."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.api import fit
from hybridode.errors import UsageError
from hybridode.fit.search.descent import PARTS, STRAIGHT
from hybridode.fit.search.given import check_seed

DECAY = """model decay
time t from 0
param k = 0.5 in (0.01, 5) log
param s = 0.2 in (0.01, 2) log
state x = 2
dx/dt = -k*x
observe x ~ normal(x, s)
"""
TIMES = np.linspace(0.25, 4, 16)
DATA = pd.DataFrame({"t": TIMES, "x": 2 * np.exp(-0.8 * TIMES) + np.random.default_rng(0).normal(0, 0.1, 16)})
POINTS = [{"k": 0.1, "s": 0.5}, {"k": 3.0, "s": 0.05}, {"k": 0.7}]


def minus_log_likelihood(k, s, share=1.0):
    """Of the records in this share of the time."""
    r = ((DATA["x"] - 2 * np.exp(-k * TIMES)) / s)[TIMES <= share * TIMES[-1]]
    return float(np.sum(r**2) / 2 + len(r) * (math.log(s) + 0.5 * math.log(2 * math.pi)))


@pytest.mark.parametrize("starts", [POINTS, pd.DataFrame(POINTS).fillna(0.2)])
def test_the_search_begins_at_the_points_given(starts):
    run = fit(ho.parse(DECAY), DATA, starts=starts)
    assert run.status == "converged" and len(run.result["starts"]) == 3  # and no other start beside them
    first = run.trace[run.trace["iteration"] == 1].set_index("start")["objective"]
    for number, point in enumerate(POINTS, start=1):
        share = 1.0 if number % STRAIGHT == 1 else PARTS[0]
        assert first[number] == pytest.approx(minus_log_likelihood(point["k"], point.get("s", 0.2), share), rel=1e-6)
    assert run.result["settings"]["used"]["starts"] == 3
    assert repr(run).startswith("Fit of decay\n\nparameter ")
    assert "of 3 starts ended at this optimum" in repr(run)
    assert "<svg" in run._repr_html_()


def test_weights_of_networks_are_given_by_array():
    text = "model net\ntime t from 0\nstate x = 2\nnn U: 1 -> 1, hidden=[2], act=tanh, shift=[0], scale=[1], out_scale=1\n"
    model = ho.parse(text + "dx/dt = U(x)\nobserve x ~ normal(x, 0.1)\n")
    zero = {"W0": np.zeros((2, 1)), "b0": np.zeros(2), "W1": np.zeros((1, 2)), "b1": np.zeros(1)}
    plans = []
    fit(model, DATA, starts=[{"U": zero}], max_seconds=0.1, planned=plans.append)
    expected = np.sum((DATA["x"] - 2) ** 2) / 0.02 + 16 * (math.log(0.1) + 0.5 * math.log(2 * math.pi))  # x stays at 2
    assert plans[0].objective == pytest.approx(expected, rel=1e-9)
    with pytest.raises(UsageError) as caught:
        fit(model, DATA, starts=[{"U": {"W0": np.zeros((1, 2))}}])
    assert caught.value.diagnostics[0].code == "E0854" and "(2, 1)" in str(caught.value)


@pytest.mark.parametrize(
    ("starts", "code"), [([], "E0853"), ([{"q": 1.0}], "E0850"), ([{"k": 9.0}], "E0851"), (pd.DataFrame({"k": []}), "E0853")]
)
def test_points_that_make_no_sense(starts, code):
    with pytest.raises(UsageError) as caught:
        fit(ho.parse(DECAY), DATA, starts=starts)
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize("seed", [-1, 1.5, True, "a", None])
def test_a_seed_is_a_whole_number(seed) -> None:
    with pytest.raises(UsageError, match="E0855"):
        check_seed(seed)
    for fine in (0, 7, np.int64(3), 2**63):
        check_seed(fine)
