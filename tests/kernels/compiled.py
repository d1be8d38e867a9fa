"""A function of mathlib compiled to a loop over arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from hybridode.kernels.llvm.machine import host
from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib import arity_of, define, module_text


def loop_text(op: str, lanes: Lanes, attributes: str = "nounwind", attrs: Any = None) -> str:
    """`void @apply(ptr x0, …, ptr out, i64 n)` over n groups of lanes, and what it calls."""
    arity, real, align = arity_of(op, attrs), lanes.real, lanes.bytes // lanes.width
    pointers = ", ".join(f"ptr %p{k}" for k in range(arity))
    loads = [
        line
        for k in range(arity)
        for line in (
            f"  %a{k} = getelementptr {real}, ptr %p{k}, i64 %i",
            f"  %x{k} = load {real}, ptr %a{k}, align {align}",
        )
    ]
    definition = define(op, lanes, attributes=attributes, attrs=attrs)
    call = f"call {real} {definition.name}({', '.join(f'{real} %x{k}' for k in range(arity))})"
    lines = [
        module_text([definition]),
        f"define void @apply({pointers}, ptr %out, i64 %n) {{\nentry:\n  br label %loop\nloop:",
        "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]",
        *loads,
        f"  %y = {call}",
        f"  %o = getelementptr {real}, ptr %out, i64 %i\n  store {real} %y, ptr %o, align {align}",
        "  %next = add i64 %i, 1\n  %more = icmp slt i64 %next, %n",
        "  br i1 %more, label %loop, label %done\ndone:\n  ret void\n}",
    ]
    return "\n".join(lines)


def optimised(module: Any, machine: Any) -> None:
    """Inlines what is to be inlined, and moves constants out of loops."""
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    builder.getModulePassManager().run(module, builder)


def compiled(
    op: str, lanes: Lanes, attributes: str = "nounwind", machine: Any = None, passes: bool = False, attrs: Any = None
) -> Callable[..., Any]:
    """The function on arrays of any length (NaN fills the last group)."""
    machine = machine or host()
    module = llvm.parse_assembly(loop_text(op, lanes, attributes, attrs))
    module.verify()
    if passes:
        optimised(module, machine)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    arity = arity_of(op, attrs)
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(engine.get_function_address("apply"))

    def apply(*arguments: Any, out: Any = None) -> Any:
        arrays = [np.ascontiguousarray(x, lanes.dtype) for x in np.broadcast_arrays(*arguments)]
        count = arrays[0].size
        groups = -(-count // lanes.width)
        if groups * lanes.width != count:
            filler = np.full(groups * lanes.width - count, np.nan, lanes.dtype)
            arrays = [np.concatenate([x, filler]) for x in arrays]
        result = np.empty(groups * lanes.width, lanes.dtype) if out is None else out
        native(*[x.ctypes.data for x in arrays], result.ctypes.data, groups)
        return result[:count]

    apply.engine, apply.native = engine, native  # type: ignore[attr-defined]  # the code lives as long as this
    return apply


__all__ = ["compiled", "loop_text", "optimised"]
