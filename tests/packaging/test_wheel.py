"""A built wheel works by itself, in an environment of its own, away from the repository."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies are borrowed from this one, so that nothing is downloaded."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, text=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder


def test_the_wheel_holds_what_is_read_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.glob("hybridode/**/*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    assert {"hybridode/grammar/ode.lark", "hybridode/grammar/ode.table.json"} <= names
    assert not [name for name in names if name.startswith(("tests", "grammar", "examples"))]


def test_commands_work_away_from_the_repository(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin" / "hybridode")
    where = "import hybridode; print(hybridode.__file__)"
    found = subprocess.run([installed / "bin" / "python", "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed)
    subprocess.run([command, "new", "mine"], cwd=tmp_path, check=True, capture_output=True)
    checked = subprocess.run([command, "check", "mine.ode"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert checked.stdout.startswith("mine.ode: mine is fine")
    (tmp_path / "bad.ode").write_text("model bad\ny = 2x\n")
    bad = subprocess.run([command, "check", "bad.ode"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "write `2*x`" in bad.stderr
    explained = subprocess.run([command, "explain", "E0801"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert explained.stdout.startswith("E0801: ")
