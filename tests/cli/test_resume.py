"""Runs that are cut off: killed at any moment, interrupted, out of time; they go on to where an uninterrupted run ends."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hybridode.fit import keeper
from hybridode.fit.memory import Memory
from hybridode.report import run_directory
from tests.cli.conftest import ROOT

DECAY = ROOT / "examples" / "decay"
STARTS = "6"
# A fit of milliseconds is made to last, so that it can be cut off in the midst.
SLOW = """
import sys, time
from hybridode.cli import main
from hybridode.fit import keeper
from hybridode.fit.memory import Memory
keeper.EVERY = keeper.AT_MOST = 0.02
answers = Memory.answers
Memory.answers = lambda self, *question: (time.sleep(0.05), answers(self, *question))[1]
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def decay_files(tmp_path: Path) -> Path:
    for name in ("decay.ode", "data.csv"):
        shutil.copy(DECAY / name, tmp_path)
    return tmp_path


def began(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SLOW, "fit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def answered(run: Path) -> int:
    """Bytes of answers on the disk."""
    try:
        return sum(path.stat().st_size for path in (run / "checkpoint").glob("*.safetensors"))
    except FileNotFoundError:  # files are joined meanwhile
        return 0


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


def outcome(run: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """Everything but the times."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return {k: v for k, v in result.items() if k != "timing"}, pd.read_csv(run / "trace.csv").drop(columns="seconds")


def test_a_killed_run_ends_where_an_uninterrupted_one_ends(hybridode: Callable, decay_files: Path) -> None:
    model, data, whole_run = decay_files / "decay.ode", decay_files / "data.csv", decay_files / "whole"
    assert hybridode("fit", model, data, "--starts", STARTS, "--out", whole_run).code == 0
    cut = decay_files / "cut"
    process = began(decay_files, "decay.ode", "data.csv", "--starts", STARTS, "--out", "cut")
    wait_for(lambda: answered(cut) > 3000, process)
    assert process.poll() is None, process.communicate()
    process.kill()
    process.wait()
    assert not (cut / "result.json").exists()
    assert not [p for p in cut.iterdir() if p.name not in ("checkpoint", "trace.csv", "live.json") and p.suffix != ".part"]
    assert hybridode("fit", "--resume", cut).code == 0  # several kills, at random moments: `test_kills`
    (whole, trace), (again, trace_again) = outcome(whole_run), outcome(cut)
    assert again == whole
    pd.testing.assert_frame_equal(trace_again, trace, check_exact=True)
    assert not (cut / "checkpoint").exists() and not (cut / "live.json").exists()
    for name in ("fitted.ode", "parameters.csv", "predictions.csv", "residuals.csv"):
        assert (cut / name).read_bytes() == (whole_run / name).read_bytes()


def test_interrupted_runs_say_what_was_found_and_go_on(hybridode: Callable, decay_files: Path, tmp_path: Path) -> None:
    cut = decay_files / "cut"
    process = began(decay_files, "decay.ode", "data.csv", "--starts", STARTS, "--out", "cut")
    wait_for(lambda: answered(cut) > 1000, process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert b"the best so far is kept" in error
    result, _ = outcome(cut)
    assert result["status"] == "interrupted"
    assert "interrupted" in (cut / "report.html").read_text(encoding="utf-8")
    assert hybridode("fit", "--resume", cut).code == 0
    assert (
        hybridode(
            "fit", decay_files / "decay.ode", decay_files / "data.csv", "--starts", STARTS, "--out", cut.with_name("w")
        ).code
        == 0
    )
    assert outcome(cut)[0] == outcome(cut.with_name("w"))[0]


def cut_off(hybridode: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: object) -> Path:
    """A run out of time at its first iterations."""
    answers = Memory.answers
    with monkeypatch.context() as patched:
        patched.setattr(Memory, "answers", lambda self, *question: (time.sleep(0.3), answers(self, *question))[1])
        arguments = (
            "fit",
            folder / "decay.ode",
            folder / "data.csv",
            "--starts",
            "4",
            "--seed",
            "3",
            "--fix",
            "s",
            "--out",
            folder / "run",
        )
        ran = hybridode(*arguments, "--max-seconds", "0.5", *more)
    assert ran.code == 0, ran.err
    assert outcome(folder / "run")[0]["status"] == "stopped"
    return folder / "run"


def test_a_run_out_of_time_goes_on_with_what_it_was_begun_with(
    hybridode: Callable, decay_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cut_off(hybridode, decay_files, monkeypatch)
    for arguments, said in (
        (("--seed", "4"), "--seed was `3`, not `4`"),
        (("--fix", "k"), "--fix was `s`, not `k`"),
        (("--rtol", "1e-3"), "--rtol was not given, not `0.001`"),
    ):
        ran = hybridode("fit", "--resume", run, *arguments)
        assert (ran.code, "E0772" in ran.err, said in ran.err) == (2, True, True), ran.err
    for name, said in (("decay.ode", "the model has changed"), ("data.csv", "the data has changed")):
        path = decay_files / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        ran = hybridode("fit", "--resume", run)
        assert (ran.code, said in ran.err) == (2, True), ran.err
        path.write_bytes(before)
    ran = hybridode("fit", "--resume", run, "--seed", "3")
    assert ran.code == 0, ran.err
    result, _ = outcome(run)
    assert (result["status"], result["seed"]) == ("converged", 3)
    again = hybridode("fit", "--resume", run)
    assert (again.code, "is finished" in again.err) == (1, True)


def test_a_full_disk_is_answered_in_words_and_what_fits_is_kept(
    hybridode: Callable, decay_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole = run_directory.write_whole

    def full(path: Path, content: bytes, lasting: bool = False) -> None:
        if len(content) > 3000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(path, content, lasting)

    run = decay_files / "run"
    with monkeypatch.context() as patched:
        patched.setattr(run_directory, "write_whole", full)
        patched.setattr("hybridode.fit.checkpoint.write_whole", full)
        patched.setattr("hybridode.fit.keeper.write_whole", full)
        patched.setattr(keeper, "EVERY", 0.0)
        ran = hybridode("fit", decay_files / "decay.ode", decay_files / "data.csv", "--out", run)
    assert ran.code == 3
    assert "E0774" in ran.err and "No space left on device" in ran.err and "`predictions.csv`" in ran.err
    assert "std. error" in ran.out  # the answer is told at least
    assert (run / "fitted.ode").exists() and (run / "parameters.csv").exists() and not (run / "result.json").exists()
    assert hybridode("fit", "--resume", run).code == 0
    assert outcome(run)[0]["status"] == "converged"
    assert not list(run.rglob("*.part"))


def test_progress_is_told_as_lines_of_json(hybridode: Callable, decay_files: Path) -> None:
    ran = hybridode("fit", decay_files / "decay.ode", decay_files / "data.csv", "--json", "--out", decay_files / "run")
    assert json.loads(ran.out)["ok"] is True
    first = json.loads(ran.err.splitlines()[0])
    assert first["event"] == "progress" and first["iteration"] == 1 and first["starts"] >= 8
    assert {"stage", "objective", "gradient_norm", "rejected_steps", "seconds", "seconds_left"} <= first.keys()


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(hybridode: Callable, decay_files: Path) -> None:
    before = sorted(decay_files.rglob("*"))
    ran = hybridode(
        "fit", decay_files / "decay.ode", decay_files / "data.csv", "--dry-run", "--starts", "5", "--max-seconds", "60"
    )
    assert ran.code == 0
    for words in (
        "learnt: 2 numbers (k, s)",
        "engine native",
        "starts: 5",
        "estimate: ",
        "60 s (--max-seconds)",
        "nothing was fitted",
    ):
        assert words in ran.out
    assert sorted(decay_files.rglob("*")) == before
    plan = json.loads(hybridode("fit", decay_files / "decay.ode", decay_files / "data.csv", "--dry-run", "--json").out)["plan"]
    assert plan["parameters"] == ["k", "s"] and 0 < plan["evaluation"] < 1 and plan["least"] <= plan["most"]


def test_a_fit_without_model_or_data_is_told_how_to_call_it(hybridode: Callable, decay_files: Path) -> None:
    ran = hybridode("fit", decay_files / "decay.ode")
    assert (ran.code, "hybridode fit MODEL DATA" in ran.err) == (2, True)


@pytest.mark.slow
def test_a_refit_goes_on_from_trained_weights(hybridode: Callable, tmp_path: Path) -> None:
    """x' = -0.4 x, its rate learnt by a network; then the same from another start and at other times."""
    model = tmp_path / "learnt.ode"
    model.write_text(
        "model learnt\nstate x = 10 in (1, 100)\nparam s = 0.05 fixed\ndx/dt = -x*NN(x, hidden=[3])\n"
        "observe x ~ lognormal(x, s)\n",
        encoding="utf-8",
    )
    for name, start in (("first.csv", 10.0), ("second.csv", 8.0)):
        rows = [f"{t},{start * math.exp(-0.4 * t) * (1 + 0.02 * math.cos(7 * t + start))}" for t in range(9)]
        (tmp_path / name).write_text("t,x\n" + "\n".join(rows) + "\n", encoding="utf-8")
    first, second = tmp_path / "first", tmp_path / "second"
    assert hybridode("fit", model, tmp_path / "first.csv", "--out", first).code == 0
    assert hybridode("fit", first / "fitted.ode", tmp_path / "second.csv", "--out", second).code == 0
    assert "go on from their weights" in (second / "log.txt").read_text(encoding="utf-8")
    result, trace = outcome(second)
    assert result["status"] == "converged"
    assert trace["stage"].iloc[0] == "fisher scoring"  # on all records: nothing of what an untrained network needs first
    assert not {"physics alone", "fisher scoring 30 %"} & set(trace["stage"])
    assert abs(result["parameters"]["x(0)"]["value"] - 8) < 0.5
