"""`Solution`: names, expressions, limits, what failed and why. Oracles: exact solutions."""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho

TEXT = """model spring "A mass, its energy and what is seen of it"
param k = 4 in (0, 10)
const m = 1
state q: m = 1
q'' = -k*q/m
energy = k*q^2/2 + m*q'^2/2
pair = [q, 2*q]
moving = q' < 0
observe seen ~ normal(q, 0.1)
observe size ~ lognormal(exp(q), 0.1)
observe up ~ bernoulli(logit=3*q)
observe n ~ poisson(exp(q))
"""
TS = np.linspace(0, 3, 31)


@pytest.fixture(scope="module")
def spring():
    return ho.parse(TEXT)


@pytest.fixture(scope="module")
def solution(spring):
    return spring.simulate(at=TS, rtol=1e-10, atol=1e-10)


def test_names(solution):
    q, v = np.cos(2 * TS), -2 * np.sin(2 * TS)
    np.testing.assert_allclose(solution["q"], q, atol=1e-8)
    np.testing.assert_allclose(solution["q'"], v, atol=1e-8)
    np.testing.assert_allclose(solution["energy"], 2.0, atol=1e-8)
    np.testing.assert_allclose(solution["pair"], np.stack([q, 2 * q], 1), atol=1e-8)
    np.testing.assert_allclose(solution["pair[2]"], 2 * q, atol=1e-8)
    np.testing.assert_allclose(solution["q + k*t"], q + 4 * TS, atol=1e-7)
    np.testing.assert_allclose(solution["q''"], -4 * q, atol=1e-7)
    np.testing.assert_allclose(solution["moving"], (v < 0).astype(float))


def test_observed_locations(solution):
    q = np.cos(2 * TS)
    assert list(solution.observed) == ["seen", "size", "up", "n"]
    for name, expected in {"seen": q, "size": np.exp(q), "up": 1 / (1 + np.exp(-3 * q)), "n": np.exp(q)}.items():
        np.testing.assert_allclose(solution.observed[name], expected, atol=1e-7)
    with pytest.raises(ho.UsageError, match="observes no column `q`"):
        solution.observed["q"]


def test_dense_output(solution):
    at = np.array([0.05, 1.234, 2.999])
    np.testing.assert_allclose(solution.at(at)["q"], np.cos(2 * at), atol=1e-8)
    np.testing.assert_allclose(solution.at(1.0)["q"], [np.cos(2.0)], atol=1e-8)
    with pytest.raises(ho.UsageError, match="not within the solve, 0 to 3"):
        solution.at([1.0, 3.5])


def test_statistics_and_words(solution):
    stats = solution.stats
    assert stats["method"] in ("DOP853", "Tsit5")
    assert stats["accepted"] + stats["rejected"] == stats["steps"] and stats["evaluations"] > stats["steps"]
    assert "stiff" in stats["reason"] and stats["compile_seconds"] > 0
    assert ho.RESULTS[int(solution.result)] == solution.message == "the solve succeeded"
    assert "succeeded" in repr(solution)


def test_unknown_names_are_explained(solution):
    with pytest.raises(ho.UsageError, match="did you mean `energy`"):
        solution["enrgy"]
    with pytest.raises(ho.UsageError):
        solution["q +"]


def test_tables_and_plot(solution, tmp_path):
    table = solution.to_pandas()
    assert list(table.columns) == ["t", "q", "q'", "energy", "pair[1]", "pair[2]", "moving"]
    np.testing.assert_allclose(table["energy"], 2.0, atol=1e-8)
    data = solution.to_xarray()
    assert data["pair"].dims == ("t", "pair_1") and data["q"].attrs == {"units": "m"}
    figure = solution.plot()
    figure.savefig(tmp_path / "plot.svg")
    assert "spring" in (tmp_path / "plot.svg").read_text() or (tmp_path / "plot.svg").stat().st_size > 5000


def test_without_xarray_the_remedy_is_named(solution, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ho.UsageError, match=r"pip install hybridode\[xarray\]"):
        solution.to_xarray()


def test_out_of_jit_and_vmap(spring):
    solve = spring.solver(at=TS, rtol=1e-9, atol=1e-9, gradient="forward")
    one = jax.jit(solve)(spring.parameters())
    np.testing.assert_allclose(one["q + energy"], np.cos(2 * TS) + 2, atol=1e-6)
    many = jax.jit(jax.vmap(lambda k: solve({"k": k})))(jnp.array([1.0, 4.0]))
    np.testing.assert_allclose(many["q"], np.cos(np.array([[1.0], [2.0]]) * TS), atol=1e-6)
    np.testing.assert_allclose(many["energy"], [[0.5] * 31, [2.0] * 31], atol=1e-6)
    assert many.result.tolist() == [0, 0] and many.message == "the solve succeeded"
    inside = jax.jit(lambda p: solve(p)["energy"][-1] + solve(p).observed["size"][0])(spring.parameters())
    np.testing.assert_allclose(inside, 2 + np.e, atol=1e-6)


