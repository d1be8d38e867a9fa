"""Throughput of mathlib beside NumPy's vectorised functions: `python tests/benchmarks/mathlib.py [--ops exp,log] [--runs 40]`.

Nanoseconds an element, the smallest of interleaved runs over arrays that stay in the second-level cache. Columns: lanes that fill
this processor's registers, inlined into the loop and called; 4 lanes for AVX2 (as on most machines); float32; NumPy.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from hybridode.kernels.llvm.machine import host, host_lanes
from hybridode.kernels.llvm.writer import Lanes
from hybridode.kernels.mathlib import arity_of
from tests.kernels.compiled import compiled

NUMPY: dict[str, Any] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power,
    "mod": np.mod, "sqrt": np.sqrt,
}  # fmt: skip
OTHERS = ("sigmoid", "softplus", "hill", "erf", "gamma", "lgamma", "digamma")
COUNT = 8192
INLINE, CALL = "nounwind alwaysinline", "nounwind noinline"


def avx2() -> Any:
    host()
    return llvm.Target.from_default_triple().create_target_machine(cpu="haswell", features="", opt=2, jit=True)


def contenders(op: str) -> dict[str, Callable[[], Any]]:
    """Column → what is timed."""
    rng = np.random.default_rng(0)
    low, high = (1.1, 3.0) if op == "acosh" else (0.1, 0.9)
    x = [rng.uniform(low, high, COUNT), rng.uniform(0.5, 3, COUNT), rng.uniform(1, 4, COUNT)][: arity_of(op)]
    x32 = [v.astype(np.float32) for v in x]
    out, out32 = np.empty(COUNT), np.empty(COUNT, np.float32)
    wide = host_lanes()

    def ours(lanes: Lanes, attributes: str, machine: Any = None) -> Callable[[], Any]:
        function: Any = compiled(op, lanes, attributes, machine, passes=attributes == INLINE)
        arrays = [*(x if lanes.dtype == "float64" else x32), out if lanes.dtype == "float64" else out32]
        return lambda: function.native(*[a.ctypes.data for a in arrays], COUNT // lanes.width)

    rows = {
        f"{wide} inline": ours(Lanes(wide), INLINE),
        f"{wide} call": ours(Lanes(wide), CALL),
        f"{2 * wide} float32": ours(Lanes(2 * wide, "float32"), INLINE),
    }
    if platform.machine() in ("x86_64", "AMD64"):
        rows |= {"4 AVX2 inline": ours(Lanes(4), INLINE, avx2()), "4 AVX2 call": ours(Lanes(4), CALL, avx2())}
    if op in NUMPY:
        rows["NumPy"] = lambda: NUMPY[op](*x, out=out)
    return rows


def measure(rows: dict[str, Callable[[], Any]], runs: int) -> dict[str, float]:
    best = dict.fromkeys(rows, float("inf"))
    for _ in range(runs):
        for name, run in rows.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: seconds / COUNT * 1e9 for name, seconds in best.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ops", default=",".join([*NUMPY, *OTHERS]))
    parser.add_argument("--runs", type=int, default=40)
    given = parser.parse_args()
    header: list[str] = []
    for op in given.ops.split(","):
        times = measure(contenders(op), given.runs)
        if not header:
            header = list(times)
            print(f"| ns an element | {' | '.join(header)} | NumPy ÷ ours |\n|{'---|' * (len(header) + 2)}")
        ours = times[header[0]]
        ratio = f"{times['NumPy'] / ours:.2f}" if "NumPy" in times else ""
        cells = " | ".join(f"{times[name]:.2f}" if name in times else "" for name in header)
        print(f"| {op} | {cells} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
