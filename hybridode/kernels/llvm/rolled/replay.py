"""What goes over the recorded steps of large systems (see `llvm/replay`): the state of a step is read into memory."""

from __future__ import annotations

import math

from hybridode.kernels.llvm.events import EVENT
from hybridode.kernels.llvm.replay import Replay
from hybridode.kernels.llvm.rolled.event_replay import RolledEventReplay
from hybridode.kernels.llvm.rolled.frame import RolledLoop


class RolledReplay(RolledLoop, Replay):
    def prologue(self) -> None:
        super().prologue()
        self.happened = self.lanes.const(False)
        self.y = self.emitter.keep(self.m.n)
        self.nan = self.emitter.chunk.lanes.const(math.nan)

    def step_at(self, place: str, ok: str) -> tuple[str, str]:
        """t and h of the recorded step of every lane, and its state in `self.y` (h = 1 where the lane has no such step)."""
        row = self.select_integer(ok, place, self.integers(0))
        places = self.places(self.records, row, self.m.n + 2)
        t, h = self.reads(places, 2)
        self.load_rows(self.beyond(places, 2), self.y)
        if self.events is not None:  # the lanes in which it is no step but what an event did: `code`
            self.code = h
            self.happened = self.w.logic("and", ok, self.w.compare("ole", h, self.const(-EVENT[self.lanes.dtype])))
            h = self.w.select(self.happened, self.const(1.0), h)
        return t, self.w.select(ok, h, self.const(1.0))

    def watched_events(self) -> RolledEventReplay | None:
        return None if self.m.events is None else RolledEventReplay(self, self.m.events)

    def stopped(self) -> str:
        some = self.whole("icmp sgt", self.steps, self.integers(0))
        row = self.select_integer(some, self.count(self.steps, self.lanes.const(True), "sub"), self.integers(0))
        t, h = self.reads(self.places(self.records, row, self.m.n + 2), 2)
        by_event = self.w.logic("and", some, self.w.compare("ole", h, self.const(-EVENT[self.lanes.dtype])))
        return self.w.select(by_event, t, self.const(math.inf))
