"""What `hybridode fit` finds out after the fit, and the commands that do more of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridode.cli import main

MODEL = """model m
time t from 0
param a = 1 in (0, inf) log
param b = 1 in (0, inf) log
param k = 1 in (0, inf) log
state x
x(0) = a*b
x' = -k*x
observe x ~ normal(x, 0.1)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("after")
    t = np.linspace(0.1, 4, 20)
    noise = np.random.default_rng(0).normal(size=20)
    (folder / "m.ode").write_text(MODEL)
    pd.DataFrame({"t": t, "x": 3 * np.exp(-0.6 * t) + 0.1 * noise}).to_csv(folder / "d.csv", index=False)
    assert main(["fit", str(folder / "m.ode"), str(folder / "d.csv"), "--out", str(folder / "run"), "-q"]) == 0
    return folder / "run"


def finding(run: Path, kind: str) -> dict:
    return json.loads((run / "findings" / f"{kind}.json").read_text())


def test_a_fit_says_what_can_be_believed(run: Path):
    profiles = finding(run, "profiles")["parameters"]
    assert profiles["k"]["verdict"] == "identified" and profiles["k"]["lower95"] < 0.6 < profiles["k"]["upper95"]
    assert profiles["a"]["verdict"] == "combination" and profiles["a"]["combination"]["text"] == "a*b"
    assert profiles["a"]["lower95"] is None and profiles["a"]["lower95_reason"]
    assert finding(run, "spectrum")["determined"] == 2
    assert finding(run, "identifiability")["not_identifiable"] == ["a", "b"]
    bands = pd.read_csv(run / "findings" / "bands.csv")
    assert set(bands["kind"]) == {"observed", "state"} and np.all(bands["lower95"] <= bands["upper95"])
    curves = pd.read_csv(run / "findings" / "profiles.csv")
    assert set(curves["profile"]) == {"a", "b", "k"} and curves["rise"].min() > -1e-3


def test_profile_of_one_parameter(run: Path, capsys: pytest.CaptureFixture[str]):
    before = finding(run, "profiles")["parameters"]["k"]
    assert main(["profile", str(run), "k", "--levels", "12", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]["profiles"]["parameters"]
    assert list(found) == ["a", "b", "k"]  # those of others stay
    assert len(found["k"]["curve"]["rise"]) > len(before["curve"]["rise"])
    assert set(pd.read_csv(run / "findings" / "profiles.csv")["profile"]) == {"a", "b", "k"}
    assert found["k"]["lower95"] == pytest.approx(before["lower95"], rel=1e-3)
    assert main(["profile", str(run), "kk"]) == 2
    assert "`kk` is not learnt" in capsys.readouterr().err


def test_bootstrap_goes_on_where_it_was(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bootstrap", str(run), "--samples", "20", "-q"]) == 0
    first = pd.read_csv(run / "findings" / "bootstrap.csv")
    assert main(["bootstrap", str(run), "--samples", "30", "-q"]) == 0
    second = pd.read_csv(run / "findings" / "bootstrap.csv")
    pd.testing.assert_frame_equal(second.iloc[:20], first)
    content = finding(run, "bootstrap")
    assert content["samples"] == 30 and content["parameters"]["columns"][0] == "name"


def test_check_says_what_could_be_known(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["check", str(run.parent / "m.ode"), "--identifiability"]) == 0
    assert "`a*b` can" in capsys.readouterr().out


def test_a_bug_in_what_comes_after_leaves_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from hybridode.commands import afterwards

    def broken(run: object, seconds: float) -> None:
        time.sleep(2.0)
        raise ZeroDivisionError("one of ours")

    monkeypatch.setattr(afterwards, "AFTERWARDS", (("broken", broken), *afterwards.AFTERWARDS))
    monkeypatch.setattr(afterwards, "LONG", 1.0)
    (tmp_path / "m.ode").write_text(MODEL.replace("a*b", "a"))
    pd.DataFrame({"t": [1.0, 2.0, 3.0], "x": [1.6, 0.9, 0.5]}).to_csv(tmp_path / "d.csv", index=False)
    arguments = ["fit", str(tmp_path / "m.ode"), str(tmp_path / "d.csv"), "--out", str(tmp_path / "run"), "--fix", "b"]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert "broken: failed inside (ZeroDivisionError: one of ours)" in told.err
    fitted = json.loads((tmp_path / "run" / "result.json").read_text())["timing"]["total"]
    assert fitted > 2.0 or "s; `--only-fit` leaves it out" in told.out  # who waits longer than for the fit is told why
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "converged"
    assert finding(tmp_path / "run", "spectrum")
