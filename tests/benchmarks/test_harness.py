"""The harness itself: curves, medians, texts for peers, pages. No peer and no long run is needed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.benchmarks import document
from tests.benchmarks.goals import GOALS
from tests.benchmarks.measure import QUICK, Effort, interleaved
from tests.benchmarks.peers import peers
from tests.benchmarks.peers.generated import function, values
from tests.benchmarks.peers.pydiffsol import model_text as diffsl_text
from tests.benchmarks.peers.roadrunner import model_text as antimony_text
from tests.benchmarks.peers.text import equations, numbers
from tests.benchmarks.precision import Point, compare, front, geometric_mean, time_at
from tests.benchmarks.tables import TABLES
from tests.benchmarks.tables.single import accuracies
from tests.benchmarks.tables.single_report import AUTO
from tests.benchmarks.tables.table import ratio_text, time_text
from tests.problems import NONSTIFF, STIFF, chain, pollu_gradient, problems


def points(*pairs):
    return [Point(0.0, error, seconds) for error, seconds in pairs]


def test_time_at_equal_error_lies_between_the_points():
    curve = points((1e-2, 1.0), (1e-6, 100.0))
    assert time_at(curve, 1e-4) == pytest.approx(10.0)  # half way in logarithms
    assert time_at(curve, 1e-6) == pytest.approx(100.0)
    assert time_at(curve, 0.5) == 1.0  # the quickest point is good enough
    assert time_at(curve, 1e-7) is None


def test_what_is_slower_and_worse_does_not_count():
    curve = points((1e-2, 1.0), (1e-1, 5.0), (1e-6, 100.0), (1e-5, 200.0))
    assert [p.error for p in front(curve)] == [1e-2, 1e-6]
    found = compare(points((1e-8, 2.0)), {"a": curve, "b": points((1e-3, 0.1))}, 1e-6)
    assert (found.ours, found.other, found.others, found.ratio) == (2.0, "a", 100.0, 50.0)
    assert compare([], {"a": curve}, 1e-6).ratio is None
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0) and geometric_mean([]) is None


def test_contenders_take_turns():
    calls: list[str] = []
    effort = Effort(rounds=3, sample=0.0, budget=1.0)
    found = interleaved({name: lambda name=name: calls.append(name) for name in "AB"}, effort)
    assert calls[-6:] == ["A", "B", "A", "B", "A", "B"]
    assert found["A"].rounds == 3 and 0 <= found["A"].least <= found["A"].median


@pytest.mark.parametrize("name", [*STIFF, *NONSTIFF, "ringmod"])
def test_generated_rates_are_those_of_the_file(name):
    """The peers' equations against the product's compiler, which reads the same file by other code."""
    import hybridode as ho

    problem = problems()[name]
    compiled = ho.parse(problem.text).compiled()
    p, y0 = values(problem.text)
    y = np.array(y0) + 0.1
    rates = function(problem.text)(y.tolist(), p, 0.3e-3)
    np.testing.assert_allclose(rates, compiled.numbers("rates", 0.3e-3, y, compiled.arguments()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [*STIFF, *NONSTIFF])
def test_texts_for_peers_have_every_state_and_parameter(name):
    system = equations(problems()[name].text)
    p, y0 = numbers(system)
    assert (len(p), len(y0)) == (len(system.parameters), len(system.states))
    assert antimony_text(system).count("' = ") == len(y0) and "**" not in antimony_text(system)
    assert "^" not in diffsl_text(system) and "F_i" in diffsl_text(system)


def test_problems_are_complete():
    assert {*STIFF, *NONSTIFF} < set(problems())
    for problem in problems().values():
        assert problem.error(problem.reference) == 0 and problem.source and np.all(np.isfinite(problem.reference))
    assert pollu_gradient().shape == (45,)
    assert len(equations(chain(10)).states) == 10


def test_a_solver_makes_a_curve_and_a_missing_one_says_so():
    lorenz = problems()["lorenz"]
    scipy = next(p for p in peers(False) if p.name == "SciPy DOP853")
    found, note = accuracies(lorenz, scipy, Effort(tolerances=(1e-3, 1e-6)))
    assert note == "" and [rtol for rtol, *_ in found] == [1e-3, 1e-6] and found[1][1] < found[0][1]
    from dataclasses import replace

    assert "not installed" in (replace(scipy, package="no-such-package").missing or "")


def test_the_page_is_made_from_json(tmp_path):
    """Also of tables that lack peers, by a round through JSON."""
    curve = [{"rtol": r, "error": r, "seconds": 1e-6 / r**0.2, "least": 1e-6, "rounds": 3} for r in (1e-3, 1e-6, 1e-9)]
    slow = [{**p, "seconds": 20 * p["seconds"]} for p in curve]
    rows = {
        AUTO: {"family": "hybridode", "points": curve, "note": ""},
        "pydiffsol BDF": {"family": "pydiffsol", "points": slow, "note": ""},
        "Diffrax Kvaerno5": {"family": "Diffrax", "points": [], "note": "diffrax is not installed"},
    }
    facts = {"date": "2026-01-01", "processor": "none", "cores": 1, "load": [0, 0, 0], "versions": {}, "took": 1.0, "quick": True}
    results = json.loads(json.dumps({"stiff": {"stiff": True, "problems": {"rober": rows}, "facts": facts}}))
    text = document.write(tmp_path, results)
    assert "20×" in text and "diffrax is not installed (rober)" in text and "aim reached" in text
    assert (tmp_path / "benchmarks" / "rober.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert document.stored(tmp_path) == results and (tmp_path / "benchmarks.md").exists()


def test_every_goal_is_some_tables():
    names = {
        "stiff",
        "nonstiff",
        "gradient",
        "ensemble",
        "ragged",
        "events",
        "limit",
        "network",
        "startup",
        "growth",
        "dae",
        "fits",
        "sampling",
    }
    assert {t.name for t in TABLES} == names
    assert all(goal.at_least > 0 and math.isfinite(goal.aim) for goal in GOALS.values())
    assert QUICK.rounds < Effort().rounds


def test_events_of_the_peers_are_those_of_the_text():
    """The functions that the peers are given, with an integrator started again by hand, against the exact solutions."""
    from tests.benchmarks.peers.events import prepare_scipy
    from tests.problems.events import event_problems

    for problem in event_problems().values():
        fine = 1e-10 if problem.name == "impact oscillator" else 1e-8  # coarser steps pass over an impact
        assert problem.error(prepare_scipy(problem, "DOP853")(fine, fine)()) < 1e-6


def test_texts_of_numbers():
    assert [time_text(s) for s in (None, 2e-9, 4.56e-5, 0.0123, 123.0)] == ["–", "0.002 µs", "45.6 µs", "12.3 ms", "123 s"]
    assert [ratio_text(r) for r in (None, 7.04, 250.3)] == ["–", "7×", "250×"]
