"""Handlers registered with XLA, once a process each, under names that hash their code."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import jax.ffi

from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.machine import Machine


@cache
def register(name: str, machine: Machine) -> str:
    """Makes a handler known to XLA; returns its name."""
    pointer = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(machine.address(name))
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(pointer), platform="cpu")
    return name


def call(program: Program, kind: str, width: int, own: bool, results: Any) -> Any:
    """A JAX function of the operands of a kind (see `llvm/handler`) that runs it in code of this lane count (`own`: see
    `Program.lanes`). `results`: their shapes."""
    module, machine = program.module(kind, width, own)
    return jax.ffi.ffi_call(register(module.handler, machine), results)
