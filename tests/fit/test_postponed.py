"""Starts that lead to where only an implicit method gets on: they wait, and go on only if they are needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hybridode as ho
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.postponed import AGREEING, Postponing
from hybridode.fit.search.scoring import fisher_scoring
from tests.fit.test_pool import bowl
from tests.fit.test_search import DECAY


class Stiff:
    """Stands for lanes: what lies below -5 needs an implicit method."""

    implicit, stiff, postponing = "rodas4", 0, False

    def __call__(self, asks):
        hard = [bool(ask.theta[0] < -5) for ask in asks]
        self.stiff += 0 if self.postponing else sum(hard)
        waits = [h and self.postponing for h in hard]
        return [
            replace(p, value=np.inf, reason="stiff", postponed=True) if w else p for p, w in zip(bowl(asks), waits, strict=True)
        ]


def run(begins, postponing):
    lanes, recorder = Stiff(), Recorder()
    decides = Postponing(lanes)  # type: ignore[arg-type]
    if postponing:
        decides.begin()
    starts = [Snapshot(k, np.array([b]), None, Track(recorder, k)) for k, b in enumerate(begins, 1)]
    pool = Pool(starts, lambda s: fisher_scoring(s.theta, s.track, state=s.state), lanes, recorder, postpones=decides).run()
    return pool.endings(), lanes.stiff


def test_a_start_that_waits_is_not_continued_where_enough_others_agree():
    endings, stiff = run([-8.0, *np.linspace(0, 4, AGREEING)], True)
    assert stiff == 0
    assert [e.waited for e in endings] == [True] + [False] * AGREEING
    assert "5 other starts agree" in endings[0].optimum.message
    assert all(e.optimum.theta == pytest.approx([1.0]) for e in endings[1:])


def test_else_it_goes_on_and_ends_at_the_same_bits_as_without_waiting():
    begins = [-8.0, *np.linspace(0, 4, AGREEING - 1)]
    (waited, stiff), (before, _) = run(begins, True), run(begins, False)
    assert stiff > 0
    for a, b in zip(waited, before, strict=True):
        assert (a.optimum.theta.tobytes(), a.optimum.iterations) == (b.optimum.theta.tobytes(), b.optimum.iterations)
        assert a.finished and not a.waited


def test_who_has_nobody_to_wait_for_hears_that_the_step_failed():
    """The polish of the best start, alone: a step to where the model is stiff is not waited for and not solved."""
    lanes, recorder, told = Stiff(), Recorder(), []
    lanes.postponing = True

    def search(s):
        told.append((yield Ask(np.array([-8.0]))))
        return (yield from fisher_scoring(s.theta, s.track))

    (ending,) = Pool([Snapshot(1, np.array([2.0]), None, Track(recorder, 1))], search, lanes, recorder).run().endings()
    assert told[0].failed and told[0].reason == "stiff"
    assert ending.finished and ending.optimum.theta == pytest.approx([1.0]) and lanes.stiff == 0


SATURATED = """model m
param v = 2 in (1e-4, 1e3) log
param km = 3 in (1e-4, 1e3) log
param x0 = 3 in (0.1, 100) log
state x = x0
x' = -v*x/(km + x)
observe x ~ normal(x, s)
param s = 0.3 in (1e-3, 10) log
"""


def test_result_json_counts_the_starts_that_were_not_continued():
    """With v = 1000, km = 0.0001 the state falls to 0 and stays there, decaying at a rate of 1e7."""
    run = ho.fit(ho.parse(SATURATED), DECAY)
    search = run.result["search"]
    assert run.status == "converged" and search["agreeing"] >= AGREEING
    assert search["not_continued"] > 0 and search["stiff_points"] == 0
    waited = [s for s in run.result["starts"] if s["reason"].startswith("not continued")]
    assert len(waited) == search["not_continued"]
    assert all(s["status"] == "stopped" for s in waited)
    given = ho.fit(ho.parse(SATURATED), DECAY, starts=[{"v": 500.0, "km": 1e-3}])  # who names a start has it continued
    assert given.result["search"]["not_continued"] == 0


def test_starts_that_were_given_are_not_stopped_early():
    """Two of them begin where nothing moves: they end by themselves, at the worse optimum."""
    begin = [{"v": 2.0, "km": 3.0}, {"v": 900.0, "km": 900.0}, {"v": 3e-4, "km": 900.0}, {"v": 2e-4, "km": 800.0}]
    search = ho.fit(ho.parse(SATURATED), DECAY, starts=begin).result["search"]
    assert search["stopped_early"] == search["not_continued"] == search["resampled"] == 0
