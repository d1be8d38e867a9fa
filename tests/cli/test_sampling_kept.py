"""`hybridode sample` that is killed, interrupted or has no room: what was drawn is there, and goes on to the same draws."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridode.cli import main
from hybridode.commands import sample as command

MODEL = """model m
time t from 0
param k = 1 in (0.05, 5) log
state x = 3
x' = -k*x
observe x ~ normal(x, 0.2)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    t = np.linspace(0.2, 4, 12)
    (folder / "m.ode").write_text(MODEL)
    noise = np.random.default_rng(0).normal(size=12)
    pd.DataFrame({"t": t, "x": 3 * np.exp(-0.6 * t) + 0.2 * noise}).to_csv(folder / "d.csv", index=False)
    arguments = ["fit", str(folder / "m.ode"), str(folder / "d.csv"), "--out", str(folder / "run"), "-q", "--only-fit"]
    assert main(arguments) == 0
    return folder / "run"


def draws(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "findings" / "posterior.csv")


def test_what_is_written_down_on_the_way_goes_on_to_the_same_draws(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole, parts = (shutil.copytree(run, tmp_path / name) for name in ("whole", "parts"))
    assert main(["sample", str(whole), "--draws", "300", "--warmup", "60", "-q"]) == 0
    written: list[int] = []
    original = command._write

    def counted(path: Path, drawn: object, options: object) -> None:
        original(path, drawn, options)  # type: ignore[arg-type]
        written.append(drawn.energy.shape[1])  # type: ignore[attr-defined]
        if len(written) == 2:
            raise SystemExit("killed")  # as far as the files are concerned

    monkeypatch.setattr(command, "WRITTEN_EVERY", 0.0)
    monkeypatch.setattr(command, "_write", counted)
    with pytest.raises(SystemExit):
        main(["sample", str(parts), "--draws", "300", "--warmup", "60", "-q"])
    assert 0 < written[0] < written[1] < 300 and not (parts / "findings" / "posterior.csv").exists()
    monkeypatch.setattr(command, "_write", original)
    assert main(["sample", str(parts), "--draws", "300", "--warmup", "60", "-q", "--resume"]) == 0
    pd.testing.assert_frame_equal(draws(parts), draws(whole))


def test_a_full_disk_is_said(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    from hybridode.commands import found

    def full(path: Path, content: bytes, lasting: bool = False) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(found, "write_whole", full)
    place = shutil.copytree(run, tmp_path / "full")
    assert main(["sample", str(place), "--draws", "50", "--warmup", "30", "-q"]) == 2
    said = capsys.readouterr().err
    assert "posterior.npz` cannot be written: No space left on device" in said and "is the disk full" in said


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_process_that_is_ended_leaves_draws(run: Path, tmp_path: Path, sent: signal.Signals):
    place = shutil.copytree(run, tmp_path / "ended")
    arguments = ["sample", str(place), "--draws", "200000", "--warmup", "60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "hybridode", *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    kept, until = place / "findings" / "posterior.npz", time.monotonic() + 300
    while not kept.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(process.pid, sent)
    assert process.wait(300) == (-signal.SIGKILL if sent == signal.SIGKILL else 130)
    with np.load(kept) as file:
        have = file["energy"].shape[1]
    assert 0 < have < 200_000
    assert main(["sample", str(place), "--draws", str(have + 50), "--warmup", "60", "-q", "--resume"]) == 0
    assert json.loads((place / "findings" / "posterior.json").read_text())["draws"] == have + 50
