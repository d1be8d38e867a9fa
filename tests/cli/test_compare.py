"""`hybridode compare`: two runs, hold-outs, a CSV file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridode.cli import main
from hybridode.report.findings import read_findings

MODEL = """model decay
time t from 0
param k = 0.5 in (0.01, 10) log
param s = 0.1 in (1e-3, 10) log
{more}state x = 10
x' = -k*x{term}
observe x ~ normal(x, s)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("compare")
    t, random = np.linspace(0.2, 5, 25), np.random.default_rng(3)
    pd.DataFrame({"t": t, "x": 10 * np.exp(-0.6 * t) + 0.1 * random.standard_normal(25)}).to_csv(folder / "d.csv", index=False)
    out = []
    for name, more, term in (("a", "", ""), ("b", "param c = 0.1\n", " + c")):
        (folder / f"{name}.ode").write_text(MODEL.format(more=more, term=term), encoding="utf-8")
        out.append(str(folder / name))
        assert main(["fit", str(folder / f"{name}.ode"), str(folder / "d.csv"), "--out", out[-1], "--only-fit", "-q"]) == 0
    return out


def test_two_runs_are_compared(runs: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["compare", *runs, "-o", str(tmp_path / "c.csv")]) == 0
    text = capsys.readouterr().out
    assert f"{runs[0]} is {runs[1]} with `c` = 0: the likelihood ratio" in text and "by BIC" in text
    written = pd.read_csv(tmp_path / "c.csv")
    assert sorted(written["run"]) == runs and written["dbic"].min() == 0


def test_hold_outs_are_made_and_compared(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *runs, "--cross-validate", "time:2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["same_data"]
    for run in runs:
        finding = read_findings(Path(run))["hold_outs"]
        assert finding == found["findings"][run]["hold_outs"]
        assert finding["overall"]["n"] == 10 and finding["command"].startswith("hybridode compare")
    held = pd.read_csv(Path(runs[0]) / "findings" / "hold_outs.csv")
    assert len(held) == 10 and held["fold"].nunique() == 2 and held["time"].is_monotonic_increasing
    finding = read_findings(Path(runs[0]))["hold_outs"]
    assert np.sqrt(np.mean((held["observed"] - held["location"]) ** 2)) == pytest.approx(finding["overall"]["rmse"], rel=1e-5)
    inside = (held["observed"] >= held["lower95"]) & (held["observed"] <= held["upper95"])
    assert inside.mean() == pytest.approx(finding["overall"]["coverage95"])
    columns = found["runs"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in found["runs"]["rows"]]
    assert all(row["hold_out_n"] == 10 and row["hold_out_crps"] > 0 for row in rows)
    assert any("predicts held-out records best: CRPS" in s for s in found["sentences"])


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "E0791"), (["--cross-validate", "series"], "E0790"), (["--cross-validate", "often"], "E0852")],
)
def test_what_is_refused(runs: list[str], capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    assert main(["compare", runs[0], *options]) == 2
    assert words in capsys.readouterr().err


def test_a_fit_tells_what_is_wrong_with_its_residuals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    t = np.linspace(0.2, 6, 50)
    x = 10 * np.exp(-0.6 * t) + 0.5 * np.sin(2 * t) + 0.05 * np.random.default_rng(0).standard_normal(50)
    pd.DataFrame({"t": t, "x": x}).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.ode").write_text(MODEL.format(more="", term=""), encoding="utf-8")
    assert main(["fit", str(tmp_path / "m.ode"), str(tmp_path / "d.csv"), "--out", str(tmp_path / "r")]) == 0
    assert "the residuals of `x` come in long runs: the model misses a slow trend between t=" in capsys.readouterr().out
    finding = read_findings(tmp_path / "r")["residual_tests"]
    assert finding["wrong"] and finding["free"] == pytest.approx(1, abs=1e-3)
