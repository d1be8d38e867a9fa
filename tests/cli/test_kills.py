"""Kills and Ctrl-C at random moments, of four kinds of fits: each goes on, with other numbers of workers too, to the same end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.conftest import ROOT
from tests.fit.test_shooting import prey_data, prey_text

# Checkpoints as often as possible, and iterations that take their time, lest a fit ends before it is killed.
PROGRAM = """
import sys, time
from hybridode.cli import main
from hybridode.fit import keeper
from hybridode.fit.progress import Track
if __name__ == "__main__":
    keeper.EVERY = keeper.AT_MOST = 0.1
    accept = Track.accept
    Track.accept = lambda self, *point: (time.sleep(float(sys.argv[1])), accept(self, *point))[1]
    sys.exit(main(sys.argv[2:]))
"""
LEARNT = """model learnt
param a = 0.2 in (0.01, 5) log
param s = 0.1 in (0.01, 1) log
state x = 8 in (1, 100)
dx/dt = a - x*NN(x, hidden=[3])
observe x ~ lognormal(x, s)
"""


@dataclass(frozen=True)
class Kind:
    """A kind of fit: its files, options of the command, kills, seconds that an iteration is made to last, workers by turns."""

    files: dict[str, str | pd.DataFrame | Path]
    options: tuple[str, ...] = ()
    kills: int = 2
    pause: float = 0.05
    workers: tuple[int, ...] = (1,)


def learnt_data() -> pd.DataFrame:
    t = np.arange(14.0)
    return pd.DataFrame({"t": t, "x": 10 * np.exp(-0.4 * t) * (1 + 0.1 * np.cos(7 * t)) + 0.5})


INTERRUPTED = 1  # the second time it is Ctrl-C
EXAMPLES = ROOT / "examples"
KINDS = {
    "physics": Kind(
        {"m.ode": EXAMPLES / "lynx_hare" / "lynx_hare.ode", "d.csv": EXAMPLES / "lynx_hare" / "pelts.csv"},
        kills=3, pause=0.01, workers=(2, 1, 3),
    ),
    "hybrid": Kind({"m.ode": LEARNT, "d.csv": learnt_data()}, kills=3),
    "climbing": Kind({"m.ode": prey_text(off=True), "d.csv": prey_data(30, 12)}, ("--starts", "1"), pause=0.2),
    "field with a network": Kind(
        {"m.ode": EXAMPLES / "fisher_kpp" / "fisher_kpp.ode", "d.csv": EXAMPLES / "fisher_kpp" / "data.csv"}, pause=0.01
    ),
}  # fmt: skip


def began(folder: Path, pause: float, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(folder / "program.py"), str(pause), "fit", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def answers(run: Path) -> int:
    """Bytes of answers on the disk."""
    try:
        return sum(path.stat().st_size for path in (run / "checkpoint").glob("*.safetensors"))
    except FileNotFoundError:  # files are joined meanwhile
        return 0


def outcome(run: Path) -> tuple[dict[str, Any], pd.DataFrame, dict[str, bytes]]:
    """Everything but the times."""
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    files = ("fitted.ode", "weights.safetensors", "parameters.csv", "predictions.csv", "residuals.csv")
    content = {name: (run / name).read_bytes() for name in files if (run / name).exists()}
    return {k: v for k, v in result.items() if k != "timing"}, pd.read_csv(run / "trace.csv").drop(columns="seconds"), content


def kept_so_far(run: Path, code: int, error: bytes) -> None:
    """What Ctrl-C leaves: exit code 130, the best so far with a report, and words that say so."""
    assert code == 130, error
    assert b"the best so far is kept" in error
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["status"] == "interrupted" and np.isfinite(result["objective"]["nll"])
    assert "interrupted" in (run / "report.html").read_text(encoding="utf-8")
    assert (run / "fitted.ode").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_kills_at_random_moments(name: str, tmp_path: Path) -> None:
    kind, chance = KINDS[name], random.Random(name)
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    for file, content in kind.files.items():
        if isinstance(content, pd.DataFrame):
            content.to_csv(tmp_path / file, index=False)
        elif isinstance(content, Path):
            shutil.copy(content, tmp_path / file)
        else:
            (tmp_path / file).write_text(content, encoding="utf-8")
    begin = ("m.ode", "d.csv", *kind.options)
    whole = began(tmp_path, 0.0, *begin, "--out", "whole")
    _, error = whole.communicate(timeout=900)
    assert whole.returncode == 0, error
    cut, known = tmp_path / "cut", 0
    for kill in range(kind.kills):
        workers = ("--workers", str(kind.workers[kill % len(kind.workers)]))
        again = ("--resume", "cut") if kill else (*begin, "--out", "cut")
        process = began(tmp_path, kind.pause, *again, *workers)
        until = time.monotonic() + 300
        while answers(cut) <= known and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 2))
        assert process.poll() is None, (kill, process.communicate()[1])
        if kill == INTERRUPTED:
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=300)
            kept_so_far(cut, process.returncode, error)
        else:
            process.kill()
            process.communicate()
            assert kill > INTERRUPTED or not (cut / "result.json").exists()
        known = answers(cut)
    last = began(tmp_path, 0.0, "--resume", "cut")
    _, error = last.communicate(timeout=900)
    assert last.returncode == 0, error
    (result, trace, files), (result_again, trace_again, files_again) = outcome(tmp_path / "whole"), outcome(cut)
    assert result_again == result
    pd.testing.assert_frame_equal(trace_again, trace, check_exact=True)
    assert files_again == files
