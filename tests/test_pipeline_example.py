"""`examples/pipeline.py`: physics inside a network learns, in under a minute on an idle machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "pipeline.py"


@pytest.mark.slow
def test_physics_inside_a_network_learns():
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(float, re.search(r"before ([\d.]+), after ([\d.]+)", done.stdout).groups())
    assert after < before / 200
    learnt = {name: float(value) for name, value in re.findall(r"(\w+): ([\d.]+) \(truth", done.stdout)}
    assert abs(learnt["omega"] - 2.0) < 0.1 and abs(learnt["friction"] - 0.15) < 0.05
