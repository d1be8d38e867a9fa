"""How far starts agree: counts in result.json, a warning where the best rests on one start, starts of which a series fails."""

from __future__ import annotations

import json
from dataclasses import replace

import jax
import jsonschema
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit.outcome.result import result_schema
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.search.agreement import agreement_entry, doubt, doubt_of, optima_of, unseen_share
from hybridode.fit.search.starts import StartResult
from hybridode.language.check import declare
from hybridode.solve.settings import Settings


def ends(*values: float, status: str = "converged") -> list[StartResult]:
    """Starts that ended at these objectives: every other one drawn anew once, those above 90 stopped early."""
    found = []
    for k, v in enumerate(values, 1):
        ended = status if np.isfinite(v) else "failed"
        found.append(StartResult(k, np.zeros(1), v, ended, "", 3, 0, resampled=k % 2, stopped_early=90 < v < np.inf))
    return found


def test_starts_are_counted_by_where_they_ended() -> None:
    found = [*ends(1.0, 1.0005, 5.0, np.inf), *ends(95.0, status="stopped")]
    entry = agreement_entry(found, 7)
    assert {k: entry[k] for k in ("agreeing", "optima", "stopped_early", "failed", "resampled", "stiff_points")} == {
        "agreeing": 2, "optima": 2, "stopped_early": 1, "failed": 1, "resampled": 3, "stiff_points": 7,
    }  # fmt: skip
    assert [len(g) for g in optima_of(found)] == [2, 1]
    assert agreement_entry(ends(np.inf), 0)["unseen_share_reason"]


@pytest.mark.parametrize("shares", [(0.9, 0.1), (0.5, 0.3, 0.1, 0.05, 0.05)])
def test_the_unseen_share_is_about_what_further_starts_find(shares: tuple[float, ...]) -> None:
    """Against draws from known basins: the estimate never says much less than the truth on the average."""
    rng, estimate, truth = np.random.default_rng(0), [], []
    for _ in range(400):
        drawn = rng.choice(len(shares), 12, p=shares)
        estimate.append(unseen_share(ends(*(10.0 * drawn))))
        truth.append(sum(s for k, s in enumerate(shares) if k not in drawn))
    assert np.mean(truth) <= np.mean(estimate) < np.mean(truth) + 0.15


def test_a_result_that_rests_on_one_start_is_doubted() -> None:
    assert "only one of 5 starts" in doubt(ends(1.0, 2.0, 2.0, 2.0, 2.0))
    assert "--starts 20" in doubt(ends(1.0, 2.0, 2.0, 2.0, 2.0))
    assert doubt(ends(1.0, 1.2, 2.0, 2.0, 2.0, 2.0)) == ""  # a flat way confirms it
    assert "the others to 6 other optima" in doubt(ends(1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0))
    assert doubt(ends(1.0, 2.0, 3.0)) == doubt(ends(np.inf)) == ""


BLOWS_UP = """model m
param k = 3 in (0.001, 50) log
const u = 0
state x = 1
x' = k*u*x^2 - 0.3*x
observe x ~ normal(x, 0.05)
"""


@pytest.fixture(scope="module")
def two_experiments() -> pd.DataFrame:
    """x' = k u x^2 - 0.3 x with k = 0.2: beyond k = 0.43 the series with u = 1 has no solution to the end."""
    t, rng, frames = np.linspace(0, 4, 12), np.random.default_rng(0), []
    for name, u in (("quiet", 0.0), ("driven", 1.0)):
        a = 0.2 * u / 0.3
        x = np.exp(-0.3 * t) / (1 - a * (1 - np.exp(-0.3 * t)))  # Bernoulli's equation
        frames.append(pd.DataFrame({"t": t, "x": x + 0.05 * rng.normal(size=12), "experiment": name, "u": u}))
    return pd.concat(frames, ignore_index=True)


def test_a_point_where_one_of_two_series_fails_has_no_value(two_experiments: pd.DataFrame) -> None:
    with jax.enable_x64(True):
        dataset = experiments(declare(Source("m.ode", BLOWS_UP)), two_experiments)
        lanes = prepare(dataset, Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder()).lanes
        bad, good = (lanes.point(lanes.objective.space.unconstrain({"k": k})) for k in (3.0, 0.2))
    assert good.value < 0 and not good.failed
    assert bad.failed and "(1 of 2 series)" in bad.reason
    assert not np.any(bad.gradient)


def test_starts_of_which_one_series_fails_are_drawn_anew_and_counted(two_experiments: pd.DataFrame) -> None:
    run = ho.fit(ho.parse(BLOWS_UP), two_experiments, starts=6)
    assert run.status == "converged"
    assert run.parameters["k"] == pytest.approx(0.2, abs=0.03)
    starts, search = run.result["starts"], run.result["search"]
    assert starts[0]["resampled"] > 0  # the declared value
    assert search["resampled"] == sum(s["resampled"] for s in starts)
    assert search["failed"] == 0 and search["agreeing"] == len(starts)
    assert any("W0751" in line and "1 of 2 series" in line for line in run.log)
    assert any("start 1:" in line and "drawn anew" in line for line in run.log)
    jsonschema.validate(json.loads(json.dumps(run.result)), result_schema())


def test_a_lonely_optimum_at_the_noise_is_not_doubted() -> None:
    """The best of six starts alone: a warning where it leaves more than a smooth curve, none where it leaves as much."""
    text = "model m\nparam k = 0.5 in (0.01, 5)\nstate x = 3\nx' = -k*x\nobserve x ~ normal(x, 0.05)\n"
    t, rng = np.linspace(0, 6, 30), np.random.default_rng(2)
    frame = pd.DataFrame({"t": t, "x": 3 * np.exp(-0.5 * t) + 0.05 * rng.normal(size=30)})
    with jax.enable_x64(True):
        dataset = experiments(declare(Source("m.ode", text)), frame)
        lanes = prepare(dataset, Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder()).lanes
        for k, doubted in ((0.5, False), (0.9, True)):
            first = ends(1.0)[0]
            results = [replace(first, theta=lanes.objective.space.unconstrain({"k": k})), *ends(9.0, 9.0, 9.0, 9.0, 9.0)]
            assert doubt(results)
            assert bool(doubt_of(lanes, results)) == doubted
