"""Conditions that hold for a small part of a step: each event once, none missed, no end of events where there is one."""

from __future__ import annotations

import numpy as np
import pytest

import hybridode as ho

COUNTING = """model m
param a = 1.2345
state x = 0
discrete n = 0
discrete when = 0
x' = 1
event e when {} {{ n := n + 1; when := t }}
"""
WINDOWS = {  # condition: the instants at which it turns true while x = t goes to 10
    "(x - a)*(x - a - 1e-3) < 0": [1.2345],
    "(x - a)^2 < 1e-8": [1.2344],
    "(x - 3)*(x - 3.001)*(x - 7)*(x - 7.5) < 0": [3.0, 7.0],
}


@pytest.mark.parametrize("condition", WINDOWS)
def test_each_fires_once(condition: str) -> None:
    expected = WINDOWS[condition]
    sol = ho.parse(COUNTING.format(condition)).simulate(at=[10.0], method="tsit5")
    assert sol.successful and sol["n"][0] == sol.stats["events"] == len(expected)
    np.testing.assert_allclose(sol["when"], expected[-1], rtol=1e-9)
