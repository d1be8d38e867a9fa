"""The cache's folder when something is really wrong with it: no space, no permission, another owner, a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybridode import store

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and signals")

SOLVE = """
import os, resource, signal, sys
import numpy as np
from hybridode.solve import native
from hybridode.solve.settings import Settings
from tests.solve.native_models import ROBER, compiled

model = compiled(ROBER)
native.program_of(model, "rodas4")
PREPARE
raw = native.solve_numbers(model, model.arguments(), 0.0, np.array([0.4]), "rodas4", Settings())
print(int(raw.result), round(float(raw.ys[0, 0]), 5))
"""
RIGHT = "0 0.98517"  # Hairer & Wanner II, section IV.10: y1(0.4) = 0.98517


def solve(folder: Path, prepare: str = "") -> subprocess.CompletedProcess[str]:
    """A solve whose code is made, or found, in this folder after `prepare`."""
    environment = {**os.environ, store.VARIABLE: "off"}
    prepare = f"os.environ[{store.VARIABLE!r}] = {str(folder)!r}\n{prepare}"
    command = [sys.executable, "-c", SOLVE.replace("PREPARE", prepare)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def good(done: subprocess.CompletedProcess[str]) -> bool:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == RIGHT


def test_a_disk_that_is_full_in_the_middle_of_a_file(tmp_path: Path) -> None:
    """The system lets no file grow beyond 1,000 bytes: the solve goes on, no piece of a file is left."""
    limit = "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))"
    assert good(solve(tmp_path / "kernels", limit))
    assert [f for f in (tmp_path / "kernels").iterdir() if f.stat().st_size > 1000 or f.suffix == ".part"] == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("what", ["read-only", "of another owner"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, what: str) -> None:
    """As a user without rights to it; what it holds of others is not run either."""
    place = tmp_path / "kernels"
    assert good(solve(place)) and len(list(place.glob("*.o"))) == 1
    tmp_path.chmod(0o755)
    if what == "read-only":
        for file in place.iterdir():
            file.unlink()
        os.chown(place, 65534, 65534)
        place.chmod(0o500)
    else:
        place.chmod(0o755)
        for file in place.iterdir():
            file.chmod(0o644)
    before = {f.name: f.stat().st_mtime_ns for f in place.iterdir()}
    assert good(solve(place, "os.seteuid(65534)"))
    assert {f.name: f.stat().st_mtime_ns for f in place.iterdir()} == before


def test_processes_that_are_killed(tmp_path: Path) -> None:
    """Ended without warning at ever later moments of their first solve: whole files or none, and the next solve is right."""
    place = tmp_path / "kernels"
    environment = {**os.environ, store.VARIABLE: str(place)}
    say = "print('compiling', flush=True)"
    for delay in (0.0, 0.05, 0.15, 0.3):
        command = [sys.executable, "-c", SOLVE.replace("PREPARE", say)]
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None and running.stdout.readline() == "compiling\n"
        time.sleep(delay)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
    assert good(solve(place))
    assert len([f for f in place.iterdir() if f.suffix == ".o"]) == 1


def test_an_interrupt_in_the_middle_of_compiling() -> None:
    """KeyboardInterrupt out of the compiler leaves nothing locked and nothing half done: the next solve is right."""
    prepare = """
from hybridode import store
from hybridode.kernels import cache
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
os.environ[store.VARIABLE] = "off"
compile_ = cache.object_code
def interrupted(text):
    cache.object_code = compile_
    os.kill(os.getpid(), signal.SIGINT)
    return compile_(text)
cache.object_code = interrupted
try:
    native.solve_numbers(model, model.arguments(), 0.0, np.array([0.4]), "rodas4", Settings())
    sys.exit("was not interrupted")
except KeyboardInterrupt:
    pass
"""
    assert good(solve(Path("off"), prepare))


def test_what_killed_processes_leave_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary file that nobody has written to for a day; a fresh one may be somebody's."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    old, fresh = tmp_path / "a.part", tmp_path / "b.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert store.clear() == 0 and not old.exists() and fresh.exists()
