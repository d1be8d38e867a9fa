"""`hybridode check` starts cold without anything heavy; the time itself is only reported (machines differ)."""

from __future__ import annotations

import subprocess
import sys
import time

from tests.cli.conftest import ROOT

HEAVY = {
    "sympy",
    "jax",
    "jaxlib",
    "jaxtyping",
    "pint",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "equinox",
    "diffrax",
    "rich",
    "lark",
}
PROGRAM = """
import sys
from hybridode.cli import main
code = main(["check", "-q", "examples/lynx_hare/lynx_hare.ode"])
print(code, *{name.split(".")[0] for name in sys.modules})
"""


def test_check_imports_nothing_heavy() -> None:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT, check=True)
    code, *modules = done.stdout.split()
    print(f"cold check: {time.perf_counter() - began:.2f} s")
    assert code == "0"
    assert HEAVY & set(modules) == set()
