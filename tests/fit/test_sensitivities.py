"""Forward or backward sensitivities: chosen by counted cost, with the same numbers either way."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.fit.objective import objective
from hybridode.fit.objective.sensitivities import Mode, cheaper_mode
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.solve.settings import Settings

TEXT = """model m
param k = 0.4 in (0, 2)
state x = 1
nn U: 1 -> 1, hidden=[6]
x' = -k*x + U(x)
observe x ~ normal(x, 0.1)
"""
DATA = pd.DataFrame({"t": [0.5, 1.0, 2.0], "x": [0.8, 0.6, 0.45]})


def prepared():
    declarations = ho.parse(TEXT).declarations
    with jax.enable_x64(True):
        return prepare(experiments(declarations, DATA), Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder())


def test_few_predictions_of_many_numbers_go_backwards(monkeypatch) -> None:
    found = prepared()
    o = found.objective
    theta = o.theta(o.space.unconstrain())
    assert len(theta) == 20
    with jax.enable_x64(True):
        assert not o.mode(len(theta), found.fitted).forward
        backward = o.with_fisher(theta, found.fitted)
        again = prepared().objective
        monkeypatch.setattr(objective, "cheaper_mode", lambda *given: Mode(True, ""))
        forward = again.with_fisher(theta, found.fitted)
    assert np.isfinite(forward.value) and np.isfinite(backward.value)
    for a, b in zip(forward[:3], backward[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_the_choice_is_counted() -> None:
    compiled = ho.parse("model m\nparam k = 1\nstate x = 1\nx' = -k*x\n").compiled()
    assert cheaper_mode(compiled, "native", "tsit5", 3, 40, 1).forward
    assert cheaper_mode(compiled, "diffrax", "tsit5", 300, 4, 1).forward
    many = cheaper_mode(compiled, "native", "tsit5", 300, 4, 1)
    assert not many.forward and "300 tangents" in many.reason and "4 adjoints" in many.reason
    assert cheaper_mode(compiled, "native", "tsit5", 300, 40, 10).forward  # an adjoint goes through all series
