"""What goes over the recorded steps of large systems (see `llvm/replay`): the state of a step is read into memory."""

from __future__ import annotations

import math

from hybridode.kernels.llvm.replay import Replay
from hybridode.kernels.llvm.rolled.frame import RolledLoop


class RolledReplay(RolledLoop, Replay):
    def prologue(self) -> None:
        super().prologue()
        self.y = self.emitter.keep(self.m.n)
        self.nan = self.emitter.chunk.lanes.const(math.nan)

    def step_at(self, place: str, ok: str) -> tuple[str, str]:
        """t and h of the recorded step of every lane, and its state in `self.y` (h = 1 where the lane has no such step)."""
        row = self.select_integer(ok, place, self.integers(0))
        places = self.places(self.records, row, self.m.n + 2)
        t, h = self.reads(places, 2)
        self.load_rows(self.beyond(places, 2), self.y)
        return t, self.w.select(ok, h, self.const(1.0))
