"""What the loops of a solve share, in registers (`loop`) and in memory (`rolled/solve`): what is read once, where results go."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from hybridode.kernels.llvm.event_search import Found
from hybridode.kernels.llvm.job import INFO, NO_MEMORY
from hybridode.kernels.llvm.lane_loop import LaneLoop, Row


class StepLoop(LaneLoop):
    """A loop of attempted steps. What goes from one to the next is carried: by its name its kind and its value."""

    kinds: dict[str, str]  # of what is carried

    @abstractmethod
    def loop(self, carried: dict[str, tuple[str, str]], t1: str, entry: str) -> None:
        """Phis, one attempted step, saving, the end."""

    @abstractmethod
    def attempt(self, now: Mapping[str, str], t1: str) -> dict[str, str]:
        """One attempted step of all lanes; the new values of what is carried."""

    @abstractmethod
    def save(self, ok: str, saved: str, t: str, h: str, t_new: str, new: Any, out: Any, /) -> str:
        """Writes the values at all save points up to t_new of the lanes that accepted; returns how many are done."""

    @abstractmethod
    def write_results(self, last: Mapping[str, str]) -> None:
        """What the solve leaves, from what is carried at its end."""

    def passed(self, ok: str, found: Found) -> str:
        """The lanes that accept a step, in which no event happened."""
        for mask in (found.hit, found.lost):
            ok = self.w.logic("and", ok, self.not_(mask)) if mask else ok
        return ok

    def read_numbers(self, trajectories: list[str]) -> list[str]:
        """Sizes, save points and inputs; the options of every lane: tolerances, the first and the longest step."""
        w = self.w
        self.T, self.max_steps, self.capacity = self.slot("times"), self.slot("max_steps"), self.slot("capacity")
        options = self.slot("options", "ptr")
        scalars = [w.splat(w.load(options, str(k), self.lanes.scalar)) for k in range(4)]
        self.ts = self.rows("ts", trajectories, self.slot("ts_stride"))
        self.load_inputs(trajectories)
        return scalars

    def open_results(self, written: Row) -> None:
        """The rows that results go to."""
        w, n = self.w, self.m.n
        stride = w.value(f"mul i64 {self.T}, {n}")
        self.wanted = w.value(f"icmp ne ptr {self.slot('ys', 'ptr')}, null")
        self.ys = self.rows("ys", written, stride)
        self.info = self.rows("info", written, str(len(INFO)), "i32")
        self.end = self.rows("end", written, str(n + 1))
        self.recording = w.value(f"icmp ne ptr {self.slot('record', 'ptr')}, null")
        self.records = self.rows("record", written, w.value(f"mul i64 {self.capacity}, {n + 2}"))

    def give_up(self) -> None:
        """What a solve gives that got no memory."""
        w, n = self.w, self.m.n
        _, written, _ = self.whose()
        for row in self.rows("info", written, str(len(INFO)), "i32"):
            for k in range(len(INFO)):
                w.store(str(NO_MEMORY if k == 0 else 0), row, str(k), "i32", 4)
        self.blank_rows(self.rows("end", written, str(n + 1)), str(n + 1))
        wanted = w.value(f"icmp ne ptr {self.slot('ys', 'ptr')}, null")
        numbers = w.value(f"mul i64 {self.slot('times')}, {n}")
        self.blank_rows(self.rows("ys", written, numbers), w.value(f"select i1 {wanted}, i64 {numbers}, i64 0"))
