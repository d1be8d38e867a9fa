"""A law that suits the learnt term but cannot be refitted in the model is named, not dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

import hybridode as ho
from hybridode.discover import laws
from hybridode.discover.found import discovery_content

MODEL = """model uptake
time t from 0
state x = 4
dx/dt = -NN(x, hidden=[4], reg=l2(1e-3))
observe x ~ normal(x, 0.01)
"""


def test_laws_whose_refit_fails_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.linspace(0, 8, 60)
    x = solve_ivp(lambda t, u: -u / (0.4 + u), (0, 8), [4.0], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
    x = x + 0.01 * np.random.default_rng(1).standard_normal(len(times))
    run = ho.fit(ho.parse(MODEL), pd.DataFrame({"t": times, "x": x}))
    assert run.status == "converged"
    refit = laws.quick_refit

    def failing(*given: Any) -> Any:
        return replace(refit(*given), failed="the test says so")

    monkeypatch.setattr(laws, "quick_refit", failing)
    found = run.discover()
    assert found.failed and all(c.failed == "the test says so" for c in found.failed)
    assert not {c.text() for c in found.failed} & {c.text() for c in found.candidates}
    told = discovery_content(found)["not_refitted"]
    assert told["columns"] == ["formula", "reason"] and [row[0] for row in told["rows"]] == [c.text() for c in found.failed]
