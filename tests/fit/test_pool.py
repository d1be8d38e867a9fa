"""Starts side by side: the same bits alone and among others, in any order, over a break; early ends; starts that fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from hybridode.data.experiments import experiments
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder, Track
from hybridode.fit.search.ask import Ask, Optimum, Point
from hybridode.fit.search.lanes import MOST_DIRECT, MOST_LANES, Lanes
from hybridode.fit.search.multistart import MOST_DRAWN, evaluated_starts
from hybridode.fit.search.pool import Pool, Snapshot
from hybridode.fit.search.scoring import fisher_scoring
from hybridode.language.check import declare
from hybridode.language.reader import load
from hybridode.solve.settings import Settings

LYNX = Path(__file__).parents[2] / "examples" / "lynx_hare"


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def bowl(asks):
    """|theta - 1|^2 / 2; it cannot be evaluated beyond 10."""
    found = []
    for ask in asks:
        value = 0.5 * float(np.sum((ask.theta - 1) ** 2)) if np.all(np.abs(ask.theta) < 10) else np.inf
        found.append(Point(ask.theta, value, ask.theta - 1, np.eye(len(ask.theta)), "" if np.isfinite(value) else "too far"))
    return found


def starts_at(points, recorder):
    return [Snapshot(k, np.asarray(p, float), None, Track(recorder, k)) for k, p in points]


def scoring(start):
    return fisher_scoring(start.theta, start.track, state=start.state)


def test_all_active_starts_are_asked_for_in_one_call_and_end_in_order():
    sizes = []

    def counted(asks):
        sizes.append(len(asks))
        return bowl(asks)

    points = [(3, [5.0]), (1, [0.5]), (2, [1.0])]
    pool = Pool(starts_at(points, Recorder()), scoring, counted, Recorder()).run()
    assert [e.number for e in pool.endings()] == [1, 2, 3]
    assert all(e.optimum.theta == pytest.approx([1.0]) and e.finished for e in pool.endings())
    assert sizes[0] == 3
    assert sizes[-1] < 3


@pytest.mark.parametrize("stop", [KeyboardInterrupt, None])
def test_what_is_cut_short_keeps_the_best_of_every_start(stop):
    recorder = Recorder(max_seconds=None if stop else 0.0)

    def watch(pool):
        if stop is not None and pool.round == 3:
            raise stop

    pool = Pool(starts_at([(1, [-8.0]), (2, [9.0])], recorder), scoring, bowl, recorder).run(watch=watch)
    assert pool.early == ("interrupted" if stop else "out of time")
    for ending in pool.endings():
        assert not ending.finished
        assert ending.optimum.value == min(row.objective for row in ending.track.rows)


def test_hopeless_starts_are_stopped_and_say_why():
    def hopeless(round_, tracks):
        return {k: "far behind" for k, t in tracks.items() if k == 2 and round_ == 2}

    pool = Pool(starts_at([(1, [-8.0]), (2, [9.0])], Recorder()), scoring, bowl, Recorder()).run(hopeless=hopeless)
    first, second = pool.endings()
    assert first.finished
    assert (second.finished, second.optimum.message, second.optimum.status) == (False, "far behind", "stopped")


def test_an_optimiser_goes_on_from_its_state_at_the_same_bits():
    whole = Pool(starts_at([(1, [-8.0, 3.0])], Recorder()), scoring, bowl, Recorder()).run().endings()[0]
    begun = Pool(starts_at([(1, [-8.0, 3.0])], Recorder()), scoring, bowl, Recorder()).run(until=3)
    again = Pool(begun.snapshots(), scoring, bowl, Recorder())
    (ending,) = again.run().endings()
    assert begun.snapshots()[0].round == 3
    np.testing.assert_array_equal(ending.optimum.theta, whole.optimum.theta)
    assert [r.objective for r in ending.track.rows] == [r.objective for r in whole.track.rows]


def test_points_that_cannot_be_evaluated_are_drawn_anew_and_counted():
    tracks = [Track(Recorder(), k) for k in (1, 2, 3)]
    points = [np.array([0.0]), np.array([20.0]), np.array([30.0])]
    found, drawn = evaluated_starts(
        bowl, points, lambda number, attempt: np.array([40.0 - 10.0 * attempt * (number == 2)]), tracks
    )
    assert drawn == [0, 4, MOST_DRAWN]
    assert [p.theta[0] for p in found] == [0.0, 0.0, 30.0]
    assert found[2].failed
    assert "4 drawn anew" in tracks[1].log[0]


def test_an_optimiser_may_end_without_asking():
    def at_once(start):
        return Optimum(start.theta, 3.0, start.theta, None, "converged", "known", 0)
        yield Ask(start.theta)

    (ending,) = Pool(starts_at([(1, [2.0])], Recorder()), at_once, bowl, Recorder()).run().endings()
    assert ending.optimum.value == 3.0


# ---- on the native engine ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def lynx():
    declarations = declare(load(str(LYNX / "lynx_hare.ode")))
    with jax.enable_x64(True):
        dataset = experiments(declarations, LYNX / "pelts.csv")
        prepared = prepare(dataset, Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder())
    points = prepared.objective.space.unconstrain() + 0.4 * np.random.default_rng(0).normal(size=(21, 8))
    return prepared.lanes, [(k + 1, p) for k, p in enumerate(points)]


def bits(ending):
    o = ending.optimum
    return o.theta.tobytes(), np.float64(o.value).tobytes(), o.gradient.tobytes(), o.iterations


def test_a_start_ends_at_the_same_bits_alone_among_others_and_in_any_order(lynx):
    lanes, points = lynx

    def run(chosen):
        pool = Pool(starts_at(chosen, Recorder()), scoring, lanes, Recorder()).run()
        return {e.number: bits(e) for e in pool.endings()}

    together = run(points)
    assert sum(np.isfinite(np.frombuffer(b[1])[0]) for b in together.values()) > 15
    assert run(points[::-1]) == together
    renumbered = [(21 - k, p) for k, p in points]  # every start in another place of the block
    assert {21 - k: b for k, b in run(renumbered).items()} == together
    for k in (2, 11):
        assert run([points[k]])[k + 1] == together[k + 1]


@pytest.mark.parametrize("by", ["numpy", "jax"])
def test_idle_places_of_a_block_cost_nothing_and_change_nothing(lynx, by):
    lanes, points = lynx[0] if by == "numpy" else left_to_jax(lynx[0]), lynx[1]
    assert lanes.width == (MOST_DIRECT if by == "numpy" else MOST_LANES)
    thetas = np.stack([p for _, p in points[:16]])
    whole, part = lanes.evaluations(thetas), lanes.evaluations(thetas[:5])
    assert np.isfinite(whole.value).all()
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_array_equal(a[:5], b)
    if by == "jax":  # for the other see test_direct
        single = lanes.objective.with_fisher(thetas[3], lanes.batch)
        np.testing.assert_allclose(whole.fisher[3], single.fisher, rtol=1e-12)


def left_to_jax(lanes):
    found = Lanes(lanes.objective, lanes.batch, lanes.implicit, lanes.most_steps)
    found.__dict__["direct"] = None
    return found


@pytest.mark.parametrize("by", ["numpy", "jax"])
def test_memory_limits_the_width(lynx, by):
    lanes = lynx[0] if by == "numpy" else left_to_jax(lynx[0])
    many = Lanes(lanes.objective, replace(lanes.batch, ts=np.zeros((400, 30))))
    many.__dict__["direct"] = lanes.direct
    assert many.width < 16
