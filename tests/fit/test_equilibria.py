"""Series that begin in a steady state, against solutions that can be written down and long solves by SciPy.

`petab_9` and `petab_17` are the cases 0009 and 0017 of the PEtab test suite (L. Schmiester et al., PLoS Comput. Biol. 17 (2021)
e1008646): conversion A <-> B, the second with A set anew when the series begins.
"""

from __future__ import annotations

import json

import jax
import jsonschema
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize

import hybridode as ho
from hybridode.cli import main
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, NumericsError
from hybridode.fit.outcome.result import result_schema
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.solve import results
from hybridode.solve.settings import Settings

CONVERSION = """model conversion
time t from 0
param a0 = 1 in (0, 10)
param b0 = 0.2 in (0, 10)
param k2 = 0.6 in (0, 10)
const k1 = 0.8
state A
state B
A(0) = a0
B(0) = b0
A' = k2*B - k1*A
B' = k1*A - k2*B
observe A ~ normal(A, 0.5)
"""
PETAB = pd.DataFrame({"t": [1.0, 10.0], "A": [0.7, 0.1]})
PRECISE = Settings(engine="native", rtol=1e-10, atol=1e-12)


def conversion(t, a, b, k1, k2):
    """A(t) of A <-> B."""
    far = k2 * (a + b) / (k1 + k2)
    return far + (a - far) * np.exp(-(k1 + k2) * t)


def prepared(text, frame, equilibrate, settings=PRECISE):
    with jax.enable_x64(True):
        dataset = experiments(ho.parse(text).declarations, frame, equilibrate=equilibrate)
        return prepare(dataset, Options({}, frozenset(), 1, 0, None, settings, None), Recorder())


def agrees(ready, z, nll, modes=("with_fisher", "with_gradient"), rtol=1e-5):
    """Value and gradients are those of `nll`, a function of natural values."""
    space, h = ready.objective.space, 1e-5
    slopes = [(nll(space.vector(z + h * v)) - nll(space.vector(z - h * v))) / (2 * h) for v in np.eye(len(z))]
    with jax.enable_x64(True):
        for mode in modes:
            e = getattr(ready.objective, mode)(z, ready.fitted)
            assert np.all(np.asarray(e.results) == results.SUCCESS)
            assert float(e.value) == pytest.approx(nll(space.vector(z)), rel=1e-7)
            np.testing.assert_allclose(e.gradient, slopes, rtol=rtol, atol=1e-6 * np.max(np.abs(slopes)))


def normal_nll(observed, predicted, sd):
    return float(np.sum(0.5 * ((np.asarray(observed) - predicted) / sd) ** 2 + np.log(sd) + 0.5 * np.log(2 * np.pi)))


@pytest.mark.parametrize("engine", ["native", pytest.param("diffrax", marks=pytest.mark.slow)])
def test_petab_9(engine):
    ready = prepared(CONVERSION, PETAB, {"*": {"k1": 0.3}}, Settings(engine=engine, rtol=1e-10, atol=1e-12))
    assert "one quantity is conserved" in "".join(ready.objective.equilibrium.fixed_points.words)

    def nll(values):
        a0, b0, k2 = values
        a = k2 * (a0 + b0) / (0.3 + k2)
        return normal_nll(PETAB["A"], conversion(PETAB["t"].to_numpy(), a, a0 + b0 - a, 0.8, k2), 0.5)

    modes = ("with_fisher", "with_gradient") if engine == "native" else ("with_gradient",)
    agrees(ready, ready.objective.space.unconstrain(), nll, modes)


def test_petab_17_one_state_is_set_when_the_series_begins():
    """Before: A(0) = 0, B(0) = 2; then A = 1, and B as it came out."""
    frame = PETAB.assign(**{"A(0)": 1.0})
    ready = prepared(CONVERSION, frame, {"*": {"k1": 0.3, "A(0)": 0.0, "b0": 2.0}})

    def nll(values):
        b = 2.0 * 0.3 / (0.3 + values[-1])
        return normal_nll(PETAB["A"], conversion(PETAB["t"].to_numpy(), 1.0, b, 0.8, values[-1]), 0.5)

    agrees(ready, ready.objective.space.unconstrain(), nll, ("with_fisher",))


FEEDBACK = """model feedback "A gene that holds itself down, driven by an input, pulsed at 2"
time t from 0
param k = 2 in (0.1, 20) log
param K = 0.7 in (0.1, 10) log
param d = 0.5 in (0.05, 5) log
const f = 1
input u from data.u, interp=linear
state m = 0
state p = 3
m' = f*k*(1 + u)/(1 + (p/K)^2) - d*m
p' = m - 0.3*p
at 2 { p := p + 1 }
observe p ~ normal(p, 0.1)
"""


