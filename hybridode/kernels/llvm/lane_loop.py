"""What the forward and the backward loop share: arrays of lanes, per-lane indices, the weights of dense output."""

from __future__ import annotations

from collections.abc import Mapping

from hybridode.kernels.llvm.straight import Elements
from hybridode.kernels.llvm.writer import Lanes, Writer
from hybridode.methods.ready import Method
from hybridode.tape.tape import Tape


def only(tape: Tape, given: Mapping[str, Elements]) -> dict[str, Elements]:
    """What a tape reads of all that is there."""
    return {i.name: given[i.name] for i in tape.inputs}


class LaneLoop:
    """A writer with the vocabulary of the loops."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.w = Writer(lanes)
        self.align = lanes.bytes // lanes.width

    # ---- reals ----------------------------------------------------------------------------------------------------------
    def const(self, x: float) -> str:
        return self.lanes.const(x)

    def loads(self, pointer: str, n: int) -> list[str]:
        """The first n elements of an array of lanes."""
        return [self.w.load(pointer, str(k), align=self.align) for k in range(n)]

    def maximum(self, a: str, b: str) -> str:
        return self.w.intrinsic("maxnum", a, b)

    def minimum(self, a: str, b: str) -> str:
        return self.w.intrinsic("minnum", a, b)

    def weights(self, method: Method, theta: str, h: str) -> list[str]:
        """The weights of the rows of dense output at theta."""
        w, weights = self.w, []
        for polynomial in method.weights:
            value = self.const(polynomial[-1])
            for coefficient in reversed(polynomial[:-1]):
                value = w.add(w.mul(value, theta), self.const(coefficient))
            weights.append(w.mul(value, h) if method.scaled_by_h else value)
        return weights

    # ---- masks and integers -----------------------------------------------------------------------------------------------
    def not_(self, mask: str) -> str:
        return self.w.logic("xor", mask, self.lanes.const(True))

    def integers(self, value: int) -> str:
        width = self.lanes.width
        return str(value) if width == 1 else "<" + ", ".join([f"i64 {value}"] * width) + ">"

    def equal(self, a: str, value: int) -> str:
        return self.w.value(f"icmp eq {self.lanes.integer} {a}, {self.integers(value)}")

    def select_integer(self, condition: str, a: str, b: str) -> str:
        return self.w.select(condition, a, b, self.lanes.integer)

    def count(self, counter: str, mask: str, op: str = "add") -> str:
        """counter + 1 (or - 1: op "sub") in the lanes of the mask."""
        one = self.w.value(f"zext {self.lanes.mask} {mask} to {self.lanes.integer}")
        return self.w.value(f"{op} {self.lanes.integer} {counter}, {one}")

    # ---- per-lane places ----------------------------------------------------------------------------------------------------
    def clamped(self, j: str) -> str:
        """The save point j of every lane, within 0 … T-1."""
        w, whole, mask = self.w, self.lanes.integer, self.lanes.mask
        last = w.splat(w.value("sub i64 %T, 1"), "i64")
        low = w.value(f"icmp sgt {whole} {j}, {self.integers(0)}")
        positive = w.value(f"select {mask} {low}, {whole} {j}, {whole} {self.integers(0)}")
        inside = w.value(f"icmp slt {whole} {positive}, {last}")
        return w.value(f"select {mask} {inside}, {whole} {positive}, {whole} {last}")

    def gather(self, pointer: str, j: str) -> str:
        """pointer[j] of every lane (an array over save points)."""
        return self.gather_element(pointer, j, 1, 0)

    def gather_element(self, pointer: str, j: str, n: int, i: int) -> str:
        """pointer[j, i] of every lane of an array (T, n)."""
        w, width, place = self.w, self.lanes.width, self.clamped(j)
        if width == 1:
            row = w.value(f"mul i64 {place}, {n}")
            return w.load(pointer, w.value(f"add i64 {row}, {i}"), align=self.align)
        value = "poison"
        for lane in range(width):
            index = w.value(f"extractelement {self.lanes.integer} {place}, i32 {lane}")
            flat = w.value(f"add i64 {w.value(f'mul i64 {index}, {n * width}')}, {i * width + lane}")
            one = w.load(pointer, flat, self.lanes.scalar, self.align)
            value = w.value(f"insertelement {self.lanes.real} {value}, {self.lanes.scalar} {one}, i32 {lane}")
        return value

    def scatter_element(self, value: str, mask: str, pointer: str, j: str, n: int, i: int) -> None:
        """pointer[j, i] = value in the lanes of the mask (width 1: the caller knows that the mask is true)."""
        w, width, whole = self.w, self.lanes.width, self.lanes.integer
        if width == 1:
            row = w.value(f"mul i64 {j}, {n}")
            w.store(value, pointer, w.value(f"add i64 {row}, {i}"), align=self.align)
            return
        offsets = "<" + ", ".join(f"i64 {i * width + lane}" for lane in range(width)) + ">"
        row = w.value(f"mul {whole} {j}, {self.integers(n * width)}")
        places = w.value(f"getelementptr {self.lanes.scalar}, ptr {pointer}, {whole} {w.value(f'add {whole} {row}, {offsets}')}")
        kind, name = self.lanes.real, f"@llvm.masked.scatter.{self.lanes.suffix}.v{width}p0"
        w.needs[f"declare void {name}({kind}, <{width} x ptr>, i32 immarg, {self.lanes.mask})"] = None
        w.line(f"call void {name}({kind} {value}, <{width} x ptr> {places}, i32 {self.align}, {self.lanes.mask} {mask})")
