"""Verdicts on models that are identifiable, and ones that are not on purpose, of known kinds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from hybridode.declarations import Parameter
from hybridode.fit.inference.profiles import profiles
from hybridode.fit.inference.verdicts import verdict_of
from hybridode.fit.parameters import parameter_space
from hybridode.fit.search.ask import Point
from hybridode.fit.search.pool import evaluate_alone

T = np.linspace(0, 4, 15)
CASES = {  # model of natural values, truth, what must be said of each
    "decay": (lambda p: p[0] * np.exp(-p[1] * T), [2.0, 0.7], ["identified", "identified"]),
    "product": (lambda p: p[0] * p[1] * np.exp(-p[2] * T), [2.0, 0.5, 0.7], ["combination", "combination", "identified"]),
    "ratio": (lambda p: p[0] / p[1] * (1 - np.exp(-p[2] * T)), [2.0, 0.5, 0.7], ["combination", "combination", "identified"]),
    "sum": (lambda p: np.exp(-(p[0] + p[1]) * T), [0.5, 0.3], ["bounded above", "bounded above"]),
    "saturated": (lambda p: p[0] * (1 - np.exp(-p[1] * (T + 3))), [2.0, 4.0], ["identified", "bounded below"]),
    "michaelis": (lambda p: p[0] * 0.05 * T / (p[1] + 0.05 * T), [30.0, 20.0], ["bounded below", "bounded below"]),
    "unseen": (lambda p: np.exp(-p[0] * T) + 0 * p[1], [0.7, 1.0], ["identified", "not identified"]),
    "late": (lambda p: np.exp(-p[0] * T) * (1 + 1e-6 * p[1]), [0.7, 1.0], ["identified", "bounded above"]),
}


def evaluator(model, data):
    def at(theta):
        x, h = np.exp(theta), 1e-6
        r = (model(x) - data) / 0.02
        j = np.stack([(model(x * np.exp(h * e)) - model(x * np.exp(-h * e))) / (2 * h) for e in np.eye(len(x))], axis=1) / 0.02
        return Point(np.array(theta), 0.5 * float(r @ r), j.T @ r, j.T @ j) if np.all(np.isfinite(r)) else Point(
            np.array(theta), np.inf, np.zeros(len(x)), np.zeros((len(x), len(x))), "overflow")  # fmt: skip

    return at


@pytest.mark.parametrize("case", CASES)
def test_verdict(case):
    model, truth, kinds = CASES[case]
    names = [f"k{i + 1}" for i in range(len(truth))]
    space = parameter_space(tuple(Parameter(n, (1.0,), lower=0.0, scale="log") for n in names))
    data = model(np.array(truth)) + 0.02 * np.random.default_rng(5).standard_normal(len(T))
    evaluate = evaluator(model, data)
    best = scipy.optimize.least_squares(lambda th: (model(np.exp(th)) - data) / 0.02, np.log(truth), xtol=1e-12, bounds=(-5, 5))
    found, _ = profiles(space, evaluate(best.x), evaluate_alone(evaluate))
    said = {p.name: verdict_of(space, p) for p in found}
    for v in said.values():
        print(case, v.name, v.kind, v.sentence)
    assert [said[n].kind for n in names] == kinds