def test_a_nonlinear_model_with_an_input_and_an_at_statement_beside_a_series_that_does_not_rest():
    t = np.array([0.0, 1.0, 2.5, 6.0])
    frame = pd.concat([pd.DataFrame({"id": n, "t": t, "u": u, "p": [2.0, 2.2, 3.1, 2.4]}) for n, u in
                       (("rests", 0.5 * t), ("rises", 0.1 * t))])  # fmt: skip
    ready = prepared(FEEDBACK, frame, {"rests": {"f": 0.4, "u": 0.2}})

    def rhs(k, K, d, f, u):
        return lambda t, y: [f * k * (1 + u(t)) / (1 + (y[1] / K) ** 2) - d * y[0], y[0] - 0.3 * y[1]]

    def solved(f, span, y0, times=None):
        found = scipy.integrate.solve_ivp(f, span, y0, "LSODA", times, rtol=1e-12, atol=1e-13)
        assert found.success
        return found.y

    def path(values, y0, slope):
        f = rhs(*values, 1.0, lambda t: slope * t)
        first = solved(f, (0, 2), y0, [0.0, 1.0, 2.0])
        behind = first[:, -1] + [0.0, 1.0]
        return np.append(first[1, :2], solved(f, (2, 6), behind, [2.5, 6.0])[1])

    def nll(values):
        rest = solved(rhs(*values, 0.4, lambda t: 0.2), (0, 2000), [0.0, 3.0])[:, -1]
        found = np.concatenate([path(values, rest, 0.5), path(values, [0.0, 3.0], 0.1)])
        return normal_nll(frame["p"], found, 0.1)

    agrees(ready, ready.objective.space.unconstrain({"k": 1.7}), nll, ("with_fisher",), 2e-4)


def test_a_state_that_depends_on_the_way_there_has_its_gradient_through_the_solve():
    """The end of an epidemic: S = S0 exp(-R0 (N - S)/N); afterwards those who are left lose immunity at the rate w."""
    text = """model wave
time t from 0
param R0 = 2 in (1.1, 5)
const w = 0.5
const N = 1
state S = 0.99
state I = 0.01
S' = -R0*S*I/N + w*(N - S - I)
I' = R0*S*I/N - I
observe S ~ normal(S, 0.01)
"""
    frame = pd.DataFrame({"t": [0.0, 1.0, 2.0], "S": [0.2, 0.4, 0.6]})
    ready = prepared(text, frame, {"*": {"w": 0.0}})
    assert ready.objective.equilibrium.fixed_points is None

    def nll(values):
        low, high = 0.0, 0.99 / values[0]  # below the threshold 1/R0
        s = scipy.optimize.brentq(lambda s: s - 0.99 * np.exp(-values[0] * (1 - s)), low, high, xtol=1e-15)
        return normal_nll(frame["S"], 1 - (1 - s) * np.exp(-0.5 * frame["t"].to_numpy()), 0.01)

    agrees(ready, ready.objective.space.unconstrain(), nll, ("with_gradient",), 1e-3)


def test_a_fit_from_a_settings_file_and_what_goes_on_from_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    t, rng = np.linspace(0, 6, 12), np.random.default_rng(3)
    parts = []
    for name, k1 in (("low", 0.5), ("high", 2.0)):
        clean = conversion(t, 0.6 * 3 / 0.7, 3 - 0.6 * 3 / 0.7, k1, 0.6)
        parts.append(pd.DataFrame({"experiment": name, "t": t, "A": clean + 0.02 * rng.normal(size=12), "k1": k1}))
    pd.concat(parts).to_csv("d.csv", index=False)
    (tmp_path / "m.ode").write_text(CONVERSION.replace("param b0 = 0.2 in (0, 10)", "const b0 = 0").replace("0.5)", "0.02)"))
    (tmp_path / "fit.toml").write_text('[equilibrate."*"]\nk1 = 0.1\n[fit]\nstarts = 2\n')
    assert main(["fit", "m.ode", "d.csv", "--out", "run", "--only-fit"]) == 0
    assert "2 of 2 series begin in the steady state under k1 = 0.1" in capsys.readouterr().out
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    jsonschema.validate(result, result_schema())
    value = {name: p["value"] for name, p in result["parameters"].items()}
    assert value["a0"] == pytest.approx(3, abs=4 * result["parameters"]["a0"]["se"])
    assert value["k2"] == pytest.approx(0.6, abs=4 * result["parameters"]["k2"]["se"])
    begins = result["data"]["experiments"][0]["equilibrated"]
    assert begins["numbers"]["k1"] == 0.1
    assert begins["begins"]["A"] == pytest.approx(value["k2"] * value["a0"] / (0.1 + value["k2"]), rel=1e-6)
    assert main(["predict", "run", "--series", "high", "--at", ",".join(map(str, t)), "-o", "p.csv"]) == 0
    ours = pd.read_csv("run/predictions.csv")
    mine = ours[(ours["series"] == "high") & (ours["column"] == "A") & (ours["kind"] == "data")]
    np.testing.assert_allclose(pd.read_csv("p.csv")["A"], mine["location"], rtol=1e-4)
    assert 'equilibrate."*"' in (tmp_path / "run" / "settings.toml").read_text()
    assert main(["fit", "m.ode", "d.csv", "--settings", "run/settings.toml", "--out", "again", "--only-fit"]) == 0
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    assert again["objective"] == result["objective"]


@pytest.mark.parametrize(
    ("text", "equilibrate", "kind", "words"),
    [
        (CONVERSION, {"*": {"k7": 1}}, DataError, "nothing called `k7`"),
        (CONVERSION, {"WT": {"k1": 1}}, DataError, 'has no name: write `[equilibrate."*"]`'),
        (CONVERSION, {"*": {"k1": "x"}}, DataError, "no number"),
        (
            CONVERSION.replace("A' = k2*B", "A' = 1 + k2*B"),
            {"*": {}},
            NumericsError,
            "before its series the model does not become",
        ),
        (
            CONVERSION.replace("observe", "event e when A > 9 { A := 0 }\nobserve"),
            {"*": {}},
            NumericsError,
            "wait for a condition",
        ),
    ],
)
def test_what_is_refused(text, equilibrate, kind, words):
    with pytest.raises(kind) as caught:
        prepared(text, PETAB, equilibrate)
    assert words in str(caught.value)
