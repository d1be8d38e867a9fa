"""A fit that would follow the data with two columns exchanged says so; one that follows them does not."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.run import fit
from hybridode.fit.search.exchanged import _differ, exchange_warning
from hybridode.fit.search.starts import StartResult
from hybridode.language.check import declare
from hybridode.solve.settings import Settings

FOLDER = Path(__file__).parents[2] / "examples" / "lynx_hare"
# Starts that tell nothing apart, so that only the shapes of the curves can.
TEXT = (FOLDER / "lynx_hare.ode").read_text(encoding="utf-8").replace("lynx =  5 in", "lynx = 30 in")


@pytest.mark.parametrize("swapped", [False, True])
def test_hare_and_lynx(swapped):
    model = declare(Source("lynx_hare.ode", TEXT))
    pelts = pd.read_csv(FOLDER / "pelts.csv", comment="#")
    if swapped:
        pelts = pelts.rename(columns={"hare": "lynx", "lynx": "hare"})
    run = fit(model, pelts, starts=3)
    assert run.status == "converged"
    assert "W0643" not in [w.code for w in run.dataset.warnings]
    told = [line for line in run.log if line.startswith("warning W0646")]
    assert bool(told) == swapped
    if swapped:
        assert "`hare` and `lynx` exchanged" in told[0]


def test_a_model_that_is_wrong_either_way_is_not_told_to_swap():
    """Data that no order of the columns explains: decays fitted to waves."""
    model = ho.parse(
        "model wrong\nparam a = 0.5 in (0.01, 5) log\nparam b = 0.1 in (0.01, 5) log\nparam s = 0.3 in (0.001, 5) log\n"
        "state x = 2\nstate y = 3\ndx/dt = -a*x\ndy/dt = -b*y\nobserve x ~ normal(x, s)\nobserve y ~ normal(y, s)\n"
    )
    t = np.linspace(0, 10, 40)
    data = pd.DataFrame({"t": t, "x": 2 + np.sin(2 * t), "y": 3 + np.cos(2 * t)})
    run = fit(model, data, starts=2)
    assert run.status == "converged"
    assert not [line for line in run.log if line.startswith("warning W0646")]


def test_a_poor_optimum_is_not_told_to_swap_where_the_columns_hold_the_same():
    """Two decays at one rate from one start: exchanged, a poor optimum gets better by luck, not by the exchange."""
    text = (
        "model twins\nparam a = 0.5 in (0.01, 5) log\nparam b = 0.5 in (0.01, 5) log\nstate x = 2\nstate y = 2\n"
        "x' = -a*x\ny' = -b*y\nobserve x ~ normal(x, 0.02)\nobserve y ~ normal(y, 0.02)\n"
    )
    t, rng = np.linspace(0, 5, 30), np.random.default_rng(4)
    frame = pd.DataFrame({"t": t, "x": 2 * np.exp(-0.7 * t) + 0.02 * rng.normal(size=30)})
    for rate, same in ((0.7, True), (0.4, False)):
        frame["y"] = 2 * np.exp(-rate * t) + 0.02 * rng.normal(size=30)
        with jax.enable_x64(True):
            dataset = experiments(ho.parse(text).declarations, frame)
            lanes = prepare(dataset, Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder()).lanes
            poor = lanes.objective.space.unconstrain({"a": 3.0, "b": 0.1})
            noise = dict.fromkeys(("x", "y"), 0.02)
            assert _differ(lanes, 0, 1, noise) == (not same)
            found = [StartResult(1, poor, lanes.point(poor).value, "stopped", "", 1, 0)]
            assert exchange_warning(lanes, found, [poor]) == ""
