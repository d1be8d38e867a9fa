"""Hold-outs: which records are hidden, refits that do not see them, scores against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import hybridode.api as ho
from hybridode.errors import DataError, UsageError
from hybridode.fit.criticism import hold_outs
from hybridode.fit.criticism.folds import default_spec, folds_of
from hybridode.fit.criticism.records import Rows
from hybridode.fit.criticism.scores import scored
from hybridode.fit.objective import noise as noises

MODEL = """model decay
time t from 0
param k = 0.5 in (0.01, 10) log {by}
param s = 0.1 in (1e-3, 10) log
param b = 8 in (1, 100) log
state x
x(0) = b
x' = -k*x
observe x ~ normal(x, s)
"""


def data(series: int = 4, seed: int = 1) -> dict[str, list]:
    random, t = np.random.default_rng(seed), np.linspace(0.5, 5, 10)
    out: dict[str, list] = {"experiment": [], "t": [], "x": []}
    for name in "ABCDEF"[:series]:
        out["experiment"] += [name] * len(t)
        out["t"] += t.tolist()
        out["x"] += (10 * np.exp(-0.6 * t) + 0.1 * random.standard_normal(len(t))).tolist()
    return out


@pytest.fixture(scope="module")
def run() -> ho.Run:
    found = ho.fit(ho.parse(MODEL.format(by="")), data())
    assert found.status == "converged"
    return found


def least_squares(t: np.ndarray, y: np.ndarray) -> np.ndarray:
    found = minimize(lambda p: np.sum((np.exp(p[1] - np.exp(p[0]) * t) - y) ** 2), [-0.5, 2.0], method="BFGS", tol=1e-10)
    return np.exp(found.x[1] - np.exp(found.x[0]) * t)


def test_refits_do_not_see_the_series(run: ho.Run) -> None:
    """Predictions of each series are those of least squares on the others, by SciPy."""
    found = run.hold_outs("series")
    table, y = data(), np.array(data()["x"]).reshape(4, 10)
    t = np.array(table["t"][:10])
    assert [f.fold for f in found.folds] == [f"without series `{n}`" for n in "ABCD"]
    for i, fold in enumerate(found.folds):
        others = np.delete(y, i, axis=0)
        curve = least_squares(np.tile(t, 3), others.ravel())[:10]
        np.testing.assert_allclose(fold.scored.error, y[i] - curve, atol=1e-4)
        s = np.sqrt(np.mean((others.ravel() - np.tile(curve, 3)) ** 2))
        density = -0.5 * ((y[i] - curve) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(fold.scored.density, density, rtol=1e-3, atol=1e-3)
    assert found.whole.count == 40
    assert "40 records that 4 refits did not see" in found.sentences[0]
    assert found.content()["overall"]["rmse"] == pytest.approx(float(np.sqrt(np.mean(found.whole.error**2))))


def test_forecasts_are_judged_part_by_part(run: ho.Run) -> None:
    dataset = run.fitted.dataset
    folds = folds_of(dataset, "time:2")
    times = dataset.series[0].records.time
    assert [times[f.unseen[0]].min() for f in folds] == [times[6], times[8]]
    assert [times[f.judged[0]].tolist() for f in folds] == [times[6:8].tolist(), times[8:].tolist()]
    found = run.hold_outs("time:2")
    assert [f.scored.count for f in found.folds] == [8, 8]
    assert found.whole.entry()["coverage95"] > 0.7


def test_what_can_be_held_out(run: ho.Run) -> None:
    dataset = run.fitted.dataset
    assert default_spec(dataset) == "series"
    assert [sum(m.any() for m in f.unseen) for f in folds_of(dataset, "series:2")] == [2, 2]
    assert [m.any() for m in folds_of(dataset, "series:C")[0].unseen] == [False, False, True, False]
    assert folds_of(dataset, "last:3")[0].judged[0].sum() == 3
    for wrong, words in (("series:Z", "there is no series `Z`"), ("series:5", "4 series cannot be cut"), ("time:9", "too few")):
        with pytest.raises(UsageError, match=words):
            folds_of(dataset, wrong)
    with pytest.raises(UsageError, match="E0852"):
        folds_of(dataset, "sometimes")


def test_a_group_that_was_not_seen_is_in_the_middle_of_the_others() -> None:
    """What only the held-out records know is not taken from the whole fit."""
    table = data()
    table["site"] = table["experiment"]
    run = ho.fit(ho.parse(MODEL.format(by="by site")), table)
    found = run.hold_outs("series:A")
    names = run.fitted.finished.prepared.objective.space.names
    k = {n: found.folds[0].theta[i] for i, n in enumerate(names)}
    assert k["k[A]"] == pytest.approx(np.mean([k["k[B]"], k["k[C]"], k["k[D]"]]), abs=0.02)
    assert not found.folds[0].reason


@pytest.mark.parametrize(
    ("noise", "arguments", "value", "crps"),
    [  # closed forms: T. Gneiting, A. E. Raftery (2007), eq. 21; lognormal: S. Baran, S. Lerch (2015) at the median
        (noises.NORMAL, (0.0, 1.0), 0.7, None),
        (noises.LAPLACE, (0.0, 1.0), 1.2, 1.2 + np.exp(-1.2) - 0.75),
    ],
)
def test_crps_is_that_of_the_closed_form(noise: noises.Noise, arguments: tuple, value: float, crps: float | None) -> None:
    import scipy.stats as st

    if crps is None:
        crps = value * (2 * st.norm.cdf(value) - 1) + 2 * st.norm.pdf(value) - 1 / np.sqrt(np.pi)
    one = np.ones(1)
    row = Rows(
        0, 0, noise, one, one, value * one, value * one, np.zeros(1, int), np.array(["fit"]), tuple(a * one for a in arguments)
    )
    assert scored([row]).crps[0] == pytest.approx(crps, rel=0.02)


def test_a_fit_that_holds_out_a_series_is_one_without_it() -> None:
    """The same optimum; what it says of the series is judged."""
    table = pd.DataFrame(data(3))
    model = ho.parse(MODEL.format(by=""))
    run = ho.fit(model, table, hold_out="series:A")
    alone = ho.fit(model, table[table["experiment"] != "A"])
    assert run.status == alone.status == "converged"
    assert run.result["objective"]["nll"] == pytest.approx(alone.result["objective"]["nll"], abs=1e-6)
    assert run.result["objective"]["n_data"] == 20 and run.result["hold_out"]["n"] == 10
    seen = run.residuals[run.residuals["used"] == "hold_out"]
    assert set(seen["series"]) == {"A"} and run.result["hold_out"]["rmse"] == pytest.approx(
        float(np.sqrt(np.mean((seen["observed"] - seen["predicted"]) ** 2)))
    )
    assert run.residual_tests().tests and run.hold_outs("series:B").whole.count == 10
    for wrong, words in (("series:Z", "no series `Z`"), ("series:A,B,C", "E0636")):
        with pytest.raises((UsageError, DataError), match=words):
            ho.fit(model, table, hold_out=wrong)


def test_networks_are_trained_without_the_series_that_is_held_out() -> None:
    table = pd.DataFrame(data(3))
    run = ho.fit(
        ho.parse(MODEL.format(by="").replace("x' = -k*x", "x' = NN(x, hidden=[4], reg=l2(0.1))")), table, hold_out="series:A"
    )
    assert run.status == "converged" and any("matched to smoothed slopes" in line for line in run.log)
    assert run.result["hold_out"]["rmse"] < 0.3


def test_an_interruption_keeps_the_folds_that_are_made(run: ho.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def once(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return made(*arguments)

    made = hold_outs._predicted
    monkeypatch.setattr(hold_outs, "_predicted", once)
    found = run.hold_outs("series")
    assert found.interrupted and len(found.folds) == 1 and "3 more folds were left out: interrupted" in found.sentences
