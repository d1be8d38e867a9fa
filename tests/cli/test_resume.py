"""Runs that are cut off: killed at any moment, interrupted, out of time; they go on to where an uninterrupted run ends."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import ROOT

DECAY = ROOT / "examples" / "decay"
STARTS = "12"
# A fit of milliseconds is made to last, so that it can be cut off in the midst.
SLOW = """
import sys, time
from hybridode.cli import main
from hybridode.fit import keeper
from hybridode.fit.search.lanes import Lanes
keeper.EVERY = 0.02
block = Lanes._block
Lanes._block = lambda self, thetas, view: (time.sleep(0.02), block(self, thetas, view))[1]
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
    return sum(path.stat().st_size for path in (run / "checkpoint").glob("*.safetensors"))


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
    for bytes_ in sorted(random.Random(1).sample(range(500, 12_000), 2)):
        wait_for(lambda bytes_=bytes_: answered(cut) > bytes_, process)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.wait()
        assert not (cut / "result.json").exists()
        assert not [p for p in cut.iterdir() if p.name not in ("checkpoint", "trace.csv", "live.json") and p.suffix != ".part"]
        process = began(decay_files, "--resume", "cut")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    (whole, trace), (again, trace_again) = outcome(whole_run), outcome(cut)
    assert again == whole
    pd.testing.assert_frame_equal(trace_again, trace, check_exact=True)
    assert not (cut / "checkpoint").exists() and not (cut / "live.json").exists()
    for name in ("fitted.ode", "parameters.csv", "predictions.csv", "residuals.csv"):
        assert (cut / name).read_bytes() == (whole_run / name).read_bytes()
