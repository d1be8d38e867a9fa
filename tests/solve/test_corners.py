"""Corners of linear inputs: where steps end at them, and what that does to the objective of a fit."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit import run as fits
from hybridode.fit.prepare import prepare
from hybridode.fit.progress import Recorder
from hybridode.language.check import declare
from hybridode.solve.corners import corners_of
from hybridode.solve.settings import Settings

TEXT = """model forced
param k = 2 in (0.1, 100) log
param c = 3 in (0.1, 100) log
input u from data.u, interp={kind}
state x = 0
state v = 0
x' = v
v' = u - k*v*v*v - c*x
observe x ~ normal(x, 0.001)
"""
TIMES = np.linspace(0, 4, 41)
FORCE = np.round(2 * np.sin(3 * TIMES) + np.sin(11 * TIMES), 3)


def model(kind="linear"):
    return declare(Source("model.ode", TEXT.format(kind=kind)))


@pytest.mark.parametrize(
    ("kind", "times", "values", "corners"),
    [
        ("linear", TIMES, FORCE, (0,)),
        ("linear", np.linspace(0, 20, 2000), np.sin(np.linspace(0, 20, 2000)), ()),  # 285 steps without, 2000 with
        ("linear", np.linspace(0, 20, 100), np.sin(np.linspace(0, 20, 100)), (0,)),  # 376 without, some 110 with
        ("linear", TIMES, 0 * TIMES + 3, ()),
        ("linear", TIMES, 2 * TIMES, ()),
        ("linear", TIMES[:2], FORCE[:2], ()),
        ("cubic", TIMES, FORCE, ()),
        ("previous", TIMES, FORCE, ()),  # where it jumps steps end anyway
    ],
)
def test_corners_above_the_tolerance_are_landed_on(kind, times, values, corners):
    d = model(kind)
    assert corners_of(d, [{"u": (times, values)}], 1e-6) == corners
    assert corners_of(d, [{"u": (times, 0 * times)}, {"u": (times, values)}], 1e-6) == corners


def exact(k, c):
    """By SciPy, from knot to knot."""
    out, y = [[0.0, 0.0]], np.zeros(2)
    for a, b, before, after in zip(TIMES[:-1], TIMES[1:], FORCE[:-1], FORCE[1:], strict=True):
        flow = lambda t, y: [y[1], before + (after - before) * (t - a) / (b - a) - k * y[1] ** 3 - c * y[0]]  # noqa: B023, E731
        solved = solve_ivp(flow, (a, b), y, "DOP853", rtol=1e-12, atol=1e-13)
        assert solved.success
        y = solved.y[:, -1]
        out.append(y)
    return np.array(out)[:, 0]


def test_the_objective_is_smooth_and_its_derivatives_are_right():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"t": TIMES, "x": exact(2.2, 3.1) + 0.001 * rng.normal(size=len(TIMES)), "u": FORCE})
    d = model()
    with jax.enable_x64(True):
        dataset = experiments(d, data)
        prepared = prepare(dataset, fits.Options({}, frozenset(), None, 0, None, Settings(), None, {}), Recorder())
        assert prepared.objective.compiled.landing_signals == (0,)
        theta = prepared.objective.space.unconstrain({})
        here = prepared.lanes.evaluation(theta)
        assert np.isfinite(here.value)
        along = np.array([0.8, 0.6])
        values = np.array([float(prepared.lanes.evaluation(theta + h * along).value) for h in 1e-6 * np.arange(9)])

    def loss(k, c):
        left = (data["x"].to_numpy() - exact(k, c)) / 0.001
        return 0.5 * np.sum(left**2) + len(left) * np.log(0.001 * np.sqrt(2 * np.pi))

    assert float(here.value) == pytest.approx(loss(2, 3), rel=2e-4)
    rough = values - np.polyval(np.polyfit(np.arange(9), values, 2), np.arange(9))
    assert np.std(rough) < 1e-8 * abs(float(here.value))
    # By natural numbers: d theta / d k = 1 / (k (1 - s)), s the place of log k between the bounds.
    share = np.log(np.array([2.0, 3.0]) / 0.1) / np.log(1000)
    natural = np.asarray(here.gradient) / (np.array([2.0, 3.0]) * np.log(1000) * share * (1 - share))
    differences = [(loss(2 + h, 3 + g) - loss(2 - h, 3 - g)) / 2e-4 for h, g in ((1e-4, 0), (0, 1e-4))]
    np.testing.assert_allclose(natural, differences, rtol=2e-3)
