"""The generated handlers touch nothing but their buffers, read nothing unwritten, leak nothing, race with nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.memory import memcheck
from tests.kernels.memory.calls import ALL
from tests.kernels.memory.faults import FAULTS

ROOT = Path(__file__).parents[3]
SHORT = "records too short, ragged"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="native solves do not run on Windows")
needs_valgrind = pytest.mark.skipif(bool(memcheck.lacking()), reason=memcheck.lacking())


def run_calls(folder: Path | str = "", chosen: str = "", fault: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.kernels.memory.calls", str(folder), chosen]
    environment = {**os.environ, "HYBRIDODE_BROKEN": fault, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


@pytest.mark.parametrize("chosen", ["", pytest.param(ALL, marks=pytest.mark.slow)])
def test_between_forbidden_pages(chosen: str) -> None:
    """In this processor's widest code."""
    done = run_calls(chosen=chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fenced calls" in done.stdout


@pytest.mark.parametrize("fault", ["times", "trajectories", "capacity"])
def test_the_fence_holds(fault: str) -> None:
    """One row too many ends the process."""
    assert run_calls(chosen=SHORT, fault=fault).returncode == -signal.SIGSEGV


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    done = run_calls(folder, SHORT)
    assert done.returncode == 0, done.stderr
    return folder


def check(folder: Path) -> None:
    found = memcheck.recorded(folder)
    assert found
    made = memcheck.program(folder, folder / "build")
    for tool in memcheck.TOOLS:
        done = memcheck.watch(made, found, tool)
        assert done.returncode == 0, f"{tool}: {done.stderr}"
    assert memcheck.differing(found) == []


@needs_valgrind
def test_valgrind_finds_nothing(calls: Path) -> None:
    check(calls)


WORDS = {"uninitialised": "uninitialised", "leak": "lost"}  # else "Invalid read" or "Invalid write"


@needs_valgrind
@pytest.mark.parametrize("fault", FAULTS)
def test_valgrind_finds_faults(calls: Path, tmp_path: Path, fault: str) -> None:
    made = memcheck.program(calls, tmp_path / "build", FAULTS[fault])
    done = memcheck.watch(made, memcheck.recorded(calls), "memcheck")
    assert done.returncode != 0 and WORDS.get(fault, "Invalid") in done.stderr


@needs_valgrind
@pytest.mark.slow
def test_valgrind_finds_nothing_in_all_cases(tmp_path: Path) -> None:
    assert run_calls(tmp_path, ALL).returncode == 0
    check(tmp_path)
