"""Machine code on disk: found again, never trusted when it should not be, and never needed."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hybridode import store
from hybridode.kernels import cache
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.parts import Module
from hybridode.methods.explicit_tableaux import TSIT5
from hybridode.methods.ready import Method, explicit_method
from hybridode.tape.identity import identity
from hybridode.tape.tape import TapeBuilder

TEXT = """define double @NAME(double %x) {
  %y = fmul double %x, NUMBER
  ret double %y
}
"""


def module(name: str, number: float = 3.0) -> Module:
    return Module(TEXT.replace("NAME", name).replace("NUMBER", f"{number:e}"), name, "")


def call(m: Module, x: float) -> float:
    return cache.loaded(m).function(m.run, ctypes.c_double, ctypes.c_double)(x)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, nothing loaded."""
    place = tmp_path / "kernels"
    monkeypatch.setenv(store.VARIABLE, str(place))
    monkeypatch.setattr(cache, "_LOADED", {})
    return place


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been compiled so far."""
    made: list[str] = []
    compile_ = cache.object_code

    def counted(text: str) -> bytes:
        made.append(text)
        return compile_(text)

    monkeypatch.setattr(cache, "object_code", counted)
    return made


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(cache, "_LOADED", {})


def test_compiled_once(folder: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    m = module("cache_once")
    assert call(m, 2.0) == 6.0 and call(m, 3.0) == 9.0 and len(compilations) == 1
    forget(monkeypatch)
    assert call(m, 2.0) == 6.0 and len(compilations) == 1
    (file,) = folder.glob("*.o")
    assert file.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
    assert store.size() == (1, file.stat().st_size)
    assert store.clear() == 1 and store.size() == (0, 0)


def test_other_text_is_other_code(folder: Path, compilations: list[str]) -> None:
    assert call(module("cache_a", 2.0), 1.0) == 2.0 and call(module("cache_b", 5.0), 1.0) == 5.0
    assert len(compilations) == 2 and store.size()[0] == 2


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-7], lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:], lambda b: b"", lambda b: b"x" * len(b)]
)
def test_damaged_files_are_compiled_anew(folder: Path, compilations: list[str], monkeypatch, damage) -> None:
    m = module("cache_damaged", float(len(damage(b"y" * 1000)) + 1))
    value = call(m, 1.0)
    (file,) = folder.glob("*.o")
    file.write_bytes(damage(file.read_bytes()))
    forget(monkeypatch)
    assert call(m, 1.0) == value and len(compilations) == 2
    forget(monkeypatch)
    assert call(m, 1.0) == value and len(compilations) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_could_have_written_is_not_run(folder: Path, compilations: list[str], monkeypatch, what: str) -> None:
    m = module(f"cache_untrusted_{what}")
    call(m, 1.0)
    (file,) = folder.glob("*.o")
    (file if what == "file" else folder).chmod(0o777)
    forget(monkeypatch)
    assert call(m, 2.0) == 6.0 and len(compilations) == 2


def test_without_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilations: list[str]) -> None:
    """A folder that cannot be made, a full disk, a cache that is switched off: the code is compiled each time."""
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file" / "kernels"))
    forget(monkeypatch)
    assert call(module("cache_no_folder"), 2.0) == 6.0 and store.clear() == 0
    monkeypatch.setenv(store.VARIABLE, "off")
    forget(monkeypatch)
    assert store.folder() is None and call(module("cache_off"), 2.0) == 6.0 and store.size() == (0, 0)
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "full"))
    forget(monkeypatch)

    def full(*arguments: object, **options: object) -> object:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    assert call(module("cache_full"), 2.0) == 6.0
    assert list((tmp_path / "full").iterdir()) == []
    assert len(compilations) == 3


def test_the_least_recently_used_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = module("cache_first"), module("cache_second")
    call(first, 1.0)
    (old,) = folder.glob("*.o")
    os.utime(old, (1, 1))
    monkeypatch.setattr(store, "MOST_BYTES", old.stat().st_size + 10)
    monkeypatch.setattr(store, "SHRINK_EVERY", 1)
    call(second, 1.0)
    assert not old.exists() and store.size()[0] == 1


PROCESS = """
import numpy as np
from hybridode.solve import native
from hybridode.solve.settings import Settings
from tests.solve.native_models import FORCED, compiled
model = compiled(FORCED)
print(repr(native.solve_numbers(model, model.arguments(), 0.0, np.linspace(0, 5, 3), "tsit5", Settings()).ys.tolist()))
"""


def test_two_processes_at_once(tmp_path: Path) -> None:
    """Both write the same files; a third finds them."""
    environment = {**os.environ, store.VARIABLE: str(tmp_path / "kernels")}
    command = [sys.executable, "-c", PROCESS]
    options = {"cwd": Path(__file__).parents[2], "env": environment, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **options) for _ in range(2)]
    outputs = [p.communicate(timeout=120)[0] for p in running]
    assert [p.returncode for p in running] == [0, 0] and outputs[0] == outputs[1] and outputs[0]
    files = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "kernels").iterdir()}
    assert sum(name.endswith(".o") for name in files) == 1 and all(name.endswith((".o", ".json")) for name in files)
    assert subprocess.run(command, **options, check=True).stdout == outputs[0]


# ---- the index: a model's kernel without its text --------------------------------------------------------------------
def program(rate: float = 2.0) -> Program:
    b = TapeBuilder()
    y = b.input("y", (1,))
    tape = b.finish({"rates": b.mul(b.const(rate), y)})
    return Program(lambda: explicit_method(TSIT5, tape, 1), tape, 1, 0, identity=identity(tape))


def unwritten() -> Method:
    raise AssertionError("the text was written anew")


def test_a_derivative_that_was_kept_with_another_solve_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick code of both was kept, later the optimised code of the solve: that one is taken, and the tangent has to call it."""
    first = program()
    quick, kept = (first.module(kind, 1, quick=True)[0] for kind in ("solve", "tangent"))
    program().module("solve", 1)
    forget(monkeypatch)
    later = program()
    solve = later.module("solve", 1, quick=True)[0]
    assert solve.run != quick.run and kept.calls == (quick.run,)
    assert not later.has("tangent", 1, quick=True)
    assert later.module("tangent", 1, quick=True)[0].calls == (solve.run,)


