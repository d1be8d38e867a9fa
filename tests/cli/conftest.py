"""Runs commands in this process and gives what they print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hybridode.cli import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def hybridode(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`hybridode("check", path)` → exit code and both outputs; asserts that no traceback is shown."""

    def run(*arguments: object) -> Ran:
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def decay(tmp_path: Path) -> Path:
    """A small model in a folder of its own."""
    path = tmp_path / "decay.ode"
    path.write_text("model decay\nparam k: 1/h = 0.5 in (0.01, 5) log\nstate c: mg = 10\ndc/dt = -k*c\n", encoding="utf-8")
    return path
