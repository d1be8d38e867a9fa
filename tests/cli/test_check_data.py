"""`check MODEL DATA`: what is understood of a data file, as text and as data, without starting anything heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

MODEL = """model kinetics
time t: h
param k: 1/h = 0.5 in (0, 10) log
const V: l = 2
input I: A from data.I, interp=linear
state amount: mg = 10
damount/dt = -k*amount + 0*I
param s = 0.3 in (0, 2) log
observe amount ~ lognormal(amount, s) censored below 0.2
"""
DATA = """id,t [min],Amount [ug],I,V,rain
a,0,9500,0,2,1
a,0,9600,0,2,1
a,60,[4000; 6000],1,2,1
a,120,100,,2,1
a,180,NA,2,2,1
b,0,>20000,0,3,1
b,30,8000,0,3,1
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    model, data = tmp_path / "kinetics.ode", tmp_path / "d.csv"
    model.write_text(MODEL, encoding="utf-8")
    data.write_text(DATA, encoding="utf-8")
    return model, data


def test_everything_that_was_understood_is_said(hybridode, files) -> None:
    ran = hybridode("check", *files, "--column", "amount=Amount")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert "d.csv: 7 rows, one column per observable, 2 series" in lines
    assert "time: `t`, 0 to 3 h, 5 times; starts at 0" in lines
    assert "  `a`: 4 values, 0 to 2, V = 2" in lines
    assert "  `b`: 2 values, 0 to 0.5, V = 3" in lines
    table = next(line for line in lines if line.startswith("amount"))
    cells = [part.strip() for part in table.split("  ") if part.strip()]
    assert cells[:6] == ["amount", "Amount", "6", "1", "1 below, 1 above, 1 between", "1"]
    assert cells[6:] == ["mg", "8 … 9.6", "lognormal(amount, s) censored below 0.2"]
    assert "input `I`: `I`, 5 values, 0 … 2, linear" in lines
    assert "set by a column: `V` (constant)" in lines
    assert "converted: `Amount` from `ug` to `mg`: multiplied by 0.001" in lines
    assert "converted: `t` from `min` to `h`: multiplied by 0.0166666666667" in lines
    assert "warning W0621: not used by the model: `rain`" in ran.err


def test_the_summary_as_data(hybridode, files) -> None:
    ran = hybridode("check", "--json", *files, "--column", "amount=Amount")
    found = json.loads(ran.out)["files"][0]["data"][0]
    assert found["ok"]
    summary = found["summary"]
    assert (summary["rows"], summary["form"], summary["ignored"]) == (7, "wide", ["rain"])
    assert summary["time"] == {
        "column": "t", "unit": "h", "first": 0.0, "last": 3.0, "distinct": 5, "start": [0.0, 0.0], "dates": "", "origin": "",
    }  # fmt: skip
    observed = summary["observed"][0]
    assert {k: observed[k] for k in ("column", "values", "missing", "below", "above", "between", "replicates")} == {
        "column": "Amount", "values": 6, "missing": 1, "below": 1, "above": 1, "between": 1, "replicates": 1,
    }  # fmt: skip
    assert (observed["least"], observed["greatest"]) == (8.0, 9.6)
    assert [w["code"] for w in summary["warnings"]] == ["W0621"]


def test_errors_of_the_data_end_with_one(hybridode, files) -> None:
    model, data = files
    data.write_text("t,amount\n0,many\n1,\n2,[5\n", encoding="utf-8")
    ran = hybridode("check", model, data)
    assert ran.code == 1
    assert "kinetics is fine" in ran.out
    assert "d.csv:2:3: error E0626" in ran.err
    assert "d.csv:4:3: error E0626" in ran.err
    as_data = json.loads(hybridode("check", "--json", model, data).out)
    assert not as_data["ok"]
    assert [d.get("line") for d in as_data["files"][0]["data"][0]["diagnostics"]] == [None, 2, 4]  # the input lacks a column


def test_dates_are_told(hybridode, tmp_path: Path) -> None:
    flu = ROOT / "examples" / "influenza_sir" / "influenza_sir.ode"
    data = tmp_path / "flu.csv"
    data.write_text("date,in_bed\n1978-01-22,3\n1978-01-23,8\n1978-02-01,190\n", encoding="utf-8")
    ran = hybridode("check", flu, data)
    assert ran.code == 0
    assert "      dates: time 0 is 1978-01-22, counted in days" in ran.out.splitlines()


def test_settings_beside_the_model_count(hybridode, files) -> None:
    model, data = files
    (model.parent / "fit.toml").write_text('[columns]\namount = "Amount"\n', encoding="utf-8")
    assert hybridode("check", model, data).code == 0
    assert hybridode("check", model, data, "--settings", "none").code == 1


def test_reading_data_starts_nothing_heavy() -> None:
    program = """
import sys
from hybridode.cli import main
code = main(["check", "-q", "examples/lynx_hare/lynx_hare.ode", "examples/lynx_hare/pelts.csv"])
print(code, *{name.split(".")[0] for name in sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    code, *modules = done.stdout.split()
    assert code == "0"
    assert not {"jax", "sympy", "pint", "pandas", "scipy", "diffrax", "equinox", "lark", "matplotlib"} & set(modules)
