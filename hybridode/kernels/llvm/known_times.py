"""When `at` statements happen and doses fall: the end of every trajectory's row of the slot `s`.

Behind the signals (see `signals`) a row holds the times of the firings (G,), ascending, at least the last of them infinite; the
statement of each (G,); of models with doses what each adds (G,); and G. Times and amounts are differentiated like everything
in `s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybridode.kernels.llvm.lane_loop import LaneLoop


class KnownTimes:
    """The firings of the lanes of one function; `q` is each lane's number of one, an integer."""

    def __init__(self, loop: LaneLoop, trajectories: Sequence[str]) -> None:
        self.loop, self.w = loop, loop.w
        w, scalar, count = loop.w, loop.lanes.scalar, loop.slot("s_count")
        row = loop.rows("s", trajectories, loop.slot("s_stride"))
        last = w.value(f"sub i64 {count}, 1")
        self.count = w.value(f"fptosi {scalar} {w.load(row[0], last, scalar, loop.align)} to i64")
        columns = 3 if loop.inputs.amounts else 2
        self.first = w.value(f"sub i64 {last}, {w.value(f'mul i64 {self.count}, {columns}')}")
        self.times = [w.address(r, self.first, scalar) for r in row]
        self.statements = [w.address(r, self.count, scalar) for r in self.times]
        self.amounts = [w.address(r, self.count, scalar) for r in self.statements] if columns > 2 else []

    def time(self, q: str) -> str:
        """When it happens."""
        return self.loop.read(self.loop.places(self.times, q, 1), 0)

    def statement(self, q: str) -> str:
        """Which statement it is, a real."""
        return self.loop.read(self.loop.places(self.statements, q, 1), 0)

    def amount(self, q: str) -> dict[str, list[str]]:
        """What it adds, as the input of a tape; nothing in models without doses."""
        return {"amount": [self.loop.read(self.loop.places(self.amounts, q, 1), 0)]} if self.amounts else {}

    def places(self, rows: Sequence[str], q: str) -> list[str]:
        """Per lane the address of its time in a row of tangents or cotangents."""
        return self.loop.places([self.w.address(r, self.first, self.loop.lanes.scalar) for r in rows], q, 1)

    def amount_places(self, rows: Sequence[str], q: str) -> list[str]:
        """The same of its amount."""
        w = self.w
        at = w.value(f"add i64 {self.first}, {w.value(f'shl i64 {self.count}, 1')}")
        return self.loop.places([w.address(r, at, self.loop.lanes.scalar) for r in rows], q, 1)
