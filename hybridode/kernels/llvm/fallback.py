"""The lanes in which a step's elimination went wrong, worked on one by one with partial pivoting (see `pivoted`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hybridode.kernels.llvm.lane_loop import LaneLoop
from hybridode.kernels.llvm.pivoted import FUNCTIONS, Pivoted
from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer

NOTHING: Mapping[str, Elements] = {}


class Fallback:
    """The function of a kind ("step", "reverse", "tangent") beside a loop, and its calls."""

    def __init__(self, loop: LaneLoop, kind: str, prefix: str = "") -> None:
        """`prefix`: of the names of functions and constants, for a second one in a module."""
        assert loop.m.stiff is not None
        self.loop = loop
        self.p = Pivoted(*loop.m.stiff, loop.m.n, prefix)
        FUNCTIONS[kind](self.p)
        loop.beside += self.p.parts
        loop.tables += self.p.tables
        # The inputs and outputs of the frame, each of all lanes.
        self.lanes = loop.w.value(f"alloca {loop.lanes.real}, i64 {self.p.head}, align 64")
        for declaration in ("declare ptr @malloc(i64)", "declare void @free(ptr)"):
            loop.w.needs[declaration] = None

    def run(self, bad: str, given: Mapping[str, Elements], out: Mapping[str, Elements], regions: Mapping[str, str],
            last: Callable[[Mapping[str, Elements]], str] | None = None,
            otherwise: str = "") -> tuple[dict[str, Elements], str]:  # fmt: skip
        """The step's outputs, in the lanes of the mask computed anew; `regions` says where each of them stands in the frame.
        Without memory for it they stay what they are. Second: last(those) where there is such a lane, elsewhere `otherwise`."""

        def anew() -> Elements:
            found = self.computed(bad, given, {name: len(x) for name, x in out.items()}, regions, out)
            return [*(x for elements in found.values() for x in elements), *([last(found)] if last else [])]

        before = [*(x for elements in out.values() for x in elements), *([otherwise] if last else [])]
        values = iter(self.loop.branch(self.loop.w.any(bad), anew, before, self.loop.lanes.real))
        return {name: [next(values) for _ in elements] for name, elements in out.items()}, next(values, "")

    def computed(self, bad: str, given: Mapping[str, Elements], sizes: Mapping[str, int], regions: Mapping[str, str],
                 before: Mapping[str, Elements] = NOTHING) -> dict[str, Elements]:  # fmt: skip
        """The outputs (names and sizes) in the lanes of the mask; in the others, and without memory, `before` or NaN."""
        loop, w, p, lanes = self.loop, self.loop.w, self.p, self.lanes
        known = {name: x for name, x in given.items() if name in p.places}
        known |= {regions[name]: before.get(name, [loop.const(math.nan)] * count) for name, count in sizes.items()}
        for region, elements in known.items():
            for k, value in enumerate(elements):
                w.store(value, lanes, str(p.places[region] + k), align=loop.align)
        one = w.beside(Lanes())
        frame = w.value(f"call ptr @malloc(i64 {8 * p.total})")
        there = w.value(f"icmp ne ptr {frame}, null")
        for k in range(loop.lanes.width):
            wanted = w.value(f"and i1 {loop.lane(bad, k, loop.lanes.mask)}, {there}")
            one.each(0, w.value(f"zext i1 {wanted} to i64"), lambda _, k=k: self.call(one, frame, lanes, k))
        w.line(f"call void @free(ptr {frame})")
        return {
            name: [w.load(lanes, str(p.places[region] + k), align=loop.align) for k in range(sizes[name])]
            for name, region in regions.items()
        }

    def call(self, one: Writer, frame: str, lanes: str, k: int) -> None:
        """Works on lane k."""

        def there(e: str) -> str:
            return one.value(f"add i64 {one.value(f'mul i64 {e}, {self.loop.lanes.width}')}, {k}")

        one.each(0, self.p.head, lambda e: one.store(one.load(lanes, there(e)), frame, e))
        one.line(f"call void @{self.p.prefix}pivoted(ptr {frame})")
        one.each(0, self.p.head, lambda e: one.store(one.load(frame, e), lanes, there(e)))
