"""Solves and their tangents by NumPy arrays: jobs filled by ctypes, without JAX and without Python's lock."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.handler import OPTIONS
from hybridode.kernels.llvm.job import INFO, SLOT, SLOTS
from hybridode.types import FloatArray

NO_SIGNALS = np.zeros(0)
_RANKS = {"p": 1, "w": 1, "s": 1, "y0": 1, "t0": 0, "ts": 1}
_NUMBERS = ("max_steps", "threads", "checkpoints")


@dataclass(frozen=True, eq=False)
class Operands:
    """What the solves of B trajectories read: p (B, m) or (m,), w (B, k) or (k,), s (B, c) or (c,), y0 (B, n) or (n,), ts (B, T)
    or (T,), t0 (B,) or (), options as `Program.options` gives them. Arrays without B are shared."""

    arrays: Mapping[str, np.ndarray]
    options: np.ndarray

    @staticmethod
    def of(program: Program, p: FloatArray, w: FloatArray, y0: FloatArray, t0: FloatArray, ts: FloatArray, options: FloatArray,
           s: FloatArray) -> Operands:  # fmt: skip
        kind = np.dtype(program.dtype)
        given = {"p": p, "w": w, "s": s, "y0": y0, "t0": t0, "ts": ts}
        arrays = {name: np.asarray(a, kind, order="C") for name, a in given.items()}
        return Operands(arrays, np.asarray(options, kind, order="C"))

    @property
    def count(self) -> int:
        """B, 1 when nothing is batched."""
        return max((a.shape[0] for name, a in self.arrays.items() if a.ndim > _RANKS[name]), default=1)

    @property
    def times(self) -> int:
        return self.arrays["ts"].shape[-1]

    @property
    def own_weights(self) -> bool:
        return self.arrays["w"].ndim > 1

    def job(self, seeds: int, **arrays: np.ndarray) -> np.ndarray:
        """The job's slots with these arrays too; who runs it keeps them alive."""
        job, batch = np.zeros(len(SLOTS), np.int64), self.count
        for name, array in {**self.arrays, "options": self.options, **arrays}.items():
            job[SLOT[name]] = array.ctypes.data
        for name, rank in _RANKS.items():
            array = self.arrays[name]
            job[SLOT[f"{name}_stride"]] = (array.shape[-1] if rank else 1) if array.ndim > rank else 0
        numbers = {"trajectories": batch, "total": batch, "seeds": seeds, "times": self.times}
        numbers["s_count"] = self.arrays["s"].shape[-1]
        numbers |= {name: int(self.options[OPTIONS.index(name)]) for name in _NUMBERS}
        for name, number in numbers.items():
            job[SLOT[name]] = number
        return job


@dataclass(frozen=True, eq=False)
class Solved:
    """ys (B, T, n), info (B, 6), end (B, 1 + n), record (B, capacity, 2 + n)."""

    ys: FloatArray
    info: np.ndarray
    end: FloatArray
    record: FloatArray


def solve(program: Program, operands: Operands, layout: tuple[int, bool], capacity: int = 0, quick: bool = False) -> Solved:
    """The solves, by the code of so many lanes (see `Program.lanes`), with a record of so many steps for tangents. `quick`: by
    code that is made quickly, as long as that pays (see `work`)."""
    kind, batch, n = np.dtype(program.dtype), operands.count, program.n
    found = Solved(np.full((batch, operands.times, n), np.nan, kind), np.zeros((batch, len(INFO)), np.int32),
                   np.zeros((batch, n + 1), kind), np.empty((batch, capacity, n + 2), kind))  # fmt: skip
    job = operands.job(1, ys=found.ys, info=found.info, end=found.end)
    if capacity:
        job[SLOT["record"]], job[SLOT["capacity"]] = found.record.ctypes.data, capacity
    quick = quick and program.work.quick
    run(program, "solve", layout, job, quick)
    if quick:
        program.work.solved(found.info)
    return found


def tangents(program: Program, operands: Operands, solved: Solved, p_dot: FloatArray, y0_dot: FloatArray,
             layout: tuple[int, bool], quick: bool = False) -> FloatArray:  # fmt: skip
    """ys_dot (K, B, T, n) in K directions p_dot (K, B, m), y0_dot (K, B, n): exact derivatives of what was computed."""
    kind, (seeds, batch, _) = np.dtype(program.dtype), p_dot.shape
    dots = {"p_dot": np.asarray(p_dot, kind, order="C"), "y0_dot": np.asarray(y0_dot, kind, order="C")}
    dots["s_dot"] = np.zeros((seeds, batch, operands.arrays["s"].shape[-1]), kind)
    dots["w_dot"] = np.zeros((seeds, batch, program.weight_count), kind)
    out = np.zeros((seeds, batch, operands.times, program.n), kind)
    job = operands.job(seeds, info=solved.info, record=solved.record, ys_dot=out, **dots)
    job[SLOT["capacity"]] = solved.record.shape[1]
    quick = quick and program.work.quick
    run(program, "tangent", layout, job, quick)
    if quick:
        program.work.replayed(solved.info, seeds)
    return out


def run_solve(program: Program, p: FloatArray, w: FloatArray, y0: FloatArray, t0: FloatArray, ts: FloatArray,
              options: FloatArray, s: FloatArray = NO_SIGNALS) -> tuple[FloatArray, np.ndarray, FloatArray]:  # fmt: skip
    """ys (B, T, n), info (B, 6), end (B, 1 + n) of B solves, in as many lanes as they are worth."""
    operands = Operands.of(program, p, w, y0, t0, ts, options, s)
    found = solve(program, operands, program.lanes(operands.count, operands.own_weights))
    return found.ys, found.info, found.end


def run(program: Program, kind: str, layout: tuple[int, bool], job: Any, quick: bool = False) -> None:
    """Works on a job (an int64 array of slots)."""
    module, machine = program.module(kind, *layout, quick)
    machine.function(module.run, None, ctypes.c_void_p)(job.ctypes.data)
