"""fit.toml beside the model and `--settings`, as a user meets them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridode.data.fit_file import read_fit_file
from tests.cli.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("decay.ode", "data.csv"):
        shutil.copy(ROOT / "examples" / "decay" / name, tmp_path)
    return tmp_path


def result(folder: Path, run: str = "001") -> dict:
    return json.loads((folder / "decay.runs" / run / "result.json").read_text(encoding="utf-8"))


def test_the_file_beside_the_model_is_used_and_flags_win(hybridode: Callable, folder: Path) -> None:
    (folder / "fit.toml").write_text("[fit]\nstarts = 2\nseed = 5\n[solver]\nrtol = 1e-7\n[fix]\nk = 0.25\n", encoding="utf-8")
    ran = hybridode("fit", folder / "decay.ode", folder / "data.csv", "--seed", "7")
    assert ran.code == 0
    assert f"settings from {folder / 'fit.toml'}" in ran.out
    found = result(folder)
    assert (found["settings"]["used"]["starts"], found["seed"], found["settings"]["rtol"]) == (2, 7, 1e-7)
    assert found["parameters"]["k"]["fixed"]
    assert found["parameters"]["k"]["value"] == 0.25
    written = read_fit_file(folder / "decay.runs" / "001" / "settings.toml")
    assert written.section("fit") == {"starts": 2, "seed": 7}
    assert written.section("set") == {"k": 0.25}
    # Repeated from what the run keeps: the same numbers, although the file beside the model has changed.
    (folder / "fit.toml").write_text("[fit]\nstarts = 1\n", encoding="utf-8")
    again = hybridode("fit", folder / "decay.ode", folder / "data.csv", "--settings", written.path)
    assert again.code == 0
    assert result(folder, "002")["objective"] == found["objective"]


def test_a_wrong_file_ends_the_command_with_its_line(hybridode: Callable, folder: Path) -> None:
    (folder / "fit.toml").write_text("[fit]\nstart = 2\n", encoding="utf-8")
    ran = hybridode("fit", folder / "decay.ode", folder / "data.csv")
    assert ran.code == 1
    assert "fit.toml:2:1: error E0651" in ran.err
    assert "did you mean `starts`?" in ran.err
    assert hybridode("fit", folder / "decay.ode", folder / "data.csv", "--settings", "none", "--starts", "1").code == 0
    assert hybridode("fit", folder / "decay.ode", folder / "data.csv", "--settings", folder / "no.toml").code == 1
