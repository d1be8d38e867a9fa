"""The objective in NumPy round native solves against the program of JAX, which has its own tests against SciPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.fit.inference.curves import sensitivities_of
from hybridode.fit.objective import noise
from hybridode.fit.objective.direct.densities import DENSITIES
from hybridode.fit.objective.direct.evaluate import Direct, cannot
from hybridode.fit.objective.direct.scores import information_of
from hybridode.fit.objective.noise import PRIORS
from hybridode.fit.parameters import TRANSFORMS, parameter_space
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.fit.slopes import NaturalValues
from hybridode.solve.settings import Settings

PRECISE = Settings(rtol=1e-10, atol=1e-12)
T = np.linspace(0.2, 4, 15)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"t": T, **columns})


def series(count: int, **columns: Any) -> pd.DataFrame:
    """The same times for several series, whose values grow with their number."""
    parts = [table(ID=str(k), **{name: (1 + 0.1 * k) * values for name, values in columns.items()}) for k in range(count)]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Case:
    text: str
    frame: pd.DataFrame
    reading: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def model(*statements: str) -> str:
    return "model m\ntime t from 0\n" + "\n".join(line for some in statements for line in some.split("; ")) + "\n"


WAVE = 2 * np.exp(-0.7 * T) * (1 + 0.05 * np.sin(20 * T))
HOLES = np.where(np.arange(len(T)) % 4 == 1, np.nan, WAVE)
DECAY = "param k = 0.7 in (0.01, 5) log; param s = 0.1 in (0, inf) log; state x = 2; dx/dt = -k*x"
SEEN = "observe x ~ normal(x, s)"
LETTERS = zip("abcdefghi", (0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.35, 0.45, 0.55), strict=True)

CASES = {
    "numbers without bounds": Case(
        model("param a = 0.7; param b = 0.1; param s = 0.2; state x = 2; dx/dt = -a*x + b*sin(t)", SEEN), table(x=WAVE)),
    "every transform": Case(
        model("param a = 0.7 in (0, 2); param b = 0.1 in (-1, inf); param c = 0.3 in (-inf, 4); param d = 0.2 in (0.01, 3) log",
              "param e = 0.4 in (0.1, inf) log; param f = 0.6 in (0, 9) log; param g = 1.1 in (0, inf) log; param h = 0.5",
              "state x = g; dx/dt = -a*x + b*exp(-c*t) + d*x/(e + x) - f*h*x^2; observe x ~ normal(x, 0.1*g)"), table(x=WAVE)),
    "several columns, a definition, a learnt start": Case(
        model("param k = 0.7 in (0.01, 5) log; param c = 1.5 in (0, inf); param s = 0.1 in (0, inf) log",
              "param q = 0.2 in (0, inf) log; state x = 2 in (0.5, 5); state y = 0.1*x; rate = k*x^c; dx/dt = -rate",
              "dy/dt = rate - 0.3*y; observe x ~ lognormal(x, s); observe z ~ normal(y + k, q*(1 + y))"),
        table(x=WAVE, z=1.0 + 0.1 * T)),
    "holes and repeated times": Case(model(DECAY, "observe x ~ lognormal(x, s)"),
                                     pd.concat([table(x=HOLES), table(x=WAVE).iloc[3:6]], ignore_index=True)),
    "several series with numbers by label": Case(
        model("param k = 0.7 in (0.01, 5) log by ID; param m = 0.1 in (0, inf); param s = 0.1 in (0, inf) log",
              "state x = 2 in (0.1, 9) by ID; dx/dt = -k*x - m*x^2", SEEN), series(3, x=WAVE)),
    "an input": Case(  # whose kinks carry a rounding of exp far, so without one
        model("input u from data.u; param k = 0.7; param g = 0.5; param s = 0.3; state x = 2; dx/dt = -k*x + g*u",
              "observe x ~ normal(x + 0.1*u, s)"), table(x=WAVE, u=np.sin(T))),
    "stiff": Case(
        model("param a = 0.04 in (1e-3, 1) log; param b = 3e5 in (1e4, 1e7) log; param s = 0.1 in (0, inf) log; state x = 1",
              "state y = 0; dx/dt = -a*x + 1e4*y*(1 - x); dy/dt = a*x - 1e4*y*(1 - x) - b*y^2", SEEN), table(x=1 - 0.03 * T)),
    "counts": Case(model("param k = 0.7 in (0.01, 5) log; state x = 2; dx/dt = -k*x; observe n ~ poisson(5*x)"),
                   table(n=np.round(5 * WAVE))),
    "yes and no": Case(
        model("param k = 0.7 in (0.01, 5) log; param c = 0.5; state x = 0.9; dx/dt = -k*x; observe a ~ bernoulli(x)",
              "observe b ~ bernoulli(logit=c*x - 0.2)"), table(a=(T < 1.5) * 1.0, b=(np.arange(15) % 2) * 1.0)),
    "heavy tails of Laplace": Case(model(DECAY, "observe x ~ laplace(x, s)"), table(x=WAVE)),
    "weights": Case(model(DECAY, SEEN), table(x=WAVE), {"weights": {"x": 2.5}}),
    "records held out": Case(model(DECAY, SEEN), table(x=WAVE), {}, {"hold_out": "last:5"}),
    "constraints": Case(model(DECAY, SEEN), table(x=WAVE), {},
                        {"constraints": {"x + k": {"at_least": 0.8, "sd": 0.1}, "x*k": {"equals": 1.0, "sd": 0.3}}}),
    "every prior": Case(
        model(*(f"param {name} = {value}" for name, value in LETTERS),
              "state x = 2; dx/dt = -a*x + b*c*exp(-d*t) + e*f - g*h*x*i; observe x ~ normal(x, 0.2); prior a ~ normal(0.6, 0.2)",
              "prior b ~ lognormal(0.5, 0.4); prior c ~ student(4, 0.4, 0.2); prior d ~ laplace(0.3, 0.2)",
              "prior e ~ uniform(0, 1); prior f ~ beta(2, 3); prior g ~ gamma(3, 5); prior h ~ halfnormal(0.6)",
              "prior i ~ exponential(2)"), table(x=WAVE)),
}  # fmt: skip


def prepared(case: Case, settings: Settings = PRECISE):
    declarations = ho.parse(case.text).declarations
    reading = dict(case.reading)
    dataset = experiments(declarations, case.frame, **reading)
    given = dict(case.options)
    options = Options({}, frozenset(), 4, 0, given.pop("hold_out", None), settings, None, **given)
    return prepare(dataset, options, Recorder())


def points(objective: Any, count: int = 6, spread: float = 0.3) -> np.ndarray:
    z = objective.space.unconstrain()
    return z + np.concatenate([np.zeros((1, len(z))), spread * np.random.default_rng(1).normal(size=(count - 1, len(z)))])


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found - expected)) / max(float(np.max(np.abs(expected))), 1.0))


@pytest.mark.parametrize("name", CASES)
def test_value_gradient_and_fisher_matrix_are_those_of_jax(name: str):
    ready = prepared(CASES[name])
    objective, batch = ready.objective, ready.fitted
    assert cannot(objective, batch) is None
    thetas, program = points(objective, spread=0.02 if name == "every prior" else 0.3), jax.jit(objective.value_and_fisher)
    found = Direct(objective)(thetas, batch)
    for row, theta in enumerate(thetas):
        e = program(theta, batch)
        assert np.isfinite(found.value[row]) and np.all(found.results[row] == 0)
        # XLA's exp and ours differ by a rounding, which the choice of steps then carries on
        assert relative(found.value[row], np.asarray(e.value)) < 1e-11
        assert relative(found.gradient[row], np.asarray(e.gradient)) < 1e-10
        assert relative(found.fisher[row], np.asarray(e.fisher)) < 1e-10
        assert relative(found.parts[row], np.asarray(e.parts)) < 1e-11
        np.testing.assert_array_equal(found.results[row], e.results)
        np.testing.assert_array_equal(found.impossible[row], e.impossible)


def test_without_transforms_both_agree_to_the_last_digits():
    ready = prepared(CASES["numbers without bounds"])
    thetas = points(ready.objective)
    found = Direct(ready.objective)(thetas, ready.fitted)
    for row, theta in enumerate(thetas):
        e = ready.objective.with_fisher(theta, ready.fitted)
        assert relative(found.value[row], np.asarray(e.value)) < 1e-12
        assert relative(found.gradient[row], np.asarray(e.gradient)) < 1e-12
        assert relative(found.fisher[row], np.asarray(e.fisher)) < 1e-12


def test_what_cannot_be_evaluated_is_said_as_jax_says_it():
    """Predictions that the noise cannot have, a solution that blows up, a prior that excludes a value."""
    text = model("param k = 0.7; param s = 0.2; state x = 2; dx/dt = k*x^2 - 1; observe x ~ lognormal(x, s)",
                 "prior s ~ uniform(-1, 0.5)")  # fmt: skip
    ready = prepared(Case(text, table(x=WAVE)))
    objective = ready.objective
    thetas = np.array([[-0.5, 0.2], [3.0, 0.2], [0.1, 0.2], [0.05, -0.2], [0.2, 0.7]]) / [0.7, 0.2]
    found = Direct(objective)(thetas, ready.fitted)
    assert np.all(np.isinf(found.value))
    for row, theta in enumerate(thetas):
        e = objective.with_fisher(theta, ready.fitted)
        assert np.isinf(float(e.value)) and not np.any(found.gradient[row]) and not np.any(found.fisher[row])
        np.testing.assert_array_equal(found.results[row], e.results)
        np.testing.assert_array_equal(found.impossible[row], e.impossible)
        one = type(e)(*(None if leaf is None else np.asarray(leaf)[row] for leaf in found))
        assert objective.why(one) == objective.why(e)


@pytest.mark.parametrize("name", ["every transform", "several series with numbers by label", "stiff", "yes and no"])
def test_a_point_has_the_same_bits_whatever_stands_beside_it(name: str):
    ready = prepared(CASES[name], Settings())
    direct, thetas = Direct(ready.objective), points(ready.objective, 33)
    whole = direct(thetas, ready.fitted)
    for count in (1, 2, 7, 16):
        for at in (0, 33 - count):
            part = direct(thetas[at : at + count], ready.fitted)
            for a, b in zip(part, whole, strict=True):
                np.testing.assert_array_equal(a, b[at : at + count])


SOME = ["several columns, a definition, a learnt start", "several series with numbers by label", "an input"]


@pytest.mark.parametrize("name", SOME)
def test_derivatives_of_curves_are_those_of_jax(name: str, monkeypatch: pytest.MonkeyPatch):
    ready = prepared(CASES[name])
    theta = points(ready.objective)[1]
    ts = np.tile(np.linspace(0.1, 4.5, 9), (ready.batch.count, 1))
    found = sensitivities_of(ready.objective, ready.batch)(theta, ts)
    monkeypatch.setattr("hybridode.fit.inference.curves.cannot", lambda objective, batch: "for the sake of the test")
    expected = sensitivities_of(ready.objective, ready.batch)(theta, ts)
    assert np.all(found.solved) and np.all(expected.solved)
    for part in ("states", "observed", "by_states", "by_observed"):
        assert relative(getattr(found, part), getattr(expected, part)) < 1e-9


ROWS = (noise.NORMAL, noise.LOGNORMAL, noise.LAPLACE, noise.POISSON, noise.BERNOULLI, noise.BERNOULLI_LOGIT)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name} {row.arguments[0]}")
def test_information_of_noise_is_that_of_jax(row: noise.Noise):
    arguments = tuple(np.array([0.2, 0.5, 0.9]) + k for k in range(len(row.arguments)))
    np.testing.assert_allclose(information_of(row, np.ones(3), arguments), row.information(*arguments), rtol=1e-14)


def test_a_fit_traces_nothing(monkeypatch: pytest.MonkeyPatch):
    """Neither the search nor what is made of its end is a program of JAX."""
    data = table(x=WAVE)

    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError("something was given to jax.jit")

    monkeypatch.setattr(jax, "jit", refuse)
    run = ho.fit(ho.parse(CASES["several columns, a definition, a learnt start"].text.split("observe z")[0]), data, starts=8)
    assert run.status == "converged"
    assert len(run.predictions) > len(data)


def test_other_models_are_left_to_jax():
    limits = Case(model(DECAY, SEEN), table(x=["<0.5", *WAVE[1:]]))
    student = Case(model(DECAY, "observe x ~ student(4, x, s)"), table(x=WAVE))
    events = Case(model(DECAY, "at 1 { x := x + 1 }", SEEN), table(x=WAVE))
    for case, word in ((limits, "limits"), (student, "noise"), (events, "known times")):
        ready = prepared(case)
        assert word in str(cannot(ready.objective, ready.fitted))
        assert ready.lanes.direct is None


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_of_priors_are_those_of_jax_with_both_derivatives(name: str):
    arguments = {
        "normal": (0.3, 0.8), "lognormal": (0.5, 0.7), "student": (3.5, 0.2, 0.4), "laplace": (0.1, 0.5), "uniform": (0.1, 0.9),
                 "beta": (2.5, 1.7), "gamma": (2.2, 1.3), "halfnormal": (0.9,), "exponential": (1.6,)}[name]  # fmt: skip
    density = lambda x: PRIORS[name].log_density(x, *map(jax.numpy.asarray, arguments))  # noqa: E731
    x = np.array([0.15, 0.4, 0.85])
    value, first, second = DENSITIES[name](x, *arguments)
    np.testing.assert_allclose(value, jax.vmap(density)(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(first, jax.vmap(jax.grad(density))(x), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(second, jax.vmap(jax.grad(jax.grad(density)))(x), rtol=1e-12, atol=1e-13)


def test_slopes_of_all_transforms_are_those_of_jax():
    space = parameter_space(ho.parse(CASES["every transform"].text).declarations.parameters)
    assert {e.transform for e in space.entries} == TRANSFORMS.keys()
    z = np.random.default_rng(3).normal(size=(40, space.size)) * 4
    found = NaturalValues(space)(z)
    first = jax.vmap(jax.jacfwd(lambda q: space.vector(q, jax.numpy)))(z)
    second = jax.vmap(jax.jacfwd(jax.jacfwd(lambda q: space.vector(q, jax.numpy))))(z)
    diagonal = np.arange(space.size)
    np.testing.assert_allclose(found.x, [space.vector(q) for q in z], rtol=1e-15)
    np.testing.assert_allclose(found.first, first[:, diagonal, diagonal], rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(found.second, second[:, diagonal, diagonal, diagonal], rtol=1e-11, atol=1e-12)
