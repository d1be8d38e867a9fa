"""A model from text to forecast by commands: numbers against exact solutions, files as promised, clear ends."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

from hybridode.cli import main
from hybridode.fit.outcome.result import result_schema
from tests.cli.conftest import ROOT

DECAY = ROOT / "examples" / "decay"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fit of the decay example."""
    folder = tmp_path_factory.mktemp("fit")
    for name in ("decay.ode", "data.csv"):
        shutil.copy(DECAY / name, folder)
    assert main(["fit", str(folder / "decay.ode"), str(folder / "data.csv"), "--starts", "2", "--hold-out", "last:3", "-q"]) == 0
    return folder / "decay.runs" / "001"


def test_simulate_agrees_with_the_exact_solution(hybridode: Callable, decay: Path) -> None:
    ran = hybridode("simulate", decay, "--at", "0,0.5,4", "--set", "k=0.7", "-o", "-", "--rtol", "1e-10", "--atol", "1e-12")
    assert ran.code == 0
    rows = pd.read_csv(io.StringIO(ran.out))
    np.testing.assert_allclose(rows["c"], 10 * np.exp(-0.7 * rows["t"]), rtol=1e-8)


def test_simulate_writes_tables_pictures_and_data(hybridode: Callable, decay: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "out.csv", tmp_path / "out.svg"
    ran = hybridode("simulate", decay, "--to", "10", "-o", out, "--plot", plot)
    assert ran.code == 0
    rows = pd.read_csv(out)
    assert len(rows) == 201
    np.testing.assert_allclose(rows["c"], 10 * np.exp(-0.5 * rows["t"]), rtol=1e-4)
    assert plot.read_text(encoding="utf-8").startswith("<?xml")
    shown = hybridode("simulate", decay, "--to", "10", "--points", "5")
    assert len(shown.out.splitlines()) == 2 + 5
    found = json.loads(hybridode("simulate", decay, "--to", "10", "--points", "3", "--json").out)
    assert found["ok"] is True
    assert found["columns"]["t"] == [0, 5, 10]
    assert found["stats"]["method"]


def test_failed_solve_keeps_what_was_computed(hybridode: Callable, tmp_path: Path) -> None:
    model = tmp_path / "explodes.ode"
    model.write_text("model explodes\nstate x = 1\nx' = x^2\n", encoding="utf-8")  # x = 1/(1 - t)
    out = tmp_path / "out.csv"
    ran = hybridode("simulate", model, "--to", "2", "--points", "21", "-o", out)
    assert ran.code == 3
    assert "E07" in ran.err
    assert "x" in ran.err
    rows = pd.read_csv(out)
    early = rows["t"] < 0.9
    np.testing.assert_allclose(rows["x"][early], 1 / (1 - rows["t"][early]), rtol=1e-4)
    assert rows["x"][rows["t"] > 1.05].isna().all()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--to", "1", "--set", "kk=1"], 2, "`k`"),
        (["--to", "1", "--set", "k=[1, 2]"], 2, "k"),
        (["--to", "-1"], 2, "time"),
        (["--at", "3,2"], 2, "ascending"),
        (["--to", "1", "--method", "tsit"], 2, "tsit5"),
        (["--to", "1", "--engine", "nativ"], 2, "engine"),
        (["--to", "1", "--rtol", "-1"], 2, "rtol"),
        (["--to", "1", "-o", "/no/such/folder/x.csv"], 2, "E0809"),
        (["--to", "1", "--data", "nowhere.csv"], 1, "nowhere.csv"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_wrong_values_are_told(hybridode: Callable, decay: Path, arguments: list[str], code: int, said: str) -> None:
    ran = hybridode("simulate", decay, *arguments)
    assert (ran.code, said in ran.err) == (code, True), ran.err


def test_fit_takes_checkpoints(hybridode: Callable, decay: Path) -> None:
    for chosen, said in (("some", "sqrt"), ("1", "at least 2")):
        ran = hybridode("fit", decay, "data.csv", "--checkpoints", chosen)
        assert ran.code == 2 and "checkpoints" in ran.err and said in ran.err


def test_run_directory_is_complete_and_follows_its_schema(fitted: Path) -> None:
    result = json.loads((fitted / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(result, result_schema())
    assert result["status"] == "converged"
    # The data are 10*exp(-0.4 t) with 3 % scatter: the truth lies within four standard errors.
    k = result["parameters"]["k"]
    assert abs(k["value"] - 0.4) < 4 * k["se"]
    tables = {"parameters.csv", "predictions.csv", "residuals.csv", "trace.csv"}
    assert {path.name for path in fitted.iterdir()} == tables | {
        "result.json",
        "fitted.ode",
        "report.html",
        "log.txt",
        "settings.toml",
        "figures",
        "findings",
        "source",
    }
    residuals = pd.read_csv(fitted / "residuals.csv")
    assert list(residuals["used"]).count("hold_out") == 3
    lines = (DECAY / "data.csv").read_text(encoding="utf-8").splitlines()
    first = residuals.iloc[0]
    assert lines[int(first["row"]) - 1] == f"{first['time']},{first['observed']}"
    log = (fitted / "log.txt").read_text(encoding="utf-8")
    assert log.startswith("$ hybridode fit ")


def test_fitted_model_repeats_its_predictions(hybridode: Callable, fitted: Path) -> None:
    curve = pd.read_csv(fitted / "predictions.csv").query("kind == 'data'")
    at = ",".join(repr(float(t)) for t in curve["time"])
    ran = hybridode("predict", fitted, "--at", at, "-o", "-", "--rtol", "1e-10", "--atol", "1e-12")
    rows = pd.read_csv(io.StringIO(ran.out))
    np.testing.assert_allclose(rows["c.observed"], curve["location"], rtol=1e-5)
    np.testing.assert_allclose(rows["c.lower95"], curve["lower95"], rtol=1e-5)
    np.testing.assert_allclose(rows["c.upper95"], curve["upper95"], rtol=1e-5)
    again = hybridode("check", fitted / "fitted.ode")
    assert (again.code, again.err) == (0, "")


def test_fit_shows_a_table_and_where_the_report_is(hybridode: Callable, fitted: Path, tmp_path: Path) -> None:
    out = tmp_path / "best"
    model, data = fitted.parents[1] / "decay.ode", fitted.parents[1] / "data.csv"
    ran = hybridode("fit", model, data, "--starts", "1", "--fix", "s", "--out", out)
    assert ran.code == 0
    assert "parameter" in ran.out
    assert "std. error" in ran.out
    assert f"report: {out / 'report.html'}" in ran.out
    assert "fixed" in ran.out
    assert "iteration 1" in ran.err
    twice = hybridode("fit", model, data, "--out", out)
    assert twice.code == 2
    assert "E0806" in twice.err


def test_interrupted_fit_keeps_the_best_so_far(
    hybridode: Callable, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hybridode.commands.progress import ProgressDisplay

    def interrupt(self: ProgressDisplay, progress: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressDisplay, "__call__", interrupt)
    out = tmp_path / "run"
    ran = hybridode("fit", fitted.parents[1] / "decay.ode", fitted.parents[1] / "data.csv", "--out", out)
    assert ran.code == 130
    assert json.loads((out / "result.json").read_text(encoding="utf-8"))["status"] == "interrupted"
    assert "interrupted" in (out / "report.html").read_text(encoding="utf-8")


def test_wrong_data_leave_no_run(hybridode: Callable, decay: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("t,c\n0,10\n1,six\n2,3.7\n", encoding="utf-8")
    ran = hybridode("fit", decay, bad)
    assert ran.code == 1
    assert "bad.csv:3:" in ran.err
    assert "six" in ran.err
    assert not list(tmp_path.glob("*.runs"))


def test_predict_refuses_what_is_no_run(hybridode: Callable, decay: Path, fitted: Path) -> None:
    ran = hybridode("predict", decay.parent, "--to", "3")
    assert ran.code == 1
    assert "E0807" in ran.err
    assert hybridode("predict", fitted).code == 2


def test_a_fit_by_groups_is_predicted_series_by_series(hybridode: Callable, tmp_path: Path) -> None:
    (tmp_path / "m.ode").write_text(
        "model m\nparam k = 1 in (0, 5) by site\nstate x = 1\nx' = -k*x\nobserve x ~ normal(x, 0.01)\n", encoding="utf-8"
    )
    t = np.linspace(0, 2, 9)
    rows = [pd.DataFrame({"Site": g, "t": t + start, "x": np.exp(-k * t)}) for g, k, start in (("a", 0.5, 0), ("b", 2.0, 1))]
    pd.concat(rows).to_csv(tmp_path / "d.csv", index=False)
    ran = hybridode("fit", tmp_path / "m.ode", tmp_path / "d.csv", "--starts", "1", "--out", tmp_path / "run")
    assert ran.code == 0
    assert "k[a]" in ran.out
    jsonschema.validate(json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8")), result_schema())
    refused = hybridode("predict", tmp_path / "run", "--to", "3")
    assert (refused.code, "E0833" in refused.err) == (2, True)
    assert hybridode("predict", tmp_path / "run", "--to", "3", "--series", "c").code == 2
    rows = pd.read_csv(io.StringIO(hybridode("predict", tmp_path / "run", "--at", "1,3", "--series", "b", "-o", "-").out))
    np.testing.assert_allclose(rows["x"], np.exp([0, -4]), rtol=1e-3)  # its own start, 1, and its own k
    fitted = tmp_path / "run" / "fitted.ode"
    ran = hybridode("simulate", fitted, "--at", "2", "--group", "site=a", "-o", "-")
    np.testing.assert_allclose(pd.read_csv(io.StringIO(ran.out))["x"], np.exp(-1), rtol=1e-3)
    assert "choose with --group site=LABEL" in hybridode("simulate", fitted, "--to", "2").err
    assert hybridode("simulate", fitted, "--to", "2", "--group", "site=A").code == 1


def test_a_run_predicts_with_its_own_inputs_once_the_data_are_gone(hybridode: Callable, tmp_path: Path) -> None:
    """Oracle: x' = F - k*x in closed form, with another constant F in each series, and one that is asked for anew."""
    (tmp_path / "m.ode").write_text(
        "model m\nparam k = 1 in (0, 5)\ninput F from feed.F, interp=previous\ninput G from data.G, interp=previous\n"
        "state x = 0\nx' = F + G - k*x\nobserve x ~ normal(x, 0.01)\n",
        encoding="utf-8",
    )
    t = np.linspace(0, 2, 9)
    rows = [
        pd.DataFrame({"id": n, "t": t, "G": g, "x": (g + 1) / 0.5 * (1 - np.exp(-0.5 * t))}) for n, g in (("a b", 1), ("c", 3))
    ]
    pd.concat(rows).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "f.csv").write_text("t,F\n0,1\n", encoding="utf-8")
    run = tmp_path / "run"
    files = (tmp_path / "m.ode", tmp_path / "d.csv")
    assert hybridode("fit", *files, "--source", f"feed={tmp_path / 'f.csv'}", "--starts", "1", "--out", run).code == 0
    (tmp_path / "d.csv").unlink()
    (tmp_path / "f.csv").unlink()
    refused = hybridode("predict", run, "--to", "3")
    assert (refused.code, "choose one with --series: `a b`, `c`" in refused.err) == (2, True)
    for name, rate in (("a b", 2), ("c", 4)):
        rows = pd.read_csv(io.StringIO(hybridode("predict", run, "--at", "1,3", "--series", name, "-o", "-").out))
        np.testing.assert_allclose(rows["x"], rate / 0.5 * (1 - np.exp(-0.5 * np.array([1, 3]))), rtol=1e-3)
    other = tmp_path / "g.csv"
    other.write_text("t,F\n0,2\n", encoding="utf-8")
    ran = hybridode("predict", run, "--at", "3", "--series", "c", "--source", f"feed={other}", "-o", "-")
    np.testing.assert_allclose(pd.read_csv(io.StringIO(ran.out))["x"], 5 / 0.5 * (1 - np.exp(-1.5)), rtol=1e-3)
