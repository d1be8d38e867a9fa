"""Faults to put into the text of a module, as a mistake in the emitter would: each must be found by what looks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType


def _one_more(register: str, call: str) -> Callable[[str], str]:
    """What this register holds, and one more."""
    line = f"  {register} = {call}"
    return lambda text: text.replace(line, f"  {register}_real = {call}\n  {register} = add i64 {register}_real, 1")


FAULTS: Mapping[str, Callable[[str], str]] = MappingProxyType({
    "times": _one_more("%times", "call i64 @dimension(ptr %b_ts, i64 1)"),
    "trajectories": _one_more("%count", "call i64 @leading(ptr %b_info, i64 1)"),
    "capacity": _one_more("%capacity", "call i64 @dimension(ptr %b_record, i64 2)"),
    "uninitialised": lambda text: text.replace("call void @llvm.memset.p0.i64(ptr %job", "; ("),
    "leak": lambda text: text.replace("call void @free(ptr %record)", ""),
})  # fmt: skip