# ---- failures -------------------------------------------------------------------------------------------------------
BROKEN = {  # text -> (code, line, words)
    "model b\nstate x = 1\nstate y = 0\ndx/dt = x\ndy/dt = sqrt(0.5 - t)\n": ("E0701", 5, "`sqrt(0.5 - t)` is nan"),
    "model b\nstate x = 2\nh = 1 - t\nz = log(h)\ndx/dt = z*x\n": ("E0701", 5, r"`log(h)` is nan (h = -"),
    "model b\nstate x = 1\nstate y = 0\ny' = 1\nx' = x^2\n": ("E0702", 5, "`x` changes by"),
    "model b\nparam k = -1\nstate x = log(k)\nx' = -x\n": ("E0705", 3, "`log(k)` is nan (k = -1)"),
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_failed_solve_says_where_and_keeps_what_it_has(text):
    code, line, words = BROKEN[text]
    with pytest.raises(ho.NumericsError) as error:
        ho.parse(text, "broken.ode").simulate(to=3, points=31)
    found = error.value.diagnostics[0]
    assert found.code == code and found.span is not None and found.span.line == line and words in found.message, str(error.value)
    partial = error.value.partial
    assert np.isnan(partial["x"][-1]) and not partial.successful
    assert code == "E0705" or (np.isfinite(partial["x"][4]) and "last accepted values at t =" in found.hint)


def test_check_false_returns_the_failed_solve():
    model = ho.parse("model b\nstate x = 1\nx' = x^2\n")
    solution = model.simulate(at=[0, 0.5, 1.5, 2], check=False)
    assert ho.RESULTS[int(solution.result)].startswith("the step size fell")
    assert solution.diagnostic.code == "E0702" and "changes by" in solution.message
    np.testing.assert_allclose(solution["x"], [1, 2, np.nan, np.nan], rtol=1e-4)
    np.testing.assert_allclose(solution["t + 0*x"][1:3], [0.5, np.nan])
    np.testing.assert_allclose(solution.at([0.5])["x"], [2.0], rtol=1e-4)


def test_too_many_steps_says_how_far_it_came():
    model = ho.parse("model b\nstate x = 1\nx' = 1000*cos(1000*t)\n")
    with pytest.raises(ho.NumericsError, match="50 steps were not enough: the solve reached t = ") as error:
        model.simulate(to=100, max_steps=50)
    assert "raise max_steps" in error.value.diagnostics[0].hint


def test_doses_are_right_continuous_and_observed_before():
    model = ho.parse("model d\nparam k = 0.5\nstate x = 1\nx' = -k*x\nat 1 every 1 { x := x + 1 }\nobserve y ~ normal(x, 1)\n")
    solution = model.simulate(at=[0, 1, 2], rtol=1e-9, atol=1e-10)
    before = np.exp(-0.5)
    np.testing.assert_allclose(solution["x"], [1, before + 1, (before + 1) * before + 1], rtol=1e-7)
    np.testing.assert_allclose(solution.observed["y"], [1, before, (before + 1) * before], rtol=1e-7)


def test_algebraic_unknowns_are_given_back_by_name():
    text = "model m\nparam m = 2\nstate x = 0\nstate v = 1\nalg F: N\nalg a[2]\nx' = v\nv' = a[1]\nF = m*a[1]\nF = -3*x - 0.2*v\n"
    solution = ho.parse(text + "a[2] = 2*a[1] + t\npower = F*v\n").simulate(to=2.0, points=5)
    x, v = (np.asarray(solution[name]) for name in ("x", "v"))
    np.testing.assert_allclose(solution["F"], -3 * x - 0.2 * v, rtol=1e-12)
    np.testing.assert_allclose(solution["a"][:, 0], np.asarray(solution["F"]) / 2, rtol=1e-12)
    np.testing.assert_allclose(
        solution["a[2] - v'"], np.asarray(solution["F"]) / 2 + np.asarray(solution.t), rtol=1e-9, atol=1e-12
    )
    assert list(solution.to_pandas().columns) == ["t", "x", "v", "F", "a[1]", "a[2]", "power"]
    assert solution.to_xarray()["F"].attrs == {"units": "N"}
    assert [line.get_label() for panel in solution.plot().axes for line in panel.lines] == ["x", "v", "a[1]", "a[2]", "F"]
