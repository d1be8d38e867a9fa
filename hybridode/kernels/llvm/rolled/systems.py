"""Linear systems in machine code (see `tape/systems`): banded ones in `band`, others in `runs`; one row each in SYSTEMS.

Factors are memory in a layout of their own, which only the operations here read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hybridode.kernels.llvm.rolled.band import Band, ThinBand
from hybridode.kernels.llvm.rolled.runs import Runs
from hybridode.kernels.llvm.wide_values import Buffer, Lazy, Value
from hybridode.tape.shapes import Shape
from hybridode.tape.systems import LinearSystem

if TYPE_CHECKING:
    from hybridode.kernels.llvm.rolled.emitter import RolledEmitter

THIN = 8  # bands that reach so far on either side go through registers


class Layout(Protocol):
    """How a system's factors lie in memory, and the code for them."""

    def factor(self, entries: Buffer) -> Buffer: ...
    def solve(self, factors: Buffer, right: Buffer, transposed: bool) -> Buffer: ...
    def pivots(self) -> np.ndarray:
        """Where in the memory the inverse pivot of every position stands."""
        ...


def layout(e: RolledEmitter, system: LinearSystem) -> Layout:
    if not system.banded:
        return Runs(e, system)
    return (ThinBand if max(system.band) <= THIN else Band)(e, system)


def _factor(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    return layout(e, attrs).factor(e.in_memory(operands[0]))


def _solve(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    _, factors, right = operands
    system, transposed = attrs
    found = layout(e, system).solve(e.in_memory(factors), e.in_memory(right), transposed)
    if system.natural:
        return found
    out = e.buffer(system.n)
    return e.store(Lazy("gather", (found,), shape, 1, e.tables.place(system.position)), out)


def _pivots(e: RolledEmitter, operands: Sequence[Value], shapes: Sequence[Shape], attrs: Any, shape: Shape) -> Value:
    places = layout(e, attrs).pivots()[attrs.position]
    return Lazy("gather", (e.in_memory(operands[0]),), shape, 1, e.tables.place(places))


SYSTEMS: dict[str, Any] = {"factor": _factor, "solve": _solve, "pivots": _pivots}
