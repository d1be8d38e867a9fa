"""What is known of a model's located events when its code is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hybridode.methods.located import Located

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop


class EventTables:
    """What is known of the events beforehand, as constants of the module."""

    def __init__(self, loop: LaneLoop, located: Located) -> None:
        self.loop, self.w, self.located = loop, loop.w, located

    def _numbers(self, name: str, values: Sequence[int]) -> None:
        items = ", ".join(f"i64 {v}" for v in values)
        self.w.needs[f"@event_{name} = private unnamed_addr constant [{len(values)} x i64] [{items}]"] = None

    def whole(self, name: str, values: Sequence[int], k: str) -> str:
        """Entry k of a table of whole numbers, an i64."""
        if len(set(values)) == 1:
            return str(values[0])
        self._numbers(name, values)
        return self.w.load(f"@event_{name}", k, "i64") if k != "0" else self.w.value(f"load i64, ptr @event_{name}, align 8")

    def real(self, name: str, values: Sequence[int], k: str) -> str:
        """The same as a real in all lanes."""
        if len(set(values)) == 1:
            return self.loop.const(float(values[0]))
        number = self.w.value(f"sitofp i64 {self.whole(name, values, k)} to {self.loop.lanes.scalar}")
        return self.w.splat(number)

    def direction(self, e: str) -> str:
        return self.real("direction", self.located.directions, e)

    def at_start(self, e: str) -> str:
        return self.real("at_start", self.located.at_start, e)

    def stop(self, e: str) -> str:
        return self.real("stop", self.located.stop, e)

    def resets(self, e: str) -> str:
        return self.real("resets", self.located.resets, e)

    def each_change(self, e: str, act: Callable[[str, str], None]) -> None:
        """act(a, state) for every assignment of event e."""
        begin = self.whole("first", self.located.first, e)
        end = self.whole("first", self.located.first, self.w.value(f"add i64 {e}, 1"))
        self.loop.repeat_from(begin, end, lambda a: act(a, self.whole("state", self.located.states, a)))
