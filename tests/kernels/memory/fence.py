"""Every native call that JAX makes between forbidden pages (see `guarded`), in the cases of `calls` or in whole test files:

    python -m tests.kernels.memory.calls
    python -m pytest -p tests.kernels.memory.fence tests/solve

A call that leaves its buffers ends the process. HYBRIDODE_BROKEN names a fault of `faults` that is put into all code before it
is compiled: proof that the fence holds.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hybridode import store
from hybridode.kernels import cache as code_cache
from hybridode.kernels.ffi import primitives
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.job import INFO
from hybridode.kernels.llvm.machine import Machine
from hybridode.kernels.llvm.module import Module
from tests.kernels.memory import guarded
from tests.kernels.memory.faults import FAULTS
from tests.kernels.memory.record import record

INFO_AT, RECORD = 1, 3  # results of a solve
CALLS: dict[str, int] = {}  # kind and lanes -> how often


@cache
def _handler(machine: Machine, name: str) -> Any:
    return machine.function(name, ctypes.c_void_p, ctypes.c_void_p)


def _modules(program: Program, kind: str, width: int, own: bool) -> list[Module]:
    """The module of a call and those that it calls, with their text (which what is found by the index of kernels has not)."""
    written = replace(program, identity="", modules={})
    solve = "solve_parts" if program.in_parts and kind != "solve" else "solve"
    return [written.module(k, width, own)[0] for k in dict.fromkeys((kind, solve))]


def _blank(found: list[np.ndarray]) -> None:
    """Rows of a record behind the accepted steps: whether a lane wrote there depends on its neighbours' steps."""
    accepted, record = found[INFO_AT][..., INFO.index("accepted"), None], found[RECORD]
    record[np.arange(record.shape[-2]) >= accepted] = np.nan


def fenced(folder: Path | None, program: Program, kind: str, width: int, own: bool,
           results: Sequence[jax.ShapeDtypeStruct]) -> Callable[..., Any]:  # fmt: skip
    """What `kernels/ffi/target.call` returns, but called from Python in guarded memory, and recorded in a folder."""
    module, machine = program.module(kind, width, own)
    shapes = [(tuple(r.shape), r.dtype) for r in results]

    def host(*operands: Any) -> list[np.ndarray]:
        row = f"{kind} in {width} lanes"
        CALLS[row] = CALLS.get(row, 0) + 1
        arrays = [np.asarray(a) for a in operands]
        blank = _blank if kind == "solve" else (lambda found: None)
        found = guarded.run(_handler(machine, module.handler), arrays, shapes, blank)
        modules = [] if folder is None else _modules(program, kind, width, own)
        # Large systems read tables that Python hands to their code: here they run, but not in a program of their own.
        if folder is not None and not any("@tables" in m.text for m in modules):
            record(folder, modules, kind, arrays, found)
        return found

    return lambda *operands: jax.pure_callback(host, list(results), *operands)


def install(folder: Path | None = None) -> None:
    """Replaces the call of XLA's handlers, for this process."""
    jax.config.update("jax_enable_x64", True)  # callbacks run in threads of their own, which a context does not reach
    primitives.call = partial(fenced, folder)
    os.environ[store.VARIABLE] = "off"  # every module with its text, and compiled here
    fault = os.environ.get("HYBRIDODE_BROKEN")
    if fault:
        os.environ[store.VARIABLE] = "off"
        compile_ = code_cache.object_code
        code_cache.object_code = lambda text: compile_(FAULTS[fault](text))


def pytest_configure() -> None:
    install()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"fenced calls: {CALLS}")
