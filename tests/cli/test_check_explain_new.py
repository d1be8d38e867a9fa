"""check, explain, new: what they say and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridode.codes import all_codes
from hybridode.commands.new import model_name
from tests.cli.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").rglob("*.ode"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_fine_and_without_warnings(hybridode, path: Path) -> None:
    ran = hybridode("check", path)
    assert (ran.code, ran.err) == (0, "")
    assert "is fine" in ran.out


def test_every_error_of_all_files_is_reported(hybridode, decay: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ode"
    bad.write_text("model bad\nstate x = 1\ndx/dt = -k*x\ny = 2x\n", encoding="utf-8")
    ran = hybridode("check", bad, decay, tmp_path / "missing.ode")
    assert ran.code == 1
    assert "bad.ode:3:10: error" in ran.err
    assert "bad.ode:4:" in ran.err
    assert "missing.ode" in ran.err
    assert "decay is fine: 1 state, 1 parameter" in ran.out


def test_equations_that_do_not_determine_their_unknowns(hybridode, tmp_path: Path) -> None:
    """What the structural analysis finds is told by check too."""
    bad = tmp_path / "bad.ode"
    equations = "x' = -x + a\na + b = x\n2*a + 2*b = 2*x\n"
    bad.write_text(f"model bad\nstate x = 1\nalg a = 0\nalg b = 0\n{equations}", encoding="utf-8")
    ran = hybridode("check", bad)
    assert ran.code == 1
    assert "bad.ode:6:1: error E0360: the equations of lines 6, 7 do not determine `a` and `b`" in ran.err


def test_check_as_data(hybridode, decay: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ode"
    bad.write_text("model bad\nstate x = 1\ndx/dt = -k*x\n", encoding="utf-8")
    ran = hybridode("check", "--json", bad, decay)
    found = json.loads(ran.out)
    assert ran.code == 1
    assert ran.err == ""
    assert [f["ok"] for f in found["files"]] == [False, True]
    diagnostic = found["files"][0]["diagnostics"][0]
    assert (diagnostic["line"], diagnostic["column"], diagnostic["severity"]) == (3, 10, "error")
    assert diagnostic["code"] in all_codes()
    assert found["files"][1]["model"]["states"] == ["c"]


def test_quiet_check_says_nothing_when_all_is_well(hybridode, decay: Path) -> None:
    ran = hybridode("check", "-q", decay)
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_explain(hybridode) -> None:
    ran = hybridode("explain", "e0801")
    assert ran.code == 0
    assert ran.out.startswith("E0801: a command was called")
    assert "```" not in ran.out
    listed = hybridode("explain")
    assert all(code in listed.out for code in all_codes())
    as_data = json.loads(hybridode("explain", "--json", "E0801").out)
    assert as_data["code"] == "E0801"
    wrong = hybridode("explain", "E08001")
    assert wrong.code == 2
    assert "E0801" in wrong.err


def test_new_writes_a_model_that_is_fine(hybridode, tmp_path: Path) -> None:
    path = tmp_path / "my-growth 2"
    ran = hybridode("new", path)
    assert ran.code == 0
    written = tmp_path / "my-growth 2.ode"
    assert written.read_text(encoding="utf-8").startswith("model my_growth_2 ")
    checked = hybridode("check", written)
    assert (checked.code, checked.err) == (0, "")


def test_new_never_overwrites(hybridode, decay: Path) -> None:
    before = decay.read_bytes()
    ran = hybridode("new", decay)
    assert ran.code == 2
    assert "E0806" in ran.err
    assert decay.read_bytes() == before
    missing = hybridode("new", decay.parent / "no" / "x")
    assert missing.code == 2
    assert "E0809" in missing.err


@pytest.mark.parametrize(("stem", "name"), [("2x", "model_2x"), ("a.b", "a_b"), ("", "model"), ("épi", "épi")])
def test_model_names(stem: str, name: str) -> None:
    assert model_name(stem) == name
