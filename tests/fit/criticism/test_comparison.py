"""Comparisons of runs: criteria, the same data, nested models and their likelihood ratios."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import hybridode.api as ho
from hybridode.errors import UsageError
from hybridode.fit.criticism.comparison import Candidate, Comparison, compared_runs
from hybridode.fit.criticism.nested import Side, nesting
from hybridode.report.candidates import compare

HEAD = "model m\ntime t from 0\nstate x = 1\n"
LINE = HEAD + "param a = 0.5\nparam s = 0.1 in (1e-3, 10) log\nx' = a\nobserve x ~ normal(x, s)\n"
BENT = HEAD + "param a = 0.5\nparam c = 0.1\nparam s = 0.1 in (1e-3, 10) log\nx' = a + c*t\nobserve x ~ normal(x, s)\n"


def side(text: str, fixed: tuple[str, ...] = (), **values: float) -> Side:
    d = ho.parse(text).declarations
    known = {p.name: p.values[0] for p in d.parameters} | values
    return Side(d, known, frozenset({*fixed, *(p.name for p in d.parameters if p.fixed)}))


def table(seed: int = 0) -> pd.DataFrame:
    t = np.linspace(0.1, 4, 20)
    return pd.DataFrame({"t": t, "x": 1 + 0.5 * t + 0.1 * np.random.default_rng(seed).standard_normal(20)})


@pytest.fixture(scope="module")
def runs() -> list[ho.Run]:
    return [ho.fit(ho.parse(text), table()) for text in (LINE, BENT)]


def test_a_line_and_a_parabola(runs: list[ho.Run]) -> None:
    """Criteria and p-value are those of two polynomials by NumPy."""
    found = compare(*runs)
    t, y = table()["t"].to_numpy(), table()["x"].to_numpy() - 1
    nll = []
    for columns in ([t], [t, t**2 / 2]):
        x = np.stack(columns, axis=1)
        sd = np.std(y - x @ np.linalg.lstsq(x, y, rcond=None)[0], mean=0)
        nll.append(20 * (np.log(sd) + 0.5 * np.log(2 * np.pi) + 0.5))
    rows = {r["run"]: r for r in found.table.to_dict("records")}
    for name, value, k in (("m (1)", nll[0], 2), ("m (2)", nll[1], 3)):
        assert rows[name]["log_likelihood"] == pytest.approx(-value, abs=1e-4)
        assert rows[name]["aic"] == pytest.approx(2 * k + 2 * value, abs=1e-3)
        assert rows[name]["aicc"] == pytest.approx(2 * k + 2 * value + 2 * k * (k + 1) / (20 - k - 1), abs=1e-3)
        assert rows[name]["bic"] == pytest.approx(k * np.log(20) + 2 * value, abs=1e-3)
    (ratio,) = found.ratios
    assert (ratio.small, ratio.large, ratio.how, ratio.degrees) == ("m (1)", "m (2)", "`c` = 0", 1)
    assert ratio.p == pytest.approx(chi2.sf(2 * (nll[0] - nll[1]), 1), rel=1e-2)
    assert found.alike and "does not reject that" in ratio.sentence
    assert "m (1) is the better description by BIC" in found.sentences[0] or "cannot be told apart" in found.sentences[0]


def test_other_data_are_not_compared(runs: list[ho.Run]) -> None:
    found = compare(runs[0], ho.fit(ho.parse(BENT), table(1)))
    assert not found.alike and not found.ratios and "dbic" not in found.table
    assert "(0 of 20 and 20 are the same): likelihoods, AIC and BIC cannot be compared" in found.sentences[0]
    with pytest.raises(UsageError, match="E0791"):
        compare(runs[0])


LOGISTIC = HEAD + "param r = 0.5 in (0, 5)\nparam K = 5 in (0.1, 100)\n{more}x' = {rate}\nobserve x ~ normal(x, {sd})\n"


def written(rate: str, sd: str = "1", more: str = "") -> str:
    return LOGISTIC.format(rate=rate, sd=sd, more="".join(f"param {p}\n" for p in more.split(";") if p))


@pytest.mark.parametrize(
    ("small", "large", "how", "boundary"),
    [
        (written("r*x*(1 - x/K)"), written("r*x*(1 - x/K) - h*x", more="h = 0.1 in (0, 5)"), "`h` = 0", 1),
        (written("r*x*(1 - x/K)"), written("r*x*(1 - (x/K)^n)", more="n = 1.5"), "`n` = 1", 0),
        (written("K*x/(K + x)*r"), written("x*K*r/(x + K)", sd="sqrt(1 + b^2*x^2)", more="b = 0.2"), "`b` = 0", 0),
        (written("hill(x, K, 1)*r"), written("r*x^n/(K^n + x^n)", more="n = 2"), "`n` = 1", 0),
        (written("r*x*(1 - x/K)"), written("r*x*(1 - x/K) + NN(x)"), "`NN_x` at 0", 0),
        (written("r*x*(1 - x/K)"), written("r*x*(1 - x/K - h)", more="h = 0.1 in (0, 5);g = 1 fixed"), "`h` = 0", 1),
    ],
)
def test_what_is_nested(small: str, large: str, how: str, boundary: int) -> None:
    found = nesting(side(small), side(large))
    assert found is not None and found.how == how and found.boundary == boundary
    assert nesting(side(large), side(small)) is None


def test_a_parameter_that_one_run_fixed() -> None:
    text = written("r*x*(1 - x/K)")
    found = nesting(side(text, ("K",), K=7.0), side(text))
    assert found is not None and found.how == "`K` = 7"


@pytest.mark.parametrize(
    "other",
    [
        written("r*x - K*x^3"),
        written("r*x*(1 - x/K)").replace("normal", "laplace"),
        written("r*x*(1 - x/K) - h", more="h = 0.1").replace("state x = 1", "state x = 2"),
        written("r*x*(1 - x/K)"),
    ],
)
def test_what_is_not_nested(other: str) -> None:
    assert nesting(side(written("r*x*(1 - x/K)")), side(other)) is None


def candidate(name: str, text: str, nll: float, free: int, data: pd.DataFrame, **more: float) -> Candidate:
    d = ho.parse(text).declarations
    result = {
        "model": name, "status": "converged", "hold_out": None,
        "objective": {"nll": nll, "n_data": 20, "n_free": free, "aic": 0.0, "bic": 0.0, "prior": 0.0, "regulariser": 0.0, **more},
        "parameters": {p.name: {"value": p.values[0], "fixed": p.fixed} for p in d.parameters},
    }  # fmt: skip
    return Candidate(name, result, data, d)


def ratio_of(gain: float, large: str, **more: float) -> Comparison:
    rows = pd.DataFrame({"series": "", "column": "x", "time": [0.0], "observed": [1.0], "censored": [0], "used": "fit"})
    small = candidate("small", written("r*x*(1 - x/K)"), 10.0, 2, rows)
    return compared_runs([small, candidate("large", large, 10.0 - gain, 3, rows, **more)])


def test_caveats_of_likelihood_ratios() -> None:
    bounded, free = (written("r*x*(1 - x/K) - h*x", more=f"h = 0.1{b}") for b in (" in (0, 5)", ""))
    at_the_edge, inside = ratio_of(2.0, bounded).ratios[0], ratio_of(2.0, free).ratios[0]
    assert inside.p == pytest.approx(chi2.sf(4.0, 1)) and at_the_edge.p == pytest.approx(chi2.sf(4.0, 1) / 2)
    assert "the larger one fits worse" in ratio_of(-1.0, free).ratios[0].sentence
    assert "priors or penalties" in ratio_of(1.0, free, prior=1.0).ratios[0].sentence
    assert "no chi-square test" in ratio_of(5.0, written("r*x*(1 - x/K) + NN(x)")).ratios[0].sentence


def test_leaving_one_out_has_its_say() -> None:
    """What `hybridode sample` found, with its caveat."""
    rows = pd.DataFrame({"series": "", "column": "x", "time": [0.0], "observed": [1.0], "censored": [0], "used": "fit"})
    one, other = (candidate(n, written("r*x - K*x^2"), 10.0, 2, rows) for n in ("one", "other"))
    loo = [{"posterior": {"loo": {"elpd": e, "se": 1.0, "unsure": u}}} for e, u in ((-12.0, 0), (-10.0, 3))]
    found = compared_runs([replace(c, findings=f) for c, f in zip((one, other), loo, strict=True)])
    assert any("(PSIS-LOO), other is 2 before one" in s for s in found.sentences)
    assert any("PSIS-LOO of other is unsure of 3 records" in s for s in found.sentences)


def test_differences_of_loo_have_standard_errors() -> None:
    """That of a sum of independent differences."""
    rows = pd.DataFrame({"series": "", "column": "x", "time": [0.0], "observed": [1.0], "censored": [0], "used": "fit"})
    random = np.random.default_rng(0)
    first = random.normal(-1, 0.3, 40)
    for shift, spread, told in ((0.5, 0.2, False), (0.12, 0.6, True)):
        second = first + shift + spread * random.standard_normal(40)
        both = []
        for name, elpd in (("one", first), ("other", second)):
            found = {"posterior": {"loo": {"elpd": float(elpd.sum()), "se": 1.0, "unsure": 0}}}
            point = pd.DataFrame({"series": "", "row": np.arange(40), "column": "x", "time": 0.0, "elpd": elpd})
            made = candidate(name, written("r*x - K*x^2"), 10.0, 2, rows)
            both.append(replace(made, findings=found, pointwise=point))
        gap, se = (second - first).sum(), np.sqrt(40) * (second - first).std()
        (words,) = [s for s in compared_runs(both).sentences if "(PSIS-LOO)" in s]
        assert f"other is {gap:.3g} ± {se:.2g} before one" in words
        assert ("cannot be told apart" in words) == (told and gap < 2 * se)
