"""Derivatives kept in the store: read back as the very expressions, and a second process does without SymPy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybridode import store
from hybridode.equations.alpha import slot
from hybridode.equations.kept import as_rows, keep, kept, key_of, of_rows
from hybridode.expr import const, node, sym

SHAPES = (
    node("add", (node("mul", (slot(0), slot(1))), node("exp", (slot(2),)))),
    node("div", (const(-0.0), node("pow", (slot(0), const(float("inf")))))),
    node("where", (node("lt", (slot(0), slot(1))), slot(0), const(1e-300))),
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_rows_are_the_very_expressions() -> None:
    assert of_rows(as_rows(SHAPES)) == list(SHAPES)
    assert as_rows([sym("state", "x")]) is None and as_rows([node("net", (slot(0),), "U")]) is None


def test_kept_and_found() -> None:
    key = key_of(SHAPES[0], (0, 2))
    assert key != key_of(SHAPES[0], (0, 1)) and key != key_of(SHAPES[1], (0, 2)) and kept(key) is None
    keep(key, {0: slot(1), 2: node("exp", (slot(2),))})
    assert kept(key) == {0: slot(1), 2: node("exp", (slot(2),))}
    assert key_of(sym("state", "x"), (0,)) == "" and kept("") is None


def test_a_damaged_entry_is_worked_out_anew(place: Path) -> None:
    key = key_of(SHAPES[0], (0,))
    keep(key, {0: slot(1)})
    (file,) = place.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert kept(key) is None


PROCESS = """
import sys
import hybridode as ho
text = "model m\\nparam k = 0.4 in (0, 1)\\nstate x = 1\\nstate y = 2\\nx' = -k*x*y/(1 + x^2)\\ny' = exp(-y)*x\\n"
system = ho.parse(text).compiled().system
print([str(e.expr) for e in system.jacobian], "sympy" in sys.modules)
"""


def test_a_second_process_needs_no_sympy(place: Path) -> None:
    def run() -> str:
        environment = {**os.environ, store.VARIABLE: str(place)}
        return subprocess.run(
            [sys.executable, "-c", PROCESS],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    first, second = run(), run()
    assert first.endswith("True") and second.endswith("False")
    assert first.removesuffix("True") == second.removesuffix("False")
