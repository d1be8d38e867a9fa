"""What the numbers were measured on, and what its floating-point units can do."""

from __future__ import annotations

import ctypes
import datetime
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import seconds


def facts(packages: tuple[str, ...]) -> dict[str, Any]:
    """Processor, load, versions, date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: found for name in ("hybridode", *packages) if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    rows = {key.strip(): value.strip() for key, value in rows.items()}
    wide = "AVX-512" if "avx512f" in rows.get("flags", "") else "AVX2" if "avx2" in rows.get("flags", "") else "SSE"
    return f"{rows.get('model name', platform.machine())} (family {rows.get('cpu family')}, model {rows.get('model')}), {wide}"


_CHAINS = 12  # independent chains: more than latency × ports of any processor today
_TURNS = 4_000_000


def _kernel(lanes: int) -> str:
    """A loop of independent fused multiply-adds in registers."""
    real = "double" if lanes == 1 else f"<{lanes} x double>"
    suffix = "f64" if lanes == 1 else f"v{lanes}f64"
    constant = "0x3FEFFFFFE0000000"
    factor = constant if lanes == 1 else "<" + ", ".join([f"double {constant}"] * lanes) + ">"
    phi = [f"  %x{i} = phi {real} [ {factor}, %entry ], [ %y{i}, %loop ]" for i in range(_CHAINS)]
    body = [f"  %y{i} = call {real} @llvm.fma.{suffix}({real} %x{i}, {real} {factor}, {real} {factor})" for i in range(_CHAINS)]
    sums, last = [], "%y0"
    for i in range(1, _CHAINS):
        sums.append(f"  %s{i} = fadd {real} {last}, %y{i}")
        last = f"%s{i}"
    return "\n".join(
        [f"declare {real} @llvm.fma.{suffix}({real}, {real}, {real})", "define void @peak(i64 %n, ptr %out) {", "entry:",
         "  br label %loop", "loop:", "  %k = phi i64 [ 0, %entry ], [ %next, %loop ]", *phi, *body, "  %next = add i64 %k, 1",
         "  %more = icmp slt i64 %next, %n", "  br i1 %more, label %loop, label %done", "done:", *sums,
         f"  store {real} {last}, ptr %out, align 8", "  ret void", "}"]
    )  # fmt: skip


def instructions_per_second(lanes: int) -> float:
    """Fused multiply-adds of `lanes` float64 that one core starts in a second: the most of several runs."""
    from hybridode.kernels.llvm.machine import compile_ir

    machine = compile_ir(_kernel(lanes))
    peak = machine.function("peak", None, ctypes.c_int64, ctypes.c_void_p)
    out = (ctypes.c_double * 16)()
    best = min(seconds(lambda: peak(_TURNS, ctypes.addressof(out))) for _ in range(7))
    return _CHAINS * _TURNS / best
