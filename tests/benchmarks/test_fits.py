"""The fits' harness: all contenders are given one problem, and arrivals are counted as they should be. No peer is needed."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hybridode as ho
from tests.benchmarks.fits import by_hybridode, by_scipy
from tests.benchmarks.fits.by_amici import antimony_text, weight_names
from tests.benchmarks.fits.contenders import CONTENDERS, Entry
from tests.benchmarks.fits.judge import judged, ratio, share_ratio
from tests.benchmarks.fits.problems import PROBLEMS
from tests.benchmarks.fits.residuals import finished, residuals
from tests.benchmarks.tables import fits

ALL = list(PROBLEMS.values())


def somewhere(problem):
    """A time, a state, parameters."""
    return 0.7, np.abs(problem.y0) + 0.3, problem.starts(3)[2]


@pytest.mark.parametrize("problem", ALL, ids=lambda p: p.name)
def test_the_text_says_what_the_hand_written_rates_say(problem):
    t, y, p = somewhere(problem)
    compiled = ho.parse(by_hybridode.model_text(problem)).compiled()
    point = by_hybridode.point(problem, p)
    weights = {"U": {**compiled.arguments().weights["U"], **point.pop("U")}} if problem.network else {}
    arguments = compiled.arguments(point)
    arguments = arguments._replace(weights=weights) if hasattr(arguments, "_replace") else _with(arguments, weights)
    found = compiled.numbers("rates", t, y, arguments)
    np.testing.assert_allclose(problem.rates(np, t, y, p), found, rtol=1e-12, atol=1e-14)


def _with(arguments, weights):
    from dataclasses import replace

    return replace(arguments, weights=weights) if weights else arguments


@pytest.mark.parametrize("problem", ALL, ids=lambda p: p.name)
def test_every_contender_has_every_number(problem):
    text = antimony_text(problem)
    assert all(f"{name} = " in text for name in (*problem.names, *weight_names(problem)))
    starts = problem.starts()
    low, high = problem.bounds
    assert len(starts) == 50 and all(np.all((low < problem.to_log(p)) & (problem.to_log(p) < high)) for p in starts)
    np.testing.assert_array_equal(starts[:3], problem.starts(3))
    np.testing.assert_allclose(problem.from_log(problem.to_log(starts[0])), starts[0])


def test_sums_of_squares_are_the_objective_up_to_a_constant():
    boehm, lotka = PROBLEMS["boehm"], PROBLEMS["lotka_volterra"]
    outputs = boehm.clean + 1.0
    values = []
    for factor in (1.0, 1.7):
        p = boehm.true_p * factor
        values.append(0.5 * np.sum(residuals(boehm, outputs, p) ** 2) - boehm.objective(outputs, p))
    assert values[0] == pytest.approx(values[1])
    p, best = finished(lotka, lotka.clean, lotka.true_p)  # the scale that drops out is at its best
    for factor in (0.95, 1.05):
        other = p.copy()
        other[lotka.scales[0]] *= factor
        assert lotka.objective(lotka.clean, other) > best
    density = -np.log(np.exp(-((lotka.data - lotka.clean) ** 2) / (2 * 0.25)) / math.sqrt(2 * math.pi * 0.25)).sum()
    assert lotka.at_truth == pytest.approx(density)


def test_contenders_find_one_optimum():
    """From near the truth: the same objective, by SciPy and by hybridode."""
    problem = PROBLEMS["lotka_volterra"]
    starts = [problem.true_p * 1.1, problem.true_p * 0.9]
    mine, other = (module.run(problem, starts, 60.0) for module in (by_hybridode, by_scipy))
    rows = judged(problem, {"hybridode": mine.plain(), "scipy": other.plain()}, 2)["contenders"]
    for row in rows.values():
        assert row["arrived"] == 2 and row["checked"] == pytest.approx(row["best"], abs=1e-3) and row["best"] < problem.at_truth


def test_arrivals():
    problem = PROBLEMS["lotka_volterra"]
    p, best = finished(problem, problem.clean, problem.true_p)

    def outcome(values, seconds, setup=1.0):
        ended = [{"objective": v, "p": p.tolist(), "seconds": seconds * (k + 1) + setup, "trace": [[setup + 0.1, 1e9]]}
                 for k, v in enumerate(values)]  # fmt: skip
        return {"ended": ended, "setup": setup, "total": setup + seconds * len(values), "processor": 0.0, "note": ""}

    outcomes = {
        "hybridode": outcome([best, best + 5, best + 0.05, best + 50], 1.0), "scipy": outcome([best + 7, best], 10.0),
        "amici": {"note": "gone"}, "diffrax": {"note": "", "ended": []},
    }  # fmt: skip
    found = judged(problem, outcomes, 4)
    mine, other = found["contenders"]["hybridode"], found["contenders"]["scipy"]
    assert (mine["arrived"], mine["done"], mine["first"], mine["seconds"]) == (2, 4, 2.0, 5.0)
    assert other["seconds"] == 41.0 and other["first"] == 21.0  # 2 of 4 starts in its time: scaled
    assert ratio(found, "scipy") == pytest.approx(8.2) and ratio(found, "amici") is None
    assert share_ratio(found, "scipy") == pytest.approx(1.0)
    data = {"starts": 4, "problems": {"lotka_volterra": {"title": "LV", **found}}}
    text = "\n".join(fits.write(data))
    assert "~41 s" in text and "2 of 4" in text and "pyPESTO + AMICI: gone (LV)" in text
    assert dict(fits.goals(data))["fits_scipy"] == pytest.approx(8.2)


def test_a_peer_that_is_absent_says_how_to_get_it():
    assert "pip install no-such-package" in Entry("x", "x", ("numpy", "no-such-package")).missing
    assert CONTENDERS["scipy"].missing == "" and CONTENDERS["hybridode"].missing == ""
