"""Soft constraints: their penalty and derivatives by hand, what they do to a fit, what is refused."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.compile import compile_model
from hybridode.data.experiments import experiments
from hybridode.data.fit_file import fit_file_text, keywords_of, parse_fit_file
from hybridode.errors import ModelError, UsageError
from hybridode.fit.objective.batch import build_batch
from hybridode.fit.objective.constraints import read_constraints, with_constraints
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import parameter_space
from hybridode.solve import results
from hybridode.solve.settings import Settings

MODEL = """model two
param k = 0.5 in (0.01, 5) log
param q = 0.3 in (0, 2)
const s = 0.1
state a = 2
state b = 1
a' = -k*a
b' = q*k*a
total = a + b
observe a ~ normal(a, s)
"""
TIMES = np.array([0.0, 0.5, 1.5, 4.0])
DATA = pd.DataFrame({"t": TIMES, "a": 2 * np.exp(-0.5 * TIMES) + 0.02})


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def objective_of(given):
    d = ho.parse(MODEL).declarations
    dataset = experiments(d, DATA)
    constraints, expressions = read_constraints(d, given)
    compiled = compile_model(with_constraints(d, constraints, expressions))
    space = parameter_space(d.parameters)
    batch, _ = build_batch(compiled, dataset, space, constraints=len(constraints))
    limits = ((),) * len(batch.columns)
    settings = Settings(rtol=1e-10, atol=1e-12)
    objective = Objective(compiled, space, (), np.array(compiled.arguments().parameters), {}, (), "tsit5", settings, None, limits,
                          constraints=constraints)  # fmt: skip
    return objective, batch


def exact(k, q, given):
    """Likelihood and penalties from the solution by hand, at the data's times and 50 even ones."""
    a = lambda t: 2 * np.exp(-k * t)  # noqa: E731
    r = (DATA["a"] - a(TIMES)) / 0.1
    value = np.sum(0.5 * r**2 + np.log(0.1) + 0.5 * np.log(2 * np.pi))
    grid = np.union1d(TIMES, np.linspace(0, 4, 50))
    for (kind, target), sd in given:
        off = a(grid) + 1 + q * (2 - a(grid)) - target
        off = off if kind == "equals" else np.minimum(off, 0) if kind == "at_least" else np.maximum(off, 0)
        value += len(TIMES) * np.mean(0.5 * (off / sd) ** 2)
    return value


def test_value_gradient_and_curvature_are_those_by_hand():
    """Of an expression and of a name of it, in one objective: its programs take long to compile."""
    objective, batch = objective_of({"a + b": {"at_least": 2.6, "sd": 0.2}, "total": {"at_most": 2.8, "sd": 0.2}})
    z = objective.space.unconstrain()
    e = objective.with_fisher(z, batch)
    assert np.all(np.asarray(e.results) == results.SUCCESS)
    terms = [(("at_least", 2.6), 0.2), (("at_most", 2.8), 0.2)]
    by_hand = lambda z: exact(*objective.space.vector(z), terms)  # noqa: E731
    assert float(e.value) == pytest.approx(by_hand(z), rel=1e-7)
    h = 1e-5
    slopes = [(by_hand(z + h * v) - by_hand(z - h * v)) / (2 * h) for v in np.eye(2)]
    np.testing.assert_allclose(e.gradient, slopes, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(objective.with_gradient(z, batch).gradient, e.gradient, rtol=1e-7, atol=1e-8)
    assert np.all(np.linalg.eigvalsh(e.fisher) > 0)


def test_a_constraint_determines_what_the_data_do_not_and_is_reported():
    """`q` moves only `b`, which nobody observes; conservation says that it is 1."""
    model = ho.parse(MODEL)
    assert ho.fit(model, DATA, starts=1).result["parameters"]["q"]["se"] is None
    run = ho.fit(model, DATA, starts=1, constraints={"a + b": {"equals": 3, "sd": 0.05}})
    assert run.status == "converged" and run.parameters["q"] == pytest.approx(1.0, abs=1e-3)
    assert 0 < run.result["parameters"]["q"]["se"] < 0.1
    (entry,) = run.result["constraints"]
    assert entry["expression"] == "a + b" and entry["holds"] and entry["largest"] < 1e-2
    assert run.result["objective"]["n_data"] == 4
    assert "constraint: a + b = 3, up to 0.05" in run.log


def test_a_constraint_that_cannot_hold_is_said():
    run = ho.fit(ho.parse(MODEL), DATA, starts=1, constraints={"a": {"at_least": 1.9, "sd": 0.5}})
    (entry,) = run.result["constraints"]
    assert not entry["holds"] and entry["largest"] > 1 and entry["at_time"] == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"a + b": {"equals": 3}}, "E0755"),
        ({"a + b": {"sd": 1}}, "E0755"),
        ({"a + b": {"equals": 3, "at_most": 4, "sd": 1}}, "E0755"),
        ({"a": {"at_least": 3, "at_most": 2, "sd": 1}}, "E0755"),
        ({"a": {"equal": 3, "sd": 1}}, "E0755"),
        ({"a": {"equals": 3, "sd": 0}}, "E0755"),
        ({"q": {"at_least": 3, "sd": 1}}, "E0756"),
        ({"k*q": {"equals": -1, "sd": 1}}, "E0756"),
        ({"exp(-k)": {"at_most": 1e-4, "sd": 1}}, "E0756"),
        ({"a + unknown": {"equals": 3, "sd": 1}}, "E0203"),
        ({"__import__('os')": {"equals": 3, "sd": 1}}, None),
    ],
)
def test_wrong_and_impossible_constraints_are_refused(given, code):
    with pytest.raises((UsageError, ModelError)) as error:
        read_constraints(ho.parse(MODEL).declarations, given)
    assert code is None or error.value.diagnostics[0].code == code


def test_constraints_weights_and_loss_stand_in_fit_toml(tmp_path):
    text = '[fit]\nloss = "huber"\n[weights]\na = 2\nb = "w"\n[constraints]\n"a + b" = { equals = 3, sd = 0.1 }\n'
    keywords = keywords_of(parse_fit_file(text, tmp_path / "fit.toml"))
    assert keywords["loss"] == "huber" and keywords["weights"] == {"a": 2, "b": "w"}
    assert keywords["constraints"] == {"a + b": {"equals": 3, "sd": 0.1}}
    assert keywords_of(parse_fit_file(fit_file_text(keywords), tmp_path / "fit.toml")) == keywords
