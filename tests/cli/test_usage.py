"""Wrong calls, interruptions, closed pipes and bugs: a sentence and an exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hybridode.commands.check
from hybridode.cli import main
from tests.cli.conftest import ROOT


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["chek", "x"], "E0801", "Did you mean 'check'"),
        (["check"], "E0801", "MODEL"),
        (["check", "x", "--jsn"], "E0801", "--json"),
        (["simulate", "m.ode", "--to", "ten"], "E0801", "--to takes a number"),
        (["simulate", "m.ode"], "E0805", "--to"),
        (["simulate", "m.ode", "--at", "1,two"], "E0805", "1,two"),
        (["simulate", "m.ode", "--to", "inf"], "E0805", "finite"),
        (["fit", "m.ode", "d.csv", "--max-seconds", "-3"], "E0801", "--max-seconds"),
        (["simulate", "m.ode", "--to", "1", "--points", "1"], "E0805", "at least 2"),
        (["simulate", "m.ode", "--to", "1", "--set", "k"], "E0804", "NAME=VALUE"),
        (["simulate", "m.ode", "--to", "1", "--set", "k=1/3"], "E0804", "`1/3` is no number"),
        (["simulate", "m.ode", "--to", "1", "--set", "k=nan"], "E0804", "no number"),
        (["simulate", "m.ode", "--to", "1", "--set", "k=[1, true]"], "E0804", "list"),
        (["simulate", "m.ode", "--to", "1", "--set", "k=" + "[" * 100_000], "E0804", "list"),
        (["simulate", "m.ode", "--to", "1", "--set", "k=1", "--set", "k=2"], "E0804", "twice"),
        (["simulate", "m.ode", "--to", "1", "--plot", "a.bmp"], "E0810", ".svg"),
        (["fit", "m.ode"], "E0801", "DATA"),
        (["fit", "m.ode", "d.csv", "--column", "prey"], "E0804", "--column prey=VALUE"),
        (["explain", "E9999"], "E0808", "E9999"),
        (["fit", "m.ode", "d.csv", "--starts", "x"], "E0801", "--starts takes a whole number"),
        (["fit", "m.ode", "d.csv", "--seed", "-1"], "E0801", "--seed takes a number of at least 0"),
        (["fit", "m.ode", "d.csv", "--workers", "0"], "E0801", "--workers takes a number of at least 1"),
        (["fit", "m.ode", "d.csv", "--fix"], "E0801", "--fix needs a value behind it"),
        (["fit", "m.ode", "d.csv", "--fix", "K="], "E0804", "--fix K=VALUE"),
        (["fit", "m.ode", "d.csv", "more"], "E0801", "there is no place for `more`"),
        (["fit", "d.csv", "m.ode"], "E0801", "write `hybridode fit m.ode d.csv`"),
    ],
    ids=lambda x: " ".join(x)[:40] if isinstance(x, list) else "",
)
def test_wrong_calls(hybridode, arguments: list[str], code: str, said: str) -> None:
    ran = hybridode(*arguments)
    assert ran.code == 2
    assert f"error {code}" in ran.err
    assert said in ran.err
    assert ran.out == ""


def test_numpys_warnings_are_for_the_verbose(hybridode, monkeypatch, recwarn) -> None:
    import warnings

    def noisy(*_: object) -> int:
        warnings.warn("overflow encountered in exp", RuntimeWarning, stacklevel=1)
        return 0

    monkeypatch.setattr("hybridode.commands.check.check", noisy)
    assert hybridode("check", "m.ode").code == 0
    assert not recwarn.list
    assert hybridode("check", "m.ode", "-v").code == 0
    assert len(recwarn.list) == 1


def test_wrong_calls_as_data(hybridode) -> None:
    ran = hybridode("simulate", "m.ode", "--json")
    assert ran.code == 2
    found = json.loads(ran.out)
    assert found["ok"] is False
    assert found["diagnostics"][0]["code"] == "E0805"


def test_missing_model_names_what_is_near(hybridode, decay: Path) -> None:
    for arguments in (["check"], ["simulate", "--to", "1"], ["fit", "data.csv"]):
        ran = hybridode(arguments[0], decay.with_suffix(".od"), *arguments[1:])
        assert ran.code == 1
        assert "did you mean" in ran.err


@pytest.mark.parametrize("command", ["new", "check", "show", "simulate", "fit", "predict", "explain"])
def test_every_command_helps_with_an_example(hybridode, command: str) -> None:
    ran = hybridode(command, "--help")
    assert ran.code == 0
    assert f"  hybridode {command} " in ran.out
    for option in ("--json", "--verbose", "--quiet"):
        assert option in ran.out


def test_bare_call_and_version(hybridode) -> None:
    assert "Commands:" in hybridode().out
    assert hybridode("--version").out.startswith("hybridode ")


def test_interruption(monkeypatch: pytest.MonkeyPatch, hybridode) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hybridode_check(), "check", interrupt)
    ran = hybridode("check", "m.ode")
    assert (ran.code, ran.err) == (130, "interrupted\n")


def test_our_bugs_are_told_as_ours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(hybridode_check(), "check", fail)
    assert main(["check", "m.ode"]) == 70
    quiet = capsys.readouterr().err
    assert "bug of ours" in quiet
    assert "Traceback" not in quiet
    assert main(["check", "m.ode", "-v"]) == 70
    assert "Traceback" in capsys.readouterr().err


def hybridode_check():
    return hybridode.commands.check


def test_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen([sys.executable, "-m", "hybridode", "explain"], stdout=write, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(write)
    assert process.stderr is not None
    error = process.stderr.read()
    assert (process.wait(), error) == (141, b"")
