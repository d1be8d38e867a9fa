"""`hybridode watch` tells its address at once where its output is a pipe."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

from hybridode.cli import main


def test_the_address_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "m.ode").write_text("model m\nparam k = 1\nstate x = 1\nx' = -k*x\nobserve x ~ normal(x, 0.1)\n")
    (tmp_path / "d.csv").write_text("t,x\n0,1\n1,0.4\n2,0.1\n")
    run = tmp_path / "run"
    assert (
        main(
            ["fit", str(tmp_path / "m.ode"), str(tmp_path / "d.csv"), "--starts", "1", "--only-fit", "--quiet", "--out", str(run)]
        )
        == 0
    )
    watching = subprocess.Popen([sys.executable, "-m", "hybridode", "watch", str(run)], stdout=subprocess.PIPE, text=True)
    try:
        assert watching.stdout is not None
        address = watching.stdout.readline().strip()  # would wait for the end
        with urllib.request.urlopen(address, timeout=20) as page:
            assert b"<html" in page.read().lower()
    finally:
        watching.terminate()
        watching.wait(20)
