"""Ensembles trained after the fit: they go on where they were, and bands widen where there are no data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.cli import main
from hybridode.fit.inference.ensemble import ensemble

MODEL = """model growth
time t from 0
nn U: 1 -> 1, hidden=[3], reg=l2(1e-3)
state x = 0.5
x' = U(x)
observe x ~ normal(x, 0.1)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of logistic growth with no records between 2 and 6."""
    folder = tmp_path_factory.mktemp("growth")
    t = np.concatenate([np.linspace(0, 2, 9), np.linspace(6, 9, 6)])
    x = 10 / (1 + 19 * np.exp(-t)) + 0.1 * np.random.default_rng(1).standard_normal(len(t))
    (folder / "m.ode").write_text(MODEL)
    pd.DataFrame({"t": t, "x": x}).to_csv(folder / "d.csv", index=False)
    assert main(["fit", str(folder / "m.ode"), str(folder / "d.csv"), "--out", str(folder / "run"), "-q"]) in (0, 3)
    return folder / "run"


def widths(run: Path) -> tuple[float, float]:
    """Of the band of `x`, where there are records and where there are none."""
    bands = pd.read_csv(run / "findings" / "bands.csv")
    rows = bands[bands["kind"] == "observed"]
    time, lower, upper = (np.asarray(rows[name], float) for name in ("time", "lower95", "upper95"))
    gap = (time > 3) & (time < 5)
    return float(np.median((upper - lower)[~gap])), float(np.median((upper - lower)[gap]))


def test_members_by_command(run: Path, capsys: pytest.CaptureFixture[str]):
    said = json.loads((run / "findings" / "bands.json").read_text())
    assert said["members"] == 0 and any("hybridode ensemble" in line for line in said["sentences"])
    assert main(["ensemble", str(run), "--members", "1", "-q"]) == 0
    first = np.load(run / "findings" / "ensemble.npy")
    assert main(["ensemble", str(run), "--members", "2", "-q"]) == 0
    second = np.load(run / "findings" / "ensemble.npy")
    np.testing.assert_array_equal(second[:1], first)
    found = json.loads((run / "findings" / "ensemble.json").read_text())
    assert found["asked"] == found["trained"] == 2 and [row[0] for row in found["members"]["rows"]] == [1, 2]
    bands = json.loads((run / "findings" / "bands.json").read_text())
    assert bands["members"] == found["kept"] > 0 and "ensemble" in bands["how"]
    assert not any("hybridode ensemble" in line for line in bands["sentences"])
    inside, gap = widths(run)
    assert gap > 2 * inside
    opened = ho.open_run(run).fitted.finished
    assert opened is not None and len(opened.members) == found["kept"]  # what comes later knows them
    assert len(np.unique(np.round(np.stack([opened.theta, *opened.members]), 6), axis=0)) == found["kept"] + 1
    assert 'id="ensemble"' in (run / "report.html").read_text()


def test_a_model_without_networks_is_refused():
    text = "model m\ntime t from 0\nparam k = 1 in (0.1, 5)\nstate x = 2\nx' = -k*x\nobserve x ~ normal(x, 0.1)\n"
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": [1.0, 2.0], "x": [1.1, 0.7]}))
    with pytest.raises(ho.UsageError, match="E0792"):
        ensemble(run.fitted, 2)