def end(made: Program) -> float:
    empty = np.zeros(0)
    options = made.options(1e-9, 1e-9, 1000)
    return float(run_solve(made, empty, empty, np.ones(1), np.zeros(()), np.ones(1), options)[0][0, 0, 0])


def test_a_kernel_is_found_without_its_text(folder: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not program().has("solve", 1)
    value = end(program())
    assert value == pytest.approx(np.exp(2.0), rel=1e-7) and len(compilations) == 1
    forget(monkeypatch)
    again = replace(program(), make=unwritten, modules={})
    assert again.has("solve", 1) and end(again) == value and len(compilations) == 1
    assert end(program(1.0)) == pytest.approx(np.exp(1.0), rel=1e-7) and len(compilations) == 2


def test_an_index_without_its_object_is_no_index(folder: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    value = end(program())
    for file in folder.glob("*.o"):
        file.unlink()
    forget(monkeypatch)
    assert not program().has("solve", 1) and end(program()) == value and len(compilations) == 2


def test_other_sources_are_another_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end(program())
    monkeypatch.setattr("hybridode.kernels.ffi.program.of_sources", lambda *rooms: "edited")
    assert not program().has("solve", 1)


def test_what_has_no_identity_is_not_indexed(folder: Path, compilations: list[str]) -> None:
    end(replace(program(), identity="", modules={}))
    assert not list(folder.glob("*.json")) and len(compilations) == 1
